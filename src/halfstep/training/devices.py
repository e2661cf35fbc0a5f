"""Which device a network is on."""

import os

import torch

from halfstep.errors import InputError, NamedError, unbraced

DEVICES = ("cuda", "mps", "cpu")


def device_named(name: str | None) -> torch.device:
    """cuda, mps or cpu; the best that is here for None. Of several CUDA devices, the one of this process's number on
    its machine. InputError for one that is not here.
    """
    if name is None:
        name = next(kind for kind in DEVICES if _here(kind))
    if name not in DEVICES:
        raise NamedError(f"{{device}} {unbraced(name)}: one of {', '.join(DEVICES)} was expected")
    if not _here(name):
        raise NamedError(f"{{device}} {name}: PyTorch {torch.__version__} has none on this machine")
    if name != "cuda":
        return torch.device(name)
    number, count = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
    if number >= count:
        raise InputError(
            f"process {number} of this machine has {count} CUDA devices; start no more processes than there are"
        )
    torch.cuda.set_device(number)
    return torch.device("cuda", number)


def best_device() -> torch.device:
    """The best that is here."""
    return device_named(None)


def _here(kind: str) -> bool:
    if kind == "cuda":
        return torch.cuda.is_available()
    return kind == "cpu" or torch.backends.mps.is_available()
