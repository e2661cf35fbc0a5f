"""Nothing is sent anywhere, and nothing written but where the user said: with a home that is empty, without a network,
and with every call to the system looked at.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import halfstep

SOURCE = Path(halfstep.__file__).parent.parent
HARMLESS = ("/dev/null", "/dev/tty", "/dev/shm/")
"""Not files: what is written there is nowhere."""
MAKING_SOUND = """
import sys
from halfstep.app.cli import run
model, out = sys.argv[1:]
assert run(["generate", out + "/a.wav", "--model", model, "--seconds", "1", "--plot"]) == 0
import halfstep
halfstep.load(model).generate(1).save(out + "/b.flac")
"""
DRAWING = """
import sys
from pathlib import Path
import numpy as np
from halfstep.training.drawing import draw_rows
draw_rows(Path(sys.argv[2]) / "rows.png", {"a": np.zeros((1, 8, 8))})
"""
CALLS = "socket,connect,sendto,open,openat,creat,mkdir,mkdirat,rename,renameat,renameat2,unlink,unlinkat,symlink,link"


def environment(home: Path) -> dict[str, str]:
    """This one's, as a new user has it; bytecode is the interpreter's own affair."""
    left_out = ("ORT_DISABLE_TELEMETRY", "MPLCONFIGDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")
    kept = {name: value for name, value in os.environ.items() if name not in left_out}
    return kept | {"HOME": str(home), "PYTHONPATH": str(SOURCE), "PYTHONDONTWRITEBYTECODE": "1"}


@pytest.mark.parametrize("code", [MAKING_SOUND, DRAWING], ids=["making sound", "drawing"])
def test_the_home_folder_stays_empty(code: str, tiny_model: Path, tmp_path: Path):
    home, out = tmp_path / "home", tmp_path / "out"
    home.mkdir()
    out.mkdir()
    words = [sys.executable, "-c", code, str(tiny_model), str(out)]
    done = subprocess.run(words, env=environment(home), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert list(home.rglob("*")) == []
    assert list(out.iterdir())


def test_no_socket_is_opened_and_nothing_written_but_beside_out(tiny_model: Path, tmp_path: Path):
    watched = ["unshare", "-n", "strace", "-f", "-e", f"trace={CALLS}", "-o", str(tmp_path / "calls")]
    if not (shutil.which("strace") and shutil.which("unshare")) or subprocess.run([*watched, "true"]).returncode:
        pytest.skip("strace or unshare -n is not allowed here")
    home, out = tmp_path / "home", tmp_path / "out"
    home.mkdir()
    out.mkdir()
    words = [*watched, sys.executable, "-c", MAKING_SOUND, str(tiny_model), str(out)]
    done = subprocess.run(words, env=environment(home), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    calls = (tmp_path / "calls").read_text(encoding="utf-8", errors="replace").splitlines()
    assert any("a.wav" in call for call in calls)
    assert [call for call in calls if re.search(r"\b(socket|connect|sendto)\(", call)] == []
    changing = [call for call in calls if not re.search(r"\bopen(at)?\(.*O_RDONLY", call) and "= -1" not in call]
    elsewhere = [path for call in changing for path in re.findall(r'"([^"]+)"', call) if not path.startswith(str(out))]
    assert [path for path in elsewhere if not path.startswith(HARMLESS)] == []
