"""Which networks of a run its model has, and which numbers of steps each of them serves."""

from typing import TypeAlias

from halfstep.bundle import DenoiserFile
from halfstep.diffusion.steps import JUMP, TRAILING
from halfstep.errors import InputError, NamedError
from halfstep.nets.denoiser import Denoiser
from halfstep.runs.distill import finished_rungs
from halfstep.runs.run_folder import Run

Network: TypeAlias = tuple[DenoiserFile, Denoiser]
"""What the manifest says of a network, and the network."""


def chosen_networks(run: Run, steps: tuple[int, ...], jump: bool) -> list[Network]:
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
