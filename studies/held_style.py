"""Is a style held along an hour? python studies/held_style.py MODEL DATA [--minutes 60] [--every 30] [--steps K]

DATA is a prepared set whose tracks have styles, and whose recordings are still there. The judge took no part in
training: Fisher's discriminant of musicnn's embeddings (`metrics/judges/musicnn.py`), fitted to clips of 3 s of three
quarters of the tracks, each made audible by the model's own vocoder, as its music is. First it judges the other
tracks, then a stream of each style that is asked for, a clip every so many seconds, and one of which nothing is asked.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import Any

import numpy as np

import halfstep
from halfstep.audio.files.io import Audio, read
from halfstep.audio.resampling import resampled
from halfstep.conditioning import Likeness
from halfstep.data.dataset import Library, Track
from halfstep.evaluation.sounds import source_paths
from halfstep.generation.model import Model
from halfstep.metrics.judges.musicnn import PIECE_SAMPLES, musicnn
from halfstep.runs.likeness import discriminant

CLIP_SECONDS = 3.2
LEFT_OUT = 4
"""One track of so many is left out of what the judge is fitted to."""
PARTS = 6
"""Of a stream, judged apart: where it leaves its style is seen."""


def embedded(samples: np.ndarray, sample_rate: int) -> np.ndarray:
    """What musicnn makes of the first 3 s of one channel [n], [200]."""
    judge = musicnn()
    clip = np.concatenate(list(resampled([samples[None]], sample_rate, judge.sample_rate)), axis=1)[:, :PIECE_SAMPLES]
    return judge.embed(clip)[0, 0].astype(np.float64)


def clips_of(model: Model, path: Path, most: int) -> list[np.ndarray]:
    """Embeddings of clips of a recording, evenly over it, as the model's bands and vocoder leave them."""
    sound = read(path, model.sample_rate, mono=True).samples[0]
    size = round(CLIP_SECONDS * model.sample_rate)
    starts = np.unique(np.linspace(0, max(0, len(sound) - size), most).astype(int))
    taken = (sound[start : start + size] for start in starts if len(sound) >= size)
    return [embedded(model.vocode(clip).samples.mean(axis=0), model.sample_rate) for clip in taken]


def clips_of_stream(
    model: Model, style: str | None, minutes: float, every: float, seed: int, steps: int | None
) -> list[np.ndarray]:
    """Embeddings of the beginning of every so many seconds of a stream."""
    asked: dict[str, Any] = {} if style is None else {"style": style}
    blocks: Iterator[Audio] = model.stream(seed=seed, steps=steps, block_seconds=every, **asked)
    numbers = range(round(60 * minutes / every))
    return [embedded(block.samples.mean(axis=0), model.sample_rate) for _, block in zip(numbers, blocks, strict=False)]


@dataclass(frozen=True)
class Judge:
    """Which of `styles` a clip has."""

    styles: tuple[str, ...]
    likeness: Likeness

    def judged(self, clips: list[np.ndarray]) -> np.ndarray:
        """The place among styles of each clip [clips, 200]."""
        return np.array([int(self.likeness.shares(clip[None]).argmax()) for clip in clips], int)


def fitted(model: Model, library: Library, styles: tuple[str, ...], a_style: int) -> tuple[Judge, dict[str, list]]:
    """The judge, of about so many clips a style, and the clips by style of tracks that it was not fitted to."""
    paths = source_paths(library)
    to_fit, others = dict[str, list[np.ndarray]](), dict[str, list[np.ndarray]]()
    for style in styles:
        tracks = [track for track in library.tracks if style in styles_of(track) and track.id in paths]
        if len(tracks) < LEFT_OUT:
            raise SystemExit(f"held_style: {len(tracks)} recordings of {style} are there, {LEFT_OUT} are needed")
        each = max(1, a_style // len(tracks))
        clips = [clips_of(model, paths[track.id], each) for track in tracks]
        others[style] = list(chain.from_iterable(clips[::LEFT_OUT]))
        to_fit[style] = [clip for k, some in enumerate(clips) if k % LEFT_OUT for clip in some]
    return Judge(styles, discriminant([np.stack(clips) for clips in to_fit.values()])), others


def styles_of(track: Track) -> tuple[str, ...]:
    return tuple(track.labels.get("style", ()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("data", type=Path)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--every", type=float, default=30.0, help="seconds from one judged clip to the next")
    parser.add_argument("--clips", type=int, default=120, help="of each style, to fit the judge to")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int)
    options = parser.parse_args()
    model = halfstep.load(options.model)
    condition = model.manifest.asks.condition("style", model.manifest.id)
    styles = tuple(map(str, condition.values))
    judge, others = fitted(model, Library(options.data), styles, options.clips)
    for style, clips in others.items():
        right = judge.judged(clips) == styles.index(style)
        print(f"other recordings of {style}: {right.sum()} of {len(right)} judged so", flush=True)
    for seed, style in zip(count(options.seed), (*styles, None), strict=False):
        clips = clips_of_stream(model, style, options.minutes, options.every, seed, options.steps)
        places = judge.judged(clips)
        whole = {name: int((places == place).sum()) for place, name in enumerate(styles)}
        name = "nothing asked" if style is None else f"--style {style}"
        line = f"{name}, {options.minutes:g} minutes: {len(places)} clips judged {whole}"
        if style is not None:
            parts = [np.mean(part == styles.index(style)) for part in np.array_split(places, PARTS)]
            line += f"; as asked, part by part: {' '.join(f'{part:.2f}' for part in parts)}"
        print(line, flush=True)


if __name__ == "__main__":
    main()
