"""`halfstep generate`: pieces to files, everything that can be refused refused before the first is begun."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import halfstep
from halfstep.app.generate.order import Order
from halfstep.app.outputs import check_room, checked_outputs
from halfstep.app.progress import Report, progress
from halfstep.app.stopping import stoppable
from halfstep.app.thumbnail import Thumbnail
from halfstep.audio.files.io import Audio, read, read_info, write
from halfstep.audio.mel import Float32
from halfstep.generation.model import Model, span
from halfstep.generation.wanted import Wanted


def generate_files(order: Order) -> None:
    """Write the pieces. InputError for what the user can mend, OSError for a full disk."""
    order.check()
    paths = checked_outputs(order.out, order.count)
    model = halfstep.load(order.model)
    wanted = _wanted(model, order)
    samples = model.samples_in(wanted.seconds, "--seconds") + sum(
        _samples_of(recording, model.sample_rate) for recording in (wanted.context, wanted.into)
    )
    check_room(order.out, samples, order.count)
    pieces = [replace(wanted, seed=seed) for seed in range(order.seed, order.seed + order.count)]
    music = [model.blocks(piece) for piece in pieces]

    seconds = samples / model.sample_rate
    for path, piece, blocks in zip(paths, pieces, music, strict=True):
        what = _description(model, order, piece)
        began = time.perf_counter()
        with progress(path.name) as report, stoppable(_counted(blocks, samples, report)) as counted:
            _write_piece(path, counted, model, what, seconds, order)
        took = time.perf_counter() - began
        print(f"{path}: {seconds:.1f} s, {what}, made in {took:.1f} s (real-time factor {took / seconds:.3f})")


def _wanted(model: Model, order: Order) -> Wanted:
    """The order as the model is asked; a recording to mend becomes its two ends."""
    context, into, seconds = order.recording, order.into, order.new_seconds
    if order.mend is not None:
        assert order.mend_from is not None and order.mend_to is not None
        whole = read(order.mend, model.sample_rate, mono=True)
        first, last = span(order.mend_from, order.mend_to, whole)
        context, into = (
            Audio(whole.samples[:, :first], model.sample_rate),
            Audio(whole.samples[:, last:], model.sample_rate),
        )
        seconds = (last - first) / model.sample_rate
    return Wanted(
        seconds=seconds, seed=order.seed, steps=order.steps, context=context, into=into, loop=order.loop,
        variation=order.variation, toward=order.toward, vocoder=order.vocoder,
    )  # fmt: skip


def _samples_of(recording: Audio | str | Path | None, sample_rate: int) -> int:
    """How many samples a recording has; of a file, as many as its header declares."""
    if recording is None:
        return 0
    if isinstance(recording, Audio):
        return recording.samples.shape[1]
    info = read_info(Path(recording))
    return round(info.frames_declared * sample_rate / info.sample_rate)


def _write_piece(path: Path, blocks: Iterator[Float32], model: Model, what: str, seconds: float, order: Order) -> None:
    thumbnail = Thumbnail(model.manifest.mel)
    metadata = {
        "software": f"halfstep {halfstep.__version__}",
        "comment": what,
        "license": model.manifest.output_licence,
    }
    seen = thumbnail.watching(blocks) if order.plot else blocks
    write(path, seen, model.sample_rate, metadata, seconds=seconds, loop=order.loop)
    if order.plot:
        thumbnail.save(path.with_suffix(".png"))


def _description(model: Model, order: Order, piece: Wanted) -> str:
    """What the bytes follow from, besides recordings."""
    steps = model.manifest.default_steps if piece.steps is None else piece.steps
    parts = [f"model {model.manifest.id}", f"seed {piece.seed}", f"{steps} steps", f"{model.threads} thread(s)"]
    parts += [f"varied {piece.variation:g}"] if piece.variation is not None else []
    parts += [f"toward {piece.toward}"] if piece.toward is not None else []
    parts += [f"vocoder {order.vocoder}"] if order.vocoder is not None else []
    parts += ["a loop"] if order.loop else []
    return ", ".join(parts)


def _counted(blocks: Iterator[Float32], samples: int, report: Report) -> Iterator[Float32]:
    done = 0
    for block in blocks:
        yield block
        done += block.shape[1]
        report(done, samples, "")
