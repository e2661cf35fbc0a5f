"""How much a model exaggerates its context, and what is to be taken back of it, into its folder.

    python recipes/models/hold_stationary.py MODEL --data DATA [--windows 60]
    python recipes/models/hold_stationary.py MODEL --set .4 .05 1.1

With DATA, the set it learned from: real windows as context, and beside the long-term spectrum of the frames that the
model goes on with, that of those that really follow; both as slopes over that of the context (1: as far from the
average as the context), their difference in the mean, and the ratio of their deviations. A pull of the difference of
the slopes, a bias of the means' and a contrast of the ratio give windows after real music what real music has; a stream
whose context is all its own may need more of the pull: look at its later minutes. With numbers (pull, bias,
contrast) MODEL/model.json gets them: see `generation/stationary.py`.
"""

import argparse
import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

import halfstep
from halfstep.bundle import Stationary, read_manifest, write_manifest
from halfstep.data.dataset import Library
from halfstep.generation.noise import window_noise
from halfstep.generation.stationary import band_smoothing


def measured(folder: Path, library: Library, windows: int) -> Stationary:
    """What would have to be taken back of this model after real music, by so many windows of different tracks."""
    model = halfstep.load(str(folder))
    sampler = model.sampler()
    size, smoothing = sampler.layout, band_smoothing(sampler.n_mels)
    contexts, real, made, contrasts = [], [], [], []
    long_enough = [track for track in library.tracks if track.frames >= 2 * size.frames]
    for number, track in enumerate(long_enough[:windows]):
        begin = (track.frames - size.frames) // 2
        rows = np.asarray(library.array(track)[begin : begin + size.frames], np.float32)
        window, mask = sampler.standardised(rows.T), np.zeros(size.frames, np.float32)
        mask[: size.overlap] = 1
        noise = window_noise(sampler.n_mels, 0, number, size.frames)
        following = sampler.inpainted(noise, window * mask, mask)[:, size.overlap :]
        contexts.append(smoothing @ window[:, : size.overlap].mean(axis=1))
        real.append(smoothing @ window[:, size.overlap :].mean(axis=1))
        made.append(smoothing @ following.mean(axis=1))
        contrasts.append((window[:, size.overlap :].std(), following.std()))
    over = np.sum(np.square(contexts))
    slopes = {
        name: float(np.sum(np.multiply(contexts, spectra)) / over) for name, spectra in (("real", real), ("made", made))
    }
    deviations = np.mean(contrasts, axis=0)
    print(f"{len(contexts)} windows: slope of real music {slopes['real']:.3f}, of the model {slopes['made']:.3f}")
    return Stationary(
        pull=max(0.0, slopes["made"] - slopes["real"]), bias=float(np.mean(made) - np.mean(real)),
        contrast=float(deviations[0] / deviations[1]),
    )  # fmt: skip


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, metavar="MODEL")
    parser.add_argument("--data", type=Path, metavar="DATA")
    parser.add_argument("--windows", type=int, default=60, help="to measure")
    parser.add_argument("--set", nargs=3, type=float, metavar=("PULL", "BIAS", "CONTRAST"), dest="stationary")
    options = parser.parse_args(words)
    if (options.data is None) == (options.stationary is None):
        parser.error("either --data or --set")
    if options.data is not None:
        print(json.dumps(asdict(measured(options.model, Library(options.data), options.windows))))
        return 0
    pull, bias, contrast = options.stationary
    stationary = Stationary(pull=pull, bias=bias, contrast=contrast)
    write_manifest(options.model, replace(read_manifest(options.model), stationary=stationary))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
