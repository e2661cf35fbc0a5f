"""The seam measure: calibrated on continuous music, and what it says of known flaws."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halfstep.data.synthetic import piece
from halfstep.metrics import seam
from halfstep.metrics.seam import Joined, SeamScore, SeamTest, hard_cut_control, looped, seam_score, seam_test

RATE = 22050
MUSIC = piece(100, seed=3, sample_rate=RATE)[0]
SEAMS = [int(RATE * (0.9 + 1.6 * i)) for i in range(61)]
"""Always 1.6 s apart, as the windows of a stream are."""


def z_of(samples: np.ndarray, seams: list[int] = SEAMS) -> float:
    return seam_score([Joined(samples, seams)], RATE, np.random.default_rng(0)).z


def cut(fade: int = 0) -> np.ndarray:
    """Pieces of other places at the seams, one faded into the next over `fade` samples."""
    rng = np.random.default_rng(1)
    joined = seam.hard_cuts(Joined(MUSIC, SEAMS), rng)
    if fade == 0:
        return joined
    rise = ((np.arange(fade) + 0.5) / fade).astype(np.float32)
    for start in SEAMS:
        # The old piece goes on below the new one for as long as the fade takes.
        old = np.take(MUSIC, int(rng.integers(len(MUSIC))) + np.arange(fade), mode="wrap")
        joined[start - fade : start] = joined[start - fade : start] * (1 - rise) + old * rise
        joined[start : start + fade] = old * (1 - rise) + joined[start : start + fade] * rise
    return joined


def clicked(size: float) -> np.ndarray:
    samples = MUSIC.copy()
    samples[SEAMS] += np.float32(size)
    return samples


def test_seams_that_are_none_are_calibrated(monkeypatch: pytest.MonkeyPatch):
    """Over 60 combs z is a standard normal to what 60 draws allow, and p is anywhere."""
    rng = np.random.default_rng(0)
    change = seam.changes(MUSIC, RATE)  # once for all
    monkeypatch.setattr(seam, "changes", lambda samples, sample_rate: change)
    scores = []
    for _ in range(60):
        start, step = rng.uniform(0, 1.6), rng.uniform(1.0, 1.6)
        seams = [int(RATE * (start + step * i)) for i in range(1, 60)]
        scores.append(seam_score([Joined(MUSIC, seams)], RATE, rng))
    z, p = np.array([score.z for score in scores]), np.array([score.p for score in scores])
    assert abs(z.mean()) < 0.5 and 0.7 < z.std() < 1.4
    assert p.min() < 0.1 and p.max() > 0.9 and 0.3 < np.median(p) < 0.7


def test_the_harder_the_join_the_higher_its_score():
    hard, quick, slow = z_of(cut()), z_of(cut(fade=256)), z_of(cut(fade=4096))
    assert hard > quick > slow
    assert hard > 4 and quick > 2
    assert z_of(clicked(0.1)) > z_of(clicked(0.02)) > 2
    assert abs(z_of(MUSIC)) < 2


def test_hard_cuts_at_equal_distances_do_not_hide_in_their_own_null():
    """A comb that may meet itself has seams in its null: with a tooth every 18 frames no z above 2."""
    seams = list(range(RATE // 5, len(MUSIC) - RATE // 5, RATE // 5))
    score = hard_cut_control([Joined(MUSIC, seams)], RATE, np.random.default_rng(0))
    assert score.seams > 400
    assert score.z > 8 and score.p == pytest.approx(1 / 501)


@given(st.integers(20, 400), st.data())
@settings(max_examples=40)
def test_offsets_meet_the_fewest_seams(count: int, data: st.DataObject):
    """Against counting them one by one; at least half of all offsets remain, and never the comb itself."""
    places = np.array(data.draw(st.lists(st.integers(0, count - 1), min_size=1, max_size=5)))
    distance = np.abs(places[:, None] - np.arange(count))
    near = np.minimum(distance, count - distance).min(0) <= 4
    meet = np.array([near[(places + offset) % count].sum() for offset in range(count)])
    kept = seam._fair_offsets(places, count)
    assert 2 * len(kept) >= count
    assert meet[kept].max() < max(1, np.delete(meet, kept).min(initial=len(places) + 1))


def test_neither_level_nor_channels_change_the_score():
    music = cut()
    assert z_of(music * np.float32(0.03)) == pytest.approx(z_of(music), abs=1e-3)
    difference = np.random.default_rng(2).standard_normal(len(music)).astype(np.float32)
    stereo = np.stack([music + difference, music - difference])
    assert z_of(stereo) == pytest.approx(z_of(music), rel=0.01)


def test_the_change_of_a_steady_growth_is_its_rate():
    """Noise repeating every hop, its level growing by .05 nepers a hop: every line of every frame grows so."""
    hop = round(512 / 44100 * RATE)
    hops = np.arange(40 * hop) / hop
    noise = np.tile(np.random.default_rng(0).standard_normal(hop), 40)
    change = seam.changes((noise * np.exp(0.05 * hops)).astype(np.float32), RATE)
    assert len(change) == 38
    np.testing.assert_allclose(change, 0.05, atol=0.002)


def test_what_is_far_below_the_music_is_not_heard():
    """A click of -100 dB is no seam, though the bins above the music's highest note are empty."""
    assert abs(z_of(clicked(1e-5)) - z_of(MUSIC)) < 0.3


def test_silence_in_the_music_is_no_outlier():
    samples = MUSIC.copy()
    samples[20 * RATE : 22 * RATE] = 0
    assert abs(z_of(samples)) < 2
    assert z_of(np.zeros(20 * RATE, np.float32), SEAMS[:9]) == pytest.approx(0, abs=1e-3)


def excerpts(count: int, seconds: float = 3.0) -> list[np.ndarray]:
    starts = np.random.default_rng(5).integers(0, len(MUSIC) - int(seconds * RATE), count)
    return [MUSIC[start : start + int(seconds * RATE)] for start in starts]


def test_a_loop_is_rolled_and_nothing_is_lost():
    loop = np.arange(12, dtype=np.float32).reshape(2, 6)
    joined = looped(loop)
    assert joined.seams == [3]
    np.testing.assert_array_equal(joined.samples, np.tile(loop, 3)[:, 9:15])


def test_loops_with_and_without_a_seam():
    """Excerpts jump at the wrap; the same rolled back so that the wrap is a place inside do not."""
    cuts = [looped(excerpt) for excerpt in excerpts(60)]
    smooth = [looped(np.roll(excerpt, len(excerpt) // 2)) for excerpt in excerpts(60)]
    assert seam_score(cuts, RATE, np.random.default_rng(0)).z > 4
    # The true ends stand at the edges of the rolled file, where no frame crosses them.
    score = seam_score(smooth, RATE, np.random.default_rng(0))
    assert abs(score.z) < 2 and score.seams == 60


def test_repeating_a_loop_is_no_more_evidence():
    """One wrap is one place: however bad, it does not reach the z of sixty."""
    one = seam_score([looped(excerpts(1)[0])], RATE, np.random.default_rng(0))
    assert one.seams == 1 and one.z < 6


def test_two_hundred_seams_pass_where_hard_cuts_would_not():
    joined = [Joined(excerpt, [len(excerpt) // 3]) for excerpt in excerpts(200, seconds=1.5)]
    smooth = seam_test(joined, RATE, np.random.default_rng(0))
    assert smooth.has_power and smooth.passes
    few = seam_test(joined[:100], RATE, np.random.default_rng(0))
    assert few.has_power and not few.passes
    cuts = [Joined(seam.hard_cuts(part, np.random.default_rng(i)), part.seams) for i, part in enumerate(joined)]
    assert not seam_test(cuts, RATE, np.random.default_rng(0)).passes


def test_no_power_on_noise():
    """Nobody hears a cut in white noise: the test says so instead of passing."""
    noise = np.random.default_rng(0).standard_normal(40 * RATE).astype(np.float32)
    result = seam_test([Joined(noise, list(range(RATE // 8, 39 * RATE, RATE // 6)))], RATE, np.random.default_rng(1))
    assert result.score.seams > 200
    assert abs(result.score.z) < 4 and not result.has_power and not result.passes


@pytest.mark.parametrize(
    ("z", "control", "seams", "passes"),
    [
        (1.9, 4.1, 200, True),
        (-1.9, 9.0, 999, True),
        (2.1, 9.0, 200, False),
        (-2.1, 9.0, 200, False),
        (0.0, 3.9, 200, False),
        (0.0, 9.0, 199, False),
    ],
)
def test_passing(z: float, control: float, seams: int, passes: bool):
    score, cuts = (SeamScore(z=value, p=0.5, seams=seams, null_mean=0.0, null_std=1.0) for value in (z, control))
    assert SeamTest(score=score, control=cuts).passes == passes


def test_the_seed_decides_and_hardly_matters():
    joined = [Joined(cut(fade=256), SEAMS)]
    first, again, other = (seam_score(joined, RATE, np.random.default_rng(seed)) for seed in (4, 4, 5))
    assert first == again != other
    assert other.z == pytest.approx(first.z, rel=0.15)


def test_cuts_of_a_control_come_from_elsewhere():
    """Each piece is the recording's own, and does not go on where the piece before it ended."""
    ramp = np.arange(8000, dtype=np.float32)
    joined = seam.hard_cuts(Joined(ramp, [1000, 2500, 7000]), np.random.default_rng(0))
    steps = np.diff(joined) % 8000
    assert np.flatnonzero(steps != 1).tolist() == [999, 2499, 6999]
    assert ((steps[[999, 2499, 6999]] >= 1000) & (steps[[999, 2499, 6999]] <= 7001)).all()


@pytest.mark.parametrize("seams", [[0], [5, 100], [-1]])
def test_a_seam_outside_is_refused(seams: list[int]):
    with pytest.raises(ValueError, match="in 100 samples: expected from 1 to 99"):
        Joined(np.zeros(100, np.float32), seams)


def test_no_seams_and_too_short_recordings_are_refused():
    with pytest.raises(ValueError, match="no seams"):
        Joined(np.zeros(100, np.float32), [])
    with pytest.raises(ValueError, match=r"0\.100 s is too short"):
        seam_score([Joined(MUSIC[: RATE // 10], [50])], RATE, np.random.default_rng(0))
