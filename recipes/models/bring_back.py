#!/usr/bin/env python3
"""Make a run of what recipes/models/gpu_trip.py left: to export, to evaluate, to train on.

    python recipes/models/bring_back.py FILES DATA RUN [--name piano] [--preset flagship] [--carried FILE]

FILES is the folder with NAME-teacher.K.safetensors and NAME-NNNN.K.safetensors; DATA the data set that was carried, and
--carried the file it was carried in, whose components the networks were trained on (fitted again without it).
Exit codes: 0 done, 2 a file or the data set is not as expected.
"""

import argparse
import re
import sys
from pathlib import Path

from weight_parts import whole

from halfstep.data.carried import read_carried
from halfstep.data.dataset import Library
from halfstep.errors import InputError
from halfstep.lock import folder_lock
from halfstep.packing import COMPONENTS_FILE, write_components
from halfstep.runs.presets import PRESETS
from halfstep.runs.run_folder import Run, settle
from halfstep.training.checkpoint import save_tensors


def bring_back(options: argparse.Namespace) -> list[int]:
    """The run, with its teacher and every student there is; their numbers of steps."""
    run = Run(options.run, PRESETS[options.preset](), Library(options.data))
    students = {
        int(result.group(1))
        for path in options.files.glob(f"{options.name}-*.0.safetensors")
        if (result := re.fullmatch(rf"{re.escape(options.name)}-(\d+)\.0\.safetensors", path.name))
    }
    weights = {steps: whole(options.files, f"{options.name}-{steps:04d}") for steps in sorted(students)}
    teacher = whole(options.files, f"{options.name}-teacher")
    options.run.mkdir(parents=True, exist_ok=True)
    with folder_lock(options.run):
        if options.carried is not None:
            write_components(options.run / COMPONENTS_FILE, read_carried(options.carried).components)
        settle(run)
        run.network().load_state_dict(teacher)  # before anything is kept: does it fit?
        save_tensors(options.run / "teacher.safetensors", teacher, {"steps": 0, "figures": {}})
        for steps, tensors in weights.items():
            folder = options.run / "ladder" / f"{steps:04d}"
            folder.mkdir(parents=True, exist_ok=True)
            save_tensors(folder / "student.safetensors", tensors, {"num_steps": steps})
    return sorted(students)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Make a run of what a GPU trip left.")
    parser.add_argument("files", type=Path, metavar="FILES")
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("--name", default="model")
    parser.add_argument("--preset", choices=PRESETS, default="flagship")
    parser.add_argument("--carried", type=Path, metavar="FILE", help="any one of several parts")
    options = parser.parse_args(arguments)
    try:
        students = bring_back(options)
    except (InputError, RuntimeError) as error:
        print(f"bring_back: {error}", file=sys.stderr)
        return 2
    print(f"{options.run}: a teacher and students of {', '.join(map(str, students)) or 'no'} steps")
    return 0


if __name__ == "__main__":
    sys.exit(main())
