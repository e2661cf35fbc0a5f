"""The report's page: every value that somebody else gave is shown, never obeyed."""

import pytest

from halfstep.evaluation import page
from halfstep.evaluation.figures import MEASURES

HOSTILE = "<script>'\"&"
NAME = next(iter(MEASURES))
FIGURE = {"value": 1.5, "low": 1.0, "high": 2.0, "note": HOSTILE, "windows": 3}
ROW = {"name": HOSTILE, "steps": 4, "windows": 5, "figures": {NAME: FIGURE}}


@pytest.mark.parametrize(
    "html",
    [
        lambda: page.paragraph(HOSTILE),
        lambda: page.listed([HOSTILE]),
        lambda: page.section(HOSTILE),
        lambda: page.picture("data:,", HOSTILE, HOSTILE),
        lambda: page.plain_table([HOSTILE], [[HOSTILE]]),
        lambda: page.clips_row(HOSTILE, HOSTILE, True, [("data:,", "data:,")]),
        lambda: page.figures_table([ROW]),
        lambda: page.verdicts_table([{"measure": NAME, "control": HOSTILE, "passed": False, "why": HOSTILE}]),
        lambda: page.page(HOSTILE, HOSTILE, []),
    ],
)
def test_what_others_named_is_escaped(html):
    assert "&lt;script&gt;&#39;&#34;&amp;" in html() and HOSTILE not in html()


def test_parts_within_parts_are_html():
    whole = page.page("t", "l", [page.section("s", page.paragraph("a & b"), page.listed(["c"]))])
    assert "<section><h2>s</h2><p>a &amp; b</p><ul><li>c</li></ul></section>" in whole
    assert whole.startswith("<!doctype html>") and whole.endswith("</html>\n")
