"""The components of a model folder: used where they are whole, orthonormal and of the declared shape, else refused."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from halfstep.bundle import ComponentsFile, load_folder, open_folder, read_manifest, verify, write_manifest
from halfstep.errors import InputError
from halfstep.packing import Components, write_components

FILE = "components.npz"
COUNT, PATCH, N_MELS = 6, 4, 8


def directions(count: int = COUNT, width: int = PATCH * N_MELS) -> np.ndarray:
    rows = np.linalg.qr(np.random.default_rng(0).standard_normal((width, width)))[0][:count]
    return np.ascontiguousarray(rows, np.float32)


def keep(folder: Path, matrix: np.ndarray, scale: float = 0.5) -> None:
    folder.mkdir(exist_ok=True)
    write_components(folder / FILE, Components(matrix=matrix, scale=scale, explained=0.9))


@pytest.fixture
def folder(tmp_path: Path, write_model: Callable[..., Path]) -> Path:
    """The tiny model, its windows of 24 frames packed as 6 coordinates of patches of 4 frames."""
    keep(tmp_path / "model", directions())
    entry = ComponentsFile(file=FILE, count=COUNT, patch_frames=PATCH, explained=0.9)
    return write_model(tmp_path / "model", packing="components", components=entry)


def test_windows_are_packed_by_the_components_of_the_folder(folder: Path):
    opened = load_folder(str(folder))
    manifest, packing = opened.manifest, opened.packing
    assert (manifest.channels, manifest.length, manifest.aligned_channels) == (COUNT, 6, COUNT + 1)
    assert verify(folder) == []
    window = np.random.default_rng(0).standard_normal((N_MELS, 24), dtype=np.float32)
    patches = window.reshape(N_MELS, 6, PATCH).transpose(1, 2, 0).reshape(6, -1)  # plane after plane
    np.testing.assert_allclose(packing.flat(window), 0.5 * directions() @ patches.T, atol=1e-5)
    x = np.zeros((1, COUNT, 6), np.float32)
    assert opened.denoiser(4)(x, 0.6, 0.8, np.zeros((1, COUNT + 1, 6), np.float32)).shape == x.shape


def damaged(folder: Path) -> None:
    data = bytearray((folder / FILE).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / FILE).write_bytes(data)


def missing(folder: Path) -> None:
    (folder / FILE).unlink()


def declared_again(folder: Path) -> None:
    """The checksum is that of what is there."""
    write_manifest(folder, read_manifest(folder))


def skewed(folder: Path) -> None:
    matrix = directions()
    matrix[1] = (matrix[0] + matrix[1]) / 2**0.5
    keep(folder, matrix)
    declared_again(folder)


def not_finite(folder: Path) -> None:
    matrix = directions()
    matrix[0, 0] = np.nan
    keep(folder, matrix)
    declared_again(folder)


def too_few(folder: Path) -> None:
    keep(folder, directions(COUNT - 1))
    declared_again(folder)


def too_narrow(folder: Path) -> None:
    keep(folder, directions(width=PATCH * N_MELS - 1))
    declared_again(folder)


def no_components_at_all(folder: Path) -> None:
    (folder / FILE).write_bytes(b"PK\x03\x04 no archive")
    declared_again(folder)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (damaged, "sha256|checksum"),
        (missing, "missing|not there"),
        (skewed, "not orthonormal, finite float32 directions"),
        (not_finite, "not orthonormal, finite float32 directions"),
        (too_few, r"is \(5, 32\), model.json says \(6, 32\)"),
        (too_narrow, r"is \(6, 31\), model.json says \(6, 32\)"),
        (no_components_at_all, "not the components of a packing"),
    ],
)
def test_components_that_are_not_as_declared_are_refused_in_one_line(
    folder: Path, spoil: Callable[[Path], None], says: str
):
    spoil(folder)
    with pytest.raises(InputError, match=says) as refused:
        _ = open_folder(folder).packing
    assert FILE in str(refused.value)
    assert "\n" not in str(refused.value)
    problems = verify(folder)
    assert len(problems) >= 1 and any(FILE in problem for problem in problems)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"packing": "patch"}, "components"),
        ({"components": None}, "components"),
        ({"components": {"file": "../components.npz", "count": 6, "patch_frames": 4, "explained": 0.9}}, "file"),
        ({"components": {"file": FILE, "count": 0, "patch_frames": 4, "explained": 0.9}}, "count"),
        ({"components": {"file": FILE, "count": 6, "patch_frames": 5, "explained": 0.9}}, "frames"),
        ({"components": {"file": "other.npz", "count": 6, "patch_frames": 4, "explained": 0.9}}, "other.npz"),
        ({"components": {"file": FILE, "count": 6, "patch_frames": 4, "explained": 1.5}}, "explained"),
        ({"components": {"file": FILE, "count": 33, "patch_frames": 4, "explained": 0.9}}, "count"),
    ],
)
def test_a_card_whose_components_do_not_fit_is_refused_in_one_line(folder: Path, change: dict, says: str):
    path = folder / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(InputError, match=says) as refused:
        read_manifest(folder)
    assert "\n" not in str(refused.value)
