import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from halfstep.data.dataset import Library
from halfstep.errors import InputError


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "no prepared data set; make one with halfstep prepare"),
        ("{", "not readable as JSON"),
        ("[]", "is \\[\\], expected an object"),
        ("{}", "format is missing"),
        ('{"format": 3}', "format is 3, this halfstep reads 2; update halfstep"),
    ],
)
def test_what_is_no_data_set_is_refused_by_name(tmp_path, content, reason):
    if content is not None:
        (tmp_path / "dataset.json").write_text(content)
    with pytest.raises(InputError, match=reason) as caught:
        Library(tmp_path)
    assert str(tmp_path) in str(caught.value)


def spoil(data: Path, change: Callable[[dict], object]) -> None:
    facts = json.loads((data / "dataset.json").read_text())
    change(facts)
    (data / "dataset.json").write_text(json.dumps(facts))


def of_the_first_track(**values: object) -> Callable[[dict], object]:
    return lambda facts: facts["tracks"][0].update(values)


HOSTILE = [
    *[
        (of_the_first_track(file=file), "file is")
        for file in (
            "/dev/zero",
            "../outside.npy",
            "tracks/../../x.npy",
            "tracks/x/y.npy",
            None,
            7,
            "tracks/.hidden.npy",
            "tracks/\x1b]0;PWNED\x07.npy",
            "C:\\x.npy",
        )
    ],
    *[(of_the_first_track(frames=frames), "frames is") for frames in ("x", 0, -1, 1.5, True, 10**15, None)],
    *[(of_the_first_track(trimmed_seconds=value), "trimmed_seconds") for value in ([1], None, [0, "x"], [-1, 0])],
    *[(of_the_first_track(split=value), "split is") for value in ("test", None, [])],
    *[(of_the_first_track(**{name: None}), f"{name} is None") for name in ("id", "source", "group", "seconds")],
    (of_the_first_track(surprise=1), "unknown 'surprise'"),
    (lambda facts: facts.pop("mel"), "mel is missing"),
    (lambda facts: facts.pop("tracks"), "tracks is missing"),
    (lambda facts: facts.update(tracks={}), "tracks is"),
    (lambda facts: facts.update(stores="dreams"), "stores is 'dreams'"),
    (lambda facts: facts["mel"].update(n_fft="2048"), "n_fft is '2048'"),
    (lambda facts: facts["mel"].update(n_fft=10**9), "n_fft is 1000000000"),
    (lambda facts: facts["mel"].update(hop_length=3), "hop_length"),
    (lambda facts: facts["bands"].update(mean=[0.0]), "mean has 1 values, expected 128"),
    (lambda facts: facts["bands"].update(std=[-1.0] * 128), r"std\[0\] is -1.0"),
    (lambda facts: facts["bands"].update(mean=[10**18] * 128), r"mean\[0\] is"),
]


@pytest.mark.parametrize(("change", "said"), HOSTILE)
def test_every_wrong_value_is_named(tmp_path: Path, write_library, change: Callable, said: str):
    data = write_library(tmp_path / "data", (30,), (30,))
    spoil(data, change)
    with pytest.raises(InputError, match=rf"dataset.json: .*{said}.*; (prepare again|a newer)") as caught:
        Library(data)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[" * 100_000 + "]" * 100_000, "not readable as JSON"),
        ('{"a":' * 65 + "1" + "}" * 65, "nested deeper than 64 levels"),
        ('{"format": ' + "9" * 400 + "}", "too large"),
        ('{"format": NaN}', "no JSON number"),
        ('{"format": 1, "format": 1}', "a name occurs twice"),
        ("[" + "0," * 5_000_000 + "0]", "more than 4000000 values"),
    ],
)
def test_bombs_of_json_are_refused(tmp_path: Path, text: str, said: str):
    (tmp_path / "dataset.json").write_text(text)
    with pytest.raises(InputError, match=said):
        Library(tmp_path)


@pytest.mark.timeout(20)
def test_what_is_no_file_is_not_waited_for(tmp_path: Path, write_library):
    data = write_library(tmp_path / "data", (30,), (30,))
    library = Library(data)
    track = library.tracks[0]
    (data / track.file).unlink()
    os.mkfifo(data / track.file)
    with pytest.raises(InputError, match="FIFO"):
        library.array(track)
    (data / "dataset.json").unlink()
    os.mkfifo(data / "dataset.json")
    with pytest.raises(InputError, match="FIFO"):
        Library(data)


def pickled() -> np.ndarray:
    return np.array([[print]], dtype=object)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (np.zeros((30, 128)), "declared float16"),
        (np.zeros((29, 128), np.float16), "declared"),
        (np.zeros((30, 127), np.float16), "declared"),
        (np.zeros(30, np.float16), "declared"),
        (pickled(), "not a track"),
    ],
)
def test_a_track_that_is_not_what_was_declared_is_named(tmp_path: Path, write_library, content, said):
    library = Library(write_library(tmp_path / "data", (30,), (30,)))
    track = library.tracks[0]
    np.save(library.path / track.file, content, allow_pickle=True)
    with pytest.raises(InputError, match=f"{track.file}: .*{said}.*; prepare again"):
        library.array(track)


def test_a_track_may_not_lead_out_of_the_data_set(tmp_path: Path, write_library):
    library = Library(write_library(tmp_path / "data", (30,), (30,)))
    track = library.tracks[0]
    (library.path / track.file).rename(tmp_path / "outside.npy")
    (library.path / track.file).symlink_to(tmp_path / "outside.npy")
    with pytest.raises(InputError, match="leads out of the data set"):
        library.array(track)


def test_a_track_is_there_once(tmp_path: Path, write_library):
    """Else it could be learned from and held out at once."""
    data = write_library(tmp_path / "data", (30,), (30,))
    spoil(data, lambda facts: facts["tracks"].append(facts["tracks"][0] | {"split": "heldout"}))
    with pytest.raises(InputError, match=r"dataset.json: has the track 0{16} 2 times; prepare again"):
        Library(data)


def test_a_track_may_be_a_part_of_its_file(tmp_path: Path, write_library):
    data = write_library(tmp_path / "data", (30,), (30,))
    whole = np.load(data / "tracks/0.npy")
    spoil(data, of_the_first_track(first_frame=20, frames=10))
    library = Library(data)
    np.testing.assert_array_equal(library.array(library.tracks[0]), whole[20:])
