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
from halfstep.training.train_config import TrainConfig

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
            steps=1, batch_size=16, ema_decay=0.99, warmup_steps=20, log_every=20, measure_every=10**9,
            sample_every=10**9, save_seconds=60,
        ),
        distill=DistillConfig(batch_size=16, start_steps=32),
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


def _gpu() -> Scale:
    """The paper's networks, windows and DDPM steps for what an hour holds: batches of 32 at 3e-4, a ladder from 64."""
    paper = _paper()
    train = replace(paper.train, batch_size=32, learning_rate=3e-4, warmup_steps=100, ema_decay=0.995, save_seconds=60)
    return replace(
        paper, train=train, distill=replace(paper.distill, batch_size=32, start_steps=64, learning_rate=1e-4)
    )


def _gpu_small() -> Scale:
    """The networks of `cpu` in batches of 32, for what twelve minutes hold."""
    cpu = _cpu()
    train = replace(cpu.train, batch_size=32, ema_decay=0.995, warmup_steps=100)
    return replace(cpu, train=train, distill=replace(cpu.distill, batch_size=32))


SCALES: dict[str, Callable[[], Scale]] = {
    "cpu": _cpu, "gpu-small": _gpu_small, "gpu": _gpu, "paper": _paper, "tiny": _tiny,
}  # fmt: skip
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


TRAINING, SAMPLING, JUDGING = 0.5, 0.2, 0.2
"""Shares of the time of a run whose time is given; the rest is for starting, measuring the pace and writing."""
JUDGED_WINDOWS_A_SECOND = 0.5
"""By one thread: vocoder, judges and measures of music, of 4.46 s."""
REAL_ROWS_JUDGED = 5
LEAST_WINDOWS = 10


def teacher_seconds(minutes: float, sets: int, ladder_share: float) -> float:
    """For each teacher, of a run of so many minutes: four a set, three of them with ladders."""
    return 60 * minutes * TRAINING / (sets * (4 + 3 * ladder_share))


def affordable_windows(
    minutes: float, sets: int, threads: int, pace: dict[str, tuple[float, float]], scale: Scale
) -> int:
    """Of every row, that can be sampled and judged in such a run; LEAST_WINDOWS at least.

    A network call on a window takes at most a third of the update of a window (forward, and backward twice that).
    """
    rows = generated_rows(scale)
    calls = {net: sum(row.steps for row in rows.values() if row.training.startswith(net)) for net in ("2d", "1d")}
    a_window = sum(calls[net] * pace[net][0] / (3 * scale.train.batch_size) for net in calls)
    sampled = 60 * minutes * SAMPLING / (sets * a_window)
    judged = 60 * minutes * JUDGING * JUDGED_WINDOWS_A_SECOND * threads / (sets * (len(rows) + REAL_ROWS_JUDGED))
    return max(LEAST_WINDOWS, int(min(sampled, judged)))


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
