"""A run that plays without being exported by hand: its teacher and every finished student, as one model folder."""

import hashlib
import json
import shutil
from dataclasses import asdict
from pathlib import Path

import halfstep
from halfstep.bundle import is_model_folder
from halfstep.bundle.files import sha256_of
from halfstep.runs.distill import finished_rungs
from halfstep.runs.export_model import Card, ExportConfig, write_model
from halfstep.runs.run_folder import Run, open_run
from halfstep.runs.train import TEACHER

PLAYABLE = "playable"


def playable(run: Path) -> Path:
    """The model folder of a run, inside it; made when it is not there yet. InputError if the run is not finished."""
    with open_run(run) as opened:
        return playable_of(opened, run)


def playable_of(run: Run, where: Path) -> Path:
    """The same for an opened run, in the folder `where`; one of other weights makes room."""
    files = networks_of(run)
    said = json.dumps([files, asdict(run.experiment.diffusion), halfstep.__version__])
    out = where / f"{PLAYABLE}-{hashlib.sha256(said.encode()).hexdigest()[:12]}"
    if not is_model_folder(out):
        for old in where.glob(f"{PLAYABLE}-*"):
            shutil.rmtree(old)
        steps = (run.experiment.teacher_steps, *finished_rungs(run))
        write_model(run, out, Card(id=_plain(run.path.resolve().name)), ExportConfig(steps=steps))
    return out


def networks_of(run: Run) -> dict[str, str]:
    """The sha256 of the run's networks: "teacher", and every student by its steps. InputError if it is not finished."""
    run.teacher()
    students = {str(n): run.path / "ladder" / f"{n:04d}" / "student.safetensors" for n in finished_rungs(run)}
    return {name: sha256_of(path) for name, path in ({"teacher": run.path / TEACHER} | students).items()}


def _plain(name: str) -> str:
    """An id from the name of a folder."""
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in name)[:100]
    return plain if plain[:1].isalnum() else f"run{plain}"[:100]
