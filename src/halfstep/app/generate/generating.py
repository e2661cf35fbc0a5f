"""`halfstep generate`: pieces to files, everything that can be refused refused before the first is begun."""

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import halfstep
from halfstep.app.generate.delivering import STANDARD, Delivery, at_rate, check_standard, to_standard
from halfstep.app.generate.storing import BroughtDown, Stored, storing
from halfstep.app.outputs import check_room, checked_outputs, make_folders
from halfstep.app.progress import Report, progress
from halfstep.app.run_folders import as_model
from halfstep.app.stopping import stoppable
from halfstep.app.terminal import note
from halfstep.app.thumbnail import Thumbnail
from halfstep.audio.files.io import Audio, write
from halfstep.audio.files.midi import Score
from halfstep.generation.continuation import Samples
from halfstep.generation.model import Coming, Model
from halfstep.generation.requests import Leading, Request, RequestError, Restyle
from halfstep.printable import printable

if TYPE_CHECKING:
    from halfstep.cluster.ray_cluster import Cluster

USUAL = Delivery()


@dataclass(frozen=True, kw_only=True, eq=False)
class PieceOrder:
    """One piece of several: what it is, the folder of the model that plays it, and how it is stored where."""

    path: Path
    piece: Request
    model: Path
    plot: bool
    stored: Stored
    delivery: Delivery


@dataclass(frozen=True, kw_only=True)
class Made:
    """What is said of a piece: facts for a machine, a line, and how much was clipped if anything was."""

    facts: dict[str, object]
    line: str
    clipped: str | None


def generate_files(
    out: Path,
    request: Request,
    *,
    model: str | None,
    count: int,
    plot: bool,
    delivery: Delivery = USUAL,
    cluster: "Cluster | None" = None,
) -> None:
    """Write `count` pieces, from the request's seed on; to standard output where `out` is `-`.

    cluster: whose machines make them, each piece on one; this one if None.
    InputError for what the user can mend, OSError for a full disk.
    """
    if request.loops and out.suffix.lower() == ".mp3":
        raise RequestError("{loop}: an MP3 begins and ends with silence of its own; use .wav, .flac or .ogg")
    piped = out == STANDARD
    stores = Path("-.wav") if piped else out
    named = (*request.recordings, *([] if request.guide is None else [request.guide]))
    files = [Path(one) for one in named if not isinstance(one, Audio | Score)]
    if piped:
        check_standard(count, plot, delivery.as_json)
    paths = [out] if piped else checked_outputs(out, count, files, [".png"] if plot else [])
    loaded = halfstep.load(as_model(model))
    pieces = [replace(request, seed=seed) for seed in range(request.seed, request.seed + count)]
    music = [at_rate(loaded.coming(piece), delivery.sample_rate, piece.loops) for piece in pieces]
    form, samples = music[0].form, music[0].samples
    stored = storing(stores, form, delivery.bits)
    if not piped:
        check_room(out, samples, count, form.channels, stored.bits)
        make_folders(paths)

    folder = loaded.folder.path.absolute()
    orders = [
        PieceOrder(path=path, piece=piece, model=folder, plot=plot, stored=stored, delivery=delivery)
        for path, piece in zip(paths, pieces, strict=True)
    ]
    made = _by_hand(loaded, orders, music) if cluster is None or piped else _on(cluster, orders)
    facts: list[dict[str, object]] = []
    for one in made:
        facts.append(one.facts)
        if not delivery.as_json:
            note(one.line, aside=piped)
        if one.clipped:
            print(one.clipped, file=sys.stderr)
    if delivery.as_json:
        print(json.dumps({"pieces": facts}, indent=1))


def _by_hand(loaded: Model, orders: list[PieceOrder], music: list[Coming]) -> Iterator[Made]:
    for order, coming in zip(orders, music, strict=True):
        with progress(order.path.name) as report:
            made = _make(order, loaded, coming, report)
        yield made


def _on(cluster: "Cluster", orders: list[PieceOrder]) -> list[Made]:
    """All of them, in their order."""
    made: dict[Path, Made] = {}
    # This machine's names for files are the other machines' too, but not its current folder.
    there = [replace(order, path=order.path.absolute()) for order in orders]
    with progress("generate") as report:
        for order, one in cluster.answers(made_there, there):
            made[order.path] = one
            report(len(made), len(orders), order.path.name)
    return [made[order.path] for order in there]


def made_there(order: PieceOrder) -> Made:
    """On a machine of a cluster."""
    loaded = _loaded(order.model)
    coming = at_rate(loaded.coming(order.piece), order.delivery.sample_rate, order.piece.loops)
    return _make(order, loaded, coming, lambda done, of, word: None)


@lru_cache(maxsize=1)
def _loaded(folder: Path) -> Model:
    return halfstep.load(folder)


def _make(order: PieceOrder, loaded: Model, coming: Coming, report: Report) -> Made:
    """Write one piece."""
    path, piece, stored, samples = order.path, order.piece, order.stored, coming.samples
    what = described(loaded, piece)
    began = time.perf_counter()
    down = BroughtDown(coming.blocks, stored)
    with stoppable(_counted(iter(down), samples, report)) as counted:
        if path == STANDARD:
            to_standard(counted, stored, samples, order.delivery.standard, bool(piece.recordings))
        else:
            seconds = samples / stored.form.sample_rate
            write_piece(path, counted, loaded, what, seconds, piece, order.plot, stored)
    facts = _facts(path, loaded, piece, stored, samples, time.perf_counter() - began)
    line = _line(path, facts, stored, what, keeps=bool(piece.recordings))
    return Made(facts=facts, line=line, clipped=f"{printable(path)}: {down.said}" if down.samples else None)


def _facts(path: Path, model: Model, piece: Request, stored: Stored, samples: int, took: float) -> dict[str, object]:
    """Of one piece, for a machine to read."""
    seconds = samples / stored.form.sample_rate
    return {
        "out": str(path), "seconds": seconds, "samples": samples, "sample_rate": stored.form.sample_rate,
        "channels": stored.form.channels, "bits": stored.bits, "model": model.manifest.id, "seed": piece.seed,
        "steps": model.manifest.default_steps if piece.steps is None else piece.steps, "loop": piece.loops,
        "license": model.manifest.output_licence, "took_seconds": took, "real_time_factor": took / seconds,
        **({"asked": dict(piece.asked)} if piece.asked else {}),
        **({} if piece.guide is None else {"guide": _guide_name(piece.guide)}),
    }  # fmt: skip


def _line(path: Path, facts: dict[str, object], stored: Stored, what: str, keeps: bool) -> str:
    kept = f"{stored.said}, " if keeps else ""
    made = f"made in {facts['took_seconds']:.1f} s (real-time factor {facts['real_time_factor']:.3f})"
    return f"{path}: {facts['seconds']:.1f} s, {kept}{what}, {made}"


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
    parts = [f"model {model.manifest.id}", f"seed {piece.seed}", f"{steps} steps", f"{model.engine.threads} thread(s)"]
    parts += [piece.sampler] if piece.sampler is not None else []
    parts += [f"{piece.respacing} respacing"] if piece.respacing is not None else []
    parts += [f"restyled with strength {piece.strength:g}"] if isinstance(piece, Restyle) else []
    parts += [f"varied {piece.variation:g}"] if piece.variation is not None else []
    parts += [f"toward {piece.toward}"] if piece.toward is not None else []
    parts += [f"vocoder {piece.vocoder}"] if piece.vocoder is not None else []
    parts += [f"{piece.loudness:g} LUFS"] if piece.loudness is not None else []
    parts += [f"{name} {asked}" for name, asked in piece.asked.items()]
    parts += [] if piece.guide is None else [f"guided by {_guide_name(piece.guide)}"]
    parts += ["a loop"] if piece.loops else []
    return ", ".join(parts)


def _guide_name(guide: Leading) -> str:
    if isinstance(guide, Score):
        return "a score"
    return "a recording" if isinstance(guide, Audio) else printable(Path(guide).name)


def _counted(blocks: Iterator[Samples], samples: int, report: Report) -> Iterator[Samples]:
    done = 0
    for block in blocks:
        yield block
        done += block.shape[1]
        report(done, samples, "")
