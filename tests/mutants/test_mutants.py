"""Of a small file with tests that miss something, what survives is what they miss."""

import json
import subprocess
import sys
from pathlib import Path

SOURCE = '''"""A toy."""

SCALE = 2.0


def held(x: float, top: float = 1.0) -> float:
    if x < 0:
        raise ValueError("below 0")
    return SCALE * min(x, top)


def never(x: int) -> int:
    return x - 1
'''
TESTS = """from toy.held import held


def test_held():
    assert held(0.5) == 1.0
    assert held(3.0) == 2.0
"""


def run(root: Path, *options: str) -> subprocess.CompletedProcess[str]:
    script = Path(__file__).parent
    command = [sys.executable, script, root / "src/toy/held.py", "--root", root, "--load", "pytest", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_what_no_test_notices_survives_and_is_not_run_again(tmp_path: Path):
    (tmp_path / "src/toy").mkdir(parents=True)
    (tmp_path / "tests").mkdir()
    (tmp_path / "src/toy/held.py").write_text(SOURCE)
    (tmp_path / "tests/test_held.py").write_text(TESTS)
    out = tmp_path / "out.jsonl"
    first = run(tmp_path, "--out", str(out))
    assert first.returncode == 1, first.stderr
    assert first.stdout.splitlines() == [
        "src/toy/held.py:7 comparison: x < 0 -> (x <= 0)",
        'src/toy/held.py:8 statement: raise ValueError("below 0") -> pass',
        "src/toy/held.py:13 operator: x - 1 -> (x + 1) (not called)",
        "src/toy/held.py:13 constant: 1 -> 2 (not called)",
        "src/toy/held.py: 11 mutants, 7 killed, 2 not called, 2 survived",
    ]
    verdicts = out.read_text()
    assert len([json.loads(line) for line in verdicts.splitlines()]) == 11
    assert (tmp_path / "src/toy/held.py").read_text() == SOURCE
    assert run(tmp_path, "--out", str(out)).stdout == first.stdout.splitlines()[-1] + "\n"
    assert out.read_text() == verdicts

    hurried = run(tmp_path, "--minutes", "0")
    assert hurried.stdout.splitlines()[-1].endswith("11 mutants, 10 not run, 1 survived"), hurried.stdout

    (tmp_path / "tests/test_held.py").write_text(TESTS.replace("held(0.5)", "held(0.25)"))
    unchanged = run(tmp_path)
    assert unchanged.returncode == 2
    assert "fail without a change: tests/test_held.py::test_held" in unchanged.stderr
