"""Copy-synthesis: recordings through their mel and back, by a vocoder's run and by Griffin-Lim.

python benchmarks/diffusion_vocoder_quality.py RUN AUDIO... [--steps 64 4 2 1] [--start 20] [--seconds 12]

RUN was trained on other recordings. Each excerpt is set to the original's RMS before it is compared; the real-time
factor is processor seconds of one thread, PyTorch, the mel given.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from halfstep.audio.files.io import read
from halfstep.audio.mel import MelConfig, log_mel
from halfstep.diffusion.rates import cosine_rates
from halfstep.diffusion.sampler import sample
from halfstep.markdown import markdown_table
from halfstep.metrics.waveform import loudness_matched, mel_l1, multi_resolution_stft_distance
from halfstep.nets.condition import Condition
from halfstep.nets.denoiser import Denoiser, rates_like
from halfstep.runs.distill import finished_rungs
from halfstep.runs.run_folder import open_run
from halfstep.tasks.diffusion_vocoder.task import DiffusionVocoder
from halfstep.vocoders.griffin_lim import griffin_lim, mel_to_magnitude

CONTEXT = 8
"""Frames on either side that a window only hears: what it was trained on, it is asked in windows of."""


def synthesise(
    denoiser: Denoiser, task: DiffusionVocoder, mel: np.ndarray, num_steps: int, seed: int = 0
) -> np.ndarray:
    """Samples [frames * hop_length] of a log-mel [n_mels, frames] of any length, window by window on one noise."""
    frames, inside = mel.shape[1], task.config.frames - 2 * CONTEXT
    count = -(-frames // inside)
    padded = np.pad(mel, ((0, 0), (CONTEXT, count * inside - frames + CONTEXT)), mode="edge")
    noise = np.random.default_rng(seed).standard_normal((task.channels, padded.shape[1]), dtype=np.float32)
    x = np.empty((task.channels, count * inside), np.float32)
    for start in range(0, count * inside, inside):
        at = np.s_[:, start : start + task.config.frames]
        window = sampled(denoiser, noise[at][None], task.condition(padded[at][None]), num_steps)
        x[:, start : start + inside] = window[0, :, CONTEXT:-CONTEXT]
    return task.waveform(x[None, :, :frames], mel[None])[0]


@torch.no_grad()
def sampled(denoiser: Denoiser, noise: np.ndarray, condition: Condition, num_steps: int) -> np.ndarray:
    """x by DDIM from `noise` [B, C, L]."""

    def v_at(z: torch.Tensor, t: float) -> torch.Tensor:
        return denoiser(z, rates_like(cosine_rates(np.full(len(z), t)), z), condition)

    return sample(v_at, torch.from_numpy(noise), num_steps).numpy()


def by_griffin_lim(mel: np.ndarray, config: MelConfig) -> np.ndarray:
    return griffin_lim(mel_to_magnitude(mel, config), config, 32, rng=np.random.default_rng(0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("audio", type=Path, nargs="+")
    parser.add_argument("--steps", type=int, nargs="+", default=[64, 4, 2, 1])
    parser.add_argument("--start", type=float, default=20.0, help="seconds left out at the beginning of each recording")
    parser.add_argument("--seconds", type=float, default=12.0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with open_run(options.run) as run:
        assert isinstance(run.task, DiffusionVocoder)
        task, mel = run.task, run.experiment.mel
        teacher, rungs = run.teacher(), finished_rungs(run)
        ways: dict[str, Callable[[np.ndarray], np.ndarray]] = {"Griffin-Lim, 32": lambda m: by_griffin_lim(m, mel)}
        for steps in options.steps:
            students = {"distilled": rungs[steps]()} if steps in rungs else {}
            for name, network in {"teacher": teacher, **students}.items():
                ways[f"{name}, {steps}"] = lambda m, d=network, n=steps: synthesise(d, task, m, n)
        noise = np.random.default_rng(1)
        ways["noise in x, no network"] = lambda m: task.waveform(
            noise.standard_normal((1, task.channels, m.shape[1]), dtype=np.float32), m[None]
        )[0]
        excerpts = [excerpt(path, mel, options.start, options.seconds) for path in options.audio]
    rows = [row(name, way, excerpts, mel) for name, way in ways.items()]
    print(markdown_table(["vocoder, steps", "MR-STFT", "log-mel L1 (nepers)", "real-time factor"], rows), end="")


def excerpt(path: Path, mel: MelConfig, start: float, seconds: float) -> np.ndarray:
    """Mono samples [n], a whole number of hops."""
    samples = read(path, mel.sample_rate, mono=True).samples[0]
    first, count = round(start * mel.sample_rate), int(seconds * mel.sample_rate) // mel.hop_length * mel.hop_length
    return samples[first : first + count]


def row(name: str, way: Callable[[np.ndarray], np.ndarray], excerpts: list[np.ndarray], mel: MelConfig) -> list[str]:
    distances, differences, seconds = [], [], 0.0
    for samples in excerpts:
        bands = log_mel(samples, mel)
        before = time.process_time()
        made = way(bands)
        seconds += time.process_time() - before
        made = loudness_matched(made.astype(np.float32), samples)
        distances.append(multi_resolution_stft_distance(made, samples))
        differences.append(mel_l1(made, samples, mel))
    factor = seconds * mel.sample_rate / sum(map(len, excerpts))
    return [name, f"{np.mean(distances):.3f}", f"{np.mean(differences):.3f}", f"{factor:.4f}"]


if __name__ == "__main__":
    main()
