"""How many times faster than it plays `prepare` takes up music, per core: python benchmarks/prepare.py FOLDER

Each format found in the folder is prepared by itself, with one worker, into a folder that is thrown away. The
figure is seconds of music per second of processor time, of the worker and the parent together, so that other
work on the machine does not lower it much. `--mp3` encodes the folder's music and measures that as well.
"""

import argparse
import platform
import resource
import tempfile
import time
from pathlib import Path

from halfstep.audio.files.io import encoding_for, read_blocks, read_info, write
from halfstep.data.preparing import PrepareConfig, prepare
from halfstep.errors import InputError
from halfstep.machine import processor


def by_format(folder: Path) -> dict[str, list[Path]]:
    """The sound files below a folder, by what they contain."""
    result: dict[str, list[Path]] = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        try:
            info = read_info(path)
        except InputError:
            continue
        result.setdefault(f"{info.format} {info.subtype}", []).append(path)
    return result


def encode(paths: list[Path], folder: Path, extension: str) -> list[Path]:
    """The same music in another format."""
    encoding_for(Path(f"x{extension}"))
    made = []
    for path in paths:
        made.append(folder / f"{path.stem}{extension}")
        blocks = (block.clip(-1, 1) for block in read_blocks(path, 44100, mono=False))
        write(made[-1], blocks, 44100, {})
    return made


def processor_seconds() -> float:
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def measure(name: str, paths: list[Path]) -> None:
    """One line of figures."""
    with tempfile.TemporaryDirectory() as scratch:
        music = Path(scratch) / "music"
        music.mkdir()
        for path in paths:
            (music / path.name).symlink_to(path.absolute())
        used, begun = processor_seconds(), time.perf_counter()
        report = prepare([music], Path(scratch) / "data", PrepareConfig(), workers=1)
        used, lasted = processor_seconds() - used, time.perf_counter() - begun
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    minutes, a_core, clock = report.seconds / 60, report.seconds / used, report.seconds / lasted
    print(
        f"{name:24s} {report.used:4d} files {minutes:7.1f} min"
        f" {a_core:6.0f} x a core {clock:6.0f} x by the clock {peak:5.0f} MiB"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--mp3", action="store_true", help="encode the music as MP3 as well")
    options = parser.parse_args()
    print(f"{processor()}, Python {platform.python_version()}, 44.1 kHz, 128 bands, one worker")
    formats = by_format(options.folder)
    for name, paths in formats.items():
        measure(name, paths)
    if options.mp3:
        with tempfile.TemporaryDirectory() as scratch:
            paths = encode([path for paths in formats.values() for path in paths], Path(scratch), ".mp3")
            measure("MP3, encoded here", paths)


if __name__ == "__main__":
    main()
