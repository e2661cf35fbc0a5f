"""What a model folder holds of music besides its networks."""

from pathlib import Path

import numpy as np

from halfstep.packing import COMPONENTS_FILE, write_components
from halfstep.tasks.contract import Played
from halfstep.tasks.music.task import Music


def export_music(task: Music, folder: Path, small: bool) -> Played:
    """COMPONENTS_FILE in `folder`, where the packing is fitted; and what the manifest says of its windows.

    small: in two bytes a number, a 2000th off, where weights of eight bits are a 250th.
    """
    from halfstep.bundle import ComponentsFile  # which needs ONNX Runtime, and a machine that only trains has none

    components, config = task.packing.components, task.config
    entry = None
    if components is not None:
        write_components(folder / COMPONENTS_FILE, components, np.float16 if small else np.float32)
        entry = ComponentsFile(
            file=COMPONENTS_FILE, count=components.count, patch_frames=task.packing.planes,
            explained=components.explained,
        )  # fmt: skip
    return Played(
        frames=config.frames, packing=config.packing, context=config.context, components=entry,
        guide=config.guide,
    )  # fmt: skip
