"""Everything that can be trained can be exported and played: from `train` to a finite, deterministic WAV."""

import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile

from halfstep.app.cli import run
from halfstep.diffusion.forms import PARAMETERIZATIONS
from halfstep.diffusion.process import Process
from halfstep.diffusion.schedule import SCHEDULES
from halfstep.nets.blocks import NetConfig
from halfstep.nets.paper_unet1d import PaperUNet1dConfig
from halfstep.nets.unet1d import UNet1dConfig
from halfstep.nets.unet2d import UNet2dConfig
from halfstep.packing import COMPONENTS, PACKINGS
from halfstep.runs.experiment import Experiment
from halfstep.runs.presets import PRESETS
from halfstep.tasks.music.task import MusicConfig
from halfstep.training.denoising import DiffusionConfig
from halfstep.training.ladder import DistillConfig
from halfstep.training.loop import NoObserver
from halfstep.training.train_config import TrainConfig

COUNT = 16
PAPER = ("cosine", "ddpm-cosine")
"""The schedules of the paper's two models."""
FITTING = tuple(name for name in PACKINGS if name != "fold")
"""Of 128 bands; fold takes a multiple of 3."""
NETWORKS = ("1-D", "the paper's 1-D", "2-D")


@dataclass(frozen=True)
class Case:
    """One of the product, and how it is named in a list of tests."""

    parameterization: str
    schedule: str
    network: str
    packing: str

    def __str__(self) -> str:
        return "-".join((self.parameterization, self.schedule, self.network, self.packing))

    @property
    def possible(self) -> bool:
        """eps says nothing of x where alpha is 0."""
        try:
            return Process(schedule=self.schedule, parameterization=self.parameterization).finite
        except ValueError:
            return False

    def net(self) -> NetConfig:
        height = COUNT if self.packing == COMPONENTS else 128
        return {
            "1-D": UNet1dConfig(
                widths=(16, 16),
                blocks=(1, 1),
                attention=(False, True),
                attention_heads=4,
                embedding=8,
                direct=self.packing == COMPONENTS,
                preconditioned=(self.parameterization, self.packing) == ("x", COMPONENTS),
            ),
            "the paper's 1-D": PaperUNet1dConfig(widths=(16, 16), kernels=(3, 5), attention_heads=4, embedding=8),
            "2-D": UNet2dConfig(n_mels=height, widths=(8, 8, 8), blocks=1, groups=4),
        }[self.network]

    def experiment(self) -> Experiment:
        return Experiment(
            name="product", expects="a WAV", net=self.net(),
            task=MusicConfig(frames=24, packing=self.packing, components=COUNT, patch_frames=3, context=False),
            diffusion=DiffusionConfig(schedule=self.schedule, parameterization=self.parameterization, train_steps=8),
            train=TrainConfig(steps=2, batch_size=4, warmup_steps=0), distill=DistillConfig(start_steps=4),
        )  # fmt: skip


ALL = [
    case
    for case in itertools.starmap(
        Case, itertools.product(PARAMETERIZATIONS, SCHEDULES, NETWORKS, (*FITTING, COMPONENTS))
    )
    if case.possible
]


def covering(cases: list[Case]) -> list[Case]:
    """A few of the cases: every network with every parameterization and with every packing, every schedule."""

    def parts(case: Case) -> set[tuple[str, ...]]:
        pairs = (case.network, case.parameterization), (case.network, case.packing), (case.schedule,)
        return {*pairs, (case.schedule, case.parameterization)} if case.schedule in PAPER else set(pairs)

    missing, chosen = set[tuple[str, ...]]().union(*map(parts, cases)), list[Case]()
    while missing:
        chosen.append(max(cases, key=lambda case: len(parts(case) & missing)))
        missing -= parts(chosen[-1])
    return chosen


@pytest.fixture(autouse=True)
def nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """What costs more than it shows here: pictures of samples, and a vocoder to come along."""
    monkeypatch.setattr("halfstep.runs.run_folder.Run.observer", lambda *_, **__: NoObserver())
    monkeypatch.setattr("halfstep.runs.export_model.installed_vocoders", lambda: [])


def hear(library: Path, folder: Path, case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """Train, export, and play twice: a finite sound, the same bytes again."""
    monkeypatch.setitem(PRESETS, "product", case.experiment)
    trained, model, first, again = (str(folder / name) for name in ("run", "model", "a.wav", "b.wav"))
    assert run(["train", str(library), "--out", trained, "--preset", "product"]) == 0
    assert run(["export", trained, "--out", model]) == 0
    for path in (first, again):
        assert run(["generate", path, "--model", model, "--seconds", "0.4", "--steps", "3"]) == 0
    samples, rate = soundfile.read(first)
    assert len(samples) == round(0.4 * rate)
    assert np.isfinite(samples).all()
    assert np.abs(samples).max() > 0
    assert Path(first).read_bytes() == Path(again).read_bytes()


@pytest.mark.parametrize("case", covering(ALL), ids=str)
def test_what_is_trained_is_exported_and_played(
    library: Path, tmp_path: Path, case: Case, monkeypatch: pytest.MonkeyPatch
):
    hear(library, tmp_path, case, monkeypatch)
