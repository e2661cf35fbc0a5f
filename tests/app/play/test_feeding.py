"""What the plugin asks for is what it gets: the newest order's piece, at its rate, as records; the rest is refused."""

import io
import json
import os
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import halfstep
from halfstep.app.cli import run
from halfstep.app.play.feeding import FeedOrder, follow, sound
from halfstep.errors import InputError

ORDER = {"order": 1, "seed": 3, "permille": 0, "sample_rate": 8000}


def test_an_order_is_the_piece_as_it_is_generated(tiny_model: Path):
    model = halfstep.load(tiny_model)
    blocks = sound(model, FeedOrder(**ORDER))
    np.testing.assert_array_equal(
        np.concatenate([next(blocks) for _ in range(4)]), model.generate(1, seed=3).samples[0]
    )
    varied = sound(model, FeedOrder(**ORDER | {"permille": 300}))
    np.testing.assert_array_equal(next(varied), model.generate(0.25, seed=3, variation=0.3).samples[0])
    doubled = sound(model, FeedOrder(**ORDER | {"sample_rate": 16000}))
    assert sum(len(next(doubled)) for _ in range(8)) == pytest.approx(8 * 4000, abs=4000)


def test_a_newer_order_takes_the_place_of_one_that_never_ends(tiny_model: Path):
    """The second line comes once the first has sounded; the third, the end, once the second has."""
    model, sounding = halfstep.load(tiny_model), {1: threading.Event(), 2: threading.Event()}

    class Pipe(io.BytesIO):
        def write(self, record) -> int:
            sounding[struct.unpack("<II", record[:8])[0]].set()
            return super().write(record)

    def lines() -> Iterator[bytes]:
        for number in sounding:
            yield json.dumps(ORDER | {"order": number, "seed": number}).encode()
            assert sounding[number].wait(20)

    out = Pipe()
    follow(model, lines(), out)
    records, place, pieces = out.getvalue(), 0, {1: [], 2: []}
    while place < len(records):
        number, count = struct.unpack_from("<II", records, place)
        pieces[number].append(np.frombuffer(records, "<f4", count, place + 8))
        place += 8 + 4 * count
    for number, blocks in pieces.items():
        got = np.concatenate(blocks)
        np.testing.assert_array_equal(got, model.generate(len(got) / 8000, seed=number).samples[0])


@pytest.mark.parametrize(
    "line",
    [
        b"", b"{", b"[]", b"{}", b"null", b'{"order": 1}',
        *(json.dumps(ORDER | {name: value}).encode() for name, value in (
            ("seed", -1), ("seed", 1 << 32), ("seed", 1.5), ("seed", True), ("seed", "1"), ("permille", 1001),
            ("sample_rate", 10), ("sample_rate", 10**7), ("extra", 1),
        )),
    ],
)  # fmt: skip
def test_what_is_no_order_is_refused_in_one_line(line: bytes, tiny_model: Path):
    with pytest.raises(InputError, match="^feed: "):
        follow(halfstep.load(tiny_model), [line], io.BytesIO())


def test_the_end_of_its_input_is_its_end(tiny_model: Path, monkeypatch: pytest.MonkeyPatch):
    with Path(os.devnull).open() as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        monkeypatch.setenv("HALFSTEP_MODEL", str(tiny_model))
        assert run(["feed"]) == 0
        monkeypatch.setenv("HALFSTEP_MODEL", str(tiny_model / "none"))
        assert run(["feed"]) == 2


def test_who_stops_reading_ends_it_though_its_input_is_open(tiny_model: Path):
    """As a plugin that is taken out of its host does."""
    with subprocess.Popen(
        [sys.executable, "-m", "halfstep", "feed", "--model", tiny_model],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdin and process.stdout and process.stderr
        process.stdin.write(json.dumps(ORDER).encode() + b"\n")
        process.stdin.flush()
        assert process.stdout.read(8) == struct.pack("<II", 1, 2000)
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(30) == 0
