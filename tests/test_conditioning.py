"""Named conditions: what is asked becomes weights, and back from JSON; what makes no sense is said by name."""

import inspect
import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from halfstep.conditioning import (
    RESERVED,
    Asked,
    Conditions,
    LabelCondition,
    Likeness,
    NumberCondition,
    condition_from,
    condition_members,
    plain_label,
)
from halfstep.errors import InputError
from halfstep.fields import Fields
from halfstep.generation.model import Model

STYLE = LabelCondition(name="style", values=("bells", "piano", "strings"))
TEMPO = NumberCondition(name="tempo", values=(60.0, 80.0, 120.0), unit="BPM")
BOTH = Conditions((STYLE, TEMPO))


@pytest.mark.parametrize(
    ("asked", "weights"),
    [
        ("piano", [0, 1, 0]), ("piano,strings", [0, 0.5, 0.5]), (" piano : 3 , bells", [0.25, 0.75, 0]),
        ("piano,piano", [0, 1, 0]), ({"strings": 2, "bells": 6}, [0.75, 0, 0.25]),
    ],
)  # fmt: skip
def test_labels_share_what_is_asked_by_their_weights(asked: Asked, weights: list[float]):
    np.testing.assert_allclose(STYLE.weights(asked), weights)


@given(st.floats(60, 120))
def test_a_number_is_what_its_weights_say(number: float):
    weights = TEMPO.weights(number)
    assert np.count_nonzero(weights) <= 2
    assert weights.sum() == pytest.approx(1)
    assert weights @ np.array(TEMPO.values) == pytest.approx(number, rel=1e-5)
    np.testing.assert_array_equal(weights, TEMPO.weights(str(number)))


def test_what_is_measured_beyond_the_values_counts_as_the_last_and_nothing_as_nothing():
    np.testing.assert_array_equal(TEMPO.of_number(500.0), [0, 0, 1])
    assert not TEMPO.of_number(float("nan")).any()
    assert not STYLE.of_labels(["organ"]).any()
    np.testing.assert_allclose(STYLE.of_labels(["piano", "organ", "bells"]), [0.5, 0.5, 0])


def test_a_course_drifts_evenly_through_what_is_asked():
    course = BOTH.course({"style": "bells..piano..strings", "tempo": 80}, "m")
    assert course.drifts
    tempo = [0, 1, 0]
    for share, weights in ((-1, [1, 0, 0]), (0.25, [0.5, 0.5, 0]), (0.5, [0, 1, 0]), (1, [0, 0, 1]), (7, [0, 0, 1])):
        np.testing.assert_allclose(course.at(share), [*weights, *tempo])
    assert not BOTH.course({"style": "piano"}, "m").drifts
    np.testing.assert_array_equal(BOTH.course({}, "m").at(0.3), np.zeros(BOTH.width))


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"style": "organ"}, "style 'organ': not known; it is of bells, piano, strings"),
        ({"style": ""}, "style '': NAME"), ({"style": {}}, "style {}: NAME"), ({"style": 3}, "style 3: NAME"),
        ({"style": "piano:-1"}, "style piano:-1: a weight above 0"), ({"style": "piano:nan"}, "a weight above 0"),
        ({"style": "piano:x"}, "style 'x': a number was expected"), ({"style": "piano.."}, "style '': NAME"),
        ({"tempo": "fast"}, "tempo 'fast': a number was expected"), ({"tempo": float("nan")}, "tempo nan: a number"),
        ({"tempo": 121}, "tempo 121: a number from 60 to 120 BPM was"), ({"tempo": {"a": 1}}, "tempo {'a': 1}"),
        ({"mood": "x"}, "mood: model m has no such control (it has style, tempo); leave it out"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_said_by_name(asked: dict[str, Asked], said: str):
    with pytest.raises(InputError) as refusal:
        BOTH.course(asked, "m")
    assert said in str(refusal.value)


def test_a_model_without_any_says_so():
    with pytest.raises(InputError, match=r"style: model m has no such control \(it has none\)"):
        Conditions().course({"style": "piano"}, "m")


ALIKE = replace(STYLE, likeness=Likeness(weights=tuple((k, 0.5) for k in range(len(STYLE.values))), bias=(0.0,) * 3))


@pytest.mark.parametrize("condition", [STYLE, TEMPO, ALIKE])
def test_json_is_read_as_it_was_written(condition: LabelCondition | NumberCondition):
    plain = json.loads(json.dumps(condition_members(condition)))
    assert condition_from(Fields("m", plain)) == condition
    assert ("likeness" in plain) == (condition is ALIKE)  # older versions read the others


@pytest.mark.parametrize(
    "likeness",
    [None, {}, {"weights": [[1.0]] * 3}, {"weights": [[1.0]] * 2, "bias": [0.0] * 3},
     {"weights": [[1.0], [1.0], [1.0, 2.0]], "bias": [0.0] * 3}, {"weights": [[1.0]] * 3, "bias": [0.0] * 2},
     {"weights": 3, "bias": [0.0] * 3}, {"weights": [["a"]] * 3, "bias": [0.0] * 3}],
)  # fmt: skip
def test_a_likeness_that_is_none_is_refused(likeness: object):
    with pytest.raises(InputError):
        condition_from(Fields("m", {**json.loads(json.dumps(condition_members(STYLE))), "likeness": likeness}))


def test_shares_are_the_mean_of_what_windows_say_and_small_ones_are_left_out():
    likeness = Likeness(weights=((0.0,), (1.0,), (-60.0,)), bias=(0.0, 0.0, 0.0))
    np.testing.assert_allclose(likeness.shares(np.array([[0.0], [60.0]])), [1 / 6, 2 / 3, 1 / 6], atol=1e-9)
    mixed = STYLE.mixture(np.array([0.9, 0.06, 0.04]))
    assert mixed == {STYLE.values[0]: 0.94, STYLE.values[1]: 0.06}
    np.testing.assert_allclose(STYLE.weights(mixed), [0.94, 0.06, 0], atol=1e-6)
    with pytest.raises(InputError, match="does not know what its labels sound like"):
        STYLE.known_likeness()


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "colour"}, {"name": "Style"}, {"name": "seed"}, {"values": []}, {"values": ["a", "a"]},
        {"values": ["a,b"]}, {"values": [1]}, {"kind": "number", "values": [1, 1], "unit": ""},
        {"kind": "number", "values": [1], "unit": ""}, {"unit": "BPM"},
    ],
)  # fmt: skip
def test_json_of_another_kind_is_refused(changes: dict[str, object]):
    with pytest.raises(InputError):
        condition_from(Fields("m", {"name": "style", "kind": "label", "values": ["a", "b"]} | changes))


@given(st.text(max_size=80))
def test_any_text_becomes_a_label_that_can_be_asked_for(text: str):
    label = plain_label(text)
    assert plain_label(label) == label
    if label:
        condition = LabelCondition(name="style", values=(label,))
        np.testing.assert_array_equal(Conditions((condition,)).course({"style": label}, "m").at(0), [1])


def test_no_condition_is_called_as_an_argument_is():
    for method in (Model.generate, Model.stream, Model.mend):
        named = inspect.signature(method).parameters.values()
        assert {one.name for one in named if one.kind is not one.VAR_KEYWORD} <= RESERVED
