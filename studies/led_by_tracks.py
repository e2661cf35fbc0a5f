"""How far is a model's network from its music, and how far what leads it? Both kinds of distance in two reports.

    python studies/led_by_tracks.py MODEL DATA STYLE OUT [--kind both|chords] [--windows 32] [--streams 3]

`halfstep evaluate` of MODEL, led not by what it plans or draws but by the guide of a training track of DATA, from a
drawn place on, in a drawn key. DATA is one style's own set in the model's bands. What is left of the distance then is
the network's own; a report of `halfstep evaluate MODEL --style STYLE` beside it says what its plans add. The music of
the report is those tracks' own, turned: it is for measuring alone.
"""

import argparse
import sys
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from unittest import mock

import numpy as np

from halfstep.app.cli import run
from halfstep.arrays import Float32
from halfstep.audio.chroma import CLASSES
from halfstep.audio.guide import BOTH, CHORDS, GUIDES, kind_rows, measured_guide
from halfstep.data.dataset import Library, Track
from halfstep.generation.guiding import Guide, Leader
from halfstep.generation.requests import Piece

SECONDS = 62
"""Of a track, in one piece: a stream of a minute and what the vocoder takes beside it."""


def leads(library: Library, kind: str) -> AbstractContextManager[object]:
    """While it lasts, a seed draws the track, the place and the key of what leads its piece."""

    @cache
    def rows_of(track: Track) -> Float32[np.ndarray, "rows frames"]:
        bands = library.array(track)[0 : track.frames].astype(np.float32).T[: library.mel.n_mels]
        return measured_guide(BOTH, dict.fromkeys(GUIDES[BOTH] if kind == BOTH else (CHORDS,), bands), library.mel)

    def guide_for(request: Piece, *_: object) -> Leader:
        random, frames = np.random.default_rng([7, request.seed]), round(SECONDS * library.mel.frames_per_second)
        tracks = [track for track in library.split("train") if track.frames >= frames]
        rows = rows_of(tracks[random.integers(len(tracks))])
        start = int(random.integers(rows.shape[1] - frames + 1))
        rows = rows[:, start : start + frames].copy()
        chords = kind_rows(BOTH)[0]
        rows[chords][:CLASSES] = np.roll(rows[chords][:CLASSES], random.integers(CLASSES), axis=0)
        return Guide(rows, frames)

    return mock.patch("halfstep.generation.engine.guide_for", guide_for)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("data", type=Path)
    parser.add_argument("style")
    parser.add_argument("out", type=Path)
    parser.add_argument("--kind", choices=(BOTH, CHORDS), default=BOTH)
    parser.add_argument("--windows", default="32")
    parser.add_argument("--streams", default="3")
    options = parser.parse_args()
    sizes = ["--windows", options.windows, "--streams", options.streams, "--seams", "0", "--workers", "1"]
    words = [options.model, "--data", str(options.data), "--out", str(options.out), "--style", options.style, *sizes]
    with leads(Library(options.data), options.kind):
        return run(["evaluate", *words])


if __name__ == "__main__":
    sys.exit(main())
