"""`halfstep generate`: the files it writes, and what it refuses before it computes anything."""

import hashlib
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from halfstep.app.cli import run


@pytest.fixture(autouse=True)
def _models(monkeypatch: pytest.MonkeyPatch, tiny_model: Path, tmp_path: Path) -> None:
    monkeypatch.setenv("HALFSTEP_MODELS", str(tiny_model.parent))
    monkeypatch.chdir(tmp_path)


def generate(*arguments: str) -> int:
    return run(["generate", "--model", "tiny-gauss", *arguments])


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def sha256(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


@pytest.mark.parametrize("ending", [".wav", ".flac", ".ogg", ".mp3", ".WAV"])
def test_each_format_holds_the_seconds_asked_for(ending: str, tmp_path: Path):
    assert generate(f"out{ending}", "--seconds", "1.5") == 0
    sound = soundfile.SoundFile(tmp_path / f"out{ending}")
    assert (sound.samplerate, sound.channels) == (8000, 1)
    assert sound.frames == 12000 if ending != ".mp3" else 12000 <= sound.frames < 12000 + 3 * 1152
    assert 1e-4 < np.abs(sound.read()).max() < 1
    assert names(tmp_path) == [f"out{ending}"]


def test_the_file_says_what_it_follows_from():
    generate("out.flac", "--seconds", "0.1", "--seed", "3", "--steps", "1")
    sound = soundfile.SoundFile("out.flac")
    assert sound.comment == "model tiny-gauss, seed 3, 1 steps, 1 thread(s)"
    assert re.fullmatch(r"halfstep \d+\.\d+\.\d+.*", sound.software)
    assert sound.license == "CC0-1.0"


@pytest.mark.parametrize("ending", [".wav", ".flac", ".ogg", ".mp3"])
def test_the_same_command_gives_the_same_bytes(ending: str):
    for name in ("a", "b"):
        generate(f"{name}{ending}", "--seconds", "1", "--seed", "9")
    generate(f"c{ending}", "--seconds", "1", "--seed", "10")
    assert sha256(f"a{ending}") == sha256(f"b{ending}") != sha256(f"c{ending}")


def test_the_beginning_of_a_longer_file_is_the_shorter_one():
    generate("long.wav", "--seconds", "3")
    generate("short.wav", "--seconds", "1.25")
    np.testing.assert_array_equal(soundfile.read("long.wav")[0][:10000], soundfile.read("short.wav")[0])


def test_count_writes_one_file_a_seed(tmp_path: Path):
    assert generate("out.wav", "--seconds", "0.5", "--count", "3", "--seed", "4") == 0
    assert names(tmp_path) == ["out-1.wav", "out-2.wav", "out-3.wav"]
    generate("alone.wav", "--seconds", "0.5", "--seed", "5")
    np.testing.assert_array_equal(soundfile.read("out-2.wav")[0], soundfile.read("alone.wav")[0])


def test_the_picture_lies_beside_it():
    assert generate("out.ogg", "--seconds", "2", "--plot") == 0
    with Image.open("out.png") as picture:
        assert picture.width > 100
        assert len(set(picture.convert("L").tobytes())) > 50


def test_a_recording_is_continued():
    tone = 0.2 * np.sin(np.arange(8000) / 5)
    soundfile.write("take.flac", tone, 8000)
    assert generate("out.wav", "--seconds", "1", "--continue", "take.flac") == 0
    out = soundfile.read("out.wav")[0]
    assert len(out) == 16000
    np.testing.assert_array_equal(out[:7000], soundfile.read("take.flac")[0][:7000])


@pytest.fixture
def take() -> np.ndarray:
    """A second of a tone at 8 kHz, in take.flac."""
    tone = 0.2 * np.sin(np.arange(8000) / 5)
    soundfile.write("take.flac", tone, 8000)
    return tone


def test_a_loop_is_exactly_as_long_as_its_bars_and_has_loop_points():
    assert generate("out.wav", "--loop", "--bars", "1", "--bpm", "97") == 0
    assert soundfile.info("out.wav").frames == round(4 * 60 / 97 * 8000)
    assert b"smpl" in Path("out.wav").read_bytes()
    assert generate("waltz.flac", "--loop", "--bars", "2", "--bpm", "180", "--beats", "3", "--steps", "1") == 0
    assert soundfile.info("waltz.flac").frames == 16000
    assert b"LOOPLENGTH=16000" in Path("waltz.flac").read_bytes()
    assert soundfile.SoundFile("waltz.flac").comment == "model tiny-gauss, seed 0, 1 steps, 1 thread(s), a loop"


def test_a_recording_is_closed_into_a_loop_led_into_another_and_mended(take: np.ndarray):
    assert generate("loop.wav", "--continue", "take.flac", "--loop", "--seconds", "0.5") == 0
    assert generate("bridge.wav", "--continue", "take.flac", "--into", "take.flac", "--seconds", "0.25") == 0
    assert generate("mended.wav", "--mend", "take.flac", "--from", "0.4", "--to", "0.6") == 0
    lengths = [soundfile.info(f"{name}.wav").frames for name in ("loop", "bridge", "mended")]
    assert lengths == [12000, 18000, 8000]
    mended = soundfile.read("mended.wav")[0]
    for kept in (slice(0, 2900), slice(5100, 8000)):
        np.testing.assert_array_equal(mended[kept], soundfile.read("take.flac")[0][kept])


def test_a_recording_is_restyled(take: np.ndarray, capsys: pytest.CaptureFixture[str]):
    assert generate("out.flac", "--restyle", "take.flac", "--strength", "0.4", "--seed", "7") == 0
    assert soundfile.info("out.flac").frames == 8000
    assert soundfile.SoundFile("out.flac").comment.endswith("1 thread(s), restyled with strength 0.4")
    assert generate("x.wav", "--restyle", "take.flac", "--strength", "2") == 2
    assert "--strength is 2: give a number from 0, the recording, to 1" in capsys.readouterr().err
    assert generate("x.wav", "--strength", "0.2") == 2
    assert "--strength: it says how much noise a recording to --restyle is given" in capsys.readouterr().err
    assert generate("take.flac", "--restyle", "take.flac") == 2  # would be lost


def test_a_style_like_a_recordings_needs_a_model_that_has_styles(take: np.ndarray, capsys: pytest.CaptureFixture[str]):
    assert generate("x.wav", "--like", "take.flac") == 2
    assert "--like: model tiny-gauss has no such control (it has none)" in capsys.readouterr().err
    assert generate("x.wav", "--like", "take.flac", "--style", "one") == 2
    assert "--like and --style: both say which style" in capsys.readouterr().err


def test_variations_and_drifts_say_so(take: np.ndarray):
    generate("plain.wav", "--seconds", "1")
    generate("same.wav", "--seconds", "1", "--vary", "0")
    generate("drift.flac", "--seconds", "1", "--toward", "3")
    np.testing.assert_array_equal(soundfile.read("same.wav")[0], soundfile.read("plain.wav")[0])
    assert soundfile.SoundFile("same.wav").comment.endswith(", varied 0")
    assert soundfile.SoundFile("drift.flac").comment.endswith(", toward 3")


def test_an_older_file_is_replaced(tmp_path: Path):
    (tmp_path / "out.wav").write_bytes(b"old")
    assert generate("out.wav", "--seconds", "0.1") == 0
    assert soundfile.info("out.wav").frames == 800


def test_it_says_what_it_made(capsys: pytest.CaptureFixture[str]):
    generate("out.wav", "--seconds", "0.5", "--seed", "2")
    line = capsys.readouterr().out
    assert re.fullmatch(
        r"out\.wav: 0\.5 s, model tiny-gauss, seed 2, 4 steps, 1 thread\(s\), "
        r"made in \d+\.\d s \(real-time factor \d+\.\d{3}\)\n",
        line,
    )


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["out.xyz"], r"out\.xyz: .*\.xyz.*\.wav"),
        (["out"], r"out: .*without extension.*\.wav"),
        (["folder.wav"], r"folder\.wav: a folder stands there; choose another name"),
        (["out.wav", "--count", "2", "--seconds", "1"], r"out-2\.wav: a folder stands there"),
        (["out.wav", "--seconds", "0"], r"--seconds is 0: give a number above 0 and at most 86400"),
        (["out.wav", "--seconds", "-3"], r"--seconds is -3"),
        (["out.wav", "--seconds", "nan"], r"--seconds is nan"),
        (["out.wav", "--seconds", "1e15"], r"--seconds is 1e\+15"),
        (
            ["out.wav", "--seconds", "ten"],
            r"'--seconds': .*; see halfstep generate --help",
        ),
        (["out.wav", "--steps", "3"], r"--steps 3: model tiny-gauss serves 1, 4"),
        (["out.wav", "--steps", "-1"], r"--steps -1: model tiny-gauss serves 1, 4"),
        (["out.wav", "--steps", "1000000000"], r"--steps 1000000000: model"),
        (["out.wav", "--seed", "-1"], r"seed is -1: give a whole number"),
        (["out.wav", "--count", "0"], r"'--count'"),
        (["out.wav", "--count", "100000"], r"'--count'"),
        (["out.wav", "--model", "nobody"], r"--model nobody: neither a folder nor an installed model"),
        (["out.wav", "--model", "../../etc"], r"--model \.\./\.\./etc: neither a folder nor"),
        (["out.wav", "--continue", "none.wav"], r"none\.wav: No such file"),
        (["out.wav", "--continue", "text.wav"], r"text\.wav: "),
        (["out.wav", "--loop", "--seconds", "0.1"], r"seconds is 0\.1: a loop takes 0\.320 to 900"),
        (["out.mp3", "--loop"], r"--loop: an MP3 begins and ends with silence"),
        (["out.wav", "--bars", "4"], r"--bars and --bpm: one says nothing without the other"),
        (["out.wav", "--beats", "3", "--bpm", "90"], r"--bars and --bpm: one says nothing without the other"),
        (["out.wav", "--bpm", "90"], r"--bpm: model tiny-gauss has no such control \(it has none\)"),
        (["out.wav", "--bars", "2", "--bpm", "90..99"], r"--bpm 90..99: with --bars, give a single number"),
        (["out.wav", "--style", "piano", "--loop"], r"--style: model tiny-gauss has no such control"),
        (["out.wav", "--loudness-like=-20"], r"--loudness-like: model tiny-gauss has no such control"),
        (["out.wav", "--control", "mood=x"], r"mood: model tiny-gauss has no such control"),
        (["out.wav", "--control", "mood"], r"--control mood: NAME=VALUE was expected"),
        (["out.wav", "--bars", "4", "--bpm", "0"], r"--bpm is 0: give a number above 0"),
        (["out.wav", "--bars", "nan", "--bpm", "9"], r"--bars is nan: give a number above 0"),
        (["out.wav", "--bars", "4", "--bpm", "90", "--seconds", "3"], r"--seconds: --bars and --bpm give the length"),
        (["out.wav", "--beats", "3"], r"--beats: counts the beats of --bars"),
        (["out.wav", "--into", "text.wav"], r"--into: name the recording before it: --continue"),
        (["out.wav", "--continue", "a", "--into", "b", "--loop"], r"--into: a --loop leads into its own beginning"),
        (["out.wav", "--continue", "none.wav", "--loop"], r"none\.wav: No such file"),
        (["out.wav", "--vary", "2"], r"--vary is 2: give a number from 0"),
        (["out.wav", "--toward", "-2"], r"toward is -2: give a whole number"),
        (["out.wav", "--toward", "2", "--loop"], r"--toward: a --loop ends where it began"),
        (["out.wav", "--from", "2", "--to", "3"], r"--from and --to: they say where to --mend"),
        (["out.wav", "--mend", "text.wav"], r"--mend: give the span to regenerate: --from and --to"),
        (["out.wav", "--mend", "text.wav", "--from", "1", "--to", "2"], r"text\.wav: "),
        (["out.wav", "--mend", "a", "--from", "1", "--to", "2", "--loop"], r"--loop: --mend keeps a recording's own"),
        (["out.wav", "--mend", "a", "--from", "1", "--to", "2", "--seconds", "3"], r"--seconds: --mend keeps"),
        (["out.wav", "--loud"], r"No such option.*--loud.*; see halfstep generate --help"),
        ([], r"Missing argument 'OUT'; see halfstep generate --help"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    arguments: list[str], line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "folder.wav").mkdir()
    (tmp_path / "out-2.wav").mkdir()
    (tmp_path / "text.wav").write_text("this is no sound")
    before = names(tmp_path)
    assert generate(*arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("halfstep: ")
    assert captured.err.count("\n") == 1
    assert re.search(line, captured.err), captured.err
    assert names(tmp_path) == before


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder nobody can write to: /proc")
def test_a_folder_that_cannot_be_written_to_is_refused(capsys: pytest.CaptureFixture[str]):
    assert generate("/proc/out.wav") == 2
    assert re.search(r"/proc: not writable \(.*\); choose another folder", capsys.readouterr().err)


def test_more_than_a_wav_file_can_hold_is_refused(
    write_model: Callable[..., Path], tiny_manifest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    from dataclasses import replace

    model = write_model(tmp_path / "m", mel=replace(tiny_manifest.mel, sample_rate=44100))
    assert run(["generate", "out.wav", "--model", str(model), "--seconds", "60000"]) == 2
    assert "more than a WAV file can hold; use .flac" in capsys.readouterr().err


@pytest.fixture
def small_disk(tmp_path: Path):
    """A file system of 400 kB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = shutil.which("mount")
    options = ["-t", "tmpfs", "-o", "size=400k", "tmpfs", str(place)]
    if mount is None or subprocess.run([mount, *options], capture_output=True).returncode:
        pytest.skip("mounting a small file system is not allowed here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_disk_too_small_is_refused_with_what_is_needed(small_disk: Path, capsys: pytest.CaptureFixture[str]):
    assert generate(str(small_disk / "out.wav"), "--seconds", "60") == 1
    assert re.search(r"No space left: about 960000 bytes needed, \d+ free", capsys.readouterr().err)
    assert names(small_disk) == []


def test_a_disk_that_fills_up_leaves_the_old_file(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    (small_disk / "out.wav").write_bytes(b"old")
    monkeypatch.setattr("halfstep.app.generate.generating.check_room", lambda *_: None)
    monkeypatch.setattr("halfstep.app.progress.SECONDS_BETWEEN_LINES", 1e9)  # slow machines say how far they are
    assert generate(str(small_disk / "out.wav"), "--seconds", "60") == 1
    error = capsys.readouterr().err
    assert re.search(r"out\.wav: No space left .*\d+ bytes", error)
    assert error.count("\n") == 1
    assert {path.name: path.read_bytes() for path in small_disk.iterdir()} == {"out.wav": b"old"}
