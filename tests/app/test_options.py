"""An option whose value may be left out, and what a shell is offered."""

import sys

import pytest

from halfstep.app.cli import app
from halfstep.app.options import with_address


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("prepare --ray music --out data", "prepare --ray local music --out data"),
        ("prepare music --out data --ray", "prepare music --out data --ray local"),
        ("prepare --ray auto music", "prepare --ray auto music"),
        ("evaluate m --ray 10.0.0.1:6379", "evaluate m --ray 10.0.0.1:6379"),
        ("evaluate m --ray ray://head.example:10001 --json", "evaluate m --ray ray://head.example:10001 --json"),
        ("generate --ray [::1]:6379 a.wav", "generate --ray [::1]:6379 a.wav"),
    ],
)
def test_ray_without_an_address_is_this_machine(typed: str, meant: str):
    assert with_address(typed.split()) == meant.split()


def offered(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], typed: str) -> list[str]:
    """What bash is told when Tab is pressed after these words."""
    monkeypatch.setenv("_HALFSTEP_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", typed)
    monkeypatch.setenv("COMP_CWORD", str(len(typed.split()) - 1))
    with pytest.raises(SystemExit):
        app([], prog_name="halfstep")
    return capsys.readouterr().out.split()


def test_presets_are_offered_without_the_making_half(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setitem(sys.modules, "halfstep.runs.presets", None)
    assert offered(monkeypatch, capsys, "halfstep train data --preset voc") == [
        "vocoder", "vocoder-bands", "vocoder-diffusion"
    ]  # fmt: skip
    assert offered(monkeypatch, capsys, "halfstep generate a.wav --model sou") == ["soundtrack"]
