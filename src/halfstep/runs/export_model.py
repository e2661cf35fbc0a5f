"""A run becomes a model folder: students as ONNX, and everything playing must know of them."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import torch
from torch import Tensor, nn

from halfstep.arrays import Float
from halfstep.atomic import replacing_folder
from halfstep.audio.mel import MelConfig
from halfstep.bundle import (
    DenoiserFile,
    Manifest,
    ModelFolder,
    VocoderFiles,
    installed_folders,
    verify,
    write_manifest,
)
from halfstep.diffusion.rates import Rates
from halfstep.diffusion.steps import JUMP, TRAILING
from halfstep.errors import InputError, NamedError, unbraced
from halfstep.export.onnx_writing import STORED, write_onnx
from halfstep.fields import LONGEST_TEXT, is_text
from halfstep.nets.condition import Condition
from halfstep.nets.denoiser import Denoiser
from halfstep.runs.credits import origins
from halfstep.runs.distill import finished_rungs
from halfstep.runs.ladder_report import ladder_rows
from halfstep.runs.likeness import with_likeness
from halfstep.runs.run_folder import Run, open_run
from halfstep.tasks.contract import Played, Task
from halfstep.training.checkpoint import CHECKPOINTS, notes_of, save_tensors, updates_done

HALF_NOISE, KNOWS_NOTHING = "x_error/0.5", 0.5
"""The held-out figure at alpha = sigma, and what alpha z, the best guess that looks at each value alone, has there."""
NOT_MUSIC = "warning"

Network: TypeAlias = tuple[DenoiserFile, Denoiser]
"""What the manifest says of a network, and the network."""


@dataclass(frozen=True, kw_only=True)
class Card:
    """What a model says of itself. credits: LICENCES.json files (lists of {file, licence, ...}) of the recordings."""

    id: str
    description: str = "trained with halfstep"
    licence: str = "not stated"
    output_licence: str = "not stated: see what it was trained on"
    credits: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        said = {"description": self.description, "licence": self.licence, "output_licence": self.output_licence}
        for name, text in said.items():
            if not is_text(text):
                raise NamedError(
                    f"{{{name}}} {unbraced(repr(text)[:80])}: printable text of at most {LONGEST_TEXT} characters "
                    "was expected"
                )


@dataclass(frozen=True, kw_only=True)
class ExportConfig:
    """Which networks of a run a model has, and how. NamedError for weights that are not in STORED.

    steps: students; () means 4 and 1, or all there are. A number from the ladder's start_steps on means the teacher,
    which then plays at any number. weights: how they are stored; they are float32 again once loaded. jump: a student
    of N > 1 steps takes its last two in one (`jumping_times`), and so serves N - 1 steps, and fewer. with_teacher adds
    the averaged teacher as safetensors, to train on from.
    """

    steps: tuple[int, ...] = ()
    weights: str = "fp32"
    jump: bool = False
    with_teacher: bool = False

    def __post_init__(self) -> None:
        if self.weights not in STORED:
            raise NamedError(f"{{weights}} {unbraced(self.weights)}: one of {', '.join(STORED)} was expected")


AS_USUAL = ExportConfig()


def export_run(run: Path, out: Path, card: Card, config: ExportConfig = AS_USUAL) -> Manifest:
    """Write the model folder `out` for a run's students. A run that was never distilled exports its teacher; a
    training that is not finished gives its newest checkpoint, and the model says so.

    InputError if nothing was trained yet, or the run lacks a rung, or `out` has something in it.
    """
    if out.exists() and any(out.iterdir()):
        raise NamedError(f"{unbraced(out)}: not empty; choose another {{out}}, or remove it")
    with open_run(run) as opened:
        return write_model(opened, out, card, config)


def write_model(run: Run, out: Path, card: Card, config: ExportConfig = AS_USUAL) -> Manifest:
    """The same for an opened run; `out` is absent or empty."""
    export = run.experiment.kind.export
    if export is None:
        raise InputError(f"{run.path}: models {run.experiment.task_name}, which nothing plays: it cannot be exported")
    task = run.task
    networks = _chosen(run, config.steps, config.jump)
    if config.jump and run.experiment.diffusion.process.noise.chain is not None:
        schedule = run.experiment.diffusion.schedule
        raise NamedError(f"{{jump}}: a last step of twice the length is of continuous time, not of {schedule}'s chain")
    out.parent.mkdir(parents=True, exist_ok=True)
    with replacing_folder(out) as folder:
        for entry, denoiser in {entry.file: (entry, denoiser) for entry, denoiser in networks}.values():
            write_denoiser(
                denoiser, task, folder / entry.file, config.weights, entry.learned_variance, run.conditions.width
            )
        if config.with_teacher:
            save_tensors(folder / "teacher.safetensors", run.teacher().state_dict(), {"run": run.path.name})
        vocoder = carried_vocoder(folder, run.experiment.mel.mid)
        described = _manifest(run, networks, card, config.weights, export(task, folder))
        manifest = write_manifest(folder, replace(described, vocoder=vocoder))
        if problems := verify(folder):
            raise RuntimeError(f"{out}: what was exported does not verify: {problems[0]}")
    return manifest


def carried_vocoder(folder: Path, mel: MelConfig) -> VocoderFiles | None:
    """The networks of an installed model's vocoder for this mel, copied into `folder`; None if there are none."""
    for model in installed_folders():
        files = model.manifest.vocoder if isinstance(model, ModelFolder) else None
        if isinstance(model, ModelFolder) and files is not None and model.manifest.mel.mid == mel:
            for name in files.files:
                (folder / name).write_bytes(model.read(name))
            return files
    return None


def _chosen(run: Run, steps: tuple[int, ...], jump: bool) -> list[Network]:
    """The students of so many steps; for a number that is the teacher's, the teacher, once."""
    rungs, experiment = finished_rungs(run), run.experiment
    first = experiment.distill.start_steps if experiment.diffusion.process.distillable else 1
    wanted = steps or tuple(n for n in (4, 1) if n in rungs) or tuple(rungs) or (experiment.teacher_steps,)
    networks: list[Network] = []
    for num_steps, calls in _calls(sorted(n for n in wanted if n in rungs), jump).items():
        student = rungs[num_steps]()
        networks += [(entry, student) for entry in _student(num_steps, calls, jump)]
    for num_steps in (n for n in wanted if n not in rungs):
        if num_steps < min(first, experiment.teacher_steps):
            have = ", ".join(map(str, rungs)) or "none"
            raise InputError(
                f"{run.path}: no finished student of {num_steps} steps (there are: {have}); "
                f"{_how_to_have(run, num_steps)}"
            )
        if num_steps > experiment.diffusion.process.most_steps:
            most = experiment.diffusion.process.most_steps
            raise InputError(f"{run.path}: {num_steps} steps are asked for; its teacher knows {most}")
        if all(entry.most_steps is None for entry, _ in networks):
            networks.append((_undistilled(run, num_steps), run.teacher_so_far()[0]))
    return networks


def _calls(students: list[int], jump: bool) -> dict[int, list[int]]:
    """Student, fewest steps first -> the numbers of calls it serves: its own, or with a jump all below that the
    students before it leave. InputError if one is left with nothing.
    """
    served: dict[int, list[int]] = {}
    for student in students:
        taken = {calls for others in served.values() for calls in others}
        own = range(student - 1, 0, -1) if jump and student > 1 else [student]
        served[student] = [calls for calls in own if calls not in taken]
        if not served[student]:
            raise NamedError(f"{{jump}}: leaves the student of {student} steps no number of steps of its own")
    return served


def _student(num_steps: int, calls: list[int], jump: bool) -> list[DenoiserFile]:
    respacing = JUMP if jump and num_steps > 1 else TRAILING
    return [DenoiserFile(steps=one, file=f"denoiser-{calls[0]}.onnx", respacing=respacing) for one in calls]


def _undistilled(run: Run, num_steps: int) -> DenoiserFile:
    """The teacher, which serves any number of steps."""
    sampling = run.experiment.diffusion.sampling
    return DenoiserFile(
        steps=num_steps, file=f"denoiser-{num_steps}.onnx", most_steps=sampling.process.most_steps,
        sampler=sampling.sampler, respacing=sampling.respacing, variance=sampling.variance,
    )  # fmt: skip


def _how_to_have(run: Run, num_steps: int) -> str:
    """What makes a student of so many steps, or which there can be."""
    try:
        run.experiment.distill.rungs(num_steps)
    except ValueError:
        return f"students have a power of two below {run.experiment.distill.start_steps} steps"
    return f"run `halfstep distill {run.path} --to {num_steps}`"


class _Exported(nn.Module):
    """(z_t, alpha [B], sigma [B], ...) -> v, the interface of the model folder; and the fraction, if it is learned.

    What follows are the `parts` of the condition, in their order. The sizes of v are said at the end: where a network
    divides its channels, the exporter loses sight of them.
    """

    def __init__(self, denoiser: Denoiser, channels: int, length: int, fraction: bool, parts: tuple[str, ...]) -> None:
        super().__init__()
        self.denoiser = denoiser
        self.parts = parts
        self.shape = (-1, channels, length)
        self.fraction = fraction

    def forward(
        self,
        z_t: Float[Tensor, "batch channels length"],
        alpha: Float[Tensor, "batch"],
        sigma: Float[Tensor, "batch"],
        *given: Float[Tensor, "batch ..."],
    ) -> (
        Float[Tensor, "batch channels length"]
        | tuple[Float[Tensor, "batch channels length"], Float[Tensor, "batch channels length"]]
    ):
        at_t = Rates(alpha[:, None, None], sigma[:, None, None])
        made = self.denoiser.predict(z_t, at_t, Condition(**dict(zip(self.parts, given, strict=True))))
        v = made.v.reshape(self.shape)
        if not self.fraction:
            return v
        assert made.fraction is not None, "a fraction of the reverse variance, of a network that learns none"
        return v, made.fraction.reshape(self.shape)


def write_denoiser(
    denoiser: Denoiser, task: Task, path: Path, weights: str = "fp32", fraction: bool = False, pooled: int = 0
) -> None:
    """The denoiser as one self-contained ONNX file that takes any batch. fraction: of the reverse variance as well.
    pooled: features of the vector of what it is asked for.
    """
    # A batch of one: what a network makes as long as its batch, the exporter takes for constant, and 1 fits any.
    inputs = {
        "z_t": torch.zeros(1, task.channels, task.length),
        "alpha": torch.full((1,), 0.6),
        "sigma": torch.full((1,), 0.8),
    }
    if task.aligned:
        inputs["aligned"] = torch.zeros(1, task.aligned, task.length)
    if pooled:
        inputs["pooled"] = torch.zeros(1, pooled)
    outputs = ("v", "fraction") if fraction else ("v",)
    changing = {name: {0: "batch"} for name in (*inputs, *outputs)}
    parts = tuple(name for name in ("aligned", "pooled") if name in inputs)
    module = _Exported(denoiser, task.channels, task.length, fraction, parts)
    write_onnx(module, inputs, outputs, changing, path, weights)


def _not_music_yet(run: Run) -> dict[str, str]:
    """A word for `measured` where the teacher is not finished, or knows no more of a clip under noise than the level of
    each value.
    """
    finished = (run.path / "teacher.json").exists()
    if not finished:
        updates = updates_done(run.path / CHECKPOINTS)
        of = run.experiment.train.total_steps(run.windows("train").count)
        return {NOT_MUSIC: f"not music yet, perhaps: {updates} of {of} updates"}
    figures = notes_of(run.path / "teacher.safetensors").get("figures", {})
    error = figures.get(HALF_NOISE) if isinstance(figures, dict) else None
    if not isinstance(error, int | float) or error < KNOWS_NOTHING:
        return {}
    said = f"at half noise its error is {error:.2f}, and {KNOWS_NOTHING:g} takes no training"
    return {NOT_MUSIC: f"not music yet: {said}"}


def _manifest(run: Run, networks: list[Network], card: Card, weights: str, played: Played) -> Manifest:
    experiment, library = run.experiment, run.library
    ladder = run.path / "ladder" / "ladder.json"
    rows = ladder_rows(ladder) if ladder.exists() else []
    return Manifest(
        id=card.id, description=card.description, licence=card.licence, output_licence=card.output_licence,
        trained_on=origins(library, card.credits), mel=experiment.mel, frames=played.frames,
        packing=played.packing, components=played.components,
        conditions=with_likeness(run.conditions, library, played.frames),
        band_mean=tuple(float(value) for value in library.band_mean),
        band_std=tuple(float(value) for value in library.band_std),
        denoisers=tuple(entry for entry, _ in networks), context=played.context, process=experiment.diffusion.process,
        parameters=sum(p.numel() for p in networks[0][1].parameters()),
        measured={"weights": weights, "preset": experiment.name, "ladder": rows, **_not_music_yet(run)},
    )  # fmt: skip
