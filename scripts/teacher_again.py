"""A teacher of the model in the package, whose own was not kept: its student's weights, trained on as a teacher.

    halfstep prepare music/singularity music/piano --out DATA
    python scripts/teacher_again.py DATA RUN [--updates 500]
    halfstep distill RUN --to 4 --updates 60
    python scripts/same_noise.py RUN

RUN is a run folder that every command opens. A student of 4 steps knows all of the network but how to see little
noise, so a fifth of the first training brings the held-out errors back to where they were (docs/experiments.md).
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import ModelProto, numpy_helper

import halfstep
from halfstep.data.library import Library
from halfstep.presets import PRESETS
from halfstep.training.checkpoint import save_tensors
from halfstep.training.loop import NoObserver, train
from halfstep.training.run import Run, settle
from halfstep.training.teacher import denoising_loss

PREFIX = "denoiser."
STREAM = 1000
"""Of batches: others than the first training saw."""


def weights_of(path: Path, shapes: dict[str, torch.Size]) -> dict[str, torch.Tensor]:
    """The weights of an exported denoiser by their names in PyTorch, as they are when it runs."""
    model = onnx.load(path)
    constants = {part.name: numpy_helper.to_array(part) for part in model.graph.initializer}
    constants |= {
        node.output[0]: numpy_helper.to_array(node.attribute[0].t)
        for node in model.graph.node
        if node.op_type == "Constant"
    }
    unpacked = _unpacked(model, [PREFIX + name for name in shapes if PREFIX + name not in constants])
    found = {}
    for name, shape in shapes.items():
        value = (constants | unpacked).get(PREFIX + name)
        value = _of_a_norm(model, name, shape, constants) if value is None else value
        found[name] = torch.from_numpy(value.reshape(shape).copy())
    return found


def _unpacked(model: ModelProto, names: list[str]) -> dict[str, np.ndarray]:
    """Those of `names` that the graph works out from integers."""
    made = {output for node in model.graph.node for output in node.output}
    names = [name for name in names if name in made]
    opened = ModelProto()
    opened.CopyFrom(model)
    opened.graph.output.extend(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(opened.SerializeToString(), options, providers=["CPUExecutionProvider"])
    nothing = {
        put.name: np.zeros([1 if isinstance(size, str) else size for size in put.shape], np.float32)
        for put in session.get_inputs()
    }
    return dict(zip(names, map(np.asarray, session.run(names, nothing)), strict=True))


def _of_a_norm(model: ModelProto, name: str, shape: torch.Size, constants: dict[str, np.ndarray]) -> np.ndarray:
    """A group norm's gain or offset: the exporter multiplies and adds a constant without a name of its own."""
    module, _, kind = name.rpartition(".")
    wanted = {"weight": "Mul", "bias": "Add"}[kind]
    for node in model.graph.node:
        if node.op_type == wanted and node.name.replace("/", ".").startswith(f".{PREFIX}{module}."):
            for put in node.input:
                if put in constants and constants[put].size == shape.numel():
                    return constants[put]
    raise SystemExit(f"teacher_again: {name} is not in the exported network")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("--updates", type=int, default=500)
    options = parser.parse_args()
    torch.set_num_threads(1)
    base = PRESETS["base"]()
    never = 10**9
    training = replace(
        base.train, steps=options.updates, learning_rate=3e-4, warmup_steps=50, ema_decay=0.99, measure_every=never,
        sample_every=never,
    )  # fmt: skip
    run = Run(options.run, replace(base, train=training), Library(options.data))
    run.path.mkdir(parents=True, exist_ok=True)
    settle(run)
    denoiser = run.experiment.build(run.task)
    student = halfstep.load().folder.path / "denoiser-4.onnx"
    denoiser.load_state_dict(weights_of(student, {name: value.shape for name, value in denoiser.state_dict().items()}))
    average = train(
        denoiser, denoising_loss(base.diffusion), run.batches(training.batch_size, STREAM), run.path, training,
        NoObserver(), run.device, lambda done, of, line: print(done, of, line, flush=True) if done % 25 == 0 else None,
    )  # fmt: skip
    figures = run.observer(run.path).measure(average)
    save_tensors(run.path / "teacher.safetensors", average.state_dict(), {"steps": options.updates, "figures": figures})
    print({name: round(value, 3) for name, value in figures.items()})


if __name__ == "__main__":
    main()
