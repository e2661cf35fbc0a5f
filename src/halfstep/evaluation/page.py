"""One HTML page of a report: heard first, then seen, then counted. It loads nothing and runs nothing."""

import html
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from halfstep.evaluation.figures import MEASURES, cell

STYLE = Path(__file__).with_name("page.css")
ARROWS = {"up": "higher is better", "down": "lower is better", "1": "best at 1", "real": "best as real"}


def escaped(text: object) -> str:
    return html.escape(str(text), quote=True)


def page(title: str, lead: str, sections: Sequence[str]) -> str:
    """A whole document; `sections` are HTML already, title and lead are not."""
    policy = "default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escaped(title)}</title><style>{STYLE.read_text(encoding='utf-8')}</style></head><body>"
        f'<header><h1>{escaped(title)}</h1><p class="soft">{escaped(lead)}</p></header>'
        + "\n".join(sections)
        + "</body></html>\n"
    )


def section(title: str, *parts: str) -> str:
    return f"<section><h2>{escaped(title)}</h2>{''.join(parts)}</section>"


def paragraph(text: str) -> str:
    return f"<p>{escaped(text)}</p>"


def listed(texts: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{escaped(text)}</li>" for text in texts) + "</ul>"


def clips_row(name: str, about: str, own: bool, clips: Sequence[tuple[str, str]]) -> str:
    """Three excerpts: (address of the picture, address of the sound) each."""
    figures = "".join(
        f'<figure><img src="{picture}" alt="spectrogram of {escaped(name)}, excerpt {number}">'
        f'<audio controls preload="metadata" src="{sound}"></audio></figure>'
        for number, (picture, sound) in enumerate(clips, 1)
    )
    kind = "row own" if own else "row"
    head = f'<h3>{escaped(name)}</h3><p class="soft">{escaped(about)}</p>'
    return f'<div class="{kind}">{head}<div class="clips">{figures}</div></div>'


def picture(address: str, alt: str, caption: str) -> str:
    """A picture as wide as the page, and what it shows."""
    image = f'<img class="plot" src="{address}" alt="{escaped(alt)}">'
    return f'<figure class="plain">{image}<figcaption>{escaped(caption)}</figcaption></figure>'


def figures_table(rows: Sequence[dict[str, Any]]) -> str:
    """Measures down, music along: there are more measures than fit beside each other. The interval below each value."""
    names = [name for name in MEASURES if name in rows[0]["figures"]]
    head = "".join(f"<th{_own(row)}>{escaped(row['name'])}<small>{row['windows']} windows</small></th>" for row in rows)
    lines = []
    for name in names:
        title, arrow = MEASURES[name][0], ARROWS[MEASURES[name][1]]
        cells = "".join(f"<td{_own(row)}>{_with_interval(row['figures'][name])}</td>" for row in rows)
        lines.append(f"<tr><td>{escaped(title)}<small>{arrow}</small></td>{cells}</tr>")
    return f'<div class="wide" tabindex="0"><table><tr><th>measure</th>{head}</tr>{"".join(lines)}</table></div>'


def _own(row: dict[str, Any]) -> str:
    """The mark of music that the model made."""
    return ' class="own"' if row["steps"] else ""


def _with_interval(figure: dict[str, Any]) -> str:
    value, _, interval = cell(figure).partition(" ")
    note = f' title="{escaped(figure["note"])}"' if figure.get("note") else ""
    return f"<span{note}>{escaped(value)}</span><small>{escaped(interval.strip('()'))}</small>"


def plain_table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    top = "".join(f"<th>{escaped(name)}</th>" for name in head)
    lines = "".join("<tr>" + "".join(f"<td>{escaped(value)}</td>" for value in row) + "</tr>" for row in rows)
    return f'<div class="wide" tabindex="0"><table><tr>{top}</tr>{lines}</table></div>'


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
