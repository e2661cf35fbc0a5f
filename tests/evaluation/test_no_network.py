"""With no network at all, not even this machine's own: music is made, a model trained, and judged."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from halfstep.training.log import read_log

NOT_ALLOWED = 77


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="a process gives its network up on Linux alone")
def test_generate_train_and_evaluate(apart: Callable, model: Path, data: Path, command: Callable, tmp_path: Path):
    """In children that have left the network's namespace (unshare -n), and have made sure that nothing is reached."""
    out, made, report = tmp_path / "a.wav", tmp_path / "run", tmp_path / "report"
    small = ["--windows", "10", "--seams", "2", "--streams", "1", "--stream-seconds", "12", "--workers", "1"]
    for words in (
        ["generate", str(out), "--model", str(model), "--seconds", "1"],
        command(data, made, 2),
        ["evaluate", str(model), "--data", str(data), "--out", str(report), *small],
    ):
        code = apart(command=words, no_network=True)
        if code == NOT_ALLOWED:
            pytest.skip("this user may not leave the network (unshare)")
        assert code == 0, words[0]
    assert out.stat().st_size > 44100 // 2
    assert read_log(made)[-1]["step"] == 2
    assert (report / "report.json").exists()
