"""`halfstep generate`: pieces to files, everything that can be refused refused before the first is begun."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import halfstep
from halfstep.app.outputs import check_room, checked_outputs
from halfstep.app.progress import Report, progress
from halfstep.app.stopping import stoppable
from halfstep.app.thumbnail import Thumbnail
from halfstep.audio.files.io import Audio, read_info, write
from halfstep.audio.mel import Float32
from halfstep.generation.model import Model
from halfstep.generation.requests import Recording, Request, RequestError


def generate_files(out: Path, request: Request, *, model: str | None, count: int, plot: bool) -> None:
    """Write `count` pieces, from the request's seed on.

    InputError for what the user can mend, OSError for a full disk.
    """
    if request.loops and out.suffix.lower() == ".mp3":
        raise RequestError("{loop}: an MP3 begins and ends with silence of its own; use .wav, .flac or .ogg")
    files = [Path(recording) for recording in request.recordings if not isinstance(recording, Audio)]
    paths = checked_outputs(out, count, files, [".png"] if plot else [])
    loaded = halfstep.load(model)
    timed = loaded.timed(request)
    samples = timed.samples(loaded.manifest.mel)
    samples += sum(_samples_of(one, loaded.sample_rate) for one in timed.recordings)
    check_room(out, samples, count)
    pieces = [replace(timed, seed=seed) for seed in range(timed.seed, timed.seed + count)]
    music = [loaded.blocks(piece) for piece in pieces]

    seconds = samples / loaded.sample_rate
    for path, piece, blocks in zip(paths, pieces, music, strict=True):
        what = described(loaded, piece)
        began = time.perf_counter()
        with progress(path.name) as report, stoppable(_counted(blocks, samples, report)) as counted:
            write_piece(path, counted, loaded, what, seconds, piece.loops, plot)
        took = time.perf_counter() - began
        print(f"{path}: {seconds:.1f} s, {what}, made in {took:.1f} s (real-time factor {took / seconds:.3f})")


def _samples_of(recording: Recording, sample_rate: int) -> int:
    """How many samples a recording has; of a file, as many as its header declares."""
    if isinstance(recording, Audio):
        return recording.samples.shape[1]
    info = read_info(Path(recording))
    return round(info.frames_declared * sample_rate / info.sample_rate)


def write_piece(
    path: Path, blocks: Iterator[Float32], model: Model, what: str, seconds: float, loop: bool, plot: bool
) -> None:
    """Its blocks to a file, which says what it is; a loop with its points, and its picture beside it for `plot`."""
    thumbnail = Thumbnail(model.manifest.mel)
    metadata = {
        "software": f"halfstep {halfstep.__version__}",
        "comment": what,
        "license": model.manifest.output_licence,
    }
    seen = thumbnail.watching(blocks) if plot else blocks
    write(path, seen, model.sample_rate, metadata, seconds=seconds, loop=loop)
    if plot:
        thumbnail.save(path.with_suffix(".png"))


def described(model: Model, piece: Request) -> str:
    """What the bytes follow from, besides recordings."""
    steps = model.manifest.default_steps if piece.steps is None else piece.steps
    parts = [f"model {model.manifest.id}", f"seed {piece.seed}", f"{steps} steps", f"{model.threads} thread(s)"]
    parts += [piece.sampler] if piece.sampler is not None else []
    parts += [f"{piece.respacing} respacing"] if piece.respacing is not None else []
    parts += [f"varied {piece.variation:g}"] if piece.variation is not None else []
    parts += [f"toward {piece.toward}"] if piece.toward is not None else []
    parts += [f"vocoder {piece.vocoder}"] if piece.vocoder is not None else []
    parts += ["a loop"] if piece.loops else []
    return ", ".join(parts)


def _counted(blocks: Iterator[Float32], samples: int, report: Report) -> Iterator[Float32]:
    done = 0
    for block in blocks:
        yield block
        done += block.shape[1]
        report(done, samples, "")
