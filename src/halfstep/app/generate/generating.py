"""`halfstep generate`: pieces to files, everything that can be refused refused before the first is begun."""

import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import halfstep
from halfstep.app.generate.storing import BroughtDown, Stored, storing
from halfstep.app.outputs import check_room, checked_outputs
from halfstep.app.progress import Report, progress
from halfstep.app.run_folders import as_model
from halfstep.app.stopping import stoppable
from halfstep.app.terminal import say
from halfstep.app.thumbnail import Thumbnail
from halfstep.audio.files.io import Audio, write
from halfstep.generation.continuation import Samples
from halfstep.generation.model import Model
from halfstep.generation.requests import Request, RequestError
from halfstep.printable import printable


def generate_files(out: Path, request: Request, *, model: str | None, count: int, plot: bool) -> None:
    """Write `count` pieces, from the request's seed on.

    InputError for what the user can mend, OSError for a full disk.
    """
    if request.loops and out.suffix.lower() == ".mp3":
        raise RequestError("{loop}: an MP3 begins and ends with silence of its own; use .wav, .flac or .ogg")
    files = [Path(recording) for recording in request.recordings if not isinstance(recording, Audio)]
    paths = checked_outputs(out, count, files, [".png"] if plot else [])
    loaded = halfstep.load(as_model(model))
    pieces = [replace(request, seed=seed) for seed in range(request.seed, request.seed + count)]
    music = [loaded.coming(piece) for piece in pieces]
    form, samples = music[0].form, music[0].samples
    stored = storing(out, form)
    check_room(out, samples, count, form.channels, stored.bits)

    seconds = samples / form.sample_rate
    for path, piece, coming in zip(paths, pieces, music, strict=True):
        what = described(loaded, piece)
        began = time.perf_counter()
        down = BroughtDown(coming.blocks, stored)
        with progress(path.name) as report, stoppable(_counted(iter(down), samples, report)) as counted:
            write_piece(path, counted, loaded, what, seconds, piece, plot, stored)
        took = time.perf_counter() - began
        kept = f"{stored.said}, " if request.recordings else ""
        say(f"{path}: {seconds:.1f} s, {kept}{what}, made in {took:.1f} s (real-time factor {took / seconds:.3f})")
        if down.samples:
            print(f"{printable(path)}: {down.said}", file=sys.stderr)


def write_piece(
    path: Path, blocks: Iterator[Samples], model: Model, what: str, seconds: float, piece: Request, plot: bool,
    stored: Stored,
) -> None:  # fmt: skip
    """Its blocks to a file, which says what it is; a loop with its points, and its picture beside it for `plot`."""
    rate = stored.form.sample_rate
    thumbnail = Thumbnail(model.manifest.mel, rate)
    metadata = {
        "software": f"halfstep {halfstep.__version__}",
        "comment": what,
        "license": model.manifest.output_licence,
    }
    seen = thumbnail.watching(blocks) if plot else blocks
    exact = bool(piece.recordings)
    write(path, seen, rate, metadata, stored.subtype, seconds=seconds, loop=piece.loops, exact=exact)
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


def _counted(blocks: Iterator[Samples], samples: int, report: Report) -> Iterator[Samples]:
    done = 0
    for block in blocks:
        yield block
        done += block.shape[1]
        report(done, samples, "")
