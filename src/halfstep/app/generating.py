"""`halfstep generate`: pieces to files, everything that can be refused refused before the first is begun."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import halfstep
from halfstep.app.outputs import check_room, checked_outputs
from halfstep.app.progress import Report, progress
from halfstep.app.stopping import stoppable
from halfstep.app.thumbnail import Thumbnail
from halfstep.audio.io import read_info, write
from halfstep.audio.mel import Float32
from halfstep.generation.model import Model


@dataclass(frozen=True, kw_only=True)
class Order:
    """What was asked for; see `halfstep generate --help`."""

    out: Path
    seconds: float
    seed: int
    steps: int | None
    model: str | None
    count: int
    recording: Path | None
    plot: bool


def generate_files(order: Order) -> None:
    """Write the pieces. InputError for what the user can mend, OSError for a full disk."""
    paths = checked_outputs(order.out, order.count)
    model = halfstep.load(order.model)
    samples = _samples(model, order)
    check_room(order.out, samples, order.count)
    seeds = range(order.seed, order.seed + order.count)
    music = [model.blocks(order.seconds, seed, order.steps, order.recording) for seed in seeds]

    seconds = samples / model.sample_rate
    for path, seed, blocks in zip(paths, seeds, music, strict=True):
        what = _description(model, order, seed)
        began = time.perf_counter()
        with progress(path.name) as report, stoppable(_counted(blocks, samples, report)) as counted:
            _write_piece(path, counted, model, what, seconds, order.plot)
        took = time.perf_counter() - began
        print(f"{path}: {seconds:.1f} s, {what}, made in {took:.1f} s (real-time factor {took / seconds:.3f})")


def _samples(model: Model, order: Order) -> int:
    """How many samples a piece will have; of a recording, as many as its header declares."""
    new = model.samples_in(order.seconds, "--seconds")
    if order.recording is None:
        return new
    info = read_info(order.recording)
    return new + round(info.frames_declared * model.sample_rate / info.sample_rate)


def _write_piece(path: Path, blocks: Iterator[Float32], model: Model, what: str, seconds: float, plot: bool) -> None:
    thumbnail = Thumbnail(model.manifest.mel)
    metadata = {
        "software": f"halfstep {halfstep.__version__}",
        "comment": what,
        "license": model.manifest.output_licence,
    }
    seen = thumbnail.watching(blocks) if plot else blocks
    write(path, seen, model.sample_rate, metadata, seconds=seconds)
    if plot:
        thumbnail.save(path.with_suffix(".png"))


def _description(model: Model, order: Order, seed: int) -> str:
    """What the bytes follow from."""
    steps = model.manifest.default_steps if order.steps is None else order.steps
    return f"model {model.manifest.id}, seed {seed}, {steps} steps, {model.threads} thread(s)"


def _counted(blocks: Iterator[Float32], samples: int, report: Report) -> Iterator[Float32]:
    done = 0
    for block in blocks:
        yield block
        done += block.shape[1]
        report(done, samples, "")
