"""The music task: which frames are known how often, and that the network is shown exactly those."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from halfstep.diffusion.forms import x_from_v
from halfstep.diffusion.rates import Rates, cosine_rates
from halfstep.packing import PACKINGS
from halfstep.tasks.inpainting import KINDS, Draw, beginning, both_ends, end, nothing, random_spans
from halfstep.tasks.music.task import Music, MusicConfig
from halfstep.training.example import Example

FRAMES = 48
CLIPS = np.random.default_rng(0).standard_normal((64, 6, FRAMES), dtype=np.float32)


def music(packing: str = "patch", **changes) -> Music:
    return Music(MusicConfig(n_mels=6, frames=FRAMES, packing=packing, **changes))


def known_frames(task: Music, example: Example) -> np.ndarray:
    """The mask as the network sees it, back in time order: [B, frames]."""
    aligned = example.condition.aligned
    assert aligned is not None
    mask = aligned[:, task.channels :].numpy()  # [B, planes, L]
    packed = np.repeat(mask[:, :, None, :], task.config.n_mels, axis=2).reshape(len(mask), -1, mask.shape[2])
    bands = task.windows(packed)
    assert (bands == bands[:, :1]).all()
    return bands[:, 0]


def runs(mask: np.ndarray) -> list[tuple[int, int]]:
    """(value, length) of each stretch of equal values."""
    edges = np.flatnonzero(np.diff(mask)) + 1
    return [(int(part[0]), len(part)) for part in np.split(mask, edges)]


@given(seed=st.integers(0, 2**32), frames=st.integers(24, 400))
@pytest.mark.parametrize(
    ("draw", "pattern"),
    [(nothing, [[0]]), (beginning, [[1, 0]]), (end, [[0, 1]]), (both_ends, [[1, 0, 1]])],
)
def test_each_kind_is_what_it_says(draw: Draw, pattern: list[list[int]], seed: int, frames: int):
    mask = draw(np.random.default_rng(seed), frames)
    assert mask.shape == (frames,) and mask.dtype == np.float32
    assert [value for value, _ in runs(mask)] in pattern


@given(seed=st.integers(0, 2**32), frames=st.integers(48, 400))
def test_random_spans_are_one_to_three(seed: int, frames: int):
    mask = random_spans(np.random.default_rng(seed), frames)
    assert 1 <= sum(value for value, _ in runs(mask)) <= 3


def test_spans_run_from_a_24th_to_three_quarters():
    rng = np.random.default_rng(0)
    lengths = [int(beginning(rng, 384).sum()) for _ in range(4000)]
    assert (min(lengths), max(lengths)) == (16, 288)


@pytest.mark.parametrize("share", [0.5, 0.8])
def test_nothing_is_known_at_least_half_the_time_and_the_kinds_share_the_rest(share: float):
    """By the look of the masks: (starts known, ends known) tells beginning, end and both ends apart."""
    task = music(nothing_share=share)
    rng = np.random.default_rng(1)
    masks = np.concatenate([known_frames(task, task.example(CLIPS, rng)) for _ in range(60)])
    assert (masks.max(1) == 0).mean() == pytest.approx(share, abs=0.025)
    given = masks[masks.max(1) == 1]
    ends = [tuple(mask[[0, -1]].astype(int)) for mask in given]
    for kind in ((1, 0), (0, 1), (1, 1)):
        assert sum(e == kind for e in ends) / len(given) > 1 / (len(KINDS) + 1)


@pytest.mark.parametrize("packing", PACKINGS)
def test_windows_undo_packing(packing: str):
    task = music(packing)
    x = task.free(CLIPS).x
    assert x.shape == (64, task.channels, FRAMES // task.config.planes)
    np.testing.assert_array_equal(task.windows(x.numpy()), CLIPS)


@pytest.mark.parametrize("packing", PACKINGS)
def test_the_network_is_shown_the_known_frames_and_no_others(packing: str):
    task = music(packing)
    example = task.example(CLIPS, np.random.default_rng(2))
    aligned = example.condition.aligned
    assert aligned is not None and aligned.shape[1] == task.aligned
    mask = known_frames(task, example)
    shown = task.windows(aligned[:, : task.channels].numpy())
    np.testing.assert_array_equal(shown, CLIPS * mask[:, None])
    assert example.known is not None and example.counted is not None
    np.testing.assert_array_equal(task.windows(example.known.numpy()), np.repeat(mask[:, None], 6, axis=1))
    torch.testing.assert_close(example.counted, 1 - example.known)
    assert 0 < mask.mean() < 0.5


def test_nothing_is_shown_in_a_free_example():
    example = music().free(CLIPS)
    assert example.condition.aligned is not None
    assert example.condition.aligned.abs().max() == 0
    assert example.known is not None and example.known.max() == 0


def test_context_noise_is_on_what_is_shown_never_on_what_is_learned():
    task = music(context_noise=0.2)
    example = task.example(CLIPS, np.random.default_rng(3))
    np.testing.assert_array_equal(task.windows(example.x.numpy()), CLIPS)
    assert example.condition.aligned is not None
    shown = task.windows(example.condition.aligned[:, : task.channels].numpy())
    mask = known_frames(task, example)[:, None] * np.ones_like(CLIPS)
    off = np.where(mask == 1, shown - CLIPS, np.nan)[mask.any((1, 2))]
    level = np.sqrt(np.nanmean(off**2, axis=(1, 2)))  # a clip's own, uniform up to .2
    assert level.max() < 0.22
    assert level.mean() == pytest.approx(0.1, abs=0.03)
    assert shown[mask == 0].max() == 0


def test_without_context_there_is_nothing_beside_z_t():
    task = music(context=False)
    example = task.example(CLIPS, np.random.default_rng(4))
    assert task.aligned == 0
    assert example.condition.aligned is None
    assert example.known is None and example.counted is None


def test_what_is_held_lands_on_the_known_frames():
    """Example.hold replaces x_hat by x where known, and leaves the network's own elsewhere."""
    example = music().example(CLIPS, np.random.default_rng(5))
    assert example.known is not None
    z_t, v = torch.randn(example.x.shape), torch.randn(example.x.shape)
    at_t = Rates(*(float(rate) for rate in cosine_rates(0.3)))
    x_hat = x_from_v(example.hold(v, z_t, at_t), z_t, at_t)
    known = example.known.bool()
    torch.testing.assert_close(x_hat[known], example.x[known], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(x_hat[~known], x_from_v(v, z_t, at_t)[~known])


def test_the_same_generator_gives_the_same_example():
    task = music(context_noise=0.2)
    one, two = (task.example(CLIPS, np.random.default_rng(6)).condition.aligned for _ in range(2))
    assert one is not None and two is not None
    assert torch.equal(one, two)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"packing": "zigzag"}, "packing is 'zigzag'"),
        ({"frames": 49}, "frames is 49: a multiple of 3"),
        ({"frames": 21}, "frames is 21: at least 24"),
        ({"nothing_share": 0.49}, "nothing_share is 0.49"),
        ({"nothing_share": 1.1}, "nothing_share is 1.1"),
        ({"context_noise": -0.1}, "context_noise is -0.1"),
    ],
)
def test_settings_out_of_range_are_named(wrong: dict, says: str):
    with pytest.raises(ValueError, match=says):
        MusicConfig(**wrong)


def test_kinds_are_all_used():
    used: set[str] = set()
    task = music(nothing_share=0.5)
    rng = np.random.default_rng(7)
    for mask in (task._draw(rng) for _ in range(400)):
        shape = [value for value, _ in runs(mask)]
        used |= {
            kind.__name__ for kind, of in {beginning: [1, 0], end: [0, 1], both_ends: [1, 0, 1]}.items() if shape == of
        }
        if shape in ([0, 1, 0], [0, 1, 0, 1], [0, 1, 0, 1, 0]):
            used.add(random_spans.__name__)
    assert used == {kind.__name__ for kind in KINDS}
