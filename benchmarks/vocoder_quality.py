"""Copy-synthesis: recordings through their mel and back, by a model's own vocoder and by Griffin-Lim, in one run.

Griffin-Lim is ours, which begins at steady tones and a mel inverted by Richardson and Lucy's steps, and librosa's fast
one, from random phases and its non-negative least squares: the usual way, which ours improves on.

python benchmarks/vocoder_quality.py AUDIO... [--model ID|DIR] [--start 20] [--seconds 12] [--opinions 4]
                                    [--made 90] [--picture PNG]

Each excerpt is set to the original's RMS. FAD is of musicnn's embedding over windows of 4.46 s, against the originals';
`--opinions` is of how many excerpts ViSQOL, which is slow, is asked. The real-time factor is processor seconds of one
thread a second of audio, the mel given. `--made`: seconds of a mel that the model makes (seed 0, the most steps it
serves); what comes out against what was asked for: log-mel L1, of all bands and of the lowest eight, and how much the
bands below 1.5 kHz move from frame to frame, as a share of what was asked for. `--picture`: four seconds of the first
excerpt by each of them, the log-mel and the lines below 1.4 kHz. Prints JSON.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import librosa
import numpy as np
import soxr

import halfstep
from halfstep.audio.files.io import read
from halfstep.audio.mel import MelConfig, band_edges_hz, filterbank, frames_for, log_mel
from halfstep.generation.canvas import Canvas, mel_stream
from halfstep.generation.model import Model
from halfstep.generation.noise import seed_noise
from halfstep.metrics.frechet import frechet_distance
from halfstep.metrics.judges.musicnn import musicnn
from halfstep.metrics.perceptual import visqol_mos, zimtohrli_distance
from halfstep.metrics.waveform import (
    log_spectral_distance,
    loudness_matched,
    mel_l1,
    multi_resolution_stft_distance,
    pitch_of_tone,
)
from halfstep.training.drawing import draw_rows
from halfstep.vocoders.griffin_lim import griffin_lim, mel_to_magnitude

Voice = Callable[[np.ndarray], np.ndarray]
WINDOW_SECONDS = 4.46
LOW_HZ = 1500.0
TONES_HZ = (220.0, 311.1, 440.0, 587.3, 880.0)


def voices(model: Model) -> dict[str, Voice]:
    mel = model.manifest.mel

    def streamed(choice: str | None) -> Voice:
        def voice(bands: np.ndarray) -> np.ndarray:
            vocoder = model.engine.vocoder(0, choice)
            return np.concatenate([vocoder.push(bands), vocoder.finish()])

        return voice

    def usual(bands: np.ndarray) -> np.ndarray:
        return griffin_lim(mel_to_magnitude(bands, mel), mel, 32, rng=np.random.default_rng(0))

    def librosas(bands: np.ndarray) -> np.ndarray:
        magnitude = librosa.util.nnls(filterbank(mel).astype(np.float64), np.exp(bands.astype(np.float64)))
        sound = librosa.griffinlim(magnitude, n_iter=32, hop_length=mel.hop_length, n_fft=mel.n_fft, random_state=0)
        # Its frame f is centred at f * hop, ours half a hop later.
        late = mel.hop_length // 2
        return np.pad(sound, (late, mel.hop_length)).astype(np.float32)[: bands.shape[1] * mel.hop_length]

    return {
        "the vocoder": streamed(None),
        "Griffin-Lim, 32 iterations": usual,
        "Griffin-Lim stream": streamed("griffin-lim"),
        "librosa's Griffin-Lim, 32 iterations": librosas,
    }


def smoothed(bands: np.ndarray) -> np.ndarray:
    """A mel as a model might make it: the mean of three neighbouring frames."""
    padded = np.pad(bands, ((0, 0), (1, 1)), mode="edge")
    return ((padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]) / 3).astype(np.float32)


def embedded(sounds: list[np.ndarray], sample_rate: int) -> np.ndarray:
    """musicnn's embedding of every whole window of every sound, [n, 200]."""
    size = round(WINDOW_SECONDS * sample_rate)
    pieces = [sound[at : at + size] for sound in sounds for at in range(0, len(sound) - size + 1, size // 2)]
    at_16k = soxr.resample(np.stack(pieces).T, sample_rate, musicnn().sample_rate).T
    return musicnn().embed(np.ascontiguousarray(at_16k)).mean(axis=1)


def measured(voice: Voice, excerpts: list[np.ndarray], mel: MelConfig, opinions: int) -> dict[str, float]:
    rows, took, made = [], 0.0, []
    for index, original in enumerate(excerpts):
        bands = log_mel(original, mel)
        began = time.process_time()
        sound = voice(bands)[: len(original)]
        took += time.process_time() - began
        sound = loudness_matched(sound, original)
        made.append(sound)
        row = {
            "mr_stft": multi_resolution_stft_distance(sound, original),
            "log_spectral_db": log_spectral_distance(sound, original),
            "mel_l1": mel_l1(sound, original, mel),
            "mr_stft of a smoothed mel": multi_resolution_stft_distance(
                loudness_matched(voice(smoothed(bands))[: len(original)], original), original
            ),
            "zimtohrli": zimtohrli_distance(sound, original, mel.sample_rate),
        }
        if index < opinions:
            row["visqol"] = visqol_mos(sound, original, mel.sample_rate)
        rows.append(row)
    figures = {name: float(np.mean([row[name] for row in rows if name in row])) for name in rows[0]}
    figures["fad"] = frechet_distance(embedded(made, mel.sample_rate), embedded(excerpts, mel.sample_rate))
    return {**figures, **tones(voice, mel), "rtf": took * mel.sample_rate / sum(map(len, excerpts))}


def tones(voice: Voice, mel: MelConfig) -> dict[str, float]:
    """The worst deviation and flutter of steady tones, in cents; the level of silence, in dBFS."""
    seconds = np.arange(3 * mel.sample_rate) / mel.sample_rate
    inside = slice(mel.sample_rate // 2, -mel.sample_rate // 2)
    pitches = []
    for hertz in TONES_HZ:
        tone = (0.3 * np.sin(2 * np.pi * hertz * seconds)).astype(np.float32)
        pitches.append(pitch_of_tone(voice(log_mel(tone, mel))[: len(tone)][inside], mel.sample_rate, hertz))
    silence = voice(np.full((mel.n_mels, 200), np.log(mel.floor), np.float32))
    return {
        "cents": max(pitch.cents for pitch in pitches),
        "flutter": max(pitch.flutter_cents for pitch in pitches),
        "silence_dbfs": float(20 * np.log10(np.abs(silence).max() + 1e-12)),
    }


def made_mel(model: Model, seconds: float) -> np.ndarray:
    """[n_mels, frames] of a piece by the model, seed 0."""
    manifest, steps = model.manifest, max(model.manifest.steps)
    sampler = model.engine.sampler(steps)
    wanted, blocks, frames = frames_for(seconds, manifest.mel), [], 0
    for block in mel_stream(sampler, Canvas(init_noise=seed_noise(manifest.mel.n_mels, 0))):
        blocks.append(block)
        frames += block.shape[1]
        if frames >= wanted:
            break
    return np.concatenate(blocks, axis=1)[:, :wanted]


def as_asked(voice: Voice, asked: np.ndarray, mel: MelConfig) -> dict[str, float]:
    inside = slice(mel.reach, asked.shape[1] - mel.reach)
    bands, asked = log_mel(voice(asked), mel)[:, inside], asked[:, inside]
    low = band_edges_hz(mel)[1:-1] < LOW_HZ
    moves = [float(np.abs(np.diff(one[low], axis=1)).mean()) for one in (bands, asked)]
    return {
        "made: mel_l1": float(np.abs(bands - asked).mean()),
        "made: mel_l1 of the lowest eight": float(np.abs(bands - asked)[:8].mean()),
        "made: movement": moves[0] / moves[1],
    }


def views(sound: np.ndarray, mel: MelConfig) -> np.ndarray:
    """[2, n_mels, frames]: the log-mel, and in finer lines the log spectrum's lowest n_mels."""
    spectrum = librosa.stft(sound, n_fft=2 * mel.n_fft, hop_length=mel.hop_length)[: mel.n_mels]
    fine = np.log(np.abs(spectrum) + mel.floor).astype(np.float32)
    whole = log_mel(sound, mel)
    return np.stack([whole, fine[:, : whole.shape[1]] - fine.max() + whole.max()])


def draw(path: Path, voices: dict[str, Voice], excerpt: np.ndarray, mel: MelConfig) -> None:
    bands = log_mel(excerpt, mel)
    rows = {name: loudness_matched(voice(bands)[: len(excerpt)], excerpt) for name, voice in voices.items()}
    middle = len(excerpt) // 2
    shown = slice(max(0, middle - 2 * mel.sample_rate), middle + 2 * mel.sample_rate)
    draw_rows(path, {name: views(sound[shown], mel) for name, sound in (rows | {"the recording": excerpt}).items()})


def main() -> None:
    parser = argparse.ArgumentParser(description="Copy-synthesis by a model's vocoder and by Griffin-Lim.")
    parser.add_argument("audio", type=Path, nargs="+")
    parser.add_argument("--model")
    parser.add_argument("--start", type=float, default=20.0)
    parser.add_argument("--seconds", type=float, default=12.0)
    parser.add_argument("--opinions", type=int, default=4)
    parser.add_argument("--made", type=float, default=90.0)
    parser.add_argument("--picture", type=Path)
    options = parser.parse_args()
    model = halfstep.load(options.model)
    rate = model.sample_rate
    first, last = round(options.start * rate), round((options.start + options.seconds) * rate)
    excerpts = [read(path, rate, mono=True).samples[0, first:last] for path in options.audio]
    excerpts = [excerpt for excerpt in excerpts if len(excerpt) == last - first]
    if options.picture is not None:
        draw(options.picture, voices(model), excerpts[0], model.manifest.mel)
    half = len(excerpts) // 2
    floor = frechet_distance(embedded(excerpts[:half], rate), embedded(excerpts[half:], rate))
    made, mel = made_mel(model, options.made), model.manifest.mel
    figures = {
        name: measured(voice, excerpts, mel, options.opinions) | as_asked(voice, made, mel)
        for name, voice in voices(model).items()
    }  # fmt: skip
    print(json.dumps({"excerpts": len(excerpts), "fad of two halves": floor, "vocoders": figures}, indent=1))


if __name__ == "__main__":
    main()
