"""One denoiser of a model folder, in ONNX Runtime."""

import numpy as np

from halfstep.arrays import Float32
from halfstep.bundle.manifest import Manifest
from halfstep.bundle.session import OnnxNetwork
from halfstep.diffusion.sampler import Prediction


class OnnxDenoiser:
    """(z_t, alpha_t, sigma_t, aligned, pooled) -> v, on `threads` threads of one processor.

    The rates come in as two numbers, so that the network knows of no schedule.
    """

    def __init__(
        self, data: bytes, where: str, manifest: Manifest, threads: int = 1, learned_variance: bool = False
    ) -> None:
        """Load ONNX bytes. InputError naming `where` if they are refused or disagree with the manifest.

        learned_variance: whether a second output is the fraction of the reverse variance.
        """
        self._network = OnnxNetwork(data, where, threads)
        self._aligned = manifest.aligned_channels
        x = (None, manifest.channels, manifest.length)
        inputs: dict[str, tuple[int | None, ...]] = {"z_t": x, "alpha": (None,), "sigma": (None,)}
        if self._aligned:
            inputs["aligned"] = (None, manifest.aligned_channels, manifest.length)
        self._asks = manifest.asks.width
        if self._asks:
            inputs["pooled"] = (None, self._asks)
        self._outputs = ["v", "fraction"] if learned_variance else ["v"]
        self._network.expect(inputs, dict.fromkeys(self._outputs, x))

    def __call__(
        self,
        z_t: Float32[np.ndarray, "batch channels length"],
        alpha_t: float,
        sigma_t: float,
        aligned: Float32[np.ndarray, "batch aligned length"] | None = None,
        pooled: Float32[np.ndarray, "batch features"] | None = None,
    ) -> Float32[np.ndarray, "batch channels length"]:
        """The network's v, [B, C, L]: `predict` without the rest."""
        return self.predict(z_t, alpha_t, sigma_t, aligned, pooled).v

    def predict(
        self,
        z_t: Float32[np.ndarray, "..."],
        alpha_t: float,
        sigma_t: float,
        aligned: Float32[np.ndarray, "..."] | None = None,
        pooled: Float32[np.ndarray, "..."] | None = None,
    ) -> Prediction:
        """v [B, C, L], and the fraction of the reverse variance [B, C, L] where it is learned. InputError if one is not
        finite.

        Args:
            z_t: [B, C, L], the noised window, packed.
            alpha_t, sigma_t: signal and noise in it.
            aligned: [B, A, L], the known window and its mask, and the guide; only for a model with one of them.
            pooled: [B, D], the weights of what is asked for (`Conditions`); None is nothing, or no such model.
        """
        batch = z_t.shape[0]
        inputs = {
            "z_t": z_t,
            "alpha": np.full(batch, alpha_t, np.float32),
            "sigma": np.full(batch, sigma_t, np.float32),
        }
        if self._aligned:
            assert aligned is not None, "a model with context always sees it, or that there is none"
            inputs["aligned"] = aligned
        if self._asks:
            inputs["pooled"] = np.zeros((batch, self._asks), np.float32) if pooled is None else pooled
        values = self._network(inputs, self._outputs)
        for name, value in zip(self._outputs, values, strict=True):
            if value.shape != z_t.shape:
                raise self._network.misshapen(name, value, z_t.shape)
        return Prediction(*values)
