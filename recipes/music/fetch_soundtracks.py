#!/usr/bin/env python3
"""Fetch game soundtracks under free licences from Debian packages, as a data set to train on.

    python recipes/music/fetch_soundtracks.py OUT [--set singularity] [--set 0ad] ... [--no-gpl]

Writes OUT/<set>/*.ogg, OUT/<set>/LICENCES.json (one entry a track) and OUT/<set>/COPYRIGHT (the package's
own text). A set that is whole is skipped, so the same command may be run again. Nothing is installed: a
package is downloaded with apt-get, unpacked beside OUT's sets with dpkg, and removed. With --no-gpl, tracks
under the GPL are left out, also those fetched before: shipped models learn from CC0, CC-BY, CC-BY-SA and
the public domain alone. OUT/kinds.json has a label for each track, by its set. Standard library only.

Exit codes: 0 done, 2 a tool, a package or a licence is not as expected (one line on standard error).
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Container, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

# Licences that allow training, changing and passing on, also for money. A track under any other is left out.
FREE_LICENCE = re.compile(r"CC-BY(-SA)?-[0-9.]+|CC0-1\.0|GPL-[0-9.]+\+?|public-domain", re.IGNORECASE)
FREE_BUT_NOT_GPL = re.compile(r"CC-BY(-SA)?-[0-9.]+|CC0-1\.0|public-domain", re.IGNORECASE)

TOOLS = {
    "apt-get": "this needs Debian, Ubuntu or a relative",
    "dpkg": "this needs Debian, Ubuntu or a relative",
    "dpkg-deb": "this needs Debian, Ubuntu or a relative",
    "npm": "try: apt-get install npm",
    "fluidsynth": "try: apt-get install fluidsynth",
}


class FetchError(Exception):
    """A tool, a package or its copyright file is not as expected; the text is one line for the user."""


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What a copyright file grants for the paths it names."""

    licence: str
    author: str


@dataclass(frozen=True, kw_only=True)
class Stanza:
    """One paragraph of a machine-readable copyright file: these terms hold for paths that match a pattern."""

    patterns: tuple[str, ...]
    terms: Terms


@dataclass(frozen=True, kw_only=True)
class Soundtrack:
    """Where a set's tracks and terms lie.

    `kind` says in a word what its music is like. `tracks` is a glob inside the package, or inside the
    zip that `container` names. `copyright_folder` is the folder under which the copyright file lists the
    tracks. A copyright file in prose cannot be read by a program: then `stated` holds its terms, and
    `evidence` the words that must still stand in it. `notices` are further texts to keep; `not_music` are
    names of files to leave alone.
    """

    package: str
    kind: str
    tracks: str
    container: str | None = None
    copyright_folder: str = ""
    notices: tuple[str, ...] = ()
    stated: Terms | None = None
    evidence: tuple[str, ...] = ()
    not_music: tuple[str, ...] = ()


SETS = {
    "singularity": Soundtrack(
        package="singularity-music",
        kind="ambient",
        tracks="usr/share/games/singularity/music/**/*.ogg",
        notices=("usr/share/doc/singularity-music/README",),
        stated=Terms(licence="CC-BY-SA-3.0", author="Max McCracken"),
        evidence=("Attribution, ShareAlike", "released under the same BY-SA 3.0 license", "Max McCracken"),
    ),
    "0ad": Soundtrack(
        package="0ad-data",
        kind="orchestral",
        container="usr/share/games/0ad/mods/public/public.zip",
        tracks="audio/music/*.ogg",
        copyright_folder="binaries/data/mods/public/audio/music",
        notices=("audio/LICENSE.txt",),
    ),
    "wesnoth": Soundtrack(
        package="wesnoth-1.16-music",
        kind="orchestral",
        tracks="usr/share/games/wesnoth/1.16/data/core/music/*.ogg",
        stated=Terms(licence="GPL-2+", author="David White and the Battle for Wesnoth contributors"),
        evidence=(
            "GNU General Public License version 2",
            "or at your option any later version",
            "David White",
        ),
        not_music=("silence.ogg",),
    ),
    "hyperrogue": Soundtrack(
        package="hyperrogue-music",
        kind="ambient",
        tracks="usr/share/hyperrogue/music/*.ogg",
        copyright_folder="music",
    ),
    "ufoai": Soundtrack(
        package="ufoai-music",
        kind="electronic",
        container="usr/share/games/ufoai/base/0music.pk3",
        tracks="music/*.ogg",
        copyright_folder="base/music",
    ),
}


@dataclass(frozen=True, kw_only=True)
class Track:
    """One entry of LICENCES.json; `artist` is what the audio file itself says, where it says anything."""

    file: str
    piece: str
    title: str
    source_path: str
    licence: str
    author: str
    artist: str | None
    package: str
    version: str


def run_tool(command: Sequence[str], cwd: Path) -> str:
    """What `command` writes to standard output; FetchError where it is missing or fails."""
    try:
        done = subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True)
    except FileNotFoundError:
        raise FetchError(f"{command[0]} is missing on this machine; {TOOLS[command[0]]}") from None
    except subprocess.CalledProcessError as error:
        lines = (error.stderr or error.stdout).strip().splitlines() or ["no message"]
        raise FetchError(f"{command[0]} failed: {lines[-1]}") from None
    return done.stdout


def download(package: str, folder: Path) -> Path:
    """The .deb of `package`, in `folder`; apt-get leaves a whole one alone that is there already."""
    # As root, apt-get would drop to a user that may not write here.
    run_tool(["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", package], folder)
    return max(folder.glob(f"{package}_*.deb"), key=lambda deb: deb.stat().st_mtime)


def read_stanzas(text: str) -> list[Stanza]:
    """The Files stanzas of a machine-readable copyright file, in order; none where the file is prose."""
    stanzas = []
    for paragraph in re.split(r"\n\s*\n", text):
        fields = dict(re.findall(r"^([A-Z][\w-]*):((?:.*)(?:\n[ \t].*)*)", paragraph, re.MULTILINE))
        if not {"Files", "Copyright", "License"} <= fields.keys():
            continue
        lines = (re.sub(r"^[\d\s,-]+", "", line) for line in fields["Copyright"].splitlines())  # Years go.
        holders = dict.fromkeys(line for line in lines if line)
        terms = Terms(licence=fields["License"].splitlines()[0].strip(), author="; ".join(holders))
        stanzas.append(Stanza(patterns=tuple(fields["Files"].split()), terms=terms))
    return stanzas


def terms_of(path: str, stanzas: Sequence[Stanza]) -> Terms:
    """The terms of the last stanza that matches `path`, as the format rules; FetchError where none does."""
    for stanza in reversed(stanzas):
        if any(fnmatch.fnmatchcase(path, pattern) for pattern in stanza.patterns):
            return stanza.terms
    raise FetchError(f"the copyright file says nothing about {path}")


def read_terms(soundtrack: Soundtrack, copyright_text: str) -> list[Stanza]:
    """The stanzas that hold for a set; stated terms count only while the package still says so."""
    if soundtrack.stated is None:
        return read_stanzas(copyright_text)
    words = " ".join(copyright_text.split())
    for phrase in soundtrack.evidence:
        if phrase not in words:
            raise FetchError(f"{soundtrack.package}: its copyright file no longer says '{phrase}'")
    return [Stanza(patterns=("*",), terms=soundtrack.stated)]


def slug(stem: str) -> str:
    """A file name that every system takes: small letters, digits and single dashes, no underscore."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", stem.replace("'", ""))
    return re.sub(r"[^a-z0-9]+", "-", spaced.lower()).strip("-")


def vorbis_artist(path: Path) -> str | None:
    """The ARTIST comment at the start of an Ogg Vorbis file, or None."""
    with path.open("rb") as file:
        head = file.read(1 << 16)
    at = head.find(b"\x03vorbis") + 7
    if at < 7:
        return None
    try:
        at += 4 + struct.unpack_from("<I", head, at)[0]
        (count,) = struct.unpack_from("<I", head, at)
        at += 4
        for _ in range(count):
            (length,) = struct.unpack_from("<I", head, at)
            key, _, value = head[at + 4 : at + 4 + length].decode("utf-8", "replace").partition("=")
            if key.upper() == "ARTIST" and value.strip() and value != "<Unknown>":
                return value.strip()
            at += 4 + length
    except struct.error:
        pass  # The comments go on past the first 64 kB (a cover picture): no artist before it.
    return None


def unpack(soundtrack: Soundtrack, deb: Path, folder: Path) -> Iterator[tuple[str, Path]]:
    """Unpack `deb` into `folder`; yields (path in package or container, file) of tracks and notices."""
    run_tool(["dpkg", "-x", str(deb), str(folder)], folder)
    root = folder
    if soundtrack.container is not None:
        root = folder / "container"
        with zipfile.ZipFile(folder / soundtrack.container) as archive:
            for name in archive.namelist():
                if fnmatch.fnmatch(name, soundtrack.tracks) or name in soundtrack.notices:
                    archive.extract(name, root)
    for file in sorted(root.glob(soundtrack.tracks)):
        if file.name not in soundtrack.not_music:
            yield file.relative_to(root).as_posix(), file
    for name in soundtrack.notices:
        yield name, root / name


def replace_text(path: Path, text: str) -> None:
    """Write `text` aside and rename, so that `path` is never half there."""
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def entries_of(folder: Path) -> list[dict[str, Any]]:
    """What a set's LICENCES.json says of its tracks; nothing where there is none yet."""
    listing = folder / "LICENCES.json"
    return json.loads(listing.read_text(encoding="utf-8")) if listing.is_file() else []


def is_whole(folder: Path, accepted: re.Pattern[str]) -> bool:
    """Whether LICENCES.json, which is written last, is there with every file that it names, all `accepted`."""
    entries = entries_of(folder)
    whole = bool(entries) and all((folder / entry["file"]).is_file() for entry in entries)
    return whole and all(accepted.fullmatch(entry["licence"]) for entry in entries)


def unique_name(source_path: str, taken: Container[str]) -> str:
    """A short name for a track; with its folder's name before it where the short one is `taken`."""
    path = PurePosixPath(source_path)
    name = slug(path.stem)
    if name in taken:
        name = slug(f"{path.parent.name} {path.stem}")
    assert name not in taken, f"two tracks named {name}"
    return name


def free_tracks(
    soundtrack: Soundtrack,
    result: dict[str, Path],
    stanzas: Sequence[Stanza],
    version: str,
    accepted: re.Pattern[str] = FREE_LICENCE,
) -> list[Track]:
    """An entry for every track under an `accepted` licence; those left out are named on standard error."""
    tracks: dict[str, Track] = {}
    for source_path, file in result.items():
        terms = terms_of(f"{soundtrack.copyright_folder}/{file.name}", stanzas)
        if not accepted.fullmatch(terms.licence):
            print(f"left out: {source_path} ({terms.licence})", file=sys.stderr)
            continue
        name = unique_name(source_path, tracks)
        tracks[name] = Track(
            file=name + file.suffix.lower(),
            piece=name,
            title=file.stem.replace("_", " "),
            source_path=source_path,
            licence=terms.licence,
            author=terms.author,
            artist=vorbis_artist(file),
            package=soundtrack.package,
            version=version,
        )
    return list(tracks.values())


def fetch(name: str, out: Path, accepted: re.Pattern[str] = FREE_LICENCE) -> list[Track]:
    """Make OUT/<name> whole and return its tracks; the package stays until then, so that a rerun is cheap.

    `out` is absolute: the tools run in folders of their own. Tracks of an earlier run under other licences go.
    """
    soundtrack, folder, packages = SETS[name], out / name, out / ".packages"
    for needed in (folder, packages):
        needed.mkdir(parents=True, exist_ok=True)
    deb = download(soundtrack.package, packages)
    version = run_tool(["dpkg-deb", "-f", str(deb), "Version"], packages).strip()
    with tempfile.TemporaryDirectory(dir=packages) as scratch:
        result = dict(unpack(soundtrack, deb, Path(scratch)))
        texts = [file.read_text(encoding="utf-8") for file in Path(scratch).glob("usr/share/doc/*/copyright")]
        texts += [result.pop(notice).read_text(encoding="utf-8") for notice in soundtrack.notices]
        tracks = free_tracks(soundtrack, result, read_terms(soundtrack, "\n\n".join(texts)), version, accepted)
        if not tracks:
            raise FetchError(f"{deb.name} holds no free track that matches {soundtrack.tracks}")
        for track in tracks:
            part = shutil.copyfile(result[track.source_path], folder / (track.file + ".part"))
            part.replace(folder / track.file)
    for entry in entries_of(folder):
        if entry["file"] not in {track.file for track in tracks}:
            (folder / entry["file"]).unlink(missing_ok=True)
    replace_text(folder / "COPYRIGHT", "\n\n".join(texts))
    replace_text(folder / "LICENCES.json", json.dumps([asdict(track) for track in tracks], indent=2) + "\n")
    deb.unlink()
    return tracks


def write_kinds(out: Path) -> None:
    """Write OUT/kinds.json: {path of a track below OUT: what its music is like}, of all sets that are there."""
    kinds = {
        f"{name}/{entry['file']}": soundtrack.kind
        for name, soundtrack in SETS.items()
        for entry in entries_of(out / name)
    }
    replace_text(out / "kinds.json", json.dumps(kinds, indent=2) + "\n")


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line: `out`, and `sets` (None: singularity)."""
    parser = argparse.ArgumentParser(description="Fetch free game soundtracks from Debian packages.")
    parser.add_argument("out", type=Path, metavar="OUT", help="folder that gets one folder a set")
    parser.add_argument("--set", action="append", dest="sets", choices=SETS, help="default: singularity")
    parser.add_argument("--no-gpl", action="store_true", help="leave out tracks under the GPL, fetched before or not")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Fetch the sets asked for; the exit code."""
    options = parse_arguments(arguments)
    out, accepted = options.out.resolve(), FREE_BUT_NOT_GPL if options.no_gpl else FREE_LICENCE
    try:
        for name in dict.fromkeys(options.sets or ["singularity"]):
            if is_whole(out / name, accepted):
                print(f"{name}: already there")
                continue
            print(f"{name}: fetching {SETS[name].package}", flush=True)
            tracks = fetch(name, out, accepted)
            print(f"{name}: {len(tracks)} tracks, {', '.join(sorted({track.licence for track in tracks}))}")
        write_kinds(out)
    except (FetchError, OSError, zipfile.BadZipFile) as error:
        print(f"fetch_soundtracks: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
