"""One convolution over time, three ways to compute it: which is fastest depends on the device.

The weights and their names stay as they are, so that a network may change its layout at any time.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class _ChannelsLast(nn.Conv1d):
    """As a convolution of pictures one pixel high, channels innermost: the form that tensor cores take as it is."""

    def forward(self, input: Tensor) -> Tensor:
        pictures = input.unsqueeze(2).contiguous(memory_format=torch.channels_last)
        stride, padding = (1, self.stride[0]), (0, int(self.padding[0]))
        return F.conv2d(pictures, self.weight.unsqueeze(2), self.bias, stride, padding).squeeze(2)


class _Matmul(nn.Conv1d):
    """As one matrix product over a kernel's neighbours, channels innermost."""

    def forward(self, input: Tensor) -> Tensor:
        kernel, stride, padding = self.kernel_size[0], self.stride[0], int(self.padding[0])
        padded = F.pad(input.transpose(1, 2), (0, 0, padding, padding))
        length = (padded.shape[1] - kernel) // stride + 1
        neighbours = [padded[:, k : k + stride * (length - 1) + 1 : stride] for k in range(kernel)]
        weight = self.weight.permute(0, 2, 1).reshape(len(self.weight), -1)
        return F.linear(torch.cat(neighbours, dim=2), weight, self.bias).transpose(1, 2)


LAYOUTS: Mapping[str, type[nn.Conv1d]] = {"plain": nn.Conv1d, "channels-last": _ChannelsLast, "matmul": _Matmul}


def lay_out(network: nn.Module, layout: str) -> None:
    """Compute every convolution over time of `network` as LAYOUTS[layout] does."""
    for module in network.modules():
        if isinstance(module, nn.Conv1d):
            module.__class__ = LAYOUTS[layout]
