"""model.json on the disk: read strictly, as from a stranger, and written by one function."""

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from halfstep.atomic import write_json
from halfstep.audio.guide import GUIDES, NO_GUIDE, guide_values
from halfstep.audio.mel_fields import mel_from, mel_to_json
from halfstep.bundle.files import table_from, table_of
from halfstep.bundle.manifest import ComponentsFile, DenoiserFile, Manifest, Origin, PlanFile, Stationary, VocoderFiles
from halfstep.conditioning import (
    LONGEST_LABEL,
    MOST_CONDITIONS,
    MOST_VALUES,
    NamedCondition,
    condition_from,
    condition_members,
)
from halfstep.diffusion.forms import PARAMETERIZATIONS
from halfstep.diffusion.process import DDIM, MOST_STEPS, SAMPLERS, VARIANCES, Process
from halfstep.diffusion.schedule import SCHEDULES
from halfstep.diffusion.steps import ALL_RESPACINGS
from halfstep.errors import InputError
from halfstep.fields import AGAIN, Fields, read_json
from halfstep.packing import COMPONENTS, PACKINGS

FORMAT = 1
FILE_NAME = "model.json"


def read_manifest(folder: Path) -> Manifest:
    """The folder's model.json, every value checked. InputError names the file, the field and its value."""
    path = folder / FILE_NAME
    try:
        value = read_json(path)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; a model folder holds a model.json") from None
    return parse_manifest(value, str(path))


def write_manifest(folder: Path, manifest: Manifest) -> Manifest:
    """Write `folder`/model.json with the table of every file in the folder; what is written comes back.

    Raises ValueError if the result could not be read again.
    """
    manifest = replace(manifest, files=table_of(folder, but=FILE_NAME))
    value: dict[str, Any] = {"format": FORMAT, **asdict(manifest), "mel": mel_to_json(manifest.mel)}
    value["conditions"] = [condition_members(one) for one in manifest.conditions]
    if not manifest.conditions:
        del value["conditions"]  # older versions read it then, and models without any stay as they were
    if manifest.guide == NO_GUIDE:
        del value["guide"]  # for the same reason
    if not manifest.drawn:
        del value["drawn"]  # for the same reason
    if not manifest.beatless:
        del value["beatless"]  # for the same reason
    if not manifest.unplanned:
        del value["unplanned"]  # for the same reason
    if manifest.plan is None:
        del value["plan"]  # for the same reason
    else:
        _without_change(value["plan"]["denoiser"])
        value["plan"]["conditions"] = [condition_members(one) for one in manifest.plan.conditions]
    for denoiser in value["denoisers"]:
        _without_change(denoiser)
    parse_manifest(json.loads(json.dumps(value, allow_nan=False)), str(folder / FILE_NAME))
    write_json(folder / FILE_NAME, value)
    return manifest


def _without_change(denoiser: dict[str, Any]) -> None:
    """A network that is whole says nothing of a change, as before there were any."""
    if denoiser["change"] is None:
        del denoiser["change"]


def parse_manifest(value: object, where: str) -> Manifest:
    """A Manifest from parsed JSON. Raises InputError naming `where`, the field and its value."""
    fields = Fields(where, value)
    fields.format_number(FORMAT)
    mel = mel_from(fields.inside("mel"))
    packing = fields.choice("packing", {**PACKINGS, COMPONENTS: None})
    guide = fields.choice("guide", GUIDES) if fields.has("guide") else NO_GUIDE
    manifest = Manifest(
        id=fields.plain_name("id"),
        description=fields.text("description"),
        licence=fields.text("licence"),
        output_licence=fields.text("output_licence"),
        trained_on=tuple(origin_from(origin) for origin in fields.objects("trained_on", most=10_000)),
        mel=mel,
        packing=packing,
        frames=fields.integer("frames", 1, 8192),
        band_mean=fields.numbers("band_mean", mel.rows, -100, 100),
        band_std=fields.numbers("band_std", mel.rows, 1e-6, 100),
        denoisers=tuple(_parse_denoiser(denoiser) for denoiser in fields.objects("denoisers", most=64)),
        context=fields.flag("context"),
        parameters=fields.integer("parameters", 1, 10**12),
        process=_parse_process(fields),
        components=_parse_components(fields),
        conditions=_parse_conditions(fields),
        guide=guide,
        drawn=fields.texts("drawn", MOST_CONDITIONS, 32) if fields.has("drawn") else (),
        beatless=fields.texts("beatless", MOST_VALUES, LONGEST_LABEL) if fields.has("beatless") else (),
        plan=_parse_plan(fields, guide),
        unplanned=fields.texts("unplanned", MOST_VALUES, LONGEST_LABEL) if fields.has("unplanned") else (),
        stationary=_parse_stationary(fields),
        vocoder=_parse_vocoder(fields),
        measured=_parse_measured(fields),
        files=table_from(fields.inside("files")),
        made_with=fields.text("made_with"),
    )
    fields.done()
    _check_together(fields, manifest)
    return manifest


def _check_together(fields: Fields, manifest: Manifest) -> None:
    for name, labels in (("beatless", manifest.beatless), ("unplanned", manifest.unplanned)):
        if not set(labels) <= set(manifest.labels):
            raise fields.fail(name, list(labels), f"labels among {', '.join(manifest.labels) or 'none'}")
    if not manifest.can_draw(manifest.drawn):
        raise fields.fail("drawn", list(manifest.drawn), "a key, or a key and a tempo, to which a guide leads it")
    if (manifest.components is None) == (manifest.packing == COMPONENTS):
        raise fields.fail(
            "components", None if manifest.components is None else "given", f"what {manifest.packing} needs"
        )
    if manifest.components is not None and manifest.channels > manifest.planes * manifest.mel.rows:
        most = f"at most patch_frames * n_mels, {manifest.planes * manifest.mel.rows}"
        raise fields.fail("components: count", manifest.channels, most)
    if manifest.components is None and (bands := manifest.packed.bands) is not None:
        try:
            bands(manifest.mel.rows)
        except ValueError as fault:
            raise fields.fail("mel: n_mels", manifest.mel.n_mels, str(fault)) from None
    if manifest.frames % manifest.planes:
        raise fields.fail("frames", manifest.frames, f"a multiple of {manifest.planes} for {manifest.packing}")
    if not manifest.denoisers or len(set(manifest.steps)) != len(manifest.steps):
        raise fields.fail("denoisers", list(manifest.steps), "at least one, each with its own number of steps")
    _check_steps(fields, manifest)
    _check_plan(fields, manifest)
    components = () if manifest.components is None else (manifest.components.file,)
    for name in (*manifest.networks, *components):
        if name not in manifest.files:
            raise fields.fail("files", list(manifest.files), f"a table with {name}")


def _check_steps(fields: Fields, manifest: Manifest) -> None:
    """Of the networks of a model, or of its plan."""
    most = manifest.process.most_steps
    for denoiser in manifest.denoisers:
        if max(denoiser.steps, denoiser.most_steps or 0) > most:
            served = denoiser.most_steps or denoiser.steps
            raise fields.fail("denoisers: steps", served, f"at most {most}, of schedule {manifest.process.schedule}")
        try:
            manifest.sampling(denoiser)
        except ValueError as error:
            raise InputError(f"{fields.where}: denoisers: {error}; {AGAIN}") from error


def _check_plan(fields: Fields, manifest: Manifest) -> None:
    plan, planner = manifest.plan, manifest.planner
    if plan is None or planner is None:
        return
    if manifest.guide == NO_GUIDE:
        raise fields.fail("plan", plan.denoiser.file, "none, of a model that follows no guide")
    if planner.packed.bands is not None or not planner.packed.shifts:
        raise fields.fail("plan: packing", plan.packing, "one of adjacent frames")
    if plan.frames % planner.planes:
        raise fields.fail("plan: frames", plan.frames, f"a multiple of {planner.planes} for {plan.packing}")
    _check_steps(fields, planner)
    known = {one.name: one.values for one in manifest.conditions}
    for one in plan.conditions:
        if known.get(one.name) != one.values:
            raise fields.fail("plan: conditions", one.name, "conditions of the model, with the same values")


def origin_from(fields: Fields) -> Origin:
    """An origin as JSON has it, every value checked. InputError as of `Fields`."""
    origin = Origin(
        title=fields.text("title"),
        licence=fields.text("licence"),
        source=fields.text("source"),
        minutes=fields.number("minutes", 0, 1e9),
    )
    fields.done()
    return origin


def _parse_denoiser(fields: Fields) -> DenoiserFile:
    """Folders made before an undistilled network played at any number of steps say the first two alone."""
    parts: dict[str, Callable[[str], Any]] = {
        "most_steps": lambda name: fields.integer_or_null(name, 1, MOST_STEPS),
        "sampler": lambda name: fields.choice(name, dict.fromkeys(SAMPLERS)),
        "respacing": lambda name: fields.choice(name, dict.fromkeys(ALL_RESPACINGS)),
        "variance": lambda name: fields.choice(name, VARIANCES),
        "change": lambda name: fields.plain_name_or_null(name),
    }
    denoiser = DenoiserFile(
        steps=fields.integer("steps", 1, MOST_STEPS), file=fields.plain_name("file"),
        **{name: parse(name) for name, parse in parts.items() if fields.has(name)},
    )  # fmt: skip
    fields.done()
    if denoiser.most_steps is None and denoiser.sampler != DDIM:
        raise fields.fail("sampler", denoiser.sampler, f"{DDIM}, which alone a distilled network can follow")
    if denoiser.most_steps is not None and denoiser.steps > denoiser.most_steps:
        raise fields.fail("steps", denoiser.steps, f"at most most_steps, {denoiser.most_steps}")
    return denoiser


def _parse_plan(outer: Fields, guide: str) -> PlanFile | None:
    """Absent from folders of models that plan nothing."""
    if not outer.has("plan"):
        return None
    fields = outer.inside("plan")
    values = guide_values(guide)
    plan = PlanFile(
        denoiser=_parse_denoiser(fields.inside("denoiser")),
        frames=fields.integer("frames", 1, 8192),
        packing=fields.choice("packing", PACKINGS),
        mean=fields.numbers("mean", values, -100, 100),
        std=fields.numbers("std", values, 1e-6, 100),
        parameters=fields.integer("parameters", 1, 10**12),
        process=_parse_process(fields),
        conditions=_parse_conditions(fields),
    )
    fields.done()
    return plan


def _parse_stationary(outer: Fields) -> Stationary | None:
    """Absent from folders made before there was such a thing."""
    value = outer.take("stationary") if outer.has("stationary") else None
    if value is None:
        return None
    fields = Fields(f"{outer.where}: stationary", value)
    stationary = Stationary(
        pull=fields.number("pull", 0, 2), detail=fields.number("detail", 0, 2),
        bias=fields.number("bias", -1, 1), contrast=fields.number("contrast", 0.5, 2),
    )  # fmt: skip
    fields.done()
    return stationary


def _parse_process(outer: Fields) -> Process:
    """Absent from folders made before there was a choice: they have the cosine schedule."""
    if not outer.has("process"):
        return Process()
    fields = outer.inside("process")
    parts: dict[str, Any] = {
        "schedule": fields.choice("schedule", SCHEDULES),
        "train_steps": fields.integer("train_steps", 1, MOST_STEPS),
        "shift": fields.number("shift", 1e-3, 1e3),
        "parameterization": fields.choice("parameterization", PARAMETERIZATIONS),
    }
    fields.done()
    try:
        return Process(**parts)
    except ValueError as error:
        raise InputError(f"{fields.where}: {error}; {AGAIN}") from error


def _parse_components(outer: Fields) -> ComponentsFile | None:
    """Absent from folders made before there was such a packing."""
    value = outer.take("components") if outer.has("components") else None
    if value is None:
        return None
    fields = Fields(f"{outer.where}: components", value)
    components = ComponentsFile(
        file=fields.plain_name("file"),
        count=fields.integer("count", 1, 8192),
        patch_frames=fields.integer("patch_frames", 1, 64),
        explained=fields.number("explained", 0, 1),
    )
    fields.done()
    return components


def _parse_conditions(outer: Fields) -> tuple[NamedCondition, ...]:
    """Absent from folders of models that can be asked for nothing."""
    if not outer.has("conditions"):
        return ()
    conditions = tuple(condition_from(fields) for fields in outer.objects("conditions", MOST_CONDITIONS))
    names = [condition.name for condition in conditions]
    if len(set(names)) != len(names):
        raise outer.fail("conditions", names, "each with its own name")
    return conditions


def _parse_vocoder(outer: Fields) -> VocoderFiles | None:
    value = outer.take("vocoder")
    return None if value is None else vocoder_from(Fields(f"{outer.where}: vocoder", value))


def vocoder_from(fields: Fields) -> VocoderFiles:
    """A vocoder's networks as JSON has them, every value checked. InputError as of `Fields`."""
    vocoder = VocoderFiles(
        prior=fields.plain_name("prior"),
        refiner=fields.plain_name("refiner"),
        bass=fields.plain_name_or_null("bass"),
        licence=fields.text("licence"),
        trained_on=tuple(origin_from(origin) for origin in fields.objects("trained_on", most=10_000)),
        measured=_parse_measured(fields),
    )
    fields.done()
    return vocoder


def _parse_measured(fields: Fields) -> dict[str, Any]:
    measured = fields.take("measured")
    if not isinstance(measured, dict):
        raise fields.fail("measured", measured, "an object")
    return measured
