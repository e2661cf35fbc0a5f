"""A run becomes a model folder: students as ONNX, and everything playing must know of them."""

from dataclasses import dataclass, replace
from pathlib import Path

from halfstep.atomic import replacing_folder
from halfstep.audio.mel import MelConfig
from halfstep.bundle import (
    Manifest,
    VocoderFiles,
    installed_vocoders,
    verify,
    write_manifest,
)
from halfstep.errors import InputError, NamedError, unbraced
from halfstep.export.onnx_writing import STORED
from halfstep.fields import LONGEST_TEXT, is_text
from halfstep.runs.credits import learned_from
from halfstep.runs.export_choice import Network, chosen_networks
from halfstep.runs.export_denoiser import write_denoiser
from halfstep.runs.export_plan import write_plan
from halfstep.runs.ladder_report import ladder_rows
from halfstep.runs.likeness import with_likeness
from halfstep.runs.run_folder import Run, open_run
from halfstep.tasks.contract import Played
from halfstep.training.checkpoint import CHECKPOINTS, notes_of, save_tensors, updates_done

HALF_NOISE, KNOWS_NOTHING = "x_error/0.5", 0.5
"""The held-out figure at alpha = sigma, and what alpha z, the best guess that looks at each value alone, has there."""
NOT_MUSIC = "warning"
AS_TRAINED = "fp32"


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
    the averaged teacher as safetensors, to train on from. drawn: one of DRAWN, see `Manifest`. plan: a run of the
    preset plan, whose network plans what new music follows; plan_weights: how it is stored, None for as `weights` says.
    """

    steps: tuple[int, ...] = ()
    weights: str = "fp32"
    jump: bool = False
    with_teacher: bool = False
    drawn: tuple[str, ...] = ()
    plan: Path | None = None
    plan_weights: str | None = None

    def __post_init__(self) -> None:
        for name, weights in (("weights", self.weights), ("plan_weights", self.plan_weights or self.weights)):
            if weights not in STORED:
                raise NamedError(f"{{{name}}} {unbraced(weights)}: one of {', '.join(STORED)} was expected")
        if self.plan is None and self.plan_weights is not None:
            raise NamedError("{plan_weights}: there is no {plan} to store; name its run")


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
    if run.experiment.kind.plans is not None:
        raise NamedError(f"{unbraced(run.path)}: plans music, and plays none; give it as {{plan}} to a run of music")
    if export is None:
        raise InputError(f"{run.path}: models {run.experiment.task_name}, which nothing plays: it cannot be exported")
    task = run.task
    networks = chosen_networks(run, config.steps, config.jump)
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
        played = export(task, folder, config.weights != AS_TRAINED)
        described = _manifest(run, networks, card, config.weights, played)
        if not described.can_draw(config.drawn):
            raise NamedError(
                f"{{draw}} {unbraced(','.join(config.drawn))}: key, or key,tempo, of a run that follows chords (and a "
                f"rhythm), was expected; train with music.guide=both, or leave it out"
            )
        plan_weights = config.plan_weights or config.weights
        plan = None if config.plan is None else write_plan(config.plan, folder, described, plan_weights)
        manifest = write_manifest(folder, replace(described, vocoder=vocoder, drawn=config.drawn, plan=plan))
        if problems := verify(folder):
            raise RuntimeError(f"{out}: what was exported does not verify: {problems[0]}")
    return manifest


def carried_vocoder(folder: Path, mel: MelConfig) -> VocoderFiles | None:
    """The networks of an installed vocoder for this mel, copied into `folder`; None if there are none."""
    for one in installed_vocoders():
        if one.mel == mel:
            for name in one.vocoder.files:
                (folder / name).write_bytes(one.read(name))
            return one.vocoder
    return None


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
        trained_on=learned_from(run.path, library, card.credits), mel=experiment.mel, frames=played.frames,
        packing=played.packing, components=played.components,
        conditions=with_likeness(run.conditions, library, played.frames),
        band_mean=tuple(float(value) for value in library.band_mean),
        band_std=tuple(float(value) for value in library.band_std),
        denoisers=tuple(entry for entry, _ in networks), context=played.context, guide=played.guide,
        process=experiment.diffusion.process,
        parameters=sum(p.numel() for p in networks[0][1].parameters()),
        measured={"weights": weights, "preset": experiment.name, "ladder": rows, **_not_music_yet(run)},
    )  # fmt: skip
