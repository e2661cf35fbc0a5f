"""Any ONNX network of a model folder, loaded as a stranger's: checked, on stated threads, its interface compared."""

import ctypes
import functools
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from halfstep.arrays import Float32
from halfstep.bundle.bounds import BEYOND, ENDED, MOST_BYTES, MOST_SECONDS, WATCH, bounded_memory, within_time
from halfstep.bundle.onnx_bytes import onnx_problems
from halfstep.errors import InputError
from halfstep.fields import AGAIN
from halfstep.printable import printable

OUT_OF_MEMORY = ("bad_alloc", "bad allocation", "Failed to allocate memory", "std::length_error")
ERRORS_ONLY = 3  # onnxruntime's log level: its warnings are about hardware this machine lacks
Shapes = Mapping[str, Sequence[int | None]]
"""Input or output -> its shape; None is any size that may change from call to call."""
FORMER_NAMES = {
    "heard": "consistent", "found": "frames", "wanted": "targets",
    "found_after": "frames_after", "wanted_after": "targets_after",
}  # fmt: skip
"""Of inputs and outputs in the vocoders of older model folders -> what they are called now."""


def onnx_session(
    network: bytes | Path, threads: int = 1, *, optimised: bool = True, bounded: bool = False
) -> onnxruntime.InferenceSession:
    """A network on the processor; ONNX Runtime's own exceptions, which share no base class, where it is none.

    optimised: as it runs fastest; otherwise every node is computed as it was written. bounded: within `bounds`.
    """
    onnxruntime.disable_telemetry_events()  # for who loaded it before `import halfstep` could say so
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = ERRORS_ONLY
    # Threads that spin while they wait take the processor from whoever plays the music.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if not optimised:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    source = network if isinstance(network, bytes) else str(network)

    def load() -> onnxruntime.InferenceSession:
        return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])

    def give_up() -> None:
        options.set_load_cancellation_flag(True)

    if not bounded:
        return load()
    options.add_session_config_entry(bounded_memory(), "1")
    return within_time(load, give_up)


class OnnxNetwork:
    """Named arrays in, named arrays out, all float32."""

    def __init__(self, data: bytes, where: str, threads: int) -> None:
        """Load ONNX bytes. InputError naming `where` if they are refused."""
        problems = onnx_problems(data)
        if problems:
            raise InputError(f"{where}: {problems[0]}; {AGAIN}")
        try:
            self._session = onnx_session(data, threads, bounded=True)
        except Exception as error:  # its own exceptions share no base class
            raise _fault(error, f"{where}: ONNX Runtime refuses it") from error
        _give_back_memory()
        self._where = where
        nodes = [*self._session.get_inputs(), *self._session.get_outputs()]
        self._in_file = {_name(node): str(node.name) for node in nodes}
        self._outputs: Shapes = {}

    def __call__(
        self, inputs: Mapping[str, Float32[np.ndarray, "..."]], outputs: Sequence[str]
    ) -> list[Float32[np.ndarray, "..."]]:
        """The `outputs` asked for, in order. InputError if it fails, or one is not finite, or not of its shape."""
        options = onnxruntime.RunOptions()
        try:
            with WATCH.ending(functools.partial(setattr, options, "terminate", True)):
                values = self._session.run(
                    [self._in_file.get(name, name) for name in outputs],
                    {self._in_file.get(name, name): array for name, array in inputs.items()},
                    options,
                )
        except Exception as error:  # its own exceptions share no base class
            raise _fault(error, f"{self._where}: fails while it runs") from error
        arrays = [np.asarray(value, np.float32) for value in values]
        for name, value in zip(outputs, arrays, strict=True):
            if not np.isfinite(value).all():
                raise InputError(f"{self._where}: gives values that are not finite; {AGAIN}")
            wanted = self._outputs.get(name, value.shape)
            if len(wanted) != value.ndim or any(
                size not in (None, got) for size, got in zip(wanted, value.shape, strict=True)
            ):
                raise self.misshapen(name, value, wanted)
        return arrays

    def misshapen(self, name: str, value: Float32[np.ndarray, "..."], wanted: Sequence[int | None]) -> InputError:
        """What to raise for an output of another shape than is expected of it in this call."""
        return InputError(f"{self._where}: its {name} is {_shape(value.shape)}, expected {_shape(wanted)}; {AGAIN}")

    def expect(self, inputs: Shapes, outputs: Shapes) -> None:
        """Names, types and shapes must be these; InputError shows both where they are not."""
        self._compare("inputs", self._session.get_inputs(), inputs)
        self._compare("outputs", self._session.get_outputs(), outputs)
        self._outputs = outputs

    def fixed_size(self, name: str, axis: int) -> int:
        """A size that an input has in every call; InputError if it has no such input, or any size."""
        shapes = {_name(node): node.shape for node in self._session.get_inputs()}
        size = shapes[name][axis] if name in shapes and len(shapes[name]) > axis else None
        if not isinstance(size, int):
            raise InputError(f"{self._where}: its input {name} has no fixed size in axis {axis}; {AGAIN}")
        return size

    def _compare(self, side: str, nodes: Sequence[Any], wanted: Shapes) -> None:
        shown = {_name(node): f"{node.type}{_shape(node.shape)}" for node in nodes}
        expected = {name: f"tensor(float){_shape(shape)}" for name, shape in wanted.items()}
        if shown != expected:
            raise InputError(f"{self._where}: its {side} are {_listed(shown)}, model.json implies {_listed(expected)}")


def _name(node: Any) -> str:
    """What an input or output of a file is called here."""
    return FORMER_NAMES.get(node.name, str(node.name))


def _fault(error: Exception, what: str) -> Exception:
    """What to raise for a network that ONNX Runtime cannot work with; too little memory is not the network's fault."""
    said = str(error)
    if BEYOND in said:
        return InputError(f"{what} (it takes more than {MOST_BYTES >> 30} GiB); {AGAIN}")
    if isinstance(error, TimeoutError) or ENDED in said:
        return InputError(f"{what} (it takes more than {MOST_SECONDS:g} s); {AGAIN}")
    if isinstance(error, MemoryError) or any(sign in said for sign in OUT_OF_MEMORY):
        return MemoryError(said[:200])
    return InputError(f"{what} ({printable(' '.join(said.split())[:200])}); {AGAIN}")


def _give_back_memory() -> None:
    """Weights of four bits take four times their room while they are worked out; glibc keeps it unless it is asked."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # other libraries have none, and need none
        if trim is not None:
            trim(0)


def _shape(shape: Sequence[int | str | None]) -> str:
    return f"[{', '.join(str(size) if isinstance(size, int) else 'any' for size in shape)}]"


def _listed(nodes: dict[str, str]) -> str:
    return ", ".join(f"{name} {what}" for name, what in sorted(nodes.items()))
