"""Can anybody tell where the music was joined?

    python benchmarks/seams.py [MUSIC] [--steps 4 1] [--kinds stream ...] [--start 10]

For each kind of join, the z of at least 200 seams and that of hard cuts of the same material (metrics/seam.py: |z| < 2
and > 4). A join is spread over some frames: its middle is measured, its beginning and end as well, and places as far
again before and after it, where nothing is joined: what z they have is how the two sides differ.

stream: the joins of windows of one piece. loops: the wraps of loops of 2 to 8 s, one seed each. continuations:
recordings in MUSIC that the model goes on from. closings: recordings that it closes into loops, both joins.
infills: gaps of 3 s in recordings, both joins.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

import halfstep
from halfstep.audio.files.io import Audio, read_blocks
from halfstep.generation.continuation import known_end, tail_samples
from halfstep.generation.model import Model
from halfstep.generation.window import layout_of
from halfstep.machine import processor
from halfstep.metrics.seam import Joined, looped, seam_score, seam_test

LOOP_SECONDS = (2.0, 3.3, 5.0, 8.0)
EXCERPT_SECONDS = 6.0
NEW_SECONDS = 3.0
QUIETEST = 0.003
"""RMS of an excerpt's last second."""
ENDINGS = {".ogg", ".flac", ".wav", ".mp3", ".opus"}
Places = dict[str, list[Joined]]


@dataclass(frozen=True)
class Music:
    """Recordings in `folder`, each from its second `start` on."""

    folder: Path | None
    start: float


def stream(model: Model, steps: int, count: int, _: Music) -> Places:
    """One piece, long enough for `count` joins."""
    layout, hop = layout_of(model.manifest), model.manifest.mel.hop_length
    seconds = (layout.frames + count * layout.hop) * hop / model.sample_rate
    music = model.generate(seconds, seed=0, steps=steps).samples[0]
    ends = [(layout.frames + index * layout.hop) * hop for index in range(count)]
    return spread(music, ends, layout.crossfade * hop)


def loops(model: Model, steps: int, count: int, _: Music) -> Places:
    """The wrap of each, as it repeats."""
    transition = layout_of(model.manifest).crossfade * model.manifest.mel.hop_length
    places: Places = {}
    for seed in range(count):
        loop = model.generate(LOOP_SECONDS[seed % len(LOOP_SECONDS)], seed=seed, steps=steps, loop=True).samples[0]
        half = transition // 2
        for name, shift in (
            ("before", 3 * half),
            ("beginning", half),
            ("middle", 0),
            ("end", -half),
            ("after", -3 * half),
        ):
            places.setdefault(name, []).append(looped(np.roll(loop, shift)))
    return places


def continuations(model: Model, steps: int, count: int, music: Music) -> Places:
    """Recordings cut off, and gone on from."""
    places: Places = {}
    for seed, recording in enumerate(excerpts(model, count, music)):
        out = model.generate(NEW_SECONDS, seed, steps, recording).samples[0]
        merge(places, even_sides(model, out, [recording.samples.shape[1]], crossfaded(model, recording)))
    return places


def closings(model: Model, steps: int, count: int, music: Music) -> Places:
    """Recordings closed into loops."""
    places: Places = {}
    for seed, recording in enumerate(excerpts(model, count // 2, music)):
        length, zone = recording.samples.shape[1], crossfaded(model, recording)
        loop = model.generate(NEW_SECONDS, seed, steps, recording, loop=True).samples[0]
        # Turned so that the recording's beginning stands inside as well.
        turn = len(loop) - length // 2
        ends = [length // 2, len(loop) - length // 2 + zone]
        merge(places, even_sides(model, np.roll(loop, turn), ends, zone))
    return places


def infills(model: Model, steps: int, count: int, music: Music) -> Places:
    """Gaps in the middle of recordings."""
    places: Places = {}
    for seed, recording in enumerate(excerpts(model, count // 2, music, 2 * EXCERPT_SECONDS)):
        start, stop = EXCERPT_SECONDS - NEW_SECONDS / 2, EXCERPT_SECONDS + NEW_SECONDS / 2
        out = model.mend(recording, start, stop, seed, steps).samples[0]
        zone = crossfaded(model, recording)
        ends = [round(start * model.sample_rate), round(stop * model.sample_rate) + zone]
        merge(places, even_sides(model, out, ends, zone))
    return places


def spread(samples: np.ndarray, ends: list[int], zone: int) -> Places:
    """Joins that end at `ends` and take `zone` samples, seen at five places; before and after, nothing is joined."""
    shifts = {"before": 2 * zone, "beginning": zone, "middle": zone // 2, "end": 0, "after": -zone}
    return {name: [Joined(samples, [end - shift for end in ends])] for name, shift in shifts.items()}


def even_sides(model: Model, samples: np.ndarray, ends: list[int], zone: int) -> Places:
    """The same, each join by itself with as much of the recording as of the music: the two change at paces of their
    own, and places of the one side alone are no measure for a place between them."""
    reach, places = round(NEW_SECONDS / 2 * model.sample_rate), {}
    for end in ends:
        start = end - zone // 2 - reach
        merge(places, spread(samples[start : start + 2 * reach], [reach + zone // 2], zone))
    return places


def crossfaded(model: Model, recording: Audio) -> int:
    """How many of a recording's last samples pass into the model's."""
    mel, layout = model.manifest.mel, layout_of(model.manifest)
    tail = recording.samples[:, -tail_samples(mel, layout.overlap) :]
    known = known_end(tail, mel)
    rendered_again = min(layout.crossfade, known.log_mel.shape[1] // 2)
    return tail.shape[1] - known.end + rendered_again * mel.hop_length


def merge(places: Places, more: Places) -> None:
    for name, result in more.items():
        places.setdefault(name, []).extend(result)


def excerpts(model: Model, count: int, music: Music, seconds: float = EXCERPT_SECONDS) -> Iterator[Audio]:
    """`count` excerpts, as many of each recording, one after another from its second `start` on, none silent."""
    if music.folder is None:
        raise SystemExit("seams: name a folder of music for continuations, closings and infills")
    files = [path for path in sorted(music.folder.rglob("*")) if path.suffix.lower() in ENDINGS]
    files = files[:: max(1, len(files) // count)]
    size, left, each = round(seconds * model.sample_rate), count, -(-count // len(files))
    for path in files:
        needed = music.start + (each + 1) * (seconds + 2)
        sound = np.concatenate(list(islice(read_blocks(path, model.sample_rate), int(needed // 10) + 1)), axis=1)
        starts = [round((music.start + number * (seconds + 2)) * model.sample_rate) for number in range(each + 1)]
        parts = [sound[:, start : start + size] for start in starts]
        loud = [part for part in parts if part.shape[1] == size and _rms(part[:, -model.sample_rate :]) > QUIETEST]
        for part in loud[: min(each, left)]:
            left -= 1
            yield Audio(part, model.sample_rate)
        if left == 0:
            return


def _rms(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(samples))))


KINDS: dict[str, Callable[[Model, int, int, Music], Places]] = {
    function.__name__: function for function in (stream, loops, continuations, closings, infills)
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("music", type=Path, nargs="?")
    parser.add_argument("--model")
    parser.add_argument("--steps", type=int, nargs="+", help="if not given, all that the model serves")
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--count", type=int, default=220, help="seams of each kind")
    parser.add_argument("--start", type=float, default=10.0, help="second of each recording to begin with")
    options = parser.parse_args()
    model = halfstep.load(options.model)
    print(f"{processor()}, model {model.manifest.id}")
    for kind in options.kinds:
        for steps in options.steps or reversed(model.manifest.steps):
            began = time.process_time()
            places = KINDS[kind](model, steps, options.count, Music(options.music, options.start))
            test = seam_test(places["middle"], model.sample_rate, np.random.default_rng(0))
            row = {"kind": kind, "steps": steps, "seams": test.score.seams, "z": round(test.score.z, 2)}
            for name in ("before", "beginning", "end", "after"):
                row[f"z {name}"] = round(seam_score(places[name], model.sample_rate, np.random.default_rng(0)).z, 2)
            row |= {"z hard cuts": round(test.control.z, 2), "passes": test.passes}
            print(json.dumps(row), f"# {time.process_time() - began:.0f} processor seconds", flush=True)


if __name__ == "__main__":
    main()
