"""Window after window, each continuing the model's own mel: music without end from one seed."""

from collections.abc import Callable, Iterator

import numpy as np

from halfstep.audio.mel import Float32
from halfstep.bundle import Manifest
from halfstep.generation.sampler import Rates, cosine_rates, hold_known, sample

Network = Callable[[Float32, float, float, Float32 | None], Float32]
"""(z_t [B, C, L], alpha_t, sigma_t, aligned [B, A, L]) -> v [B, C, L]; an OnnxDenoiser is one."""

CONTEXT_SHARE = 3
"""A window's first third is the end of the window before it."""


def context_frames(manifest: Manifest) -> int:
    """How many frames of its past a window is told."""
    return manifest.frames // CONTEXT_SHARE


def mel_stream(
    network: Network, manifest: Manifest, steps: int, seed: int, context: Float32 | None = None
) -> Iterator[Float32]:
    """Blocks of log-mel [n_mels, k] for ever; only what is new, never the context itself.

    Window w has its own noise, drawn from (seed, w) alone, and knows the last third of the window before it.
    The network is told so where the model has context; where it has none, the known frames are only held at
    their noise level during sampling, and what follows fits them less well.

    Args:
        network: the denoiser for `steps` steps.
        manifest: of its model.
        steps: network calls a window.
        seed: 0 or more; the whole piece follows from it.
        context: log-mel [n_mels, any number of frames] of what the first window continues.
    """
    mean, std = (np.array(values, np.float32)[:, None] for values in (manifest.band_mean, manifest.band_std))
    most = context_frames(manifest)
    past = np.zeros((manifest.mel.n_mels, 0), np.float32) if context is None else (context - mean) / std
    index = 0
    while True:
        past = past[:, past.shape[1] - min(past.shape[1], most) :]
        window = make_window(network, manifest, steps, window_noise(manifest, seed, index), past)
        new = window[:, past.shape[1] :]
        yield np.maximum(new * std + mean, np.float32(np.log(manifest.mel.floor)))
        past = window
        index += 1


def window_noise(manifest: Manifest, seed: int, index: int) -> Float32:
    """The noise [C, L] of window `index` of the piece `seed`, whatever was drawn before it."""
    bits = np.random.Philox(key=seed, counter=[0, 0, 0, index])
    return np.random.Generator(bits).standard_normal((manifest.channels, manifest.length), np.float32)


def make_window(network: Network, manifest: Manifest, steps: int, noise: Float32, past: Float32) -> Float32:
    """One standardised window [n_mels, frames] that begins with `past` [n_mels, k], from noise [C, L]."""
    known = np.zeros((manifest.mel.n_mels, manifest.frames), np.float32)
    known[:, : past.shape[1]] = past
    mask = (np.arange(manifest.frames) < past.shape[1]).astype(np.float32)
    aligned, held = (part[None] for part in manifest.packed.told(known, mask))
    known_x = manifest.packed.flat(known)[None]

    def denoise(z_t: Float32, t: float) -> Float32:
        # Plain floats: numpy's own would lift the arrays to float64.
        at_t = Rates(*(float(rate) for rate in cosine_rates(t)))
        v = network(z_t, at_t.alpha, at_t.sigma, aligned if manifest.context else None)
        return hold_known(v, z_t, known_x, held, at_t)

    x = sample(denoise, noise[None], steps)[0]
    return manifest.packed.unflat(x)
