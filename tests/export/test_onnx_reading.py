from pathlib import Path

import numpy as np
import pytest
import torch

from halfstep.audio.mel import MelConfig
from halfstep.export.onnx_reading import ranges_of, weights_of
from halfstep.learned_vocoder.networks import VocoderNet
from halfstep.learned_vocoder.to_onnx import PRIOR, REFINER, input_ranges, write_vocoder
from halfstep.learned_vocoder.trunk import VocoderNetConfig

MEL = MelConfig(sample_rate=16000, n_fft=512, hop_length=128, n_mels=32)
NET = VocoderNetConfig(width=64, prior_ahead=(1, 1), refiner_ahead=(1, 0), local_width=4)


def random_net(seed: int) -> VocoderNet:
    torch.manual_seed(seed)
    net = VocoderNet(MEL, NET)
    with torch.no_grad():
        for weight in net.parameters():
            weight += 0.1 * torch.randn_like(weight)
    return net.eval()


def test_what_is_read_and_written_again_is_the_same_file(tmp_path: Path):
    net, first, second = random_net(0), tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    mels = torch.from_numpy(np.random.default_rng(0).normal(-4, 1, (1, MEL.n_mels, 60)).astype(np.float32))
    write_vocoder(net, first, "int4", input_ranges(net, mels))

    again, ranges = random_net(1), {}
    for part, name in (("prior", PRIOR), ("refiner", REFINER)):
        network = getattr(again, part)
        shapes = {key: value.shape for key, value in network.named_parameters()}
        network.load_state_dict(weights_of(first / name, shapes), strict=False)
        ranges[part] = ranges_of(first / name)
    write_vocoder(again, second, "int4", ranges)
    for name in (PRIOR, REFINER):
        assert (second / name).read_bytes() == (first / name).read_bytes()


def test_floats_come_back_exactly_and_another_network_is_refused(tmp_path: Path):
    net = random_net(0)
    write_vocoder(net, tmp_path)
    expected = dict(net.prior.named_parameters())
    for name, result in weights_of(tmp_path / PRIOR, {key: value.shape for key, value in expected.items()}).items():
        assert torch.equal(result, expected[name])
    with pytest.raises(ValueError, match="nothing.weight is not in the exported network"):
        weights_of(tmp_path / PRIOR, {"nothing.weight": (3, 3)})
