"""A data set as components in bytes: what comes back, where windows begin, what is refused."""

from pathlib import Path

import numpy as np
import pytest

from halfstep.data.carried import (
    FINEST_STEP,
    Carried,
    carry,
    fitted,
    joined,
    parts_of,
    patches_of,
    read_carried,
    standardised_frames,
    write_carried,
)
from halfstep.data.dataset import Library
from halfstep.errors import InputError

PLANES, COUNT = 4, 20


@pytest.fixture(scope="module")
def held(library: Path) -> Library:
    return Library(library)


@pytest.fixture(scope="module")
def carried(held: Library) -> Carried:
    return carry(held, fitted(held, PLANES, COUNT))


def test_every_coordinate_is_within_half_a_step(held: Library, carried: Carried):
    wanted = [
        patches_of(standardised_frames(held, track), PLANES) @ carried.components.matrix.T * carried.components.scale
        for track in held.tracks
    ]
    error = np.abs(carried.codes * carried.steps - np.concatenate(wanted))
    assert (error <= carried.steps * 0.501).all()
    assert carried.codes.dtype == np.int8
    assert (carried.steps >= np.float32(FINEST_STEP)).all()


def test_components_are_those_of_the_training_split_alone(held: Library, carried: Carried):
    """Their mean variance there is 1, and bands are centred there."""
    training = carried.codes[: carried.ends[1]] * carried.steps
    assert np.square(training - training.mean(0)).mean() == pytest.approx(1, abs=0.02)
    assert [track.split for track in held.tracks] == ["train", "train", "heldout"]
    assert carried.heldout.tolist() == [False, False, True]
    again = fitted(held, PLANES, COUNT)
    assert again.matrix.tobytes() == carried.components.matrix.tobytes()


def test_windows_lie_within_one_track_of_their_split(carried: Carried):
    """Tracks of 300, 200 and 80 frames: 75, 50 and 20 patches."""
    assert carried.ends.tolist() == [75, 125, 145]
    np.testing.assert_array_equal(carried.starts("train", 6), [*range(70), *range(75, 120)])
    np.testing.assert_array_equal(carried.starts("heldout", 20), [125])
    with pytest.raises(InputError, match="the heldout split has no track of 21 patches"):
        carried.starts("heldout", 21)
    assert carried.hours == pytest.approx(580 * 512 / 44100 / 3600)


def test_it_comes_back_from_its_file_as_it_was(carried: Carried, tmp_path: Path):
    write_carried(carried, tmp_path / "c.npz")
    back = read_carried(tmp_path / "c.npz")
    for name in ("codes", "steps", "ends", "heldout", "band_mean", "band_std"):
        np.testing.assert_array_equal(getattr(back, name), getattr(carried, name))
    assert back.components.matrix.tobytes() == carried.components.matrix.tobytes()
    assert (back.components.scale, back.components.explained) == (
        carried.components.scale, carried.components.explained
    )  # fmt: skip
    assert (back.mel, back.names) == (carried.mel, carried.names)


def test_what_is_no_such_file_is_refused_in_one_line(carried: Carried, tmp_path: Path):
    write_carried(carried, tmp_path / "whole.npz")
    whole = (tmp_path / "whole.npz").read_bytes()
    np.savez(tmp_path / "other.npz", facts=np.array("{}"))
    contents = {"empty.npz": b"", "cut.npz": whole[: len(whole) // 2], "text.npz": b"no archive at all"}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    for name in (*contents, "other.npz", "absent.npz"):
        with pytest.raises(InputError, match=f"{name}: not a carried data set") as refused:
            read_carried(tmp_path / name)
        assert "\n" not in str(refused.value)


def test_too_little_music_to_fit_to_is_the_inputs_fault(held: Library):
    with pytest.raises(InputError, match="too little to fit components to .*at most 125 was expected"):
        fitted(held, PLANES, 126)


def test_of_a_held_out_track_the_first_patches_may_be_carried_alone(held: Library, carried: Carried):
    short = carry(held, fitted(held, PLANES, COUNT), judged=7)
    assert short.ends.tolist() == [75, 125, 132]
    np.testing.assert_array_equal(short.codes[:125] * short.steps, carried.codes[:125] * carried.steps)


def test_parts_hold_every_training_track_once_and_all_that_is_held_out(carried: Carried):
    first, second = parts_of(carried, 2)
    assert [part.heldout.tolist() for part in (first, second)] == [[False, True], [False, True]]
    assert first.names[:1] + second.names == carried.names
    np.testing.assert_array_equal(second.codes, carried.codes[75:])
    together = joined([first, second])
    assert sorted(together.names) == sorted(carried.names)
    assert together.heldout.sum() == 1
    assert together.hours == carried.hours
    assert sorted(map(bytes, together.codes)) == sorted(map(bytes, carried.codes))


def test_parts_of_different_data_sets_are_not_joined(held: Library, carried: Carried):
    with pytest.raises(InputError, match="not parts of one"):
        joined([carried, carry(held, fitted(held, PLANES, COUNT - 1))])
