"""A trained vocoder's networks as ONNX, and into a model folder."""

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from halfstep.bundle import Manifest, VocoderFiles, read_manifest, verify, write_manifest
from halfstep.errors import InputError
from halfstep.nets.vocoder import VocoderNet
from halfstep.onnx_writing import write_onnx

PRIOR, REFINER = "vocoder-prior.onnx", "vocoder-refiner.onnx"
TRACED_FRAMES = 16


def write_vocoder(net: VocoderNet, folder: Path, weights: str = "fp32") -> None:
    """PRIOR and REFINER in `folder`: a stream of one clip, any number of frames at a call."""
    mel, width = net.mel, net.config.width

    def part(*shape: int) -> Tensor:
        return torch.zeros(1, *shape)

    length = {2: "frames"}
    inputs = {
        "log_mel": part(mel.n_mels, TRACED_FRAMES),
        "mels": part(mel.n_mels, net.prior.delay),
        "state": part(*net.prior.trunk.state_shape),
    }
    outputs = ("magnitude", "hidden", "mels_after", "state_after")
    changing = {"log_mel": length, "magnitude": length, "hidden": length}
    write_onnx(net.prior, inputs, outputs, changing, folder / PRIOR, weights)

    spectra = part(2, mel.bins, TRACED_FRAMES)
    inputs = {
        "hidden": part(width, TRACED_FRAMES),
        "magnitude": part(mel.bins, TRACED_FRAMES),
        "planned": spectra,
        "heard": spectra,
        "waiting": part(net.refiner.waits, net.refiner.delay),
        "state": part(*net.refiner.trunk.state_shape),
    }
    changing = dict.fromkeys(("hidden", "magnitude"), length) | {
        name: {3: "frames"} for name in ("planned", "heard", "spectra")
    }
    write_onnx(net.refiner, inputs, ("spectra", "waiting_after", "state_after"), changing, folder / REFINER, weights)


def add_vocoder(net: VocoderNet, folder: Path, card: VocoderFiles, weights: str = "fp32") -> Manifest:
    """Give the model in `folder` this vocoder, in place of any it has. InputError if their mels differ."""
    manifest = read_manifest(folder)
    if manifest.mel != net.mel:
        raise InputError(f"{folder}: its mel is {manifest.mel}, the vocoder's {net.mel}; train one for this mel")
    write_vocoder(net, folder, weights)
    manifest = write_manifest(folder, replace(manifest, vocoder=card))
    if problems := verify(folder):
        raise RuntimeError(f"{folder}: does not verify with its vocoder: {problems[0]}")
    return manifest
