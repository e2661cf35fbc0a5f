#!/usr/bin/env python3
"""Render free piano scores with a sampled grand piano, as a data set to train on.

    pip install music21==10.5.1 mido numpy soundfile
    python recipes/music/render_piano.py OUT [--soundfont SF2] [--minutes N] [--stated-licences]

Writes OUT/piano/*.flac (44.1 kHz, stereo) and OUT/piano/LICENCES.json (one entry a file). The scores are
those of piano_scores.py, in its order, until N minutes are there; quantised ones are humanised with a seed
from the file's name, expressive ones are left as they are. When the scores run out, all are played again
transposed and at another tempo. Such a variant keeps its `piece`, and the file name before `__`, so that a
split by piece keeps it on the piece's side. With --stated-licences, scores whose encoding carries no notice
are left out (the model in the package was trained without them). What is there already is kept, so the same
command may be run
again. Needs npm, fluidsynth and a General MIDI soundfont; as root it installs Debian's.

Exit codes: 0 done, 2 a tool, a package or a score is not as expected (one line on standard error).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf
from fetch_soundtracks import FetchError, replace_text, run_tool
from humanise import adapt_midi, perform, read_score, write_midi
from piano_scores import NO_NOTICE, Piece, corpus_pieces, jam_pieces

SAMPLE_RATE = 44_100
PEAK = 0.9
SOUNDFONT_PACKAGE = "fluid-soundfont-gm"
SOUNDFONT_LICENCES = {
    "FluidR3_GM.sf2": "MIT",
    "MuseScore_General.sf2": "MIT",
    "MuseScore_General.sf3": "MIT",
    "TimGM6mb.sf2": "GPL-2",
}


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


def takes(cache: Path, stated_only: bool) -> Iterator[tuple[Piece, Variant]]:
    """Every piece as it stands (of those whose encoding states a licence), then again in each variant."""
    pieces = []
    for source in (jam_pieces(cache), corpus_pieces(cache)):
        for piece in source:
            if stated_only and piece.terms == NO_NOTICE:
                continue
            pieces.append(piece)
            yield piece, Variant()
    for variant in VARIANTS:
        for piece in pieces:
            yield piece, variant


def play(piece: Piece, variant: Variant, midi: Path) -> None:
    """Write the MIDI file to be rendered: expressive pieces as they are, others performed, seed fixed."""
    if piece.expressive:
        adapt_midi(piece.midi, midi, variant.semitones, variant.speed)
        return
    seed = int.from_bytes(hashlib.sha256((piece.piece + variant.suffix).encode()).digest()[:8], "little")
    score = read_score(piece.midi, piece.quarter_bpm)
    write_midi(perform(score, np.random.default_rng(seed)), midi, variant.semitones, variant.speed)


def peak_of(wav: Path) -> float:
    """The largest sample of `wav`; FetchError where it is not finite, or where the file is silent."""
    peak = max(float(np.abs(block).max()) for block in sf.blocks(wav, blocksize=1 << 18))
    if not 1e-3 < peak < np.inf:
        raise FetchError(f"fluidsynth rendered silence or worse (peak {peak})")
    return peak


def render(midi: Path, soundfont: Path, target: Path) -> None:
    """Write `midi` as FLAC, 16 bits, its peak at PEAK; aside first, so that `target` is whole or absent."""
    wav, part = midi.with_suffix(".wav"), target.with_suffix(".part")
    sound = ["-R", "1", "-C", "0", "-g", "0.5", "-r", str(SAMPLE_RATE), "-O", "float", "-T", "wav"]
    run_tool(["fluidsynth", "-ni", "-q", *sound, "-F", str(wav), str(soundfont), str(midi)], midi.parent)
    gain = PEAK / peak_of(wav)
    with sf.SoundFile(part, "w", SAMPLE_RATE, 2, subtype="PCM_16", format="FLAC") as flac:
        for block in sf.blocks(wav, blocksize=1 << 18, dtype="float32", always_2d=True):
            flac.write(block * np.float32(gain))
    part.replace(target)


def find_soundfont() -> Path:
    """Debian's FluidR3_GM; it and fluidsynth are installed first where they are missing and this is root."""
    try:
        listing = run_tool(["dpkg", "-L", SOUNDFONT_PACKAGE], Path.cwd())
        missing = shutil.which("fluidsynth") is None
    except FetchError:
        listing, missing = "", True
    if missing:
        command = ["apt-get", "install", "--yes", "--no-install-recommends", "fluidsynth", SOUNDFONT_PACKAGE]
        if os.geteuid() != 0:
            raise FetchError(f"fluidsynth or its soundfont is missing; try: sudo {' '.join(command)}")
        run_tool(command, Path.cwd())
        listing = run_tool(["dpkg", "-L", SOUNDFONT_PACKAGE], Path.cwd())
    return next(Path(line) for line in listing.splitlines() if line.endswith("FluidR3_GM.sf2"))


def render_all(out: Path, soundfont: Path, minutes: float, stated_only: bool) -> Iterator[tuple[Recording, float]]:
    """Yields (entry, minutes) of file after file of OUT/piano, rendering what is missing, until enough."""
    folder, cache = out / "piano", out / ".scores"
    for needed in (folder, cache):
        needed.mkdir(parents=True, exist_ok=True)
    total = 0.0
    for piece, variant in takes(cache, stated_only):
        if total >= minutes:
            return
        target = folder / f"{piece.piece}{variant.suffix}.flac"
        if not target.is_file():
            with tempfile.TemporaryDirectory(dir=cache) as scratch:
                midi = Path(scratch) / "performance.mid"
                play(piece, variant, midi)
                render(midi, soundfont, target)
        length = sf.info(target).duration / 60
        total += length
        yield entry_of(piece, target, soundfont), length
    print(f"every piece and variant is there: {total:.1f} of {minutes:g} minutes", file=sys.stderr)


def entry_of(piece: Piece, target: Path, soundfont: Path) -> Recording:
    """The entry of LICENCES.json for `target`."""
    return Recording(
        file=target.name,
        piece=piece.piece,
        composer=piece.composer,
        source=piece.source,
        licence=piece.terms.licence,
        encoder=piece.terms.encoder,
        soundfont=soundfont.name,
        soundfont_licence=SOUNDFONT_LICENCES.get(soundfont.name, "unknown: read the soundfont's own"),
    )


def known_entries(listing: Path) -> dict[str, dict[str, Any]]:
    """What LICENCES.json says of files that are there, by file: fewer minutes asked for take nothing away."""
    if not listing.is_file():
        return {}
    entries = json.loads(listing.read_text(encoding="utf-8"))
    return {entry["file"]: entry for entry in entries if (listing.parent / entry["file"]).is_file()}


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line: `out`, `soundfont` (None: Debian's) and `minutes`."""
    parser = argparse.ArgumentParser(description="Render free piano scores with a sampled grand piano.")
    parser.add_argument("out", type=Path, metavar="OUT", help="folder that gets the folder piano")
    parser.add_argument("--soundfont", type=Path, metavar="SF2", help="default: Debian's FluidR3_GM")
    parser.add_argument("--minutes", type=float, default=75, metavar="N", help="at least so much (default 75)")
    parser.add_argument("--stated-licences", action="store_true", help="only scores whose encoding states its licence")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Render until enough is there; the exit code."""
    options = parse_arguments(arguments)
    listing = options.out / "piano" / "LICENCES.json"
    try:
        soundfont = (options.soundfont or find_soundfont()).resolve(strict=True)
        entries, total = known_entries(listing), 0.0
        takes_all = render_all(options.out.resolve(), soundfont, options.minutes, options.stated_licences)
        for entry, length in takes_all:
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
