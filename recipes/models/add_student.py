"""One more student for a model folder, as a change of low rank of a network that is in it: a twentieth of its size.

    halfstep export RUN --out MODEL --steps 4 --jump --weights int8
    python recipes/models/add_student.py MODEL RUN WORK [--steps 1] [--numbers 1550000] [--seconds 1200]

The run's student of `--steps` steps gives the target; the network that serves the most steps in MODEL is what is
changed, its weights as they are stored there. The change begins as the best by singular values and is trained by the
clock on the run's data to give what the student gives. WORK keeps the training, which goes on where it was cut off.
MODEL/model.json and the file of the change are written at the end, and what served `--steps` before is replaced.
"""

import argparse
import copy
from dataclasses import replace
from pathlib import Path

import torch

from halfstep.bundle import DenoiserFile, open_folder, verify, write_manifest
from halfstep.bundle.low_rank import write_change
from halfstep.export.onnx_reading import weights_of
from halfstep.nets.denoiser import Denoiser
from halfstep.runs.distill import finished_rungs
from halfstep.runs.run_folder import Run, open_run
from halfstep.training.ladder import frozen
from halfstep.training.loop import NoObserver, train
from halfstep.training.low_rank_student import Changed, matching_loss

PREFIX = "denoiser."
"""Before the names of weights in a model folder's files."""


def trained(network: Changed, student: Denoiser, run: Run, work: Path, options: argparse.Namespace) -> Changed:
    """The change, learned by the clock; says how far it is from the student before and after."""
    loss = matching_loss(student, options.steps, run.experiment.diffusion.process.noise)
    never = 10**9
    config = replace(
        run.experiment.train, steps=options.updates, epochs=None, seconds=options.seconds, batch_size=options.batch,
        learning_rate=options.rate, warmup_steps=20, ema_decay=0.98, log_every=50, measure_every=never,
        sample_every=never, save_seconds=60, compile="off",
    )  # fmt: skip

    def say(done: int, of: int, line: str) -> None:
        if done % 50 == 0 or done == of:
            print(f"{done}: {line}", flush=True)

    return train(network, loss, run.batches(options.batch, 2000), work, config, NoObserver(), run.device, say)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--steps", type=int, default=1)
    parser.add_argument("--numbers", type=int, default=1_550_000, help="half a byte each")
    parser.add_argument("--seconds", type=float, default=1200.0)
    parser.add_argument("--updates", type=int, default=100_000, help="at most; fewer are done if the time is up")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rate", type=float, default=1e-4)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    folder = open_folder(options.model)
    most = folder.entry(folder.manifest.steps[-1])
    with open_run(options.run) as run:
        student = frozen(finished_rungs(run)[options.steps]()).to(run.device)
        base = copy.deepcopy(student)
        shapes = {name: value.shape for name, value in base.state_dict().items()}
        base.load_state_dict(weights_of(folder.path / most.file, shapes, PREFIX))
        average = trained(Changed(base, student, options.numbers), student, run, options.work, options)
    name = f"denoiser-{options.steps}.npz"
    (options.model / name).write_bytes(write_change(average.change(PREFIX)))
    others = [one for one in folder.manifest.denoisers if one.steps != options.steps]
    entry = DenoiserFile(steps=options.steps, file=most.file, change=name)
    write_manifest(options.model, replace(folder.manifest, denoisers=(*others, entry)))
    assert not (problems := verify(options.model)), problems
    print(f"{name}: {(options.model / name).stat().st_size} bytes")


if __name__ == "__main__":
    main()
