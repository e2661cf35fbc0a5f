"""A model that can be asked for less: what it was trained with, but does not obey, is taken out of its folder.

    python recipes/models/keep_conditions.py MODEL style [NAME ...] [--draw key tempo] [--beatless LABEL ...]
        [--unplanned LABEL ...]

Its music stays as it is: to a network, what nobody asks for is zeros, and those columns of its weight go. --draw: what
new music draws from its seed from now on, as `halfstep export --draw` says; a key, once its network has none.
--beatless: labels that draw no tempo. --unplanned: labels whose music follows no plan.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from onnx import ModelProto, numpy_helper

from halfstep.bundle import read_manifest, write_manifest
from halfstep.errors import InputError

WEIGHT, INPUT = "denoiser.net.pooled.weight", "pooled"
STORED = (WEIGHT, f"{WEIGHT}.packed")
"""As numbers, or as bytes beside a scale for every row."""


def narrowed(model: ModelProto, kept: np.ndarray) -> None:
    """Of a denoiser, the columns of its pooled condition at the places `kept`."""
    weights = [part for part in model.graph.initializer if part.name in STORED]
    if len(weights) != 1:
        raise InputError(f"{len(weights)} weights of what is asked for, 1 was expected: none of four bits can be cut")
    (part,) = weights
    part.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(numpy_helper.to_array(part)[:, kept]), part.name))
    put = next(one for one in model.graph.input if one.name == INPUT)
    put.type.tensor_type.shape.dim[1].dim_value = len(kept)


def keep(
    folder: Path,
    names: list[str],
    drawn: tuple[str, ...] | None = None,
    beatless: tuple[str, ...] | None = None,
    unplanned: tuple[str, ...] | None = None,
) -> None:
    """Leave a model folder the conditions of these names alone. drawn, beatless, unplanned: from now on; None is as
    before. InputError for a condition that it has not, and for what it cannot draw.
    """
    manifest = read_manifest(folder)
    for name in names:
        manifest.asks.condition(name, manifest.id)
    of_each = [one.name for one in manifest.conditions for _ in one.values]
    kept = np.flatnonzero([name in names for name in of_each])
    for file in {one.file for one in manifest.denoisers}:
        model = onnx.load(folder / file)
        narrowed(model, kept)
        onnx.save(model, folder / file)
    conditions = tuple(one for one in manifest.conditions if one.name in names)
    changed = replace(manifest, conditions=conditions, drawn=manifest.drawn if drawn is None else drawn)

    def left(labels: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(label for label in labels if label in changed.labels)

    beatless = left(manifest.beatless) if beatless is None else beatless
    unplanned = left(manifest.unplanned) if unplanned is None else unplanned
    write_manifest(folder, replace(changed, beatless=beatless, unplanned=unplanned))


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("names", nargs="+", metavar="NAME")
    parser.add_argument("--draw", nargs="+", metavar="NAME")
    parser.add_argument("--beatless", nargs="+", metavar="LABEL")
    parser.add_argument("--unplanned", nargs="+", metavar="LABEL")
    options = parser.parse_args(words)
    given = (options.draw, options.beatless, options.unplanned)
    keep(options.model, options.names, *(None if one is None else tuple(one) for one in given))


if __name__ == "__main__":
    main()
