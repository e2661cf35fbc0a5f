"""Ablations at equal computing: packing, and what is predicted at widths below and above the number of channels.

    python studies/ablations.py DATA OUT [--seconds 120] [--only NAME ...]

Each variant trains on one thread for `--seconds` of processor time (its own, so a busy machine is fair to all), the
learning rate annealed over just that. OUT/ablation.md compares held-out x error at each noise level and what samples
look like at 32 and at 4 steps. Finished variants are not trained again. DATA is prepared with the preset `base`; the
variant `packing fold` is of other bands, and joins the table when the same OUT is given data of `paper-pdd-fold`.
"""

import argparse
import dataclasses
import json
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from halfstep.atomic import write_json
from halfstep.data.dataset import Library
from halfstep.markdown import markdown_table
from halfstep.metrics.melstats import frame_step
from halfstep.nets.denoiser import Denoiser
from halfstep.nets.unet1d import UNet1dConfig
from halfstep.runs.experiment import Experiment
from halfstep.runs.presets import PRESETS
from halfstep.runs.run_folder import Run
from halfstep.tasks.music.observer import MusicObserver
from halfstep.tasks.music.task import MusicConfig
from halfstep.training.denoising import DiffusionConfig, denoising_loss
from halfstep.training.drawing import draw_rows
from halfstep.training.loop import NoObserver, train
from halfstep.training.train_config import TrainConfig

FOLDED = UNet1dConfig(widths=(256, 320, 320), blocks=(1, 1, 2), attention=(False, False, True), embedding=128)
PLAIN = UNet1dConfig(
    widths=(160, 256, 384, 384), blocks=(1, 1, 1, 2), attention=(False, False, False, True), embedding=128
)
NARROW = UNet1dConfig(widths=(192, 384, 384), blocks=(1, 1, 1), attention=(False, False, True), embedding=128)
WIDE = dataclasses.replace(NARROW, widths=(448, 448, 448))
PACED, FEWEST = 16, 10
"""Updates whose time says how many fit into a variant's share, and how many it has at the least."""


def variants() -> dict[str, Experiment]:
    """Name -> experiment; base in all that is not varied."""
    made = {}
    for packing, net in (("snake", FOLDED), ("patch", FOLDED), ("none", PLAIN)):
        made[f"packing {packing}"] = _experiment(net, packing, "x")
    fold = PRESETS["paper-pdd-fold"]()
    made["packing fold"] = dataclasses.replace(
        _experiment(FOLDED, "patch", "x"),
        mel=fold.mel,
        task=dataclasses.replace(fold.task_as(MusicConfig), context=True),
    )
    for width, net in (("narrow 192", NARROW), ("wide 448", WIDE)):
        for predicted in ("x", "v", "both"):
            made[f"{width} {predicted}"] = _experiment(net, "patch", predicted)
    for predicted in ("x", "v"):
        made[f"narrow 192 {predicted} direct"] = _experiment(
            dataclasses.replace(NARROW, direct=True), "patch", predicted
        )
    return made


def _experiment(net: UNet1dConfig, packing: str, predicted: str) -> Experiment:
    diffusion = DiffusionConfig(parameterization=predicted, weight="x" if predicted == "x" else "truncated-snr")
    train_config = TrainConfig(
        steps=1, batch_size=8, ema_decay=0.99, warmup_steps=20, log_every=20, measure_every=10**6, sample_every=10**6
    )
    return dataclasses.replace(
        PRESETS["base"](),
        net=net,
        task=MusicConfig(packing=packing),
        diffusion=diffusion,
        train=train_config,
    )


def _trained(run: Run, steps: int, folder: Path) -> tuple[Denoiser, float]:
    """The averaged network after `steps`, and the processor seconds it took."""
    torch.manual_seed(0)
    config = dataclasses.replace(run.experiment.train, steps=steps)
    before = time.process_time()
    net = train(
        run.network(), denoising_loss(run.experiment.diffusion), run.batches(config.batch_size),
        folder, config, NoObserver(), run.device, lambda *_: None,
    )  # fmt: skip
    return net, time.process_time() - before


def measure(experiment: Experiment, library: Library, seconds: float, picture: Path) -> dict[str, float]:
    """Train one variant for `seconds` of processor time; its held-out figures."""
    with TemporaryDirectory() as scratch:
        run = Run(Path(scratch), experiment, library)
        _trained(run, 2, Path(scratch) / "warm")
        per_step = _trained(run, PACED, Path(scratch) / "pace")[1] / PACED
        updates = max(FEWEST, int(seconds / per_step))
        net, used = _trained(run, updates, Path(scratch) / "run")
    observer = run.observer(Path(scratch))
    assert isinstance(observer, MusicObserver), "variants are of music"
    figures = observer.errors(net)
    drawn = {f"{steps} steps": observer.windows(net, steps) for steps in (32, 4)}
    for name, windows in drawn.items():
        figures |= {f"{name}/{key}": value for key, value in observer.look(windows).items()}
    real = observer.log_mel(observer.real)
    draw_rows(picture, {name: windows[:4] for name, windows in (drawn | {"real": real}).items()})
    parameters = sum(p.numel() for p in net.parameters())
    return figures | {"parameters": parameters, "updates": updates, "cpu_seconds": used,
                      "real/frame_step": frame_step(real)}  # fmt: skip


COLUMNS = {
    "parameters (M)": lambda f: f"{f['parameters'] / 1e6:.1f}",
    "updates": lambda f: str(f["updates"]),
    **{f"x error t = {t}": (lambda f, t=t: f"{f[f'x_error/{t}']:.3f}") for t in (0.02, 0.1, 0.3, 0.5, 0.75, 1.0)},
    "Frechet, 32 steps": lambda f: f"{f['32 steps/samples/frechet_melstats']:.2f}",
    "frame step": lambda f: f"{f['32 steps/samples/frame_step']:.2f}",
    "Frechet, 4 steps": lambda f: f"{f['4 steps/samples/frechet_melstats']:.2f}",
    "frame step, 4 steps": lambda f: f"{f['4 steps/samples/frame_step']:.2f}",
}


def table(figures: dict[str, dict[str, float]]) -> str:
    """Markdown, one row a variant."""
    rows = [[name, *(cell(f) for cell in COLUMNS.values())] for name, f in figures.items()]
    return markdown_table(["variant", *COLUMNS], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--only", nargs="*", default=[])
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "ablation.json"
    figures = json.loads(path.read_text()) if path.exists() else {}
    library = Library(options.data)
    for name, experiment in variants().items():
        if library.mel != experiment.mel:
            continue
        if name not in figures and (not options.only or name in options.only):
            figures[name] = measure(experiment, library, options.seconds, options.out / f"{name.replace(' ', '-')}.png")
            write_json(path, figures)
            (options.out / "ablation.md").write_text(table(figures), encoding="utf-8")
            print(name, json.dumps(figures[name]), flush=True)


if __name__ == "__main__":
    main()
