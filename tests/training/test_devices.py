"""Where a network is: the best there is, the one that is asked for, or a clear refusal."""

import pytest
import torch

from halfstep.errors import InputError
from halfstep.training.devices import best_device, device_named


@pytest.fixture
def cards(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with two CUDA devices."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", lambda number: None)


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with none."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.mark.usefixtures("cards")
def test_each_process_of_a_machine_has_a_card_of_its_own(monkeypatch: pytest.MonkeyPatch):
    assert best_device() == torch.device("cuda", 0)
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert device_named("cuda") == torch.device("cuda", 1)
    assert device_named("cpu") == torch.device("cpu")
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(InputError, match="process 2 of this machine has 2 CUDA devices"):
        best_device()


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(("name", "says"), [("cuda", "none on this machine"), ("mps", "none on"), ("tpu", "one of")])
def test_a_device_that_is_not_here_is_refused(name: str, says: str):
    assert best_device() == torch.device("cpu")
    with pytest.raises(InputError, match=says):
        device_named(name)
