import numpy as np
import pytest
import torch

from halfstep.audio.mel import MelConfig, log_mel
from halfstep.learned_vocoder.device_clips import DeviceClips, DeviceClipsConfig

MEL = MelConfig(
    sample_rate=16000, n_fft=2048, window_length=1024, hop_length=128, n_mels=48, fmin_hz=30, spacing="log"
)  # fmt: skip
PLAIN = DeviceClipsConfig(gain_db=(0, 0), tones=0, smoothed=0, rounded=0)
FRAMES = 16


def tracks() -> list[np.ndarray]:
    """Three tracks of noise, each at a level of its own."""
    rng = np.random.default_rng(0)
    return [(level * rng.standard_normal(16000)).astype(np.int16) for level in (30, 300, 3000)]


def clips(config: DeviceClipsConfig = PLAIN, seed: int = 0) -> DeviceClips:
    return DeviceClips(tracks(), MEL, FRAMES, torch.device("cpu"), seed, config)


def test_a_clips_bands_are_those_of_its_place_in_the_recording():
    made = clips()
    clip = made.at([1000])
    whole = tracks()[0].astype(np.float32) / 32768
    begin = 1000 + made.margin * MEL.hop_length
    np.testing.assert_array_equal(clip.sound[0].numpy(), whole[begin : begin + FRAMES * MEL.hop_length])
    around = whole[begin - 8 * MEL.hop_length : begin + (FRAMES + 8) * MEL.hop_length]
    np.testing.assert_allclose(clip.bands[0].numpy(), log_mel(around, MEL)[:, 8 : 8 + FRAMES], atol=1e-3)


def test_no_drawn_clip_reaches_from_one_track_into_another():
    sounds = torch.cat([clips(seed=seed).draw(32).sound for seed in range(3)])
    halves = sounds.unflatten(1, (2, -1)).std(dim=2)
    assert (halves[:, 0] / halves[:, 1]).log().abs().max() < 0.3  # tracks are a factor of 10 apart
    assert halves[:, 0].log10().round().unique().numel() == 3


def test_clips_follow_from_the_seed():
    one, two, other = (clips(DeviceClipsConfig(), seed).draw(8) for seed in (4, 4, 5))
    torch.testing.assert_close(one.bands, two.bands, rtol=0, atol=0)
    assert not torch.equal(one.bands, other.bands)


def test_a_batch_follows_from_its_number_alone():
    one, two = clips(DeviceClipsConfig(), 4).batches(4), clips(DeviceClipsConfig(), 4).batches(4)
    first, second = one(0), one(1)
    two(5)
    for number, wanted in ((1, second), (0, first)):
        again = two(number)
        torch.testing.assert_close(again.x, wanted.x, rtol=0, atol=0)
        torch.testing.assert_close(again.condition.aligned, wanted.condition.aligned, rtol=0, atol=0)
    assert not torch.equal(first.x, second.x)
    assert first.x.shape == (4, FRAMES * MEL.hop_length)


def test_all_components_give_bands_back_and_few_do_not():
    every = MEL.n_mels * 3
    bands = clips().at([500, 20000]).bands[:, :, :15]
    missed = []
    for kept in (every, 4):
        made = clips(DeviceClipsConfig(smoothed=0, rounded=1, least=kept, most=kept, shrunk=0))
        whole = made.components._replace(spread=torch.zeros(1))  # no noise
        made.components = whole
        missed.append((made.spoilt(bands) - bands).abs().mean().item())
    assert missed[0] < 1e-3
    assert missed[1] > 0.1


def test_smoothed_bands_move_less_and_their_sound_is_the_true_one():
    plain = clips().draw(16)
    smooth = clips(DeviceClipsConfig(gain_db=(0, 0), tones=0, smoothed=1, rounded=0, noise=0)).draw(16)
    assert smooth.bands.diff(dim=2).abs().mean() < 0.9 * plain.bands.diff(dim=2).abs().mean()
    again = clips().draw(16)
    torch.testing.assert_close(plain.sound, again.sound, rtol=0, atol=0)


def test_tones_are_within_full_scale_and_periodic():
    tones = clips().tones(40)
    peaks = tones.abs().amax(dim=1)
    assert peaks.max() <= 1
    assert peaks.min() > 0.003
    # A harmonic tone's energy lies in at most eight lines, each a few bins of a Hann window wide.
    power = torch.fft.rfft(tones * torch.hann_window(tones.shape[1])).abs().square()
    loudest = power.topk(8 * 7, dim=1).values.sum(1) / power.sum(1)
    assert loudest.median() > 0.9


def test_tracks_that_are_all_too_short_are_refused():
    with pytest.raises(ValueError, match="no track is longer than"):
        DeviceClips([np.zeros(100, np.int16)], MEL, FRAMES, torch.device("cpu"), 0, PLAIN)
