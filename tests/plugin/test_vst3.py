"""The plugin is built, loaded by a host without a screen, and played: its samples are those of `halfstep generate`."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import halfstep

ROOT = Path(__file__).parents[2]
DPF = Path("/usr/share/dpf")
RATE = 8000
"""Of the tiny model: what the plugin plays is then not resampled."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not DPF.is_dir() or shutil.which("g++") is None, reason="needs g++ and DPF (dpf-source)"),
    pytest.mark.skipif(sys.platform != "linux", reason="the Makefile knows Linux's names"),
]


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Iterator[Any]:
    """In its host; without optimisation, which takes longest."""
    host = pytest.importorskip("pedalboard", reason="needs a host of plugins")
    # It asks each parameter for a thousand values; DPF gives a host one for every controller of every channel.
    host._pedalboard.PARAMETER_NAME_REGEXES_TO_IGNORE.add(re.compile("MIDI Ch"))
    folder = tmp_path_factory.mktemp("plugin")
    command = folder / "halfstep"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m halfstep "$@"\n')
    command.chmod(0o755)
    binary = folder / f"halfstep.vst3/Contents/{os.uname().machine}-linux/halfstep.so"
    make = ["make", "-s", "-C", ROOT / "plugin", f"OUT={folder}", "CXXFLAGS=-O0 -Wall", binary]
    subprocess.run(make, check=True, capture_output=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HALFSTEP_COMMAND", str(command))
        patch.setenv("HALFSTEP_MODEL", str(tiny_model))
        yield host.load_plugin(str(folder / "halfstep.vst3"))


def note(on: bool, key: int, seconds: float) -> tuple[bytes, float]:
    return bytes([0x90 if on else 0x80, key, 100]), seconds


def played(plugin: Any, notes: list[tuple[bytes, float]], seconds: float) -> np.ndarray:
    """As it goes on: a host that begins anew makes a new instance of it, whose process takes a second to start."""
    sound = plugin(notes, duration=seconds, sample_rate=RATE, num_channels=2, buffer_size=300, reset=False)
    np.testing.assert_array_equal(sound[0], sound[1])
    return sound[0]


def test_a_key_plays_the_piece_of_its_seed_sample_for_sample(plugin: Any, tiny_model: Path):
    """Pressed at .25 s, let go at 1.25 s, and gone a hundredth of a second later; a block's bounds do not matter."""
    assert plugin.is_instrument and set(plugin.parameters) == {"seed", "variation", "gain_db", "hold", "wait"}
    played(plugin, [note(False, 60, 0)], 0.1)  # the host tried that key
    plugin.wait, plugin.seed = True, 5
    sound = played(plugin, [note(True, 62, 0.25), note(False, 62, 1.25)], 1.5)
    assert not sound[:2000].any() and not sound[10080:].any()
    np.testing.assert_array_equal(sound[2000:10000], halfstep.load(tiny_model).generate(1, seed=7).samples[0])


def test_hold_plays_without_a_key_and_gain_and_variation_are_heard(plugin: Any, tiny_model: Path):
    plugin.wait, plugin.seed, plugin.variation, plugin.gain_db, plugin.hold = True, 0, 0.3, -6.0, True
    piece = halfstep.load(tiny_model).generate(1, seed=0, variation=0.3).samples[0]
    np.testing.assert_allclose(played(plugin, [], 1), piece * 10 ** (-6 / 20), atol=1e-6)
    plugin.hold = False
    assert not played(plugin, [], 0.1)[80:].any()


def test_a_host_that_does_not_wait_gets_silence_and_no_error(plugin: Any):
    """What is asked for in no time is not there yet."""
    plugin.wait, plugin.hold, plugin.seed = False, True, 9
    assert not played(plugin, [], 0.1).any()
    plugin.hold = False
