"""A small data set made by hand, and trainings in processes that may be killed."""

import json
import multiprocessing
import runpy
from collections.abc import Callable
from dataclasses import asdict
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from halfstep.atomic import write_json
from halfstep.audio.mel import MelConfig
from halfstep.audio.writing import write
from halfstep.data.library import DecodeConfig, PrepareConfig, prepare
from halfstep.data.manifest import FORMAT, MANIFEST_NAME, TRACKS_FOLDER
from halfstep.data.stores import WAVEFORM
from halfstep.data.synthetic import piece
from halfstep.training.journal import read_log

VICTIM = Path(__file__).with_name("victim.py")
PRELOADED = [
    "halfstep.training.run", "halfstep.app.cli", "torch.utils.tensorboard", "matplotlib.figure", "torch._dynamo",
]  # fmt: skip
TINY = [
    "net.widths=[16, 16]", "net.blocks=[1, 1]", "net.attention_heads=4", "net.embedding=8", "music.frames=24",
    "train.batch_size=4", "train.log_every=2", "train.measure_every=20", "train.warmup_steps=3",
]  # fmt: skip
"""The preset `tiny`, smaller."""


class Apart:
    """Runs victim.py in children that are forked off a server which has loaded what they need, and computed nothing."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(PRELOADED)

    def start(self, **job: Any) -> BaseProcess:
        """The child, running."""
        child = self._context.Process(target=runpy.run_path, args=(str(VICTIM), {"JOB": job}, "victim"))
        child.start()
        return child

    def __call__(self, **job: Any) -> int | None:
        """The child's exit code."""
        child = self.start(**job)
        child.join()
        return child.exitcode


@pytest.fixture(scope="session")
def apart() -> Apart:
    return Apart()


@pytest.fixture(scope="session")
def write_library():
    """write_library(folder, train=(300, 200), heldout=(80,)) -> a data set of tracks of so many frames."""

    def write(folder: Path, train: tuple[int, ...] = (300, 200), heldout: tuple[int, ...] = (80,)) -> Path:
        mel = MelConfig()
        rng = np.random.default_rng(0)
        (folder / TRACKS_FOLDER).mkdir(parents=True)
        tracks, contents = [], []
        for number, (split, frames) in enumerate([("train", n) for n in train] + [("heldout", n) for n in heldout]):
            slow = np.cumsum(rng.standard_normal((frames, 1)), axis=0) / 10
            content = (-4 + slow + rng.standard_normal((frames, mel.n_mels))).astype(np.float16)
            file = f"{TRACKS_FOLDER}/{number}.npy"
            np.save(folder / file, content)
            contents.append(content.astype(np.float64))
            tracks.append({
                "id": f"{number:016d}", "source": f"{number}.wav", "group": str(number), "seconds": frames / 86.13,
                "frames": frames, "loudness_lufs": -20.0, "trimmed_seconds": [0.0, 0.0], "split": split, "file": file,
            })  # fmt: skip
        learned = np.concatenate(contents[: len(train)]) if train else np.zeros((2, mel.n_mels))
        bands = {"mean": learned.mean(0).tolist(), "std": np.maximum(learned.std(0), 0.1).tolist()}
        write_json(
            folder / MANIFEST_NAME,
            {"format": FORMAT, "mel": asdict(mel), "bands": bands, "tracks": tracks, "near_duplicates": []},
        )
        return folder

    return write


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory, write_library: Callable[..., Path]) -> Path:
    """The small data set; read only."""
    return write_library(tmp_path_factory.mktemp("data") / "small")


@pytest.fixture(scope="session")
def command():
    """command(data, run, steps=12) -> the words of a small `halfstep train`."""

    def words(data: Path, run: Path, steps: int = 12) -> list[str]:
        settings = [word for setting in TINY for word in ("--set", setting)]
        return ["train", str(data), "--out", str(run), "--preset", "tiny", "--steps", str(steps), *settings]

    return words


@pytest.fixture(scope="session")
def left():
    """left(folder) -> all that a run leaves which must not depend on how often it was cut: the last checkpoint's
    bytes, byte for byte, and the log but for timing."""

    def what(folder: Path) -> tuple[str, bytes, list[dict]]:
        last = max((folder / "checkpoints").glob("step-*.safetensors"))
        log = [{k: v for k, v in line.items() if k != "windows_per_second"} for line in read_log(folder)]
        assert json.dumps(log, allow_nan=False)
        return last.name, last.read_bytes(), log

    return what


@pytest.fixture(scope="session")
def waveforms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three short pieces prepared as waveforms; read only."""
    folder = tmp_path_factory.mktemp("waveforms")
    (folder / "music").mkdir()
    for seed in range(3):
        write(folder / "music" / f"{seed}.wav", [piece(2, seed)], 44100, {})
    decode = DecodeConfig(min_frames=12, stores=WAVEFORM)
    prepare([folder / "music"], folder / "data", PrepareConfig(decode=decode, heldout_share=0.3), 1)
    return folder / "data"


@pytest.fixture(scope="session")
def vocoder_settings() -> list[str]:
    """The preset `vocoder-diffusion`, smaller."""
    return [
        "net.widths=[16, 16]", "net.attention_heads=4", "net.embedding=8", "vocoder.frames=8", "train.batch_size=4",
        "train.log_every=1", "train.measure_every=20", "train.warmup_steps=3", "distill.start_steps=4",
        "distill.updates=2", "distill.batch_size=4",
    ]  # fmt: skip
