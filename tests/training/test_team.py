"""Many processes: the curve of one, checkpoints that any number of them reads, and what one that dies leaves."""

import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from halfstep.errors import InputError
from halfstep.nets.condition import Condition
from halfstep.nets.denoiser import Denoiser
from halfstep.nets.history import LossHistory
from halfstep.training.checkpoint import load_tensors
from halfstep.training.ema import Ema
from halfstep.training.example import Example
from halfstep.training.learner import Learner
from halfstep.training.log import read_log
from halfstep.training.step_random import StepRandom
from halfstep.training.team import ALONE, Part, Team
from halfstep.training.train_config import TrainConfig

CPU = torch.device("cpu")
STEPS = 8
TOLERANCE = 2e-4
"""Of losses and gradient norms over these updates, relative: sums in another order, and what Adam makes of them."""


def free_port() -> int:
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        return chosen.getsockname()[1]


@pytest.fixture(scope="module")
def crew(apart: Callable) -> Callable[..., list[int | None]]:
    """crew(count, folder, steps, kill={rank: batch}, **settings) -> exit codes of so many processes of a training."""

    def run(count: int, kill: dict[int, int] | None = None, **job: Any) -> list[int | None]:
        port = free_port()
        started = []
        for rank in range(count):
            place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": count, "MASTER_ADDR": "127.0.0.1",
                     "MASTER_PORT": port}  # fmt: skip
            own = {"kill": (kill or {}).get(rank)} if "settings" in job else {}
            started.append(apart.start(team=place, **job, **own))
        for child in started:
            child.join(60)
            child.kill()
            child.join()
        return [child.exitcode for child in started]

    return run


def curve(folder: Path) -> np.ndarray:
    """[updates, 2]: loss and gradient norm."""
    return np.array([[line["loss"], line["gradient_norm"]] for line in read_log(folder) if "loss" in line])


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory, crew: Callable) -> Path:
    """The training on one process."""
    folder = tmp_path_factory.mktemp("alone") / "run"
    assert crew(1, folder=str(folder), steps=STEPS, settings={}) == [0]
    result = curve(folder)
    assert len(result) == STEPS
    assert np.abs(np.diff(result[:, 0])).min() > 10 * TOLERANCE  # every update has a loss of its own
    return folder


@pytest.mark.parametrize(
    ("count", "settings"),
    [(2, {}), (4, {}), (1, {"accumulate": 4}), (2, {"accumulate": 2}), (2, {"shard": True})],
    ids=["two", "four", "accumulated", "two, accumulated", "sharded"],
)
def test_the_curve_and_the_weights_are_those_of_one_process(
    crew: Callable, straight: Path, tmp_path: Path, count: int, settings: dict[str, Any]
):
    assert crew(count, folder=str(tmp_path), steps=STEPS, settings=settings) == [0] * count
    np.testing.assert_allclose(curve(tmp_path), curve(straight), rtol=TOLERANCE)
    last = f"checkpoints/step-{STEPS:08d}.safetensors"
    result, wanted = (load_tensors(folder / last)[0] for folder in (tmp_path, straight))
    assert result.keys() == wanted.keys()
    for name, tensor in wanted.items():
        assert result[name].shape == tensor.shape
        if name.startswith(("model/", "ema/")):  # of moments some are sums that all but cancel
            torch.testing.assert_close(result[name], tensor, rtol=0.02, atol=2e-4)
    assert [line["step"] for line in read_log(tmp_path) if "weights" in line] == [5, 8]


def test_a_dead_process_costs_what_came_after_the_last_checkpoint_and_any_number_goes_on(
    crew: Callable, straight: Path, tmp_path: Path
):
    """Of two the second dies as it prepares update 5; the first ends by itself; one goes on, then shards of two."""
    every = {"save_seconds": 0.0}
    codes = crew(2, kill={1: 5}, folder=str(tmp_path), steps=STEPS, settings=every)
    assert codes[1] == -signal.SIGKILL
    assert codes[0] not in (0, None)
    newest = max((tmp_path / "checkpoints").glob("*.json"))
    assert "step-00000002" <= newest.stem <= "step-00000005"  # batches are made up to three ahead
    assert crew(1, kill={0: 7}, folder=str(tmp_path), steps=STEPS, settings=every) == [-signal.SIGKILL]
    assert crew(2, folder=str(tmp_path), steps=STEPS, settings={"shard": True}) == [0, 0]
    np.testing.assert_allclose(curve(tmp_path), curve(straight), rtol=TOLERANCE)


def test_the_command_on_two_processes_trains_and_climbs(
    crew: Callable, command: Callable, library: Path, tmp_path: Path
):
    """One run folder; a setting that does not fit is said once."""
    run, said = tmp_path / "run", tmp_path / "said.txt"
    words = [*command(library, run, 4), "--set", "distill.start_steps=4", "--set", "distill.updates=2", "--set",
             "distill.batch_size=4", "--device", "cpu"]  # fmt: skip
    assert crew(2, command=words) == [0, 0]
    assert crew(2, command=["distill", str(run), "--to", "2"]) == [0, 0]
    assert (run / "ladder" / "0002" / "student.json").exists()
    assert not (run / "lock").exists()
    assert crew(2, command=[*words, "--set", "train.seed=9"], stderr=str(said)) == [2, 2]
    assert said.read_text().count("train.seed") == 1


def test_parts_make_up_the_whole():
    whole = np.arange(24)
    parts = [Part(k, 2).within(Part(rank, 3)) for rank in range(3) for k in range(2)]
    np.testing.assert_array_equal(np.concatenate([part.own(whole) for part in parts]), whole)
    assert parts[3] == Part(3, 6)


def test_a_part_of_an_example_has_its_rows_of_everything():
    x = torch.arange(8.0).reshape(4, 2, 1)
    whole = Example(x=x, condition=Condition(aligned=x + 10, pooled=x[..., 0] + 20), known=x[:, :1] + 30)
    part = Part(1, 2).example(whole)
    pooled = x[..., 0] + 20
    for result, wanted in (
        (part.x, x), (part.condition.aligned, x + 10), (part.known, x[:, :1] + 30), (part.condition.pooled, pooled),
    ):  # fmt: skip
        assert result is not None and torch.equal(result, wanted[2:])
    assert part.condition.tokens is None
    one_mask = Part(1, 2).example(Example(x=x, condition=Condition(), known=x[:1]))
    assert one_mask.known is not None and torch.equal(one_mask.known, x[:1])


def test_randomness_of_a_part_is_that_of_its_rows():
    x = torch.zeros(6, 2, 3)
    whole = StepRandom(3, 5, CPU).noise_like(x)
    parts = [StepRandom(3, 5, CPU, Part(k, 3)).noise_like(x[:2]) for k in range(3)]
    assert torch.equal(torch.cat(parts), whole)
    assert StepRandom(3, 5, CPU, Part(1, 3)).count(x[:2]) == 6


@pytest.mark.parametrize(
    ("settings", "history", "says"),
    [({"accumulate": 3}, None, "8 is not a multiple of 3"), ({"accumulate": 2}, LossHistory(), "times=importance")],
)
def test_what_does_not_fall_into_parts_is_refused(settings: dict[str, Any], history: LossHistory | None, says: str):
    network = Denoiser(torch.nn.Identity(), "v", history=history)
    config = TrainConfig(steps=1, batch_size=8, **settings)
    with pytest.raises(InputError, match=says):
        Learner(
            network,
            Ema(network, 0.9),
            lambda *_: torch.zeros(()),
            config,
            CPU,
            lambda step, part: StepRandom(0, 0, CPU),
        )


def test_alone_nothing_is_agreed_with_anyone():
    value = torch.ones(())
    assert Team() == ALONE
    assert ALONE.mean(value) is value
    assert ALONE.largest(1, 2) == [1, 2]
    assert ALONE.broadcast("so") == "so"
    assert ALONE.in_turn(lambda: 7) == 7
