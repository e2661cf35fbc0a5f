"""Array types: checked here, free where the program runs."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, cast

import checked_shapes
import numpy as np
import pytest
import torch
from jaxtyping import Float, Int, TypeCheckError

import halfstep
from halfstep import arrays
from halfstep.diffusion.forms import x_from_v
from halfstep.diffusion.rates import cosine_rates
from halfstep.nets.blocks import TimeEmbedding
from halfstep.packing import PACKINGS


def test_one_axis_has_one_length_in_a_call():
    at_t = cosine_rates(0.5)
    assert x_from_v(np.ones(3), np.ones(3), at_t).shape == (3,)
    with pytest.raises(TypeCheckError, match=r"shape=\(3,\)"):
        x_from_v(np.ones(3), np.ones(4), at_t)


def test_methods_and_what_they_return_are_checked():
    with pytest.raises(TypeCheckError, match="per_frame"):
        PACKINGS["patch"].pack_frames(cast(Any, np.float32(1)))
    with pytest.raises(TypeCheckError, match="noise"):
        PACKINGS["patch"].noise(np.ones((8, 24), int))


def test_tensors_are_checked():
    with pytest.raises(TypeCheckError, match="log_snr"):
        TimeEmbedding(8)(torch.zeros(2, 3))


@pytest.mark.parametrize(
    ("hint", "names_one"),
    [
        (Float[np.ndarray, "frames"], True),
        (Int[np.ndarray, "..."] | None, True),  # pyright: ignore[reportOperatorIssue]
        (tuple[int, Float[np.ndarray, ""]], True),
        (np.ndarray, False),
        (list[Float[np.ndarray, "frames"]], False),
        (tuple[Float[np.ndarray, "frames"], ...], False),
        ("a name", False),
    ],
)
def test_only_annotations_that_name_an_array_are_checked(hint, names_one):
    assert checked_shapes.names_an_array(hint) is names_one


def test_a_program_that_plays_has_no_checker():
    """In a process of its own, as a user's is: the array's type with a note, and nothing imported for it."""
    program = (
        "import sys, numpy as np\n"
        "from halfstep.arrays import Float\n"
        "from halfstep.generation import model\n"
        "assert not {'jaxtyping', 'beartype'} & set(sys.modules)\n"
        "print(Float[np.ndarray, 'bands frames'].__metadata__)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "('bands frames',)"
    assert arrays.Float is not Annotated


def says_no_shape(annotation: ast.AST) -> bool:
    """Whether it names an array whose shape it could say: not in a dictionary, whose arrays are all of their own."""
    match annotation:
        case ast.Subscript(value=ast.Name(id=name)) if name in (*arrays.__all__, "dict", "Mapping"):
            return False
        case ast.Name(id="Tensor" | "ndarray") | ast.Attribute(attr="Tensor" | "ndarray"):
            return True
    return any(map(says_no_shape, ast.iter_child_nodes(annotation)))


def public_annotations(node: ast.AST) -> Iterator[tuple[int, ast.expr]]:
    """(line, annotation) of what others call and read: no private names, and nothing within a function."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            if child.name.startswith("_") and not child.name.startswith("__"):
                continue
            if isinstance(child, ast.ClassDef):
                yield from public_annotations(child)
                continue
            arguments = (child.args.posonlyargs, child.args.args, child.args.kwonlyargs)
            given = [argument.annotation for group in arguments for argument in group]
            yield from ((child.lineno, annotation) for annotation in (*given, child.returns) if annotation is not None)
        elif isinstance(child, ast.AnnAssign):
            yield child.lineno, child.annotation


def test_every_public_array_says_its_shape():
    source = Path(halfstep.__file__).parent
    silent = [
        f"{path.relative_to(source)}:{line}"
        for path in source.rglob("*.py")
        for line, annotation in public_annotations(ast.parse(path.read_text(encoding="utf-8")))
        if says_no_shape(annotation)
    ]
    assert not silent
