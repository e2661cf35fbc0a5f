"""Frames and overlap-add in torch are those of the playing half."""

import numpy as np
import torch

from halfstep.audio.mel import MagnitudeStream, MelConfig
from halfstep.audio.stft import OverlapStream
from halfstep.learned_vocoder.torch_stft import analysed, overlapped

MEL = MelConfig(sample_rate=16000, n_fft=512, hop_length=128, n_mels=32)


def sounds(batch: int, frames: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).standard_normal((batch, frames * MEL.hop_length)) * 0.1).float()


def test_both_halves_frame_alike():
    sound = sounds(1, 20)
    stream = MagnitudeStream(MEL)
    wanted = np.concatenate([stream.push(sound[0].numpy()), stream.finish()], axis=1)
    np.testing.assert_allclose(analysed(sound, MEL)[0].abs().numpy(), wanted.T, atol=1e-4)


def test_a_signals_own_spectra_give_it_back_in_both_halves():
    sound = sounds(2, 20)
    spectra = analysed(sound, MEL)
    torch.testing.assert_close(overlapped(spectra, MEL)[:, 256:-256], sound[:, 256:-256], rtol=0, atol=1e-5)
    time_major = spectra[0].numpy()
    overlap = OverlapStream(MEL)
    streamed = np.concatenate([overlap.add(part) for part in (time_major[:3], time_major[3:4], time_major[4:])])
    inside = streamed[MEL.lead :]
    np.testing.assert_allclose(inside[256:], sound[0].numpy()[256 : len(inside)], atol=1e-5)
