"""Presets: whole, buildable, the same after JSON; settings that do not fit are refused by name."""

import dataclasses
import json
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
import torch

from halfstep.app.options import PRESET_GROUP, PRESET_NAMES
from halfstep.data.dataset import Library
from halfstep.diffusion.rates import cosine_rates
from halfstep.errors import InputError
from halfstep.nets.condition import Condition
from halfstep.nets.denoiser import rates_like
from halfstep.nets.unet1d import UNet1dConfig
from halfstep.packing import COMPONENTS_FILE, Components, write_components
from halfstep.runs.experiment import Experiment, with_settings
from halfstep.runs.presets import GROUP, PRESETS, VOCODERS
from halfstep.tasks.contract import TaskConfig
from halfstep.tasks.diffusion_vocoder.task import DiffusionVocoderConfig
from halfstep.tasks.music.task import MusicConfig

NAMES = [pytest.param(name, marks=pytest.mark.slow if name == "paper-ddpm-unet2d" else ()) for name in PRESETS]


@pytest.mark.parametrize("name", PRESETS)
def test_json_round_trip(name: str):
    experiment = PRESETS[name]()
    plain = json.loads(json.dumps(experiment.to_json(), allow_nan=False))
    assert Experiment.from_json(plain) == experiment
    assert experiment.name == name
    assert len(experiment.expects) > 20


def test_a_shell_is_offered_what_there_is():
    assert (set(PRESET_NAMES), PRESET_GROUP) == ({*PRESETS, *VOCODERS}, GROUP)


def test_a_task_stands_under_its_own_name():
    """Configurations written when music was the only task are read as they are."""
    plain = PRESETS["tiny"]().to_json()
    assert list(plain) == ["name", "expects", "net", "train", "mel", "music", "conditions", "diffusion", "distill"]
    assert isinstance(Experiment.from_json(plain).task, MusicConfig)
    vocoder = PRESETS["vocoder-diffusion"]()
    assert vocoder.to_json()["diffusion_vocoder"]["frames"] == vocoder.task_as(DiffusionVocoderConfig).frames
    assert isinstance(Experiment.from_json(vocoder.to_json()).task, DiffusionVocoderConfig)
    with pytest.raises(InputError, match="vocoder-diffusion: models diffusion_vocoder"):
        _ = vocoder.task_as(MusicConfig)


@pytest.mark.parametrize("sections", [(), ("music", "diffusion_vocoder")])
def test_an_experiment_of_no_task_or_two_is_refused(sections: tuple[str, ...]):
    plain = PRESETS["tiny"]().to_json()
    del plain["music"]
    with pytest.raises(ValueError, match=r"names the tasks .*one of diffusion_vocoder, music, plan was expected"):
        Experiment.from_json(plain | {name: {} for name in sections})


def keep_components(task: TaskConfig, folder: Path) -> None:
    """Directions of no meaning, of the right number, where the packing is fitted to the data."""
    if isinstance(task, MusicConfig) and task.fitted:
        width = task.patch_frames * task.n_mels
        matrix = np.eye(task.components, width, dtype=np.float32)
        write_components(folder / COMPONENTS_FILE, Components(matrix=matrix, scale=1.0, explained=1.0))


@pytest.mark.parametrize("name", NAMES)
def test_every_preset_builds_and_fits_its_window(name: str, tmp_path: Path):
    """On the meta device: shapes without numbers, so the paper's networks cost nothing."""
    experiment = PRESETS[name]()
    if name == "paper-ddpm-unet2d":
        pytest.importorskip("diffusers", reason="the 2-D baseline needs the extra `baseline`")
    n_mels = experiment.mel.n_mels
    library = cast(Library, SimpleNamespace(band_mean=np.zeros(n_mels), band_std=np.ones(n_mels)))
    keep_components(experiment.task, tmp_path)
    task = experiment.kind.build(experiment.task, experiment.mel, library, tmp_path)
    with torch.device("meta"):
        denoiser = experiment.build(task)
        z_t = torch.empty(2, task.channels, experiment.task.length)
        aligned = torch.empty(2, task.aligned, experiment.task.length) if task.aligned else None
    v = denoiser(z_t, rates_like(cosine_rates(np.full(2, 0.5)), z_t), Condition(aligned=aligned))
    assert v.shape == z_t.shape
    assert sum(p.numel() for p in denoiser.parameters()) > 1e5


@pytest.mark.parametrize("name", ["paper-ddpm-unet2d", "paper-pdd-unet1d"])
def test_the_papers_settings_are_the_papers(name: str):
    experiment = PRESETS[name]()
    train = experiment.train
    assert (train.learning_rate, train.batch_size, train.epochs, train.anneal) == (2e-5, 8, 1000, "cosine")
    music = experiment.task_as(MusicConfig)
    assert (music.packing, music.context) == ("snake", False)
    assert train.total_steps(300_000) == train.total_steps(60_000) == 1_000_000 < 1000 * 60_000 // 8


@pytest.mark.parametrize("name", ["paper-ddpm-unet2d", "paper-pdd-unet1d"])
def test_what_the_papers_presets_add_is_named_and_can_be_off(name: str):
    added = re.findall(r"train\.(\w+)=0", PRESETS[name]().expects)
    assert added == ["ema_decay", "clip_norm"]
    plain = with_settings(PRESETS[name](), [f"train.{key}=0" for key in added])
    assert (plain.train.ema_decay, plain.train.clip_norm) == (0, 0)
    assert plain.distill.training(plain.train, 4).clip_norm == 0


def test_ddpm_is_sampled_at_all_its_steps_unless_somebody_says():
    """T_infer = T: 1000 network calls, the steps of the chain one after the other; a ladder begins with its own."""
    ddpm, pdd = PRESETS["paper-ddpm-unet2d"](), PRESETS["paper-pdd-unet1d"]()
    assert (ddpm.diffusion.sampling.sampler, ddpm.teacher_steps) == ("ancestral", 1000)
    path = ddpm.diffusion.sampling.path(ddpm.teacher_steps)
    assert len(path) == 1000
    assert [s for _, s in path[:-1]] == [t for t, _ in path[1:]]
    assert (pdd.diffusion.sampling.sampler, pdd.teacher_steps) == ("ddim", 1024)


def test_settings_are_applied_in_json():
    changed = with_settings(
        PRESETS["tiny"](),
        ["train.batch_size=4", "train.learning_rate=1", "net.widths=[16, 24]", "music.packing=snake",
         "net.direct=false"],
    )  # fmt: skip
    assert changed.train.batch_size == 4
    assert changed.train.learning_rate == 1
    assert isinstance(changed.net, UNet1dConfig)
    assert (changed.net.widths, changed.net.direct) == ((16, 24), False)
    assert changed.task_as(MusicConfig).packing == "snake"
    assert dataclasses.replace(changed, train=PRESETS["tiny"]().train).diffusion == PRESETS["tiny"]().diffusion


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("nonsense", "no setting of that name; there are .*train.batch_size"),
        ("net.widht=3", "no setting of that name"),
        ("name.x=3", "no setting of that name"),
        ("net.class=UNet2dConfig", "no setting of that name"),
        ("train.batch_size=0", "batch_size is 0: at least 1"),
        ("train.batch_size=many", "a value like 16 was expected"),
        ("train.batch_size=true", "a value like 16 was expected"),
        ("train.batch_size=2.5", "a value like 16 was expected"),
        ("train.compile=1", 'a value like "auto" was expected'),
        ("train.precision=fp8", "precision is 'fp8': one of fp32, bf16, auto"),
        ("train.anneal=stairs", "anneal is 'stairs': one of cosine, linear"),
        ("train.learning_rate=0", "learning_rate is 0"),
        ("train.learning_rate=-1e-3", "learning_rate is -0.001"),
        ("train.learning_rate=NaN", "learning_rate is nan"),
        ("train.learning_rate=Infinity", "learning_rate is inf"),
        ("train.ema_decay=1.0", "ema_decay is 1.0"),
        ("train.clip_norm=-1", "clip_norm is -1: 0 .off. or a number above it"),
        ("train.seed=-1", "seed is -1"),
        ("train.warmup_steps=-1", "warmup_steps is -1"),
        ("train.save_seconds=-1", "save_seconds is -1"),
        ("train.betas=[0.9]", r"betas is \(0.9,\)"),
        ("train.betas=[0.9, 1]", r"betas is \(0.9, 1\)"),
        ("train.epochs=0", "steps is 300, epochs 0: a whole number from 1 on"),
        ("music.packing=zigzag", "packing is 'zigzag': one of snake, patch, none"),
        ("music.frames=385", "frames is 385: a multiple of 3"),
        ("music.frames=3", "frames is 3: at least 24"),
        ("music.frames=387", r"length 129.*a multiple of 2"),
        ("music.n_mels=64", "music.n_mels is 64, mel.n_mels 128"),
        ("music.nothing_share=0.2", "nothing_share is 0.2"),
        ("music.context_noise=-1", "context_noise is -1"),
        ("mel.fmax_hz=high", "fmax_hz"),
        ("mel.hop_length=0", "hop_length"),
        ("net.widths=[96]", r"widths \(96,\).*one each a level"),
        ('net.widths=["wide", 1]', r"a value like \[96, 128\] was expected"),
        ("net.widths=[96, 0]", "widths"),
        ("net.widths=[96, 130]", "130.*attention_heads"),
        ("net.attention_heads=0", "attention_heads"),
        ("net.blocks=[1, 0]", "blocks"),
        ("net.embedding=0", "embedding is 0"),
        ("diffusion.weight=heavy", "weight is 'heavy'"),
        ("diffusion.parameterization=w", "parameterization is 'w'"),
        ("diffusion.schedule=straight", "schedule is 'straight'"),
        ("distill.start_steps=48", "start_steps is 48: a power of two"),
        ("distill.updates=0", "updates is 0"),
        ("distill.batch_size=0", "batch_size is 0"),
        ("distill.weight=heavy", "weight is 'heavy'"),
        ("distill.learning_rate=0", "learning_rate is 0"),
    ],
)
def test_a_setting_that_does_not_fit_is_refused_by_name(setting: str, says: str):
    with pytest.raises(InputError, match=f"settings .*{says}") as refused:
        with_settings(PRESETS["tiny"](), ["train.log_every=1", setting])
    assert setting in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_papers_network_refuses_widths_its_heads_do_not_divide():
    with pytest.raises(InputError, match="attention_heads"):
        with_settings(PRESETS["paper-pdd-unet1d"](), ["net.widths=[16, 20]"])


def test_a_machine_that_only_trains_needs_neither_onnx_nor_audio_libraries():
    """recipes/models/gpu_trip.py runs on a bare machine: Python, PyTorch and what comes with it."""
    program = """
import sys
for name in ("onnx", "onnxruntime", "soundfile", "soxr", "scipy", "librosa", "matplotlib", "typer"):
    sys.modules[name] = None
from halfstep.runs.presets import PRESETS, VOCODERS
from halfstep.tasks.music.on_device import DeviceWindows
assert PRESETS["flagship"]().kind.name == "music"
assert VOCODERS["vocoder-bands"]().build().mel.n_mels == 192
"""
    subprocess.run([sys.executable, "-c", program], check=True)
