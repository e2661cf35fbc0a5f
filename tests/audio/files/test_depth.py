"""Samples of a recording are stored again exactly as they were read, at every depth."""

import io

import numpy as np
import pytest
import soundfile

from halfstep.audio.files.depth import BITS, HELD, WIDE, finest, kept_subtype, quantised
from halfstep.audio.files.io import read_blocks
from halfstep.audio.files.writing import write


@pytest.mark.parametrize(("ending", "subtype"), [(".wav", name) for name in HELD["WAV"] if name != "PCM_S8"] + [
    (".flac", name) for name in ("PCM_S8", "PCM_16", "PCM_24")])  # fmt: skip
def test_a_file_read_and_written_is_the_same(tmp_path, ending: str, subtype: str):
    """Every step of the scale, its ends included."""
    bits = BITS.get(subtype, 24)
    steps = np.random.default_rng(0).integers(-(1 << (bits - 1)), 1 << (bits - 1), (4000, 2))
    steps[:4] = [[-(1 << (bits - 1)), (1 << (bits - 1)) - 1], [0, -1], [1, 2], [-2, 3]]
    samples = steps / (1 << (bits - 1)) * (1.5 if subtype in ("FLOAT", "DOUBLE") else 1)
    first, again = tmp_path / f"a{ending}", tmp_path / f"b{ending}"
    soundfile.write(first, quantised(samples, subtype), 48000, subtype)
    blocks = list(read_blocks(first, mono=False, exact=True))
    write(again, blocks, 48000, {}, subtype, exact=True)
    kind = "int32" if subtype in BITS else "float64"
    one, two = (soundfile.read(path, dtype=kind)[0] for path in (first, again))
    np.testing.assert_array_equal(one, two)
    assert soundfile.info(again).subtype == subtype
    assert blocks[0].dtype == (np.float64 if subtype in WIDE else np.float32)


def test_what_a_format_cannot_hold_is_stored_as_finely_as_it_can():
    assert kept_subtype("FLAC", "FLOAT") == "PCM_24"
    assert kept_subtype("WAV", "PCM_S8") == "PCM_U8"
    assert kept_subtype("WAV", None) is None
    assert kept_subtype("OGG", "PCM_24") is None
    assert finest(["PCM_16", None, "PCM_24"]) == "PCM_24"
    assert finest([None, None]) is None


def test_beyond_full_scale_is_clipped_not_wrapped():
    np.testing.assert_array_equal(quantised(np.array([1.0, 2.0, -2.0]), "PCM_16") >> 16, [32767, 32767, -32768])


def test_it_is_the_inverse_of_how_libsndfile_reads():
    file = io.BytesIO()
    soundfile.write(file, np.arange(-32768, 32768, dtype=np.int16), 8000, format="WAV", subtype="PCM_16")
    file.seek(0)
    read = soundfile.read(file, dtype="float32")[0]
    np.testing.assert_array_equal(quantised(read, "PCM_16") >> 16, np.arange(-32768, 32768))
