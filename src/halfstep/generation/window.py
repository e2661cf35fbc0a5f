"""One window: from noise, and what is known of it, to music; and the noise from which known music comes."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from halfstep.arrays import Float32
from halfstep.audio.guide import NO_GUIDE, guide_rows
from halfstep.bundle import Manifest, OnnxDenoiser, Stationary
from halfstep.conditioning import Weights
from halfstep.diffusion.forms import hold_known
from halfstep.diffusion.process import DDIM, Begun, Sampling
from halfstep.diffusion.rates import Rates
from halfstep.diffusion.sampler import Prediction
from halfstep.packing import Packing

Network = Callable[
    [Float32[np.ndarray, "batch channels length"], float, float, Float32[np.ndarray, "batch aligned length"] | None],
    Float32[np.ndarray, "batch channels length"],
]
"""(z_t [B, C, L], alpha_t, sigma_t, aligned [B, A, L]) -> v [B, C, L]; an OnnxDenoiser is one, and it alone can be
asked for something."""
Fresh = Callable[[int], Float32[np.ndarray, "..."]]
"""Number of a sampling step, from 1 on -> the unit noise [n_mels, frames] that it adds."""

CONTEXT_SHARE = 3
"""About a third of a window is context from the window before it."""
CROSSFADE_SHARE = 16
"""Over a sixteenth of a window one rendering passes into the next."""
POSITIONS_A_GRAIN = 4
"""The networks halve their positions twice: shifted by these, noise gives the same music, shifted."""
OPTIMISING_ROUNDS = 6
OPTIMISING_RATE = 0.1


@dataclass(frozen=True)
class Layout:
    """How windows of a model lie on a piece, in frames."""

    frames: int
    """Of a window."""
    grain: int
    """Windows that share noise begin a multiple of this apart."""
    overlap: int
    """Of neighbouring windows; its last `crossfade` frames are rendered by both."""
    crossfade: int

    @property
    def hop(self) -> int:
        return self.frames - self.overlap

    def crossfade_with(self, recorded: int) -> int:
        """How many of the recorded frames change, over which the model's rendering begins or ends."""
        return min(self.crossfade, recorded // 2)


def layout_of(manifest: Manifest) -> Layout:
    """The layout of a model's windows."""
    grain = POSITIONS_A_GRAIN * manifest.planes
    overlap = max(1, round(manifest.frames / CONTEXT_SHARE / grain)) * grain
    return Layout(manifest.frames, grain, overlap, max(1, manifest.frames // CROSSFADE_SHARE))


class WindowSampler:
    """Samples standardised windows [n_mels, frames] with one network, in `steps` steps."""

    def __init__(
        self,
        network: Network,
        manifest: Manifest,
        steps: int,
        packing: Packing | None = None,
        sampling: Sampling | None = None,
    ) -> None:
        """packing: of the model's folder; None for one that is not fitted, which the manifest's name says whole.
        sampling: how; None for DDIM under the model's schedule, as a distilled network is sampled.
        """
        self.manifest = manifest
        self._packing = manifest.packed if packing is None else packing
        self.layout = layout_of(manifest)
        self._network = network
        self._steps = steps
        sampling = Sampling(process=manifest.process) if sampling is None else sampling
        self.sampling = replace(sampling, widest=self._packing.widest)
        self._mean, self._std = (
            np.array(values, np.float32)[:, None] for values in (manifest.band_mean, manifest.band_std)
        )
        self._pooled: Weights | None = None
        self._guide: Float32[np.ndarray, "rows frames"] | None = None

    def asked(self, pooled: Weights | None) -> "WindowSampler":
        """The same sampler asked for this vector of `manifest.asks`; None is nothing."""
        sampler = copy.copy(self)
        sampler._pooled = pooled
        return sampler

    def following(self, guide: Float32[np.ndarray, "rows frames"] | None) -> "WindowSampler":
        """The same sampler for a window that is to follow a guide [rows, frames]; None is nothing to follow."""
        sampler = copy.copy(self)
        sampler._guide = guide
        return sampler

    @property
    def n_mels(self) -> int:
        """Of the bands alone."""
        return self.manifest.mel.n_mels

    @property
    def rows(self) -> int:
        """Of a window: the bands, and the image below them."""
        return self.manifest.mel.rows

    @property
    def stationary(self) -> Stationary | None:
        """What a stream's windows have too much of."""
        return self.manifest.stationary

    @property
    def shifts(self) -> bool:
        """Whether windows that share noise render the same music, wherever they begin: see `Packing`."""
        return self._packing.shifts

    def standardised(self, log_mel: Float32[np.ndarray, "bands frames"]) -> Float32[np.ndarray, "bands frames"]:
        return (log_mel - self._mean) / self._std

    def log_mel(self, standardised: Float32[np.ndarray, "bands frames"]) -> Float32[np.ndarray, "bands frames"]:
        """Back from `standardised`, nothing below the floor."""
        return np.maximum(standardised * self._std + self._mean, np.float32(np.log(self.manifest.mel.floor)))

    def unconditional(
        self, noise: Float32[np.ndarray, "bands frames"], fresh: Fresh | None = None
    ) -> Float32[np.ndarray, "bands frames"]:
        """The window that `noise` [n_mels, frames] gives when nothing is known; `fresh` as for `inpainted`."""
        return self.inpainted(noise, np.zeros_like(noise), np.zeros(noise.shape[1], np.float32), fresh)

    def inpainted(
        self,
        noise: Float32[np.ndarray, "bands frames"],
        known: Float32[np.ndarray, "bands frames"],
        mask: Float32[np.ndarray, "frames"],
        fresh: Fresh | None = None,
        begun: Begun | None = None,
    ) -> Float32[np.ndarray, "bands frames"]:
        """The window that `noise` [n_mels, frames] gives, knowing `known` [n_mels, frames] where mask [frames] is 1.
        fresh: the noise of each step, which DDPM's sampler alone needs. begun: a window [n_mels, frames] that is noised
        and brought back where nothing is known; at t = 0 it comes back as it is, whatever the packing leaves of one.

        A model trained without context does not see it: the known frames are only held at their noise level during
        sampling, and what follows fits them less well.
        """
        packing = self._packing
        if begun is not None:
            begun = Begun(np.where(mask, known, begun.x), begun.t)
            if begun.t == 0:
                return begun.x
            begun = Begun(packing.flat(begun.x)[None], begun.t)
        known_x = packing.flat(known)
        context, held = packing.context(known_x, mask)
        aligned, known_x, held = self._aligned(context), known_x[None], held[None]

        def predict(z_t: Float32[np.ndarray, "..."], at_t: Rates) -> Prediction:
            return self._predicted(z_t, at_t, aligned)

        def hold(
            v: Float32[np.ndarray, "..."], z_t: Float32[np.ndarray, "..."], at_t: Rates
        ) -> Float32[np.ndarray, "..."]:
            return hold_known(v, z_t, known_x, held, at_t)

        def added(step: int) -> Float32[np.ndarray, "..."]:
            assert fresh is not None, "DDPM's sampler, and no noise for its steps"
            return packing.noise(fresh(step))[None]

        x = self.sampling.sample(predict, packing.noise(noise)[None], self._steps, added, hold, begun)
        return packing.unflat(x[0])

    def _aligned(
        self, context: Float32[np.ndarray, "context length"]
    ) -> Float32[np.ndarray, "1 aligned length"] | None:
        """What the network is given beside z_t, the packed context and the packed guide; None for neither."""
        manifest, parts = self.manifest, list[Float32[np.ndarray, "rows length"]]()
        if manifest.context:
            parts.append(context)
        if manifest.guide != NO_GUIDE:
            none = np.zeros((guide_rows(manifest.guide), manifest.frames), np.float32)
            parts.append(self._packing.pack_rows(none if self._guide is None else self._guide))
        return np.concatenate(parts)[None] if parts else None

    def _predicted(
        self, z_t: Float32[np.ndarray, "..."], at_t: Rates, aligned: Float32[np.ndarray, "..."] | None
    ) -> Prediction:
        if isinstance(self._network, OnnxDenoiser):
            pooled = None if self._pooled is None else self._pooled[None]
            return self._network.predict(z_t, at_t.alpha, at_t.sigma, aligned, pooled)
        return Prediction(self._network(z_t, at_t.alpha, at_t.sigma, aligned))

    def optimised(
        self,
        noise: Float32[np.ndarray, "bands frames"],
        known: Float32[np.ndarray, "bands frames"],
        mask: Float32[np.ndarray, "frames"],
        target: Float32[np.ndarray, "frames"],
        begun: Begun | None = None,
    ) -> Float32[np.ndarray, "bands frames"]:
        """`noise`, changed where target [frames] is above 0, the nearer to 1 the more, so that the window comes near
        `known` there, though it is no context.

        Frames that a stranger recorded have no noise of ours. The map from noise to music has a symmetric, positive
        Jacobian where it is an optimal transport, so following the error itself leads downhill: on music of the
        training set from an RMS of .92 deviations to .44 in four rounds, where the network's own floor is .3. Many
        more would leave the unit sphere (docs/experiments/seams.md). DDPM's sampler all but forgets the noise it begins
        with, so there is nothing to follow: it comes back unchanged.
        """
        if self.sampling.sampler != DDIM:
            return noise
        optimised = noise
        for _ in range(OPTIMISING_ROUNDS):
            rendered = self.inpainted(optimised, known, mask, begun=begun)
            optimised = nearer(optimised, known, rendered, target, self._packing.scale)
        return optimised


def nearer(
    noise: Float32[np.ndarray, "bands frames"],
    known: Float32[np.ndarray, "bands frames"],
    rendered: Float32[np.ndarray, "bands frames"],
    target: Float32[np.ndarray, "frames"],
    scale: float,
) -> Float32[np.ndarray, "bands frames"]:
    """One step along the error of what the noise renders; scale: of the packing. `WindowSampler.optimised` says why."""
    return noise + np.float32(OPTIMISING_RATE * scale) * target * (known - rendered)
