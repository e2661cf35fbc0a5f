"""A network of a model folder, kept as a change of low rank of another in it: for a folder whose run is gone.

    python recipes/models/thin_student.py MODEL [--steps 1] [--numbers 2500000]

The network for `--steps` steps becomes the nearest change, by singular values alone, of the one for the most steps; its
own file goes. Says how far the two answers lie apart on noise, as a share of the square; where the run is still there,
`add_student.py` trains a smaller change to be as near.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper

from halfstep.bundle import DenoiserFile, ModelFolder, open_folder, verify, write_manifest
from halfstep.bundle.low_rank import Change, write_change
from halfstep.training.low_rank_student import Terms, ranks, thin

PACKED, SCALE = ".packed", ".scale"


def weights_in(path: Path) -> dict[str, np.ndarray]:
    """Of an exported network, by the names that a change knows them by; those in int8 multiplied out."""
    held = {part.name: numpy_helper.to_array(part) for part in onnx.load(path).graph.initializer}
    whole = {name.removesuffix(PACKED): value for name, value in held.items() if name.endswith(PACKED)}
    large = {name: (value * held[name + SCALE]).astype(np.float32) for name, value in whole.items()}
    parts = {name + end for name in large for end in (PACKED, SCALE)}
    small = {name: value for name, value in held.items() if name not in parts and value.dtype == np.float32}
    return large | small


def nearest(base: dict[str, np.ndarray], student: dict[str, np.ndarray], numbers: int) -> Change:
    """The change of `base` that comes nearest to `student` in so many numbers."""
    differences = {name: torch.from_numpy(student[name] - weight) for name, weight in base.items()}
    terms = {
        name: Terms(difference.flatten(1), float(np.square(base[name]).sum()))
        for name, difference in differences.items()
        if difference.dim() > 1 and min(difference.flatten(1).shape) > 1
    }
    return Change(
        thin={name: thin(*terms[name].first(rank)) for name, rank in ranks(terms, numbers).items()},
        vectors={
            name: difference.flatten().numpy()
            for name, difference in differences.items()
            if name not in terms and difference.any()
        },
    )


def answer(folder: ModelFolder, entry: DenoiserFile) -> np.ndarray:
    """v of four windows of noise with nothing known."""
    manifest = folder.manifest
    noise = np.random.default_rng(0).standard_normal((4, manifest.channels, manifest.length), np.float32)
    known = np.zeros((4, manifest.aligned_channels, manifest.length), np.float32)
    return folder.load(entry)(noise, *manifest.process.at(1.0), known)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--steps", type=int, default=1)
    parser.add_argument("--numbers", type=int, default=2_500_000, help="half a byte each")
    options = parser.parse_args()
    folder = open_folder(options.model)
    own, most = folder.entry(options.steps), folder.entry(folder.manifest.steps[-1])
    before = answer(folder, own)
    base, student = (weights_in(folder.path / entry.file) for entry in (most, own))
    entry = replace(own, file=most.file, change=f"denoiser-{options.steps}.npz")
    assert entry.change is not None
    (options.model / entry.change).write_bytes(write_change(nearest(base, student, options.numbers)))
    (options.model / own.file).unlink()
    others = [one for one in folder.manifest.denoisers if one.steps != options.steps]
    write_manifest(options.model, replace(folder.manifest, denoisers=(*others, entry)))
    assert not (problems := verify(options.model)), problems
    off = np.square(answer(open_folder(options.model), entry) - before).mean() / np.square(before).mean()
    print(f"{entry.change}: {(options.model / entry.change).stat().st_size} bytes; off by {off:.5f}")


if __name__ == "__main__":
    main()
