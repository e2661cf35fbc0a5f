"""Data sets, runs, reports and models at an address: the same bytes as in folders, whole or absent."""

import json
from collections.abc import Callable, Generator
from pathlib import Path

import fsspec
import numpy as np
import pytest

from halfstep.app.cli import run
from halfstep.app.mirror import Mirror, at_hand
from halfstep.data.dataset import Library
from halfstep.data.windows import Windows
from halfstep.errors import InputError


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Generator[fsspec.AbstractFileSystem, None, None]:
    """An object store in this process's memory."""
    monkeypatch.setenv("HALFSTEP_CACHE", str(tmp_path / "cache"))
    system = fsspec.filesystem("memory")
    yield system
    system.store.clear()


def put(system: fsspec.AbstractFileSystem, folder: Path, to: str) -> None:
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        system.pipe_file(f"{to}/{path.relative_to(folder).as_posix()}", path.read_bytes())


def test_far_windows_are_those_of_the_disk_and_nothing_is_kept(
    store: fsspec.AbstractFileSystem, library: Path, tmp_path: Path
):
    put(store, library, "/bucket/data")
    near, far = (Windows(Library(at), "train", 24, seed=3) for at in (library, "memory://bucket/data"))
    for k in range(3):
        np.testing.assert_array_equal(near.batch(k, 5)[0], far.batch(k, 5)[0])
    np.testing.assert_array_equal(near.evenly(4), far.evenly(4))
    assert near.count == far.count
    assert not (tmp_path / "cache").exists()
    track = store.ls("/bucket/data/tracks", detail=False)[0]
    store.pipe_file(track, store.cat_file(track)[:-2])
    with pytest.raises(InputError, match="declared"):
        for split in ("train", "heldout"):
            Windows(Library("memory://bucket/data"), split, 24)
    with pytest.raises(InputError, match="cannot be read"):
        Library("memory://bucket/nothing")


def test_what_changes_goes_there_and_comes_back_the_file_that_vouches_last(
    store: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch
):
    order: list[str] = []
    put_file = type(store).put_file
    monkeypatch.setattr(
        type(store), "put_file", lambda self, here, there, **more: (order.append(there), put_file(self, here, there))
    )
    with pytest.raises(KeyboardInterrupt), at_hand("memory://bucket/run") as folder:
        (folder / "checkpoints").mkdir()
        for name in ("teacher.json", "checkpoints/step-1.json", "checkpoints/step-1.safetensors", "lock"):
            (folder / name).write_text(name)
        raise KeyboardInterrupt
    assert [name.removeprefix("/bucket/run/") for name in order] == [
        "checkpoints/step-1.safetensors", "checkpoints/step-1.json", "teacher.json",
    ]  # fmt: skip
    order.clear()
    (folder / "teacher.json").write_text("only here, so not true")
    (folder / "stray").write_text("")
    store.pipe_file("/bucket/run/more", b"from elsewhere")
    with at_hand("memory://bucket/run") as folder:
        assert (folder / "teacher.json").read_text() == "teacher.json"
        assert (folder / "more").read_bytes() == b"from elsewhere"
        assert not (folder / "stray").exists()
        (folder / "more").unlink()
        (folder / "teacher.json").write_text("newer")
    assert order == ["/bucket/run/teacher.json"]
    assert not store.exists("/bucket/run/more")
    with at_hand("memory://bucket/run"):
        pass
    assert len(order) == 1, "what did not change is not sent again"


def away(*_: object, **__: object) -> None:
    raise OSError("the network is down")


def test_what_could_not_be_sent_is_kept_and_goes_there_first(
    store: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch
):
    with at_hand("memory://bucket/run") as folder:
        (folder / "step-1").write_text("one")
    with monkeypatch.context() as patch:
        patch.setattr(type(store), "put_file", away)
        with (
            pytest.raises(InputError, match="network is down.*kept here, and the same command sends it"),
            at_hand("memory://bucket/run") as folder,
        ):
            (folder / "step-2").write_text("two")
    assert not store.exists("/bucket/run/step-2")
    with at_hand("memory://bucket/run") as folder:
        assert (folder / "step-2").read_text() == "two"
    assert store.cat_file("/bucket/run/step-2") == b"two"


def test_what_could_not_be_sent_gives_way_to_what_came_from_elsewhere(
    store: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    with at_hand("memory://bucket/run") as folder:
        (folder / "step-1").write_text("one")
    with monkeypatch.context() as patch:
        patch.setattr(type(store), "put_file", away)
        with pytest.raises(InputError), at_hand("memory://bucket/run") as folder:
            (folder / "step-2").write_text("two")
    store.pipe_file("/bucket/run/step-3", b"three")
    with at_hand("memory://bucket/run") as folder:
        assert sorted(path.name for path in folder.iterdir()) == ["step-1", "step-3"]
    assert "changed from elsewhere" in caplog.text


def test_a_name_that_leads_out_is_refused(
    store: fsspec.AbstractFileSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    mirror = Mirror("memory://bucket/run")
    monkeypatch.setattr(type(store), "find", lambda self, root, detail: {f"{root}/../../escaped": {"size": 1}})
    with pytest.raises(InputError, match="leads out"):
        mirror.fetch()
    assert not list(tmp_path.rglob("escaped"))


def test_a_store_that_is_away_is_one_line(capsys: pytest.CaptureFixture[str], store: fsspec.AbstractFileSystem):
    assert run(["train", "nowhere://bucket/data", "--out", "memory://bucket/run", "--preset", "tiny"]) == 2
    assert "nowhere://bucket/data" in capsys.readouterr().err


def test_trained_and_exported_there_it_is_what_it_is_here(
    store: fsspec.AbstractFileSystem, library: Path, tmp_path: Path, command: Callable[..., list[str]]
):
    put(store, library, "/bucket/data")
    for root, at in (("memory://bucket/", "memory://bucket/data"), (f"{tmp_path}/", str(library))):
        assert run(command(at, f"{root}run", steps=2)) == 0
    weights = {
        "here": (tmp_path / "run" / "teacher.safetensors").read_bytes(),
        "there": store.cat_file("/bucket/run/teacher.safetensors"),
    }
    assert weights["here"] == weights["there"]
    assert json.loads(store.cat_file("/bucket/run/config.json"))["data"] == "memory://bucket/data"
