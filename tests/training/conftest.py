"""The words of a small training."""

from pathlib import Path

import pytest

TINY = [
    "net.widths=[16, 16]", "net.blocks=[1, 1]", "net.attention_heads=4", "net.embedding=8", "music.frames=24",
    "train.batch_size=4", "train.log_every=2", "train.measure_every=20", "train.warmup_steps=3",
]  # fmt: skip
"""The preset `tiny`, smaller."""


@pytest.fixture(scope="session")
def command():
    """command(data, run, steps=12) -> the words of a small `halfstep train`."""

    def words(data: Path, run: Path, steps: int = 12) -> list[str]:
        settings = [word for setting in TINY for word in ("--set", setting)]
        return ["train", str(data), "--out", str(run), "--preset", "tiny", "--steps", str(steps), *settings]

    return words
