"""A small data set of waveforms, and a small run on it."""

from pathlib import Path

import pytest

from halfstep.audio.files.writing import write
from halfstep.data.decode import DecodeConfig
from halfstep.data.preparing import PrepareConfig, prepare
from halfstep.data.stores import WAVEFORM
from halfstep.data.synthetic import piece


@pytest.fixture(scope="session")
def waveforms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three short pieces prepared as waveforms; read only."""
    folder = tmp_path_factory.mktemp("waveforms")
    (folder / "music").mkdir()
    for seed in range(3):
        write(folder / "music" / f"{seed}.wav", [piece(2, seed)], 44100, {})
    decode = DecodeConfig(min_frames=12, stores=WAVEFORM)
    prepare([folder / "music"], folder / "data", PrepareConfig(decode=decode, heldout_share=0.3), 1)
    return folder / "data"


@pytest.fixture(scope="session")
def vocoder_settings() -> list[str]:
    """The preset `vocoder-diffusion`, smaller."""
    return [
        "net.widths=[16, 16]", "net.attention_heads=4", "net.embedding=8", "diffusion_vocoder.frames=8",
        "train.batch_size=4", "train.log_every=1", "train.measure_every=20", "train.warmup_steps=3",
        "distill.start_steps=4",
        "distill.updates=2", "distill.batch_size=4",
    ]  # fmt: skip
