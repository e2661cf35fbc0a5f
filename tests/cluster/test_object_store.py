"""Prepared, trained, exported and played in an S3 store; `make cluster-test` runs it."""

from collections.abc import Callable
from pathlib import Path

import pytest

import halfstep
from halfstep.app.cli import run
from halfstep.audio.files.writing import write
from halfstep.data.synthetic import piece

pytestmark = pytest.mark.slow


def test_the_whole_path_in_a_bucket_is_that_in_folders(
    bucket: str, tmp_path: Path, command: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HALFSTEP_CACHE", str(tmp_path / "cache"))
    (tmp_path / "music").mkdir()
    for seed in range(3):
        write(tmp_path / "music" / f"{seed}.wav", [piece(5, seed)], 44100, {})
    import s3fs  # pyright: ignore[reportMissingImports]

    for root in (bucket, str(tmp_path)):
        prepared = ["prepare", str(tmp_path / "music"), "--out", f"{root}/data", "--preset", "tiny", "--workers", "1"]
        assert run(prepared) == 0
        assert run(command(f"{root}/data", f"{root}/run", steps=2)) == 0
        assert run(command(f"{root}/data", f"{root}/run", steps=4)) == 0, "from the checkpoint there"
        assert run(["export", f"{root}/run", "--out", f"{root}/model"]) == 0
    store = s3fs.S3FileSystem()
    for name in ("data/dataset.json", "run/teacher.safetensors"):
        assert store.cat_file(f"{bucket}/{name}") == (tmp_path / name).read_bytes()
    there, here = halfstep.load(f"{bucket}/model"), halfstep.load(tmp_path / "model")
    assert (there.generate(1, seed=3).samples == here.generate(1, seed=3).samples).all()
