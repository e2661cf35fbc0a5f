"""What is inside: a bill of materials, a licence of every package, and what is known against them.

    python recipes/release/bill.py OUT [--python PYTHON]

OUT/sbom.json is CycloneDX, OUT/licences.md a table, OUT/audit.txt what pip-audit says, of the packages in the
environment of PYTHON (this one, if not given): make it as a user would, with pip install dist/*.whl. It needs
cyclonedx-bom, pip-licenses and pip-audit: pip install --group bill. Exit code 1 where a licence is not on the list
below, or a package has a known weakness; an index that knows of none is said, and no failure.
"""

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

from halfstep.markdown import markdown_table

FREE = re.compile(
    r"\b(MIT|MIT-0|MIT-CMU|BSD|0BSD|Apache|ISC|PSF|MPL|Unlicense|Zlib|CC0|HPND|Python Software Foundation|LGPL)\b", re.I
)
"""Licences under which a package may be used beside ours: the lesser GPL because it is loaded, not copied in."""
NOT_FREE = re.compile(r"(?<!L)(?<!Lesser )\b(A?GPL|General Public License|Proprietary|Commercial)\b", re.I)
UNREACHED = ("not found on PyPI and could not be audited", "ConnectionError", "Max retries")


def licences(python: str) -> list[dict[str, str]]:
    """Name, Version and License of every package there."""
    words = [sys.executable, "-m", "piplicenses", "--python", python, "--format", "json", "--from", "mixed"]
    return json.loads(subprocess.run(words, capture_output=True, text=True, check=True).stdout)


def refused(packages: list[dict[str, str]]) -> list[str]:
    """Those whose licence is none of the free ones: none at all, or one that reaches over to what uses it."""
    named = {f"{one['Name']}: {one['License']}": one["License"] for one in packages}
    plain = {line: licence.replace("Lesser General Public License", "LGPL") for line, licence in named.items()}
    return [line for line, licence in plain.items() if not FREE.search(licence) or NOT_FREE.search(licence)]


def table(packages: list[dict[str, str]]) -> str:
    rows = [(one["Name"], one["Version"], one["License"]) for one in packages]
    return markdown_table(["package", "version", "licence"], rows)


def audited(site: str) -> tuple[bool, str]:
    """Whether nothing is known against the packages of a folder; and what was said."""
    done = subprocess.run(
        [sys.executable, "-m", "pip_audit", "--path", site, "--progress-spinner", "off"], capture_output=True, text=True
    )
    said = done.stdout + done.stderr
    if any(sign in said for sign in UNREACHED):
        return True, f"not audited: the index here knows of no weaknesses, or is not reached\n\n{said}"
    return done.returncode == 0, said


def main() -> int:
    parser = argparse.ArgumentParser(description="Bill of materials, licences, audit.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--python", default=sys.executable, help="whose environment")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    bill = [sys.executable, "-m", "cyclonedx_py", "environment", options.python, "--output-reproducible"]
    subprocess.run([*bill, "--of", "JSON", "-o", str(options.out / "sbom.json")], check=True)
    packages = licences(options.python)
    (options.out / "licences.md").write_text(table(packages), encoding="utf-8")
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = subprocess.run([options.python, "-c", where], capture_output=True, text=True, check=True).stdout.strip()
    clean, said = audited(site)
    (options.out / "audit.txt").write_text(said, encoding="utf-8")
    wrong = refused(packages)
    print(f"{len(packages)} packages, {len(wrong)} of another licence; {said.splitlines()[0] if said else 'audited'}")
    for line in wrong:
        print(line)
    return 0 if clean and not wrong else 1


if __name__ == "__main__":
    sys.exit(main())
