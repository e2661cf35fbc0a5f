"""Copy-synthesis through bands that hold pitch: the vocoder for them, Griffin-Lim on them, and the mel's own vocoder.

python benchmarks/bands_vocoder_quality.py AUDIO... --vocoder NAME=FOLDER ... [--start 20] [--seconds 12]

FOLDER is what recipes/models/export_bands_vocoder.py --out writes. Griffin-Lim inverts the bands by Richardson and
Lucy's steps and goes on 40 times under the bands' own window. The mel's vocoder is that of the package's model, through
its own Slaney mel. Each sound is set to the recording's RMS. MR-STFT, the L1 of log-mels (Slaney, 128) and of the bands
below 1.2 kHz; FAD of musicnn's embedding over windows of 4.46 s; figures of halfstep.metrics.music; cents of steady
tones; the level of silence; processor seconds a second. Prints JSON.
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from vocoder_quality import embedded

from halfstep.audio.files.io import read
from halfstep.audio.mel import MelConfig, band_edges_hz, log_mel
from halfstep.bundle import OnnxVocoder, installed_vocoders
from halfstep.bundle.session import OnnxNetwork
from halfstep.learned_vocoder.to_onnx import BASS, PRIOR, REFINER
from halfstep.metrics.frechet import frechet_distance
from halfstep.metrics.music import music_figures
from halfstep.metrics.waveform import loudness_matched, mel_l1, multi_resolution_stft_distance, pitch_of_tone
from halfstep.vocoders.griffin_lim import griffin_lim, mel_to_magnitude
from halfstep.vocoders.learned import LearnedVocoder

BANDS = MelConfig(n_fft=8192, window_length=4096, n_mels=192, fmin_hz=30.0, spacing="log", break_hz=150.0)
SLANEY = MelConfig()
LOW_HZ = 1200.0
TONES_HZ = (110.0, 220.0, 311.1, 440.0, 587.3, 880.0, 1244.5, 1760.0, 2637.0)
FIGURES = ("tuning", "held_share", "pitch_class_entropy", "pulse", "decay_db_per_second")


@dataclass(frozen=True)
class Way:
    """From bands [n_mels, frames] of `mel` to samples."""

    mel: MelConfig
    voice: Callable[[np.ndarray], np.ndarray]

    def __call__(self, sound: np.ndarray) -> np.ndarray:
        return self.voice(log_mel(sound, self.mel))[: len(sound)]


def learned(folder: Path, mel: MelConfig) -> Way:
    networks = [OnnxNetwork((folder / name).read_bytes(), name, 1) for name in (PRIOR, REFINER, BASS)]
    prior, refiner, bass = networks

    def voice(bands: np.ndarray) -> np.ndarray:
        vocoder = LearnedVocoder(OnnxVocoder(prior, refiner, mel, bass), mel)
        return np.concatenate([vocoder.push(bands), vocoder.finish()])

    return Way(mel, voice)


def by_griffin_lim(bands: np.ndarray) -> np.ndarray:
    return griffin_lim(mel_to_magnitude(bands, BANDS), BANDS, 40, rng=np.random.default_rng(0))


def figures_of(sounds: list[np.ndarray]) -> dict[str, float]:
    rows = [music_figures(sound, SLANEY.sample_rate) for sound in sounds]
    return {name: round(float(np.nanmean([row[name] for row in rows])), 3) for name in FIGURES}


def measured(way: Way, excerpts: list[np.ndarray]) -> dict[str, float]:
    began = time.process_time()
    made = [way(excerpt) for excerpt in excerpts]
    took = time.process_time() - began
    made = [loudness_matched(sound, excerpt) for sound, excerpt in zip(made, excerpts, strict=True)]
    low = band_edges_hz(BANDS)[1:-1] < LOW_HZ
    pairs = list(zip(made, excerpts, strict=True))
    missed = [np.abs(log_mel(a, BANDS)[low] - log_mel(b, BANDS)[low]).mean() for a, b in pairs]
    row = {
        "mr_stft": np.mean([multi_resolution_stft_distance(a, b) for a, b in pairs]),
        "mel_l1": np.mean([mel_l1(a, b, SLANEY) for a, b in pairs]),
        "low_bands_l1": np.mean(missed),
        "fad": frechet_distance(embedded(made, SLANEY.sample_rate), embedded(excerpts, SLANEY.sample_rate)),
        **tones(way),
        "processor_seconds_a_second": took * SLANEY.sample_rate / sum(map(len, excerpts)),
    }
    return {name: round(float(value), 4) for name, value in row.items()} | figures_of(made)


def tones(way: Way) -> dict[str, float]:
    """Deviation of steady tones in cents, worst below and above 1 kHz, the worst flutter, silence in dBFS."""
    seconds = np.arange(3 * way.mel.sample_rate) / way.mel.sample_rate
    inside = slice(way.mel.sample_rate // 2, -way.mel.sample_rate // 2)
    pitches = {}
    for hertz in TONES_HZ:
        tone = (0.3 * np.sin(2 * np.pi * hertz * seconds)).astype(np.float32)
        pitches[hertz] = pitch_of_tone(way(tone)[inside], way.mel.sample_rate, hertz)
    silence = way.voice(np.full((way.mel.n_mels, 200), np.log(way.mel.floor), np.float32))
    return {
        "cents below 1 kHz": max(pitch.cents for hertz, pitch in pitches.items() if hertz < 1000),
        "cents above": max(pitch.cents for hertz, pitch in pitches.items() if hertz > 1000),
        "flutter": max(pitch.flutter_cents for pitch in pitches.values()),
        "silence_dbfs": 20 * np.log10(np.abs(silence).max() + 1e-12),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Copy-synthesis through bands that hold pitch.")
    parser.add_argument("audio", type=Path, nargs="+")
    parser.add_argument("--vocoder", action="append", default=[], metavar="NAME=FOLDER")
    parser.add_argument("--start", type=float, default=20.0)
    parser.add_argument("--seconds", type=float, default=12.0)
    options = parser.parse_args()
    rate = SLANEY.sample_rate
    first, last = round(options.start * rate), round((options.start + options.seconds) * rate)
    excerpts = [read(path, rate, mono=True).samples[0, first:last] for path in options.audio]
    excerpts = [excerpt for excerpt in excerpts if len(excerpt) == last - first]
    package = next(one.path for one in installed_vocoders() if one.mel == SLANEY)
    ways = {name: learned(Path(folder), BANDS) for name, folder in (text.split("=") for text in options.vocoder)}
    ways |= {"Griffin-Lim on the bands": Way(BANDS, by_griffin_lim), "the mel's vocoder": learned(package, SLANEY)}
    print(json.dumps({"excerpts": len(excerpts), "recordings": figures_of(excerpts)}), flush=True)
    for name, way in ways.items():
        print(json.dumps({name: measured(way, excerpts)}), flush=True)


if __name__ == "__main__":
    main()
