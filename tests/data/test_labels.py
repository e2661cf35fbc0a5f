"""What recordings are labelled with: by folders, tags and lists; and the data set that says so."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import soundfile

from halfstep.data.dataset import FORMAT, MANIFEST_NAME, PLAIN_FORMAT, Library
from halfstep.data.labels import LabelSource, by_folder, by_list
from halfstep.data.preparing import PrepareConfig, prepare
from halfstep.errors import InputError


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        (["music/piano/a.ogg", "music/horn/b.ogg"], {"music/piano/a.ogg": "piano", "music/horn/b.ogg": "horn"}),
        (["piano/cd 1/a.ogg", "strings/b.ogg"], {"piano/cd 1/a.ogg": "piano", "strings/b.ogg": "strings"}),
        (["music/a.ogg", "music/x/b.ogg"], {"music/x/b.ogg": "x"}),
        (["music/a,b/c.ogg", "music/d..e/f.ogg"], {"music/a,b/c.ogg": "a-b", "music/d..e/f.ogg": "d-e"}),
        (["music/x/a.ogg", "music/x/b.ogg"], {}), (["x/a.ogg"], {}), ([], {}),
    ],
)  # fmt: skip
def test_folders_label_where_the_names_part(names: list[str], labels: dict[str, str]):
    assert by_folder(names) == {name: (label,) for name, label in labels.items()}


def test_a_list_labels_by_the_longest_end_of_a_name(tmp_path: Path):
    file = tmp_path / "kinds.json"
    file.write_text(json.dumps({"a.ogg": "calm", "x/a.ogg": ["loud", "fast", "loud"], "c.ogg": " "}))
    assert by_list(["m/x/a.ogg", "m/y/a.ogg", "m/c.ogg", "m/d.ogg"], file) == {
        "m/x/a.ogg": ("loud", "fast"), "m/y/a.ogg": ("calm",)
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [("[]", "expected an object"), ('{"a.ogg": 3}', "a label, or a list"), ('{"b.ogg": "x"}', "names none of the")],
)
def test_a_list_that_is_none_is_refused(text: str, said: str, tmp_path: Path):
    (tmp_path / "kinds.json").write_text(text)
    with pytest.raises(InputError, match=said):
        by_list(["a.ogg"], tmp_path / "kinds.json")


@pytest.mark.parametrize(
    "text", ["style", "Style=folders", "seed=folders", "style=", "=folders", "style=/no/such.json"]
)
def test_a_source_that_is_none_is_refused(text: str):
    with pytest.raises(InputError, match="label"):
        LabelSource.parsed(text).of([], {})


def test_a_data_set_keeps_its_labels_and_one_without_is_of_the_old_format(
    tmp_path: Path, write_song: Callable[..., Path], small_config: PrepareConfig
):
    for seed, folder in enumerate(("piano", "piano", "strings", "strings")):
        (tmp_path / "songs" / folder).mkdir(parents=True, exist_ok=True)
        path = tmp_path / "songs" / folder / f"{seed}.flac"
        write_song(path, seed)
        with soundfile.SoundFile(path, "r") as file:
            sound = file.read()
        with soundfile.SoundFile(path, "w", 8000, 1) as file:
            if seed:
                file.genre = "Calm; Slow"
            file.write(sound)
    sources, data = [tmp_path / "songs"], tmp_path / "data"
    prepare(sources, data, small_config, 1)
    plain = (data / MANIFEST_NAME).read_bytes()
    assert json.loads(plain)["format"] == PLAIN_FORMAT

    labels = (LabelSource.parsed("style=folders"), LabelSource.parsed("mood=tags"))
    prepare(sources, data, replace(small_config, labels=labels), 1)
    assert json.loads((data / MANIFEST_NAME).read_bytes())["format"] == FORMAT
    library = Library(data)
    assert {track.labels["style"][0] for track in library.tracks} == {"piano", "strings"}
    moods = {track.source: track.labels.get("mood") for track in library.tracks}
    assert moods["songs/piano/0.flac"] is None
    assert moods["songs/strings/3.flac"] == ("Calm", "Slow")
    assert library.labels("mood") == ("Calm", "Slow")

    prepare(sources, data, small_config, 1)
    assert (data / MANIFEST_NAME).read_bytes() == plain
    with pytest.raises(InputError, match=r"labels none of 2 recordings"):
        prepare([tmp_path / "songs" / "piano"], data, replace(small_config, labels=labels[:1]), 1)


@pytest.mark.parametrize("labels", [{"Style": ["a"]}, {"style": []}, {"style": "a"}, {"style": [1]}, []])
def test_labels_of_another_make_are_refused(labels: object, tmp_path: Path, write_library: Callable[..., Path]):
    path = write_library(tmp_path / "data", styles=("a", "b")) / MANIFEST_NAME
    manifest = json.loads(path.read_bytes())
    manifest["tracks"][0]["labels"] = labels
    path.write_text(json.dumps(manifest))
    with pytest.raises(InputError, match="labels"):
        Library(path.parent)
