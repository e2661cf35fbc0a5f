import numpy as np
import pytest
import torch

from halfstep.audio.bass import as_complex, with_bass
from halfstep.audio.bass_grid import bass_bins
from halfstep.audio.grids import synthesis_grid
from halfstep.audio.mel import MelConfig, filterbank, log_mel
from halfstep.audio.steady import steady_tones
from halfstep.audio.stft import OverlapStream
from halfstep.bundle.session import OnnxNetwork
from halfstep.learned_vocoder.bass_net import BLOCK, BassNet, bass_net
from halfstep.learned_vocoder.networks import VocoderNet
from halfstep.learned_vocoder.to_onnx import BASS, write_bass
from halfstep.learned_vocoder.trunk import VocoderNetConfig
from halfstep.metrics.waveform import multi_resolution_stft_distance, pitch_of_tone

MEL = MelConfig()
LONG = MelConfig(n_fft=8192, window_length=4096, n_mels=192, fmin_hz=30, spacing="log")
SMALL = MelConfig(sample_rate=16000, n_fft=512, hop_length=128, n_mels=32)


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


def faint(net: BassNet) -> tuple[torch.Tensor, torch.Tensor]:
    """The state before the first frame."""
    (kept, parts), lines = net.state_shapes
    turns = np.random.default_rng(1).uniform(0, 2 * np.pi, (kept, parts // 2))
    frames = 1e-6 * np.concatenate([np.cos(turns), np.sin(turns)], axis=1)
    return torch.from_numpy(frames.astype(np.float32)), torch.full(lines, 1e-5)


def streamed(net: BassNet, mel: np.ndarray) -> np.ndarray:
    """log-mel [n_mels, frames] -> spectra [frames - ahead, b]; frames are whole blocks."""
    frames, targets, parts = *faint(net), []
    with torch.no_grad():
        for block in torch.from_numpy(np.ascontiguousarray(mel.T)).split(net.block):
            spectra, frames, targets = net(block, frames, targets)
            parts.append(spectra.numpy())
    return as_complex(np.concatenate(parts)[net.ahead :])


def whole_blocks(mel: np.ndarray) -> np.ndarray:
    return mel[:, : mel.shape[1] - mel.shape[1] % BLOCK]


def test_what_is_found_has_the_mel_and_is_nearer_to_the_recording_than_steady_tones():
    sound = chords(MEL, 3.0)
    mel = whole_blocks(log_mel(sound, MEL))
    filters = filterbank(MEL)
    levels = np.exp(mel.T) / filters.sum(axis=1)
    magnitude = (levels @ (filters / np.maximum(filters.sum(axis=0), 1e-9))).astype(np.float32)
    tones = steady_tones(magnitude, np.random.default_rng(1).uniform(0, 6, MEL.bins).astype(np.float32), MEL)
    frames = streamed(BassNet(MEL, 3), mel)
    length = len(frames) * MEL.hop_length - MEL.n_fft
    misses, distances = [], []
    for bass in (tones[: len(frames), : bass_bins(MEL)], frames):
        again = OverlapStream(MEL).add(with_bass(tones[: len(frames)].copy(), bass, MEL))[MEL.lead :][:length]
        bands = slice(0, 20)  # of 128: up to 600 Hz
        one = np.exp(log_mel(again, MEL))[bands, 4:-4]
        misses.append(np.abs(one - np.exp(mel)[bands, 4 : 4 + one.shape[1]]).sum() / one.sum())
        distances.append(multi_resolution_stft_distance(again, sound[:length]))
    assert misses[1] < 0.5 * misses[0]
    assert distances[1] < 0.93 * distances[0]


@pytest.mark.parametrize("ahead", [1, 3])
def test_a_block_hears_as_far_ahead_as_is_said_and_no_more(ahead):
    mel = whole_blocks(log_mel(chords(SMALL, 0.6), SMALL))
    net = BassNet(SMALL, ahead)
    before = streamed(net, mel)
    mel = mel.copy()
    mel[:, 40:] = -2.0
    after = streamed(net, mel)
    first = 40 - ahead
    np.testing.assert_array_equal(after[:first], before[:first])
    assert np.abs(after[first : first + BLOCK] - before[first : first + BLOCK]).max() > 1e-3


def test_silence_stays_silent_and_a_low_tone_keeps_its_pitch():
    net = BassNet(SMALL, 3)
    silent = streamed(net, np.full((SMALL.n_mels, 60), np.log(SMALL.floor), np.float32))
    assert np.abs(silent).max() < 1e-3  # of 128 for a sine at full scale
    tone = np.sin(2 * np.pi * 220 * np.arange(32000) / 16000).astype(np.float32)
    frames = streamed(net, whole_blocks(log_mel(tone, SMALL)))[40:200, 7]  # 219 Hz
    expected = np.exp(2j * np.pi * 220 * SMALL.hop_length / 16000)
    off_hz = np.angle(frames[1:] / frames[:-1] / expected) / (2 * np.pi) * 16000 / SMALL.hop_length
    assert abs(1200 * np.log2(1 + np.mean(off_hz) / 220)) < 10
    assert np.std(np.abs(frames)) < 0.02 * np.mean(np.abs(frames))


@pytest.mark.parametrize("hertz", [110.0, 311.1, 587.3, 880.0])
def test_bands_of_a_long_window_hold_a_low_tones_pitch_within_a_cent(hertz):
    tone = np.sin(2 * np.pi * hertz * np.arange(66150) / LONG.sample_rate).astype(np.float32)
    frames = streamed(BassNet(LONG, 5), whole_blocks(log_mel(tone, LONG)))
    assert frames.shape[1] == bass_bins(LONG) == 64
    grid = synthesis_grid(LONG)
    spectra = with_bass(np.zeros((len(frames), grid.bins), np.complex64), frames, LONG)
    pitch = pitch_of_tone(OverlapStream(grid).add(spectra)[22050:-11025], LONG.sample_rate, hertz)
    assert pitch.cents < 1
    assert pitch.flutter_cents < 1.5


@pytest.mark.parametrize("mel", [SMALL, LONG])
def test_in_onnx_it_is_the_same(tmp_path, mel):
    net = VocoderNet(mel, VocoderNetConfig(width=16, local_width=4))
    assert write_bass(net, tmp_path) == BASS
    bass = bass_net(net)
    assert bass is not None
    network = OnnxNetwork((tmp_path / BASS).read_bytes(), BASS, 1)
    frames, targets = faint(bass)
    block = torch.from_numpy(np.random.default_rng(0).normal(-3, 1, (bass.block, mel.n_mels)).astype(np.float32))
    inputs = {"log_mel": block.numpy(), "frames": frames.numpy(), "targets": targets.numpy()}
    answers = network(inputs, ["spectra", "frames_after", "targets_after"])
    with torch.no_grad():
        for one, two in zip(answers, bass(block, frames, targets), strict=True):
            np.testing.assert_allclose(one, two.numpy(), atol=1e-3 * np.abs(one).max())


def test_networks_that_hear_no_block_ahead_or_no_bass_have_none(tmp_path):
    deaf = VocoderNetConfig(width=16, prior_ahead=(0,), refiner_ahead=(1, 0), local_width=4)
    halved = MelConfig(sample_rate=16000, n_fft=256, hop_length=128, n_mels=32)
    assert bass_net(VocoderNet(halved, deaf)) is None
    assert (
        write_bass(VocoderNet(MelConfig(sample_rate=2000, n_fft=256, hop_length=64, n_mels=16), deaf), tmp_path) is None
    )
    assert not (tmp_path / BASS).exists()


@pytest.mark.parametrize("hop_length", [64, 256])
def test_frames_may_overlap_more_or_less(hop_length):
    mel = MelConfig(sample_rate=16000, n_fft=512, hop_length=hop_length, n_mels=32)
    sound = chords(mel, 0.5)
    net = BassNet(mel, 1)
    frames = streamed(net, whole_blocks(log_mel(sound, mel)))
    said = np.abs(frames) @ net._grid.filters
    targets = np.exp(log_mel(sound, mel).T[: len(said)]) @ net._grid.targets
    assert np.abs(said - targets)[4:].mean() < 0.1 * targets.mean()


def test_of_what_a_mel_does_not_hear_nothing_is_found():
    mel = MelConfig(sample_rate=16000, n_fft=512, hop_length=128, n_mels=32, fmin_hz=4000)
    frames = streamed(BassNet(mel, 3), np.zeros((32, 40), np.float32))
    assert np.abs(frames).max() < 1e-3
