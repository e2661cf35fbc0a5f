"""`halfstep bench`: how fast a model plays here. Every number of steps has a process of its own."""

import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import typer

from halfstep.app.failures import DONE, INPUT
from halfstep.app.options import AsJson, model_ids
from halfstep.app.threads import keep_to_one_thread
from halfstep.errors import InputError

LEAST_SECONDS, MOST_SECONDS = 5.0, 3600.0
_CHILD = """
import sys
import halfstep.app.cli  # the command line is part of the way to the first sound
from halfstep.app.play.benching import play_or_say
sys.exit(play_or_say(*sys.argv[1:]))
"""


@dataclass(frozen=True, kw_only=True)
class Speed:
    """Real-time factors are processor seconds a second of music; the rest is by the clock, from the process's start."""

    steps: int
    real_time_factor: float
    denoiser: float
    vocoder: float
    griffin_lim: float
    """The vocoder every model has, on the same mels in the same process: for comparison."""
    clock: float
    """Real-time factor by the clock: above real_time_factor where other work takes the processor."""
    first_sound_seconds: float
    peak_bytes: int | None
    """Before Griffin-Lim."""


def add_to(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(epilog="Example: halfstep bench --seconds 30")(bench)


def bench(
    model: Annotated[
        str | None,
        typer.Option(
            metavar="ID|DIR", autocompletion=model_ids, help="A model by id or folder, if not the one that comes along."
        ),
    ] = None,
    seconds: Annotated[float, typer.Option(help="Of music, for each number of steps.")] = 60.0,
    as_json: AsJson = False,
) -> None:
    """Measure real-time factor, time to first sound and memory.

    On one thread; below 1 the music comes faster than it is heard.
    """
    keep_to_one_thread()
    if not LEAST_SECONDS <= seconds <= MOST_SECONDS:
        raise InputError(f"--seconds {seconds:g}: {LEAST_SECONDS:g} to {MOST_SECONDS:g} were expected")
    import halfstep
    from halfstep.app.run_folders import as_model
    from halfstep.machine import cores, processor

    model = as_model(model)
    manifest = halfstep.load(model).manifest
    speeds = [measured(model, steps, seconds) for steps in reversed(manifest.steps)]
    about: dict[str, Any] = {
        "model": manifest.id, "sample_rate": manifest.mel.sample_rate, "processor": processor(), "cores": cores(),
        "threads": 1, "seconds": seconds,
    }  # fmt: skip
    print(json.dumps(about | {"speeds": list(map(asdict, speeds))}, indent=1) if as_json else _table(about, speeds))


def measured(model: str | None, steps: int, seconds: float) -> Speed:
    """What a fresh process takes. InputError where the model is at fault, RuntimeError where it fails otherwise."""
    command = [sys.executable, "-c", _CHILD, model or "", str(steps), str(seconds)]
    began = time.perf_counter()
    with subprocess.Popen(  # noqa: S603, ourselves
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        first_sound = time.perf_counter() - began
        figures, complaint = child.communicate()
    if child.returncode:
        said = complaint.strip().rpartition("\n")[2]
        raise InputError(said) if child.returncode == INPUT else RuntimeError(f"playing {steps} steps: {said}")
    return Speed(steps=steps, first_sound_seconds=first_sound, **json.loads(figures))


def play_or_say(model: str, steps: str, seconds: str) -> int:
    """`play_through`, in this process; its exit code, and a line on stderr where the input is at fault."""
    try:
        play_through(model, steps, seconds)
    except InputError as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        return INPUT
    return DONE


def play_through(model: str, steps: str, seconds: str) -> None:
    """Play, in this process: a line with the first sound, then the figures of what follows it, as JSON."""
    keep_to_one_thread()
    import halfstep
    from halfstep.audio.limiter import limit
    from halfstep.machine import peak_bytes
    from halfstep.vocoders.base import GRIFFIN_LIM

    playing = halfstep.load(model or None)
    vocoder, mels = playing.engine.vocoder(0), playing.mels(0, int(steps))
    while not vocoder.push(next(mels)).size:
        pass
    print("sound", flush=True)

    hop_seconds = playing.manifest.mel.hop_length / playing.sample_rate
    mel_blocks: list[Any] = []
    played, clock = 0.0, time.perf_counter()
    denoising = voicing = 0.0
    while played < float(seconds):
        before = time.process_time()
        log_mel = next(mels)
        between = time.process_time()
        limit(vocoder.push(log_mel))
        denoising, voicing = denoising + between - before, voicing + time.process_time() - between
        mel_blocks.append(log_mel)
        played += log_mel.shape[1] * hop_seconds
    clock, peak = time.perf_counter() - clock, peak_bytes()
    usual = playing.engine.vocoder(0, GRIFFIN_LIM)
    before = time.process_time()
    for log_mel in mel_blocks:
        usual.push(log_mel)
    figures = {
        "real_time_factor": (denoising + voicing) / played, "denoiser": denoising / played, "vocoder": voicing / played,
        "griffin_lim": (time.process_time() - before) / played, "clock": clock / played, "peak_bytes": peak,
    }  # fmt: skip
    print(json.dumps(figures))


def _table(about: dict[str, Any], speeds: list[Speed]) -> str:
    cores = f"{about['cores']} core" + "s" * (about["cores"] != 1)
    lines = [
        f"{about['processor']}, {cores}, 1 thread; {about['model']}, {about['sample_rate']} Hz",
        "steps  real-time factor  denoiser  vocoder  (Griffin-Lim)  by the clock  first sound  memory",
    ]
    for one in speeds:
        memory = "-" if one.peak_bytes is None else f"{one.peak_bytes / 1e6:.0f} MB"
        lines.append(
            f"{one.steps:5d}  {one.real_time_factor:16.4f}  {one.denoiser:8.4f}  {one.vocoder:7.4f}"
            f"  {one.griffin_lim:13.4f}  {one.clock:12.4f}  {one.first_sound_seconds:9.2f} s  {memory}"
        )
    return "\n".join(lines)
