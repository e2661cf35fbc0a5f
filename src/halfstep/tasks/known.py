"""The tasks there are: a folder each in this room, and those that other installed packages bring.

Such a package names its `Kind` as an entry point of the group TASKS; docs/new-task.md builds one.
"""

import pkgutil
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points

import halfstep.tasks
from halfstep.tasks.contract import Kind, TaskConfig

TASKS = "halfstep.tasks"


@cache
def own_kinds() -> dict[str, Kind]:
    """Name -> the kind of each folder beside this file."""
    folders = sorted(module.name for module in pkgutil.iter_modules(halfstep.tasks.__path__) if module.ispkg)
    return {folder: import_module(f"halfstep.tasks.{folder}.kind").KIND for folder in folders}


def kind_named(name: str) -> Kind | None:
    """The kind of that name, own ones first; None if there is none."""
    if name in own_kinds():
        return own_kinds()[name]
    return next((entry.load() for entry in entry_points(group=TASKS, name=name)), None)


def kind_of(config: TaskConfig) -> Kind:
    """The kind whose settings these are. ValueError if there is none."""
    loaded = (entry.load() for entry in entry_points(group=TASKS))
    for kinds in (own_kinds().values(), loaded):
        for kind in kinds:
            if type(config) is kind.config:
                return kind
    raise ValueError(f"{type(config).__name__}: no task, own or installed, has such settings")


def task_names() -> tuple[str, ...]:
    """Names of all tasks, own ones first."""
    return (*own_kinds(), *sorted({entry.name for entry in entry_points(group=TASKS)} - own_kinds().keys()))
