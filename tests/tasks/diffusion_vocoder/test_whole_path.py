"""The vocoder through the same train, distill and resume as music, at a tiny size."""

import json
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from halfstep.errors import InputError
from halfstep.runs.distill import distill_command
from halfstep.runs.export_model import Card, export_run
from halfstep.runs.run_folder import open_run
from halfstep.runs.train import train_command
from halfstep.tasks.diffusion_vocoder.observer import DiffusionVocoderObserver


@pytest.fixture(scope="module")
def words(waveforms: Path, vocoder_settings: list[str]) -> Callable[[Path], list[str]]:
    """words(run): `halfstep train` of the tiny vocoder."""
    settings = [word for setting in vocoder_settings for word in ("--set", setting)]
    return lambda run: [
        "train", str(waveforms), "--out", str(run), "--preset", "vocoder-diffusion", "--steps", "8", *settings
    ]  # fmt: skip


def test_killed_and_resumed_it_ends_as_the_uninterrupted_run(
    words: Callable, apart: Callable, left: Callable, tmp_path: Path
):
    assert apart(command=words(tmp_path / "straight")) == 0
    assert apart(command=words(tmp_path / "cut"), signal_at=[3, int(signal.SIGTERM)]) == 143
    assert left(tmp_path / "cut")[0] == "step-00000003.safetensors"
    assert apart(command=words(tmp_path / "cut")) == 0
    assert left(tmp_path / "cut") == left(tmp_path / "straight")
    ends = [(tmp_path / run / "teacher.safetensors").read_bytes() for run in ("straight", "cut")]
    assert ends[0] == ends[1]


@pytest.mark.slow
def test_trained_distilled_heard_and_not_exported(waveforms: Path, vocoder_settings: list[str], tmp_path: Path):
    run = tmp_path / "run"
    figures = train_command(waveforms, run, "vocoder-diffusion", vocoder_settings, 4, lambda *_: None)
    assert {"x_error/0.5", "samples/mr_stft/16", "samples/mr_stft/4", "samples/log_mel_l1/4"} <= figures.keys()
    rows = distill_command(run, 1, None, lambda *_: None)
    assert [row["steps"] for row in rows] == [4, 2, 1]
    assert all(np.isfinite([row["mr_stft"], row["log_mel_l1"], row["correlation"]]).all() for row in rows)
    assert rows[0]["correlation"] == pytest.approx(1)
    assert "frechet" not in rows[1]
    assert "MR-STFT" in (run / "ladder" / "ladder.md").read_text()
    assert "Frechet" not in (run / "ladder" / "ladder.md").read_text()
    assert json.loads((run / "config.json").read_text())["experiment"]["diffusion_vocoder"]["frames"] == 8
    samples, rate = soundfile.read(run / "samples" / "step-00000004.wav")
    assert (rate, len(samples)) == (44100, 4 * 8 * 512)
    assert (run / "samples" / "step-00000004.png").exists()
    with pytest.raises(InputError, match="models diffusion_vocoder, which nothing plays"):
        export_run(run, tmp_path / "model", Card(id="v"))


def test_copy_synthesis_from_the_true_x_is_the_music(
    waveforms: Path, vocoder_settings: list[str], words: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The observer's distance is 0 where nothing is lost, but for half a hop at the ends."""
    from halfstep.runs import train as train_module

    monkeypatch.setattr(train_module, "_train", lambda *_: {})
    train_command(waveforms, tmp_path, "vocoder-diffusion", vocoder_settings, 4, lambda *_: None)
    with open_run(tmp_path) as opened:
        observer = opened.observer(tmp_path)
        assert isinstance(observer, DiffusionVocoderObserver)
        look = observer.look(observer.task.sound(observer.real))
        assert look == pytest.approx({"samples/mr_stft": 0, "samples/log_mel_l1": 0}, abs=1e-5)
        assert observer.mels(observer.task.sound(observer.real)).shape == (12, 128, 8)
