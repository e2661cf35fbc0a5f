"""What a training would take on this machine: a few updates of it, in a folder that goes again."""

import statistics
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from halfstep.data.dataset import Library
from halfstep.machine import peak_bytes
from halfstep.runs.run_folder import Run, new_run
from halfstep.runs.train import resolved
from halfstep.runs.vocoder import VocoderRun
from halfstep.training.checkpoint import CHECKPOINTS
from halfstep.training.denoising import denoising_loss
from halfstep.training.devices import device_named
from halfstep.training.log import read_log
from halfstep.training.loop import NoObserver, train
from halfstep.training.train_config import TrainConfig

UPDATES = 5
"""The first of them warm up what they use."""
KEPT_AT_ONCE = 3
"""Checkpoints: two, and the one that is being written."""


@dataclass(frozen=True, kw_only=True)
class Rehearsal:
    """updates: of the whole training. seconds: it takes, less what is measured and sampled on the way."""

    preset: str
    device: str
    parameters: int
    windows: int
    updates: int
    seconds_per_update: float
    seconds: float
    memory_bytes: int | None
    """Of this process; on a GPU, of its memory."""
    disk_bytes: int
    """Of the checkpoints."""


def rehearse(
    data: Path | str, preset: str, settings: list[str], steps: int | None, device: str | None = None
) -> Rehearsal:
    """UPDATES updates of what `train_command` would do, nothing of which is kept. Errors as there."""
    experiment = resolved(data, preset, settings, steps)
    with tempfile.TemporaryDirectory(prefix="halfstep-rehearsal-") as folder:
        run = new_run(Path(folder), experiment, Library(data), device_named(device))
        windows = run.windows("train")
        windows.expect(experiment.train.batch_size, "train.batch_size")
        updates = experiment.train.total_steps(windows.count)
        config = replace(
            experiment.train, steps=min(UPDATES, updates), epochs=None, seconds=None, log_every=1,
            measure_every=UPDATES, sample_every=UPDATES,
        )  # fmt: skip
        network = _train(run, config)
        rates = [line["windows_per_second"] for line in read_log(Path(folder)) if "windows_per_second" in line]
        disk = max(path.stat().st_size for path in (Path(folder) / CHECKPOINTS).glob("*.safetensors"))
    each = config.batch_size / statistics.median(rates[1:] or rates)
    on_card = run.device.type == "cuda"
    return Rehearsal(
        preset=preset, device=str(run.device), parameters=sum(p.numel() for p in network.parameters()),
        windows=windows.count, updates=updates, seconds_per_update=each,
        seconds=min(each * updates, experiment.train.seconds or each * updates),
        memory_bytes=torch.cuda.max_memory_allocated(run.device) if on_card else peak_bytes(),
        disk_bytes=KEPT_AT_ONCE * disk,
    )  # fmt: skip


def _train(run: Run | VocoderRun, config: TrainConfig) -> nn.Module:
    if isinstance(run, VocoderRun):
        return train(*run.trained(config), NoObserver(), run.device, _unseen)
    denoiser = run.network()
    loss, batches = denoising_loss(run.experiment.diffusion), run.batches(config.batch_size)
    return train(denoiser, loss, batches, run.path, config, NoObserver(), run.device, _unseen)


def _unseen(done: float, of: float, line: str) -> None:
    return None
