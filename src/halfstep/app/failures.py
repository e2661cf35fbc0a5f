"""What a failure means to the one who typed the command: an exit code and one line."""

import errno
import os
import shutil
from pathlib import Path

from halfstep.atomic import FULL
from halfstep.errors import InputError, NamedError

DONE, OURS, INPUT, STRICT, INTERRUPTED = 0, 1, 2, 3, 130
OF_A_SIGNAL = 128
"""Added to its number."""

WORKING = "/proc/self/cwd"
"""A link to the working folder, where the system has one."""

EXTRAS = {
    "torch": "train",
    "safetensors": "train",
    "scipy": "train",
    "onnx": "train",
    "pyloudnorm": "train",
    "jinja2": "train",
    "tensorboard": "train",
    "matplotlib": "train",
    "diffusers": "baseline",
    "av": "aac",
    "sounddevice": "play",
    "pythonosc": "stage",
    "mido": "midi",
    "huggingface_hub": "hub",
    "fsspec": "hub",
    "starlette": "serve",
    "uvicorn": "serve",
    "websockets": "serve",
    "ray": "cluster",
    "s3fs": "cluster",
    "visqol": "quality",
    "zimtohrli": "quality",
}
"""Packages that only an extra brings."""

OPTIONS = {
    "device": "--device", "track": "--track",
    "steps": "--steps", "model": "--model", "preset": "--preset", "settings": "--set", "out": "--out",
    "start": "--from", "to": "--to", "updates": "--updates", "weights": "--weights", "credits": "--credits",
    "data": "--data", "teacher_steps": "--teacher-steps", "beside": "--beside", "embedding": "--embedding",
    "ray": "--ray", "sampler": "--sampler", "respacing": "--respacing", "jump": "--jump", "draw": "--draw",
    "plan": "--plan", "plan_weights": "--plan-weights", "label": "--label",
    "style": "--style", "description": "--description", "licence": "--licence", "output_licence": "--output-licence",
    "tempo": "--bpm", "key": "--key", "chords": "--chords",
    "density": "--density", "loudness_like": "--loudness-like", "guide": "--guide",
}  # fmt: skip
"""Argument -> the option that gives it; `generate` has more."""

THEIRS = {
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENOENT,
    errno.EEXIST,
    errno.EISDIR,
    errno.ENOTDIR,
    errno.ENAMETOOLONG,
    errno.ELOOP,
}
"""What the system says of a path that the user can mend."""


def install_command(extra: str) -> str:
    """The command that brings an extra; torch by its number, since a plain one brings gigabytes of CUDA."""
    torch = " 'torch==2.13.*'" if extra == "train" else ""
    return f"pip install{torch} 'halfstep[{extra}]'"


def exit_code_and_line(error: BaseException) -> tuple[int, str]:
    """The exit code of a failure, and the line for stderr."""
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED, "interrupted"
    if isinstance(error, NamedError):
        return INPUT, error.named(OPTIONS)
    if isinstance(error, InputError):
        return INPUT, str(error)
    if isinstance(error, ModuleNotFoundError) and (name := (error.name or "").split(".")[0]) in EXTRAS:
        return INPUT, f"{name} is not installed; {install_command(EXTRAS[name])}"
    if hasattr(error, "format_message"):
        return INPUT, _usage(error)
    if isinstance(error, OSError):
        return _of_the_system(error)
    if isinstance(error, MemoryError):
        return OURS, "out of memory; close other programs, or ask for less at once"
    return OURS, f"a mistake of ours: {type(error).__name__}: {error}; --debug shows where"


def _usage(error: BaseException) -> str:
    """A command line that typer cannot read; the class of its errors is not public, their members are."""
    message = error.format_message().rstrip(".")  # pyright: ignore[reportAttributeAccessIssue]
    context = getattr(error, "ctx", None)
    return f"{message}; see {context.command_path if context else 'halfstep'} --help"


def _free(error: OSError) -> str:
    """How much is free where it was full, unless the error tells of bytes itself."""
    if "bytes" in str(error) or not error.filename:
        return ""
    folder = Path(os.fsdecode(error.filename)).absolute().parent
    try:
        return f", {shutil.disk_usage(folder).free} bytes free"
    except OSError:
        return ""


def lost_working_folder() -> str | None:
    """What is wrong where the folder in which the command works was deleted, with its name; None where it is there."""
    try:
        Path.cwd()
    except FileNotFoundError:
        return f"{_last_known()}: the working folder was deleted; change to a folder that is there (cd), and try again"
    return None


def _last_known() -> str:
    """What the working folder was called, by the system or the shell."""
    try:
        return os.readlink(WORKING).removesuffix(" (deleted)")  # noqa: PTH115 - the link leads to nothing
    except OSError:
        return os.environ.get("PWD", ".")


def _of_the_system(error: OSError) -> tuple[int, str]:
    named_whole = Path(str(error.filename or "")).is_absolute()
    if error.errno == errno.ENOENT and not named_whole and (lost := lost_working_folder()):
        return INPUT, lost
    where = f"{error.filename}: " if error.filename else ""
    reason = error.strerror or str(error)
    if error.errno in FULL:
        return OURS, f"{where}{reason}{_free(error)}; free some, or write elsewhere"
    if error.errno in THEIRS:
        return INPUT, f"{where}{reason}; name another path, or change its permissions"
    return OURS, f"{where}{reason}"
