"""VGGish as a PyTorch network, for weights that come as safetensors under torchvggish's names."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from halfstep.arrays import Float, Float32
from halfstep.errors import InputError
from halfstep.metrics.judges.pieces import SAMPLE_RATE, pieces
from halfstep.metrics.judges.vggish_mel import VGGISH_SAMPLES, vggish_mel

WIDTHS = ((64,), (128,), (256, 256), (512, 512))
DENSE = (4096, 4096, 128)


class VggishNet(nn.Module):
    """[B, 1, 96, 64] -> [B, 128]: VGG's blocks without batch norm, then three dense layers."""

    def __init__(self, widths: tuple[tuple[int, ...], ...] = WIDTHS, dense: tuple[int, ...] = DENSE) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 1
        for block in widths:
            for width in block:
                layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
                channels = width
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        size = channels * (96 >> len(widths)) * (64 >> len(widths))
        sizes = (size, *dense)
        pairs = pairwise(sizes)
        self.embeddings = nn.Sequential(*(layer for a, b in pairs for layer in (nn.Linear(a, b), nn.ReLU())))

    def forward(self, mel: Float[Tensor, "batch 1 frames bands"]) -> Float[Tensor, "batch features"]:
        # TensorFlow's order, in which the dense layers were trained: time, band, channel.
        return self.embeddings(self.features(mel).permute(0, 2, 3, 1).flatten(1))


class TorchVggish:
    """The same interface as OnnxEmbedding."""

    name = "vggish"
    sample_rate = SAMPLE_RATE

    def __init__(self, path: Path) -> None:
        """InputError if `path` is not those weights. Layers may be narrower than VGGish's own: their sizes are read."""
        try:
            tensors = load_file(str(path))
            net = VggishNet(*_sizes(tensors))
            net.load_state_dict(tensors)
        except (SafetensorError, RuntimeError, KeyError, IndexError) as fault:
            raise InputError(f"{path}: not VGGish's weights ({' '.join(str(fault).split())[:150]})") from None
        self._net = net.eval()

    @torch.inference_mode()
    def embed(self, samples: Float32[np.ndarray, "..."]) -> Float32[np.ndarray, "..."]:
        cut = pieces(samples, VGGISH_SAMPLES)
        seen = np.stack([vggish_mel(piece) for piece in cut.reshape(-1, VGGISH_SAMPLES)])
        return self._net(torch.from_numpy(seen)).numpy().reshape(*cut.shape[:2], -1)


def _sizes(tensors: dict[str, Tensor]) -> tuple[tuple[tuple[int, ...], ...], tuple[int, ...]]:
    """The widths of the convolutions, in VGGish's blocks of 1, 1, 2, 2, and of the dense layers."""
    by_place = {
        int(name.split(".")[1]): t.shape[0]
        for name, t in tensors.items()
        if name.startswith("features.") and t.dim() == 4
    }
    widths = [by_place[place] for place in sorted(by_place)]
    dense = {
        int(name.split(".")[1]): t.shape[0]
        for name, t in tensors.items()
        if name.startswith("embeddings.") and t.dim() == 2
    }
    if len(widths) != 6 or not dense:
        raise KeyError("six convolutions and dense layers were expected")
    blocks = ((widths[0],), (widths[1],), tuple(widths[2:4]), tuple(widths[4:6]))
    return blocks, tuple(dense[place] for place in sorted(dense))
