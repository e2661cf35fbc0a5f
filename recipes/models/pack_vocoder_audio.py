#!/usr/bin/env python3
"""Pack pieces of many recordings into one small file, for a machine that can fetch nothing.

    python recipes/models/pack_vocoder_audio.py AUDIO.zip --folder MUSIC/piano 0.6 --folder MUSIC/soundtracks 0.4

Each folder, searched for LICENCES.json as the scripts that fetch or render music write it, gets its share of the file
and fills it with pieces of 20 s, one of every track before a second of any, as mono Vorbis at 44.1 kHz. Every
twelfth track is held out. Tracks whose licence does not let anybody share and change what is learned from them without
further terms (GPL among them) are left out. The file holds tracks.json with the source and licence of each piece.
Exit codes: 0 done, 2 a folder is not as expected.
"""

import argparse
import io
import json
import re
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

SAMPLE_RATE = 44100
PIECE_SECONDS = 20.0
QUALITY = 0.6
QUIETEST_RMS = 1e-3
HELD_OUT_EVERY = 12
WRITTEN_AT_ONCE = 1 << 16  # libsndfile's Vorbis encoder overflows its stack on very long blocks
LICENCES = "LICENCES.json"
FREE = re.compile(r"CC-BY(-SA)?-[0-9.]+(-[A-Z]+)?|CC0-1\.0|CC0|public-domain|MIT", re.IGNORECASE)
TRACKS = "tracks.json"


@dataclass(frozen=True, kw_only=True)
class Track:
    """A recording that may be learned from."""

    path: Path
    licence: str
    source: str
    heldout: bool


@dataclass(frozen=True, kw_only=True)
class Piece:
    """What tracks.json says of one file."""

    file: str
    title: str
    licence: str
    source: str
    start_seconds: float
    heldout: bool


def tracks_in(folder: Path) -> list[Track]:
    """Tracks that may be learned from, in the order of a fixed shuffle. ValueError where there are none."""
    result = []
    for licences in sorted(folder.rglob(LICENCES)):
        for entry in json.loads(licences.read_text()):
            path = licences.parent / entry["file"]
            if FREE.fullmatch(entry["licence"]) and path.is_file():
                result.append(
                    (path, entry["licence"], entry.get("source") or entry.get("package") or licences.parent.name)
                )
    if not result:
        raise ValueError(f"{folder}: no track with a free licence in any {LICENCES}")
    order = np.random.default_rng(0).permutation(len(result))
    return [
        Track(
            path=result[which][0],
            licence=result[which][1],
            source=result[which][2],
            heldout=place % HELD_OUT_EVERY == 5,
        )
        for place, which in enumerate(order)
    ]


def pieces_of(tracks: list[Track]) -> Iterator[tuple[Track, float]]:
    """Tracks and the seconds at which a piece of them begins: one of each track, then a second of each, ..."""
    starts = {}
    for track in tracks:
        seconds = soundfile.info(track.path).duration
        count = max(1, int(seconds // PIECE_SECONDS))
        places = np.arange(count) * max(0.0, seconds - PIECE_SECONDS) / max(1, count - 1)
        starts[track] = list(np.random.default_rng(1).permutation(places))
    for round_number in range(max(map(len, starts.values()))):
        for track in tracks:
            rounds = 1 if track.heldout else len(starts[track])
            if round_number < min(rounds, len(starts[track])):
                yield track, float(starts[track][round_number])


def read_piece(track: Track, start_seconds: float) -> np.ndarray:
    """Mono samples [n] at SAMPLE_RATE."""
    with soundfile.SoundFile(track.path) as file:
        file.seek(round(start_seconds * file.samplerate))
        samples = file.read(round(PIECE_SECONDS * file.samplerate), dtype="float32", always_2d=True).mean(axis=1)
        return soxr.resample(samples, file.samplerate, SAMPLE_RATE) if file.samplerate != SAMPLE_RATE else samples


def encoded(samples: np.ndarray) -> bytes:
    samples = samples * min(1.0, 0.98 / max(1e-9, float(np.abs(samples).max())))
    buffer = io.BytesIO()
    with soundfile.SoundFile(
        buffer, "w", SAMPLE_RATE, 1, format="OGG", subtype="VORBIS", compression_level=1 - QUALITY
    ) as file:
        for at in range(0, len(samples), WRITTEN_AT_ONCE):
            file.write(samples[at : at + WRITTEN_AT_ONCE])
    return buffer.getvalue()


def pack(out: Path, folders: dict[Path, float], most_bytes: float) -> list[Piece]:
    pieces = []
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for folder, share in folders.items():
            left = share * most_bytes
            for track, start in pieces_of(tracks_in(folder)):
                samples = read_piece(track, start)
                if np.sqrt(np.mean(np.square(samples))) < QUIETEST_RMS:
                    continue
                data = encoded(samples)
                left -= len(data)
                if left < 0:
                    break
                name = f"{len(pieces):04}.ogg"
                archive.writestr(name, data)
                pieces.append(
                    Piece(
                        file=name,
                        title=track.path.stem,
                        licence=track.licence,
                        source=track.source,
                        start_seconds=round(start, 2),
                        heldout=track.heldout,
                    )
                )
        archive.writestr(TRACKS, json.dumps([asdict(piece) for piece in pieces], indent=0))
    return pieces


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Pack pieces of many recordings into one small file.")
    parser.add_argument("out", type=Path, metavar="AUDIO.zip")
    parser.add_argument("--folder", nargs=2, action="append", required=True, metavar=("FOLDER", "SHARE"))
    parser.add_argument("--megabytes", type=float, default=27.5)
    options = parser.parse_args(arguments)
    try:
        folders = {Path(folder): float(share) for folder, share in options.folder}
        pieces = pack(options.out, folders, options.megabytes * 2**20 / sum(folders.values()))
    except (OSError, ValueError, KeyError) as error:
        print(f"pack_vocoder_audio: {error}", file=sys.stderr)
        return 2
    minutes = len(pieces) * PIECE_SECONDS / 60
    heldout = sum(piece.heldout for piece in pieces)
    print(f"{len(pieces)} pieces, {minutes:.0f} minutes, {heldout} held out, {options.out.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
