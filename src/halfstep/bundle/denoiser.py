"""One denoiser of a model folder, in ONNX Runtime."""

from collections.abc import Sequence

import numpy as np
import onnxruntime

from halfstep.audio.mel import Float32
from halfstep.bundle.fields import AGAIN
from halfstep.bundle.manifest import Manifest
from halfstep.bundle.onnx_bytes import onnx_problems
from halfstep.errors import InputError

ERRORS_ONLY = 3  # onnxruntime's log level: its warnings are about hardware this machine lacks


class OnnxDenoiser:
    """(z_t, alpha_t, sigma_t, aligned) -> v, on `threads` threads of one processor.

    The rates come in as two numbers, so that the network knows of no schedule.
    """

    def __init__(self, data: bytes, where: str, manifest: Manifest, threads: int = 1) -> None:
        """Load ONNX bytes. InputError naming `where` if they are refused or disagree with the manifest."""
        problems = onnx_problems(data)
        if problems:
            raise InputError(f"{where}: {problems[0]}; {AGAIN}")
        try:
            self._session = onnxruntime.InferenceSession(
                data, sess_options=_options(threads), providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its own exceptions share no base class
            reason = " ".join(str(error).split())[:200]
            raise InputError(f"{where}: ONNX Runtime refuses it ({reason}); export the model again") from error
        self._where = where
        self._context = manifest.context
        _check_interface(self._session, manifest, where)

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
            inputs["aligned"] = aligned
        v = np.asarray(self._session.run(["v"], inputs)[0], np.float32)
        if not np.isfinite(v).all():
            raise InputError(f"{self._where}: gives values that are not finite; {AGAIN}")
        return v


def _options(threads: int) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = ERRORS_ONLY
    # Threads that spin while they wait take the processor from whoever plays the music.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _check_interface(session: onnxruntime.InferenceSession, manifest: Manifest, where: str) -> None:
    """Names, types and shapes must be those the manifest implies; both are shown where they are not."""
    wanted = {"z_t": [manifest.channels, manifest.length], "alpha": [], "sigma": []}
    if manifest.context:
        wanted["aligned"] = [manifest.aligned_channels, manifest.length]
    _compare("inputs", session.get_inputs(), wanted, where)
    _compare("outputs", session.get_outputs(), {"v": [manifest.channels, manifest.length]}, where)


def _compare(side: str, found: Sequence[onnxruntime.NodeArg], wanted: dict[str, list[int]], where: str) -> None:
    """The first dimension is the batch: any name, but no fixed number."""
    shown = {node.name: f"{node.type}{_shape(node.shape)}" for node in found}
    expected = {name: f"tensor(float){_shape(['batch', *shape])}" for name, shape in wanted.items()}
    if shown != expected:
        raise InputError(f"{where}: its {side} are {_listed(shown)}, model.json implies {_listed(expected)}")


def _shape(shape: Sequence[int | str | None]) -> str:
    first = shape[0] if shape and isinstance(shape[0], int) else "batch"
    return f"[{', '.join(str(size) for size in (first, *shape[1:]))}]"


def _listed(nodes: dict[str, str]) -> str:
    return ", ".join(f"{name} {what}" for name, what in sorted(nodes.items()))
