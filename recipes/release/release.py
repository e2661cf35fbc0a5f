"""Build a release and look at it from all sides: what is checked before anything is published.

    python recipes/release/release.py dist --install       # any commit: build twice, compare, look inside, play
    python recipes/release/release.py dist --tagged        # the commit of a version: its tag and changelog entry too

It needs build, hatchling and twine: pip install --group release. Publishing is the work of
.github/workflows/release.yml, by a token that lives for minutes; nobody has a password to lose.
"""

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
MOST_WHEEL_BYTES = 60_000_000
NEEDED = ("halfstep/py.typed", "halfstep/models/piano/model.json", "halfstep/app/page/site/index.html")


class Refused(Exception):
    """Why this is no release."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Build a release, and refuse it if anything about it is wrong.")
    parser.add_argument("out", type=Path, help="the folder of wheel and sdist, made here")
    parser.add_argument("--tagged", action="store_true", help="the commit must be that of a version")
    parser.add_argument("--install", action="store_true", help="install the wheel in a clean environment and play")
    wanted = parser.parse_args()
    try:
        release(wanted.out, wanted.tagged, wanted.install)
    except Refused as reason:
        sys.exit(f"no release: {reason}")


def release(out: Path, tagged: bool, install: bool) -> None:
    if tagged:
        check_version(version())
    built = [build(out), build(Path(tempfile.mkdtemp()) / "again")]
    first, second = ({file.name: sha256(file) for file in files} for files in built)
    if first != second:
        raise Refused(f"built twice, it differs: {first} and {second}")
    subprocess.run([sys.executable, "-m", "twine", "check", "--strict", *map(str, built[0])], check=True)
    wheel = next(file for file in built[0] if file.suffix == ".whl")
    check_wheel(wheel)
    if install:
        play_from(wheel)
    for name, digest in first.items():
        print(f"{digest}  {name}")


def version() -> str:
    result = re.search(r'^__version__ = "(.+)"$', (ROOT / "src/halfstep/__init__.py").read_text("utf-8"), re.MULTILINE)
    assert result is not None, "the package states its version"
    return result[1]


def check_version(number: str) -> None:
    """Refused unless the changelog tells of it, and the commit has its tag."""
    if not re.search(rf"^## \[?{re.escape(number)}\]?( |$)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE):
        raise Refused(f"CHANGELOG.md has no entry '## {number}'")
    if f"v{number}" not in git("tag", "--points-at", "HEAD").split():
        raise Refused(f"the commit has no tag v{number}")


def build(out: Path) -> list[Path]:
    """sdist, and the wheel made of that sdist; every time in them is that of the commit."""
    shutil.rmtree(out, ignore_errors=True)
    environment = os.environ | {"SOURCE_DATE_EPOCH": git("log", "-1", "--format=%ct").strip()}
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)]
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    return sorted(out.iterdir())


def check_wheel(wheel: Path) -> None:
    """Refused unless it holds every file of the package that git knows, and nothing but these; and is not too big."""
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    known = {line.removeprefix("src/") for line in git("ls-files", "src").splitlines()}
    if lacking := sorted({*NEEDED, *known} - names):
        raise Refused(f"the wheel lacks {', '.join(lacking)}")
    if foreign := sorted(names - known):
        raise Refused(f"the wheel holds what git does not know: {', '.join(foreign)}")
    if (size := wheel.stat().st_size) > MOST_WHEEL_BYTES:
        raise Refused(f"the wheel has {size} bytes, {MOST_WHEEL_BYTES} at most were expected")
    print(f"{wheel.name}: {len(names)} files, {size / 1e6:.1f} MB")


def play_from(wheel: Path) -> None:
    """A second of music from a new environment that holds the wheel and what it asks for, and nothing else."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        commands = Path(folder) / ("Scripts" if os.name == "nt" else "bin")
        subprocess.run([commands / "python", "-m", "pip", "install", "--quiet", str(wheel)], check=True)
        out = Path(folder) / "music.wav"
        subprocess.run([commands / "halfstep", "generate", str(out), "--seconds", "1"], check=True, cwd=folder)
        subprocess.run([commands / "halfstep", "doctor"], check=True, cwd=folder)


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    main()
