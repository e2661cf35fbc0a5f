"""What is evaluated: a model folder, or a run, whose students are made one and whose teacher is asked itself."""

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from halfstep.audio.mel import MelConfig
from halfstep.bundle import ModelFolder, is_model_folder, load_folder
from halfstep.bundle.model_json import sha256_of
from halfstep.errors import InputError
from halfstep.evaluation.hearing import Row
from halfstep.evaluation.sounds import NewVocoder, model_mels, through_vocoder
from halfstep.evaluation.teacher import teacher_mels
from halfstep.generation.model import Model
from halfstep.generation.window import WindowSampler
from halfstep.runs.distill import finished_rungs
from halfstep.runs.export import Card, write_model
from halfstep.runs.run_folder import Run, open_run
from halfstep.vocoders.griffin_lim import GriffinLimStream


@dataclass(frozen=True, kw_only=True, eq=False)
class Subject:
    """name and facts for the report; files: name -> sha256 of all its networks; model plays the students, if any."""

    name: str
    facts: dict[str, Any]
    files: dict[str, str]
    mel: MelConfig
    frames: int
    model: Model | None
    run: Run | None
    vocoder: NewVocoder

    def rows(self, windows: int, seed: int) -> list[Row]:
        """The teacher, then every student, most steps first. All windows of one number begin from one noise."""
        return [*self._teacher(windows, seed), *self._students(windows, seed)]

    def _teacher(self, windows: int, seed: int) -> Iterator[Row]:
        if self.run is None:
            return
        steps = self.run.experiment.distill.start_steps
        mels = teacher_mels(self.run, self.run.teacher(), steps, seed)
        source = through_vocoder(mels, self.mel, self.vocoder)
        about = f"the teacher of the run, {steps} DDIM steps"
        yield Row(
            name=f"teacher, {steps} steps", kind="teacher", source=source, windows=windows, steps=steps,
            keep_mels=True, about=about,
        )  # fmt: skip

    def _students(self, windows: int, seed: int) -> Iterator[Row]:
        if self.model is None:
            return
        for steps in reversed(self.model.manifest.steps):
            sampler = WindowSampler(
                self.model.folder.denoiser(steps), self.model.manifest, steps, self.model.folder.packing
            )
            source = through_vocoder(model_mels(sampler, seed), self.mel, self.vocoder)
            calls = "one network call" if steps == 1 else f"{steps} network calls"
            yield Row(
                name=f"{self.name}, {steps} step" + "s" * (steps > 1), kind="student", source=source, windows=windows,
                steps=steps, keep_mels=True, about=f"{calls} for {self.model.manifest.seconds:.1f} s",
            )  # fmt: skip


@contextmanager
def open_subject(path: str, work: Path) -> Iterator[Subject]:
    """The model by id or folder, or the run at `path`, its students exported to `work`. InputError if neither."""
    if (Path(path) / "config.json").is_file() and not is_model_folder(Path(path)):
        with open_run(Path(path)) as run:
            yield _of_run(run, work)
    else:
        yield _of_model(Model(load_folder(path)))


def _of_model(model: Model) -> Subject:
    manifest = model.manifest
    facts = {
        "kind": "model", "id": manifest.id, "licence": manifest.licence, "parameters": manifest.parameters,
        "trained_minutes": round(sum(origin.minutes for origin in manifest.trained_on), 1),
    }  # fmt: skip
    return Subject(
        name=manifest.id, facts=facts, files={name: entry.sha256 for name, entry in manifest.files.items()},
        mel=manifest.mel, frames=manifest.frames, model=model, run=None, vocoder=model.vocoder,
    )  # fmt: skip


def _of_run(run: Run, work: Path) -> Subject:
    experiment = run.experiment
    teacher = run.path / "teacher.safetensors"
    run.teacher()  # not finished is said before anything is done
    files = {"teacher": sha256_of(teacher)}
    steps = tuple(finished_rungs(run))
    files |= {str(n): sha256_of(run.path / "ladder" / f"{n:04d}" / "student.safetensors") for n in steps}
    facts = {"kind": "run", "id": run.path.name, "preset": experiment.name, "licence": "not stated"}
    model = Model(_exported(run, steps, work, files)) if steps else None
    return Subject(
        name="student", facts=facts, files=files, mel=experiment.mel, frames=experiment.task.clip_frames, model=model,
        run=run, vocoder=model.vocoder if model else griffin_lim(experiment.mel),
    )  # fmt: skip


def _exported(run: Run, steps: tuple[int, ...], work: Path, files: dict[str, str]) -> ModelFolder:
    """The students as a model folder in `work`, made anew for other weights."""
    out = work / f"students-{hashlib.sha256(''.join(files.values()).encode()).hexdigest()[:12]}"
    if not is_model_folder(out):
        shutil.rmtree(out, ignore_errors=True)
        write_model(run, out, Card(id="students"), steps=steps)
    return load_folder(out)


def griffin_lim(mel: MelConfig) -> NewVocoder:
    """Griffin-Lim from the seed 0, for every window anew."""
    return lambda: GriffinLimStream(mel, seed=0)


def fits(subject: Subject, mel: MelConfig, data: Path) -> None:
    """InputError where the data set's mel is not the subject's."""
    if subject.mel != mel:
        raise InputError(f"--data {data}: prepared with {mel}, but {subject.name} speaks {subject.mel}; prepare it so")
