"""The face of the task: its settings, networks, observer and what it learns from. A model of music plays its plans."""

from pathlib import Path

from halfstep.audio.mel import MelConfig
from halfstep.data.dataset import Library
from halfstep.data.guides import Guides, check_holds_chords
from halfstep.data.stores import LOG_MEL
from halfstep.nets.unet1d import UNet1dConfig
from halfstep.tasks.contract import Kind, Planned
from halfstep.tasks.plan.observer import PlanObserver
from halfstep.tasks.plan.task import PACKING, PlanConfig, PlanTask


def build_plan(config: PlanConfig, mel: MelConfig, library: Library, folder: Path) -> PlanTask:
    """The task. InputError where the bands of the data set hold no chords."""
    check_holds_chords(config.guide, mel, library, KIND.name)
    return PlanTask(config)


def _guides(config: PlanConfig, library: Library, folder: Path) -> Guides:
    return Guides(library, config.guide, folder)


KIND = Kind(
    name="plan",
    config=PlanConfig,
    nets=(UNet1dConfig,),
    stores=LOG_MEL,
    build=build_plan,
    observer=PlanObserver,
    learned=_guides,
    plans=lambda config: Planned(guide=config.guide, frames=config.frames, packing=PACKING.name),
)
