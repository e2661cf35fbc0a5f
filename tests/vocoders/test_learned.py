import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import halfstep
from halfstep.audio.bass_grid import bass_bins
from halfstep.audio.mel import MelConfig, filterbank, log_mel
from halfstep.audio.stft import hann
from halfstep.bundle import (
    Manifest,
    OnnxVocoder,
    VocoderFiles,
    installed,
    open_folder,
    read_manifest,
    verify,
    verify_vocoder,
    write_manifest,
    write_vocoder_card,
)
from halfstep.bundle.session import OnnxNetwork
from halfstep.errors import InputError
from halfstep.learned_vocoder.networks import VocoderNet
from halfstep.learned_vocoder.to_onnx import BASS, PRIOR, REFINER, add_vocoder, input_ranges, write_bass, write_vocoder
from halfstep.learned_vocoder.trunk import VocoderNetConfig
from halfstep.runs.export_model import carried_vocoder
from halfstep.runs.presets import PRESETS
from halfstep.vocoders.learned import LEAD_IN_FRAMES, LearnedVocoder

SMALL = MelConfig(sample_rate=16000, n_fft=512, hop_length=128, n_mels=32)
LONG = MelConfig(
    sample_rate=16000, n_fft=2048, window_length=1024, hop_length=128, n_mels=48, fmin_hz=30, spacing="log"
)  # fmt: skip
"""Bands whose window is twice as long as the frames that are sounded, which are those of SMALL."""
NET = VocoderNetConfig(width=16, prior_ahead=(1, 1, 0), refiner_ahead=(1, 0), local_width=4)
CARD = VocoderFiles(prior=PRIOR, refiner=REFINER, licence="MIT", trained_on=())


def stirred(net: VocoderNet, by: float = 0.05) -> VocoderNet:
    """Every weight moved: layers that begin at zero would hide what stands before them."""
    torch.manual_seed(1)
    with torch.no_grad():
        for weight in net.parameters():
            weight += by * torch.randn_like(weight)
    return net.eval()


@pytest.fixture(scope="module")
def net() -> VocoderNet:
    torch.manual_seed(0)
    return stirred(VocoderNet(SMALL, NET))


@dataclass
class Written:
    """Networks as files, and those they were written of."""

    net: VocoderNet
    prior: OnnxNetwork
    refiner: OnnxNetwork
    bass: OnnxNetwork

    def __call__(self, with_bass: bool = True) -> OnnxVocoder:
        return OnnxVocoder(self.prior, self.refiner, self.mel, self.bass if with_bass else None)

    @property
    def mel(self) -> MelConfig:
        return self.net.mel

    def vocoder(self, seed: int = 0, **sizes: int) -> LearnedVocoder:
        return LearnedVocoder(self(), self.mel, seed, **sizes)


@pytest.fixture(scope="module", params=["float", "bytes", "long window"])
def networks(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Written:
    folder = tmp_path_factory.mktemp("vocoder")
    torch.manual_seed(0)
    net = stirred(VocoderNet(LONG if request.param == "long window" else SMALL, NET))
    ranges = input_ranges(net, torch.from_numpy(melody())[None]) if request.param == "bytes" else None
    write_vocoder(net, folder, ranges=ranges)
    write_bass(net, folder)
    return Written(net, *(OnnxNetwork((folder / name).read_bytes(), name, 1) for name in (PRIOR, REFINER, BASS)))


def melody(mel: MelConfig = SMALL, seconds: float = 1.2) -> np.ndarray:
    """Log-mel of two tones one after the other, each with an overtone above the bass, and a little noise."""
    t = np.arange(round(seconds * SMALL.sample_rate)) / SMALL.sample_rate
    phase = 2 * np.pi * np.where(t < seconds / 2, 440.0, 660.0) * t
    noise = 1e-3 * np.random.default_rng(0).standard_normal(len(t))
    return log_mel((0.3 * np.sin(phase) + 0.2 * np.sin(6 * phase) + noise).astype(np.float32), mel)


def treble(samples: np.ndarray) -> np.ndarray:
    """What lies above the bass, [n], faded at both ends."""
    spectrum = np.fft.rfft(samples * np.hanning(len(samples)))
    spectrum[: bass_bins(SMALL) * len(samples) // SMALL.n_fft] = 0
    return np.fft.irfft(spectrum, len(samples))


def played(vocoder: LearnedVocoder, mel: np.ndarray, cuts: Sequence[int] = ()) -> np.ndarray:
    edges = [0, *sorted(min(cut, mel.shape[1]) for cut in cuts), mel.shape[1]]
    return np.concatenate([*(vocoder.push(mel[:, a:b]) for a, b in itertools.pairwise(edges)), vocoder.finish()])


@settings(max_examples=15, deadline=None)
@given(cuts=st.lists(st.integers(0, 150), max_size=6))
def test_samples_are_the_same_however_the_mel_is_cut(networks, cuts):
    mel = melody(networks.mel)
    whole = played(networks.vocoder(seed=3), mel)
    assert len(whole) == mel.shape[1] * SMALL.hop_length
    np.testing.assert_array_equal(played(networks.vocoder(seed=3), mel, cuts), whole)


@pytest.mark.parametrize("networks", ["float", "long window"], indirect=True)
def test_onnx_in_blocks_is_torch_on_the_whole_but_for_its_ends(networks):
    """Above the bass. What rounding does to a peak's frequency adds up: phases part by some 1e-3 within a second."""
    mel = melody(networks.mel)
    start = np.random.default_rng(3).uniform(0, 2 * np.pi, SMALL.bins).astype(np.float32)
    silence = np.full((networks.mel.n_mels, LEAD_IN_FRAMES), np.log(networks.mel.floor), np.float32)
    lead_in = silence[:, : 0 if networks.mel == SMALL else LEAD_IN_FRAMES]
    frames = torch.from_numpy(np.concatenate([lead_in, mel], axis=1))[None]
    with torch.no_grad():
        whole = networks.net(frames, torch.from_numpy(start)[None])[0][0].numpy()
    whole = whole[lead_in.shape[1] * SMALL.hop_length :]
    vocoder = networks.vocoder(seed=3)
    streamed = played(vocoder, mel)[: len(whole)]
    # Before the first frame training hears the clip's edge, a stream silence; the end waits for what comes.
    inside = slice(24 * SMALL.hop_length, -vocoder.frames_ahead * SMALL.hop_length)
    streamed, whole = (treble(samples[inside]) for samples in (streamed, whole))
    assert np.abs(whole).max() > 0.05
    np.testing.assert_allclose(streamed, whole, atol=1e-3)


def test_products_of_bytes_are_nearly_those_of_floats(net, tmp_path: Path):
    """Of 8 bits on one side and 7 on the other, in every product: within 2 % of the spectra's norm."""
    mel = np.ascontiguousarray(melody().T)
    planned = np.random.default_rng(0).standard_normal((2, len(mel), SMALL.bins)).astype(np.float32)
    result = []
    for ranges in (None, input_ranges(net, torch.from_numpy(melody())[None])):
        write_vocoder(net, tmp_path, ranges=ranges)
        prior, refiner = (OnnxNetwork((tmp_path / name).read_bytes(), name, 1) for name in (PRIOR, REFINER))
        networks = OnnxVocoder(prior, refiner, SMALL)
        magnitude, hidden = networks.prior(mel)
        result.append(networks.refiner(hidden, magnitude, planned, planned))
    assert 0 < np.linalg.norm(result[1] - result[0]) < 0.02 * np.linalg.norm(result[0])
    assert b"MatMulInteger" in (tmp_path / REFINER).read_bytes()


def test_networks_called_block_by_block_answer_as_in_one_call(networks):
    mel = np.ascontiguousarray(melody(networks.mel).T)
    whole, blocks = networks(), networks()
    parts = [blocks.prior(mel[at : at + 32]) for at in range(0, len(mel), 32)]
    for one, many in zip(whole.prior(mel), zip(*parts, strict=True), strict=True):
        np.testing.assert_allclose(np.concatenate(many), one, atol=1e-5)

    rng = np.random.default_rng(0)
    magnitude, hidden = networks().prior(mel)
    planned, consistent = rng.standard_normal((2, 2, *magnitude.shape)).astype(np.float32)
    once = networks().refiner(hidden, magnitude, planned, consistent)
    pieces = [
        blocks.refiner(hidden[at], magnitude[at], planned[:, at], consistent[:, at])
        for at in (slice(first, first + 32) for first in range(0, len(magnitude), 32))
    ]
    np.testing.assert_allclose(np.concatenate(pieces, axis=1), once, atol=1e-5)


@pytest.mark.parametrize("block_frames", [1, 128])
def test_what_comes_later_than_the_look_ahead_changes_nothing(networks, block_frames):
    mel = melody(networks.mel)
    other = mel.copy()
    vocoder = networks.vocoder()
    assert vocoder.frames_ahead * 512 / 44100 < 0.1
    place = 80
    other[:, place:] = -3.0
    same = (place - vocoder.frames_ahead) * SMALL.hop_length
    one, two = (played(networks.vocoder(block_frames=block_frames), m) for m in (mel, other))
    np.testing.assert_allclose(one[:same], two[:same], atol=1e-5)
    soon = slice(same, same + 4 * SMALL.hop_length)  # the windows are all but 0 where they begin
    assert np.abs(one[soon] - two[soon]).max() > 2e-5


def test_samples_come_as_soon_as_they_are_settled(networks):
    """In blocks of one frame nothing waits for more than `frames_ahead` frames after its own, the bass included."""
    vocoder, given = networks.vocoder(block_frames=1), 0
    for count, frame in enumerate(melody(networks.mel).T[:40], start=1):
        given += len(vocoder.push(frame[:, None]))
        assert given >= (count - vocoder.frames_ahead) * SMALL.hop_length


def test_the_bass_is_what_is_found_and_without_it_the_refiners(networks):
    mel = melody(networks.mel)
    with_bass = played(networks.vocoder(), mel)
    deaf = networks(with_bass=False)
    assert deaf.bass_bins == 0
    without = played(LearnedVocoder(deaf, networks.mel), mel)
    np.testing.assert_allclose(treble(with_bass), treble(without), atol=1e-3)
    assert np.abs(with_bass - without).max() > 1e-2


@pytest.mark.parametrize("frames", [0, 1, 31, 32, 33, 64])
def test_every_frame_gives_a_hop_of_finite_samples(networks, frames):
    samples = played(networks.vocoder(), melody(networks.mel)[:, :frames])
    assert len(samples) == frames * SMALL.hop_length
    assert np.isfinite(samples).all()


@pytest.mark.parametrize("networks", ["long window"], indirect=True)
def test_before_the_first_frame_was_silence(networks):
    """Frames of silence before the music change nothing but when it begins, its phases apart."""
    mel = melody(networks.mel)
    silence = np.full((networks.mel.n_mels, 24), np.log(networks.mel.floor), np.float32)
    early = played(networks.vocoder(), mel)
    late = played(networks.vocoder(), np.concatenate([silence, mel], axis=1))[24 * SMALL.hop_length :]
    first, again = (np.abs(samples[: 8 * SMALL.hop_length]).max() for samples in (early, late))
    assert first == pytest.approx(again, rel=0.3)


def test_silence_is_noise_at_the_floor_and_nonsense_gives_finite_sound(networks):
    """A mel says no less than its floor. Noise with this magnitude in every bin has an RMS of the magnitude over the
    window's norm, -93 dBFS here, and peaks four to five times as high: weights that are chance give just that.
    """
    mel = networks.mel
    floor = np.full((mel.n_mels, 60), np.log(mel.floor), np.float32)
    magnitude = mel.floor / filterbank(mel).sum(axis=1)
    level = np.sqrt(np.square(magnitude).mean()) / np.linalg.norm(hann(mel.window))
    silence = played(networks.vocoder(), floor)
    np.testing.assert_allclose(np.sqrt(np.square(silence).mean()), level, rtol=0.2)
    assert np.abs(silence).max() < 6 * level
    wild = floor.copy()
    wild[:, ::2] = 1e4
    assert np.isfinite(played(networks.vocoder(), wild)).all()


@pytest.mark.parametrize("frames", [1, 7, 40, 100])
def test_a_loop_closes_it_does_not_matter_where_it_begins(networks, frames):
    mel = melody(networks.mel)[:, :frames]
    period = networks.vocoder(seed=1).loop(mel)
    assert len(period) == frames * SMALL.hop_length
    twice = np.concatenate([period, period])
    steps = np.abs(np.diff(twice))
    wrap = steps[len(period) - 1]
    assert wrap <= np.sort(steps)[-max(1, len(steps) // 100)] * 1.5 + 1e-4


def test_a_second_piece_does_not_hear_the_first(networks):
    vocoder = networks.vocoder(seed=1)
    played(vocoder, melody(networks.mel))
    silence = np.full((networks.mel.n_mels, 60), np.log(networks.mel.floor), np.float32)
    assert np.abs(played(vocoder, silence)).max() < 1e-3  # the melody is 300 times as loud


def test_a_model_folder_carries_its_vocoder(tmp_path: Path, write_model, tiny_manifest: Manifest):
    folder = write_model(tmp_path / "model")
    plain = halfstep.load(folder).generate(0.5)
    add_vocoder(stirred(VocoderNet(tiny_manifest.mel, NET)), folder, CARD, weights="int8")
    assert verify(folder) == []
    assert read_manifest(folder).vocoder == replace(CARD, bass=BASS)
    sound = halfstep.load(folder).generate(0.5)
    assert sound.samples.shape == plain.samples.shape
    assert not np.array_equal(sound.samples, plain.samples)
    np.testing.assert_array_equal(halfstep.load(folder).generate(0.5).samples, sound.samples)


def test_what_is_exported_carries_the_installed_vocoder_of_its_mel(
    tmp_path: Path, write_model, tiny_manifest: Manifest, monkeypatch: pytest.MonkeyPatch
):
    folder = write_model(tmp_path / "installed" / "model")
    add_vocoder(VocoderNet(tiny_manifest.mel, NET), folder, CARD)
    monkeypatch.setenv("HALFSTEP_MODELS", str(tmp_path / "installed"))
    out = tmp_path / "out"
    out.mkdir()
    assert carried_vocoder(out, tiny_manifest.mel) == replace(CARD, bass=BASS)
    assert all((out / name).read_bytes() == (folder / name).read_bytes() for name in (PRIOR, REFINER, BASS))
    assert carried_vocoder(out, SMALL) is None
    (folder / PRIOR).write_bytes((folder / PRIOR).read_bytes()[::-1])
    with pytest.raises(InputError, match="its sha256 is not the one in model.json"):
        carried_vocoder(out, tiny_manifest.mel)


def test_a_bass_that_comes_later_than_the_rest_is_refused(net, tmp_path: Path):
    write_vocoder(net, tmp_path)
    late = replace(NET, prior_ahead=(2, 1, 0))  # a frame more than the networks beside it
    write_bass(VocoderNet(SMALL, late), tmp_path)
    prior, refiner, bass = (OnnxNetwork((tmp_path / name).read_bytes(), name, 1) for name in (PRIOR, REFINER, BASS))
    with pytest.raises(InputError, match="bass is up to 7 frames late, its other networks 6; export"):
        OnnxVocoder(prior, refiner, SMALL, bass)


def test_networks_that_do_not_fit_are_refused(tmp_path: Path, write_model, tiny_manifest: Manifest):
    folder = write_model(tmp_path / "model")
    with pytest.raises(InputError, match=r"its mel is .*, the vocoder's"):
        add_vocoder(VocoderNet(SMALL, NET), folder, CARD)
    write_vocoder(VocoderNet(SMALL, NET), folder)
    write_manifest(folder, replace(tiny_manifest, vocoder=CARD))
    with pytest.raises(InputError, match=r"vocoder-prior.onnx: its inputs are .*\[1, any, 32\].* implies"):
        open_folder(folder).vocoder()
    assert any("vocoder-prior.onnx" in problem for problem in verify(folder))


def test_a_vocoder_in_a_folder_of_its_own_is_carried_too_and_checked(
    tmp_path: Path, tiny_manifest: Manifest, monkeypatch: pytest.MonkeyPatch
):
    net, folder, out = VocoderNet(tiny_manifest.mel, NET), tmp_path / "installed" / "own", tmp_path / "out"
    for made in (folder, out):
        made.mkdir(parents=True)
    write_vocoder(net, folder)
    write_vocoder_card(folder, tiny_manifest.mel, replace(CARD, bass=write_bass(net, folder)))
    monkeypatch.setenv("HALFSTEP_MODELS", str(tmp_path / "installed"))
    assert verify_vocoder(folder) == []
    assert carried_vocoder(out, tiny_manifest.mel) == replace(CARD, bass=BASS)
    assert all((out / name).read_bytes() == (folder / name).read_bytes() for name in (PRIOR, REFINER, BASS))
    (folder / PRIOR).write_bytes((folder / PRIOR).read_bytes()[::-1])
    changed = "its sha256 is not the one in vocoder.json"
    with pytest.raises(InputError, match=changed):
        carried_vocoder(out, tiny_manifest.mel)
    assert changed in verify_vocoder(folder)[0]
    (folder / PRIOR).unlink()
    with pytest.raises(InputError, match=f"{PRIOR}: missing"):
        carried_vocoder(out, tiny_manifest.mel)


def test_the_package_has_a_vocoder_for_the_usual_bands_without_a_model(tmp_path: Path):
    mel = PRESETS["base"]().mel
    assert all(manifest.mel.mid != mel for manifest in installed())
    vocoder = carried_vocoder(tmp_path, mel)
    assert vocoder is not None
    assert {path.name for path in tmp_path.iterdir()} == set(vocoder.files)
