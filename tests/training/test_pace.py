"""Which pace a training takes: by the clock, once, and then as recorded."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from halfstep.errors import InputError
from halfstep.training import pace
from halfstep.training.pace import RECORD, Pace, chosen_pace
from halfstep.training.train_config import TrainConfig

CPU = torch.device("cpu")


class Clocked:
    """A loss that takes so many seconds of a clock that nobody else moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, fp32: float, bf16: float) -> None:
        self.now, self.calls = 0.0, {"fp32": 0, "bf16": 0}
        self._seconds = {"fp32": fp32, "bf16": bf16}
        monkeypatch.setattr(pace.time, "perf_counter", lambda: self.now)

    def __call__(self, network: nn.Module) -> Tensor:
        kind = "bf16" if torch.is_autocast_enabled("cpu") else "fp32"
        self.now += self._seconds[kind]
        self.calls[kind] += 1
        return network(torch.ones(1, 2)).sum()


def choose(folder: Path, loss: Clocked, steps: int = 1000, **settings: Any) -> Pace:
    return chosen_pace(folder, nn.Linear(2, 2), loss, TrainConfig(steps=steps, **settings), CPU)


@pytest.mark.parametrize(("fp32", "bf16", "taken"), [(0.25, 0.16, "bf16"), (0.28, 0.38, "fp32"), (0.25, 0.245, "fp32")])
def test_the_faster_precision_is_taken_and_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fp32: float, bf16: float, taken: str
):
    """The two processors of the issue, and one on which there is nothing to gain."""
    result = choose(tmp_path, Clocked(monkeypatch, fp32, bf16))
    assert result.precision == taken
    assert result.seconds == pytest.approx({"fp32": fp32, "bf16": bf16})
    other_way_round = Clocked(monkeypatch, bf16, fp32)
    assert choose(tmp_path, other_way_round) == result
    assert other_way_round.calls == {"fp32": 0, "bf16": 0}


def test_emulated_bf16_is_tried_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    loss = Clocked(monkeypatch, 0.1, 2.5)
    assert choose(tmp_path, loss).precision == "fp32"
    assert loss.calls["bf16"] == 1


def test_a_short_training_is_not_timed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    loss = Clocked(monkeypatch, 0.1, 0.01)
    assert choose(tmp_path, loss, steps=500) == Pace(precision="fp32", compile=False, seconds={})
    assert loss.calls == {"fp32": 2, "bf16": 0}


@pytest.mark.parametrize(("steps", "compiled"), [(11_000, False), (13_000, False), (60_000, True)])
def test_compiling_is_chosen_where_it_pays_back(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, steps: int, compiled: bool
):
    """100 s to compile save 2 ms of the 100 of an update: too short to try, too short to pay back, worth it."""
    loss = Clocked(monkeypatch, 0.1, 1.0)

    class Compiled(nn.Linear):
        first = True

        def forward(self, x: Tensor) -> Tensor:
            loss.now += 100.0 if self.first else -0.002
            self.first = False
            return super().forward(x)

    monkeypatch.setattr(pace.torch, "compile", lambda network: Compiled(2, 2))
    assert choose(tmp_path, loss, steps).compile == compiled
    assert json.loads((tmp_path / RECORD).read_text())["compile"] == compiled


def test_without_a_compiler_nothing_is_compiled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    def missing(network: nn.Module) -> nn.Module:
        raise RuntimeError("no C++ compiler")

    monkeypatch.setattr(pace.torch, "compile", missing)
    assert not choose(tmp_path, Clocked(monkeypatch, 0.1, 1.0), 60_000).compile


def test_what_settings_say_is_not_timed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    loss = Clocked(monkeypatch, 0.1, 0.01)
    assert choose(tmp_path, loss, precision="bf16", compile=True) == Pace(precision="bf16", compile=True, seconds={})
    assert loss.now == 0
    assert not (tmp_path / RECORD).exists()


def test_weights_and_gradients_stay_as_they_are(tmp_path: Path):
    network = nn.Linear(2, 2)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    chosen_pace(tmp_path, network, lambda net: net(torch.ones(1, 2)).sum(), TrainConfig(steps=1), CPU)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert network.weight.grad is None


def test_a_record_that_is_none_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / RECORD).write_text('{"precision": "fp8", "compile": false, "seconds": {}}')
    with pytest.raises(InputError, match=r"pace.json: precision is .*fp8"):
        choose(tmp_path, Clocked(monkeypatch, 0.1, 0.1))
