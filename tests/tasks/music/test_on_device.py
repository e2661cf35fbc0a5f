"""Batches drawn where the network is: the carried windows, and masks distributed as those of the task."""

from pathlib import Path

import numpy as np
import pytest
import torch

from halfstep.data.carried import Carried, carry, fitted
from halfstep.data.dataset import Library
from halfstep.errors import InputError
from halfstep.tasks.music.on_device import DeviceWindows
from halfstep.tasks.music.task import Music, MusicConfig

CPU = torch.device("cpu")


def config(**changes) -> MusicConfig:
    settings = {"frames": 48, "packing": "components", "components": 16, "patch_frames": 4, "context_noise": 0.1}
    return MusicConfig(**(settings | changes))


@pytest.fixture(scope="module")
def carried(library: Path) -> Carried:
    held = Library(library)
    return carry(held, fitted(held, 4, 16))


@pytest.mark.parametrize("split", ["train", "heldout"])
def test_every_window_is_one_of_the_carried_ones(carried: Carried, split: str):
    windows = DeviceWindows(carried, split, config(), CPU)
    rows = carried.codes * carried.steps
    known = {rows[start : start + 12].T.tobytes() for start in carried.starts(split, 12)}
    x = windows.batches(64)(0).x
    assert x.shape == (64, 16, 12)
    assert {window.numpy().tobytes() for window in x.contiguous()} <= known


def test_a_batch_is_a_function_of_seed_stream_and_number(carried: Carried):
    def drawn(seed: int, stream: int, number: int) -> bytes:
        example = DeviceWindows(carried, "train", config(), CPU, seed).batches(8, stream)(number)
        assert example.condition.aligned is not None
        return example.condition.aligned.numpy().tobytes()

    assert drawn(0, 0, 3) == drawn(0, 0, 3)
    assert len({drawn(*key) for key in [(0, 0, 3), (1, 0, 3), (0, 1, 3), (0, 0, 4)]}) == 4


def test_the_network_is_shown_noisy_windows_where_they_are_known_and_nothing_else(carried: Carried):
    example = DeviceWindows(carried, "train", config(), CPU).batches(256)(0)
    aligned, known = example.condition.aligned, example.known
    assert aligned is not None and known is not None
    assert aligned.shape == (256, 17, 12)
    torch.testing.assert_close(aligned[:, 16:], known, rtol=0, atol=0)
    assert not (aligned[:, :16] * (1 - known)).any()
    error = ((aligned[:, :16] - example.x) * known).square().sum() / (known.sum() * 16)
    assert error.sqrt().item() == pytest.approx(0.1 / 3**0.5, rel=0.1)  # levels are uniform up to .1


def test_masks_are_distributed_as_the_tasks_own(library: Path):
    """With a frame a patch both draw by one rule. Of 20 000 masks a share is known to .0035, a mean of runs to .006."""
    count, frames = 20_000, 48
    plain = config(frames=frames, patch_frames=1, nothing_share=0.5)
    held = Library(library)
    single = carry(held, fitted(held, 1, 16))
    random = torch.Generator().manual_seed(0)
    device = DeviceWindows(single, "train", plain, CPU)._masks(random, count)[:, 0].numpy()
    rng, task = np.random.default_rng(0), Music(plain, single.components)
    own = np.stack([task._draw(rng) for _ in range(count)])
    np.testing.assert_allclose(device.mean(0), own.mean(0), atol=0.02)
    assert (device.max(1) == 0).mean() == pytest.approx((own.max(1) == 0).mean(), abs=0.02)
    for known in (device, own):
        assert set(np.unique(known)) == {0, 1}
    ends = [[(m[:, 0] == a) & (m[:, -1] == b) for m in (device, own)] for a in (0, 1) for b in (0, 1)]
    for one, other in ends:
        assert one.mean() == pytest.approx(other.mean(), abs=0.02)
    edges = [np.abs(np.diff(m, axis=1)).sum(1) for m in (device, own)]
    np.testing.assert_allclose(
        np.bincount(edges[0].astype(int), minlength=7) / count, np.bincount(edges[1].astype(int), minlength=7) / count,
        atol=0.02,
    )  # fmt: skip
    totals = [np.sort(m.sum(1)) for m in (device, own)]
    np.testing.assert_allclose(totals[0].mean(), totals[1].mean(), atol=0.5)


def test_nothing_is_given_of_windows_to_measure_with_and_they_are_spread_evenly(carried: Carried):
    windows = DeviceWindows(carried, "heldout", config(), CPU)
    example = windows.evenly(3)
    rows = carried.codes * carried.steps
    starts = carried.starts("heldout", 12)
    for x, start in zip(example.x.numpy(), starts[[0, (len(starts) - 1) // 2, -1]], strict=True):
        np.testing.assert_array_equal(x, rows[start : start + 12].T)
    assert example.condition.aligned is not None and not example.condition.aligned.any()
    assert example.known is not None and not example.known.any()


def test_a_task_without_context_is_shown_none(carried: Carried):
    windows = DeviceWindows(carried, "train", config(context=False), CPU)
    for example in (windows.batches(4)(0), windows.evenly(4)):
        assert example.condition.aligned is None
        assert example.known is None


def test_a_split_without_a_window_is_refused(carried: Carried):
    with pytest.raises(InputError, match="the heldout split has no track of 24 patches"):
        DeviceWindows(carried, "heldout", config(frames=96), CPU)
