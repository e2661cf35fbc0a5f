"""Packing is a permutation: exact both ways, for windows and for masks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from halfstep.packing import PACKINGS

SIX_FRAMES = np.array([[0, 1, 2, 3, 4, 5], [10, 11, 12, 13, 14, 15]], np.float32)


@pytest.mark.parametrize(
    ("name", "planes"),
    [
        ("snake", [[[0, 1], [10, 11]], [[3, 2], [13, 12]], [[4, 5], [14, 15]]]),
        ("patch", [[[0, 3], [10, 13]], [[1, 4], [11, 14]], [[2, 5], [12, 15]]]),
        ("none", [[[0, 1, 2, 3, 4, 5], [10, 11, 12, 13, 14, 15]]]),
    ],
)
def test_two_bands_of_six_frames_by_hand(name: str, planes: list):
    np.testing.assert_array_equal(PACKINGS[name].pack(SIX_FRAMES), planes)


def test_snake_joins_neighbours_at_both_folds():
    packed = PACKINGS["snake"].pack(np.arange(384.0)[None])
    assert packed[0, 0, -1] == 127 and packed[1, 0, -1] == 128
    assert packed[1, 0, 0] == 255 and packed[2, 0, 0] == 256


@pytest.mark.parametrize("name", PACKINGS)
@given(data=st.data())
def test_unpacking_is_the_exact_inverse(name: str, data: st.DataObject):
    packing = PACKINGS[name]
    lead = data.draw(hnp.array_shapes(min_dims=0, max_dims=2, max_side=3))
    shape = (*lead, data.draw(st.integers(1, 5)), packing.planes * data.draw(st.integers(1, 9)))
    window = data.draw(hnp.arrays(np.float32, shape))
    packed = packing.pack(window)
    assert packed.shape == (*lead, packing.planes, shape[-2], shape[-1] // packing.planes)
    assert packing.unpack(packed).tobytes() == window.tobytes()


@pytest.mark.parametrize("name", PACKINGS)
@given(mask=st.lists(st.booleans(), min_size=12, max_size=12))
def test_a_mask_lands_on_its_own_frames(name: str, mask: list[bool]):
    packing = PACKINGS[name]
    window = np.broadcast_to(np.array(mask, np.float32), (4, 12))
    for band in range(4):
        np.testing.assert_array_equal(packing.pack_frames(window[0]), packing.pack(window)[:, band])


@pytest.mark.parametrize("frames", [0, 1, 7])
def test_frames_that_do_not_divide_are_refused_with_both_numbers(frames: int):
    with pytest.raises(ValueError, match=rf"multiple of 3 frames, not {frames}"):
        PACKINGS["snake"].pack(np.zeros((2, frames), np.float32))


def test_another_number_of_planes_is_refused():
    with pytest.raises(ValueError, match="has 3 planes, the array has 1"):
        PACKINGS["patch"].unpack(np.zeros((1, 4, 4), np.float32))


@given(name=st.sampled_from(sorted(PACKINGS)), seed=st.integers(0, 2**32 - 1))
def test_what_a_network_is_told_is_the_known_frames_then_their_mask(name, seed):
    packing, rng = PACKINGS[name], np.random.default_rng(seed)
    window = rng.standard_normal((2, 4, 12)).astype(np.float32)
    mask = (rng.random((2, 12)) < 0.5).astype(np.float32)
    aligned, held = packing.told(window, mask)
    known, told_mask = aligned[:, : packing.planes * 4], aligned[:, packing.planes * 4 :]
    np.testing.assert_array_equal(packing.unflat(known), window * mask[:, None])
    np.testing.assert_array_equal(told_mask, packing.pack_frames(mask))
    np.testing.assert_array_equal(packing.unflat(held), np.broadcast_to(mask[:, None], window.shape))
    np.testing.assert_array_equal(packing.unflat(packing.flat(window)), window)
