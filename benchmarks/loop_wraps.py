"""Is the wrap of a loop told from the music? python benchmarks/loop_wraps.py MODEL [--steps K] [--loops 200]

Loops of 2 to 5.5 s, a seed each, by Griffin-Lim, whatever vocoder a model has: each is played twice over, and the seam
between is judged by `metrics/seam.py`, beside hard cuts.
"""

import argparse

import numpy as np

import halfstep
from halfstep.metrics.seam import Joined, seam_test

SHORTEST, LONGEST = 2.0, 5.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--loops", type=int, default=200)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    options = parser.parse_args()
    model, rng = halfstep.load(options.model), np.random.default_rng(options.first)
    joined: list[Joined] = []
    for seed in range(options.first, options.first + options.loops):
        seconds = float(rng.uniform(SHORTEST, LONGEST))
        loop = model.generate(seconds, seed=seed, steps=options.steps, loop=True, vocoder="griffin-lim")
        once = loop.samples.mean(axis=0)
        joined.append(Joined(np.tile(once, 2), [len(once)]))
    result = seam_test(joined, model.sample_rate, np.random.default_rng(0))
    print(f"{result.score.seams} wraps: z {result.score.z:.2f}, hard cuts {result.control.z:.1f}", flush=True)


if __name__ == "__main__":
    main()
