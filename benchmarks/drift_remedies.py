"""Does ten minutes stay alive, and what mends drift? python benchmarks/drift_remedies.py [MUSIC] [--minutes 10]

For the stream as it is and for each remedy: metrics/life.py on the waveform, and the style. A style is the mean and the
deviation of each band over 15 s, in deviations of the band; given are its mean distance (RMS) from that of the first
15 s, over the second half of the piece, and from one 15 s to the next. Recordings in MUSIC are measured alike.

anchor: the first half second of the piece stands, as known frames, before what a window is told of its past.
pull: what a window is told of its past is moved a third of the way back to the first window's mean.
context noise: noise of .1 and .3 deviations over what a window is told, as in training.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from seams import ENDINGS

import halfstep
from halfstep.audio.files.io import read_blocks
from halfstep.audio.limiter import limit
from halfstep.audio.mel import log_mel
from halfstep.generation.canvas import Canvas, mel_stream
from halfstep.generation.crossfade import crossfaded
from halfstep.generation.model import Model
from halfstep.generation.noise import Noise, seed_noise
from halfstep.generation.render import unlimited
from halfstep.generation.window import WindowSampler
from halfstep.machine import processor
from halfstep.metrics.life import life

BLOCK_SECONDS = 15.0
ANCHOR_FRAMES, GAP_FRAMES = 48, 24
Context = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(the past [n_mels, k], the piece's first window) -> what the network sees of the past."""


def context_stream(sampler: WindowSampler, noise: Noise, context: Context, anchor: int = 0) -> Iterator[np.ndarray]:
    """As `mel_stream`, with another context: of the past, and an anchor of so many frames before it."""
    size = sampler.layout
    first = window = sampler.unconditional(noise(0, size.frames))
    yield sampler.log_mel(window[:, : size.frames - size.crossfade])
    before = anchor + GAP_FRAMES if anchor else 0
    place, kept = size.hop, size.overlap - size.crossfade
    while True:
        past = window[:, size.frames - size.overlap :]
        known, mask = np.zeros(window.shape, np.float32), np.zeros(size.frames, np.float32)
        known[:, before : before + kept], mask[: before + kept] = context(past[:, :kept], first), 1
        known[:, :anchor] = first[:, size.frames // 4 :][:, :anchor]
        mask[anchor:before] = 0
        around = np.concatenate([noise(0, before), noise(place, place + size.frames - before)], axis=1)
        window = sampler.inpainted(around, known, mask)
        at = slice(before + kept, before + size.overlap)
        window[:, at] = crossfaded(past[:, kept:], window[:, at])
        yield sampler.log_mel(window[:, before + kept : size.frames - size.crossfade])
        place += size.hop - before


def with_noise(deviation: float) -> Context:
    rng = np.random.default_rng(0)
    return lambda past, first: past + deviation * rng.standard_normal(past.shape).astype(np.float32)


def pulled(past: np.ndarray, first: np.ndarray) -> np.ndarray:
    return past + (first.mean(axis=1) - past.mean(axis=1))[:, None] / 3


REMEDIES: dict[str, Callable[[WindowSampler, Noise], Iterator[np.ndarray]]] = {
    "as it is": lambda sampler, noise: mel_stream(sampler, Canvas(init_noise=noise)),
    "anchor": lambda sampler, noise: context_stream(sampler, noise, lambda past, _: past, ANCHOR_FRAMES),
    "pull": lambda sampler, noise: context_stream(sampler, noise, pulled),
    "context noise .1": lambda sampler, noise: context_stream(sampler, noise, with_noise(0.1)),
    "context noise .3": lambda sampler, noise: context_stream(sampler, noise, with_noise(0.3)),
}


def style(model: Model, mel: np.ndarray) -> dict[str, float]:
    """Of log-mel [n_mels, frames]: distances of 15 s to the first 15 s and to those before; the deviation of all."""
    manifest = model.manifest
    mean, std = (np.array(values, np.float32)[:, None] for values in (manifest.band_mean, manifest.band_std))
    size = round(BLOCK_SECONDS * manifest.mel.frames_per_second)
    count = mel.shape[1] // size
    blocks = ((mel - mean) / std)[:, : count * size].reshape(len(mel), count, size)
    styles = np.concatenate([blocks.mean(axis=2), blocks.std(axis=2)])
    from_first = np.sqrt(np.square(styles - styles[:, :1]).mean(axis=0))
    steps = np.sqrt(np.square(np.diff(styles, axis=1)).mean(axis=0))
    return {
        "from the first": float(from_first[(count + 1) // 2 :].mean()),
        "from the last": float(steps.mean()),
        "movement": float(blocks.std()),
    }


def generated(model: Model, name: str, seed: int, minutes: float, steps: int) -> dict[str, float]:
    manifest = model.manifest
    frames, have = round(60 * minutes * manifest.mel.frames_per_second), 0
    blocks: list[np.ndarray] = []
    source = REMEDIES[name](model.engine.sampler(steps), seed_noise(manifest.mel.n_mels, seed))
    while have < frames:
        blocks.append(next(source))
        have += blocks[-1].shape[1]
    sound = (limit(block) for block in unlimited(blocks, model.engine.vocoder(seed)))
    return facts(life(sound, model.sample_rate)) | style(model, np.concatenate(blocks, axis=1))


def recorded(model: Model, path: Path, minutes: float) -> dict[str, float]:
    blocks = list(islice(read_blocks(path, model.sample_rate), int(6 * minutes)))
    mel = log_mel(np.concatenate(blocks, axis=1)[0], model.manifest.mel)
    return facts(life(blocks, model.sample_rate)) | style(model, mel)


def facts(measured) -> dict[str, float]:
    return {
        "loudness dB/min": measured.loudness_slope_db,
        "centroid cents/min": measured.centroid_slope_cents,
        "repeated": measured.repeated_share,
        "silence s": measured.longest_silence_seconds,
    }


def say(name: str, rows: list[dict[str, float]]) -> None:
    mean = {key: round(float(np.mean([row[key] for row in rows])), 3) for key in rows[0]}
    print(json.dumps({"what": name, "pieces": len(rows)} | mean), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("music", type=Path, nargs="?")
    parser.add_argument("--model")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--remedies", nargs="+", choices=list(REMEDIES), default=list(REMEDIES))
    options = parser.parse_args()
    model = halfstep.load(options.model)
    print(f"{processor()}, model {model.manifest.id}, {options.steps} steps, {options.minutes:g} minutes")
    for name in options.remedies:
        say(name, [generated(model, name, seed, options.minutes, options.steps) for seed in options.seeds])
    if options.music is not None:
        paths = [path for path in sorted(options.music.rglob("*")) if path.suffix.lower() in ENDINGS]
        say("recordings", [recorded(model, path, options.minutes) for path in paths[:8]])


if __name__ == "__main__":
    main()
