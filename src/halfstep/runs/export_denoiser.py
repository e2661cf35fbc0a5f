"""A denoiser as one ONNX file: (z_t, alpha, sigma, what is given) -> v."""

from pathlib import Path

import torch
from torch import Tensor, nn

from halfstep.arrays import Float
from halfstep.diffusion.rates import Rates
from halfstep.export.onnx_writing import write_onnx
from halfstep.nets.condition import Condition
from halfstep.nets.denoiser import Denoiser
from halfstep.tasks.contract import Task


class _Exported(nn.Module):
    """(z_t, alpha [B], sigma [B], ...) -> v, the interface of the model folder; and the fraction, if it is learned.

    What follows are the `parts` of the condition, in their order. The sizes of v are said at the end: where a network
    divides its channels, the exporter loses sight of them.
    """

    def __init__(self, denoiser: Denoiser, channels: int, length: int, fraction: bool, parts: tuple[str, ...]) -> None:
        super().__init__()
        self.denoiser = denoiser
        self.parts = parts
        self.shape = (-1, channels, length)
        self.fraction = fraction

    def forward(
        self,
        z_t: Float[Tensor, "batch channels length"],
        alpha: Float[Tensor, "batch"],
        sigma: Float[Tensor, "batch"],
        *given: Float[Tensor, "batch ..."],
    ) -> (
        Float[Tensor, "batch channels length"]
        | tuple[Float[Tensor, "batch channels length"], Float[Tensor, "batch channels length"]]
    ):
        at_t = Rates(alpha[:, None, None], sigma[:, None, None])
        made = self.denoiser.predict(z_t, at_t, Condition(**dict(zip(self.parts, given, strict=True))))
        v = made.v.reshape(self.shape)
        if not self.fraction:
            return v
        assert made.fraction is not None, "a fraction of the reverse variance, of a network that learns none"
        return v, made.fraction.reshape(self.shape)


def write_denoiser(
    denoiser: Denoiser, task: Task, path: Path, weights: str = "fp32", fraction: bool = False, pooled: int = 0
) -> None:
    """The denoiser as one self-contained ONNX file that takes any batch. fraction: of the reverse variance as well.
    pooled: features of the vector of what it is asked for.
    """
    # A batch of one: what a network makes as long as its batch, the exporter takes for constant, and 1 fits any.
    inputs = {
        "z_t": torch.zeros(1, task.channels, task.length),
        "alpha": torch.full((1,), 0.6),
        "sigma": torch.full((1,), 0.8),
    }
    if task.aligned:
        inputs["aligned"] = torch.zeros(1, task.aligned, task.length)
    if pooled:
        inputs["pooled"] = torch.zeros(1, pooled)
    outputs = ("v", "fraction") if fraction else ("v",)
    changing = {name: {0: "batch"} for name in (*inputs, *outputs)}
    parts = tuple(name for name in ("aligned", "pooled") if name in inputs)
    module = _Exported(denoiser, task.channels, task.length, fraction, parts)
    write_onnx(module, inputs, outputs, changing, path, weights)
