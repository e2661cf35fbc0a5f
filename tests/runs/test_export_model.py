"""The exported network is the trained one: for any batch, at every noise level, in every storage."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import helper

from halfstep.diffusion.rates import cosine_rates
from halfstep.export.onnx_writing import STORED, write_onnx
from halfstep.nets.condition import Condition
from halfstep.nets.denoiser import Denoiser, rates_like
from halfstep.runs.experiment import with_settings
from halfstep.runs.export_choice import _calls
from halfstep.runs.export_denoiser import write_denoiser
from halfstep.runs.presets import PRESETS
from halfstep.tasks.music.task import Music, MusicConfig

TIMES = np.array([1.0, 0.75, 0.3, 0.01, 1.0])


@pytest.fixture(scope="module", params=["x", "v", "both"])
def denoiser(request: pytest.FixtureRequest) -> Denoiser:
    """A tiny network whose zero-initialised ends are not zero."""
    experiment = with_settings(PRESETS["tiny"](), [f"diffusion.parameterization={request.param}"])
    torch.manual_seed(0)
    built = experiment.build(Music(experiment.task_as(MusicConfig))).eval().requires_grad_(False)
    for parameter in built.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.05)
    return built


def inputs(count: int) -> tuple[Music, dict[str, np.ndarray]]:
    task, rng = Music(PRESETS["tiny"]().task_as(MusicConfig)), np.random.default_rng(0)
    windows = rng.standard_normal((count, 128, 384), np.float32)
    masks = (rng.random((count, 384)) < 0.5).astype(np.float32)
    x = task.packing.flat(windows)
    aligned, _ = task.packing.context(x, masks)
    alpha, sigma = (rate.astype(np.float32) for rate in cosine_rates(TIMES[:count]))
    return task, {"z_t": x, "alpha": alpha, "sigma": sigma, "aligned": aligned}


def by_torch(denoiser: Denoiser, given: dict[str, np.ndarray], count: int) -> np.ndarray:
    z_t, aligned = torch.from_numpy(given["z_t"]), torch.from_numpy(given["aligned"])
    return denoiser(z_t, rates_like(cosine_rates(TIMES[:count]), z_t), Condition(aligned=aligned)).numpy()


def by_onnx(path: Path, given: dict[str, np.ndarray]) -> np.ndarray:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(["v"], given)[0])


def test_onnx_equals_torch_for_any_batch(denoiser: Denoiser, tmp_path: Path):
    task, _ = inputs(1)
    write_denoiser(denoiser, task, tmp_path / "denoiser.onnx")
    for count in (1, 2, 5):
        _, given = inputs(count)
        # In v, where x_hat = alpha z - sigma v: at t = .01 an x network's v is its x divided by .016.
        error = np.abs(by_onnx(tmp_path / "denoiser.onnx", given) - by_torch(denoiser, given, count))
        assert (error * given["sigma"][:, None, None]).max() < 1e-4


@pytest.mark.parametrize(
    ("weights", "bytes_a_weight", "tolerance"), [("fp16", 2, 1e-3), ("int8", 1, 0.03), ("int4", 0.6, 0.3)]
)
def test_packed_weights_are_smaller_and_nearly_the_same(
    denoiser: Denoiser, weights: str, bytes_a_weight: int, tolerance: float, tmp_path: Path
):
    task, given = inputs(3)
    path = tmp_path / "denoiser.onnx"
    write_denoiser(denoiser, task, path, weights)
    parameters = sum(p.numel() for p in denoiser.parameters())
    assert path.stat().st_size < bytes_a_weight * parameters * 1.4
    expected, sigma = by_torch(denoiser, given, 3), given["sigma"][:, None, None]
    difference = (by_onnx(path, given) - expected) * sigma
    assert np.sqrt(np.mean(difference**2)) < tolerance * np.sqrt(np.mean((expected * sigma) ** 2))


def test_four_bits_are_the_nearest_of_fifteen_levels():
    """A group whose largest value is 7 steps: every whole step comes back as it was, in any shape."""
    weight = np.resize(np.arange(-7, 8), (5, 13, 2)).astype(np.float32) * 0.25
    weight[-1, -1, -1] = 1.75  # the last group, which is not full, has its 7 steps too
    tensors, nodes = STORED["int4"](weight, "w")
    result = helper.make_tensor_value_info("w", onnx.TensorProto.FLOAT, weight.shape)
    model = helper.make_model(
        helper.make_graph(nodes, "restore", [], [result], tensors),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=8,
    )
    restored = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, {})
    np.testing.assert_allclose(np.asarray(restored[0]), weight, rtol=1e-3)


def test_a_buffer_that_is_mostly_zeros_is_stored_without_them(tmp_path: Path):
    class Filters(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("filters", torch.eye(100) * torch.arange(1.0, 101.0))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            assert isinstance(self.filters, torch.Tensor)
            return x @ self.filters

    path = tmp_path / "filters.onnx"
    write_onnx(Filters(), {"x": torch.zeros(1, 100)}, ("y",), {}, path, "int4")
    assert path.stat().st_size < 4000  # of 40000
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (measured,) = session.run(None, {"x": np.ones((1, 100), np.float32)})
    np.testing.assert_array_equal(np.asarray(measured)[0], np.arange(1, 101))


def test_exported_file_tells_nothing_of_this_machine(denoiser: Denoiser, tmp_path: Path):
    task, _ = inputs(1)
    path = tmp_path / "denoiser.onnx"
    write_denoiser(denoiser, task, path)
    assert str(Path(__file__).parents[1]).encode() not in path.read_bytes()
    model = onnx.load(path)
    assert not any(entry.data_location == onnx.TensorProto.EXTERNAL for entry in model.graph.initializer)
    assert sorted(STORED) == ["fp16", "fp32", "int4", "int8"]


@pytest.mark.parametrize(
    ("students", "jump", "served"),
    [
        ([1, 4], False, {1: [1], 4: [4]}),
        ([4], True, {4: [3, 2, 1]}),
        ([1, 4], True, {1: [1], 4: [3, 2]}),
        ([2, 8], True, {2: [1], 8: [7, 6, 5, 4, 3, 2]}),
    ],
)
def test_with_a_jump_a_student_serves_every_number_below_its_own(
    students: list[int], jump: bool, served: dict[int, list[int]]
):
    assert _calls(students, jump) == served
