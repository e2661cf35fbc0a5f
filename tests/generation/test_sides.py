"""What stands beside new sound: its level, its width, its offset; and new sound that has them too."""

import math
from dataclasses import replace

import numpy as np
import pytest

from halfstep.audio.downmix import mix_weights
from halfstep.audio.mel import MelConfig
from halfstep.bundle import Manifest
from halfstep.generation.sides import (
    Placer,
    Placing,
    band_widths_hz,
    gain_to_model,
    matched,
    matched_between,
    plain,
    side_of,
)
from halfstep.generation.takes import Form

RATE = 8000


def music(seed: int, count: int = 24000) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (0.1 * rng.standard_normal(count)).astype(np.float32)


def placed(samples: np.ndarray, manifest: Manifest, mono: np.ndarray, rate: int = RATE) -> np.ndarray:
    """What `mono`, at the model's level, becomes beside a recording [channels, n]."""
    form = Form(sample_rate=rate, channels=len(samples))
    side = side_of(samples, form, manifest)
    power = float(np.mean(side.context**2))
    loud = (mono * math.sqrt(power / np.mean(mono**2))).astype(np.float32)
    return np.concatenate(list(Placer(manifest.mel, form, side.placing).placed([loud[None]])), axis=1)


@pytest.mark.parametrize("decibels", [0, -20, -40, -60, 12])
def test_the_model_is_given_the_same_whatever_the_level(tiny_manifest: Manifest, decibels: float):
    """And what it makes comes back at that level."""
    factor = np.float32(10 ** (decibels / 20))
    form = Form(sample_rate=RATE, channels=1)
    usual, other = (side_of(part[None], form, tiny_manifest) for part in (music(0), music(0) * factor))
    np.testing.assert_allclose(other.context, usual.context, rtol=2e-3, atol=2e-3)
    level = np.std(placed(music(0)[None] * factor, tiny_manifest, music(1)))
    assert level == pytest.approx(np.std(music(0)) * factor, rel=0.01)


def test_what_it_is_given_is_at_the_level_of_its_training_music(tiny_manifest: Manifest):
    """Of sound with just the model's mean bands the gain is none."""
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(80000).astype(np.float32)
    gain = gain_to_model(noise, tiny_manifest)
    assert gain_to_model(noise * np.float32(math.exp(gain)), tiny_manifest) == pytest.approx(0, abs=1e-3)
    quieter = replace(tiny_manifest, band_mean=tuple(mean - 1 for mean in tiny_manifest.band_mean))
    assert gain_to_model(noise, quieter) == pytest.approx(gain - 1, abs=1e-3)


def test_silence_has_no_level(tiny_manifest: Manifest):
    side = side_of(np.zeros((2, 8000), np.float32), Form(sample_rate=RATE, channels=2), tiny_manifest)
    assert side.placing.gain == 0
    np.testing.assert_array_equal(side.placing.shared, [1, 1])
    assert not side.placing.apart.any()


def test_bands_count_by_their_width():
    """Bands spaced evenly in log(1 + f / 150 Hz) are as wide as their distance from -150 Hz says."""
    mel = MelConfig(n_fft=8192, window_length=4096, n_mels=192, spacing="log", fmin_hz=30)
    widths = band_widths_hz(mel)
    edges = 180 * np.exp(np.linspace(0, math.log((22050 + 150) / 180), 194)) - 150
    np.testing.assert_allclose(widths, edges[2:] - edges[:-2], rtol=1e-6)


LEFT, RIGHT, MIDDLE = music(2), music(3), music(4)
IMAGES = {
    "mono twice": [MIDDLE, MIDDLE],
    "to the left": [MIDDLE, 0.3 * MIDDLE],
    "out of phase": [MIDDLE, -MIDDLE],
    "nearly out of phase": [MIDDLE, -0.99 * MIDDLE],
    "wide": [LEFT, RIGHT],
    "wide, the left louder": [LEFT, 0.5 * RIGHT],
    "usual": [MIDDLE + 0.5 * LEFT, MIDDLE + 0.5 * RIGHT],
    "one silent": [MIDDLE, 0 * MIDDLE],
    "surround": [LEFT, RIGHT, MIDDLE, 0.1 * MIDDLE, 0.5 * LEFT + 0.2 * music(5), 0.5 * music(6)],
}


@pytest.mark.parametrize("image", IMAGES)
def test_new_sound_has_the_recordings_levels_and_width(tiny_manifest: Manifest, image: str):
    """Power of each channel within 1 dB, correlation of any two within .12."""
    samples = np.stack(IMAGES[image]).astype(np.float32)
    new = placed(samples, tiny_manifest, music(9, 40000))[:, 4000:]
    powers = [np.mean(part.astype(np.float64) ** 2, axis=1) for part in (samples, new)]
    assert 10 * np.log10((powers[1] + 1e-9) / (powers[0] + 1e-9)) == pytest.approx(0, abs=1)
    loud = powers[0] > 1e-6
    wanted, result = (np.corrcoef(part[loud]) for part in (samples, new))
    np.testing.assert_allclose(result, wanted, atol=0.12)


@pytest.mark.parametrize("image", IMAGES)
def test_only_what_is_wide_has_voices(tiny_manifest: Manifest, image: str):
    samples = np.stack(IMAGES[image]).astype(np.float32)
    apart = side_of(samples, Form(sample_rate=RATE, channels=len(samples)), tiny_manifest).placing.apart
    assert apart.any() == image.startswith(("wide", "usual", "surround"))


def test_the_mix_of_what_is_new_is_the_one_channel_it_was_made_of(tiny_manifest: Manifest):
    samples = np.stack(IMAGES["usual"]).astype(np.float32)
    mono = music(9)
    mixed = mix_weights(2) @ placed(samples, tiny_manifest, mono)
    assert np.corrcoef(mixed, mono)[0, 1] == pytest.approx(1, abs=1e-3)


def test_a_constant_level_is_not_heard_and_comes_back(tiny_manifest: Manifest):
    samples = np.stack([MIDDLE, MIDDLE])
    offset = np.array([[0.2], [-0.1]], np.float32)
    form = Form(sample_rate=RATE, channels=2)
    np.testing.assert_allclose(
        side_of(samples + offset, form, tiny_manifest).context, side_of(samples, form, tiny_manifest).context, atol=1e-2
    )
    new = placed(samples + offset, tiny_manifest, music(9, 40000))
    assert new.mean(axis=1) == pytest.approx(offset[:, 0], abs=0.01)


def test_from_one_side_to_the_other_the_level_goes_evenly_in_decibels(tiny_manifest: Manifest):
    form = Form(sample_rate=RATE, channels=1)
    loud, soft = (side_of(MIDDLE[None] * np.float32(level), form, tiny_manifest) for level in (1, 0.01))
    placer = Placer(tiny_manifest.mel, form, loud.placing, soft.placing, 1000, 3001)
    steady = np.ones((1, 4000), np.float32)
    result = 20 * np.log10(np.concatenate(list(placer.placed([steady])), axis=1)[0])
    assert result[:1001] == pytest.approx(result[0], abs=1e-3)
    assert result[3001:] == pytest.approx(result[0] - 40, abs=0.1)
    np.testing.assert_allclose(np.diff(result[1000:3001]), -40 / 2001, rtol=0.01)


def test_from_one_side_to_the_other_channels_and_offset_go_evenly(tiny_manifest: Manifest):
    before = Placing(np.array([1.0, 0.0]), np.zeros((2, 2)), np.array([0.25, 0.0]), 0.0)
    after = Placing(np.array([0.0, 2.0]), np.zeros((2, 2)), np.array([0.0, -0.5]), 0.0)
    placer = Placer(tiny_manifest.mel, Form(sample_rate=RATE, channels=2), before, after, 1000, 3000)
    out = np.concatenate(list(placer.placed([np.ones((1, 4000), np.float32)])), axis=1)
    share = np.clip((np.arange(4000) - 1000) / 2000, 0, 1)
    np.testing.assert_allclose(out, [1.25 * (1 - share), 1.5 * share], atol=1e-6)


def test_a_side_that_is_wide_has_voices_though_the_other_has_none(tiny_manifest: Manifest):
    narrow = Placing(np.ones(2), np.zeros((2, 2)), np.zeros(2), 0.0)
    wide = Placing(np.zeros(2), np.eye(2), np.zeros(2), 0.0)
    placer = Placer(tiny_manifest.mel, Form(sample_rate=RATE, channels=2), narrow, wide, 1000, 1001)
    left, right = np.concatenate(list(placer.placed([music(1)[None]])), axis=1)
    np.testing.assert_array_equal(left[:1000], right[:1000])
    assert abs(np.corrcoef(left[2000:], right[2000:])[0, 1]) < 0.1
    assert min(np.std(left[2000:]), np.std(right[2000:])) > 0.05


@pytest.mark.parametrize("rate", [44100, 6000])
def test_at_another_rate_it_is_the_same_sound(tiny_manifest: Manifest, rate: int):
    """A tone of 500 Hz is one of 500 Hz there."""
    tone = np.sin(2 * np.pi * 500 * np.arange(RATE) / RATE).astype(np.float32)
    new = placed(music(1, 3 * rate)[None], tiny_manifest, tone, rate)[0]
    assert len(new) == pytest.approx(rate, abs=2)
    spectrum = np.abs(np.fft.rfft(new * np.hanning(len(new))))
    assert spectrum.argmax() * rate / len(new) == pytest.approx(500, abs=1.5)
    form = Form(sample_rate=rate, channels=1)
    given = side_of(np.sin(2 * np.pi * 500 * np.arange(rate) / rate)[None], form, tiny_manifest).context[0]
    assert len(given) == pytest.approx(RATE, abs=2)
    assert np.abs(np.fft.rfft(given * np.hanning(len(given)))).argmax() == pytest.approx(500, abs=1.5)


PLAIN = Placing(np.ones(1), np.zeros((1, 1)), np.zeros(1), 0.25)
NEPERS_A_DB = math.log(10) / 20


@pytest.mark.parametrize(("times", "wanted_db"), [(1.0, 0.0), (0.5, -6.02), (3.0, 9.54), (1e3, 12.16), (1e-3, -12.16)])
def test_new_sound_gets_the_power_of_what_stands_beside_it(times: float, wanted_db: float):
    """Up to 12 dB: a model that is off by more made a rest."""
    new = np.random.default_rng(0).standard_normal((2, 8000)).astype(np.float32)
    power = times**2 * float(np.square(new).sum()) / 8000 * math.exp(2 * PLAIN.gain)
    gain = matched(PLAIN, power, new).gain
    assert (gain - 0.25) / NEPERS_A_DB == pytest.approx(wanted_db, abs=0.01)


@pytest.mark.parametrize(("level", "new"), [(0.0, 1.0), (1.0, 0.0), (0.0, 0.0)])
def test_silence_has_no_level_to_be_matched(level: float, new: float):
    sound = np.full((1, 100), new, np.float32)
    either = [matched(PLAIN, level, sound), *matched_between((PLAIN, level), (PLAIN, level), sound, 50)]
    assert [placing.gain for placing in either] == [PLAIN.gain] * 3


@pytest.mark.parametrize("right_db", [0, -6, -40])
@pytest.mark.parametrize("seconds", [0.02, 3, 4, 10])
def test_both_ends_of_a_gap_get_the_power_beside_them(seconds: float, right_db: float):
    """Over 2 s, or half a gap: on an even way from one level to the other, whatever the new sound begins and ends with
    (here it gets 6 dB softer) and whatever gains there were.
    """
    count = round(seconds * RATE)
    share = np.linspace(0, 1, count)
    new = music(0, count) * np.exp(-6 * NEPERS_A_DB * share).astype(np.float32)
    reach = min(2 * RATE, count // 2)
    left = float(np.square(new, dtype=np.float64).mean())
    before, after = replace(PLAIN, gain=0.1), replace(PLAIN, gain=0.3 + right_db * NEPERS_A_DB)
    sides = (before, left), (after, left * 10 ** (right_db / 10))
    first, last = (placing.gain for placing in matched_between(*sides, new[None], 2 * RATE))
    way = new * np.exp(first * (1 - share) + (last - right_db * NEPERS_A_DB) * share)
    result = [np.mean(part**2) for part in (way[:reach], way[-reach:])]
    assert 10 * np.log10(np.divide(result, left)) == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize("image", IMAGES)
def test_how_loud_a_side_is_counts_all_its_channels_where_it_is_asked(tiny_manifest: Manifest, image: str):
    """Of a passage 6 dB softer than the rest: what has that power, placed plain, is as loud as it once it is placed."""
    samples = np.stack(IMAGES[image]).astype(np.float32) + np.float32(0.1)
    samples[:, 12000:] = 0.5 * (samples[:, 12000:] - 0.1) + 0.1
    form = Form(sample_rate=RATE, channels=len(samples))
    side = side_of(samples, form, tiny_manifest)
    tone = 0.1 * np.sin(np.arange(24000, dtype=np.float32))[None]
    sounding = np.concatenate(list(Placer(tiny_manifest.mel, form, plain(side.placing)).placed([tone])), axis=1)
    placing = matched(side.placing, side.power(12000, 24000), sounding)
    new = np.concatenate(list(Placer(tiny_manifest.mel, form, placing).placed([tone])), axis=1)
    powers = [part.astype(np.float64).var(axis=1).sum() for part in (new, samples[:, 12000:])]
    assert 10 * np.log10(powers[0] / powers[1]) == pytest.approx(0, abs=0.1)
