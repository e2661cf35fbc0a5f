"""A checkpoint is whole and vouched for, or it does not count and is named."""

import errno
import hashlib
import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from halfstep.training.checkpoint import (
    KEPT,
    TrainState,
    load_latest,
    load_tensors,
    save_checkpoint,
    save_tensors,
)
from halfstep.training.ema import Ema


def state(seed: int) -> TrainState:
    """A module with weights, running statistics and an optimizer that has made a step."""
    torch.manual_seed(seed)
    model: nn.Module = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    ema: Ema[nn.Module] = Ema(model, 0.9)
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    model(torch.randn(5, 3)).square().sum().backward()
    optimizer.step()
    ema.update(model, 1)
    return TrainState(model, ema, optimizer)


def everything(of: TrainState) -> list[torch.Tensor]:
    slots = of.optimizer.state_dict()["state"]
    return [
        *of.model.state_dict().values(),
        *of.ema.model.state_dict().values(),
        *(torch.as_tensor(slots[index][name]) for index in sorted(slots) for name in sorted(slots[index])),
    ]


def same(one: TrainState, two: TrainState) -> bool:
    pairs = zip(everything(one), everything(two), strict=True)
    return all(torch.equal(a, b) and a.dtype == b.dtype for a, b in pairs)


def test_all_that_changes_comes_back(tmp_path: Path):
    saved, fresh = state(0), state(1)
    assert not same(saved, fresh)
    save_checkpoint(tmp_path, 17, saved, {"skipped": 3})
    assert load_latest(tmp_path, fresh) == (17, {"skipped": 3})
    assert same(saved, fresh)


def test_nothing_there_is_step_0(tmp_path: Path):
    assert load_latest(tmp_path / "none", state(0)) == (0, {})
    assert load_latest(tmp_path, state(0)) == (0, {})


def test_the_last_two_are_kept_each_with_its_note(tmp_path: Path):
    for step in (0, 5, 10, 100):
        save_checkpoint(tmp_path, step, state(step), {})
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [f"step-{step:08d}{end}" for step in (10, 100) for end in (".json", ".safetensors")]
    assert KEPT == 2


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def lengthen(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-20] ^= 1
    path.write_bytes(content)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def lose_the_note(path: Path) -> None:
    path.with_suffix(".json").unlink()


def half_a_note(path: Path) -> None:
    path.with_suffix(".json").write_text('{"sha256": "')


def another_note(path: Path) -> None:
    path.with_suffix(".json").write_text("[]")


def put(name: str, value: float) -> Callable[[Path], None]:
    """Overwrite one tensor, checksum and all: only a look at the numbers finds it."""

    def spoil(path: Path) -> None:
        tensors = load_file(path)
        tensors[name].view(-1)[0] = value
        note = json.loads(path.with_suffix(".json").read_text())
        del note["sha256"]
        save_tensors(path, tensors, note)

    return spoil


def pickle_it(path: Path) -> None:
    """A pickle that would write a file, vouched for by a right checksum."""
    command = f"cos\nsystem\n(S'touch {path.with_name('executed')}'\ntR.".encode()
    note = {"step": 10, "counts": {}, "sha256": hashlib.sha256(command).hexdigest()}
    path.write_bytes(command)
    path.with_suffix(".json").write_text(json.dumps(note))


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (cut, "does not match its checksum"),
        (lengthen, "does not match its checksum"),
        (flip_a_bit, "does not match its checksum"),
        (empty, "does not match its checksum"),
        (lose_the_note, "half-written"),
        (half_a_note, "half-written"),
        (another_note, "half-written"),
        (put("model/0.weight", float("nan")), "model/0.weight is not finite"),
        (put("optimizer/0/exp_avg", float("inf")), "optimizer/0/exp_avg is not finite"),
        (pickle_it, "not safetensors"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_spoiled_checkpoint_is_named_removed_and_the_one_before_taken(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, spoil: Callable[[Path], None], says: str
):
    before, fresh = state(0), state(2)
    save_checkpoint(tmp_path, 5, before, {"skipped": 0})
    last = save_checkpoint(tmp_path, 10, state(1), {"skipped": 0})
    spoil(last)
    with pytest.raises(ValueError, match=says) as refused:
        load_tensors(last)
    assert str(last) in str(refused.value)
    with caplog.at_level(logging.WARNING):
        assert load_latest(tmp_path, fresh) == (5, {"skipped": 0})
    assert same(before, fresh)
    assert says in caplog.text and last.name in caplog.text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000005.json", "step-00000005.safetensors"]


def test_what_a_killed_writer_left_is_named_and_removed(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    save_checkpoint(tmp_path, 5, state(0), {})
    left = tmp_path / ".step-00000010.7.partial.safetensors"
    left.write_bytes(b"half")
    with caplog.at_level(logging.WARNING):
        assert load_latest(tmp_path, state(1))[0] == 5
    assert left.name in caplog.text
    assert not left.exists()


def test_a_full_disk_says_how_much_is_needed_and_spares_what_was_there(tmp_path: Path, monkeypatch):
    """The error is made up here; test_faults.py fills a real disk."""
    path = tmp_path / "weights.safetensors"
    save_tensors(path, {"a": torch.ones(1000)}, {})

    def full(self: Path, content: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match=r"No space left on device, 8\d\d\d bytes are needed") as failed:
        save_tensors(path, {"a": torch.ones(2000)}, {})
    assert (failed.value.errno, failed.value.filename) == (errno.ENOSPC, str(path))
    assert load_tensors(path)[0]["a"].shape == (1000,)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["weights.json", "weights.safetensors"]


def test_safetensors_of_another_hand_needs_its_note(tmp_path: Path):
    path = tmp_path / "weights.safetensors"
    save_file({"a": torch.ones(3)}, path)
    with pytest.raises(ValueError, match="half-written"):
        load_tensors(path)


@pytest.mark.parametrize("wrong", [{"step": None}, {"step": "4"}, {"counts": [1]}])
def test_a_note_that_does_not_say_its_step_is_no_reason_to_stop(tmp_path: Path, wrong: dict[str, object]):
    """It goes back to the checkpoint before."""
    for step in (10, 20):
        save_checkpoint(tmp_path, step, state(0), {"nonfinite": 0})
    note = tmp_path / "step-00000020.json"
    note.write_text(json.dumps(json.loads(note.read_text()) | wrong))
    assert load_latest(tmp_path, state(0)) == (10, {"nonfinite": 0})
