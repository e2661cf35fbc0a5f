"""A small mel, so that a track of a second is long, and sounds to prepare."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import soundfile

from halfstep.audio.mel import MelConfig
from halfstep.data.decode import DecodeConfig
from halfstep.data.preparing import PrepareConfig
from halfstep.data.supervisor import _environment
from halfstep.data.synthetic import piece

RATE = 8000


SCRIPT = """
import json, re, resource, sys
from pathlib import Path
from halfstep.audio.mel import MelConfig
from halfstep.data.decode import DecodeConfig
from halfstep.data.preparing import PrepareConfig, prepare
decode = json.loads(sys.argv[3])
decode["mel"] = MelConfig(**decode["mel"])
config = PrepareConfig(decode=DecodeConfig(**decode), heldout_share=0.3)
prepare([Path(sys.argv[1])], Path(sys.argv[2]), config, 2)
# Its own peak as the kernel notes it: getrusage(RUSAGE_SELF) still counts the process it was forked from.
own = int(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1])
print(max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
"""


def _start(songs: Path, data: Path, config: PrepareConfig) -> subprocess.Popen[bytes]:
    settings = json.dumps(asdict(config.decode))
    command = [sys.executable, "-c", SCRIPT, str(songs), str(data), settings]
    return subprocess.Popen(command, env=_environment(), stdout=subprocess.PIPE)


@pytest.fixture(scope="session")
def start_prepare() -> Callable[[Path, Path, PrepareConfig], subprocess.Popen[bytes]]:
    """start_prepare(songs, data, config): a process of `prepare` that prints its peak memory in kilobytes."""
    return _start


@pytest.fixture(scope="session")
def small_mel() -> MelConfig:
    return MelConfig(sample_rate=RATE, n_fft=256, hop_length=64, n_mels=24)


@pytest.fixture(scope="session")
def small_config(small_mel: MelConfig) -> PrepareConfig:
    """Windows of a quarter of a second."""
    return PrepareConfig(decode=DecodeConfig(mel=small_mel, min_frames=32), heldout_share=0.3, hang_seconds=20)


@pytest.fixture(scope="session")
def song() -> Callable[..., np.ndarray]:
    """song(seed, seconds=2.0): samples [n] at 8 kHz."""

    def make(seed: int, seconds: float = 2.0) -> np.ndarray:
        return piece(seconds, seed, RATE)[0]

    return make


@pytest.fixture(scope="session")
def write_song(song: Callable[..., np.ndarray]) -> Callable[..., Path]:
    """write_song(path, seed, seconds=2.0): a sound file in the format that its extension says."""

    def write(path: Path, seed: int, seconds: float = 2.0) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, song(seed, seconds), RATE)
        return path

    return write


@pytest.fixture
def songs(tmp_path: Path, write_song: Callable[..., Path]) -> Path:
    """A folder of five songs of two seconds."""
    for seed in range(5):
        write_song(tmp_path / "songs" / f"song-{seed}.flac", seed)
    return tmp_path / "songs"


@pytest.fixture(scope="session")
def contents() -> Callable[[Path], dict[str, bytes]]:
    """Every file below a folder, by its name there."""

    def read(folder: Path) -> dict[str, bytes]:
        files = (path for path in sorted(folder.rglob("*")) if path.is_file())
        return {str(path.relative_to(folder)): path.read_bytes() for path in files}

    return read
