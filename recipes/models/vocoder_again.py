#!/usr/bin/env python3
"""Write the vocoder of a model folder again: its own weights, as this version of halfstep exports them.

    python recipes/models/vocoder_again.py MODEL [--weights int4]
    python recipes/models/vocoder_again.py MODEL --run RUN

The weights come out of the model's own networks, so nothing is learned and none is lost: for when
the graph around them has improved (docs/experiments/vocoder-4-bass-in-short-blocks.md). With --run
they are written into a run instead, from which `halfstep train DATA --preset vocoder --from RUN`
trains on. The vocoder has the package's sizes.

Exit codes: 0 done, 2 the folder or its networks are not as expected.
"""

import argparse
import sys
from pathlib import Path

from halfstep.bundle import read_manifest
from halfstep.errors import InputError
from halfstep.export.onnx_reading import ranges_of, weights_of
from halfstep.export.onnx_writing import STORED
from halfstep.learned_vocoder.networks import VocoderNet
from halfstep.learned_vocoder.to_onnx import Ranges, add_vocoder
from halfstep.learned_vocoder.trunk import VocoderNetConfig
from halfstep.runs.vocoder import WEIGHTS
from halfstep.training.checkpoint import save_tensors


def read_vocoder(folder: Path) -> tuple[VocoderNet, Ranges]:
    """The networks of a model folder's vocoder. InputError if it has none, or one of other sizes."""
    manifest = read_manifest(folder)
    if manifest.vocoder is None:
        raise InputError(f"{folder}: has no vocoder")
    net = VocoderNet(manifest.mel, VocoderNetConfig())
    ranges = {}
    for part, name in (("prior", manifest.vocoder.prior), ("refiner", manifest.vocoder.refiner)):
        network = getattr(net, part)
        try:
            weights = weights_of(folder / name, {name: value.shape for name, value in network.named_parameters()})
        except ValueError as error:
            raise InputError(f"{folder / name}: {error}") from error
        network.load_state_dict(weights, strict=False)
        ranges[part] = ranges_of(folder / name)
    return net.eval(), ranges


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Write the vocoder of a model folder again.")
    parser.add_argument("model", type=Path, metavar="MODEL")
    parser.add_argument("--weights", choices=STORED, default="int4")
    parser.add_argument("--run", type=Path, metavar="RUN")
    options = parser.parse_args(arguments)
    try:
        net, ranges = read_vocoder(options.model)
        if options.run is not None:
            options.run.mkdir(parents=True, exist_ok=True)
            save_tensors(options.run / WEIGHTS, net.state_dict(), {"of": str(options.model.name)})
        else:
            card = read_manifest(options.model).vocoder
            assert card is not None
            add_vocoder(net, options.model, card, options.weights, ranges)
    except InputError as error:
        print(f"vocoder_again: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
