#!/usr/bin/env python3
"""Pack a data set into small files for a training on another machine: its music as components, in bytes.

    halfstep prepare MUSIC... --out DATA --preset flagship
    python recipes/models/carry.py DATA FILE... [--preset flagship]

An hour takes some 9 MB. Several FILEs are parts of much the same size, each of which can be learned from alone.
Exit codes: 0 done, 2 the data set is not as expected.
"""

import argparse
import sys
from pathlib import Path

from halfstep.data.carried import carry, fitted, parts_of, write_carried
from halfstep.data.dataset import Library
from halfstep.errors import InputError
from halfstep.runs.presets import PRESETS
from halfstep.tasks.music.task import MusicConfig


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Pack a data set for a training on another machine.")
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("files", type=Path, metavar="FILE", nargs="+")
    parser.add_argument("--judged-seconds", type=float, metavar="S", help="of every held-out track carry the first S")
    parser.add_argument("--preset", choices=PRESETS, default="flagship")
    options = parser.parse_args(arguments)
    try:
        library, config = Library(options.data), PRESETS[options.preset]().task_as(MusicConfig)
        if not config.fitted:
            raise InputError(f"--preset {options.preset}: its packing is {config.packing}, which has no components")
        places = library.mel.frames_per_second / config.patch_frames
        judged = None if options.judged_seconds is None else max(config.length, int(options.judged_seconds * places))
        carried = carry(library, fitted(library, config.patch_frames, config.components), judged)
        for part, file in zip(parts_of(carried, len(options.files)), options.files, strict=True):
            write_carried(part, file)
    except InputError as error:
        print(f"carry: {error}", file=sys.stderr)
        return 2
    sizes, components = ", ".join(f"{file.stat().st_size / 1e6:.1f}" for file in options.files), carried.components
    print(f"{carried.hours:.2f} hours, {sizes} MB")
    print(f"{components.count} components hold {components.explained:.4f} of the variance")
    return 0


if __name__ == "__main__":
    sys.exit(main())
