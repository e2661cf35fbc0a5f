"""`halfstep prepare`: from recordings to a data set."""

import json
import os
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from halfstep.app.failures import STRICT
from halfstep.app.mirror import at_hand
from halfstep.app.options import PRESET_NAMES, AsJson, Ray, joined, preset_names
from halfstep.app.progress import progress
from halfstep.app.terminal import note, say
from halfstep.atomic import disk_named

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


def _jobs(cluster: "Cluster | None") -> "RunJobs":
    """Who does the work of `prepare`."""
    if cluster is None:
        from halfstep.data.supervisor import run_jobs

        return run_jobs
    from halfstep.cluster.recordings import run_jobs_on

    return partial(run_jobs_on, cluster)


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
