"""What can be asked: one type for each kind of music, and a line that names the field where nothing can be made."""

from typing import Any

import numpy as np
import pytest

from halfstep.audio.mel import MelConfig
from halfstep.errors import InputError
from halfstep.generation.requests import (
    Bridge,
    ClosedLoop,
    Continuation,
    Loop,
    Mend,
    Piece,
    Request,
    RequestError,
    Restyle,
    request_for,
)

MEL = MelConfig(sample_rate=8000, n_fft=256, hop_length=64, n_mels=20)


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        ({}, Piece(seconds=30)),
        ({"seconds": 2, "seed": 3, "steps": 4}, Piece(seconds=2, seed=3, steps=4)),
        ({"loop": True, "seconds": 2}, Loop(seconds=2)),
        ({"context": "a", "toward": 2}, Continuation(seconds=30, context="a", toward=2)),
        ({"context": "a", "loop": True}, ClosedLoop(seconds=30, context="a")),
        ({"context": "a", "into": "b", "seconds": 1}, Bridge(seconds=1, context="a", into="b")),
        ({"mend": "a", "start": 1, "stop": 2, "variation": 0.5}, Mend(recording="a", start=1, stop=2, variation=0.5)),
        ({"restyle": "a", "seed": 3}, Restyle(recording="a", strength=0.75, seed=3)),
        ({"restyle": "a", "strength": 0}, Restyle(recording="a", strength=0)),
    ],
)
def test_what_is_given_says_which_kind_of_music_is_asked_for(wish: dict, expected: Request):
    assert request_for(**wish) == expected
    assert expected.loops == bool(wish.get("loop"))


def test_a_request_knows_its_recordings():
    requests = (Piece(seconds=1), Continuation(seconds=1, context="a"), Bridge(seconds=1, context="a", into="b"))
    assert [request.recordings for request in requests] == [(), ("a",), ("a", "b")]


@pytest.mark.parametrize(
    ("start", "stop", "span"),
    [
        (0.5, 1.25, (4000, 10000)),
        (0, 1, (0, 8000)),
        (1, 2, (8000, 16000)),
        (1, 2.004, (8000, 16000)),
        (0.05, 1.95, (400, 15600)),
    ],
)
def test_a_span_may_be_anywhere_its_ends_included(start: float, stop: float, span: tuple[int, int]):
    assert Mend(recording="a", start=start, stop=stop).span(16000, 8000, 400) == span


@pytest.mark.parametrize(
    ("start", "stop", "line"),
    [
        (0, 2, "nothing of the recording would be left"),
        (0.5, 0.50001, "nothing of the recording would be new"),
        (0.01, 1, r"at least 0.050 s before it are needed to join to; take start 0$"),
        (1, 1.98, r"at least 0.050 s after it are needed to join to; take stop 2.000$"),
        (1, 2.1, "give two times in order, inside the recording's 0 to 2.000 s"),
        (1, 1, "give two times in order"),
    ],
)
def test_a_span_that_leaves_too_little_says_what_to_do(start: float, stop: float, line: str):
    with pytest.raises(RequestError, match=line):
        Mend(recording="a", start=start, stop=stop).span(16000, 8000, 400)


def test_a_line_uses_the_names_of_whoever_asks():
    with pytest.raises(
        RequestError, match="^toward: a loop ends where it began; say how far with variation$"
    ) as result:
        request_for(loop=True, toward=3)
    names = {"toward": "--toward", "loop": "--loop", "variation": "--vary"}
    assert result.value.named(names) == "--toward: a --loop ends where it began; say how far with --vary"


@pytest.mark.parametrize("name", ["{seed}", "{0}", "}{", "vocos"])
def test_a_vocoder_of_any_other_name_is_refused_as_it_was_written(name: str):
    with pytest.raises(InputError) as result:
        request_for(vocoder=name)
    assert str(result.value).startswith(f"vocoder is {name}: the only name is griffin-lim")


@pytest.mark.parametrize(
    ("wish", "line"),
    [
        ({"mend": "a"}, "mend: give the span to regenerate: start and stop"),
        ({"mend": "a", "start": 1}, "mend: give the span"),
        ({"mend": "a", "start": 1, "stop": 2, "loop": True}, "loop: mend keeps a recording's own length"),
        ({"mend": "a", "start": 1, "stop": 2, "context": "b"}, "context: mend keeps"),
        ({"mend": "a", "start": 1, "stop": 2, "seconds": 3}, "seconds: mend keeps"),
        ({"mend": "a", "start": 1, "stop": 2, "restyle": "b"}, "restyle: mend keeps"),
        ({"restyle": "a", "context": "b"}, "context: restyle keeps a recording's own length"),
        ({"restyle": "a", "loop": True}, "loop: restyle keeps"),
        ({"restyle": "a", "seconds": 3}, "seconds: restyle keeps"),
        ({"restyle": "a", "loudness": -20.0}, "loudness: music for a recording is as loud as that"),
        ({"restyle": "a", "strength": 1.5}, "strength is 1.5: give a number from 0, the recording, to 1"),
        ({"restyle": "a", "strength": float("nan")}, "strength is nan"),
        ({"restyle": "a", "strength": "half"}, "strength is 'half': give a number"),
        ({"strength": 0.5}, "strength: it says how much noise a recording to restyle is given: name it"),
        ({"start": 1}, "start and stop: they say where to mend"),
        ({"stop": 1}, "start and stop: they say where to mend"),
        ({"into": "b"}, "into: name the recording before it: context"),
        ({"variation": 1.1}, "variation is 1.1: give a number from 0"),
        ({"variation": -0.1}, "variation is -0.1: give a number from 0"),
        ({"loudness": -61}, "loudness is -61"),
    ],
)
def test_what_does_not_go_together_or_is_out_of_range_is_refused(wish: dict, line: str):
    with pytest.raises(InputError, match=line):
        request_for(**wish)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seed", None), ("seed", 1.5), ("seed", True), ("seed", "{x}"), ("steps", "4"), ("steps", True),
        ("toward", 0.5), ("seconds", "5"), ("seconds", 1j), ("variation", "1"), ("loudness", []), ("start", "1"),
        ("stop", False),
    ],
)  # fmt: skip
def test_a_value_of_another_kind_is_named(name: str, value: object):
    """A seed of None would be another piece each time."""
    mended = {"mend": "a", "start": 1, "stop": 2} if name in ("start", "stop") else {}
    with pytest.raises(RequestError, match=rf"^{name} is .*: give a (whole )?number"):
        request_for(**{**mended, name: value})


def test_numpys_numbers_are_numbers():
    numbers: dict[str, Any] = {"seed": np.int64(3), "steps": np.int32(4), "seconds": np.float32(2)}
    given = request_for(**numbers, variation=np.float64(0.5))
    assert given == request_for(seed=3, steps=4, seconds=2, variation=0.5)


def test_a_length_is_looked_at_once_the_sample_rate_is_known():
    assert Piece(seconds=1.00007).samples(MEL) == 8001
    for seconds in (0, -1, float("nan"), float("inf"), 86_401):
        with pytest.raises(InputError, match=f"seconds is {seconds:g}: give a number above 0 and at most 86400"):
            Piece(seconds=seconds).samples(MEL)
    with pytest.raises(InputError, match="a loop takes 0.320 to 900"):
        Loop(seconds=0.3).samples(MEL)
    assert [Loop(seconds=seconds).samples(MEL) for seconds in (0.32, 900)] == [2560, 7_200_000]
