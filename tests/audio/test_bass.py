import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from halfstep.audio.bass import Bass, bass_bins, bass_share, retrieve, retrieve_round, with_bass
from halfstep.audio.mel import MelConfig, filterbank, log_mel
from halfstep.audio.overlap import Overlap
from halfstep.audio.steady import steady_tones
from halfstep.metrics.waveform import multi_resolution_stft_distance

MEL = MelConfig()
SMALL = MelConfig(sample_rate=16000, n_fft=512, hop_length=128, n_mels=32)
INDIVISIBLE = MelConfig(sample_rate=2000, n_fft=256, hop_length=64, n_mels=16)


def chords(mel: MelConfig, seconds: float) -> np.ndarray:
    """Plucked low notes, two at a time, a new pair each third of a second; all of it below 600 Hz."""
    rng = np.random.default_rng(0)
    t = np.arange(round(seconds * mel.sample_rate)) / mel.sample_rate
    sound = np.zeros(len(t))
    for began in np.arange(0, seconds, 1 / 3):
        for hertz in rng.uniform(60, 180, 2):
            since = np.maximum(t - began, 0)
            for order in (1, 2, 3):
                sound += (t > began) * np.exp(-4 * since) * np.sin(2 * np.pi * order * hertz * since) / order
    return (0.2 * sound).astype(np.float32)


def planned(mel: MelConfig, magnitude: np.ndarray) -> np.ndarray:
    phases = np.random.default_rng(1).uniform(0, 2 * np.pi, mel.bins).astype(np.float32)
    return steady_tones(magnitude, phases, mel)


def magnitudes(mel: MelConfig, sound: np.ndarray) -> np.ndarray:
    """From the mel alone: what each bin's bands say. [frames, bins]"""
    filters = filterbank(mel)
    levels = np.exp(log_mel(sound, mel)) / filters.sum(axis=1, keepdims=True)
    return (levels.T @ (filters / np.maximum(filters.sum(axis=0), 1e-9))).astype(np.float32)


def sounded(mel: MelConfig, spectra: np.ndarray, bass: np.ndarray, length: int) -> np.ndarray:
    return Overlap(mel).add(with_bass(spectra.copy(), bass, mel))[mel.lead :][:length]


def test_what_is_found_has_the_mel_and_is_nearer_to_the_recording_than_steady_tones():
    sound = chords(MEL, 3.0)
    mel, magnitude = np.exp(log_mel(sound, MEL).T), magnitudes(MEL, sound)
    low, tones = slice(0, bass_bins(MEL)), planned(MEL, magnitude)
    found = retrieve(tones[:, low], magnitude[:, low], mel, 0, MEL)
    length = len(sound) - 4 * MEL.hop_length
    misses, distances = [], []
    for bass in (tones[:, low], found):
        again = sounded(MEL, tones, bass, length)
        bands = slice(0, 20)  # of 128: up to 600 Hz
        one = np.exp(log_mel(again, MEL))[bands, 4:-4]
        misses.append(np.abs(one - mel.T[bands, 4 : 4 + one.shape[1]]).sum() / one.sum())
        distances.append(multi_resolution_stft_distance(again, sound[:length]))
    assert misses[1] < 0.5 * misses[0]
    assert distances[1] < 0.93 * distances[0]


def test_frames_given_out_stay_as_they_are():
    sound = chords(SMALL, 1.0)
    magnitude, low = magnitudes(SMALL, sound), slice(0, bass_bins(SMALL))
    tones = planned(SMALL, magnitude)[:, low]
    before = tones.copy()
    found = retrieve(tones, magnitude[:, low], np.exp(log_mel(sound, SMALL).T), 6, SMALL)
    np.testing.assert_array_equal(tones, before)
    np.testing.assert_array_equal(found[:6], before[:6])
    assert np.abs(found[6:] - before[6:]).max() > 0.1


@pytest.mark.parametrize("frames", [3, 40])
def test_on_a_circle_it_does_not_matter_where_one_begins(frames):
    rng = np.random.default_rng(0)
    low = bass_bins(SMALL)
    mel = (rng.uniform(0.5, 1, (frames, SMALL.n_mels)) * 1e-2).astype(np.float32)
    magnitude = rng.uniform(0.5, 1, (frames, low)).astype(np.float32)
    tones = (magnitude * np.exp(1j * rng.uniform(0, 6, (frames, low)))).astype(np.complex64)
    found = retrieve_round(tones, magnitude, mel, SMALL)
    tones, magnitude, mel = (np.roll(part, 2, axis=0) for part in (tones, magnitude, mel))
    turned = retrieve_round(tones, magnitude, mel, SMALL)
    np.testing.assert_allclose(turned, np.roll(found, 2, axis=0), atol=1e-2 * np.abs(found).max())


def in_blocks(magnitude: np.ndarray, mel: np.ndarray, cuts: Sequence[int]) -> list[np.ndarray]:
    bass = Bass(SMALL, 4, np.random.default_rng(0))
    edges = [0, *sorted(min(cut, len(mel)) for cut in cuts), len(mel)]
    return [bass.push(magnitude[a:b], mel[a:b]) for a, b in itertools.pairwise(edges)]


@given(cuts=st.lists(st.integers(0, 80), max_size=5))
def test_a_stream_answers_for_every_frame_but_those_ahead(cuts):
    sound = chords(SMALL, 0.6)
    mel = log_mel(sound, SMALL).T
    found = np.concatenate(in_blocks(magnitudes(SMALL, sound), mel, cuts))
    assert found.shape == (len(mel) - 4, bass_bins(SMALL))
    assert np.isfinite(found).all()


def test_a_block_hears_four_frames_beyond_its_own_and_no_more():
    sound = chords(SMALL, 0.6)
    mel, magnitude = log_mel(sound, SMALL).T.copy(), magnitudes(SMALL, sound)
    blocks = list(range(10, len(mel), 10))
    before = np.concatenate(in_blocks(magnitude, mel, blocks))
    mel[40:] = -2.0
    after = np.concatenate(in_blocks(magnitude, mel, blocks))
    np.testing.assert_array_equal(after[:36], before[:36])
    assert np.abs(after[36:40] - before[36:40]).max() > 1e-3


def test_silence_stays_silent():
    mel = np.full((60, SMALL.n_mels), np.log(SMALL.floor), np.float32)
    (found,) = in_blocks(np.zeros((60, SMALL.bins), np.float32), mel, [])
    assert np.abs(found).max() < 0.1  # of 128 for a sine at full scale: -62 dB a bin, and far less in a sample


def test_a_rate_that_can_not_be_divided_has_no_bass():
    assert bass_bins(INDIVISIBLE) == 0
    assert bass_share(INDIVISIBLE).max() == 0
    bass = Bass(INDIVISIBLE, 4, np.random.default_rng(0))
    found = bass.push(np.ones((9, INDIVISIBLE.bins), np.float32), np.zeros((9, 16), np.float32))
    assert found.shape == (5, 0)
    spectra = np.ones((5, INDIVISIBLE.bins), np.complex64)
    np.testing.assert_array_equal(with_bass(spectra.copy(), found, INDIVISIBLE), spectra)


def test_a_mel_that_begins_above_the_bass_leaves_it_at_its_magnitudes():
    mel = MelConfig(sample_rate=16000, n_fft=512, hop_length=128, n_mels=32, fmin_hz=4000)
    bass = Bass(mel, 4, np.random.default_rng(0))
    found = bass.push(np.ones((20, mel.bins), np.float32), np.zeros((20, 32), np.float32))
    np.testing.assert_allclose(np.abs(found), 1, atol=1e-3)


def test_the_bass_fades_into_what_is_above():
    share = bass_share(MEL)
    assert bass_bins(MEL) == 65
    assert share[:57].min() == 1
    assert share[61:].max() == 0
    assert (np.diff(share) <= 0).all()
    spectra, bass = np.ones((2, MEL.bins), np.complex64), np.full((2, 65), 3, np.complex64)
    np.testing.assert_allclose(with_bass(spectra, bass, MEL), np.tile(1 + 2 * share, (2, 1)))
