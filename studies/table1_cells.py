"""The cells of Table 1: which networks are trained, how long, and which rows of windows they give."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from halfstep.nets.blocks import NetConfig
from halfstep.nets.unet1d import UNet1dConfig
from halfstep.nets.unet2d import UNet2dConfig
from halfstep.runs.experiment import Experiment
from halfstep.runs.presets import PRESETS
from halfstep.tasks.music.task import MusicConfig
from halfstep.training.denoising import DiffusionConfig
from halfstep.training.ladder import DistillConfig
from halfstep.training.loop import TrainConfig

STUDENT_STEPS = 4
DDPM = DiffusionConfig(schedule="ddpm-cosine", parameterization="eps", weight="snr")


@dataclass(frozen=True, kw_only=True)
class Scale:
    """One size of the experiment. `distillable`: how what is distilled is trained. ddpm_steps: of the full sampler."""

    unet2d: NetConfig
    unet1d: NetConfig
    music: MusicConfig = MusicConfig(packing="snake", context=False)
    distillable: DiffusionConfig
    train: TrainConfig
    distill: DistillConfig
    ddpm_steps: int = 1000


def _cpu() -> Scale:
    """6.7 and 6.9 M parameters; the 1-D network is narrower than its channels, so x is predicted (see experiments)."""
    return Scale(
        unet2d=UNet2dConfig(widths=(16, 16, 32, 64, 128, 192), blocks=1, groups=8),
        unet1d=UNet1dConfig(widths=(256, 288, 288), blocks=(1, 1, 2), attention=(False, False, True), embedding=128),
        distillable=DiffusionConfig(parameterization="x", weight="x"),
        train=TrainConfig(
            steps=1, batch_size=4, ema_decay=0.99, warmup_steps=20, log_every=20, measure_every=10**9,
            sample_every=10**9, save_seconds=60,
        ),
        distill=DistillConfig(batch_size=4, start_steps=32),
        ddpm_steps=100,
    )  # fmt: skip


def _paper() -> Scale:
    """The two `paper-*` presets, and the 2-D network once more in the form of the 1-D one."""
    ddpm, pdd = PRESETS["paper-ddpm-unet2d"](), PRESETS["paper-pdd-unet1d"]()
    return Scale(
        unet2d=ddpm.net, unet1d=pdd.net, music=pdd.task_as(MusicConfig), distillable=pdd.diffusion,
        train=replace(pdd.train, steps=1, epochs=None, measure_every=10**9, sample_every=10**9), distill=pdd.distill,
    )  # fmt: skip


def _tiny() -> Scale:
    """A check that everything works."""
    return replace(
        _cpu(),
        unet2d=UNet2dConfig(widths=(8, 8, 8, 8, 8), blocks=1, groups=4),
        unet1d=UNet1dConfig(widths=(16, 16), blocks=(1, 1), attention=(False, True), attention_heads=4, embedding=8),
        distill=DistillConfig(batch_size=4, start_steps=16),
        ddpm_steps=10,
    )


SCALES: dict[str, Callable[[], Scale]] = {"cpu": _cpu, "paper": _paper, "tiny": _tiny}
TRAININGS = ("2d-ddpm", "2d", "1d", "1d-as-many-updates")
"""What is trained on each set; the last is the 1-D network given no more updates than the 2-D one could afford."""


def experiments(scale: Scale) -> dict[str, Experiment]:
    """One for each of TRAININGS: they differ in the network or in the diffusion, in nothing else."""
    parts = {
        "2d-ddpm": (scale.unet2d, DDPM),
        "2d": (scale.unet2d, scale.distillable),
        "1d": (scale.unet1d, scale.distillable),
        "1d-as-many-updates": (scale.unet1d, scale.distillable),
    }
    return {
        name: Experiment(
            name=f"table1-{name}", expects="a cell of Table 1 (docs/reproduction.md)", net=net, task=scale.music,
            diffusion=diffusion, train=scale.train, distill=scale.distill,
        )
        for name, (net, diffusion) in parts.items()
    }  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Row:
    """A generated row: which network, in how many steps. `ancestral`: DDPM's sampler instead of DDIM."""

    title: str
    training: str
    steps: int
    student: bool = False
    ancestral: bool = False


def generated_rows(scale: Scale) -> dict[str, Row]:
    """Name -> row, in the table's order: the paper's two cells are the first and `1d-student`."""
    full = scale.distill.start_steps
    rows = {
        "2d-ddpm": Row(title="2-D U-Net, DDPM", training="2d-ddpm", steps=scale.ddpm_steps, ancestral=True),
        "2d-ddpm-few": Row(title="2-D U-Net, DDPM, undistilled", training="2d-ddpm", steps=STUDENT_STEPS),
    }
    for training, title in (
        ("2d", "2-D U-Net"),
        ("1d", "1-D U-Net"),
        ("1d-as-many-updates", "1-D U-Net, fewer updates"),
    ):
        rows[f"{training}-teacher"] = Row(title=f"{title}, teacher", training=training, steps=full)
        rows[f"{training}-few"] = Row(title=f"{title}, undistilled", training=training, steps=STUDENT_STEPS)
        rows[f"{training}-student"] = Row(
            title=f"{title}, distilled", training=training, steps=STUDENT_STEPS, student=True
        )
    return rows


def planned(
    pace: dict[str, tuple[float, float]], rungs: int, seconds: float, share: float, updates: int | None
) -> dict[str, dict[str, int]]:
    """Updates of each training's teacher, and of each rung of its ladder (0 where there is none).

    Args:
        pace: seconds of an update of the teacher and on the ladder, of `2d` and `1d`.
        rungs: of the ladder.
        seconds: for each teacher; `share` of that for each ladder.
        updates: the same for every teacher instead, and `share` / `rungs` of it for a rung.
    """

    def plan(per_update: float, per_rung_update: float) -> dict[str, int]:
        if updates is not None:
            return {"teacher": updates, "rung": max(1, round(updates * share / rungs))}
        rung = max(1, round(seconds * share / rungs / per_rung_update))
        return {"teacher": max(1, round(seconds / per_update)), "rung": rung}

    plans = {name: plan(*pace[name]) for name in ("2d", "1d")}
    return plans | {"2d-ddpm": plans["2d"] | {"rung": 0}, "1d-as-many-updates": dict(plans["2d"])}
