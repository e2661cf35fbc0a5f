"""The rows of real music: the reference and what stands beside it are different music."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from halfstep.data.dataset import Library
from halfstep.evaluation import real, streams
from halfstep.evaluation.settings import Options
from halfstep.evaluation.sounds import Place
from halfstep.evaluation.subject import Subject

FRAMES = 24
LENGTHS = (25, 30, 25, 47, 26, 24, 300, 25, 29, 31, 200, 40)
"""Of tracks: little more than a window, beside long ones, where windows spread evenly over the starts overlap."""


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[list[Place]]:
    """The places that every row was made from."""
    places: list[list[Place]] = []

    def noted(library: Library, some: list[Place], frames: int) -> None:
        places.append(some)

    monkeypatch.setattr(real, "stored_mels", noted)
    return places


def test_windows_and_streams_of_the_reference_share_no_frame_with_any_other(
    write_library: Callable[..., Path], tmp_path: Path, asked: list[list[Place]]
):
    library = Library(write_library(tmp_path / "data", LENGTHS, (200, 70)))
    options = Options(data=tmp_path / "data", out=tmp_path, windows=100, streams=6, stream_seconds=FRAMES / 86.13)
    model = SimpleNamespace(manifest=SimpleNamespace(streamed=()))
    subject = cast(Subject, SimpleNamespace(frames=FRAMES, vocoder=lambda: None, model=model))
    rows, _ = real.real_rows(library, subject, options)
    assert [row.kind for row in rows] == ["reference", "real", "heldout"]
    of_streams, _ = streams.stream_rows(library, subject, options)
    assert [row.kind for row in of_streams[:3]] == ["reference", "real", "heldout"]
    assert [len(places) for places in asked] == [15, 15, 10, 6, 6, 6]
    for sides in (asked[:3], asked[3:]):
        frames = [(track.id, start + k) for places in sides for track, start in places for k in range(FRAMES)]
        assert len(set(frames)) == len(frames)
