#!/usr/bin/env python3
"""Give a model folder, or a bare folder, the vocoder that train_bands_vocoder.py has trained.

    python recipes/models/export_bands_vocoder.py WEIGHTS.safetensors AUDIO.zip --into MODEL
    python recipes/models/export_bands_vocoder.py WEIGHTS.safetensors AUDIO.zip --out FOLDER

AUDIO.zip is what it was trained on: the ranges of what is multiplied are taken of its clips, and
the model's card names its sources and their licences. --out writes the ONNX files alone. Exit codes: 0 done, 2 the
weights, the audio or the model is not as expected.
"""

import argparse
import json
import sys
import zipfile
from collections import Counter
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from train_bands_vocoder import BANDS, FRAMES, NET, TRACKS, read_audio

from halfstep.bundle import Origin, VocoderFiles
from halfstep.errors import InputError
from halfstep.export.onnx_writing import STORED
from halfstep.learned_vocoder.device_clips import DeviceClips, DeviceClipsConfig
from halfstep.learned_vocoder.networks import VocoderNet
from halfstep.learned_vocoder.to_onnx import (
    PRIOR,
    REFINER,
    Ranges,
    add_vocoder,
    input_ranges,
    write_bass,
    write_vocoder,
)
from halfstep.runs.credits import licence_of

PIECE_MINUTES = 1 / 3
RANGED = 64  # clips of which the ranges of what is multiplied are taken


def read_net(path: Path) -> VocoderNet:
    """The networks with these weights. InputError: they are of other networks."""
    net = VocoderNet(BANDS, NET)
    try:
        weights = load_file(path)
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path}: {error}") from error
    wanted = {name: value.shape for name, value in net.named_parameters()}
    if {name: value.shape for name, value in weights.items()} != wanted:
        raise InputError(f"{path}: is not of the networks that train_bands_vocoder.py trains")
    net.load_state_dict(weights, strict=False)
    return net.eval()


def ranges_on(audio: Path, net: VocoderNet) -> Ranges:
    """What comes into the linear layers while clips of `audio` are sounded, spoilt ones among them."""
    torch.manual_seed(0)
    config = DeviceClipsConfig()
    clips = DeviceClips(read_audio(audio)[0], BANDS, FRAMES, torch.device("cpu"), 0, config)
    return input_ranges(net, clips.draw(RANGED).bands)


def origins(audio: Path) -> tuple[Origin, ...]:
    """One for each recording that was learned from."""
    with zipfile.ZipFile(audio) as archive:
        pieces = [piece for piece in json.loads(archive.read(TRACKS)) if not piece["heldout"]]
    counts = Counter((piece["title"], piece["licence"], piece["source"]) for piece in pieces)
    return tuple(
        Origin(title=title, licence=licence, source=source, minutes=round(count * PIECE_MINUTES, 2))
        for (title, licence, source), count in sorted(counts.items())
    )


def main(arguments: list[str] | None = None) -> int:
    """Read the command line and write the vocoder."""
    parser = argparse.ArgumentParser(description="Put a trained vocoder for bands into a folder.")
    parser.add_argument("weights", type=Path, metavar="WEIGHTS.safetensors")
    parser.add_argument("audio", type=Path, metavar="AUDIO.zip")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--into", type=Path, metavar="MODEL")
    where.add_argument("--out", type=Path, metavar="FOLDER")
    parser.add_argument("--licence", help="of the weights; if not given, all that its recordings have")
    parser.add_argument("--stored", choices=STORED, default="int4")
    options = parser.parse_args(arguments)
    try:
        net = read_net(options.weights)
        ranges = ranges_on(options.audio, net)
        if options.into is not None:
            with safe_open(options.weights, "np") as file:
                measured = json.loads((file.metadata() or {}).get("halfstep", "{}"))
            figures = {name: value for name, value in measured.items() if name.startswith("heldout/")}
            learned_from = origins(options.audio)
            card = VocoderFiles(
                prior=PRIOR, refiner=REFINER, licence=options.licence or licence_of(learned_from),
                trained_on=learned_from, measured=figures,
            )  # fmt: skip
            add_vocoder(net, options.into, card, options.stored, ranges)
        else:
            options.out.mkdir(parents=True, exist_ok=True)
            write_vocoder(net, options.out, options.stored, ranges)
            write_bass(net, options.out)
    except (InputError, OSError, ValueError, zipfile.BadZipFile) as error:
        print(f"export_bands_vocoder: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
