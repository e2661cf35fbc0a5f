"""What can be asked: one type for each kind of music, and a line that names the field where nothing can be made."""

import numpy as np
import pytest

from halfstep.audio.files.io import Audio
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
    request_for,
)

MEL = MelConfig(sample_rate=8000, n_fft=256, hop_length=64, n_mels=20)
TAKE = Audio(np.arange(16000, dtype=np.float32)[None] / 16000, 8000)


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
    ],
)
def test_what_is_given_says_which_kind_of_music_is_asked_for(wish: dict, expected: Request):
    assert request_for(**wish) == expected
    assert expected.loops == bool(wish.get("loop"))


def test_a_request_knows_its_recordings():
    requests = (Piece(seconds=1), Continuation(seconds=1, context="a"), Bridge(seconds=1, context="a", into="b"))
    assert [request.recordings for request in requests] == [(), ("a",), ("a", "b")]


def test_mending_is_a_bridge_between_the_two_ends():
    bridge = Mend(recording="a", start=0.5, stop=1.25, seed=7, toward=9, variation=0.25, steps=1).bridge(TAKE)
    assert isinstance(bridge.context, Audio) and isinstance(bridge.into, Audio)
    assert bridge.samples(MEL) == 6000
    np.testing.assert_array_equal(bridge.context.samples[0], TAKE.samples[0, :4000])
    np.testing.assert_array_equal(bridge.into.samples[0], TAKE.samples[0, 10000:])
    assert (bridge.seed, bridge.toward, bridge.variation, bridge.steps) == (7, 9, 0.25, 1)


def test_a_line_uses_the_names_of_whoever_asks():
    with pytest.raises(RequestError, match="^toward: a loop ends where it began; say how far with variation$") as found:
        request_for(loop=True, toward=3)
    names = {"toward": "--toward", "loop": "--loop", "variation": "--vary"}
    assert found.value.named(names) == "--toward: a --loop ends where it began; say how far with --vary"


@pytest.mark.parametrize("name", ["{seed}", "{0}", "}{", "vocos"])
def test_a_vocoder_of_any_other_name_is_refused_as_it_was_written(name: str):
    with pytest.raises(InputError) as found:
        request_for(vocoder=name)
    assert str(found.value).startswith(f"vocoder is {name}: the only name is griffin-lim")


@pytest.mark.parametrize(
    ("wish", "line"),
    [
        ({"mend": "a"}, "mend: give the span to regenerate: start and stop"),
        ({"mend": "a", "start": 1}, "mend: give the span"),
        ({"mend": "a", "start": 1, "stop": 2, "loop": True}, "loop: mend keeps a recording's own length"),
        ({"mend": "a", "start": 1, "stop": 2, "context": "b"}, "context: mend keeps"),
        ({"mend": "a", "start": 1, "stop": 2, "seconds": 3}, "seconds: mend keeps"),
        ({"start": 1}, "start and stop: they say where to mend"),
        ({"stop": 1}, "start and stop: they say where to mend"),
    ],
)
def test_a_span_goes_with_a_recording_to_mend(wish: dict, line: str):
    with pytest.raises(InputError, match=line):
        request_for(**wish)


def test_a_length_is_looked_at_once_the_sample_rate_is_known():
    assert Piece(seconds=1.00007).samples(MEL) == 8001
    for seconds in (0, -1, float("nan"), float("inf"), 86_401):
        with pytest.raises(InputError, match=f"seconds is {seconds:g}: give a number above 0 and at most 86400"):
            Piece(seconds=seconds).samples(MEL)
    with pytest.raises(InputError, match="a loop takes 0.320 to 900"):
        Loop(seconds=0.3).samples(MEL)
