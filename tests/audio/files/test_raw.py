import errno
from typing import BinaryIO, cast

import pytest

from halfstep.audio.files.raw import RawFile


class Broken:
    """A disk that gives an error at every read and write."""

    def readinto(self, buffer):
        raise OSError(errno.EIO, "Input/output error")

    def write(self, data):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_reads_writes_and_seeks_as_the_file_does(tmp_path):
    with (tmp_path / "a").open("w+b") as file:
        raw = RawFile(file)
        assert raw.write(b"hello") == 5
        assert raw.seek(1) == 1
        buffer = bytearray(10)
        assert raw.readinto(memoryview(buffer)) == 4
        assert buffer[:4] == b"ello"
        assert raw.tell() == 5
        raw.check()


@pytest.mark.parametrize("offset", [-3, -(2**70), 2**70])
def test_a_seek_that_cannot_be_stays(tmp_path, offset):
    with (tmp_path / "a").open("w+b") as file:
        raw = RawFile(file)
        raw.write(b"hello")
        assert raw.seek(offset) == 5
        raw.check()


def test_the_first_failure_is_kept_and_ends_all_work():
    raw = RawFile(cast(BinaryIO, Broken()))
    assert raw.readinto(memoryview(bytearray(3))) == 0
    assert raw.write(b"x") == 0
    with pytest.raises(OSError, match="Input/output error"):
        raw.check()
