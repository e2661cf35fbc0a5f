"""How much classifier-free guidance should a ladder distil? python studies/guided_styles.py RUN DATA [--weights 0 1 2]

Windows of RUN's teacher, each style asked in turn of the same noise, guided by v + w (v - v_free): which style a judge
hears that took no part in training (studies/held_style.py), and whether it is in tune, held and over a beat. Twelve
calls from t = 1 to 1/2, then one all the way, as students with `export --jump` are called. The vocoder is that of
--model.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from held_style import CLIP_SECONDS, embedded, fitted
from noised_and_back import SHOWN, brought_back
from torch import Tensor

import halfstep
from halfstep.data.dataset import Library
from halfstep.diffusion.rates import Rates
from halfstep.metrics.judge import voiced
from halfstep.metrics.music import music_figures
from halfstep.nets.condition import Condition
from halfstep.nets.guidance import Guided
from halfstep.runs.run_folder import open_run
from halfstep.tasks.music.observer import MusicObserver
from halfstep.tasks.music.task import Music

CALLS = (*np.linspace(1, 0.5, 12, endpoint=False).tolist(), 0.5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("data", type=Path, help="prepared, its recordings still there: the judge is fitted to them")
    parser.add_argument("--model", default="piano", help="whose vocoder speaks")
    parser.add_argument("--weights", type=float, nargs="+", default=[0.0, 1.0, 2.0])
    parser.add_argument("--attention", type=float, default=0.5, help="weight of perturbed-attention guidance")
    parser.add_argument("--count", type=int, default=8, help="windows of each style")
    parser.add_argument("--clips", type=int, default=60, help="of each style, to fit the judge to")
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    model = halfstep.load(options.model)
    with open_run(options.run) as run:
        observer, task, teacher = run.observer(options.run), run.task, run.teacher()
        asks = run.conditions
        if not (isinstance(observer, MusicObserver) and isinstance(task, Music) and asks.has("style")):
            raise SystemExit(f"guided_styles: {options.run} cannot be asked for a style")
        styles = tuple(map(str, asks.condition("style", "this run").values))
        judge, others = fitted(model, Library(options.data), styles, options.clips)
        for style, clips in others.items():
            right = judge.judged(clips) == styles.index(style)
            print(f"other recordings of {style}: {right.sum()} of {len(right)} judged so", flush=True)
        real, size = observer.real[: options.count], round(CLIP_SECONDS * observer.mel.sample_rate)
        shape = (len(real), task.channels, task.length)
        z = torch.from_numpy(np.random.default_rng(options.seed).standard_normal(shape, np.float32))
        for weight in options.weights:
            guided = Guided(teacher, options.attention, weight, above_sigma=0.5**0.5)
            for style in (*styles, None):
                asked = {} if style is None else {"style": asks.condition("style", "this run").weights(style)}
                pooled = torch.from_numpy(np.tile(asks.vector(asked), (len(real), 1)))

                def network(
                    part: Tensor, at_t: Rates, condition: Condition, pooled: Tensor = pooled, guided: Guided = guided
                ) -> Tensor:
                    return guided(part, at_t, replace(condition, pooled=pooled[: len(part)]))

                x = brought_back(run, task, network, z, real, CALLS)
                log_mel = observer.log_mel(task.windows(x.float().numpy()))
                sounds = list(voiced(log_mel, observer.mel, model.engine.vocoder))
                clips = [
                    embedded(sound[at : at + size], observer.mel.sample_rate)
                    for sound in sounds
                    for at in range(0, len(sound) - size, size)
                ]
                judged = np.bincount(judge.judged(clips), minlength=len(styles))
                by_window = [music_figures(sound, observer.mel.sample_rate) for sound in sounds]
                figures = (f"{key} {np.nanmean([one[key] for one in by_window]):.2f}" for key in SHOWN)
                said = dict(zip(styles, judged.tolist(), strict=True))
                print(f"w = {weight:g}, {style or 'nothing asked'}:", said, *figures, sep="  ", flush=True)


if __name__ == "__main__":
    main()
