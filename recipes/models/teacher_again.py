"""A teacher of the model in the package, whose own was not kept: its student's weights, trained on as a teacher.

    halfstep prepare MUSIC... --out DATA --preset flagship
    python recipes/models/teacher_again.py DATA RUN [--model piano] [--updates 500]
    halfstep distill RUN --to 4 --updates 60
    python studies/same_noise.py RUN

RUN is a run folder that every command opens; DATA is what the model learned from, whose bands its
weights expect. A student of 4 steps knows all of the network but how
to see little noise, so a fifth of the first training brings the held-out errors back to where they
were (docs/experiments/same-noise.md). A model exported with --jump has the weights of such a student.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import torch

import halfstep
from halfstep.data.dataset import Library
from halfstep.export.onnx_reading import weights_of
from halfstep.packing import COMPONENTS_FILE, write_components
from halfstep.runs.presets import PRESETS
from halfstep.runs.run_folder import Run, settle
from halfstep.training.checkpoint import save_tensors
from halfstep.training.denoising import denoising_loss
from halfstep.training.loop import NoObserver, train

STREAM = 1000
"""Of batches: others than the first training saw."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("--model", default="piano", help="id or folder of a model whose card names its preset")
    parser.add_argument("--updates", type=int, default=500)
    options = parser.parse_args()
    torch.set_num_threads(1)
    folder = halfstep.load(options.model).folder
    base = PRESETS[folder.manifest.measured["preset"]]()
    never = 10**9
    training = replace(
        base.train, steps=options.updates, learning_rate=3e-4, warmup_steps=50, ema_decay=0.99, measure_every=never,
        sample_every=never,
    )  # fmt: skip
    run = Run(options.run, replace(base, train=training), Library(options.data))
    run.path.mkdir(parents=True, exist_ok=True)
    settle(run)
    if folder.packing.components is not None:  # fitted to this data they might turn the other way
        write_components(run.path / COMPONENTS_FILE, folder.packing.components)
    denoiser = run.network()
    shapes = {name: value.shape for name, value in denoiser.state_dict().items()}
    entry = folder.entry(folder.manifest.default_steps)
    denoiser.load_state_dict(weights_of(folder.path / entry.file, shapes, "denoiser."))
    average = train(
        denoiser, denoising_loss(base.diffusion), run.batches(training.batch_size, STREAM), run.path, training,
        NoObserver(), run.device, lambda done, of, line: print(done, of, line, flush=True) if done % 25 == 0 else None,
    )  # fmt: skip
    figures = run.observer(run.path).measure(average)
    save_tensors(run.path / "teacher.safetensors", average.state_dict(), {"steps": options.updates, "figures": figures})
    print({name: round(value, 3) for name, value in figures.items()})


if __name__ == "__main__":
    main()
