"""BigVGAN as a vocoder: the folder that its weights come in, and the stream that it plays as."""

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from halfstep.arrays import Float32
from halfstep.audio.mel import MelConfig
from halfstep.errors import InputError
from halfstep.fields import read_json
from halfstep.learned_vocoder.bigvgan import BigVGAN, BigVGANConfig

BLOCK_FRAMES = 256


CONFIG_FILE = "config.json"


class BigVGANStream:
    """A `vocoders.base.Vocoder`: blocks of frames with all they hear around them, so that cuts leave no trace."""

    def __init__(self, network: BigVGAN, block_frames: int = BLOCK_FRAMES) -> None:
        self._network, self._block, self._side = network, block_frames, network.config.receptive_frames
        self._begin()

    def _begin(self) -> None:
        self._mel = np.zeros((self._network.config.num_mels, 0), np.float32)
        self._before = 0  # frames of _mel that are given out already

    def push(self, log_mel: Float32[np.ndarray, "bands frames"]) -> Float32[np.ndarray, "samples"]:
        """[n_mels, k] -> the samples [n] that are settled by now; n may be 0."""
        self._mel = np.concatenate([self._mel, log_mel], axis=1)
        parts = [np.zeros(0, np.float32)]
        while self._mel.shape[1] - self._before >= self._block + self._side:
            end = self._before + self._block
            parts.append(self._samples(self._mel[:, : end + self._side], self._before, end))
            start = max(0, end - self._side)
            self._mel, self._before = self._mel[:, start:], end - start
        return np.concatenate(parts)

    def finish(self) -> Float32[np.ndarray, "samples"]:
        """The samples that are left, [n]."""
        end = self._mel.shape[1]
        rest = self._samples(self._mel, self._before, end) if end > self._before else np.zeros(0, np.float32)
        self._begin()
        return rest

    def loop(self, log_mel: Float32[np.ndarray, "bands frames"]) -> Float32[np.ndarray, "samples"]:
        """[n_mels, F] that repeats -> one period, [F * hop]."""
        frames = log_mel.shape[1]
        around = np.take(log_mel, np.arange(-self._side, frames + self._side) % frames, axis=1)
        return self._samples(around, self._side, self._side + frames)

    def _samples(
        self, log_mel: Float32[np.ndarray, "bands frames"], start: int, end: int
    ) -> Float32[np.ndarray, "samples"]:
        hop, device = self._network.config.hop_length, self._network.conv_pre.get_parameter("weight_v").device
        with torch.inference_mode():
            samples = self._network(torch.from_numpy(np.ascontiguousarray(log_mel))[None].to(device))[0, 0]
        return samples[start * hop : end * hop].cpu().numpy()


def load_bigvgan(folder: Path, mel: MelConfig) -> Callable[[int], BigVGANStream]:
    """What makes a BigVGAN vocoder of a folder; on the GPU, where there is one. The seed changes nothing.

    InputError if the folder holds none, its mel is not `mel`, or its weights are not the network's, finite and all.
    """
    config = read_config(folder, mel)
    files = sorted(folder.glob("*.safetensors"))
    if len(files) != 1:
        raise InputError(
            f"{folder}: {len(files)} files end in .safetensors, one was expected; "
            f"see recipes/models/bigvgan_to_safetensors.py"
        )
    network = BigVGAN(config)
    try:
        weights = load_file(files[0])
        network.load_state_dict(weights)
    except (SafetensorError, RuntimeError, OSError) as error:
        raise InputError(f"{files[0]}: not the weights that {CONFIG_FILE} describes ({_short(error)})") from error
    if not all(bool(value.isfinite().all()) for value in weights.values()):
        raise InputError(f"{files[0]}: holds values that are not finite; convert it again")
    network.eval().requires_grad_(False).to("cuda" if torch.cuda.is_available() else "cpu")
    return lambda seed: BigVGANStream(network)


def read_config(folder: Path, mel: MelConfig) -> BigVGANConfig:
    """InputError if config.json describes no network that is built here, or another mel than `mel`."""
    path = folder / CONFIG_FILE
    try:
        settings = read_json(path, "put the published one there")
        if not isinstance(settings, dict):
            raise ValueError("no object")
        known = {name: _frozen(settings[name]) for field in fields(BigVGANConfig) if (name := field.name) in settings}
        config = BigVGANConfig(**known)
        given = {name: settings[name] for name in _mel_members(mel)}
        hop = config.hop_length
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; put the published one there") from error
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path}: not BigVGAN's ({_short(error)}); put the published one there") from error
    wanted = _mel_members(mel)
    differing = {
        name: (given[name], value) for name, value in wanted.items() if _differs(name, given[name], value, mel)
    }
    if differing:
        listed = ", ".join(f"{name} {given}, the model's is {value}" for name, (given, value) in differing.items())
        raise InputError(f"{path}: {listed}; take the BigVGAN made for this mel")
    if settings.get("resblock", "1") != "1" or config.activation not in ("snake", "snakebeta") or hop != mel.hop_length:
        raise InputError(f"{path}: another kind of BigVGAN than is built here; v2's is: resblock 1, snakebeta")
    return config


def _mel_members(mel: MelConfig) -> dict[str, float | None]:
    return {
        "sampling_rate": mel.sample_rate, "num_mels": mel.n_mels, "n_fft": mel.n_fft, "win_size": mel.n_fft,
        "hop_size": mel.hop_length, "fmin": mel.fmin_hz, "fmax": mel.fmax_hz,
    }  # fmt: skip


def _differs(name: str, given: Any, wanted: Any, mel: MelConfig) -> bool:
    """None as fmax is half the sample rate, in both."""
    if name == "fmax":
        given, wanted = (mel.sample_rate / 2 if value is None else value for value in (given, wanted))
    return given != wanted


def _frozen(value: Any) -> Any:
    return tuple(_frozen(part) for part in value) if isinstance(value, list) else value


def _short(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]
