#!/usr/bin/env python3
"""Pack a data set into one small file for a training on another machine: its music as components, in bytes.

    halfstep prepare MUSIC... --out DATA --preset flagship
    python recipes/models/carry.py DATA FILE [--preset flagship]

An hour takes some 7 MB. Exit codes: 0 done, 2 the data set is not as expected.
"""

import argparse
import sys
from pathlib import Path

from halfstep.data.carried import carry, fitted, write_carried
from halfstep.data.dataset import Library
from halfstep.errors import InputError
from halfstep.runs.presets import PRESETS
from halfstep.tasks.music.task import MusicConfig


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Pack a data set for a training on another machine.")
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("--preset", choices=PRESETS, default="flagship")
    options = parser.parse_args(arguments)
    try:
        library, config = Library(options.data), PRESETS[options.preset]().task_as(MusicConfig)
        if not config.fitted:
            raise InputError(f"--preset {options.preset}: its packing is {config.packing}, which has no components")
        carried = carry(library, fitted(library, config.patch_frames, config.components))
        write_carried(carried, options.file)
    except InputError as error:
        print(f"carry: {error}", file=sys.stderr)
        return 2
    size, components = options.file.stat().st_size / 1e6, carried.components
    print(f"{carried.hours:.2f} hours, {size:.1f} MB")
    print(f"{components.count} components hold {components.explained:.4f} of the variance")
    return 0


if __name__ == "__main__":
    sys.exit(main())
