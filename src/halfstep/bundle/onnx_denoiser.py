"""One denoiser of a model folder, in ONNX Runtime."""

import numpy as np

from halfstep.audio.mel import Float32
from halfstep.bundle.manifest import Manifest
from halfstep.bundle.session import OnnxNetwork


class OnnxDenoiser:
    """(z_t, alpha_t, sigma_t, aligned) -> v, on `threads` threads of one processor.

    The rates come in as two numbers, so that the network knows of no schedule.
    """

    def __init__(self, data: bytes, where: str, manifest: Manifest, threads: int = 1) -> None:
        """Load ONNX bytes. InputError naming `where` if they are refused or disagree with the manifest."""
        self._network = OnnxNetwork(data, where, threads)
        self._context = manifest.context
        x = (None, manifest.channels, manifest.length)
        inputs: dict[str, tuple[int | None, ...]] = {"z_t": x, "alpha": (None,), "sigma": (None,)}
        if manifest.context:
            inputs["aligned"] = (None, manifest.aligned_channels, manifest.length)
        self._network.expect(inputs, {"v": x})

    def __call__(self, z_t: Float32, alpha_t: float, sigma_t: float, aligned: Float32 | None = None) -> Float32:
        """The network's v, [B, C, L]. InputError if it is not finite.

        Args:
            z_t: [B, C, L], the noised window, packed.
            alpha_t, sigma_t: signal and noise in it.
            aligned: [B, A, L], the known window and its mask; only for a model with context.
        """
        batch = z_t.shape[0]
        inputs = {
            "z_t": z_t,
            "alpha": np.full(batch, alpha_t, np.float32),
            "sigma": np.full(batch, sigma_t, np.float32),
        }
        if self._context:
            assert aligned is not None, "a model with context always sees it, or that there is none"
            inputs["aligned"] = aligned
        v = self._network(inputs, ["v"])[0]
        if v.shape != z_t.shape:
            raise self._network.misshapen("v", v, z_t.shape)
        return v
