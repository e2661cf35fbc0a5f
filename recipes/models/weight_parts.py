"""Weights in files small enough to travel: written by gpu_trip.py, read by bring_back.py."""

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from halfstep.atomic import replacing
from halfstep.errors import InputError

LARGEST_FILE = 15_000_000
SCALE = "#scale"
"""What the name of a row's scales ends with, after the name of their matrix."""
LEVELS = 127


def save_in_parts(network: nn.Module, stem: Path, half: bool = False) -> None:
    """Weights as STEM.0.safetensors, STEM.1..., none above LARGEST_FILE, each whole or absent: matrices in half
    precision, or in bytes with a scale for every row; all else in float32.
    """
    parts: list[dict[str, Tensor]] = [{}]
    room = LARGEST_FILE
    for name, tensor in network.state_dict().items():
        for part_of, kept in _packed(name, tensor.detach().float().cpu(), half).items():
            if kept.nbytes > room and parts[-1]:
                parts.append({})
                room = LARGEST_FILE
            parts[-1][part_of] = kept
            room -= kept.nbytes
    for number, part in enumerate(parts):
        with replacing(stem.with_name(f"{stem.name}.{number}.safetensors")) as partial:
            save_file(part, partial)


def whole(folder: Path, stem: str) -> dict[str, Tensor]:
    """The weights of STEM.0.safetensors, STEM.1... together, in float32. InputError if there are none."""
    parts = sorted(folder.glob(f"{stem}.*.safetensors"))
    if not parts:
        raise InputError(f"{folder}: no {stem}.0.safetensors; name the folder that gpu_trip.py wrote to")
    kept = {name: tensor.float() for part in parts for name, tensor in load_file(part).items()}
    for name in [name for name in kept if name.endswith(SCALE)]:
        matrix = name.removesuffix(SCALE)
        kept[matrix] *= _rows(kept.pop(name), kept[matrix])
    return kept


def _packed(name: str, tensor: Tensor, half: bool) -> dict[str, Tensor]:
    if tensor.dim() < 2:
        return {name: tensor.contiguous()}
    if half:
        return {name: tensor.to(torch.float16).contiguous()}
    scale = tensor.flatten(1).abs().amax(1).clamp(min=1e-12) / LEVELS
    return {name: (tensor / _rows(scale, tensor)).round().to(torch.int8).contiguous(), name + SCALE: scale}


def _rows(scale: Tensor, matrix: Tensor) -> Tensor:
    """[rows] shaped to broadcast against a matrix of any dimensions."""
    return scale.view(-1, *[1] * (matrix.dim() - 1))
