"""Windows: standardised, equally likely, and every batch a function of its number."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from halfstep.data.dataset import Library
from halfstep.data.windows import Windows
from halfstep.errors import InputError

BANDS = 3


@dataclass
class Track:
    split: str
    content: np.ndarray
    id: str

    @property
    def frames(self) -> int:
        return len(self.content)


@dataclass
class Shelf:
    """What windows ask of a library: tracks whose frame f of track k holds 100 k + f in every band."""

    lengths: tuple[int, ...]
    path: Path = Path("data/mine")
    stores: str = "log-mel"
    band_mean: np.ndarray = field(default_factory=lambda: np.zeros(BANDS, np.float32))
    band_std: np.ndarray = field(default_factory=lambda: np.ones(BANDS, np.float32))

    @property
    def tracks(self) -> list[Track]:
        made = [np.arange(n)[:, None] + 100 * k + np.zeros(BANDS) for k, n in enumerate(self.lengths)]
        heldout = Track("heldout", np.full((40, BANDS), 9999.0), "held out")
        return [Track("train", content.astype(np.float16), str(k)) for k, content in enumerate(made)] + [heldout]

    def array(self, track: Track) -> np.ndarray:
        return track.content


def content(track: object) -> np.ndarray:
    assert isinstance(track, Track)
    return track.content


def windows(lengths: tuple[int, ...], frames: int = 8, seed: int = 0, **shelf) -> Windows:
    return Windows(cast(Library, Shelf(lengths, **shelf)), "train", frames, seed)


def test_a_track_is_drawn_as_often_as_its_weight_says():
    weights = {"0": 3.0, "1": 1.0, "2": 0.5}
    made = Windows(cast(Library, Shelf((20, 8, 30))), "train", 8, 0, lambda track: weights[track.id])
    drawn = made.drawn(0, 20_000)
    expected = np.array([3.0 * 13, 1.0 * 1, 0.5 * 23])
    counts = np.bincount([int(track.id) for track, _ in drawn])
    np.testing.assert_allclose(counts / 20_000, expected / expected.sum(), atol=0.01)
    for which, starts in ((0, 13), (1, 1), (2, 23)):
        begun = np.bincount([start for track, start in drawn if int(track.id) == which], minlength=starts)
        assert len(begun) == starts
        np.testing.assert_allclose(begun / begun.sum(), 1 / starts, atol=0.012)
    clips, _ = made.batch(0, 20_000)
    np.testing.assert_array_equal(clips[:, 0, 0], [100 * int(track.id) + start for track, start in drawn])


def test_a_window_is_consecutive_frames_of_one_track_of_the_split():
    batch, _ = windows((20, 8, 30)).batch(0, 500)
    assert batch.shape == (500, BANDS, 8)
    assert batch.dtype == np.float32
    assert (np.diff(batch, axis=2) == 1).all()
    first, track = batch[:, 0, 0] % 100, batch[:, 0, 0] // 100
    for which, length in enumerate((20, 8, 30)):
        assert set(first[track == which]) == set(range(length - 8 + 1))


def test_every_window_is_equally_likely():
    """A track of one window is drawn as often as any single window of a long track."""
    starts = np.concatenate([windows((20, 8, 30)).batch(k, 1000)[0][:, 0, 0] for k in range(40)])
    counts = np.unique(starts, return_counts=True)[1]
    assert len(counts) == 13 + 1 + 23
    np.testing.assert_allclose(counts / 40_000, 1 / 37, rtol=0.12)


def test_bands_are_standardised_each_by_its_own():
    mean, std = np.array([1.0, 5, 10], np.float32), np.array([1.0, 2, 4], np.float32)
    batch, _ = windows((20,), band_mean=mean, band_std=std).batch(0, 4)
    plain, _ = windows((20,)).batch(0, 4)
    np.testing.assert_allclose(batch, (plain - mean[:, None]) / std[:, None])


def test_a_batch_is_a_function_of_seed_and_number_alone():
    """Resuming, prefetching and reading out of order change nothing."""
    straight = windows((200, 90))
    batches = [straight.batch(k, 16)[0] for k in range(5)]
    np.testing.assert_array_equal(windows((200, 90)).batch(3, 16)[0], batches[3])
    np.testing.assert_array_equal(straight.batch(1, 16)[0], batches[1])
    assert not any(np.array_equal(batches[0], other) for other in batches[1:])
    assert not np.array_equal(windows((200, 90), seed=1).batch(0, 16)[0], batches[0])


def test_the_generator_goes_with_the_batch():
    one, two = (windows((200,)).batch(7, 16)[1].standard_normal(4) for _ in range(2))
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(windows((200,)).batch(8, 16)[1].standard_normal(4), one)


def test_evenly_spread_windows_reach_both_ends():
    starts = windows((20, 30)).evenly(5)[:, 0, 0]
    assert starts[0] == 0
    assert starts[-1] == 100 + 30 - 8
    assert (np.diff(starts) > 0).all()


def test_count_is_whole_windows():
    assert windows((20, 8, 7, 30)).count == 2 + 1 + 0 + 3


def test_short_tracks_are_left_out():
    batch, _ = windows((5, 20)).batch(0, 100)
    assert (batch // 100 == 1).all()


@given(lengths=st.lists(st.integers(8, 70), min_size=1, max_size=8), data=st.data())
def test_windows_apart_share_no_frame_and_lie_in_their_tracks(lengths: list[int], data: st.DataObject):
    split = windows(tuple(lengths))
    size = data.draw(st.integers(1, split.count))
    places = split.apart(size)
    taken = {(content(track)[0, 0], start + at) for track, start in places for at in range(8)}
    assert len(places) == size and len(taken) == 8 * size
    clips = split.clips(places)
    assert clips.shape == (size, BANDS, 8)
    assert [int(clip[0, 0]) for clip in clips] == [int(content(track)[start, 0]) for track, start in places]


def test_windows_apart_fill_a_split_and_reach_both_ends_of_a_track():
    """Short tracks beside a long one, where windows spread evenly over the starts overlap."""
    split = windows((9, 9, 9, 24))
    assert split.count == 6
    assert [start for _, start in split.apart(6)] == [0, 0, 0, 0, 8, 16]
    assert min(np.diff([start for _, start in split.places(6)[3:]])) < 8
    assert [start for _, start in windows((30,)).apart(3)] == [0, 11, 22]
    with pytest.raises(ValueError, match="size is 7: at most 6 whole windows"):
        split.apart(7)


@pytest.mark.parametrize("lengths", [(), (5, 7)])
def test_too_little_data_says_how_much_there_is_and_how_much_is_needed(lengths: tuple[int, ...]):
    total = f"{sum(lengths)} frames in {len(lengths)} tracks"
    with pytest.raises(InputError, match=rf"data/mine: the train split has no track of 8 frames \(it holds {total}"):
        windows(lengths)
