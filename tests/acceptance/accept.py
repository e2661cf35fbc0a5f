"""Every fault of the list, one after another: what was survived, counted, and a reason for whatever was not tried.

python tests/acceptance/accept.py [--quick] [--json FILE]; --quick leaves out what is marked slow.
Exit code 1 if any row fails.
"""

import argparse
import json
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from rows import ROWS, Row

ROOT = Path(__file__).parents[2]


class Outcomes:
    """A plugin that keeps what came of every test, and why one was skipped."""

    def __init__(self) -> None:
        self.of: dict[str, tuple[str, str]] = {}
        self.left_out: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped and isinstance(report.longrepr, tuple):
            self.of[report.nodeid] = ("skipped", str(report.longrepr[2]).removeprefix("Skipped: "))
        elif report.failed:
            self.of[report.nodeid] = ("failed", report.when or "")
        elif report.when == "call":
            self.of.setdefault(report.nodeid, ("passed", ""))

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        self.left_out += [item.nodeid for item in items]


def belongs(node: str, test: str) -> bool:
    """Whether a test that ran is (of) the one that a row names."""
    return node == test or node.startswith((f"{test}::", f"{test}["))


def verdict(row: Row, outcomes: Outcomes) -> dict[str, object]:
    """What came of a row: survived, failed or skipped, its tests counted, and why some were not run."""
    mine = {node: what for node, what in outcomes.of.items() if any(belongs(node, test) for test in row.tests)}
    counts = Counter(what for what, _ in mine.values())
    slow = sum(any(belongs(node, test) for test in row.tests) for node in outcomes.left_out)
    reasons = sorted({why for what, why in mine.values() if what == "skipped"})
    if slow:
        reasons.append(f"{slow} slow tests left out")
    if row.untested:
        reasons.append(row.untested)
    result = "FAILED" if counts["failed"] else "survived" if counts["passed"] else "skipped"
    return {"row": row.name, "fault": row.fault, "result": result, "passed": counts["passed"],
            "failed": counts["failed"], "skipped": counts["skipped"], "reasons": reasons}  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="accept.py", description="Every fault of the list, and what came of it.")
    parser.add_argument("--quick", action="store_true", help="without the tests that are marked slow")
    parser.add_argument("--json", type=Path, help="write the summary there too")
    options = parser.parse_args(arguments)
    tests = sorted({test for row in ROWS for test in row.tests})
    outcomes, begun = Outcomes(), time.monotonic()
    chosen = ["-m", "not slow and not gpu"] if options.quick else ["-m", "not gpu"]
    code = pytest.main(["-q", "--no-header", "-p", "no:xdist", f"--rootdir={ROOT}", *chosen, *tests], [outcomes])
    rows = [verdict(row, outcomes) for row in ROWS]
    for row in rows:
        reasons = row["reasons"]
        assert isinstance(reasons, list)
        why = f"  ({'; '.join(reasons)})" if reasons else ""
        print(f"{row['row']:4} {row['result']:9} {row['passed']:4} passed  {row['fault']}{why}")
    results = Counter(str(row["result"]) for row in rows)
    minutes = (time.monotonic() - begun) / 60
    counted = ", ".join(f"{results[name]} {name}" for name in ("survived", "FAILED", "skipped"))
    print(f"{len(rows)} faults: {counted}; {len(outcomes.of)} tests in {minutes:.1f} minutes")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return 1 if results["FAILED"] or code not in (0, 5) else 0


if __name__ == "__main__":
    sys.exit(main())
