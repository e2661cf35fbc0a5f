"""The contract between a task and everything around it: what a folder of tasks/ brings, and all that others know of it.

Diffusion, training and distillation see a `Task`; runs and evaluation see a `Kind`, the face of its folder.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np

from halfstep.arrays import Float
from halfstep.audio.guide import NO_GUIDE
from halfstep.audio.mel import MelConfig
from halfstep.data.dataset import Library
from halfstep.training.example import Example
from halfstep.training.observe import LadderObserver

if TYPE_CHECKING:
    from halfstep.bundle import ComponentsFile  # which needs ONNX Runtime, and a machine that only trains has none

Band: TypeAlias = tuple[Float[np.ndarray, "bands"], Float[np.ndarray, "bands"]]
"""Mean and deviation of every band of the log-mel, [n_mels] each."""


class TaskConfig(Protocol):
    """What an experiment must know of a task before there is data."""

    @property
    def n_mels(self) -> int:
        """Bands of the mel it works with."""
        ...

    @property
    def clip_frames(self) -> int:
        """Frames of a clip as the data set gives it."""
        ...

    @property
    def length(self) -> int:
        """L of x."""
        ...


class Task(Protocol):
    """How a batch of clips becomes an Example; the network's input sizes follow from it."""

    @property
    def channels(self) -> int:
        """C of x."""
        ...

    @property
    def length(self) -> int:
        """L of x."""
        ...

    @property
    def aligned(self) -> int:
        """Channels of condition.aligned; 0 for none."""
        ...

    def example(self, clips: Float[np.ndarray, "batch ..."], rng: np.random.Generator) -> Example:
        """A training example from clips as the data set gives them; `rng` decides what is given."""
        ...

    def free(self, clips: Float[np.ndarray, "batch ..."]) -> Example:
        """The same with nothing given but what always is: unconditional music, the true mel of a vocoder."""
        ...


@dataclass(frozen=True, kw_only=True)
class Played:
    """What the playing half must know of a task's windows: entries of the `Manifest`."""

    frames: int
    packing: str
    context: bool
    components: "ComponentsFile | None" = None
    guide: str = NO_GUIDE


@dataclass(frozen=True, kw_only=True)
class Planned:
    """Windows of plans: of which guide, a key of `audio.guide.GUIDES`, how many frames, packed how, by name."""

    guide: str
    frames: int
    packing: str


@dataclass(frozen=True, kw_only=True)
class Kind:
    """The face of a task's folder, its `kind.KIND`.

    name: what its settings stand under in a run's config.json, and in `--set NAME.key=value`.
    config: the class of its settings, a `TaskConfig`. nets: the classes of settings of the networks it may be given,
    each with `length_multiple` and `build(sizes)`. stores: the data sets it learns from, a key of `data.stores.STORES`.
    build(config, mel, library, folder of the run): the task; what must be fitted to the data first is kept in the
    folder. observer(task, held-out windows, mel, band, sampling, folder, device): what looks at its models.
    export(task, folder, small): writes what its windows need besides the networks, in fewer bytes where that is asked
    for; None where nothing plays such a model.
    learned(config, library, folder of the run): what it learns from, where that is measured of the data set. plans:
    settings to what its windows are, of a task whose networks plan what a model of music follows.
    """

    name: str
    config: type
    nets: tuple[type, ...]
    stores: str
    build: Callable[[Any, MelConfig, Library, Path], Task]
    observer: Callable[..., LadderObserver]
    export: Callable[[Any, Path, bool], Played] | None = None
    learned: Callable[[Any, Library, Path], Library] | None = None
    plans: Callable[[Any], Planned] | None = None
