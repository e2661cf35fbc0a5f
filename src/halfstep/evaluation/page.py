"""One HTML page of a report: heard first, then seen, then counted. It loads nothing and runs nothing.

The parts are macros of parts.html; Jinja escapes every value, and what one part gave another takes as it is.
"""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from halfstep.evaluation.figures import ALL_MEASURES, MEASURES, cell

HERE = Path(__file__).parent
ARROWS = {"up": "higher is better", "down": "lower is better", "1": "best at 1", "real": "best as real"}
POLICY = "default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'"


@functools.cache
def _parts() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # late: .1 s

    environment = Environment(loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined)
    return environment.get_template("parts.html").module


def page(title: str, lead: str, sections: Sequence[str]) -> str:
    """A whole document; `sections` are HTML already, title and lead are not."""
    style = (HERE / "page.css").read_text(encoding="utf-8")
    return str(_parts().document(title, lead, _html(sections), POLICY, style))


def section(title: str, *parts: str) -> str:
    return str(_parts().section(title, _html(parts)))


def paragraph(text: str) -> str:
    return str(_parts().paragraph(text))


def listed(texts: Sequence[str]) -> str:
    return str(_parts().listed(texts))


def clips_row(name: str, about: str, own: bool, clips: Sequence[tuple[str, str]]) -> str:
    """Three excerpts: (address of the picture, address of the sound) each."""
    return str(_parts().clips_row(name, about, own, clips))


def picture(address: str, alt: str, caption: str) -> str:
    """A picture as wide as the page, and what it shows."""
    return str(_parts().picture(address, alt, caption))


def figures_table(rows: Sequence[dict[str, Any]]) -> str:
    """Measures down, music along: there are more measures than fit beside each other. The interval below each value."""
    lines = [
        {
            "title": ALL_MEASURES[name][0], "arrow": ARROWS[ALL_MEASURES[name][1]],
            "cells": [_with_interval(row["figures"][name]) for row in rows],
        }
        for name in ALL_MEASURES if name in rows[0]["figures"]
    ]  # fmt: skip
    return str(_parts().figures_table(rows, lines))


def _with_interval(figure: dict[str, Any]) -> dict[str, str]:
    value, _, interval = cell(figure).partition(" ")
    return {"value": value, "interval": interval.strip("()"), "note": figure.get("note") or ""}


def plain_table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    return str(_parts().plain_table(head, rows))


def verdicts_table(verdicts: Sequence[dict[str, Any]]) -> str:
    """Measures down, controls along; why not, where not."""
    names = [name for name in MEASURES if any(one["measure"] == name for one in verdicts)]
    controls = list(dict.fromkeys(one["control"] for one in verdicts))
    of = {(one["measure"], one["control"]): one for one in verdicts}
    lines = [
        [MEASURES[name][0], *(_verdict(of[name, one]) if (name, one) in of else "" for one in controls)]
        for name in names
    ]
    return plain_table(["measure", *controls], lines)


def _verdict(one: dict[str, Any]) -> str:
    if one["passed"]:
        return "passed"
    return f"failed: {one['why']}" if one["passed"] is False else f"not asked: {one['why']}"


def _html(parts: Sequence[str]) -> list[str]:
    """Marked as HTML already."""
    from markupsafe import Markup

    return [Markup(part) for part in parts]  # noqa: S704, what the functions above gave
