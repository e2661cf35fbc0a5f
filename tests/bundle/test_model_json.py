"""model.json: whole ones come back equal, every hostile one is refused with the value shown."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halfstep.bundle import Manifest, read_manifest, write_manifest
from halfstep.bundle.model_json import parse_manifest
from halfstep.diffusion.process import Process
from halfstep.errors import InputError


@pytest.fixture
def members(tiny_model: Path) -> dict[str, Any]:
    return json.loads((tiny_model / "model.json").read_text())


def put(members: dict[str, Any], path: str, value: object) -> None:
    """Set the member at a dotted path such as denoisers.0.steps."""
    *parents, last = [int(part) if part.isdigit() else part for part in path.split("/")]
    place: Any = members
    for part in parents:
        place = place[part]
    place[last] = value


def test_written_and_read_again_is_equal(tmp_path: Path, tiny_manifest: Manifest):
    for denoiser in tiny_manifest.denoisers:
        (tmp_path / denoiser.file).write_bytes(b"x" * denoiser.steps)
    written = write_manifest(tmp_path, tiny_manifest)
    assert read_manifest(tmp_path) == written
    assert {name: entry.bytes for name, entry in written.files.items()} == {
        "denoiser-1.onnx": 1,
        "denoiser-4.onnx": 4,
    }


def test_writing_again_gives_the_same_bytes(tmp_path: Path, tiny_model: Path):
    before = (tiny_model / "model.json").read_bytes()
    write_manifest(tiny_model, read_manifest(tiny_model))
    assert (tiny_model / "model.json").read_bytes() == before


def test_what_could_not_be_read_again_is_not_written(tmp_path: Path, tiny_manifest: Manifest):
    with pytest.raises(ValueError, match=r"files is \[\], expected a table with denoiser-4\.onnx"):
        write_manifest(tmp_path, tiny_manifest)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("path", "value", "shown"),
    [
        ("format", 2, "format is 2, this halfstep reads 1; update halfstep"),
        ("id", "../../etc", r"id is '../../etc', expected a plain file name"),
        ("id", "a\x1b[2J", r"id is 'a\x1b[2J', expected a plain file name"),
        ("description", "\x1b]0;x\x07", r"description is '\x1b]0;x\x07', expected printable text"),
        ("denoisers/0/steps", 10**9, "steps is 1000000000, expected a whole number from 1 to 4096"),
        ("denoisers/0/steps", True, "steps is True, expected"),
        ("denoisers/0/steps", 4.0, "steps is 4.0, expected"),
        (
            "denoisers/0/steps",
            1,
            "denoisers is [1, 1], expected at least one, each with its own number of steps",
        ),
        (
            "denoisers/0/file",
            "../denoiser-4.onnx",
            "file is '../denoiser-4.onnx', expected a plain file name",
        ),
        ("denoisers/0/file", "/etc/passwd", "file is '/etc/passwd', expected"),
        ("denoisers/0/file", "..", "file is '..', expected"),
        ("denoisers/0/file", "a\\b.onnx", r"file is 'a\\b.onnx', expected"),
        ("denoisers/0/file", "nul\0.onnx", r"file is 'nul\x00.onnx', expected"),
        ("denoisers/0/file", "other.onnx", "expected a table with other.onnx"),
        ("denoisers", [], "denoisers is [], expected at least one"),
        ("denoisers/0/sampler", "euler", "sampler is 'euler', expected one of ddim, ancestral"),
        ("denoisers/0/sampler", "ancestral", "sampler is 'ancestral', expected ddim, which alone a distilled"),
        ("denoisers/0/most_steps", 2, "steps is 4, expected at most most_steps, 2"),
        ("denoisers/0/respacing", "linspace", "it chooses among the steps of a chain"),
        ("process/schedule", "straight", "schedule is 'straight', expected one of cosine"),
        ("process/train_steps", 0, "train_steps is 0, expected a whole number from 1 to 4096"),
        ("process/parameterization", "eps", "whose z_1 is noise alone"),
        ("process/temperature", 1, "unknown"),
        ("denoisers", 3, "denoisers is 3, expected a list of at most 64"),
        ("denoisers", [{}] * 65, "expected a list of at most 64"),
        ("files/..%2f", {}, "the list of names is"),
        ("files/denoiser-4.onnx/bytes", -1, "bytes is -1, expected"),
        ("files/denoiser-4.onnx/bytes", 10**18, "bytes is 1000000000000000000, expected"),
        ("files/denoiser-4.onnx/sha256", "0" * 63, "expected 64 hexadecimal digits"),
        ("frames", 10**9, "frames is 1000000000, expected a whole number from 1 to 8192"),
        ("frames", 25, "frames is 25, expected a multiple of 3 for patch"),
        ("frames", None, "frames is None, expected"),
        ("packing", "eval", "packing is 'eval', expected one of snake, patch, none"),
        ("packing", ["snake"], "packing is ['snake'], expected one of"),
        ("mel/n_mels", 10**6, "n_mels is 1000000, expected a whole number from 1 to 1024"),
        ("mel/n_mels", 9, "band_mean has 8 values, expected 9"),
        ("mel/n_fft", 1 << 30, "n_fft is 1073741824, expected"),
        ("mel/hop_length", 63, "hop_length is 63, expected"),
        ("mel/sample_rate", 1, "sample_rate is 1, expected"),
        ("mel/fmax_hz", 80_000, "fmax_hz is 80000"),
        ("mel/floor", 0, "floor is 0, expected a number from"),
        ("band_std", [0.0] * 8, "band_std[0] is 0.0, expected a number from 1e-06 to 100"),
        ("band_mean", ["0"] * 8, "band_mean[0] is '0', expected a number"),
        ("parameters", 0, "parameters is 0, expected"),
        ("context", 1, "context is 1, expected true or false"),
        ("vocoder", {"file": "vocoder.onnx"}, "vocoder: prior is missing"),
        ("vocoder", "vocoder.onnx", "vocoder: is 'vocoder.onnx', expected an object"),
        ("measured", [], "measured is [], expected an object"),
        ("trained_on/0/minutes", -1, "minutes is -1, expected"),
        ("trained_on/0/more", 1, "unknown 'more'; a newer halfstep may read it"),
        ("surprise", 1, "unknown 'surprise'; a newer halfstep may read it"),
    ],
)
def test_a_hostile_value_is_refused_and_shown(members: dict[str, Any], path: str, value: object, shown: str):
    put(members, path, value)
    with pytest.raises(InputError) as refused:
        parse_manifest(members, "some/model.json")
    message = str(refused.value)
    assert shown in message
    assert message.startswith("some/model.json")
    assert "\n" not in message


def test_every_member_is_needed(members: dict[str, Any]):
    """But for what folders lack that were made before there was such a packing, or another schedule."""
    later = {"components", "process", "stationary"}
    old = {key: value for key, value in members.items() if key not in later}
    assert parse_manifest(old, "model.json").process == Process()
    for name in members.keys() - later:
        rest = {key: value for key, value in members.items() if key != name}
        with pytest.raises(InputError, match=f"{name} is missing"):
            parse_manifest(rest, "model.json")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)


@given(data=st.data())
def test_any_other_value_anywhere_gives_a_manifest_or_one_line(tiny_model: Path, data: st.DataObject):
    members = json.loads((tiny_model / "model.json").read_text())
    name = data.draw(st.sampled_from(sorted(members)))
    members[name] = data.draw(json_values)
    one_line = re.compile(r"[^\n]*")
    try:
        manifest = parse_manifest(members, "model.json")
    except InputError as refused:
        if not one_line.fullmatch(str(refused)):
            raise
    else:
        assert manifest.channels * manifest.length == manifest.frames * manifest.mel.n_mels


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not readable as JSON"),
        ("[1]", r"is \[1\], expected an object"),
        ("[" * 100_000, "not readable as JSON"),
        ('{"format": NaN}', "NaN is no JSON number"),
        ('{"format": 1e999}', "too large"),
        ('{"format": 1, "format": 1}', "a name occurs twice"),
        ("\x80\x04K\x01.", "not readable as JSON"),
        ('{"format": ' + "9" * 5000 + "}", "not readable as JSON"),
        (" " * (4 << 20) + "{}", "longer than 4194304 bytes"),
    ],
)
def test_a_file_that_is_no_description_is_refused(tmp_path: Path, text: str, reason: str):
    (tmp_path / "model.json").write_text(text, encoding="latin-1")
    with pytest.raises(InputError, match=reason) as refused:
        read_manifest(tmp_path)
    assert "\n" not in str(refused.value)


def test_steps_and_the_default_among_them(members: dict[str, Any]):
    manifest = parse_manifest(members, "model.json")
    assert manifest.steps == (1, 4)
    assert manifest.default_steps == 4
    members["denoisers"][0]["steps"] = 16
    assert parse_manifest(members, "model.json").default_steps == 16
    del members["denoisers"][0]
    assert parse_manifest(members, "model.json").default_steps == 1
