"""Packing is a permutation, exact both ways, for windows and for masks; or a projection on orthonormal directions."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from halfstep import packing as packing_module
from halfstep.errors import InputError
from halfstep.packing import (
    PACKINGS,
    Packing,
    components_packing,
    fit_components,
    read_components,
    write_components,
)

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


def test_fold_goes_up_the_bands_as_a_snake_through_rows_and_colours():
    """Nine bands on a picture of 3 rows and 3 colours; every step goes to a neighbour in one of the two."""
    bands = PACKINGS["fold"].flat(np.arange(9.0)[:, None])[:, 0].reshape(3, 3)
    np.testing.assert_array_equal(bands, [[0, 5, 6], [1, 4, 7], [2, 3, 8]])
    places = np.array([np.argwhere(bands == band)[0] for band in range(9)])
    assert (np.abs(np.diff(places, axis=0)).sum(1) == 1).all()
    with pytest.raises(ValueError, match="multiple of 3 bands, not 8"):
        PACKINGS["fold"].flat(np.zeros((8, 4)))


def test_a_packing_shifts_where_moving_a_window_by_whole_places_moves_every_place():
    """Frames of a piece by number, in two windows that begin a place apart: snake alone turns some of them round."""
    for packing in PACKINGS.values():
        first, second = (packing.pack_frames(np.arange(start, start + 12)) for start in (0, packing.planes))
        assert bool((first[:, 1:] == second[:, :-1]).all()) == packing.shifts, packing.name


@pytest.mark.parametrize("name", PACKINGS)
@given(data=st.data())
def test_unpacking_is_the_exact_inverse(name: str, data: st.DataObject):
    packing = PACKINGS[name]
    lead = data.draw(hnp.array_shapes(min_dims=0, max_dims=2, max_side=3))
    shape = (*lead, 3 * data.draw(st.integers(1, 2)), packing.planes * data.draw(st.integers(1, 9)))
    window = data.draw(hnp.arrays(np.float32, shape))
    packed = packing.pack(window)
    assert packed.shape == (*lead, packing.planes, shape[-2], shape[-1] // packing.planes)
    assert packing.unpack(packed).tobytes() == window.tobytes()


@pytest.mark.parametrize("name", PACKINGS)
@given(mask=st.lists(st.booleans(), min_size=12, max_size=12))
def test_a_mask_lands_on_its_own_frames(name: str, mask: list[bool]):
    packing = PACKINGS[name]
    window = np.broadcast_to(np.array(mask, np.float32), (6, 12))
    for band in range(6):
        np.testing.assert_array_equal(packing.pack_frames(window[0]), packing.pack(window)[:, band])


def test_how_many_channels_there_are():
    for name, planes in (("snake", 3), ("patch", 3), ("none", 1)):
        packing = PACKINGS[name]
        assert (packing.channels(4), packing.mask_channels, packing.scale) == (4 * planes, planes, 1)
        assert packing.widest == 1
    packing = projected()
    assert packing.components is not None
    assert (packing.channels(N_MELS), packing.mask_channels) == (COUNT, 1)
    assert packing.scale == packing.components.scale != 1
    assert packing.widest == COUNT**0.5


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
    window = rng.standard_normal((2, 6, 12)).astype(np.float32)
    mask = (rng.random((2, 12)) < 0.5).astype(np.float32)
    aligned, held = packing.context(packing.flat(window), mask)
    known, given_mask = aligned[:, : packing.planes * 6], aligned[:, packing.planes * 6 :]
    np.testing.assert_array_equal(packing.unflat(known), window * mask[:, None])
    np.testing.assert_array_equal(given_mask, packing.pack_frames(mask))
    np.testing.assert_array_equal(packing.unflat(held), np.broadcast_to(mask[:, None], window.shape))
    np.testing.assert_array_equal(packing.unflat(packing.flat(window)), window)


N_MELS, PLANES, COUNT = 5, 3, 7


def patches(seed: int = 0, count: int = 400) -> np.ndarray:
    """Centred patches of N_MELS bands and PLANES frames, of unlike variances."""
    rng = np.random.default_rng(seed)
    mixed = rng.standard_normal((count, PLANES * N_MELS)) * np.geomspace(3, 0.1, PLANES * N_MELS)
    turned = np.linalg.qr(rng.standard_normal((PLANES * N_MELS, PLANES * N_MELS)))[0]
    values = (mixed @ turned).astype(np.float32)
    return values - values.mean(axis=0)


def projected(seed: int = 0) -> Packing:
    return components_packing(fit_components(patches(seed), COUNT), N_MELS)


def test_components_are_orthonormal_and_hold_the_largest_variances():
    values = patches()
    components = fit_components(values, COUNT)
    np.testing.assert_allclose(components.matrix @ components.matrix.T, np.eye(COUNT), atol=1e-6)
    variances = np.sort(np.linalg.eigvalsh(np.cov(values, rowvar=False, bias=True)))[::-1]
    coordinates = values @ components.matrix.T
    np.testing.assert_allclose(coordinates.var(axis=0), variances[:COUNT], rtol=1e-4)
    assert components.explained == pytest.approx(variances[:COUNT].sum() / variances.sum(), rel=1e-5)
    assert np.mean(np.square(coordinates * components.scale)) == pytest.approx(1, rel=1e-4)
    assert (components.matrix.sum(axis=1) >= 0).all()


def test_all_directions_hold_all_and_of_silence_none_holds_any():
    assert fit_components(patches(), PLANES * N_MELS).explained == pytest.approx(1)
    silent = fit_components(np.zeros((20, 6), np.float32), 2)
    assert (silent.scale, silent.explained) == (pytest.approx(1e6), 0)


@given(seed=st.integers(0, 2**32 - 1), places=st.integers(1, 6), batch=st.integers(1, 3))
def test_components_are_exact_on_their_subspace(seed: int, places: int, batch: int):
    packing = projected()
    x = np.random.default_rng(seed).standard_normal((batch, COUNT, places), dtype=np.float32)
    window = packing.unflat(x)
    assert window.shape == (batch, N_MELS, PLANES * places)
    np.testing.assert_allclose(packing.flat(window), x, atol=1e-5)


@given(seed=st.integers(0, 2**32 - 1))
def test_what_comes_back_of_a_window_is_the_nearest_point_of_the_subspace(seed: int):
    """What is lost stands at right angles to all that can be kept, and a second time nothing is lost."""
    packing = projected()
    window = np.random.default_rng(seed).standard_normal((N_MELS, 4 * PLANES), dtype=np.float32)
    back = packing.unflat(packing.flat(window))
    np.testing.assert_allclose(packing.flat(window - back), 0, atol=1e-5)
    np.testing.assert_allclose(packing.unflat(packing.flat(back)), back, atol=1e-5)
    assert np.linalg.norm(window - back) > 0.1


def test_unit_noise_stays_unit_and_white_in_components():
    """Of 60 000 places, covariances are known to about .004."""
    packing = projected()
    noise = np.random.default_rng(0).standard_normal((N_MELS, 60_000 * PLANES), dtype=np.float32)
    x = packing.noise(noise)
    assert x.shape == (COUNT, 60_000)
    np.testing.assert_allclose(x @ x.T / x.shape[1], np.eye(COUNT), atol=0.025)


@given(mask=st.lists(st.booleans(), min_size=12, max_size=12), seed=st.integers(0, 1000))
def test_a_place_of_components_is_held_where_all_its_frames_are_known(mask: list[bool], seed: int):
    packing = projected()
    window = np.random.default_rng(seed).standard_normal((N_MELS, 12), dtype=np.float32)
    aligned, held = packing.context(packing.flat(window), np.array(mask, np.float32))
    whole = np.all(np.array(mask).reshape(4, PLANES), axis=1).astype(np.float32)
    np.testing.assert_array_equal(held, np.broadcast_to(whole, (COUNT, 4)))
    np.testing.assert_array_equal(aligned[COUNT:], whole[None])
    np.testing.assert_allclose(aligned[:COUNT], packing.flat(window) * whole, atol=1e-6)


@pytest.mark.parametrize(("rows", "count"), [(5, 6), (400, PLANES * N_MELS + 1)])
def test_more_directions_than_there_are_are_refused(rows: int, count: int):
    with pytest.raises(ValueError, match=f"count is {count}: at most"):
        fit_components(patches(count=rows), count)


def test_components_come_back_from_a_file_bit_by_bit(tmp_path: Path):
    components = fit_components(patches(), COUNT)
    write_components(tmp_path / "c.npz", components)
    back = read_components((tmp_path / "c.npz").read_bytes(), "c.npz")
    assert back.matrix.tobytes() == components.matrix.tobytes()
    assert (back.scale, back.explained) == (components.scale, components.explained)
    assert [path.name for path in tmp_path.iterdir()] == ["c.npz"]


def stored(**changes: object) -> bytes:
    """A components file with some arrays changed; None leaves one out."""
    fine = {"matrix": np.eye(3, 8, dtype=np.float32), "scale": np.float64(1), "explained": np.float64(0.9)}
    buffer = io.BytesIO()
    kept: dict[str, Any] = {name: array for name, array in (fine | changes).items() if array is not None}
    np.savez(buffer, **kept)
    return buffer.getvalue()


def test_components_that_unpack_to_more_than_fits_are_refused_before_they_do(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(packing_module, "MOST_COMPONENT_BYTES", 500)  # the three parts have 128 bytes of head each
    assert read_components(stored(), "fine").count == 3
    with pytest.raises(InputError, match="unpacks to more than 500 bytes"):
        read_components(stored(matrix=np.eye(3, 80, dtype=np.float32)), "model/components.npz")


def with_one(value: float) -> np.ndarray:
    matrix = np.eye(3, 8, dtype=np.float32)
    matrix[1, 1] = value
    return matrix


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "not the components of a packing"),
        (b"PK\x03\x04 and no more", "not the components of a packing"),
        (stored()[:-30], "not the components of a packing"),
        (stored(matrix=None), "not the components of a packing"),
        (stored(scale=None), "not the components of a packing"),
        (stored(scale=np.array([1.0, 2.0])), "not the components of a packing"),
        (stored(matrix=np.array([{}], dtype=object)), "not the components of a packing"),
        (stored(matrix=np.eye(3, 8)), "not orthonormal, finite float32"),
        (stored(matrix=np.ones(8, np.float32)), "not orthonormal, finite float32"),
        (stored(matrix=with_one(2.0)), "not orthonormal, finite float32"),
        (stored(matrix=with_one(0.5)), "not orthonormal, finite float32"),
        (stored(matrix=with_one(np.nan)), "not orthonormal, finite float32"),
        (stored(scale=np.float64(0)), "not orthonormal, finite float32 directions with a scale above 0"),
        (stored(scale=np.float64(np.inf)), "not orthonormal, finite float32 directions with a scale above 0"),
    ],
)  # fmt: skip
def test_components_that_are_damaged_or_not_orthonormal_are_refused_in_one_line(data: bytes, says: str):
    with pytest.raises(InputError, match=f"^model/components.npz: {says}") as refused:
        read_components(data, "model/components.npz")
    assert "\n" not in str(refused.value)
    assert read_components(stored(), "fine").count == 3
