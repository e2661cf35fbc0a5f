"""What is run on a GPU that is there for minutes loads where little more than PyTorch is installed."""

import subprocess
import sys
from pathlib import Path

MODELS = Path(__file__).parents[2] / "recipes" / "models"
MISSING = """
import runpy, sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {absent}:
            raise ModuleNotFoundError(f"No module named {{name}}", name=name)
sys.meta_path.insert(0, Missing())
for recipe in sys.argv[1:]:
    sys.path.insert(0, recipe.rpartition("/")[0])  # as for a script
    runpy.run_path(recipe)
from halfstep.training.log import TrainingLog
from pathlib import Path
with TrainingLog(Path("run"), 0) as journal:
    journal.log(1, loss=2.0)
    journal.flush()
"""
ABSENT = (
    "beartype", "hypothesis", "jaxtyping", "librosa", "matplotlib", "onnx", "onnxruntime", "pyloudnorm", "pytest",
    "ray", "scipy", "sounddevice", "soxr", "starlette", "tensorboard", "threadpoolctl", "uvicorn", "websockets",
)  # fmt: skip


def test_the_trips_load_and_log_without_what_a_bare_machine_lacks(tmp_path: Path):
    recipes = [str(MODELS / name) for name in ("gpu_trip.py", "train_bands_vocoder.py")]
    command = [sys.executable, "-c", MISSING.format(absent=ABSENT), *recipes]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "log.jsonl").read_text() == '{"step": 1, "loss": 2.0}\n'
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["log.jsonl"]
