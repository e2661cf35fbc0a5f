"""`halfstep vocode`: what it writes and says, and what it refuses."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from halfstep.app.cli import run

STEREO = 0.3 * np.sin(np.arange(22050)[:, None] * np.array([0.05, 0.08]))


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch, tiny_model: Path, tmp_path: Path) -> None:
    monkeypatch.setenv("HALFSTEP_MODELS", str(tiny_model.parent))
    monkeypatch.chdir(tmp_path)
    soundfile.write("take.flac", STEREO, 22050)


def vocode(*arguments: str) -> int:
    return run(["vocode", *arguments, "--model", "tiny-gauss"])


@pytest.mark.parametrize("ending", [".wav", ".flac", ".ogg", ".mp3"])
def test_as_long_as_the_recording_with_its_channels(ending: str, tmp_path: Path):
    """22050 samples at 22050 Hz are 8000 at the model's rate; MP3 pads to whole frames of 576 or 1152."""
    assert vocode("take.flac", f"again{ending}") == 0
    info = soundfile.info(f"again{ending}")
    assert (info.samplerate, info.channels) == (8000, 2)
    assert info.frames == 8000 if ending != ".mp3" else 8000 <= info.frames < 8000 + 3 * 1152
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([f"again{ending}", "take.flac"])


def test_silence_stays_silent():
    soundfile.write("silence.wav", np.zeros(8000), 8000)
    assert vocode("silence.wav", "again.wav") == 0
    assert np.abs(soundfile.read("again.wav")[0]).max() < 1e-3


def test_both_spectrograms_lie_beside_it(tmp_path: Path):
    assert vocode("take.flac", "again.wav", "--plot") == 0
    pictures = [Image.open(f"again.{when}.png") for when in ("before", "after")]
    assert pictures[0].size == pictures[1].size
    assert pictures[0].tobytes() != pictures[1].tobytes()


def test_it_says_what_it_did(capsys: pytest.CaptureFixture[str]):
    assert vocode("take.flac", "again.wav") == 0
    assert re.fullmatch(
        r"again\.wav: 1\.0 s, 2 channel\(s\), vocoder griffin-lim of model tiny-gauss, made in \d+\.\d s "
        r"\(real-time factor \d+\.\d{3}\)\n",
        capsys.readouterr().out,
    )


def test_json_for_a_machine(capsys: pytest.CaptureFixture[str]):
    assert vocode("take.flac", "again.wav", "--vocoder", "griffin-lim", "--json") == 0
    figures = json.loads(capsys.readouterr().out)
    assert (figures["samples"], figures["seconds"], figures["channels"], figures["sample_rate"]) == (8000, 1.0, 2, 8000)
    assert (figures["vocoder"], figures["model"]) == ("griffin-lim", "tiny-gauss")
    assert figures["real_time_factor"] == figures["took_seconds"] > 0


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["none.wav", "again.wav"], r"none\.wav: No such file"),
        (["take.flac", "again.xyz"], r"again\.xyz: cannot write \.xyz"),
        (["take.flac", "take.flac"], r"take\.flac: is a recording to be read .take\.flac.; give OUT another name"),
        (["take.flac", "again.wav", "--vocoder", "wavenet"], r"--vocoder wavenet: neither griffin-lim nor a folder"),
        (["text.wav", "again.wav"], r"text\.wav: not readable as sound"),
        (["empty.wav", "again.wav"], r"empty\.wav: holds no samples"),
        (["many.wav", "again.wav"], r"many\.wav: 9 channels, \.wav is written with 8 at most"),
        (["three.wav", "again.mp3"], r"three\.wav: 3 channels, \.mp3 is written with 2 at most"),
    ],
)
def test_what_is_refused_in_one_line(
    arguments: list[str], line: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
):
    Path("text.wav").write_text("no sound")
    for name, shape in {"empty.wav": (0, 1), "many.wav": (9, 9), "three.wav": (3, 3)}.items():
        soundfile.write(name, np.zeros(shape), 8000)
    before = sorted(tmp_path.iterdir())
    assert vocode(*arguments) == 2
    assert re.search(line, capsys.readouterr().err)
    assert sorted(tmp_path.iterdir()) == before


def test_generate_takes_the_fallback_by_name(capsys: pytest.CaptureFixture[str]):
    """The tiny model has no vocoder of its own: both are the same sound, and the file says which was asked for."""
    for name, more in {"a.wav": [], "b.wav": ["--vocoder", "griffin-lim"]}.items():
        assert run(["generate", name, "--seconds", "0.5", "--model", "tiny-gauss", *more]) == 0
    np.testing.assert_array_equal(soundfile.read("a.wav")[0], soundfile.read("b.wav")[0])
    assert "1 thread(s), vocoder griffin-lim, made" in capsys.readouterr().out
    assert run(["generate", "c.wav", "--model", "tiny-gauss", "--vocoder", "wavenet"]) == 2
    assert not Path("c.wav").exists()
