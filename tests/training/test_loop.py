"""The main loop: what it anneals, what it survives, where it stops."""

import itertools
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info
from torch import Tensor, nn

from halfstep.nets.blocks import Sizes
from halfstep.nets.condition import Condition
from halfstep.nets.denoiser import Denoiser
from halfstep.nets.paper_unet1d import PaperUNet1d, PaperUNet1dConfig
from halfstep.nets.unet1d import UNet1d, UNet1dConfig
from halfstep.training import loop
from halfstep.training.checkpoint import load_tensors
from halfstep.training.denoising import DiffusionConfig, denoising_loss
from halfstep.training.example import Example
from halfstep.training.log import TrainingLog, read_log
from halfstep.training.loop import NonFiniteLoss, learning_rate, train
from halfstep.training.step_random import StepRandom
from halfstep.training.train_config import TrainConfig

DEVICE = torch.device("cpu")
NET = UNet1dConfig(widths=(16, 16), blocks=(1, 1), attention=(False, True), attention_heads=4, embedding=8)
DENOISE = denoising_loss(DiffusionConfig(parameterization="v", weight="snr+1"))


class Quiet:
    def measure(self, denoiser: Denoiser) -> dict[str, float]:
        return {}

    def sample(self, denoiser: Denoiser, step: int) -> None:
        return None


def config(steps: int, **changes) -> TrainConfig:
    settings = {"batch_size": 8, "learning_rate": 2e-3, "warmup_steps": 10, "ema_decay": 0.9, "log_every": 1,
                "precision": "fp32", "compile": False, "measure_every": 10**6, "sample_every": 10**6,
                "save_seconds": 1e9}  # fmt: skip
    return TrainConfig(steps=steps, **(settings | changes))


def batch(number: int) -> Example:
    """Data with something to learn: one wave, its phase and height drawn each time."""
    rng = np.random.default_rng(number)
    phase, height = rng.uniform(0, 2 * np.pi, (8, 1, 1)), rng.normal(0, 1.4, (8, 1, 1))
    wave = height * np.sin(np.arange(16) / 2 + phase + np.arange(4)[:, None])
    return Example(x=torch.from_numpy(wave.astype(np.float32)), condition=Condition())


def small() -> Denoiser:
    torch.manual_seed(0)
    return Denoiser(UNet1d(NET, Sizes(channels=4)), "v")


def run(folder: Path, batches: Callable[[int], Example], settings: TrainConfig, denoiser: Denoiser | None = None,
        loss_fn=DENOISE) -> Denoiser:  # fmt: skip
    return train(denoiser or small(), loss_fn, batches, folder, settings, Quiet(), DEVICE, lambda *_: None)


def last_layer(denoiser: Denoiser) -> Tensor:
    return denoiser.state_dict()["net.leave.weight"]


def lines(folder: Path) -> list[dict]:
    """The log's lines of updates."""
    return [line for line in read_log(folder) if "loss" in line]


def losses(folder: Path) -> list[float]:
    return [line["loss"] for line in lines(folder)]


@pytest.mark.parametrize(("anneal", "half_way"), [("cosine", 0.5), ("linear", 0.5)])
def test_the_learning_rate_rises_and_falls_to_nothing(anneal: str, half_way: float):
    settings = config(110, warmup_steps=10, learning_rate=1.0, anneal=anneal)
    rates = [learning_rate(settings, step) for step in range(110)]
    np.testing.assert_allclose(rates[:10], np.arange(1, 11) / 10)
    assert rates[10] == 1
    assert rates[60] == pytest.approx(half_way)
    assert rates[109] < 0.011
    assert learning_rate(settings, 110) == pytest.approx(0)
    assert (np.diff(rates[10:]) < 0).all()


@pytest.mark.parametrize("steps", [1, 2, 6, 10, 15])
def test_fewer_updates_than_the_warm_up_are_annealed_too(steps: int):
    """Half of them rise at most, the others fall, towards 0 after the last."""
    settings = config(steps, warmup_steps=10, learning_rate=1.0)
    rates = [learning_rate(settings, step) for step in range(steps)]
    top = int(np.argmax(rates))
    assert rates[top] == 1
    assert top <= steps // 2
    assert (np.diff(rates[top + 1 :]) < 0).all()  # the update after the rise has the full rate too
    assert learning_rate(settings, steps) == pytest.approx(0)


@pytest.mark.parametrize(
    ("given", "windows", "total"),
    [({"steps": 7}, 1000, 7), ({"epochs": 3}, 80, 30), ({"epochs": 1}, 81, 11), ({"epochs": 2}, 1, 1),
     ({"steps": 20, "epochs": 3}, 80, 20), ({"steps": 40, "epochs": 3}, 80, 30)],
)  # fmt: skip
def test_total_steps(given: dict, windows: int, total: int):
    assert TrainConfig(batch_size=8, **given).total_steps(windows) == total


def test_it_learns_and_its_log_says_so(tmp_path: Path):
    average = run(tmp_path, batch, config(100, learning_rate=1e-2))
    result = losses(tmp_path)
    assert len(result) == 100
    assert np.mean(result[:5]) == pytest.approx(1, abs=0.4)
    assert np.mean(result[-20:]) < 0.5
    assert not average.training
    line = lines(tmp_path)[-1]
    assert line.keys() == {"step", "loss", "gradient_norm", "learning_rate", "skipped", "windows_per_second"}
    assert line["windows_per_second"] > 0


def test_what_comes_back_is_the_average(tmp_path: Path):
    denoiser = small()
    average = run(tmp_path, batch, config(20), denoiser)
    assert not torch.equal(last_layer(average), last_layer(denoiser))
    without = run(tmp_path / "off", batch, config(20, ema_decay=0.0), denoiser := small())
    assert torch.equal(last_layer(without), last_layer(denoiser))


def test_a_finished_training_is_not_trained_again(tmp_path: Path):
    average = run(tmp_path, batch, config(5))

    def none(number: int) -> Example:
        raise AssertionError(number)

    again = run(tmp_path, none, config(5))
    assert all(torch.equal(a, b) for a, b in zip(average.parameters(), again.parameters(), strict=True))


def test_a_checkpoint_is_never_ahead_of_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Power may fail between the two: the log is on the disk first."""
    order = []
    real_flush, real_save = TrainingLog.flush, loop.save_checkpoint

    def flush(journal: TrainingLog) -> None:
        order.append("log")
        real_flush(journal)

    def save(folder: Path, step: int, *rest) -> Path:
        order.append(step)
        return real_save(folder, step, *rest)

    monkeypatch.setattr(TrainingLog, "flush", flush)
    monkeypatch.setattr(loop, "save_checkpoint", save)
    run(tmp_path, batch, config(3, save_seconds=0))
    assert order == [0, "log", 1, "log", 2, "log", 3]


def test_a_folder_that_keeps_nothing_is_found_out_before_the_first_update(tmp_path: Path):
    """The first save is tried at step 0."""
    (tmp_path / "checkpoints").write_text("a file")

    def none(*_: object) -> Tensor:
        raise AssertionError("an update was tried")

    with pytest.raises(OSError, match="checkpoints"):
        run(tmp_path, batch, config(5), loss_fn=none)


def test_all_randomness_is_a_function_of_seed_and_step():
    x = torch.zeros(2, 3)
    one, two = (StepRandom(5, 7, DEVICE) for _ in range(2))
    assert one.rng.random() == two.rng.random()
    assert torch.equal(one.noise_like(x), two.noise_like(x))
    for other in (StepRandom(5, 8, DEVICE), StepRandom(6, 7, DEVICE)):
        assert not torch.equal(StepRandom(5, 7, DEVICE).noise_like(x), other.noise_like(x))


def test_global_randomness_is_not_touched(tmp_path: Path):
    denoiser = small()
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    run(tmp_path, batch, config(3), denoiser)
    assert torch.equal(torch.rand(1), expected)


def poisoned(at: int, spoil: Callable[[Tensor], Tensor]) -> Callable[[int], Example]:
    def batches(number: int) -> Example:
        good = batch(number)
        return Example(x=spoil(good.x), condition=good.condition) if number == at else good

    return batches


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_stops_before_the_update_and_names_the_batch(tmp_path: Path, value: float):
    bad = poisoned(7, lambda x: x.index_fill(1, torch.tensor([0]), value))
    denoiser = small()
    with pytest.raises(NonFiniteLoss, match="batch 7; the checkpoint of step 7 is kept"):
        run(tmp_path, bad, config(20, save_seconds=0), denoiser)
    assert all(bool(torch.isfinite(p).all()) for p in denoiser.parameters())
    kept, notes = load_tensors(tmp_path / "checkpoints" / "step-00000007.safetensors")
    assert notes["step"] == 7
    torch.testing.assert_close(kept["model/net.leave.weight"], last_layer(denoiser))
    run(tmp_path, batch, config(20))  # the data mended, it goes on
    assert [line["step"] for line in lines(tmp_path)] == list(range(1, 21))


def test_without_a_later_checkpoint_the_one_of_step_0_is_named(tmp_path: Path):
    with pytest.raises(NonFiniteLoss, match="batch 2; the checkpoint of step 0 is kept"):
        run(tmp_path, poisoned(2, lambda x: x * float("nan")), config(5))


def test_a_gradient_that_is_not_finite_counts_as_a_loss_that_is_not(tmp_path: Path):
    """The loss may be finite where its gradient is not: a root at zero."""
    updates = itertools.count()

    def loss(denoiser: Denoiser, example: Example, random: StepRandom) -> Tensor:
        weight = next(denoiser.parameters()).sum() * 0
        return DENOISE(denoiser, example, random) + (weight.sqrt() if next(updates) == 3 else weight)

    with pytest.raises(NonFiniteLoss, match=r"gradient norm nan on batch 3"):
        run(tmp_path, batch, config(5), loss_fn=loss)


def test_allowed_updates_are_skipped_counted_and_leave_no_trace(tmp_path: Path):
    """Neither in the weights nor in their average nor in running statistics, which see a batch before its loss."""
    torch.manual_seed(0)
    net = PaperUNet1dConfig(widths=(8, 16), kernels=(3,), attention_heads=2, embedding=8)
    denoiser = Denoiser(PaperUNet1d(net, Sizes(channels=4)), "v")
    bad = poisoned(3, lambda x: x * float("nan"))
    average = run(tmp_path, bad, config(6, nonfinite_allowed=1, save_seconds=0), denoiser)
    for module in (denoiser, average):
        assert all(bool(torch.isfinite(tensor).all()) for tensor in module.state_dict().values())
    logged = lines(tmp_path)
    assert [line["skipped"] for line in logged] == [0, 0, 0, 1, 1, 1]
    assert logged[3]["loss"] is None
    assert load_tensors(tmp_path / "checkpoints" / "step-00000006.safetensors")[1]["counts"] == {"skipped": 1}
    with pytest.raises(NonFiniteLoss):
        run(tmp_path / "more", poisoned(3, lambda x: x * float("nan")), config(6, nonfinite_allowed=0))


def test_one_batch_a_thousand_times_too_loud(tmp_path: Path):
    """The loss is back within 50 updates, as if nothing had been; without the clip it stays where it was.

    Without it Adam takes the blow for the size of all gradients to come and all but stops learning.
    """

    def loss_after(name: str, clip_norm: float, bad: int) -> float:
        run(tmp_path / name, poisoned(bad, lambda x: x * 1000), config(80, learning_rate=1e-2, clip_norm=clip_norm))
        result = losses(tmp_path / name)
        assert bad > 80 or result[bad] > 1000
        return float(np.mean(result[60:]))

    clean = loss_after("clean", 1.0, bad=999)
    assert loss_after("clipped", 1.0, bad=20) < 1.1 * clean
    assert loss_after("not clipped", 0.0, bad=20) > 1.2 * clean


def test_gradients_are_clipped_to_the_norm(tmp_path: Path):
    """What the optimizer used is still there at the next loss; the log has the norm before the clip."""
    used = []

    def loss(denoiser: Denoiser, example: Example, random: StepRandom) -> Tensor:
        gradients = [p.grad for p in denoiser.parameters() if p.grad is not None]
        used.append(nn.utils.get_total_norm(gradients).item())
        return 1e4 * DENOISE(denoiser, example, random)

    run(tmp_path, batch, config(4, clip_norm=0.5), loss_fn=loss)
    np.testing.assert_allclose(used[1:], 0.5, rtol=1e-3)
    assert min(line["gradient_norm"] for line in lines(tmp_path)) > 10


@pytest.mark.parametrize(("precision", "computed"), [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_the_network_is_computed_as_precision_says_and_the_loss_in_float32(
    tmp_path: Path, precision: str, computed: torch.dtype
):
    kinds = []

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Conv1d(4, 4, 1)

        def forward(self, z_t: Tensor, log_snr: Tensor, condition: Condition) -> Tensor:
            out = self.layer(z_t)
            kinds.append((z_t.dtype, out.dtype))
            return out

    def loss(denoiser: Denoiser, example: Example, random: StepRandom) -> Tensor:
        result = DENOISE(denoiser, example, random)
        kinds.append(result.dtype)
        return result

    run(tmp_path, batch, config(1, precision=precision), Denoiser(Net(), "v"), loss)
    assert kinds == [(torch.float32, computed), torch.float32]


def test_time_that_is_up_ends_the_training_with_its_rate_at_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A clock that stands at 0, 1/5, 2/5, ... as updates begin: the sixth, at 1, is the last of a million."""
    seconds = itertools.count()
    monkeypatch.setattr(loop.Clock, "share", property(lambda clock: min(1.0, next(seconds) / 5)))
    run(tmp_path, batch, config(10**6, seconds=3.0, warmup_steps=1, anneal="linear"))
    logged = lines(tmp_path)
    assert [line["step"] for line in logged] == [1, 2, 3, 4, 5, 6]
    rates = [line["learning_rate"] for line in logged]
    assert rates == pytest.approx([2e-3, 2e-3 * 0.8, 2e-3 * 0.6, 2e-3 * 0.4, 2e-3 * 0.2, 0], abs=1e-8)
    assert max((tmp_path / "checkpoints").glob("*.safetensors")).stem == "step-00000006"


def test_what_goes_on_by_the_clock_says_how_far_the_clock_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    run(tmp_path, batch, config(6))
    seconds, shown = itertools.count(), list[int]()
    monkeypatch.setattr(loop.Clock, "share", property(lambda clock: min(1.0, next(seconds) / 4)))
    settings = config(1006, seconds=3.0)
    train(small(), DENOISE, batch, tmp_path, settings, Quiet(), DEVICE, lambda done, of, line: shown.append(done))
    assert shown == [6, 7, 256, 506, 756, 1006]


def test_the_rate_goes_by_whichever_is_farther_on_the_updates_or_the_clock():
    settings = config(110, anneal="linear", seconds=60.0)
    assert learning_rate(settings, 60, 0.2) == pytest.approx(1e-3)  # half of the updates after warming up
    assert learning_rate(settings, 60, 0.75) == pytest.approx(0.5e-3)
    assert learning_rate(settings, 4, 0.75) == pytest.approx(1e-3)  # the warm-up is in updates alone


def test_the_clock_counts_seconds_and_never_past_the_end(monkeypatch: pytest.MonkeyPatch):
    now = [100.0]
    monkeypatch.setattr(loop.time, "monotonic", lambda: now[0])
    clock, endless = loop.Clock(20.0), loop.Clock(None)
    shares = []
    for at in (100.0, 105.0, 120.0, 1000.0):
        now[0] = at
        shares.append((clock.share, endless.share))
    assert shares == [(0, 0), (0.25, 0), (1, 0), (1, 0)]


@pytest.mark.parametrize("seconds", [0, -1.0, float("nan"), float("inf")])
def test_a_time_that_is_none_is_refused(seconds: float):
    with pytest.raises(ValueError, match=f"seconds is {seconds}: a number above 0 or null"):
        config(5, seconds=seconds)


def blas_threads() -> set[int]:
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


def test_batches_are_made_by_one_thread_beside_a_network_on_the_processor(tmp_path: Path):
    seen, before = list[set[int]](), blas_threads()

    def watched(number: int) -> Example:
        seen.append(blas_threads())
        return batch(number)

    run(tmp_path, watched, config(2))
    assert seen and all(threads == {1} for threads in seen)
    assert blas_threads() == before


def test_a_bare_machine_trains_without_what_says_so_to_a_blas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    run(tmp_path, batch, config(2))
