"""Imported before halfstep, this has every call of its functions check the arrays that their signatures name.

`halfstep.arrays` then gives jaxtyping's types, and a loader wraps, as soon as a module has run, each of its functions
and methods whose signature holds one of them: kind of number and number of axes, and the same length wherever one call
names an axis twice. Everything else in a signature is pyright's to check. Other processes, which a test starts, run
unchecked and at full speed.
"""

import functools
import inspect
import sys
import types
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import UnionType
from typing import Any, Union, get_args, get_origin

import beartype
from jaxtyping import AbstractArray, jaxtyped

PACKAGE = "halfstep"
CHECKER = beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))
"""An int passes for a float, as it does with every type checker."""


FIRST, EVERY = 5, 100
CALLS: dict[Callable[..., Any], int] = {}
"""How often each function was called in this test; `tests/conftest.py` begins again."""


def names_an_array(hint: object) -> bool:
    """Whether this annotation is an array type, or a union or a tuple with one in it.

    Not a list or an iterable of them: beartype looks at one of their items, drawn at random, and blocks of a stream
    have no common length.
    """
    if inspect.isclass(hint) and not get_args(hint):
        return issubclass(hint, AbstractArray)
    parts = get_args(hint)
    return get_origin(hint) in (Union, UnionType, tuple) and ... not in parts and any(map(names_an_array, parts))


def arrays_alone(function: Callable[..., Any]) -> Callable[..., Any]:
    """A type checker of the annotations that name arrays, and of no others."""
    hints = function.__annotations__
    function.__annotations__ = {name: hint for name, hint in hints.items() if names_an_array(hint)}
    return CHECKER(function)


def now_and_then(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, its first calls of a test checked, and then one in EVERY: a check takes 60 us."""
    checked = jaxtyped(function, typechecker=arrays_alone)
    torch = sys.modules.get("torch")  # loaded by now, if the function takes tensors

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if torch is not None and (torch.jit.is_tracing() or torch.compiler.is_compiling()):
            return function(*args, **kwargs)  # sizes are nodes of a graph there, not numbers
        calls = CALLS[function] = CALLS.get(function, 0) + 1
        return (checked if calls <= FIRST or calls % EVERY == 0 else function)(*args, **kwargs)

    return call


def check_functions(owner: types.ModuleType | type) -> None:
    """Puts checked functions in the place of those that `owner`, a module or a class, defines."""
    module = owner.__name__ if inspect.ismodule(owner) else owner.__module__
    for name, value in list(vars(owner).items()):
        function = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
        if getattr(function, "__module__", None) != module:
            continue
        if inspect.isclass(function):
            check_functions(function)
        elif inspect.isfunction(function) and any(map(names_an_array, function.__annotations__.values())):
            checked = now_and_then(function)
            if isinstance(value, property):
                value = property(checked, value.fset, value.fdel, value.__doc__)
            else:
                value = type(value)(checked) if isinstance(value, classmethod | staticmethod) else checked
            setattr(owner, name, value)


class CheckingLoader(SourceFileLoader):
    def exec_module(self, module: types.ModuleType) -> None:
        super().exec_module(module)
        check_functions(module)


class CheckingFinder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] != PACKAGE:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = CheckingLoader(spec.loader.name, spec.loader.path)
        return spec


assert PACKAGE not in sys.modules, f"{PACKAGE} was imported before it could be checked"
sys.meta_path.insert(0, CheckingFinder())
