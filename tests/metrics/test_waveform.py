"""Distances of waveforms against answers known in closed form."""

import math

import numpy as np
import pytest

from halfstep.audio.mel import MelConfig
from halfstep.metrics.waveform import (
    PARALLEL_WAVEGAN,
    Resolution,
    log_spectral_distance,
    loudness_matched,
    mel_l1,
    multi_resolution_stft_distance,
    pitch_of_tone,
)

RATE = 44100
NOISE = (0.1 * np.random.default_rng(0).standard_normal((2, 20000))).astype(np.float32)
SHAPES = [NOISE[0], NOISE]
DISTANCES = [multi_resolution_stft_distance, log_spectral_distance, mel_l1]


def tone(hz: float, seconds: float = 1.0, rate: int = RATE) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("signal", [*SHAPES, np.zeros(5000, np.float32), NOISE[0, :7]], ids=["1", "2", "0", "short"])
def test_nothing_is_at_no_distance_from_itself(distance, signal):
    assert distance(signal, signal) == 0


@pytest.mark.parametrize("signal", SHAPES, ids=["mono", "stereo"])
@pytest.mark.parametrize("gain", [0.5, 0.9, 2.0])
def test_a_gain_is_known_in_every_measure(signal, gain: float):
    louder = np.float32(gain) * signal
    expected = abs(gain - 1) + abs(math.log(gain))
    assert multi_resolution_stft_distance(louder, signal) == pytest.approx(expected, rel=1e-3)
    assert log_spectral_distance(louder, signal) == pytest.approx(20 * abs(math.log10(gain)), rel=1e-3)
    assert mel_l1(louder, signal) == pytest.approx(abs(math.log(gain)), rel=1e-3)


def test_the_three_resolutions_are_those_of_the_paper():
    """Table 1: FFT, hop and window of 1024/120/600, 2048/240/1200, 512/50/240."""
    assert {(r.n_fft, r.hop, r.window) for r in PARALLEL_WAVEGAN} == {
        (1024, 120, 600), (2048, 240, 1200), (512, 50, 240)
    }  # fmt: skip


def test_a_resolution_is_an_stft_written_out():
    """One frame after another by hand, on its centred, zero-padded window and the mirrored signal."""
    a, b = NOISE[:, :700].astype(np.float64)
    window = np.zeros(512)
    window[136:376] = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(240) / 240)

    def spectrogram(signal: np.ndarray) -> np.ndarray:
        long = np.concatenate([signal[256:0:-1], signal, signal[-2:-258:-1]])
        starts = range(0, 701, 50)
        return np.stack([np.maximum(np.abs(np.fft.rfft(long[at : at + 512] * window)), 1e-4) for at in starts])

    x, y = spectrogram(a), spectrogram(b)
    expected = np.linalg.norm(x - y) / np.linalg.norm(y) + np.abs(np.log(x) - np.log(y)).mean()
    only = (Resolution(n_fft=512, hop=50, window=240),)
    assert multi_resolution_stft_distance(a, b, only) == pytest.approx(expected, rel=1e-5)


def test_silence_against_sound_is_bounded_by_the_clamp():
    """Convergence is 1 to a thousandth, and no log exceeds that of the loudest line over 1e-4."""
    silent = np.zeros_like(NOISE[0])
    distance = multi_resolution_stft_distance(silent, NOISE[0])
    assert 1 + math.log(0.1 / 1e-4) < distance < 1.001 + math.log(1200 * np.abs(NOISE).max() / 1e-4)
    assert np.isfinite(log_spectral_distance(silent, NOISE[0]))
    assert mel_l1(silent, NOISE[0]) > 5


def test_worse_as_noise_grows():
    for distance in DISTANCES:
        result = [distance(NOISE[0] + np.float32(level) * NOISE[1], NOISE[0]) for level in (0.01, 0.1, 1.0)]
        assert result[0] < result[1] < result[2], distance.__name__


def test_another_mel_can_be_asked_for():
    coarse = MelConfig(sample_rate=8000, n_fft=256, hop_length=64, n_mels=8)
    assert mel_l1(2 * NOISE, NOISE, coarse) == pytest.approx(math.log(2), rel=1e-4)


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("shapes", [((5,), (6,)), ((2, 5), (1, 5)), ((0,), (0,)), ((1, 1, 5), (1, 1, 5))])
def test_other_shapes_are_refused(distance, shapes):
    with pytest.raises(ValueError, match=r"shapes .* was expected"):
        distance(*(np.zeros(shape, np.float32) for shape in shapes))


@pytest.mark.parametrize("rate", [None, RATE])
@pytest.mark.parametrize("gain", [0.25, 3.0])
def test_matching_undoes_a_gain(rate: int | None, gain: float):
    sound = np.stack([tone(440), tone(660)])
    np.testing.assert_allclose(loudness_matched(np.float32(gain) * sound, sound, rate), sound, atol=1e-5)
    assert loudness_matched(sound, sound, rate).dtype == np.float32


def test_loudness_hears_what_rms_does_not():
    """BS.1770's high-pass (38 Hz, Q .5) leaves 1 / 4.6 of 20 Hz, its shelf adds .6 dB at 1 kHz: five times in all."""
    low, high = tone(20), tone(1000)
    assert np.abs(loudness_matched(low, high)).max() == pytest.approx(0.3, rel=1e-2)
    assert np.abs(loudness_matched(low, high, RATE)).max() == pytest.approx(5 * 0.3, rel=0.03)


@pytest.mark.parametrize("rate", [None, RATE])
def test_silence_stays_silent(rate: int | None):
    sound, silence = tone(440), np.zeros(RATE, np.float32)
    assert not loudness_matched(silence, sound, rate).any()
    np.testing.assert_array_equal(loudness_matched(sound, silence, rate), sound)


@pytest.mark.parametrize("hz", [220, 440, 880])
@pytest.mark.parametrize("cents", [-50, -10, 0, 3, 50])
@pytest.mark.parametrize("rate", [22050, 44100])
def test_a_detuned_tone_is_off_by_its_cents_and_does_not_flutter(hz: float, cents: float, rate: int):
    pitch = pitch_of_tone(tone(hz * 2 ** (cents / 1200), rate=rate), rate, hz)
    assert pitch.cents == pytest.approx(abs(cents), abs=0.05)
    assert pitch.flutter_cents < 0.05


@pytest.mark.parametrize("hz", [220, 880])
def test_harmonics_and_channels_do_not_matter(hz: float):
    rich = tone(hz) + 0.5 * tone(2 * hz) + 0.3 * tone(3 * hz)
    pitch = pitch_of_tone(np.stack([rich, 0.5 * rich]), RATE, hz)
    assert pitch.cents < 0.1
    assert pitch.flutter_cents < 0.1


def test_a_vibrato_is_flutter_of_its_own_deviation():
    """4 Hz and 20 cents deep: slower than the window, so its deviation is 20 / sqrt 2, a little smoothed."""
    t = np.arange(4 * RATE) / RATE
    cents = 20 * np.sin(2 * np.pi * 4 * t)
    wavering = np.sin(2 * np.pi * np.cumsum(440 * 2 ** (cents / 1200)) / RATE)
    assert pitch_of_tone(wavering, RATE, 440).flutter_cents == pytest.approx(20 / math.sqrt(2), rel=0.05)


@pytest.mark.parametrize("samples", [np.zeros(RATE), tone(440)[:2000]], ids=["silent", "short"])
def test_no_tone_has_no_pitch(samples):
    with pytest.raises(ValueError, match="expected"):
        pitch_of_tone(samples, RATE, 440)
