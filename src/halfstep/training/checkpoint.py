"""Checkpoints: everything a run needs to go on, in one file that is either whole or not there.

`step-00000100.safetensors` holds the tensors, `step-00000100.json` (written last) its sha256: without it, or with
another, the file does not count.
"""

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from halfstep.atomic import FULL, remove_partials, replacing, write_json
from halfstep.errors import InputError
from halfstep.fields import Fields, open_regular, read_json
from halfstep.training.ema import Ema
from halfstep.training.sharding import split_like, whole
from halfstep.training.team import team

logger = logging.getLogger(__name__)

KEPT = 2
CHECKPOINTS = "checkpoints"
"""Their folder in the folder of a training."""


@dataclass(frozen=True)
class TrainState:
    """What changes as training goes on. Randomness and the place in the data are functions of the step."""

    model: nn.Module
    ema: Ema[nn.Module]
    optimizer: torch.optim.Optimizer


def save_checkpoint(folder: Path, step: int, state: TrainState, counts: dict[str, int]) -> Path:
    """Write the state after `step` updates, keeping the last two; OSError if it cannot be kept.

    Every process of a team calls it, since each may hold a shard; the first one writes.
    """
    path = folder / f"step-{step:08d}.safetensors"
    tensors = _tensors(state)
    if not team().leads:
        return path
    folder.mkdir(parents=True, exist_ok=True)
    save_tensors(path, tensors, {"step": step, "counts": counts})
    for old in sorted(folder.glob("step-*.safetensors"))[:-KEPT]:
        old.with_suffix(".json").unlink(missing_ok=True)
        old.unlink()
    return path


def load_latest(folder: Path, state: TrainState) -> tuple[int, dict[str, int]]:
    """Fill `state` from the newest whole checkpoint; return its step and counts, (0, {}) where there is none."""
    if not folder.is_dir():
        return 0, {}
    for partial in remove_partials(folder):
        logger.warning("%s: half-written; removed", partial)
    for path in sorted(folder.glob("step-*.safetensors"), reverse=True):
        try:
            tensors, notes = load_tensors(path)
            step, counts = _place(path, notes)
        except ValueError as fault:
            logger.warning("%s; removed, going back to the one before", fault)
            path.with_suffix(".json").unlink(missing_ok=True)
            path.unlink()
            continue
        try:
            _restore(state, tensors)
        except (KeyError, IndexError, RuntimeError, ValueError) as fault:
            raise InputError(f"{path}: does not fit this training ({fault}); remove it, or train again") from None
        return step, counts
    return 0, {}


def latest_average(folder: Path) -> tuple[dict[str, Tensor], int] | None:
    """The averaged weights of the newest whole checkpoint, and its updates; None where there is none, or none yet."""
    for path in sorted(folder.glob("step-*.safetensors"), reverse=True):
        try:
            tensors, notes = load_tensors(path)
            step, _ = _place(path, notes)
        except ValueError:
            continue
        return (_part(tensors, "ema/"), step) if step else None
    return None


def _place(path: Path, notes: Mapping[str, Any]) -> tuple[int, dict[str, int]]:
    """Step and counts of a checkpoint. InputError naming it where its note does not say them."""
    fields = Fields(str(path.with_suffix(".json")), notes, "it is gone back to the one before")
    step, counts = fields.integer("step", 0, 10**12), fields.inside("counts")
    return step, {name: counts.integer(name, 0, 10**12) for name in counts.names()}


def save_tensors(path: Path, tensors: dict[str, Tensor], notes: Mapping[str, object]) -> None:
    """Write a safetensors file, then the JSON beside it that vouches for it: `notes` and the sha256.

    OSError naming the file if it cannot be kept; a full disk is told how much is needed.
    """
    content = save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()})
    try:
        with replacing(path) as partial:
            partial.write_bytes(content)
        write_json(path.with_suffix(".json"), {**notes, "sha256": hashlib.sha256(content).hexdigest()})
    except OSError as fault:
        if fault.errno not in FULL:
            raise
        needed = f"No space left on device, {len(content)} bytes are needed"
        raise OSError(fault.errno, needed, str(path)) from None


def updates_done(folder: Path) -> int:
    """Updates in the newest checkpoint of `folder` that is vouched for; 0 where there is none. Nothing is loaded."""
    return max((int(note.stem.removeprefix("step-")) for note in folder.glob("step-*.json")), default=0)


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what `save_tensors` wrote. ValueError naming a file that is not whole, not vouched for, or not finite."""
    notes = notes_of(path)
    try:
        digest = _sha256(path)
    except OSError as fault:
        raise ValueError(f"{path}: {fault.strerror}") from None
    if notes["sha256"] != digest:
        raise ValueError(f"{path}: its content does not match its checksum")
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except SafetensorError as fault:
        raise ValueError(f"{path}: not safetensors ({fault})") from None
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise ValueError(f"{path}: {name} is not finite")
    return tensors, notes


def notes_of(path: Path) -> dict[str, Any]:
    """What stands beside tensors: the sha256 of their file, and whatever was noted. ValueError where there is none."""
    try:
        notes = read_json(path.with_suffix(".json"), "")
    except (OSError, ValueError):
        notes = None
    if not isinstance(notes, dict) or not isinstance(notes.get("sha256"), str):
        raise ValueError(f"{path}: half-written (no note of its checksum beside it)")
    return notes


def _tensors(state: TrainState) -> dict[str, Tensor]:
    named = {f"model/{name}": tensor for name, tensor in state.model.state_dict().items()}
    named |= {f"ema/{name}": tensor for name, tensor in state.ema.model.state_dict().items()}
    for index, slots in state.optimizer.state_dict()["state"].items():
        named |= {f"optimizer/{index}/{slot}": torch.as_tensor(value) for slot, value in slots.items()}
    return {name: whole(tensor) for name, tensor in named.items()}


def _restore(state: TrainState, tensors: dict[str, Tensor]) -> None:
    _load(state.model, _part(tensors, "model/"))
    _load(state.ema.model, _part(tensors, "ema/"))
    weights = [weight for group in state.optimizer.param_groups for weight in group["params"]]
    slots: dict[int, dict[str, Tensor]] = {}
    for name, tensor in _part(tensors, "optimizer/").items():
        index, slot = name.split("/")
        weight = weights[int(index)]
        slots.setdefault(int(index), {})[slot] = tensor if tensor.shape != weight.shape else split_like(tensor, weight)
    groups = state.optimizer.state_dict()["param_groups"]
    state.optimizer.load_state_dict({"state": slots, "param_groups": groups})


def _load(model: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Fill a model, sharded or not, from whole tensors."""
    now = model.state_dict()
    model.load_state_dict({n: split_like(one, now[n]) if n in now else one for n, one in tensors.items()})


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _sha256(path: Path) -> str:
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
