"""A trained vocoder's networks, and the search for its bass, as ONNX, and into a model folder."""

import shutil
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from halfstep.arrays import Float
from halfstep.atomic import folder_aside
from halfstep.bundle import Manifest, VocoderFiles, read_manifest, verify, write_manifest
from halfstep.bundle.model_json import FILE_NAME
from halfstep.errors import InputError
from halfstep.export.onnx_writing import Range, write_onnx
from halfstep.learned_vocoder.bass_net import bass_net
from halfstep.learned_vocoder.networks import VocoderNet

PRIOR, REFINER, BASS = "vocoder-prior.onnx", "vocoder-refiner.onnx", "vocoder-bass.onnx"
TRACED_FRAMES = 16
Ranges = Mapping[str, Mapping[str, Range]]
"""prior or refiner -> weight -> the numbers it is multiplied with."""


def input_ranges(net: VocoderNet, log_mel: Float[Tensor, "batch bands frames"]) -> Ranges:
    """What comes into every linear layer of either network while it makes sound of log_mel [B, n_mels, L]."""
    ranges: dict[str, dict[str, Range]] = {"prior": {}, "refiner": {}}

    def noted(part: str, weight: str) -> Callable[[nn.Module, tuple[Tensor]], None]:
        def note(_: nn.Module, inputs: tuple[Tensor]) -> None:
            ranges[part][weight] = (inputs[0].min().item(), inputs[0].max().item())

        return note

    with ExitStack() as hooks, torch.no_grad():
        for part, network in net.named_children():
            for name, module in network.named_modules():
                if isinstance(module, nn.Linear):
                    hooks.callback(module.register_forward_pre_hook(noted(part, f"{name}.weight")).remove)
        net(log_mel, torch.zeros(len(log_mel), net.grid.bins))
    return ranges


def write_vocoder(net: VocoderNet, folder: Path, weights: str = "fp32", ranges: Ranges | None = None) -> None:
    """PRIOR and REFINER in `folder`: a stream of one clip, any number of frames at a call. ranges: products are of
    bytes, as `write_onnx` makes them.
    """
    ranges = ranges or {}
    mel, grid, width = net.mel, net.grid, net.config.width

    def part(*shape: int) -> Tensor:
        return torch.zeros(1, *shape)

    inputs = {
        "log_mel": part(TRACED_FRAMES, mel.n_mels),
        "mels": part(net.prior.delay, mel.n_mels),
        "state": part(*net.prior.trunk.state_shape),
    }
    outputs = ("magnitude", "hidden", "mels_after", "state_after")
    changing = {name: {1: "frames"} for name in ("log_mel", "magnitude", "hidden")}
    write_onnx(net.prior, inputs, outputs, changing, folder / PRIOR, weights, ranges.get("prior"))

    spectra = part(2, TRACED_FRAMES, grid.bins)
    inputs = {
        "hidden": part(TRACED_FRAMES, width),
        "magnitude": part(TRACED_FRAMES, grid.bins),
        "planned": spectra,
        "consistent": spectra,
        "waiting": part(5, net.refiner.delay, grid.bins),
        "state": part(*net.refiner.trunk.state_shape),
    }
    changing = {name: {1: "frames"} for name in ("hidden", "magnitude")} | {
        name: {2: "frames"} for name in ("planned", "consistent", "spectra")
    }
    write_onnx(
        net.refiner,
        inputs,
        ("spectra", "waiting_after", "state_after"),
        changing,
        folder / REFINER,
        weights,
        ranges.get("refiner"),
    )


def write_bass(net: VocoderNet, folder: Path) -> str | None:
    """BASS in `folder`, beside these networks, and its name; None if `learned_vocoder.bass_net.bass_net` has none."""
    bass = bass_net(net)
    if bass is None:
        return None
    frames, targets = (torch.ones(shape) for shape in bass.state_shapes)
    inputs = {"log_mel": torch.zeros(bass.block, net.mel.n_mels), "frames": frames, "targets": targets}
    write_onnx(bass, inputs, ("spectra", "frames_after", "targets_after"), {}, folder / BASS)
    return BASS


def add_vocoder(
    net: VocoderNet, folder: Path, card: VocoderFiles, weights: str = "fp32", ranges: Ranges | None = None
) -> Manifest:
    """Give the model in `folder` this vocoder, and its bass, in place of any it has. InputError: their mels differ.

    Where it cannot be written, the model is as it was.
    """
    before = manifest = read_manifest(folder)
    if manifest.mel.mid != net.mel:
        raise InputError(f"{folder}: its mel is {manifest.mel}, the vocoder's {net.mel}; train one for this mel")
    with folder_aside(folder) as aside:
        for name in manifest.files:
            shutil.copyfile(folder / name, aside / name)
        write_vocoder(net, aside, weights, ranges)
        manifest = write_manifest(aside, replace(manifest, vocoder=replace(card, bass=write_bass(net, aside))))
        if problems := verify(aside):
            raise RuntimeError(f"{folder}: does not verify with its vocoder: {problems[0]}")
        for name in (*(name for name, entry in manifest.files.items() if before.files.get(name) != entry), FILE_NAME):
            (aside / name).replace(folder / name)
    return manifest
