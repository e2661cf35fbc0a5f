"""The documents: links and paths resolve, lines are short, commands and examples exist, pages have their parts."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import halfstep
from halfstep.app.cli import run
from halfstep.audio.files.io import read as read_audio

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
LIVING = [path for path in PAGES if path.parent in (ROOT, DOCS) and path.name != "CHANGELOG.md"]
"""Pages that say how things are now; experiments, decisions and the changelog say how they were."""
EXPERIMENTS, DECISIONS = (sorted(set((DOCS / part).glob("*.md")) - {DOCS / part / "README.md"})
                          for part in ("experiments", "decisions"))  # fmt: skip
WIDEST = 100
PATHS_BEGIN_AT = (ROOT, ROOT / "src" / "halfstep")
SCRIPTS = ("recipes", "studies", "benchmarks", "tests")


def named(paths: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("path", paths, ids=lambda path: str(path.relative_to(ROOT)))


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def fences(text: str) -> Iterator[tuple[str, str]]:
    """(language, content) of every block of code."""
    for match in re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        yield match.group(1), match.group(2)


def without_fences(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def spans(text: str) -> list[str]:
    """What stands in backticks, outside blocks of code."""
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", without_fences(text))]


def anchors(text: str) -> set[str]:
    """How headings are named in links, in GitHub's way."""
    titles = re.findall(r"^#+ (.+)$", without_fences(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def broken_links(path: Path, text: str) -> list[str]:
    """Relative links of the page at `path` that lead nowhere."""
    targets = re.findall(r"\]\(([^)\s]+)\)", without_fences(text))
    broken = []
    for target in targets:
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        page = (path.parent / file) if file else path
        if not page.exists() or (anchor and anchor not in anchors(text if page == path else read(page))):
            broken.append(target)
    return broken


def long_lines(text: str) -> list[str]:
    """Lines above WIDEST, but for rows of tables."""
    return [line for line in text.splitlines() if len(line) > WIDEST and not line.startswith("|")]


def missing_paths(text: str) -> list[str]:
    """Paths in backticks, of files with an ending or of folders, that are not in the repository."""
    result = (re.match(r"[\w.-]+/[\w./-]*(?=[\s:]|$)|[\w-]+\.(?:py|md|sh|toml)$", span) for span in spans(text))
    paths = [match.group() for match in result if match]
    whole = [path for path in paths if path.endswith("/") or Path(path).suffix in (".py", ".md", ".sh")]
    ours = [path for path in whole if not path.partition("/")[0].isupper()]  # OUT/... is what a command writes
    return [path for path in ours if not any((root / path).exists() for root in PATHS_BEGIN_AT)]


def missing_tests(text: str) -> list[str]:
    """Tests in backticks, FILE::NAME, that their file does not define."""
    result = [span.partition("::") for span in spans(text) if "::" in span]
    return [
        f"{file}::{name}" for file, _, name in result
        if not (ROOT / file).exists() or f"\ndef {name}(" not in read(ROOT / file)
    ]  # fmt: skip


def commands(text: str) -> list[str]:
    """Every command line of `halfstep`, `make` and `python`, in blocks and in backticks; continued lines as one."""
    blocks = [content.replace("\\\n", " ") for language, content in fences(text) if language in ("", "sh")]
    lines = [line for block in blocks for line in block.splitlines()] + spans(text)
    return [line for line in lines if re.match(r"(PYTHONPATH=src )?(halfstep|make|python) ", line)]


def wrong_command(line: str, capsys: pytest.CaptureFixture[str]) -> str | None:
    """What is wrong with a command line: an option or a file that does not exist; None if nothing."""
    program, *words = shlex.split(line.removeprefix("PYTHONPATH=src ").replace("...", ""), comments=True)
    if program == "make":
        makefile = read(ROOT / "Makefile")
        targets = re.findall(r"^([\w-]+):", makefile, re.MULTILINE)
        variables = re.findall(r"\$\((\w+)\)", makefile)
        return next((word for word in words if word not in targets and word.partition("=")[0] not in variables), None)
    if program == "halfstep":
        code = run([*words, "--help"])  # options are read before help is shown
        said = capsys.readouterr()
        return None if code == 0 else said.err
    if words[0] == "-m":
        return None if (ROOT / "src" / words[1].replace(".", "/")).with_suffix(".py").exists() else words[1]
    if not (ROOT / words[0]).exists():
        return words[0]
    script = ROOT / words[0]
    script = read(script / "__main__.py" if script.is_dir() else script)
    return next((word for word in words if word.startswith("--") and f'"{word}"' not in script), None)


@named(PAGES)
def test_links_resolve(path: Path):
    assert broken_links(path, read(path)) == []


@named(PAGES)
def test_lines_are_short(path: Path):
    assert long_lines(read(path)) == []


@named(LIVING)
def test_paths_exist(path: Path):
    assert missing_paths(read(path)) == []


@named(LIVING)
def test_tests_exist(path: Path):
    assert missing_tests(read(path)) == []


def test_every_statement_of_the_paper_has_its_file_its_preset_and_its_test():
    from halfstep.runs.presets import PRESETS

    text = read(DOCS / "paper.md")
    rows = [line.strip("|").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    statements = [row for row in rows if row[0].strip() != "the paper"]
    assert len(statements) > 40
    short = {name: preset for preset, name in re.findall(r"`([a-z]+)`\s+is(?: the\s+preset)?\s+`([\w-]+)`", text)}
    assert set(short.values()) == {"pdd", "ddpm", "fold"}
    assert short.keys() <= PRESETS.keys()
    for statement, files, presets, tests in statements:
        assert re.findall(r"`[\w/]+\.py`", files), statement
        assert re.findall(r"`tests/[\w/]+\.py::test_\w+`", tests), statement
        for preset in presets.split(", "):
            known = {"all", *short.values(), *(f"`{name}`" for name in PRESETS)}
            assert preset in known or preset.startswith("`--set "), statement


def test_a_test_that_is_none_is_found():
    assert missing_tests("`tests/test_docs.py::test_tests_exist`") == []
    assert missing_tests("`tests/test_docs.py::test_tests`, `tests/no.py::test_x`") == [
        "tests/test_docs.py::test_tests", "tests/no.py::test_x",
    ]  # fmt: skip


@named(LIVING)
def test_commands_exist(path: Path, capsys: pytest.CaptureFixture[str]):
    wrong = {line: said for line in commands(read(path)) if (said := wrong_command(line, capsys))}
    assert wrong == {}


def test_the_checks_find_what_is_wrong(capsys: pytest.CaptureFixture[str]):
    page = ROOT / "README.md"
    text = "# A page: now\n[a](docs/nowhere.md) [b](#a-page-now) [c](#b) [d](docs/tour.md#b) [e](CHANGELOG.md)\n"
    assert broken_links(page, text) == ["docs/nowhere.md", "#b", "docs/tour.md#b"]
    assert long_lines(f"| {'a' * 100} |\n{'b' * 100}\n{'c' * 101}") == ["c" * 101]
    assert missing_paths("`app/cli.py`: `run` `app/gone.py` `gone.py` `nets/` `gone/` `tests/test_docs.py`") == [
        "app/gone.py", "gone.py", "gone/",
    ]  # fmt: skip
    lines = [
        "halfstep generate OUT --loop", "halfstep generate OUT --gone", "halfstep gone", "make music", "make gone",
        "python studies/table1.py OUT --seconds 9", "python studies/table1.py --gone", "python gone.py",
    ]  # fmt: skip
    assert commands("```\n" + "\n".join(lines[:4]) + "\n```\n" + " ".join(f"`{line}`" for line in lines[4:])) == lines
    right = [line for line in lines if wrong_command(line, capsys) is None]
    assert right == [line for line in lines if "gone" not in line]


def test_readme_has_its_commands():
    """The two commands come in the first screen, and every command but those that inspect is shown."""
    text = read(ROOT / "README.md")
    assert "make music" in "\n".join(text.splitlines()[:25])
    shown = {line.split()[1] for line in commands(text) if line.startswith("halfstep ")}
    assert shown >= {"generate", "play", "vocode", "bench", "prepare", "train", "distill", "export", "evaluate"}


def test_readmes_python_runs(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The example as it stands, but for the model: a tiny one, whose music takes no time."""
    (example,) = [content for language, content in fences(read(ROOT / "README.md")) if language == "python"]
    tiny = halfstep.load(str(tiny_model))
    monkeypatch.setattr(halfstep, "load", lambda: tiny)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(compile(example, "README.md", "exec"), names)
    audio = names["audio"]
    assert audio.samples.shape == (1, 30 * tiny.sample_rate)
    block = names["block"].samples
    np.testing.assert_array_equal(block, audio.samples[:, : block.shape[1]])
    assert next(names["drift"]).samples.shape[1] > 0
    assert read_audio(tmp_path / "loop.wav").samples.shape == (1, 8 * tiny.sample_rate)


@named(EXPERIMENTS)
def test_an_experiment_says_first_what_it_asked_and_what_came_out(path: Path):
    parts = re.findall(r"^\*\*(\w+)\*\*", read(path).partition("\n## ")[0], re.MULTILINE)
    assert [part.removesuffix("s") for part in parts] in (
        ["Target", "Verdict", "Machine"], ["Question", "Verdict", "Machine"],
    )  # fmt: skip


@named(DECISIONS)
def test_a_decision_has_its_parts(path: Path):
    text = read(path)
    assert re.match(rf"# {int(path.name[:4])}\. ", text)
    parts = re.findall(r"^\*\*(Status|Context|Decision|Consequences)\.\*\*", text, re.MULTILINE)
    assert parts[-3:] == ["Context", "Decision", "Consequences"]
    assert parts[:-3] == ["Status"]


def test_each_decision_has_a_number_of_its_own():
    assert [int(path.name[:4]) for path in DECISIONS] == list(range(1, len(DECISIONS) + 1))


def test_superseded_decisions_say_so_in_their_header():
    index = read(DECISIONS[0].with_name("README.md"))
    superseded = re.findall(r"\]\(([^)]+)\) \| superseded by (\d+) \|$", index, re.MULTILINE)
    assert superseded
    for name, by in superseded:
        header = read(DECISIONS[0].with_name(name)).partition("**Context.**")[0]
        assert f"**Status.** Superseded by [{int(by):04}]" in header


@pytest.mark.parametrize("folder", ["experiments", "decisions"])
def test_indices_name_every_page(folder: str):
    index = read(DOCS / folder / "README.md")
    pages = EXPERIMENTS if folder == "experiments" else DECISIONS
    assert [page.name for page in pages if f"]({page.name})" not in index] == []


@pytest.mark.parametrize("folder", SCRIPTS)
def test_scripts_name_documents_that_exist(folder: str):
    gone = {
        f"{path.name}: {name}"
        for path in (ROOT / folder).rglob("*.py")
        for name in re.findall(r"docs/[\w/-]+(?:\.md)?", read(path))
        if path != Path(__file__) and not (ROOT / name).exists()
    }
    assert gone == set()
