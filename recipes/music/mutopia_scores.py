#!/usr/bin/env python3
"""Keyboard scores of the Mutopia Project as MIDI files, with what each score's own header says of it.

    git clone https://github.com/MutopiaProject/MutopiaProject CLONE
    python recipes/music/mutopia_scores.py CLONE CACHE [--limit N]

Writes CACHE/mutopia/*.mid and *.json; render_piano.py --mutopia CLONE does the same when it plays them. Chosen are
scores for a keyboard alone, by composers of COMPOSERS, whose header places them in the public domain or under CC0,
CC-BY or CC-BY-SA. LilyPond (Debian: lilypond) turns them into MIDI, typesetting nothing, every repeat once. What is
left out is named on standard error with the reason; what is there already is kept.

Exit codes: 0 done, 2 LilyPond or the clone is not as expected (one line on standard error).
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from fetch_soundtracks import FetchError, replace_text, run_tool, slug
from piano_scores import Piece, Terms
from pianos import seed_of

# Composers of music for the keyboard, by their folder; all died before 1954. Studies for the fingers alone stay out.
COMPOSERS = {
    "AlbenizIMF": "Isaac Albéniz",
    "AlkanCV": "Charles-Valentin Alkan",
    "BachCPE": "Carl Philipp Emanuel Bach",
    "BachJS": "Johann Sebastian Bach",
    "BartokB": "Béla Bartók",
    "BeethovenLv": "Ludwig van Beethoven",
    "BizetG": "Georges Bizet",
    "BlumenthalJ": "Jacques Blumenthal",
    "BrahmsJ": "Johannes Brahms",
    "BurgmullerJFF": "Friedrich Burgmüller",
    "ChabrierEA": "Emmanuel Chabrier",
    "ChopinFF": "Frédéric Chopin",
    "ClementiM": "Muzio Clementi",
    "CouperinF": "François Couperin",
    "DandrieuJ": "Jean-François Dandrieu",
    "DebussyC": "Claude Debussy",
    "DiabelliA": "Anton Diabelli",
    "DussekJL": "Jan Ladislav Dussek",
    "DvorakA": "Antonín Dvořák",
    "FaureG": "Gabriel Fauré",
    "FieldJ": "John Field",
    "FischerJKF": "Johann Caspar Ferdinand Fischer",
    "FranckC": "César Franck",
    "FrobergerJJ": "Johann Jakob Froberger",
    "GershwinG": "George Gershwin",
    "GlazunovA": "Alexander Glazunov",
    "GottschalkLM": "Louis Moreau Gottschalk",
    "GranadosE": "Enrique Granados",
    "GriegE": "Edvard Grieg",
    "HandelGF": "George Frideric Handel",
    "HaydnFJ": "Joseph Haydn",
    "Ippolitov-IvanovM": "Mikhail Ippolitov-Ivanov",
    "JoplinS": "Scott Joplin",
    "KuhlauF": "Friedrich Kuhlau",
    "KuhnauJ": "Johann Kuhnau",
    "LisztF": "Franz Liszt",
    "Mendelssohn-BartholdyF": "Felix Mendelssohn Bartholdy",
    "MozartWA": "Wolfgang Amadeus Mozart",
    "MussorgskyM": "Modest Mussorgsky",
    "NielsenCA": "Carl Nielsen",
    "PachelbelJ": "Johann Pachelbel",
    "PejacsevichD": "Dora Pejačević",
    "PurcellH": "Henry Purcell",
    "RachmaninoffS": "Sergei Rachmaninoff",
    "RameauJP": "Jean-Philippe Rameau",
    "RegerM": "Max Reger",
    "Rimsky-KorsakovN": "Nikolai Rimsky-Korsakov",
    "RoyerJNP": "Joseph-Nicolas-Pancrace Royer",
    "Saint-SaensC": "Camille Saint-Saëns",
    "SatieE": "Erik Satie",
    "ScarlattiD": "Domenico Scarlatti",
    "SchubertF": "Franz Schubert",
    "SchumannR": "Robert Schumann",
    "ScriabinA": "Alexander Scriabin",
    "StanchinskyAV": "Alexei Stanchinsky",
    "TchaikovskyPI": "Pyotr Ilyich Tchaikovsky",
    "TurpinT": "Tom Turpin",
}
KEYBOARD = r"(?:piano|pianoforte|fortepiano|harpsichord|clavichord|clavier|cembalo|keyboard)"
SOLO_KEYBOARD = re.compile(rf"(?:solo )?{KEYBOARD}(?:(?:\s*[,/&]\s*|\s+or\s+)(?:{KEYBOARD}|organ))*(?: solo)?")
LICENCE = re.compile(
    r"(?P<domain>public domain)"
    r"|(?:cc0|creative commons zero)(?: 1\.0)?"
    r"|(?:creative commons attribution|cc[- ]by)(?P<alike>[- ]?(?:share[- ]?alike|sa))?[- ]"
    r"(?P<version>\d\.\d)(?: unported)?",
    re.IGNORECASE,
)
FORBIDDEN = re.compile(r"non-?commercial|no ?-?deriv|\bNC\b|\bND\b|all rights reserved", re.IGNORECASE)
FIELD = re.compile(r'^[^%\n]*?\b([a-z-]+)\s*=\s*"([^"\n]*)"', re.IGNORECASE | re.MULTILINE)
INCLUDE = re.compile(r'^[^%\n]*\\include\s+"([^"]+)"', re.MULTILINE)
VERSION = re.compile(r'\\version\s+"([\d.]+)"')
REFERENCE = re.compile(r"Mutopia-[\d/]+-\d+")
LILYPOND_SECONDS = 120
COMMENT = re.compile(r"%.*")
PACES = {
    2.4: r"largo|grave|adagio|lento|larghetto|langsam|lent|sarabande|sehr ruhig",
    3.6: r"andante|andantino|sostenuto|cantabile|moderato|menuett?o?|minuet|mässig|modéré",
    5.5: r"allegro|allegretto|vivo|animato|lebhaft|schnell|vif|con moto",
    7.0: r"presto|prestissimo|vivace|agitato|con fuoco|sehr rasch|gigue",
}
PACE_WORD = re.compile("|".join(rf"\b(?P<p{at}>{words})\b" for at, words in enumerate(PACES.values())), re.IGNORECASE)
UNNAMED_PACE = 4.2
"""Moments a second at which something is struck, where a score has no word of PACES."""

# Read by LilyPond before the score: of each score only the MIDI is made, of scores without a \midi block none
# (or, where the file has no such block at all, all), and repeats are not unfolded.
SETTINGS = r"""
#(define (midi-only score)
   (let ((made (ly:make-score (ly:score-music score)))
         (kept (filter (lambda (def) (eq? (ly:output-def-lookup def 'output-def-kind #f) 'midi))
                       (ly:score-output-defs score))))
     (for-each (lambda (def) (ly:score-add-output-def! made def))
               (if (null? kept) %(otherwise)s kept))
     (if (and (null? kept) (null? %(otherwise)s)) #f made)))
#(define (midi-only-handler add)
   (lambda arguments
     (let* ((score (last arguments))
            (made (and (ly:score? score) (ly:music? (ly:score-music score)) (midi-only score))))
       (if made (apply add (append (drop-right arguments 1) (list made)))))))
#(define toplevel-score-handler (midi-only-handler collect-scores-for-book))
#(define book-score-handler (midi-only-handler ly:book-add-score!))
#(define bookpart-score-handler (midi-only-handler ly:book-add-score!))
#(define (nothing . arguments) #f)
#(define toplevel-text-handler nothing)
#(define book-text-handler nothing)
#(define bookpart-text-handler nothing)
unfoldRepeats = #(define-music-function (music) (ly:music?) music)
"""


class LeftOut(Exception):
    """Why a score is not used."""


@dataclass(frozen=True, kw_only=True)
class Edition:
    """One folder of the project: its files by path inside it, and what its headers say."""

    name: str
    folder: Path
    composer: str
    source: str
    terms: Terms
    pace: float
    main_files: tuple[str, ...]
    has_midi_block: bool


def read_text(path: Path) -> str:
    """The text of a score; the oldest are in Latin-1."""
    content = path.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def fields_of(text: str) -> dict[str, str]:
    """The quoted fields of the headers in `text`, by their names in small letters; the first of each counts."""
    measured: dict[str, str] = {}
    for name, value in FIELD.findall(text):
        measured.setdefault(name.lower(), value.strip())
    return measured


def licence_of(fields: Mapping[str, str]) -> str:
    """The licence that a header states, by its short name; LeftOut where it states none that is used here."""
    for field in ("license", "licence", "mutopialicense", "mutopiacopyright", "copyright"):
        if field in fields:
            stated = re.sub(r"\s+", " ", fields[field]).strip(" .")
            match = LICENCE.fullmatch(stated)
            if match is None:
                raise LeftOut(f"licence: {stated or 'none'}")
            if match["domain"]:
                return "public-domain"
            return f"CC-BY{'-SA' if match['alike'] else ''}-{match['version']}" if match["version"] else "CC0-1.0"
    raise LeftOut("licence: none")


def is_solo_keyboard(instrument: str) -> bool:
    """Whether a header's instrument is one keyboard alone; an organ counts only as one choice of several."""
    return SOLO_KEYBOARD.fullmatch(" ".join(instrument.lower().split())) is not None


def one_of(values: Sequence[str], what: str) -> str:
    """The one value that all headers of a folder share; LeftOut where they differ or there is none."""
    distinct = sorted(set(values))
    if len(distinct) != 1:
        raise LeftOut(f"{what}: {', '.join(distinct) or 'none'}")
    return distinct[0]


def pace_of(texts: Sequence[str]) -> float:
    """Struck moments a second that the first word of tempo in a score, its title among them, calls for."""
    for text in texts:
        match = PACE_WORD.search(COMMENT.sub("", text))
        if match and match.lastgroup:
            return list(PACES)[int(match.lastgroup[1:])]
    return UNNAMED_PACE


def main_files(texts: Mapping[str, str]) -> tuple[str, ...]:
    """The files to give to LilyPond: those that hold a score and that no other includes, one paper size of each."""
    included = {Path(name).name for text in texts.values() for name in INCLUDE.findall(text)}
    reaching: dict[str, str] = {}
    for name, text in texts.items():
        inside = [texts[other] for other in texts if Path(other).name in {Path(n).name for n in INCLUDE.findall(text)}]
        reaching[name] = "\n".join([text, *inside])
    chosen = [
        name
        for name, text in reaching.items()
        if name.endswith(".ly") and Path(name).name not in included and re.search(r"\\(score|midi)\b", text)
    ]
    papers = {re.sub(r"^(a4|letter)[-_]", "", Path(name).name): name for name in sorted(chosen, reverse=True)}
    return tuple(sorted(papers.values()))


def read_edition(name: str, folder: Path, files: Sequence[Path], composer: str) -> Edition:
    """What the headers in `files` say; LeftOut where they do not all say what is asked here."""
    texts = {path.relative_to(folder).as_posix(): read_text(path) for path in files}
    headers = [fields for fields in map(fields_of, texts.values()) if "mutopiacomposer" in fields]
    instruments = [fields.get("mutopiainstrument", fields.get("instrument", "none")) for fields in headers]
    if not instruments or not all(map(is_solo_keyboard, instruments)):
        raise LeftOut(f"instrument: {', '.join(sorted(set(instruments))) or 'none'}")
    if any(FORBIDDEN.search(text) for text in texts.values()):
        raise LeftOut("licence: its text speaks of a restriction")
    licence = one_of([licence_of(fields) for fields in headers], "licence")
    maintainers = sorted({fields[key] for fields in headers for key in ("maintainer",) if fields.get(key)})
    if licence.startswith("CC-BY") and not maintainers:
        raise LeftOut("licence: nobody to name")
    titles = [fields.get("mutopiatitle") or fields.get("title", "") for fields in headers]
    references = sorted({measured for text in texts.values() for measured in REFERENCE.findall(text)})
    editions = sorted({fields["source"] for fields in headers if fields.get("source")})
    mains = main_files(texts)
    if not mains:
        raise LeftOut("no file with a score that is not a part of another")
    return Edition(
        name=name,
        folder=folder,
        composer=composer,
        source="; ".join(["Mutopia Project", *references[:1], *titles[:1], *editions[:1]]),
        terms=Terms(licence=licence, encoder="; ".join(maintainers) or None),
        pace=pace_of([texts[name] for name in mains] + list(texts.values())),
        main_files=mains,
        has_midi_block=any(re.search(r"\\midi\b", text) for text in texts.values()),
    )


def folders_of(composer_folder: Path) -> dict[Path, list[Path]]:
    """The files of every edition by its folder: that of the .ly file, or the one named NAME-lys above it."""
    measured: defaultdict[Path, list[Path]] = defaultdict(list)
    for path in sorted([*composer_folder.rglob("*.ly"), *composer_folder.rglob("*.ily")]):
        above = [parent for parent in path.parents if parent.name.endswith("-lys")]
        measured[above[-1] if above else path.parent].append(path)
    return dict(measured)


def editions(clone: Path) -> Iterator[Edition]:
    """The editions to be used: one of each composer, then another of each, and so on.

    Others are named on standard error, with the reason.
    """
    if not (clone / "ftp").is_dir():
        raise FetchError(f"{clone} is no clone of the Mutopia Project: it has no folder ftp")
    by_composer: list[list[Edition]] = []
    for folder_name, composer in COMPOSERS.items():
        chosen: dict[str, Edition] = {}
        for folder, files in folders_of(clone / "ftp" / folder_name).items():
            inside = folder.relative_to(clone / "ftp")
            name = slug(f"{folder_name}-{folder.name.removesuffix('-lys')}")
            if name in chosen:
                name = slug("-".join(inside.parts).removesuffix("-lys"))
            assert name not in chosen, f"two editions named {name}"
            try:
                chosen[name] = read_edition(name, folder, files, composer)
            except LeftOut as reason:
                print(f"left out: {folder.relative_to(clone)} ({reason})", file=sys.stderr)
        by_composer.append(sorted(chosen.values(), key=lambda edition: seed_of(edition.name)))
    for each in zip_longest(*by_composer):
        yield from (edition for edition in each if edition is not None)


def run_lilypond(command: Sequence[str], cwd: Path) -> bool:
    """Whether a program of LilyPond's succeeds; LeftOut where it takes too long."""
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, timeout=LILYPOND_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise LeftOut(f"{command[0]} takes more than {LILYPOND_SECONDS} s") from None
    return done.returncode == 0


def modernise(folder: Path, files: Sequence[Path]) -> None:
    """Bring copies of scores to today's syntax, in place; those that name no version share the oldest named."""
    oldest = None
    stated: defaultdict[bool, list[str]] = defaultdict(list)
    for path in files:
        text = read_text(path)
        path.write_text(text, encoding="utf-8")
        versions = [tuple(int(part) for part in measured.split(".") if part) for measured in VERSION.findall(text)]
        stated[bool(versions)].append(path.relative_to(folder).as_posix())
        oldest = min([*versions, *([oldest] if oldest else [])], default=None)
    if stated[True]:
        run_lilypond(["convert-ly", "-e", *stated[True]], folder)
    if stated[False] and oldest:
        run_lilypond(["convert-ly", "-e", "--from", ".".join(map(str, oldest)), *stated[False]], folder)
    for path in files:  # What convert-ly leaves where "dim." was attached as a script is no syntax of any version.
        path.write_text(re.sub(r"[-^_]\s*\\deprecated\w+", "", path.read_text(encoding="utf-8")), encoding="utf-8")


def to_midi(edition: Edition, target: Path) -> list[Path]:
    """Write the MIDI files of an edition into `target`, one a score; LeftOut where LilyPond makes none.

    A list of them, or the reason why there is none, is kept beside them, so that LilyPond is asked once.
    """
    listing = target / f"{edition.name}.json"
    if not listing.is_file():
        try:
            result = {"midi": convert(edition, target), "left_out": None}
        except LeftOut as reason:
            result = {"midi": [], "left_out": str(reason)}
        replace_text(listing, json.dumps(result) + "\n")
    result = json.loads(listing.read_text(encoding="utf-8"))
    if result["left_out"] is not None:
        raise LeftOut(result["left_out"])
    return [target / name for name in result["midi"]]


def convert(edition: Edition, target: Path) -> list[str]:
    """The names of the MIDI files that LilyPond makes of a copy of the edition; LeftOut where there are none."""
    with tempfile.TemporaryDirectory(dir=target) as scratch:
        folder = Path(scratch) / "copy"
        shutil.copytree(edition.folder, folder, ignore_dangling_symlinks=True)
        modernise(folder, [*folder.rglob("*.ly"), *folder.rglob("*.ily")])
        settings = Path(scratch) / "settings.ily"
        otherwise = "'()" if edition.has_midi_block else "(list (ly:parser-lookup '$defaultmidi))"
        settings.write_text(SETTINGS % {"otherwise": otherwise}, encoding="utf-8")
        made: list[Path] = []
        for number, name in enumerate(edition.main_files):
            out = Path(scratch) / f"out{number:02}"
            out.mkdir()
            options = [f"-dinclude-settings={settings}", "-dno-print-pages", "--loglevel=ERROR", "-o", str(out)]
            if not run_lilypond(["lilypond", *options, name], folder):
                raise LeftOut("LilyPond finds errors in it")
            made += sorted(out.glob("*.mid*"))
        if not made:
            raise LeftOut("LilyPond makes no MIDI file of it")
        names = []
        for number, midi in enumerate(made, start=1):
            names.append(f"{edition.name}.mid" if len(made) == 1 else f"{edition.name}-{number}.mid")
            part = shutil.copyfile(midi, target / (names[-1] + ".part"))
            part.replace(target / names[-1])
        return names


def mutopia_pieces(clone: Path, cache: Path, workers: int = 2) -> Iterator[Piece]:
    """The pieces of a clone, in the order of `editions`, each turned into MIDI by one of `workers` at once."""
    if shutil.which("lilypond") is None or shutil.which("convert-ly") is None:
        raise FetchError("lilypond is missing on this machine; try: apt-get install lilypond")
    target = cache / "mutopia"
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target) as scratch:  # The first run compiles LilyPond's own code, once.
        (Path(scratch) / "note.ly").write_text('\\version "2.24.0" \\score { { c1 } \\midi { } }', encoding="utf-8")
        run_tool(["lilypond", "--loglevel=ERROR", "note.ly"], Path(scratch))

    def pieces_of(edition: Edition) -> list[Piece]:
        try:
            files = to_midi(edition, target)
        except LeftOut as reason:
            print(f"left out: {edition.name} ({reason})", file=sys.stderr)
            return []
        return [
            Piece(
                piece=midi.stem,
                composer=edition.composer,
                source=edition.source,
                terms=edition.terms,
                midi=midi,
                expressive=False,
                pace=edition.pace,
            )
            for midi in files
        ]

    with ThreadPoolExecutor(workers) as pool:
        try:
            for pieces in pool.map(pieces_of, editions(clone)):
                yield from pieces
        finally:
            pool.shutdown(cancel_futures=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Turn every score that may be used into MIDI; the exit code."""
    parser = argparse.ArgumentParser(description="Keyboard scores of the Mutopia Project as MIDI files.")
    parser.add_argument("clone", type=Path, metavar="CLONE", help="a clone of the project, made with git")
    parser.add_argument("cache", type=Path, metavar="CACHE", help="folder that gets the folder mutopia")
    options = parser.parse_args(arguments)
    try:
        for number, piece in enumerate(mutopia_pieces(options.clone.resolve(), options.cache.resolve()), start=1):
            print(f"{number:5}  {piece.piece}  {piece.terms.licence}  {piece.terms.encoder}", flush=True)
    except (FetchError, OSError) as error:
        print(f"mutopia_scores: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
