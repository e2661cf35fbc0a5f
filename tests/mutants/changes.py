"""What is changed in a source file: one operator, comparison, constant, function, bound, condition or statement."""

import ast
import contextlib
import copy
import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

OPERATORS: dict[type, type] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Div,
    ast.Mod: ast.FloorDiv, ast.Pow: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
    ast.And: ast.Or, ast.Or: ast.And, ast.LShift: ast.RShift, ast.RShift: ast.LShift,
}  # fmt: skip
COMPARISONS: dict[type, tuple[type, ...]] = {
    ast.Lt: (ast.LtE, ast.Gt), ast.LtE: (ast.Lt, ast.GtE), ast.Gt: (ast.GtE, ast.Lt), ast.GtE: (ast.Gt, ast.LtE),
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.In: (ast.NotIn,), ast.NotIn: (ast.In,), ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}  # fmt: skip
PAIRS = (
    "min max", "minimum maximum", "argmin argmax", "sin cos", "floor ceil", "zeros ones", "zeros_like ones_like",
    "any all", "real imag", "mean sum", "cumsum cumprod", "std var", "rfft fft",
)  # fmt: skip
SWAPPED = {a: b for pair in PAIRS for a, b in (pair.split(), pair.split()[::-1])}
DROPPED = (
    "sqrt", "abs", "conj", "exp", "log", "square", "unwrap", "clip", "clamp", "rint", "round", "roll", "copy", "sorted",
    "reversed", "reciprocal", "flip", "detach", "max", "min", "maximum", "minimum",
)  # fmt: skip
"""Functions and methods of which a mutant keeps the first argument alone, or what they belong to."""


@dataclass(frozen=True)
class Mutant:
    """One change: the text from `start` to `end` (offsets in bytes) becomes `after`. key: of the change and the text of
    its line, so that it stays when other lines change.
    """

    line: int
    kind: str
    start: int
    end: int
    before: str
    after: str
    key: str

    def applied(self, source: bytes) -> bytes:
        return source[: self.start] + self.after.encode() + source[self.end :]


def mutants_of(source: bytes) -> list[Mutant]:
    """All of a file that are still Python, in the order of the text."""
    lines = source.splitlines(keepends=True)
    begins = [sum(map(len, lines[:number])) for number in range(len(lines) + 1)]
    changes: set[tuple[int, int, int, str, str]] = set()
    for node, kind, after in _changes(ast.parse(source)):
        assert node.end_lineno is not None and node.end_col_offset is not None
        start, end = begins[node.lineno - 1] + node.col_offset, begins[node.end_lineno - 1] + node.end_col_offset
        with contextlib.suppress(SyntaxError):
            compile(source[:start] + after.encode() + source[end:], "mutant", "exec")
            changes.add((start, end, node.lineno, kind, after))
    result: list[Mutant] = []
    alike: Counter[str] = Counter()
    for start, end, line, kind, after in sorted(changes):
        before = " ".join(source[start:end].decode().split())
        text = f"{lines[line - 1].decode().strip()} | {before} | {after}"
        alike[text] += 1
        key = hashlib.sha256(f"{text} | {alike[text]}".encode()).hexdigest()[:16]
        result.append(Mutant(line, kind, start, end, before, after, key))
    return result


def _counted(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes that decide what comes out: no types, texts, assertions, decorators, protocols."""
    if isinstance(node, ast.Assert | ast.JoinedStr | ast.Import | ast.ImportFrom | ast.Raise):
        if isinstance(node, ast.Raise):
            yield node
        return
    if isinstance(node, ast.ClassDef) and any(ast.unparse(base).startswith("Protocol") for base in node.bases):
        return
    yield node
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "bases", "type_params"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _counted(child)


def _changes(tree: ast.AST) -> Iterator[tuple[ast.expr | ast.stmt, str, str]]:
    """(the node that is replaced, the kind of change, what stands there instead)."""
    for node in _counted(tree):
        match node:
            case ast.BinOp(op=op) | ast.AugAssign(op=op) | ast.BoolOp(op=op) if type(op) in OPERATORS:
                yield node, "operator", _with(node, op=OPERATORS[type(op)]())
        match node:
            case ast.Compare(ops=[op]):
                for other in COMPARISONS[type(op)]:
                    yield node, "comparison", _with(node, ops=[other()])
            case ast.Compare(ops=ops):
                for at, op in enumerate(ops):
                    for other in COMPARISONS[type(op)]:
                        yield node, "comparison", _with(node, ops=[*ops[:at], other(), *ops[at + 1 :]])
            case ast.UnaryOp(op=ast.USub() | ast.Not(), operand=operand):
                yield node, "negation", f"({ast.unparse(operand)})"
            case ast.Constant(value=bool() as value):
                yield node, "constant", str(not value)
            case ast.Constant(value=int() as value):
                yield node, "constant", str(value + 1)
            case ast.Constant(value=float() as value):
                yield node, "constant", repr(1.5 * value or 1.0)
            case ast.Call(func=function, args=args):
                yield from _other_calls(node, function, args)
            case ast.Slice():
                for name in ("lower", "upper"):
                    bound = getattr(node, name)
                    if bound is not None and not isinstance(bound, ast.Constant | ast.UnaryOp):
                        yield bound, "slice", f"{ast.unparse(bound)} + 1"
            case ast.If(test=test) | ast.IfExp(test=test) | ast.While(test=test):
                if not isinstance(test, ast.Compare | ast.UnaryOp):
                    yield test, "condition", f"(not ({ast.unparse(test)}))"
            case ast.AugAssign() | ast.Raise() | ast.Expr(value=ast.Call()):
                yield node, "statement", "pass"
            case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
                yield node, "statement", "pass"


def _other_calls(node: ast.Call, function: ast.expr, args: list[ast.expr]) -> Iterator[tuple[ast.expr, str, str]]:
    """Another function in place of one, or none."""
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    if name in SWAPPED:
        other = _with(function, **{"attr" if isinstance(function, ast.Attribute) else "id": SWAPPED[name]})
        yield function, "function", other
    if name == "where" and len(args) == 3:
        yield node, "function", _with(node, args=[args[0], args[2], args[1]])
    if name in DROPPED:
        method = isinstance(function, ast.Attribute) and ast.unparse(function.value) not in ("np", "math", "torch")
        inside = function.value if method and isinstance(function, ast.Attribute) else args[0] if args else None
        if inside is not None and not isinstance(inside, ast.GeneratorExp | ast.Starred):
            yield node, "function", f"({ast.unparse(inside)})"


def _with(node: ast.AST, **fields: object) -> str:
    """The text of a node with some fields changed."""
    changed = copy.copy(node)
    for name, value in fields.items():
        setattr(changed, name, value)
    text = ast.unparse(changed)
    return f"({text})" if isinstance(node, ast.BinOp | ast.BoolOp | ast.Compare) else text
