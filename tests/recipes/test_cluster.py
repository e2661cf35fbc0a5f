"""The recipes for many machines: each parses, says what it would start, and passes every word on as it was given."""

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

CLUSTER = Path(__file__).parents[2] / "recipes" / "cluster"
WORDS = ["--set", "net.widths=[8, 8]", "--steps", "5"]
pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")


def said(name: str, *words: str, **environment: str) -> list[list[str]]:
    """What it would start, a command a line, each in words."""
    done = subprocess.run(
        ["bash", CLUSTER / name, *words], capture_output=True, text=True, check=True,
        env={"PATH": "/usr/bin:/bin:/usr/local/bin", "DRY_RUN": "1", **environment},
    )  # fmt: skip
    return [shlex.split(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("path", sorted(CLUSTER.glob("*.sh")), ids=lambda path: path.name)
def test_each_parses_and_without_words_says_how_it_is_used(path: Path):
    assert subprocess.run(["bash", "-n", path]).returncode == 0
    bare = subprocess.run(["bash", path], capture_output=True, text=True)
    assert bare.returncode == 2
    assert bare.stderr.startswith("usage: ") or bare.stderr.startswith("usage: HOSTS")


def test_slurm_starts_one_launcher_a_machine():
    [command] = said("slurm.sh", "my data", "run", *WORDS, SLURM_JOB_NUM_NODES="3", SLURM_GPUS_ON_NODE="4")
    assert command[:2] == ["srun", "torchrun"]
    assert command[command.index("--nnodes") + 1] == "3"
    assert command[command.index("--nproc-per-node") + 1] == "4"
    assert command[command.index("-m") :] == ["-m", "halfstep", "train", "my data", "--out", "run", *WORDS]


def test_ssh_starts_a_launcher_on_every_host():
    commands = said("ssh.sh", "my data", "run", *WORDS, HOSTS="one two", PROCESSES="2")
    assert [command[:2] for command in commands] == [["ssh", "one"], ["ssh", "two"]]
    for rank, (_, _, there) in enumerate(commands):
        words = shlex.split(there)
        assert words[words.index("--node-rank") + 1] == str(rank)
        assert words[words.index("--master-addr") + 1] == "one"
        assert words[words.index("-m") :] == ["-m", "halfstep", "train", "my data", "--out", "run", *WORDS]


def test_the_container_has_no_network_and_a_data_set_that_it_cannot_change(tmp_path: Path):
    [command] = said("container.sh", str(tmp_path / "data"), str(tmp_path / "run"), *WORDS, GPUS="", ENGINE="docker")
    assert command[:2] == ["docker", "run"]
    assert command[command.index("--network") + 1] == "none"
    assert f"{tmp_path}/data:/data:ro" in command
    assert "--gpus" not in command
    assert command[command.index("-m") :] == ["-m", "halfstep", "train", "/data", "--out", "/run-folder", *WORDS]
    assert not (tmp_path / "run").exists()
