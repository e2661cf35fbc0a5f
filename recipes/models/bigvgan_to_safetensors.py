"""The generator that NVIDIA publishes as bigvgan_generator.pt -> generator.safetensors beside it.

    python recipes/models/bigvgan_to_safetensors.py FOLDER/bigvgan_generator.pt

With config.json in the same folder, `halfstep vocode in.wav out.wav --vocoder FOLDER` then plays through it.
"""

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file


def convert(path: Path) -> Path:
    """weights_only: tensors are read, nothing in the file is run."""
    weights = torch.load(path, map_location="cpu", weights_only=True)["generator"]
    out = path.with_name("generator.safetensors")
    save_file({name: value.clone().contiguous() for name, value in weights.items()}, out)
    return out


if __name__ == "__main__":
    print(convert(Path(sys.argv[1])))
