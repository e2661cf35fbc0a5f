"""Imports point one way, the playing half reaches nothing it does not install, and both load fast."""

import ast
import graphlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import halfstep

SOURCE = Path(halfstep.__file__).parent

# Each room may import itself and what stands before it; app, the last, reaches the making half only in functions.
PLAYING = (
    *(
        "errors",
        "addresses",
        "arrays",
        "printable",
        "fields",
        "processes",
        "atomic",
        "ending",
        "lock",
        "own_folder",
        "machine",
        "markdown",
    ),
    *("diffusion", "audio", "packing", "conditioning", "bundle", "vocoders", "generation"),
)
MAKING = (
    *("nets", "data", "metrics", "training", "export", "tasks", "learned_vocoder"),
    *("runs", "evaluation", "cluster"),
)
LAYERS = (*PLAYING, *MAKING, "app")
HEAVY = (
    "torch",
    "librosa",
    "scipy",
    "matplotlib",
    "safetensors",
    "onnx",
    "pyloudnorm",
    "tensorboard",
    "diffusers",
    "visqol",
    "zimtohrli",
    "ray",
)


@cache
def modules() -> tuple[Path, ...]:
    return tuple(sorted(SOURCE.rglob("*.py")))


@cache
def scripts() -> tuple[Path, ...]:
    """What stands beside the package, and is imported by name alone."""
    rooms = (SOURCE.parents[1] / room for room in ("recipes", "studies", "benchmarks"))
    return tuple(sorted(path for room in rooms for path in room.rglob("*.py")))


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def layer_of(name: str) -> str:
    """The room of a module halfstep.NAME, or the module itself where it stands at the root."""
    return name.partition(".")[0]


def name_of(path: Path) -> str:
    """The module's name without `halfstep.`; a package's is that of its folder."""
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


@cache
def imports(path: Path) -> tuple[tuple[str, bool], ...]:
    """(dotted name, whether it is imported as the module loads); what only type checkers see is left out."""
    waiting: list[tuple[ast.AST, bool]] = [(tree(path), True)]
    imported: list[tuple[str, bool]] = []
    while waiting:
        node, at_load = waiting.pop()
        if isinstance(node, ast.Import):
            imported += [(alias.name, at_load) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide where an arrow points"
            imported += [(f"{node.module}.{alias.name}", at_load) for alias in node.names]
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        inside = at_load and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        waiting += [(child, inside) for child in ast.iter_child_nodes(node)]
    return tuple(imported)


def arrows(path: Path) -> Iterator[tuple[str, bool]]:
    """The layers of halfstep that a module imports."""
    for name, at_load in imports(path):
        package, _, rest = name.partition(".")
        if package == "halfstep" and (layer := layer_of(rest)) in LAYERS:
            yield layer, at_load


def test_every_module_has_a_layer():
    assert {layer_of(name_of(path)) for path in modules()} <= {*LAYERS, "", "__main__"}


def test_imports_point_one_way():
    assert {path: wrong for path in modules() if (wrong := astray(path))} == {}


def astray(path: Path) -> set[str]:
    """The layers that a module imports and may not."""
    layer = layer_of(name_of(path))
    if layer == "":
        allowed, late = {"errors"}, {"generation"}
    elif layer in ("app", "__main__"):
        allowed, late = {*PLAYING, "app"}, set(MAKING)
    else:
        allowed, late = set(LAYERS[: LAYERS.index(layer) + 1]), set()
    return {to for to, at_load in arrows(path) if to not in allowed and (at_load or to not in late)}


def test_no_module_imports_its_importer():
    """Not even by way of others, or late; the package's own face, which loads what it is asked for, is left out."""
    known = {f"halfstep.{name_of(path)}": path for path in modules() if name_of(path)}
    arrows_of = {
        name: {one for target, _ in imports(path) for one in (target, target.rpartition(".")[0]) if one in known}
        for name, path in known.items()
    }
    arrows_of = {name: to - {name, name.rpartition(".")[0]} for name, to in arrows_of.items()}
    graphlib.TopologicalSorter(arrows_of).prepare()  # CycleError names the circle


def playing_modules() -> list[str]:
    names = (name_of(path) for path in modules())
    return [f"halfstep.{name}" for name in names if layer_of(name) in (*PLAYING, "app")]


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(SOURCE.parent)}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)


def test_the_playing_half_reaches_nothing_that_it_does_not_install():
    """Every playing module is imported with the making half's packages blocked."""
    blocked = "".join(f"sys.modules[{name!r}] = None\n" for name in HEAVY)
    wanted = "".join(f"import {name}\n" for name in playing_modules())
    done = run_python(f"import sys\n{blocked}{wanted}")
    assert done.returncode == 0, done.stderr
    assert len(playing_modules()) > 20


@pytest.mark.parametrize(("module", "most"), [("halfstep", 0.5), ("halfstep.app.cli", 0.8)])
def test_import_is_quick(module: str, most: float):
    """Best of three, less the interpreter's own start, in processor time: other work on the machine does not count."""

    def seconds(code: str) -> float:
        before = os.times()
        assert run_python(code).returncode == 0
        after = os.times()
        return after.children_user + after.children_system - before.children_user - before.children_system

    assert min(seconds(f"import {module}") for _ in range(3)) - min(seconds("") for _ in range(3)) < most


def test_the_command_line_loads_nothing_heavy():
    """Neither numpy nor onnxruntime nor rich is there before a command asks for it."""
    done = run_python(
        "import sys, halfstep.app.cli\n"
        "print([name for name in ('numpy', 'onnxruntime', 'soundfile', 'rich') if name in sys.modules])"
    )
    assert done.stdout == "[]\n", done.stderr


OWN_WORDS = {"told", "heard", "found", "beside", "led", "met", "searched", "painter", "poured", "anew"}
"""Words that stood where the field says context, known, mask, reference, estimate."""
FOUND_ON_DISK = [
    SOURCE / path
    for path in ("data/sources.py", "data/catalogue.py", "data/preparing.py", "data/worker.py", "app/make/data_sets.py")
]
"""`found` counts files here, as `report.json` does: found = used + skipped + failed."""


def names(path: Path) -> Iterator[str]:
    """Every name that a module gives or uses, but for Python's own exceptions."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.arg | ast.keyword):
            yield node.arg or ""


def test_names_are_the_fields():
    assert {path: own for path in (*modules(), *scripts()) if (own := named_by_us(path))} == {}


def named_by_us(path: Path) -> set[str]:
    """The names of a module that hold words of our own."""
    allowed = {"found"} if path in FOUND_ON_DISK else set()
    used = {name for name in names(path) if not name.endswith("NotFoundError")}
    own = {name: set(re.findall("[a-z]+", re.sub("(?=[A-Z])", "_", name).lower())) & OWN_WORDS for name in used}
    return {name for name, words in own.items() if words - allowed}


FORBIDDEN_CALLS = {"eval", "exec", "torch.load", "pickle.load", "pickle.loads", "os.system", "yaml.load"}


def test_nothing_executes_what_a_file_says():
    assert {path: calls for path in modules() if (calls := dangerous(path))} == {}


def dangerous(path: Path) -> set[str]:
    """What a module calls, or imports, that would run what it reads."""
    calls = [node for node in ast.walk(tree(path)) if isinstance(node, ast.Call)]
    unsafe = {"allow_pickle", "shell"}
    return (
        ({ast.unparse(call.func) for call in calls} & FORBIDDEN_CALLS)
        | ({name.partition(".")[0] for name, _ in imports(path)} & {"pickle"})
        | {
            ast.unparse(call)
            for call in calls
            for keyword in call.keywords
            if keyword.arg in unsafe and isinstance(keyword.value, ast.Constant) and keyword.value.value is True
        }
    )


def test_what_is_dangerous_is_seen(tmp_path: Path):
    path = tmp_path / "module.py"
    path.write_text("import pickle\nnumpy.load(path, allow_pickle=True)\neval('1')\nnumpy.load(path)\n")
    assert dangerous(path) == {"pickle", "numpy.load(path, allow_pickle=True)", "eval"}


SAME_PART = {"kind.py", "task.py", "observer.py", "export.py"}
"""What every folder of tasks/ may bring: there, and there alone, files of one name are the same part of each."""


def test_files_of_one_name_mean_one_thing():
    """In the package, and among the scripts."""
    places: dict[str, list[Path]] = {}
    for path in (*modules(), *scripts()):
        places.setdefault(path.name, []).append(path)
    twice = {name for name, paths in places.items() if len(paths) > 1 and name not in ("__init__.py", "__main__.py")}
    assert twice <= SAME_PART
    astray = [path for name in SAME_PART for path in places[name] if path.parents[1] != SOURCE / "tasks"]
    assert not astray


def test_classes_of_one_name_are_one():
    classes = [
        node.name
        for path in modules()
        for node in tree(path).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    ]
    assert not {name for name in classes if classes.count(name) > 1}


def test_a_task_is_named_in_its_folder_and_in_presets_alone():
    folders = {folder.name for folder in (SOURCE / "tasks").iterdir() if (folder / "kind.py").exists()}
    assert {"music", "diffusion_vocoder"} <= folders
    for path in modules():
        named = {name.split(".")[2] for name, _ in imports(path) if name.startswith("halfstep.tasks.")} & folders
        inside = path.relative_to(SOURCE).parts
        allowed = {inside[1]} if inside[0] == "tasks" and len(inside) > 2 else set()
        assert inside == ("runs", "presets.py") or named <= allowed, path
