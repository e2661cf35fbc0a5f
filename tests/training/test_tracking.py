"""`--track`: every figure of a training goes to trackio, which is given no place to send it to."""

import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from halfstep.errors import NamedError
from halfstep.training.log import TrainingLog
from halfstep.training.tracking import VARIABLE, tracked_in


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """A stand-in for trackio, and every call it was given."""
    calls: list[Any] = []

    def init(**named: Any) -> SimpleNamespace:
        print("hello")
        calls.append(named)
        return SimpleNamespace(
            log=lambda figures, step: calls.append((step, figures)), finish=lambda: calls.append("finished")
        )

    monkeypatch.setitem(sys.modules, "trackio", SimpleNamespace(init=init))
    return calls


def test_every_figure_is_tracked_and_nothing_is_sent(calls: list[Any], tmp_path: Path, capsys: pytest.CaptureFixture):
    folder = tmp_path / "ladder" / "0032"
    with tracked_in("mine"), TrainingLog(folder, 0) as journal:
        journal.log(50, loss=0.5)
        journal.log(100, loss=0.25, heldout=0.3)
    opened, *figures, last = calls
    assert opened == {
        "project": "mine", "name": "ladder-0032", "resume": "allow", "auto_log_gpu": False, "auto_log_cpu": False
    }  # fmt: skip
    assert figures == [(50, {"loss": 0.5}), (100, {"loss": 0.25, "heldout": 0.3})] and last == "finished"
    assert capsys.readouterr().out == ""
    assert VARIABLE not in os.environ


def test_unasked_it_is_not_imported(calls: list[Any], tmp_path: Path):
    with tracked_in(None), TrainingLog(tmp_path, 0) as journal:
        journal.log(50, loss=0.5)
    assert calls == []


def test_where_trackio_is_missing_it_is_said_before_anything_begins(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "trackio", None)
    with pytest.raises(NamedError, match="pip install trackio"), tracked_in("mine"):
        raise AssertionError("it began")
