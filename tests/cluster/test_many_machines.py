"""Many machines give the bytes of one, whether all of them live or not; `make cluster-test` runs it."""

import json
import tracemalloc
from functools import partial
from pathlib import Path

import pytest

from halfstep.app.cli import run
from halfstep.app.generate.generating import generate_files
from halfstep.audio.files.writing import write
from halfstep.cluster.ray_cluster import AHEAD, Cluster
from halfstep.cluster.recordings import run_jobs_on
from halfstep.data.decode import DecodeConfig
from halfstep.data.preparing import PrepareConfig, Progress, prepare
from halfstep.data.synthetic import piece
from halfstep.errors import InputError
from halfstep.generation.requests import request_for

pytestmark = pytest.mark.slow


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_prepare_gives_the_same_bytes_though_a_machine_is_lost(machines, tmp_path: Path):
    music = tmp_path / "music"
    music.mkdir()
    for seed in range(4):
        write(music / f"{seed}.wav", [piece(2, seed)], 44100, {})
    (music / "broken.wav").write_bytes(b"RIFF, and no more")
    config = PrepareConfig(decode=DecodeConfig(min_frames=24))
    alone = prepare([music], tmp_path / "alone", config, 1)
    lost: list[str] = []

    def lose(progress: Progress) -> None:
        if progress.stage == "decoding" and progress.files_done == 1 and not lost:
            lost.append("the second machine")
            machines.lose()

    with Cluster(machines.address) as cluster:
        assert cluster.processors == 2
        there = prepare([music], tmp_path / "ray", config, 1, lose, partial(run_jobs_on, cluster))
    machines.find()
    assert lost and there == alone
    assert content(tmp_path / "ray") == content(tmp_path / "alone")


def test_pieces_are_those_of_one_machine(machines, tiny_model: Path, tmp_path: Path):
    asked = request_for(seconds=0.5, seed=3)
    for name in ("alone", "ray"):
        (tmp_path / name).mkdir()
    generate_files(tmp_path / "alone" / "o.flac", asked, model=str(tiny_model), count=5, plot=True)
    with Cluster(machines.address) as cluster:
        generate_files(tmp_path / "ray" / "o.flac", asked, model=str(tiny_model), count=5, plot=True, cluster=cluster)
    assert len(content(tmp_path / "alone")) == 10
    assert content(tmp_path / "ray") == content(tmp_path / "alone")


def refusing(number: int) -> int:
    raise InputError(f"{number}: not this one")


def large(number: int) -> bytes:
    return bytes(1 << 18)


def test_what_a_machine_refuses_is_refused_here_and_memory_stays_flat(machines):
    with Cluster(machines.address) as cluster:
        with pytest.raises(InputError, match="0: not this one"):
            list(cluster.answers(refusing, range(1)))
        given: list[int] = []
        tracemalloc.start()
        for done, (_, answer) in enumerate(cluster.answers(large, (given.append(k) or k for k in range(120))), 1):
            assert len(answer) == 1 << 18
            assert len(given) - done < AHEAD * cluster.processors, "no more is given out than there is room for"
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 8 << 20, "of the 30 MB that came"


def test_an_evaluation_is_that_of_one_machine(machines, tmp_path: Path, evaluated):
    data, model = evaluated
    words = [
        "evaluate",
        str(model),
        "--data",
        str(data),
        "--windows",
        "10",
        "--seams",
        "0",
        "--streams",
        "0",
        "--quiet",
    ]
    assert run([*words, "--out", str(tmp_path / "alone")]) == 0
    assert run([*words, "--out", str(tmp_path / "ray"), "--ray", machines.address]) == 0
    reports = [json.loads((tmp_path / name / "report.json").read_text()) for name in ("alone", "ray")]
    assert reports[0] == reports[1]
    assert len(reports[0]["rows"]) > 3


def test_an_address_where_nothing_answers_is_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    words = ["generate", str(tmp_path / "o.wav"), "--seconds", "1", "--ray", "127.0.0.1:1"]
    assert run(words) == 2
    assert "--ray 127.0.0.1:1" in capsys.readouterr().err
