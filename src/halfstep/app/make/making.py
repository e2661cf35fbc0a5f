"""The commands of the making half: prepare, train, distill; export is a file of its own. Each imports late what it
needs.
"""

import json
import os
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from halfstep.app.failures import STRICT
from halfstep.app.make.exporting import RunFolder, export
from halfstep.app.mirror import at_hand, place
from halfstep.app.options import PRESET_NAMES, AsJson, Ray, joined, preset_names
from halfstep.app.progress import progress
from halfstep.app.terminal import note, say
from halfstep.atomic import disk_named
from halfstep.printable import printable

if TYPE_CHECKING:
    from halfstep.cluster.ray_cluster import Cluster
    from halfstep.data.preparing import PrepareConfig, RunJobs

DEFAULT_PRESET = "base"

Preset = Annotated[
    str,
    typer.Option(
        autocompletion=preset_names,
        help=f"A named experiment: {', '.join(PRESET_NAMES)}.",
    ),
]
Device = Annotated[
    str | None, typer.Option(metavar="cuda|mps|cpu", help="Where the network is; the best that is here if not given.")
]
Track = Annotated[
    str | None,
    typer.Option(
        metavar="PROJECT", help="Keep the figures in a project of trackio, on this machine: pip install trackio."
    ),
]


def add_to(app: typer.Typer) -> None:
    """Add these commands to the program."""
    app.command(
        epilog="Example: halfstep prepare ~/Music/mine --out data/mine\n\n"
        "halfstep prepare ~/Music --out data/all --label style=folders"
    )(prepare)
    app.command(epilog="Example: halfstep train data/mine --out runs/mine --set train.batch_size=16")(train)
    app.command(epilog="Example: halfstep distill runs/mine --to 4")(distill)
    app.command(epilog="Example: halfstep export runs/mine --out models/mine")(export)


def prepare(
    audio: Annotated[list[Path], typer.Argument(metavar="AUDIO...", help="Recordings, and folders of them.")],
    out: Annotated[str, typer.Option(metavar="DATA", help="The folder of the data set, or an address like s3://.")],
    preset: Preset = DEFAULT_PRESET,
    stereo: Annotated[
        bool, typer.Option("--stereo", help="Keep the stereo image: a model that learns from it makes two channels.")
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the report there too, besides DATA/report.json."),
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; one a core if not given.")] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=SOURCE",
            help="What a model may be asked for, such as style=folders; SOURCE is folders, tags, or a JSON file of "
            "{recording: label}. May be given again.",
        ),
    ] = None,
    ray: Ray = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 3 if any file could not be used as it is.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Turn recordings into a data set. Again, it does only what changed; what it cannot read, it lists."""
    from dataclasses import asdict

    from halfstep.app.outputs import check_report
    from halfstep.atomic import write_json
    from halfstep.data import preparing

    if report is not None:
        check_report(report, audio)
        report.parent.mkdir(parents=True, exist_ok=True)
    config = _prepare_config(preset, label or [], stereo)
    try:
        with at_hand(out) as folder, disk_named(folder), progress("prepare") as tell, joined(ray) as cluster:
            done = preparing.prepare(
                audio,
                folder if cluster is None else folder.absolute(),
                config,
                workers or os.cpu_count() or 1,
                lambda p: tell(p.share, 1, f"{p.stage}, {p.audio_seconds / 60:.0f} min of sound"),
                _jobs(cluster),
            )
    except preparing.NothingUsable as refusal:
        if report is not None:
            write_json(report, asdict(refusal.report))
        raise
    facts = asdict(done)
    if report is not None:
        write_json(report, facts)
    if as_json:
        print(json.dumps(facts, indent=1))
    else:
        for kind, entries in (("skipped", done.skipped), ("failed", done.failed), ("flagged", done.flagged)):
            for entry in entries:
                say(f"{kind}: {entry['source']}: {entry['reason']}")
        note(
            f"{out}: {done.found} files found, {done.used} used ({done.seconds / 60:.1f} minutes, "
            f"{done.heldout_seconds / 60:.1f} of them held out), "
            f"{len(done.skipped)} skipped, {len(done.failed)} failed"
        )
        names = json.dumps([source.name for source in config.labels], separators=(",", ":"))
        asking = f" --set conditions.names='{names}'" if config.labels else ""
        note(f"next: halfstep train {out} --out runs/{folder.resolve().name} --preset {preset}{asking}")
    if strict and (done.skipped or done.failed or done.flagged):
        raise typer.Exit(STRICT)


def train(
    data: Annotated[str, typer.Argument(metavar="DATA", help="A data set that `halfstep prepare` made.")],
    out: Annotated[str, typer.Option(metavar="RUN", help="The folder of the run, or an address like s3://.")],
    preset: Preset = DEFAULT_PRESET,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a setting; may be given again."),
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Updates in all, if not the preset's.")] = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="RUN|MODEL",
            help="Begin with what another run or a model has learned, in its packing.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say how long it would take here, and how much memory and disk.")
    ] = False,
    track: Track = None,
    as_json: AsJson = False,
    device: Device = None,
) -> None:
    """Train a teacher, or the learned vocoder, on a data set. The same command again goes on where it was stopped.

    On several processes or machines: torchrun ... -m halfstep train ... (docs/scale.md).
    """
    if dry_run:
        _rehearse(place(data), preset, settings or [], steps, device, as_json)
        return
    from halfstep.runs.train import train_command
    from halfstep.training.log import read_log
    from halfstep.training.tracking import tracked_in
    from halfstep.training.verdict import verdict

    kept = _kept(lambda: _so_far(run))
    with at_hand(out) as run, disk_named(run), tracked_in(track), progress("train") as tell, kept:
        figures = train_command(place(data), run, preset, settings or [], steps, tell, start, device)
    if not figures:  # not the first process of a team
        return
    said = verdict(read_log(run))
    if as_json:
        print(json.dumps({"run": str(out), "figures": figures, "learning": said.learning, "said": said.said}, indent=1))
        return
    vocoder = preset.startswith("vocoder") and (run / "vocoder.safetensors").exists()
    then = f"halfstep export {out} --into MODEL" if vocoder else f"halfstep distill {out}"
    note(f"{out}: finished; {_figures(figures)}\n{said.said}\nnext: {then}")


def distill(
    run: RunFolder,
    to: Annotated[int, typer.Option(metavar="K", min=1, help="How few steps the last rung takes.")] = 1,
    updates: Annotated[int | None, typer.Option(min=1, help="Updates a rung, if not the preset's.")] = None,
    track: Track = None,
    as_json: AsJson = False,
    device: Device = None,
) -> None:
    """Halve the teacher's steps, rung by rung. The same command again goes on where it was stopped."""
    from halfstep.runs.distill import distill_command
    from halfstep.runs.ladder_report import table
    from halfstep.training.tracking import tracked_in

    kept = _kept(lambda: "saved; the same command goes on")
    with at_hand(run) as folder, disk_named(folder), tracked_in(track), progress("distill") as tell, kept:
        rows = distill_command(folder, to, updates, tell, device)
    if as_json and rows:
        print(json.dumps({"run": str(run), "rungs": rows}, indent=1))
    elif rows:
        note(table(rows) + f"next: halfstep export {run} --out models/{folder.resolve().name} --weights int8")


def _jobs(cluster: "Cluster | None") -> "RunJobs":
    """Who does the work of `prepare`."""
    if cluster is None:
        from halfstep.data.supervisor import run_jobs

        return run_jobs
    from halfstep.cluster.recordings import run_jobs_on

    return partial(run_jobs_on, cluster)


def _so_far(run: Path) -> str:
    from halfstep.training.checkpoint import CHECKPOINTS, updates_done
    from halfstep.training.log import read_log
    from halfstep.training.verdict import verdict

    if not (done := updates_done(run / CHECKPOINTS)):
        return "nothing was trained yet; the same command begins again"
    return f"saved after {done} updates; {verdict(read_log(run)).said}; the same command goes on"


@contextmanager
def _kept(said: Callable[[], str]) -> Generator[None, None, None]:
    """What an interrupted piece of long work leaves, and how it goes on."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        print(f"halfstep: {printable(said())}", file=sys.stderr)
        raise


def _rehearse(
    data: Path | str, preset: str, settings: list[str], steps: int | None, device: str | None, as_json: bool
) -> None:
    from dataclasses import asdict

    from halfstep.app.progress import lasting
    from halfstep.runs.rehearsal import rehearse

    rehearsed = rehearse(data, preset, settings, steps, device)
    if as_json:
        print(json.dumps(asdict(rehearsed), indent=1))
        return
    memory = "-" if rehearsed.memory_bytes is None else f"{rehearsed.memory_bytes / 1e9:.1f} GB"
    model = f"{rehearsed.parameters / 1e6:.1f} M parameters, {rehearsed.windows} windows of music"
    pace = f"{rehearsed.updates} updates of {rehearsed.seconds_per_update:.3g} s"
    say(
        f"preset {rehearsed.preset} on {rehearsed.device}: {model}\n"
        f"{pace}: about {lasting(rehearsed.seconds)}, and what is measured and sampled on the way\n"
        f"{memory} of memory, {rehearsed.disk_bytes / 1e9:.2g} GB of disk; nothing was written"
    )


def _prepare_config(preset: str, labels: list[str], stereo: bool) -> "PrepareConfig":
    from halfstep.audio.image import USUAL_IMAGE_BANDS
    from halfstep.data.decode import DecodeConfig
    from halfstep.data.labels import LabelSource
    from halfstep.data.preparing import PrepareConfig
    from halfstep.data.stores import LOG_MEL
    from halfstep.errors import InputError
    from halfstep.runs import presets

    experiment = presets.preset(preset)
    frames, stores = experiment.clip_frames, experiment.stores
    mel = experiment.mel
    if stereo and stores != LOG_MEL:
        raise InputError(f"--stereo: a data set for --preset {preset} stores {stores}s of one channel; leave it out")
    if stereo and not mel.image_bands:
        mel = replace(mel, image_bands=min(USUAL_IMAGE_BANDS, mel.n_mels))
    decode = DecodeConfig(mel=mel, min_frames=frames, stores=stores)
    labelled = tuple(map(LabelSource.parsed, labels))
    return PrepareConfig(decode=decode, labels=labelled, emphasis=experiment.emphasis)


def _figures(figures: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in figures.items())
