"""`halfstep generate` around a recording: the file it writes is that recording, but for what is new."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

import halfstep
from halfstep.app.cli import run

RATE = 48000


@pytest.fixture(autouse=True)
def _models(monkeypatch: pytest.MonkeyPatch, tiny_model: Path, tmp_path: Path) -> None:
    monkeypatch.setenv("HALFSTEP_MODELS", str(tiny_model.parent))
    monkeypatch.chdir(tmp_path)


def generate(*arguments: str) -> int:
    return run(["generate", "--model", "tiny-gauss", *arguments])


def take(name: str, subtype: str, level: float = 0.3) -> np.ndarray:
    """Two seconds in stereo; what is in the file, [n, 2]."""
    time = np.arange(2 * RATE) / RATE
    sound = level * np.stack([np.sin(2 * np.pi * hz * time) for hz in (300, 410)], axis=1)
    soundfile.write(name, sound, RATE, subtype)
    return soundfile.read(name)[0]


@pytest.mark.parametrize(
    ("source", "subtype", "out", "stored"),
    [
        ("take.wav", "PCM_24", "out.wav", "PCM_24"), ("take.flac", "PCM_24", "out.flac", "PCM_24"),
        ("take.wav", "FLOAT", "out.wav", "FLOAT"), ("take.wav", "PCM_32", "out.flac", "PCM_24"),
        ("take.ogg", "VORBIS", "out.wav", "PCM_16"), ("take.wav", "PCM_16", "out.ogg", "VORBIS"),
    ],
)  # fmt: skip
def test_rate_channels_and_depth_are_kept(source: str, subtype: str, out: str, stored: str, capsys):
    before = take(source, subtype)
    assert generate(out, "--mend", source, "--from", "0.8", "--to", "1.2") == 0
    info = soundfile.info(out)
    assert (info.samplerate, info.channels, info.frames, info.subtype) == (RATE, 2, len(before), stored)
    assert "48000 Hz, stereo" in capsys.readouterr().out
    after, kept = soundfile.read(out)[0], slice(0, round(0.7 * RATE))
    if stored == subtype:
        np.testing.assert_array_equal(after[kept], before[kept])
    else:
        tolerance = {"PCM_16": 2**-15, "PCM_24": 2**-23, "VORBIS": 0.1}[stored]
        np.testing.assert_allclose(after[kept], before[kept], atol=tolerance)


def test_above_full_scale_is_kept_or_said(capsys):
    before = take("hot.wav", "FLOAT", level=1.5)
    assert generate("kept.wav", "--continue", "hot.wav", "--seconds", "0.5") == 0
    np.testing.assert_array_equal(soundfile.read("kept.wav")[0][:RATE], before[:RATE])
    assert capsys.readouterr().err.count("full scale") == 0
    assert generate("clipped.flac", "--continue", "hot.wav", "--seconds", "0.5") == 0
    whole = np.abs(soundfile.read("kept.wav")[0])  # the same music, in floats
    peak, over = 20 * np.log10(whole.max()), np.count_nonzero(whole > 1)
    assert f"clipped.flac: {over} samples of the recording, or as loud beside it, are above full scale, by up to " in (
        said := capsys.readouterr().err
    )
    assert f"by up to {peak:.1f} dB: clipped to it" in said
    np.testing.assert_allclose(soundfile.read("clipped.flac")[0][:RATE], before[:RATE].clip(-1, 1), atol=2**-22)


@pytest.mark.parametrize("optimised", [[], ["-O"]])
def test_a_nan_is_the_recordings_fault_asserts_or_none(tmp_path: Path, tiny_model: Path, optimised: list[str]):
    sound = np.zeros((RATE, 2))
    sound[100, 0] = np.nan
    soundfile.write("take.wav", sound, RATE, "FLOAT")
    environment = os.environ | {"PYTHONPATH": str(Path(halfstep.__file__).parent.parent)}
    words = [sys.executable, *optimised, "-m", "halfstep.app.cli", "generate", "out.wav", "--continue", "take.wav"]
    done = subprocess.run([*words, "--model", str(tiny_model)], env=environment, capture_output=True, text=True)
    assert done.returncode == 2
    assert "take.wav: a sample at 0.002 s is NaN or infinite; repair the recording" in done.stderr
    assert not Path("out.wav").exists()


@pytest.mark.parametrize(("out", "rate", "line"), [("out.mp3", 96000, "none of .mp3"), ("out.ogg", 384000, "none of")])
def test_a_rate_that_a_format_has_not_is_refused(out: str, rate: int, line: str, capsys):
    soundfile.write("take.wav", np.zeros((rate, 1)), rate)
    assert generate(out, "--continue", "take.wav", "--seconds", "0.5") == 2
    assert line in capsys.readouterr().err


def test_a_second_in_a_long_recording_takes_the_memory_of_its_surroundings(tiny_model: Path):
    """Six minutes in stereo are 140 MB as floats."""
    block = np.random.default_rng(0).integers(-99, 99, (60 * 48000, 2)).astype(np.int16)
    with soundfile.SoundFile("long.wav", "w", 48000, 2) as sound:
        for _ in range(6):
            sound.write(block)
    code = (
        "import re, sys; from halfstep.app.cli import run; code = run(sys.argv[1:]);"
        # its own peak: getrusage still counts the process it was forked from
        "print(code, re.search(r'VmHWM:\\s*(\\d+)', open('/proc/self/status').read())[1])"
    )
    words = ["generate", "out.wav", "--mend", "long.wav", "--from", "200", "--to", "201", "--model", str(tiny_model)]
    environment = os.environ | {"PYTHONPATH": str(Path(halfstep.__file__).parent.parent)}
    done = subprocess.run([sys.executable, "-c", code, *words], env=environment, capture_output=True, text=True)
    code_and_peak = done.stdout.splitlines()[-1].split()
    assert code_and_peak[0] == "0", done.stderr
    assert int(code_and_peak[1]) < 200_000  # kilobytes
