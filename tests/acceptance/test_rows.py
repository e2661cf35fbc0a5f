"""The list is whole, and every test that it names is there."""

import ast
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def loaded(name: str) -> ModuleType:
    """A module of this folder, which is no package."""
    spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


ROWS = loaded("rows").ROWS


def test_every_row_of_the_list_is_here_once():
    assert [row.number for row in ROWS] == [*range(1, 19), *range(20, 41)]
    assert all(row.tests or row.untested for row in ROWS)


@pytest.mark.parametrize("test", sorted({test for row in ROWS for test in row.tests}))
def test_what_a_row_names_is_a_test(test: str):
    path, _, name = test.partition("::")
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    names = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    assert name in names if name else any(result.startswith("test_") for result in names)


def test_a_row_is_as_good_as_the_worst_of_its_tests(monkeypatch: pytest.MonkeyPatch):
    rows = loaded("rows")
    main = loaded("accept")
    row = rows.Row(1, "a fault", ("tests/test_a.py::test_one", "tests/test_b.py"))
    outcomes = main.Outcomes()
    outcomes.of = {"tests/test_a.py::test_one[x]": ("passed", ""), "tests/test_b.py::test_two": ("skipped", "as root")}
    outcomes.of["tests/test_a.py::test_one_more"] = ("failed", "call")  # another test of a longer name
    outcomes.left_out = ["tests/test_b.py::test_slow"]
    result = main.verdict(row, outcomes)
    assert (result["result"], result["passed"], result["failed"], result["skipped"]) == ("survived", 1, 0, 1)
    assert result["reasons"] == ["as root", "1 slow tests left out"]
    outcomes.of["tests/test_b.py::test_three"] = ("failed", "call")
    assert main.verdict(row, outcomes)["result"] == "FAILED"
    outcomes.of = {"tests/test_b.py::test_two": ("skipped", "as root")}
    assert main.verdict(row, outcomes)["result"] == "skipped"
