"""What many tests need: arrays that are checked, no network, small data sets, trainings in processes that may be
killed, and a model folder whose music is known in closed form.
"""

import checked_shapes  # noqa: I001  before all of halfstep, whose functions it wraps

import json
import multiprocessing
import os
import re
import runpy
import socket
from collections.abc import Callable
from dataclasses import asdict, replace
from importlib.util import find_spec
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import settings
from onnx import TensorProto, helper, numpy_helper

from halfstep.atomic import write_json
from halfstep.audio.files.writing import write
from halfstep.audio.mel import MelConfig
from halfstep.bundle import DenoiserFile, Manifest, Origin, write_manifest
from halfstep.data.dataset import FORMAT, MANIFEST_NAME, PLAIN_FORMAT, TRACKS_FOLDER
from halfstep.data.decode import DecodeConfig
from halfstep.data.preparing import PrepareConfig, prepare
from halfstep.data.stores import WAVEFORM
from halfstep.data.synthetic import piece

# A busy machine is not a slow test; and what lands is judged by the same examples every time.
settings.register_profile("halfstep", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("halfstep")

VICTIM = Path(__file__).parent / "training" / "victim.py"
PRELOADED = [
    "halfstep.runs.train", "halfstep.app.cli", "torch.utils.tensorboard", "matplotlib.figure", "torch._dynamo",
    "torch.distributed.fsdp", "torch.distributed.tensor",
]  # fmt: skip
TINY = [
    "net.widths=[16, 16]", "net.blocks=[1, 1]", "net.attention_heads=4", "net.embedding=8", "music.frames=24",
    "train.batch_size=4", "train.log_every=2", "train.measure_every=20", "train.warmup_steps=3",
]  # fmt: skip
"""The preset `tiny`, smaller."""
VARIANCE = 0.25
"""Of the Gaussian data the tiny model's network knows perfectly."""
LOOPBACK = {"127.0.0.1", "::1", "localhost"}
MAKING = re.compile(
    r"^ *(from|import) (torch|scipy|librosa|pyloudnorm|pedalboard|diffusers"
    r"|halfstep\.(nets|metrics|training|export|tasks|learned_vocoder|runs|evaluation|cluster))\b",
    re.MULTILINE,
)


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Where the package is installed to play and no more, the test files that import the making half are left out."""
    if find_spec("torch") is None and collection_path.suffix == ".py":
        return MAKING.search(collection_path.read_text(encoding="utf-8")) is not None or None
    return None


@pytest.fixture(autouse=True)
def shapes_of_the_first_calls() -> None:
    """Are checked in every test, and later ones now and then."""
    checked_shapes.CALLS.clear()


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests reach this machine only."""
    real = socket.socket.connect

    def connect(self: socket.socket, address: Any) -> None:
        if isinstance(address, tuple) and address[0] not in LOOPBACK:
            raise AssertionError(f"a test tried to reach {address}")
        real(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect)


@pytest.fixture(scope="session")
def tiny_manifest() -> Manifest:
    """Of a model at 8 kHz, windows of 24 frames in 8 bands, 4 steps and 1."""
    mel = MelConfig(sample_rate=8000, n_fft=256, hop_length=64, n_mels=8)
    return Manifest(
        id="tiny-gauss",
        description="Gaussian noise around -4, for tests",
        licence="MIT",
        output_licence="CC0-1.0",
        trained_on=(Origin(title="nothing", licence="CC0-1.0", source="made here", minutes=0.0),),
        mel=mel,
        frames=24,
        packing="patch",
        band_mean=tuple(-4.0 + band / 8 for band in range(8)),
        band_std=(0.5,) * 8,
        denoisers=(
            DenoiserFile(steps=4, file="denoiser-4.onnx"),
            DenoiserFile(steps=1, file="denoiser-1.onnx"),
        ),
        context=True,
        parameters=1,
    )


@pytest.fixture(scope="session")
def write_library():
    """write_library(folder, train=(300, 200), heldout=(80,)) -> a data set of tracks of so many frames.

    image_bands: of the two channels that they have; 0 for one. The bands are the same either way. styles: labels,
    one after another, of the tracks; of the bands in as many parts, that of its own is the loudest.
    """

    def write(
        folder: Path,
        train: tuple[int, ...] = (300, 200),
        heldout: tuple[int, ...] = (80,),
        styles: tuple[str, ...] = (),
        image_bands: int = 0,
    ) -> Path:
        mel = MelConfig(image_bands=image_bands)
        rng, random = np.random.default_rng(0), np.random.default_rng(1)
        (folder / TRACKS_FOLDER).mkdir(parents=True)
        tracks, contents = [], []
        for number, (split, frames) in enumerate([("train", n) for n in train] + [("heldout", n) for n in heldout]):
            slow = np.cumsum(rng.standard_normal((frames, 1)), axis=0) / 10
            content = (-4 + slow + rng.standard_normal((frames, mel.n_mels))).astype(np.float16)
            own = number % len(styles) if styles else 0
            if styles:
                content[:, own * mel.n_mels // len(styles) : (own + 1) * mel.n_mels // len(styles)] += np.float16(4)
            image = random.standard_normal((frames, 2 * image_bands)).astype(np.float16)
            content = np.concatenate([content, image], axis=1)
            file = f"{TRACKS_FOLDER}/{number}.npy"
            np.save(folder / file, content)
            contents.append(content.astype(np.float64))
            tracks.append({
                "id": f"{number:016d}", "source": f"{number}.wav", "group": str(number), "seconds": frames / 86.13,
                "frames": frames, "loudness_lufs": -20.0, "trimmed_seconds": [0.0, 0.0], "split": split, "file": file,
                **({"labels": {"style": [styles[own]]}} if styles else {}),
            })  # fmt: skip
        learned = np.concatenate(contents[: len(train)]) if train else np.zeros((2, mel.rows))
        bands = {"mean": learned.mean(0).tolist(), "std": np.maximum(learned.std(0), 0.1).tolist()}
        write_json(
            folder / MANIFEST_NAME,
            {
                "format": FORMAT if styles else PLAIN_FORMAT,
                "mel": asdict(mel),
                "bands": bands,
                "tracks": tracks,
                "near_duplicates": [],
            },
        )
        return folder

    return write


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory, write_library: Callable[..., Path]) -> Path:
    """The small data set; read only."""
    return write_library(tmp_path_factory.mktemp("data") / "small")


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
        "net.widths=[16, 16]", "net.attention_heads=4", "net.embedding=8", "diffusion_vocoder.frames=8",
        "train.batch_size=4", "train.log_every=1", "train.measure_every=20", "train.warmup_steps=3",
        "distill.start_steps=4",
        "distill.updates=2", "distill.batch_size=4",
    ]  # fmt: skip


@pytest.fixture(scope="session")
def command():
    """command(data, run, steps=12) -> the words of a small `halfstep train`."""

    def words(data: Path, run: Path, steps: int = 12) -> list[str]:
        settings = [word for setting in TINY for word in ("--set", setting)]
        return ["train", str(data), "--out", str(run), "--preset", "tiny", "--steps", str(steps), *settings]

    return words


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
def left():
    """left(folder) -> all that a run leaves which must not depend on how often it was cut: the last checkpoint's
    bytes, byte for byte, and the log but for timing."""
    from halfstep.training.log import read_log  # needs torch

    def what(folder: Path) -> tuple[str, bytes, list[dict]]:
        last = max((folder / "checkpoints").glob("step-*.safetensors"))
        log = [{k: v for k, v in line.items() if k != "windows_per_second"} for line in read_log(folder)]
        assert json.dumps(log, allow_nan=False)
        return last.name, last.read_bytes(), log

    return what


@pytest.fixture(scope="session")
def write_model(tiny_manifest: Manifest) -> Callable[..., Path]:
    """Write a whole model folder: write_model(folder, context=False, packing="none", ...)."""

    def write(folder: Path, **changes: object) -> Path:
        manifest = replace(tiny_manifest, **changes)
        folder.mkdir(parents=True, exist_ok=True)
        for denoiser in manifest.denoisers:
            onnx.save(gaussian_denoiser(manifest), folder / denoiser.file)
        if manifest.plan is not None and manifest.planner is not None:
            onnx.save(gaussian_denoiser(manifest.planner), folder / manifest.plan.denoiser.file)
        write_manifest(folder, manifest)
        return folder

    return write


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory, write_model: Callable[..., Path]) -> Path:
    """The tiny model's folder; read only."""
    return write_model(tmp_path_factory.mktemp("models") / "tiny-gauss")


def gaussian_denoiser(manifest: Manifest) -> onnx.ModelProto:
    """The best v for data ~ N(0, VARIANCE) per value: x_hat = alpha s2 z / (alpha^2 s2 + sigma^2).

    v = alpha sigma (1 - s2) z / (alpha^2 s2 + sigma^2) in v form. With context, a hundredth of what is
    known, on average, is added, so that a test can tell whether the network was shown it. With conditions the mean of
    what is asked, its values counted from 1, is taken off likewise.
    """
    sizes = {"z_t": ["batch", manifest.channels, manifest.length], "alpha": ["batch"], "sigma": ["batch"]}
    if manifest.context:
        sizes["aligned"] = ["batch", manifest.aligned_channels, manifest.length]
    if manifest.conditions:
        sizes["pooled"] = ["batch", manifest.asks.width]
    constants = {"s2": [VARIANCE], "rest": [1 - VARIANCE], "hundredth": [0.01], "column": [-1, 1, 1]}
    nodes = [
        helper.make_node("Reshape", ["alpha", "column"], ["a"]),
        helper.make_node("Reshape", ["sigma", "column"], ["b"]),
        helper.make_node("Mul", ["a", "a"], ["a_a"]),
        helper.make_node("Mul", ["b", "b"], ["b_b"]),
        helper.make_node("Mul", ["a", "b"], ["a_b"]),
        helper.make_node("Mul", ["a_a", "s2"], ["signal"]),
        helper.make_node("Add", ["signal", "b_b"], ["variance"]),
        helper.make_node("Mul", ["a_b", "rest"], ["numerator"]),
        helper.make_node("Div", ["numerator", "variance"], ["gain"]),
        helper.make_node("Mul", ["gain", "z_t"], ["v" if not (manifest.context or manifest.conditions) else "v_alone"]),
    ]
    if manifest.conditions:
        constants["counted"] = [[number + 1.0] for number in range(manifest.asks.width)]
        nodes += [
            helper.make_node("MatMul", ["pooled", "counted"], ["asked"]),
            helper.make_node("Reshape", ["asked", "column"], ["asked_column"]),
            helper.make_node("Sub", ["v_alone", "asked_column"], ["v" if not manifest.context else "v_asked"]),
        ]
    if manifest.context:
        nodes += [
            helper.make_node("ReduceMean", ["aligned"], ["shown"], axes=[1, 2], keepdims=1),
            helper.make_node("Mul", ["shown", "hundredth"], ["hint"]),
            helper.make_node("Add", ["v_asked" if manifest.conditions else "v_alone", "hint"], ["v"]),
        ]
    graph = helper.make_graph(
        nodes,
        "gaussian",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, size) for name, size in sizes.items()],
        [helper.make_tensor_value_info("v", TensorProto.FLOAT, sizes["z_t"])],
        [
            numpy_helper.from_array(np.array(value, np.int64 if name == "column" else np.float32), name)
            for name, value in constants.items()
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model
