"""Does a test notice? Change the arithmetic of a source file in one place, run the tests that mirror it, and again.

    python tests/mutants src/halfstep/diffusion/*.py --out mutants.jsonl
    python tests/mutants src/halfstep/audio/mel.py --share 0.25 --also tests/vocoders --out mutants.jsonl
    python tests/mutants src/halfstep/packing.py --again --out mutants.jsonl     # what survived, after a new test

A mutant is one changed operator, comparison, constant, function (min for max, sin for cos), bound of a slice or
condition, or one statement less. Its tests are the file that mirrors the source, then those beside it, then those of
--also: of these, all that call the changed function, the quickest first, until one fails or the time is up, in a copy
of the tree. What has survived is printed as FILE:LINE kind: before -> after, and every verdict is a line of JSON in
--out: the same command again goes on from there. A share is always the same mutants. Slow tests are left out.
A room whose tests take minutes is measured for minutes before the first mutant: see --mirror and --also.

Exit codes: 0 nothing survived, 1 something did, 2 the tests fail, or there are none, before anything is changed.
"""

import argparse
import contextlib
import importlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from changes import Mutant, mutants_of
from trials import verdicts_of

COPIED = ("src", "tests", "recipes", "studies", "benchmarks", "docs", "pyproject.toml", "README.md", "CHANGELOG.md")
LOADED = (
    "numpy",
    "torch",
    "scipy.signal",
    "soundfile",
    "onnxruntime",
    "onnx.helper",
    "hypothesis.strategies",
    "pytest",
)
ALIVE = ("survived", "not called")


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="mutants", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sources", nargs="+", type=Path, metavar="SOURCE", help="Files below src of --root.")
    parser.add_argument("--root", type=Path, default=Path(__file__).parents[2], help="The tree; this one by default.")
    parser.add_argument("--out", type=Path, help="Lines of JSON, one a mutant; those that are there are not run again.")
    parser.add_argument("--again", action="store_true", help="Run those that have survived in --out, and no other.")
    parser.add_argument("--share", type=float, default=1.0, help="Of all mutants, 0 to 1.")
    parser.add_argument("--also", action="append", default=[], metavar="TEST", help="Tests to run after the room's.")
    parser.add_argument("--mirror", action="store_true", help="No tests of the room but those that mirror the file.")
    parser.add_argument("--lines", metavar="A-B", help="Only mutants of these lines.")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="Of a file; what is left is not run.")
    parser.add_argument(
        "--load", nargs="+", default=LOADED, metavar="MODULE", help="What is loaded once, at the start."
    )
    parser.add_argument("--list", action="store_true", help="Print the mutants and run nothing.")
    options = parser.parse_args()
    root, out = options.root.resolve(), options.out.resolve() if options.out else None
    sources = [path.resolve().relative_to(root) for path in options.sources]
    first, last = map(int, options.lines.split("-")) if options.lines else (1, sys.maxsize)
    alive = 0
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary).resolve()
        if not options.list:
            prepare(root, work, options.load)
        for source in sources:
            text = (root / source).read_bytes()
            mutants = [mutant for mutant in mutants_of(text) if first <= mutant.line <= last]
            mutants = [mutant for mutant in mutants if int(mutant.key[:8], 16) < options.share * 2**32]
            if options.list:
                print(*(described(source, mutant) for mutant in mutants), sep="\n")
                continue
            before = known(out, source)
            verdicts = {mutant.key: before[mutant.key] for mutant in mutants if mutant.key in before}
            waiting = [
                mutant
                for mutant in mutants
                if (verdicts.get(mutant.key) in ALIVE if options.again else mutant.key not in verdicts)
            ]
            if waiting:
                tests = tests_of(root, source, options.also, options.mirror)
                until = time.monotonic() + 60 * options.minutes
                try:
                    for mutant, verdict in verdicts_of(work, source, text, tests, waiting):
                        verdicts[mutant.key] = verdict
                        if verdict in ALIVE:
                            print(
                                described(source, mutant),
                                *([] if verdict == ALIVE[0] else [f"({verdict})"]),
                                flush=True,
                            )
                        if out is not None:
                            keep(out, source, mutant, verdict)
                        if time.monotonic() > until:
                            break
                except ValueError as fault:
                    print(f"{source}: {fault}", file=sys.stderr)
                    return 2
            counts = Counter(verdicts.get(mutant.key, "not run") for mutant in mutants)
            alive += sum(counts[verdict] for verdict in ALIVE)
            print(f"{source}: {len(mutants)} mutants, {', '.join(f'{counts[what]} {what}' for what in sorted(counts))}")
    return int(alive > 0)


def prepare(root: Path, work: Path, loaded: Sequence[str]) -> None:
    """A copy of the tree, in which this process and its children run; and all that tests load but the project."""
    work.chmod(0o755)  # some tests are another user
    for name in COPIED:
        if (root / name).is_dir():
            shutil.copytree(root / name, work / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif (root / name).exists():
            shutil.copy(root / name, work / name)
    os.chdir(work)
    os.environ |= {
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(work / "src"),
        "CI": "1",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }
    sys.path.insert(0, str(work / "src"))
    for name in loaded:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    if "hypothesis" in sys.modules:
        from hypothesis import Phase, settings

        # The example that fails is of no interest, so it is not made simpler.
        settings.register_profile("mutants", phases=(Phase.explicit, Phase.generate))
        settings.load_profile("mutants")


def tests_of(root: Path, source: Path, also: list[str], mirror: bool) -> list[list[str]]:
    """Groups of test files: those that mirror `source`, a file or a folder; the others in its room; --also."""
    inside = source.relative_to("src").parts[1:]
    room = Path("tests", *inside[:-1])
    named = [
        room / f"test_{source.stem}.py",
        room / source.stem,
        *([room] if len(inside) > 1 and not mirror else []),
        *map(Path, also),
    ]
    return [_test_files(root, path) for path in named if (root / path).exists()]


def _test_files(root: Path, path: Path) -> list[str]:
    files = sorted((root / path).rglob("test_*.py")) if (root / path).is_dir() else [root / path]
    return [str(file.relative_to(root)) for file in files]


def known(out: Path | None, source: Path) -> dict[str, str]:
    """Key -> verdict in a file, the last of each mutant."""
    if out is None or not out.exists():
        return {}
    lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    return {line["key"]: line["verdict"] for line in lines if line["source"] == source.as_posix()}


def keep(out: Path, source: Path, mutant: Mutant, verdict: str) -> None:
    names = ("key", "line", "kind", "before", "after")
    line = {"source": source.as_posix(), **{name: getattr(mutant, name) for name in names}, "verdict": verdict}
    with out.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def described(source: Path, mutant: Mutant) -> str:
    return f"{source}:{mutant.line} {mutant.kind}: {mutant.before} -> {mutant.after}"


if __name__ == "__main__":
    sys.exit(main())
