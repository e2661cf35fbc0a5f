"""Other rates and depths, standard output, JSON, folders that are made, and silence under --quiet."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from halfstep.app.cli import run
from halfstep.app.generate.delivering import at_rate
from halfstep.audio.files.streaming import wav_head
from halfstep.generation.coming import Coming
from halfstep.generation.takes import Form


@pytest.fixture(autouse=True)
def _models(monkeypatch: pytest.MonkeyPatch, tiny_model: Path, tmp_path: Path) -> None:
    monkeypatch.setenv("HALFSTEP_MODELS", str(tiny_model.parent))
    monkeypatch.chdir(tmp_path)


def generate(*arguments: str) -> int:
    return run(["generate", "--model", "tiny-gauss", "--seconds", "1", *arguments])


def piped(*arguments: str) -> bytes:
    command = [sys.executable, "-m", "halfstep", "generate", "-", "--model", "tiny-gauss", "--seconds", "1", *arguments]
    return subprocess.run(command, capture_output=True, check=True).stdout


def test_a_pipe_gets_the_samples_of_the_file_under_a_header_that_is_true(tmp_path: Path):
    assert generate("out.wav") == 0
    (tmp_path / "piped.wav").write_bytes(sound := piped())
    through_pipe, in_file = (soundfile.read(name, dtype="int16")[0] for name in ("piped.wav", "out.wav"))
    np.testing.assert_array_equal(through_pipe, in_file)
    assert piped("--format", "raw") == sound[44:]


def test_a_reader_that_leaves_is_no_failure():
    command = f"{sys.executable} -m halfstep generate - --model tiny-gauss --seconds 60 | head -c 1000 | wc -c; "
    done = subprocess.run(["bash", "-c", command + "echo ${PIPESTATUS[0]}"], capture_output=True, text=True, check=True)
    assert done.stdout.split()[0] == "1000"
    assert "mistake" not in done.stderr and "Broken" not in done.stderr


@pytest.mark.parametrize("more", [["--count", "2"], ["--plot"], ["--json"]])
def test_sound_on_standard_output_goes_with_nothing_else_there(more: list[str], capsys: pytest.CaptureFixture[str]):
    assert generate("-", *more) == 2
    assert more[0] in capsys.readouterr().err


@pytest.mark.parametrize(("bits", "subtype"), [("16", "PCM_16"), ("24", "PCM_24"), ("32", "FLOAT")])
def test_bits_and_rate_are_those_asked_for(bits: str, subtype: str):
    assert generate("out.wav", "--bit-depth", bits, "--sample-rate", "11025") == 0
    info = soundfile.info("out.wav")
    assert (info.subtype, info.samplerate, info.frames) == (subtype, 11025, 11025)


@pytest.mark.parametrize("words", [["out.mp3", "--bit-depth", "16"], ["out.flac", "--bit-depth", "32"],
                                   ["out.wav", "--bit-depth", "20"], ["out.wav", "--sample-rate", "7"],
                                   ["out.wav", "--format", "au"], ["out.wav", "--loudness", "3"]])  # fmt: skip
def test_what_cannot_be_stored_is_refused_by_its_option(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert generate(*words) == 2
    assert words[1] in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_closed_standard_output_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """`>&-`: the music would have gone nowhere."""
    monkeypatch.setattr(sys, "__stdout__", None)
    assert generate("-") == 2
    assert "standard output is closed" in capsys.readouterr().err


def test_a_loop_at_another_rate_still_closes():
    """Three whole periods of a tone: at any rate they are three whole periods, to the last sample."""
    tone = np.sin(2 * np.pi * 3 * np.arange(8000) / 8000, dtype=np.float32)[None] / 2
    other = at_rate(Coming(Form(sample_rate=8000, channels=1), 8000, iter([tone])), 12000, loops=True)
    wanted = np.sin(2 * np.pi * 3 * np.arange(12000) / 12000)[None] / 2
    np.testing.assert_allclose(np.concatenate(list(other.blocks), axis=1), wanted, atol=1e-6)


def test_json_says_what_was_made(capsys: pytest.CaptureFixture[str]):
    assert generate("new/folder/out.wav", "--count", "2", "--seed", "5", "--json") == 0
    first, second = json.loads(capsys.readouterr().out)["pieces"]
    assert Path(first["out"]).is_file() and (first["seed"], second["seed"]) == (5, 6)
    assert first["samples"] == soundfile.info(first["out"]).frames == 8000


def test_a_folder_is_made_only_once_nothing_is_refused(tmp_path: Path):
    assert generate("new/out.wav", "--steps", "77") == 2
    (tmp_path / "file").write_text("")
    assert generate("file/out.wav") == 2
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_quiet_says_nothing_but_failures(capsys: pytest.CaptureFixture[str]):
    assert run(["--quiet", "generate", "out.wav", "--model", "tiny-gauss", "--seconds", "1"]) == 0
    assert capsys.readouterr() == ("", "")
    assert generate("out.xyz", "--quiet") == 2
    assert "out.xyz" in capsys.readouterr().err


def test_a_header_of_more_than_a_file_can_hold_says_the_most():
    head = wav_head(44100, 2, "PCM_24", 1 << 40)
    assert len(head) == 44 and head[40:] == (2**32 - 45).to_bytes(4, "little")
