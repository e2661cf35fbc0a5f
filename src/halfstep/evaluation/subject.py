"""What is evaluated: a model folder, or a run, whose teacher and students are made one. All are judged as they play."""

import hashlib
import json
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from halfstep.arrays import Float32
from halfstep.audio.mel import MelConfig
from halfstep.bundle import DenoiserFile, Manifest, is_model_folder, load_folder
from halfstep.bundle.model_json import FILE_NAME
from halfstep.conditioning import DRIFT, Course
from halfstep.diffusion.process import ANCESTRAL
from halfstep.errors import NamedError, unbraced
from halfstep.evaluation.hearing import Row
from halfstep.evaluation.sounds import NewVocoder, model_mels, through_vocoder
from halfstep.generation.canvas import mel_stream
from halfstep.generation.model import Model
from halfstep.generation.requests import USUAL_SECONDS, Piece
from halfstep.runs.playable import networks_of, playable_of
from halfstep.runs.run_folder import Run, open_run
from halfstep.vocoders.griffin_lim import GriffinLimStream
from halfstep.vocoders.stereo import with_image

BASELINE = "baseline"
"""The kind of the rows of what the subject is compared with."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Subject:
    """name and facts for the report; files: name -> sha256 of all that makes its music; model plays them. run: where it
    is one.

    teacher_steps: numbers of steps besides its own that the undistilled network is judged at. asked: of its controls.
    """

    name: str
    facts: dict[str, Any]
    files: dict[str, str]
    model: Model
    run: Run | None = None
    teacher_steps: tuple[int, ...] = ()
    asked: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def mel(self) -> MelConfig:
        return self.model.manifest.mel

    @property
    def frames(self) -> int:
        """Of a window."""
        return self.model.manifest.frames

    @property
    def vocoder(self) -> NewVocoder:
        return self.model.engine.vocoder

    @property
    def course(self) -> Course:
        """What is asked of it. InputError for a control that it has not, or a value that it does not know."""
        return self.model.manifest.asks.course(self.asked, self.model.manifest.id)

    def mels(self, seed: int, steps: int) -> Iterator[Float32[np.ndarray, "bands frames"]]:
        """Its endless music before it has a waveform, under what is asked."""
        piece = Piece(seconds=USUAL_SECONDS, seed=seed, steps=steps, asked=self.asked)
        return mel_stream(self.model.engine.sampler_of(piece), self.model.engine.canvas(piece))

    def _guide(self, seed: int) -> Float32[np.ndarray, "rows frames"] | None:
        """What a window is to follow where a tempo, a density or a key leads it, as this seed's piece begins."""
        guide = self.model.engine.guide(Piece(seconds=USUAL_SECONDS, seed=seed, asked=self.asked))
        return None if guide is None else guide(0, self.frames)

    def rows(self, windows: int, seed: int, vocoder: NewVocoder, kind: str | None = None) -> Iterator[Row]:
        """The undistilled network, then every student, most steps first. All windows of one number begin from the same
        noise, and DDPM's sampler adds the same at each step. kind: of the rows, if not what they are.
        """
        manifest = self.model.manifest
        for entry in manifest.denoisers:
            if entry.most_steps is not None:
                for steps in dict.fromkeys((entry.steps, *self.teacher_steps)):
                    yield self._row(entry, steps, windows, seed, vocoder, kind)
        for entry in sorted(manifest.denoisers, key=lambda one: -one.steps):
            if entry.most_steps is None:
                yield self._row(entry, entry.steps, windows, seed, vocoder, kind)

    def _row(
        self, entry: DenoiserFile, steps: int, windows: int, seed: int, vocoder: NewVocoder, kind: str | None
    ) -> Row:
        undistilled = entry.most_steps is not None
        sampler = self.model.engine.undistilled(entry, steps) if undistilled else self.model.engine.sampler(steps)
        sampler = sampler.asked(self.course.at(0) if self.asked else None)
        source = through_vocoder(model_mels(sampler, seed, lambda k: self._guide(seed + k)), self.mel, vocoder)
        sampled = "DDPM" if entry.sampler == ANCESTRAL else "DDIM"
        calls = "one network call" if steps == 1 else f"{steps} network calls"
        about = f"the network that was never distilled, {sampled}: {calls}" if undistilled else calls
        name = f"{self.name}, {'undistilled, ' if undistilled else ''}{steps} step" + "s" * (steps > 1)
        return Row(
            name=name, kind=kind or ("teacher" if undistilled else "student"), source=source, windows=windows,
            steps=steps, keep_mels=True, about=f"{about} for {self.model.manifest.seconds:.1f} s",
        )  # fmt: skip


@contextmanager
def open_subject(
    path: str, work: Path, teacher_steps: tuple[int, ...] = (), asked: Mapping[str, str] | None = None
) -> Generator[Subject, None, None]:
    """The model by id or folder, or the run at `path`, exported to `work`. InputError if neither, if it cannot take so
    many steps, or be asked so.
    """
    asked = asked or {}
    if (Path(path) / "config.json").is_file() and not is_model_folder(Path(path)):
        with open_run(Path(path)) as run:
            yield _checked(replace(_of_run(run, work, teacher_steps), asked=asked))
    else:
        yield _checked(subject_of(Model(load_folder(path)), teacher_steps, asked))


def _checked(subject: Subject) -> Subject:
    for steps in subject.teacher_steps:
        if not any(one.most_steps is not None and one.serves(steps) for one in subject.model.manifest.denoisers):
            raise NamedError(
                f"{{teacher_steps}} {steps}: {subject.name} serves {subject.model.manifest.serving}; a network "
                f"that was never distilled is needed, and no more steps than it knows"
            )
    if subject.course.drifts:
        name = next(name for name, text in subject.asked.items() if DRIFT in text)
        raise NamedError(f"{{{name}}} {unbraced(subject.asked[name])}: a report is of one thing; leave `{DRIFT}` out")
    return subject


def subject_of(model: Model, teacher_steps: tuple[int, ...] = (), asked: Mapping[str, str] | None = None) -> Subject:
    """A model that is judged."""
    manifest = model.manifest
    facts = {
        "kind": "model", "id": manifest.id, "licence": manifest.licence, "parameters": manifest.parameters,
        "trained_minutes": round(sum(origin.minutes for origin in manifest.trained_on), 1),
    }  # fmt: skip
    files = {name: entry.sha256 for name, entry in manifest.files.items()} | {FILE_NAME: _as_it_plays(manifest)}
    return Subject(
        name=manifest.id, facts=facts, files=files, model=model, teacher_steps=teacher_steps, asked=asked or {}
    )


def _as_it_plays(manifest: Manifest) -> str:
    """sha256 of what model.json says of the music, and not of the model."""
    said = asdict(manifest)
    for name in ("id", "description", "licence", "output_licence", "trained_on", "measured", "files", "made_with"):
        del said[name]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _of_run(run: Run, work: Path, teacher_steps: tuple[int, ...]) -> Subject:
    facts = {"kind": "run", "id": run.path.name, "preset": run.experiment.name, "licence": "not stated"}
    files = networks_of(run)  # not finished is said before anything is done
    model = Model(load_folder(playable_of(run, work)))
    return Subject(name=model.manifest.id, facts=facts, files=files, model=model, run=run, teacher_steps=teacher_steps)


def griffin_lim(mel: MelConfig) -> NewVocoder:
    """Griffin-Lim from the seed 0, for every window."""
    return lambda: with_image(GriffinLimStream(mel.mid, seed=0), mel)


def fits(subject: Subject, mel: MelConfig, data: Path | str) -> None:
    """InputError where the data set's mel is not the subject's."""
    if subject.mel != mel:
        raise NamedError(
            f"{{data}} {unbraced(data)}: prepared with {mel}, but {subject.name} speaks {subject.mel}; prepare it so"
        )


def comparable(other: Subject, subject: Subject) -> None:
    """InputError where two subjects cannot be heard side by side."""
    if (other.mel, other.frames) != (subject.mel, subject.frames):
        raise NamedError(
            f"{{beside}} {other.name}: windows of {other.frames} frames of {other.mel}, but {subject.name} has "
            f"{subject.frames} of {subject.mel}; only the same windows can be set side by side"
        )
    if other.name == subject.name:
        raise NamedError(f"{{beside}} {other.name}: both are called so; give one of the folders another name")
