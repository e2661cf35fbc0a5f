"""Which licences may stand beside ours."""

import runpy
from pathlib import Path

import pytest

BILL = runpy.run_path(str(Path(__file__).parents[2] / "recipes" / "release" / "bill.py"))


@pytest.mark.parametrize(
    ("licence", "free"),
    [
        ("MIT License", True),
        ("BSD-3-Clause AND 0BSD AND MIT AND Zlib AND CC0-1.0", True),
        ("3-Clause BSD License", True),
        ("LGPL-2.1-or-later", True),
        ("GNU Lesser General Public License v2 or later (LGPLv2+)", True),
        ("ISC License (ISCL)", True),
        ("GPL-3.0-only", False),
        ("GNU General Public License v3 (GPLv3)", False),
        ("AGPL-3.0", False),
        ("UNKNOWN", False),
        ("Proprietary", False),
    ],
)
def test_licences(licence: str, free: bool):
    package = {"Name": "one", "Version": "1", "License": licence}
    assert BILL["refused"]([package]) == ([] if free else [f"one: {licence}"])
    assert f"| one | 1 | {licence} |" in BILL["table"]([package])
