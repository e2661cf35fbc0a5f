"""The canvas: streams continue from themselves, gaps are filled and recordings stay, K calls a window."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halfstep.bundle import Manifest, open_folder
from halfstep.generation.canvas import Canvas, Placement, fading, filled, mel_stream, placements
from halfstep.generation.noise import BOUNDARY, seed_noise
from halfstep.generation.window import Layout, Network, WindowSampler


def take(blocks, count: int) -> np.ndarray:
    return np.concatenate(list(itertools.islice(blocks, count)), axis=1)


def canvas(seed: int, **parts) -> Canvas:
    return Canvas(init_noise=seed_noise(8, seed), boundary_noise=seed_noise(8, seed, BOUNDARY), **parts)


def endless(made: WindowSampler, seed: int):
    return mel_stream(made, Canvas(init_noise=seed_noise(8, seed)))


@pytest.fixture
def manifest(tiny_model: Path) -> Manifest:
    return open_folder(tiny_model).manifest


def sampler(manifest: Manifest, network: Network, steps: int = 4) -> WindowSampler:
    return WindowSampler(network, manifest, steps)


@pytest.mark.parametrize("steps", [1, 4])
def test_steps_are_network_calls(manifest: Manifest, steps: int):
    calls: list[float] = []

    def network(z_t, alpha_t, sigma_t, aligned):
        calls.append(alpha_t**2 + sigma_t**2)
        return z_t

    take(endless(sampler(manifest, network, steps), 0), 3)
    np.testing.assert_allclose(calls, [1.0] * 3 * steps)


def test_each_window_is_shown_what_came_before_but_its_last_frames(manifest: Manifest):
    """Windows of 24 overlap by 12, of which one is the transition: it is not shown, and so rendered again."""
    shown: list[Any] = []
    network: Network = lambda z_t, alpha_t, sigma_t, aligned: (shown.append(aligned), z_t * 0)[1]  # noqa: E731
    size = (made := sampler(manifest, network, steps=1)).layout
    assert (size.overlap, size.crossfade, size.hop) == (12, 1, 12)
    blocks = list(itertools.islice(endless(made, 3), 3))
    assert [block.shape[1] for block in blocks] == [23, 12, 12]
    assert not shown[0].any()
    piece = made.standardised(np.concatenate(blocks, axis=1))
    for index in (1, 2):
        known = manifest.packed.unpack(shown[index][0, :24].reshape(3, 8, 8))
        mask = manifest.packed.unpack(np.repeat(shown[index][0, 24:, None], 8, axis=1))
        np.testing.assert_array_equal(mask, np.broadcast_to(np.arange(24) < 11, (8, 24)))
        np.testing.assert_allclose(known[:, :11], piece[:, 12 * index : 12 * index + 11], atol=1e-5)
        assert not known[:, 11:].any()


def test_windows_share_their_noise_and_a_network_that_minds_nothing_else_leaves_no_trace(manifest: Manifest):
    """x_hat = z at t = 1: every frame is its own noise, whichever window it was made in."""
    made = sampler(manifest, lambda z_t, *_: -z_t, steps=1)
    piece = take(endless(made, 5), 6)
    np.testing.assert_allclose(made.standardised(piece), seed_noise(8, 5)(0, piece.shape[1]), atol=1e-4)


def constant(manifest: Manifest, values: list[float], layout: Layout) -> WindowSampler:
    """A sampler whose windows are these values, each the same throughout, but where they are held."""
    left = iter(values)
    made = sampler(manifest, lambda z_t, *_: np.full_like(z_t, -next(left)), steps=1)  # x_hat = -v at t = 1
    made.layout = layout
    return made


def test_one_window_passes_over_into_the_next_evenly(manifest: Manifest):
    made = constant(manifest, [1, 2, 3], Layout(frames=24, grain=12, overlap=12, crossfade=6))
    (first, second) = (made.standardised(block) for block in itertools.islice(endless(made, 0), 2))
    np.testing.assert_allclose(first, np.ones((8, 18)), atol=1e-5)
    np.testing.assert_allclose(second[3], [*(1 + np.arange(1, 7) / 7), *[2] * 6], atol=1e-5)


def test_a_filled_gap_passes_over_on_both_sides_evenly(manifest: Manifest, monkeypatch: pytest.MonkeyPatch):
    made = constant(manifest, [3], Layout(frames=24, grain=4, overlap=8, crossfade=2))
    monkeypatch.setattr(made, "optimised", lambda noise, *_: noise)
    before, after = (made.log_mel(np.full((8, 8), value, np.float32)) for value in (1, 5))
    whole = made.standardised(filled(made, canvas(0, before=before, frames=6, after=after)))
    np.testing.assert_allclose(whole[3], [*[1] * 6, 5 / 3, 7 / 3, *[3] * 6, 11 / 3, 13 / 3, *[5] * 6], atol=1e-5)


def test_a_window_is_asked_for_what_is_asked_in_its_middle(manifest: Manifest):
    asked: list[float] = []
    made = sampler(manifest, lambda z_t, *_: z_t * 0, steps=1)

    def at(frame: float) -> np.ndarray:
        asked.append(frame)
        return np.zeros(1, np.float32)

    take(mel_stream(made, Canvas(init_noise=seed_noise(8, 0), asked=at)), 3)
    assert asked == [12, 24, 36]


def test_a_model_without_context_goes_on_by_holding_what_is_known(tmp_path: Path, write_model: Callable[..., Path]):
    folder = open_folder(write_model(tmp_path / "m", context=False, packing="snake"))
    made = sampler(folder.manifest, folder.denoiser(4))
    assert take(endless(made, 0), 4).shape == (8, 23 + 3 * 12)


@pytest.mark.parametrize(("given", "first"), [(5, 23 - 4), (2, 23 - 1), (1, 23 - 1), (100, 23 - 11)])
def test_a_context_is_continued_and_only_its_end_rendered_again(
    manifest: Manifest, tiny_model: Path, given: int, first: int
):
    made = sampler(manifest, open_folder(tiny_model).denoiser(4))
    context = np.full((8, given), -4.0, np.float32)
    blocks = mel_stream(made, canvas(0, before=context))
    assert next(blocks).shape == (8, first)
    assert next(blocks).shape == (8, 12)


def test_nothing_is_quieter_than_the_floor(manifest: Manifest):
    blocks = take(endless(sampler(manifest, lambda z_t, *_: z_t * 100), 0), 2)
    assert blocks.min() == np.float32(np.log(manifest.mel.floor))
    assert blocks.dtype == np.float32


def test_noise_fits_a_recording_ever_less_towards_its_end(manifest: Manifest, monkeypatch: pytest.MonkeyPatch):
    """Of 12 known frames 6 are regenerated: nearly all of the first is wanted, next to nothing of the last."""
    made, asked = sampler(manifest, lambda z_t, *_: z_t * 0, steps=1), []
    made.layout = Layout(frames=24, grain=12, overlap=12, crossfade=6)
    monkeypatch.setattr(
        made, "optimised", lambda noise, known, mask, target, begun: (asked.append((mask, target)), noise)[1]
    )
    next(mel_stream(made, canvas(0, before=np.full((8, 12), -4.0, np.float32))))
    ((mask, target),) = asked
    np.testing.assert_array_equal(mask, np.arange(24) < 6)
    np.testing.assert_allclose(target[6:12], np.arange(6, 0, -1) / 7, rtol=1e-6)
    assert not target[:6].any()
    assert not target[12:].any()


LAYOUTS = [Layout(24, 12, 12, 1), Layout(384, 12, 132, 24), Layout(384, 4, 128, 24), Layout(96, 16, 32, 6)]


@given(layout=st.sampled_from(LAYOUTS), before=st.integers(2, 200), gap=st.integers(1, 2000), after=st.integers(2, 200))
def test_windows_fill_any_gap_in_order_and_see_what_is_on_both_sides_of_it(
    layout: Layout, before: int, gap: int, after: int
):
    before = min(before, layout.overlap)
    plan = list(placements(layout, before, gap, after))
    assert plan[0].filled == 0 and -before <= plan[0].start < 0
    assert [place.closing is None for place in plan] == [True] * (len(plan) - 1) + [False]
    for place, following in itertools.pairwise(plan):
        assert place.start <= following.start, "a window that begins before the one it continues"
        assert place.filled < following.filled <= place.start + layout.frames
        assert following.start < following.begin, "a window without context"
    last = plan[-1]
    assert last.closing is not None and last.closing == min(layout.crossfade, after // 2)
    assert last.start + layout.frames > gap + last.closing - (last.closing == layout.crossfade)
    assert last.start <= last.begin <= gap
    if len(plan) > 1:
        assert gap - last.filled >= min(layout.overlap, layout.hop - layout.crossfade - 1), "too little to lead over"


def test_windows_of_a_stream_lie_a_hop_apart():
    plan = list(itertools.islice(placements(Layout(384, 12, 132, 24), 0), 3))
    assert plan == [Placement(0, 0, 0), Placement(252, 384, 24), Placement(504, 636, 24)]
    after_recording = list(itertools.islice(placements(Layout(384, 12, 132, 24), 40), 2))
    assert after_recording == [Placement(-40, 0, 20), Placement(212, 344, 24)]


SOUND = -4 + 0.3 * np.random.default_rng(4).standard_normal((8, 300)).astype(np.float32)


@pytest.fixture(scope="module")
def tiny(tiny_model: Path) -> WindowSampler:
    folder = open_folder(tiny_model)
    return WindowSampler(folder.denoiser(4), folder.manifest, 4)


@given(before=st.integers(2, 12), gap=st.integers(1, 200), after=st.integers(2, 12))
@settings(max_examples=60)
def test_any_gap_is_filled_between_recordings_that_stay(tiny: WindowSampler, before: int, gap: int, after: int):
    left, right = SOUND[:, :before], SOUND[:, -after:]
    whole = filled(tiny, canvas(1, before=left, frames=gap, after=right))
    assert whole.shape == (8, before + gap + after)
    np.testing.assert_allclose(whole[:, : before - 1], left[:, :-1], atol=1e-5)
    np.testing.assert_allclose(whole[:, before + gap + 1 :], right[:, 1:], atol=1e-5)
    made = tiny.standardised(whole[:, before : before + gap])
    assert (np.abs(made).max(axis=0) > 1e-3).all(), "a frame that nobody made"


@pytest.mark.parametrize("gap", range(30, 60))
def test_what_comes_after_a_gap_is_the_recording_wherever_windows_end(manifest: Manifest, gap: int):
    """With a crossfade of 6 some window before the last ends inside it; the recording beyond stays what it is."""
    made = sampler(manifest, lambda z_t, *_: z_t * 0, steps=1)
    made.layout = Layout(frames=24, grain=4, overlap=8, crossfade=6)
    left, right = SOUND[:, :8], SOUND[:, -8:]
    whole = filled(made, canvas(1, before=left, frames=gap, after=right))
    np.testing.assert_allclose(whole[:, -4:], right[:, -4:], atol=1e-5)


@pytest.mark.parametrize(("after", "known"), [(12, 8), (4, 3)])
def test_the_window_that_closes_sees_both_sides(manifest: Manifest, after: int, known: int):
    """And of a recording that ends before the window does no frame more than it has."""
    masks: list[np.ndarray] = []

    def network(z_t, alpha_t, sigma_t, aligned):
        masks.append(manifest.packed.unpack(np.repeat(aligned[0, 24:, None], 8, axis=1))[0])
        return z_t

    filled(sampler(manifest, network, 1), canvas(0, before=SOUND[:, :12], frames=6, after=SOUND[:, -after:]))
    np.testing.assert_array_equal(masks[-1], [1] * 8 + [0] * 8 + [1] * known + [0] * (8 - known))


def test_noise_fits_what_follows_a_gap_ever_more(manifest: Manifest, monkeypatch: pytest.MonkeyPatch):
    """The other way round than before it: little of its first frame is wanted, nearly all of its sixth."""
    made, targets = sampler(manifest, lambda z_t, *_: z_t * 0, steps=1), []
    made.layout = Layout(frames=24, grain=4, overlap=8, crossfade=6)
    monkeypatch.setattr(made, "optimised", lambda noise, known, mask, target, begun: (targets.append(target), noise)[1])
    filled(made, canvas(0, frames=10, after=SOUND[:, :12]))
    np.testing.assert_allclose(targets[-1][10:16], np.arange(1, 7) / 7, rtol=1e-6)


def test_noise_before_a_piece_is_the_boundarys_where_something_is_recorded():
    init, boundary = seed_noise(8, 0), seed_noise(8, 0, BOUNDARY)
    recorded, free = canvas(0), Canvas(init_noise=init)
    np.testing.assert_array_equal(recorded.noise(-3, 4), np.concatenate([boundary(0, 3), init(0, 4)], axis=1))
    for made in (recorded, free):
        np.testing.assert_array_equal(made.noise(0, 4), init(0, 4))


@pytest.mark.parametrize("frames", [1, 2, 24])
def test_fading_goes_evenly_from_near_one_to_near_zero(frames: int):
    np.testing.assert_allclose(fading(frames), np.arange(frames, 0, -1) / (frames + 1), rtol=1e-6)
