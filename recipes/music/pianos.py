"""The pianos that render_piano.py plays on, and a MIDI file rendered on one of them as FLAC.

Two sampled grands, each in two rooms: few enough for one model to learn them all. Needs numpy, soundfile
and fluidsynth; as root it installs what Debian has of this where it is missing.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile as sf
from fetch_soundtracks import FetchError, run_tool
from numpy.typing import NDArray

SAMPLE_RATE = 44_100
PEAK = 0.9
SILENCE = 2.0**-13
"""What the end of a recording must reach, as amplitude at full scale 1: 78 dB below it."""
SOUNDFONT_LICENCES = {
    "FluidR3_GM.sf2": "MIT",
    "MuseScore_General.sf2": "MIT",
    "MuseScore_General.sf3": "MIT",
    "MuseScore_General_Full.sf3": "MIT",
    "TimGM6mb.sf2": "GPL-2",
}


@dataclass(frozen=True, kw_only=True)
class Room:
    """fluidsynth's reverberation: `size`, `damp` and `level` of 0 to 1, `width` of 0 to 100."""

    size: float
    damp: float
    width: float
    level: float

    def settings(self) -> list[str]:
        """The options that set it on fluidsynth's command line."""
        values = {"room-size": self.size, "damp": self.damp, "width": self.width, "level": self.level}
        return [part for name, value in values.items() for part in ("-o", f"synth.reverb.{name}={value}")]


@dataclass(frozen=True, kw_only=True)
class Piano:
    """A soundfont, by its Debian package and its file's name, in a room; `weight` is its share of the pieces."""

    name: str
    package: str
    file: str
    room: Room
    weight: float


STUDIO = Room(size=0.2, damp=0.0, width=0.5, level=0.9)
"""fluidsynth's own setting."""
HALL = Room(size=0.6, damp=0.35, width=0.8, level=0.7)
FLUID = {"package": "fluid-soundfont-gm", "file": "FluidR3_GM.sf2"}
MUSESCORE = {"package": "musescore-general-soundfont", "file": "MuseScore_General_Full.sf3"}
PIANOS = (
    Piano(name="fluid-studio", **FLUID, room=STUDIO, weight=0.4),
    Piano(name="fluid-hall", **FLUID, room=HALL, weight=0.25),
    Piano(name="musescore-studio", **MUSESCORE, room=STUDIO, weight=0.2),
    Piano(name="musescore-hall", **MUSESCORE, room=HALL, weight=0.15),
)


def seed_of(name: str) -> int:
    """A seed of 64 bits, the same for the same name everywhere."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")


def piano_for(piece: str, pianos: Sequence[Piano] = PIANOS) -> Piano:
    """The piano that `piece` is played on: chosen by weight, the same for the same name; variants share it."""
    weights = np.array([piano.weight for piano in pianos])
    return pianos[
        int(np.random.default_rng(seed_of(f"piano of {piece}")).choice(len(pianos), p=weights / weights.sum()))
    ]


def find_soundfont(piano: Piano) -> Path:
    """The soundfont of `piano`; it and fluidsynth are installed first where they are missing and this is root."""
    try:
        listing = run_tool(["dpkg", "-L", piano.package], Path.cwd())
        missing = shutil.which("fluidsynth") is None
    except FetchError:
        listing, missing = "", True
    if missing:
        command = ["apt-get", "install", "--yes", "--no-install-recommends", "fluidsynth", piano.package]
        if os.geteuid() != 0:
            raise FetchError(f"fluidsynth or its soundfont is missing; try: sudo {' '.join(command)}")
        run_tool(command, Path.cwd())
        listing = run_tool(["dpkg", "-L", piano.package], Path.cwd())
    result = [Path(line) for line in listing.splitlines() if line.endswith(f"/{piano.file}")]
    if not result:
        raise FetchError(f"the package {piano.package} holds no {piano.file}")
    return result[0]


def trimmed(sound: NDArray[np.float32]) -> NDArray[np.float32]:
    """`sound` [n, 2] with its peak at PEAK, without the silence at its end; FetchError where nothing sounds."""
    peak = float(np.abs(sound).max(initial=0.0))
    if not 1e-3 < peak < np.inf:
        raise FetchError(f"fluidsynth rendered silence or worse (peak {peak})")
    sound = sound * np.float32(PEAK / peak)
    return sound[: np.flatnonzero(np.abs(sound).max(axis=1) >= SILENCE)[-1] + 1]


def write_flac(wav: Path, target: Path) -> None:
    """Write what sounds of `wav` as FLAC, 16 bits; aside first, so that `target` is whole or absent."""
    part = target.with_suffix(".part")
    sound, sample_rate = sf.read(wav, dtype="float32", always_2d=True)
    sf.write(part, trimmed(np.asarray(sound, np.float32)), sample_rate, subtype="PCM_16", format="FLAC")
    part.replace(target)


def render(midi: Path, soundfont: Path, room: Room, target: Path) -> None:
    """Write `midi`, played on the first piano of `soundfont` in `room`, as `target`."""
    wav = midi.with_suffix(".wav")
    sound = [
        "-R",
        "1",
        *room.settings(),
        "-C",
        "0",
        "-g",
        "0.5",
        "-o",
        "synth.dynamic-sample-loading=1",
        "-r",
        str(SAMPLE_RATE),
        "-O",
        "float",
        "-T",
        "wav",
    ]
    run_tool(["fluidsynth", "-ni", "-q", *sound, "-F", str(wav), str(soundfont), str(midi)], midi.parent)
    write_flac(wav, target)
