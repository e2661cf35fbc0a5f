"""The network of a run of plans, for the model of music that is to follow what it makes."""

from dataclasses import replace
from pathlib import Path

from halfstep.bundle import Manifest, PlanFile
from halfstep.errors import NamedError, unbraced
from halfstep.runs.distill import finished_rungs
from halfstep.runs.export_choice import chosen_networks
from halfstep.runs.export_denoiser import write_denoiser
from halfstep.runs.run_folder import open_run

PLAN_FILE = "plan.onnx"


def write_plan(run: Path, folder: Path, manifest: Manifest, weights: str) -> PlanFile:
    """PLAN_FILE in `folder`, the run's student of fewest steps, or else its teacher, stored as `weights` says; what
    model.json says of it.

    InputError for a run of anything else, or of plans that the model of `manifest` cannot follow.
    """
    with open_run(run) as opened:
        experiment, said = opened.experiment, f"{{plan}} {unbraced(run)}"
        if experiment.kind.plans is None:
            raise NamedError(f"{said}: models {experiment.task_name}; give a run of {{preset}} plan")
        planned, conditions = experiment.kind.plans(experiment.task), opened.conditions
        if planned.guide != manifest.guide:
            raise NamedError(f"{said}: plans {planned.guide}, and the model follows {manifest.guide}; train one for it")
        if experiment.mel.mid != manifest.mel.mid:  # a plan is of the bands alone
            raise NamedError(f"{said}: learned from bands of {experiment.mel}, not the model's; train one for it")
        known = {one.name: one.values for one in manifest.conditions}
        for one in conditions.named:
            if known.get(one.name) != one.values:
                raise NamedError(
                    f"{said}: can be asked for {one.name} {one.about}, and the model cannot; train both so"
                )
        steps = min(finished_rungs(opened), default=experiment.teacher_steps)
        jumps = steps < experiment.teacher_steps and experiment.distill.jump > 0
        entry, network = max(chosen_networks(opened, (steps,), jumps), key=lambda one: one[0].steps)
        write_denoiser(network, opened.task, folder / PLAN_FILE, weights, pooled=conditions.width)
        mean, std = opened.band
        return PlanFile(
            denoiser=replace(entry, file=PLAN_FILE), frames=planned.frames, packing=planned.packing,
            mean=tuple(map(float, mean)), std=tuple(map(float, std)), conditions=conditions.named,
            parameters=sum(weight.numel() for weight in network.parameters()), process=experiment.diffusion.process,
        )  # fmt: skip
