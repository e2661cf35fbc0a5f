"""What this machine has and lacks for halfstep, and the command that mends each lack."""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path

from halfstep.app.failures import EXTRAS, install_command
from halfstep.errors import InputError

LEAST_FREE_BYTES = 1 << 30
OLDEST_PYTHON = (3, 11)
PLAYING = ("filelock", "numpy", "onnxruntime", "soundfile", "soxr", "pillow", "rich", "typer")
FORMATS = ("WAV", "FLAC", "OGG", "MP3")
REINSTALL = "pip install --force-reinstall halfstep"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing looked at; `needed` says whether no music comes out without it."""

    name: str
    well: bool
    state: str
    remedy: str = ""
    needed: bool = True

    def line(self) -> str:
        """For people to read."""
        mark = "ok     " if self.well else "missing" if self.needed else "absent "
        return f"{mark}  {self.name}: {self.state}" + (f"  ->  {self.remedy}" if self.remedy else "")


def examine() -> list[Finding]:
    """Look at everything; nothing raises, so that one lack hides no other."""
    looks: list[Callable[[], list[Finding]]] = [_python, _playing, _sound, _models, _extras, _disk, _threads]
    return [finding for look in looks for finding in _safely(look)]


def _safely(look: Callable[[], list[Finding]]) -> list[Finding]:
    try:
        return look()
    except Exception as error:  # whatever is broken on this machine is what we are here to tell
        name = look.__name__.strip("_")
        return [Finding(name=name, well=False, state=f"{type(error).__name__}: {error}", remedy=REINSTALL)]


def _python() -> list[Finding]:
    well = sys.version_info >= OLDEST_PYTHON
    remedy = "" if well else "install Python 3.11 or newer"
    return [Finding(name="python", well=well, state=sys.version.split()[0], remedy=remedy)]


def _playing() -> list[Finding]:
    return [_package(name, needed=True, remedy=f"pip install {name}") for name in PLAYING]


def _package(name: str, needed: bool, remedy: str) -> Finding:
    try:
        return Finding(name=name, well=True, state=metadata.version(name), needed=needed)
    except metadata.PackageNotFoundError:
        return Finding(name=name, well=False, state="not installed", remedy=remedy, needed=needed)


def _sound() -> list[Finding]:
    import soundfile

    lacking = [name for name in FORMATS if name not in soundfile.available_formats()]
    state = f"libsndfile {soundfile.__libsndfile_version__}, " + (
        f"without {', '.join(lacking)}" if lacking else f"with {', '.join(FORMATS)}"
    )
    remedy = "pip install --force-reinstall soundfile" if lacking else ""
    return [Finding(name="sound formats", well=not lacking, state=state, remedy=remedy)]


def _models() -> list[Finding]:
    from halfstep.bundle import ModelFolder, installed_folders, verify

    folders = list(installed_folders())
    if not folders:
        return [Finding(name="model", well=False, state="none installed", remedy=REINSTALL)]
    findings: list[Finding] = []
    for folder in folders:
        problems = verify(folder.path) if isinstance(folder, ModelFolder) else [str(folder)]
        name = folder.manifest.id if isinstance(folder, ModelFolder) else "?"
        remedy = REINSTALL if problems else ""
        state = "; ".join(problems) or "whole, and runs"
        findings.append(Finding(name=f"model {name}", well=not problems, state=state, remedy=remedy))
    return findings


def _extras() -> list[Finding]:
    findings: list[Finding] = []
    for extra in dict.fromkeys(EXTRAS.values()):
        lacking = [name for name, its in EXTRAS.items() if its == extra and util.find_spec(name) is None]
        state = f"without {', '.join(lacking)}" if lacking else "all there"
        remedy = install_command(extra) if lacking else ""
        if extra == "play" and not lacking and (silent := _no_portaudio()):
            lacking, state, remedy = ["PortAudio"], "without PortAudio", silent
        findings.append(Finding(name=f"extra {extra}", well=not lacking, state=state, remedy=remedy, needed=False))
    return findings


def _no_portaudio() -> str:
    """How to have the library behind `sounddevice`, whose wheels for Linux do not bring it; empty where it is there."""
    from halfstep.app.play.player import PORTAUDIO, sound_library

    try:
        sound_library()
    except InputError:
        return PORTAUDIO
    return ""


def _disk() -> list[Finding]:
    findings: list[Finding] = []
    for path in (Path.cwd(), Path(tempfile.gettempdir())):
        free = shutil.disk_usage(path).free
        well = free >= LEAST_FREE_BYTES
        remedy = "" if well else f"free some space on the disk of {path}"
        findings.append(Finding(name=f"disk at {path}", well=well, state=f"{free / 1e9:.1f} GB free", remedy=remedy))
    return findings


def _threads() -> list[Finding]:
    """How many threads this process may use, which a container can limit below the machine's."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return [Finding(name="threads", well=True, state=f"{usable}; halfstep plays on one")]
