"""What a training begins with: the weights of a run or a model, and the packing that they know."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from torch import Tensor

from halfstep.bundle import ModelFolder, is_model_folder, load_folder
from halfstep.errors import InputError, NamedError, unbraced
from halfstep.export.onnx_reading import weights_of
from halfstep.nets.widening import POOLED, Asks
from halfstep.packing import COMPONENTS_FILE
from halfstep.runs.credits import START, learned_from, start_file
from halfstep.runs.run_folder import open_any_run
from halfstep.runs.vocoder import WEIGHTS, VocoderRun
from halfstep.training.checkpoint import load_tensors

TEACHER = "teacher.safetensors"
Weights: TypeAlias = Callable[[Mapping[str, Sequence[int]]], dict[str, Tensor]]
"""Name -> shape of every weight that is wanted -> the weights."""


@dataclass(frozen=True, kw_only=True)
class Start:
    """asks: what it can be asked for.

    kept: of the run that begins, file name -> bytes: what the packing was fitted to, as under another one the same
    music would be other numbers to the network, and what was learned from. The scale is the new data set's own: under
    it music of any kind lies where the network expects some (docs/experiments/flagship.md).
    """

    weights: Weights
    asks: Asks = ()
    kept: Mapping[str, bytes] = field(default_factory=dict[str, bytes])


def start_from(named: str | Path) -> Start:
    """Of a finished run, or of a model: its teacher's weights where it has them, or else those of its student of most
    steps, which know all but how to see little noise. InputError if it is neither, or not whole.
    """
    folder = Path(named)
    if (folder / "config.json").exists() and not is_model_folder(folder):
        return _of_run(folder)
    try:
        return _of_model(load_folder(named))
    except InputError as fault:
        raise NamedError(f"{{start}} {unbraced(named)}: not a finished run, and no model ({unbraced(fault)})") from None


def _of_run(folder: Path) -> Start:
    path = next((folder / name for name in (WEIGHTS, TEACHER) if (folder / name).with_suffix(".json").exists()), None)
    if path is None:
        raise NamedError(f"{{start}} {unbraced(folder)}: not a finished run (no {TEACHER}, no {WEIGHTS})")
    weights = _kept(path)
    with open_any_run(folder) as run:
        kept = {START: start_file(learned_from(folder, run.library, ()))}
        file = folder / COMPONENTS_FILE
        if not isinstance(run, VocoderRun) and file.exists():
            kept[file.name] = file.read_bytes()
        asks = () if isinstance(run, VocoderRun) else run.conditions.columns
        return Start(weights=weights, asks=asks, kept=kept)


def _of_model(folder: ModelFolder) -> Start:
    manifest, components = folder.manifest, folder.manifest.components
    kept, asks = {START: start_file(manifest.trained_on)}, manifest.asks.columns
    if components is not None:
        kept[COMPONENTS_FILE] = folder.read(components.file)
    if TEACHER in manifest.files:
        folder.checked(TEACHER)
        return Start(weights=_kept(folder.path / TEACHER), asks=asks, kept=kept)
    file = folder.entry(manifest.steps[-1]).file

    def weights(shapes: Mapping[str, Sequence[int]]) -> dict[str, Tensor]:
        folder.read(file)  # the very bytes that the manifest says
        return weights_of(folder.path / file, shapes, "denoiser.", optional=(POOLED,))

    return Start(weights=weights, asks=asks, kept=kept)


def _kept(path: Path) -> Weights:
    """Those of a file of ours, whatever is wanted: a network refuses what does not fit it."""

    def weights(shapes: Mapping[str, Sequence[int]]) -> dict[str, Tensor]:
        try:
            return load_tensors(path)[0]
        except ValueError as fault:
            raise NamedError(f"{{start}} {unbraced(path.parent)}: {unbraced(fault)}") from None

    return weights
