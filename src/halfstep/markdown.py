"""A table as Markdown."""

from collections.abc import Iterable, Sequence

from halfstep.printable import printable

MEANT = str.maketrans({mark: "\\" + mark for mark in "\\|<`*"})
"""What Markdown would obey in a name that somebody else gave."""


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """The head, a rule, and a line a row, each ended by a newline. Every cell is shown as it stands."""
    return "".join(_line(cells) for cells in (head, ["---"] * len(head), *rows))


def _line(cells: Sequence[str]) -> str:
    return "|" + "".join(f" {_shown(cell)} |" if cell else " |" for cell in cells) + "\n"


def _shown(cell: str) -> str:
    """The cell with nothing in it to obey: brackets alone are an interval, before a parenthesis they are a link."""
    return printable(cell).translate(MEANT).replace("](", "]\\(")
