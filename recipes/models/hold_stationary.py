"""How much a model exaggerates its context, and what is to be taken back of it, into its folder.

    python recipes/models/hold_stationary.py MODEL --data DATA [--windows 60]
    python recipes/models/hold_stationary.py MODEL --set .6 .3 .03 1.1

With DATA, the set it learned from: real windows as context, and the mean spectra of what the model goes on with beside
those of what really follows. Each as a slope over that of the context (1: as far from the average as it is), for the
spectrum's shape and for its detail; the difference of the means; the ratio of the deviations. A pull and a detail of
the slopes' differences, a bias of the means' and a contrast of the ratio give windows after real music what real music
has; a stream, whose context is all its own, may need more of the pull: look at its later minutes. With numbers, they
are written into MODEL/model.json: see `generation/stationary.py`.
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
    sampler = model.engine.sampler()
    size, smoothing = sampler.layout, band_smoothing(sampler.n_mels)
    spectra: list[list[np.ndarray]] = []
    deviations: list[tuple[float, float]] = []
    long_enough = [track for track in library.tracks if track.frames >= 2 * size.frames]
    for number, track in enumerate(long_enough[:windows]):
        begin = (track.frames - size.frames) // 2
        rows = np.asarray(library.array(track)[begin : begin + size.frames], np.float32)
        window, mask = sampler.standardised(rows.T), np.zeros(size.frames, np.float32)
        mask[: size.overlap] = 1
        made = sampler.inpainted(window_noise(sampler.rows, 0, number, size.frames), window * mask, mask)
        window, made = window[: sampler.n_mels], made[: sampler.n_mels]
        parts = (window[:, : size.overlap], window[:, size.overlap :], made[:, size.overlap :])
        spectra.append([part.mean(axis=1) for part in parts])
        deviations.append((float(parts[1].std()), float(parts[2].std())))
    means = np.array(spectra)
    shapes = means @ smoothing.T
    more = {name: _slopes(part) for name, part in (("shape", shapes), ("detail", means - shapes))}
    for name, (real, made) in more.items():
        print(f"{len(means)} windows, slope of the {name}: real music {real:.3f}, the model {made:.3f}")
    pull, detail = (max(0.0, made - real) for real, made in more.values())
    real, made = np.mean(deviations, axis=0)
    return Stationary(
        pull=pull, detail=detail, bias=float(np.mean(means[:, 2] - means[:, 1])), contrast=float(real / made)
    )


def _slopes(spectra: np.ndarray) -> tuple[float, float]:
    """(of what really follows, of what the model makes) over the context, of spectra [n, 3, n_mels]."""
    over = np.sum(np.square(spectra[:, 0])) or 1.0
    real, made = (float(np.sum(spectra[:, 0] * spectra[:, part]) / over) for part in (1, 2))
    return real, made


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, metavar="MODEL")
    parser.add_argument("--data", type=Path, metavar="DATA")
    parser.add_argument("--windows", type=int, default=60, help="to measure")
    parser.add_argument("--set", nargs=4, type=float, metavar=("PULL", "DETAIL", "BIAS", "CONTRAST"), dest="stationary")
    options = parser.parse_args(words)
    if (options.data is None) == (options.stationary is None):
        parser.error("either --data or --set")
    if options.data is not None:
        print(json.dumps(asdict(measured(options.model, Library(options.data), options.windows))))
        return 0
    pull, detail, bias, contrast = options.stationary
    stationary = Stationary(pull=pull, detail=detail, bias=bias, contrast=contrast)
    write_manifest(options.model, replace(read_manifest(options.model), stationary=stationary))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
