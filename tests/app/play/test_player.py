"""`halfstep play`, with a sound card that is a list: in order, without loss, and clear about what is missing."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from halfstep.app.cli import run
from halfstep.app.play.player import AHEAD_BLOCKS, Player
from halfstep.audio.files.io import Audio
from halfstep.errors import InputError


class PortAudioError(Exception):
    pass


class Output:
    """A sound card that is given `most` blocks before its owner presses Ctrl-C, and is late where told."""

    def __init__(self, most: int = 10**9, late: tuple[int, ...] = (), failure: Exception | None = None) -> None:
        self.most, self.late, self.failure = most, late, failure
        self.played: list[np.ndarray] = []
        self.closed = False

    def __call__(self, **settings: object) -> "Output":
        if self.failure is not None:
            raise self.failure
        self.settings = settings
        return self

    def __enter__(self) -> "Output":
        return self

    def __exit__(self, *_: object) -> None:
        self.closed = True

    def write(self, samples: np.ndarray) -> bool:
        if len(self.played) == self.most:
            raise KeyboardInterrupt
        self.played.append(samples)
        return len(self.played) - 1 in self.late


def plug_in(monkeypatch: pytest.MonkeyPatch, output: Output) -> Output:
    library = SimpleNamespace(OutputStream=output, PortAudioError=PortAudioError)
    monkeypatch.setitem(sys.modules, "sounddevice", library)
    return output


def blocks(count: int) -> Iterator[Audio]:
    for number in range(count):
        yield Audio(np.full((1, 10), number, np.float32), 8000)


def test_every_block_is_played_in_order(monkeypatch: pytest.MonkeyPatch):
    output = plug_in(monkeypatch, Output())
    player = Player(8000)
    player.play(blocks(3 * AHEAD_BLOCKS))
    assert [block.shape for block in output.played] == [(10, 1)] * 3 * AHEAD_BLOCKS
    assert [block[0, 0] for block in output.played] == list(range(3 * AHEAD_BLOCKS))
    assert (output.settings["samplerate"], output.settings["channels"], player.gaps) == (8000, 1, 0)
    assert output.closed


def test_channels_are_mixed(monkeypatch: pytest.MonkeyPatch):
    output = plug_in(monkeypatch, Output())
    Player(8000).play(iter([Audio(np.array([[0.2, 0.4], [0.4, 0.0]], np.float32), 8000)]))
    np.testing.assert_allclose(output.played[0][:, 0], [0.3, 0.2])


def test_gaps_are_counted_and_nothing_is_lost(monkeypatch: pytest.MonkeyPatch):
    output = plug_in(monkeypatch, Output(late=(2, 5)))
    player = Player(8000)
    player.play(blocks(9))
    assert player.gaps == 2 and len(output.played) == 9


def test_what_fails_while_music_is_made_is_raised(monkeypatch: pytest.MonkeyPatch):
    def broken() -> Iterator[Audio]:
        yield from blocks(2)
        raise InputError("the model broke")

    output = plug_in(monkeypatch, Output())
    with pytest.raises(InputError, match="the model broke"):
        Player(8000).play(broken())
    assert len(output.played) == 2 and output.closed


def test_the_maker_stops_when_the_listener_does(monkeypatch: pytest.MonkeyPatch):
    made: list[int] = []

    def endless() -> Iterator[Audio]:
        while True:
            made.append(0)
            yield Audio(np.zeros((1, 10), np.float32), 8000)

    plug_in(monkeypatch, Output(most=5))
    with pytest.raises(KeyboardInterrupt):
        Player(8000).play(endless())
    count = len(made)
    assert 5 <= count <= 6 + AHEAD_BLOCKS + 1 and len(made) == count


def play(monkeypatch: pytest.MonkeyPatch, tiny_model: Path, *arguments: str) -> int:
    monkeypatch.setenv("HALFSTEP_MODELS", str(tiny_model.parent))
    return run(["play", "--model", "tiny-gauss", *arguments])


def test_ctrl_c_ends_it_with_130(monkeypatch: pytest.MonkeyPatch, tiny_model: Path, capsys: pytest.CaptureFixture[str]):
    output = plug_in(monkeypatch, Output(most=8, late=(3,)))
    assert play(monkeypatch, tiny_model, "--seed", "4") == 130
    assert output.played[0].shape == (2000, 1)
    error = capsys.readouterr().err
    assert "seed 4; Ctrl-C ends it" in error and "1 gaps: this machine did not keep up" in error
    assert "interrupted" in error


def test_for_a_machine_a_line_at_either_end(
    monkeypatch: pytest.MonkeyPatch, tiny_model: Path, capsys: pytest.CaptureFixture[str]
):
    plug_in(monkeypatch, Output(most=8, late=(3,)))
    assert play(monkeypatch, tiny_model, "--seed", "4", "--json") == 130
    captured = capsys.readouterr()
    first, last = map(json.loads, captured.out.splitlines())
    assert first == {"model": "tiny-gauss", "seed": 4, "sample_rate": 8000}
    assert last == {"seconds": 2.0, "gaps": 1}
    assert captured.err == "halfstep: interrupted\n"


def test_quiet_says_what_went_wrong_alone(
    monkeypatch: pytest.MonkeyPatch, tiny_model: Path, capsys: pytest.CaptureFixture[str]
):
    plug_in(monkeypatch, Output(most=8, late=(3,)))
    assert play(monkeypatch, tiny_model, "--quiet") == 130
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.startswith("1 gaps: this machine did not keep up")


@pytest.mark.parametrize(
    ("failure", "line"),
    [
        (PortAudioError("Error querying device -1"), "no sound output to use (Error querying device -1); connect one"),
        (ValueError("No output device matching ''"), "no sound output to use"),
    ],
)
def test_no_output_is_one_line_and_exit_code_2(
    failure: Exception,
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    tiny_model: Path,
    capsys: pytest.CaptureFixture[str],
):
    plug_in(monkeypatch, Output(failure=failure))
    assert play(monkeypatch, tiny_model) == 2
    captured = capsys.readouterr()
    assert line in captured.err and captured.err.count("\n") == 1 and captured.out == ""


def test_no_library_is_one_line_and_exit_code_2(
    monkeypatch: pytest.MonkeyPatch, tiny_model: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    assert play(monkeypatch, tiny_model) == 2
    assert "sounddevice is not installed; pip install 'halfstep[play]'" in capsys.readouterr().err

    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')")
    monkeypatch.delitem(sys.modules, "sounddevice")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert play(monkeypatch, tiny_model) == 2
    error = capsys.readouterr().err
    assert "PortAudio is not on this machine; install it (Debian, Ubuntu: apt install libportaudio2" in error
    assert error.count("\n") == 1
