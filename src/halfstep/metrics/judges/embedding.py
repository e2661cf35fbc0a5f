"""Music embeddings beside the package's own: VGGish and CLAP, from a local weights file or the hub.

Neither ships with any package, so nothing here downloads unless a hub name is given and huggingface_hub is installed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import onnxruntime

from halfstep.arrays import Float32
from halfstep.bundle.session import onnx_session
from halfstep.errors import InputError, NamedError, unbraced
from halfstep.metrics.judges.pieces import SAMPLE_RATE, pieces
from halfstep.metrics.judges.vggish_mel import VGGISH_SAMPLES, vggish_mel

AT_ONCE = 8
HUB_MARK = "hub:"


class Embedding(Protocol):
    """Something that hears windows as vectors."""

    @property
    def name(self) -> str: ...

    @property
    def sample_rate(self) -> int: ...

    def embed(self, samples: Float32[np.ndarray, "..."], /) -> Float32[np.ndarray, "..."]:
        """Of windows [n, samples] at `sample_rate`: [n, pieces, features]."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class OnnxEmbedding:
    """An ONNX network with one input, what `front_end` makes of a piece, and vectors as its first output."""

    name: str
    sample_rate: int
    piece_samples: int
    front_end: Callable[[Float32[np.ndarray, "..."]], Float32[np.ndarray, "..."]]
    """[piece_samples] -> the input of one piece, without the batch axis."""
    session: onnxruntime.InferenceSession

    def embed(self, samples: Float32[np.ndarray, "..."]) -> Float32[np.ndarray, "..."]:
        cut = pieces(samples, self.piece_samples)
        flat = cut.reshape(-1, self.piece_samples)
        name = self.session.get_inputs()[0].name
        parts: list[np.ndarray] = []
        for at in range(0, len(flat), AT_ONCE):
            seen = np.stack([self.front_end(piece) for piece in flat[at : at + AT_ONCE]])
            vectors = np.asarray(self.session.run(None, {name: seen})[0])
            parts.append(vectors.reshape(len(seen), -1).astype(np.float32))
        return np.concatenate(parts).reshape(*cut.shape[:2], -1)


CLAP_RATE, CLAP_SAMPLES = 48000, 480000
"""CLAP hears 10 s; shorter windows are repeated."""


def vggish(weights: str) -> Embedding:
    """VGGish (Hershey et al. 2017), 128 numbers for .96 s. weights: .onnx of [B, 1, 96, 64] -> [B, 128], or
    .safetensors with torchvggish's names; or hub:OWNER/NAME/FILE. InputError if it cannot be had or read.
    """
    path = local_file(weights)
    if path.suffix == ".safetensors":
        from halfstep.metrics.judges.vggish_net import TorchVggish

        return TorchVggish(path)
    return OnnxEmbedding(
        name="vggish", sample_rate=SAMPLE_RATE, piece_samples=VGGISH_SAMPLES, front_end=vggish_mel,
        session=_session(path),
    )  # fmt: skip


def clap(weights: str) -> Embedding:
    """CLAP (Wu et al. 2023) exported with its own front end: .onnx of waveforms [B, 480000] at 48 kHz -> [B, 512].

    weights: the file, or hub:OWNER/NAME/FILE. InputError if it cannot be had or read.
    """
    path = local_file(weights)
    return OnnxEmbedding(
        name="clap", sample_rate=CLAP_RATE, piece_samples=CLAP_SAMPLES, front_end=lambda piece: piece,
        session=_session(path),
    )  # fmt: skip


ADAPTERS: dict[str, Callable[[str], Embedding]] = {"vggish": vggish, "clap": clap}


def embedding(asked: str) -> Embedding:
    """`musicnn`, or `NAME=WEIGHTS` with a name of ADAPTERS. InputError for another."""
    from halfstep.metrics.judges.musicnn import musicnn

    name, _, weights = asked.partition("=")
    if asked == "musicnn":
        return musicnn()
    if name not in ADAPTERS or not weights:
        others = " or ".join(f"{one}=FILE" for one in ADAPTERS)
        raise NamedError(f"{{embedding}} {unbraced(asked)}: give musicnn, or {others}")
    return ADAPTERS[name](weights)


def local_file(weights: str) -> Path:
    """The weights file, fetched from the hub if it is named as hub:OWNER/NAME/FILE. InputError if it is not there."""
    if not weights.startswith(HUB_MARK):
        path = Path(weights)
        if not path.is_file():
            raise InputError(f"{weights}: no such file; name the weights, or {HUB_MARK}OWNER/NAME/FILE")
        return path
    owner, _, rest = weights.removeprefix(HUB_MARK).partition("/")
    name, _, file = rest.partition("/")
    if not (owner and name and file):
        raise InputError(f"{weights}: expected {HUB_MARK}OWNER/NAME/FILE")
    try:
        from huggingface_hub import hf_hub_download
    except ModuleNotFoundError:
        raise InputError(f"{weights}: huggingface_hub is not installed; pip install it, or name a local file") from None
    try:
        return Path(hf_hub_download(f"{owner}/{name}", file))
    except Exception as error:  # its errors share no base class of their own
        raise InputError(f"{weights}: not had from the hub ({' '.join(str(error).split())[:150]})") from error


def _session(path: Path) -> onnxruntime.InferenceSession:
    try:
        return onnx_session(path)
    except Exception as error:  # its own exceptions share no base class
        reason = " ".join(str(error).split())[:150]
        raise InputError(f"{path}: not an ONNX network that runs ({reason}); name the exported weights") from error
