"""Errors name options on the command line and arguments in Python: every one that is raised, and what is said."""

import ast
import pickle
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import halfstep
from halfstep.app.cli import run
from halfstep.app.generate.composing import OPTIONS
from halfstep.data.dataset import Library
from halfstep.data.sources import find
from halfstep.data.windows import Windows
from halfstep.errors import InputError, NamedError, unbraced
from halfstep.evaluation.subject import open_subject
from halfstep.metrics.judges.embedding import embedding
from halfstep.own_folder import REPORT, enter
from halfstep.runs.experiment import with_settings
from halfstep.runs.export_model import Card, ExportConfig, export_run
from halfstep.runs.presets import preset
from halfstep.runs.train import train_command

SOURCES = Path(halfstep.__file__).parent
RAISED = {"InputError", "NamedError", "RequestError", "ValueError", "refuse"}
OPTION = re.compile(r"(?<![\w-])--[a-z]")
COMMAND = re.compile(r"`halfstep [^`]*`")
"""A command that is to be run has its options, whoever reads of it."""
PYTHON_ALONE = {"block_seconds", "over_seconds", "licence"}


def _said() -> Iterator[tuple[str, str, str]]:
    """(place, what is raised, its text) of every error that the package can raise; `{}` is what is filled in."""
    for path in sorted(SOURCES.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in RAISED:
                text = "".join(
                    part.value if isinstance(part.value, str) else "{}"
                    for argument in node.args for part in _parts(argument)
                )  # fmt: skip
                yield f"{path.relative_to(SOURCES)}:{node.lineno}", node.func.id, text


def _parts(argument: ast.expr) -> list[Any]:
    return (
        argument.values
        if isinstance(argument, ast.JoinedStr)
        else [argument]
        if isinstance(argument, ast.Constant)
        else []
    )


def test_no_error_below_the_command_line_names_an_option():
    said = list(_said())
    assert len(said) > 250, "the search finds them"
    wrong = [
        (place, text) for place, _, text in said
        if not place.startswith("app/") and OPTION.search(COMMAND.sub("", text))
    ]  # fmt: skip
    assert wrong == []


def test_every_argument_an_error_names_has_its_option():
    named = {
        name
        for _, raised, text in _said() if raised not in ("InputError", "ValueError")
        for name in re.findall(r"(?<!\{)\{(\w+)\}(?!\})", text)
    }  # fmt: skip
    assert len(named) > 20
    assert named - PYTHON_ALONE <= OPTIONS.keys()


@pytest.fixture
def take(tmp_path: Path) -> str:
    """A recording of two seconds."""
    soundfile.write(tmp_path / "take.wav", 0.1 * np.sin(np.arange(16000) / 5), 8000)
    return str(tmp_path / "take.wav")


GENERATED: list[tuple[list[str], dict[str, Any], str]] = [
    (["--seconds", "0"], {"seconds": 0}, "{seconds} is 0: give a number above 0 and at most 86400"),
    (["--seconds", "nan"], {"seconds": float("nan")}, "{seconds} is nan: give a number above 0"),
    (["--seed", "-1"], {"seed": -1}, "{seed} is -1: give a whole number from 0"),
    (["--toward", "-2"], {"toward": -2}, "{toward} is -2: give a whole number from 0"),
    (["--steps", "3"], {"steps": 3}, "{steps} 3: model tiny-gauss serves 1, 4; choose one of these"),
    (["--vary", "2"], {"variation": 2}, "{variation} is 2: give a number from 0, the same, to 1"),
    (["--vocoder", "{seed}"], {"vocoder": "{seed}"}, "{vocoder} is {{seed}}: the only name is griffin-lim"),
    (["--sampler", "euler"], {"sampler": "euler"}, "{sampler} is euler: give one of"),
    (["--respacing", "odd"], {"respacing": "odd"}, "{respacing} is odd: give one of"),
    (["--sampler", "ancestral"], {"sampler": "ancestral"}, "{sampler}, {respacing}: the network for 4 steps"),
    (
        ["--loop", "--toward", "2"], {"loop": True, "toward": 2},
        "{toward}: a {loop} ends where it began; say how far with {variation}",
    ),
    (["--loop", "--seconds", "1000"], {"loop": True, "seconds": 1000}, "{seconds} is 1000: a loop takes"),
    (["--into", "TAKE"], {"into": "TAKE"}, "{into}: name the recording before it: {context}"),
    (
        ["--continue", "TAKE", "--into", "TAKE", "--loop"], {"context": "TAKE", "into": "TAKE", "loop": True},
        "{into}: a {loop} leads into its own beginning; leave one out",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("words", "arguments", "line"), GENERATED)
def test_what_cannot_be_generated(
    words: list[str], arguments: dict[str, Any], line: str, tiny_model: Path, take: str,
    tmp_path: Path, capsys: pytest.CaptureFixture[str],
):  # fmt: skip
    words = [take if word == "TAKE" else word for word in words]
    arguments = {"seconds": 1} | {name: take if value == "TAKE" else value for name, value in arguments.items()}
    assert run(["generate", str(tmp_path / "out.wav"), "--model", str(tiny_model), *words]) == 2
    assert line.format_map(OPTIONS) in capsys.readouterr().err
    with pytest.raises(InputError) as refused:
        halfstep.load(tiny_model).generate(**arguments)
    assert line.format_map({name: name for name in OPTIONS}) in str(refused.value)


@pytest.mark.parametrize(
    ("words", "span", "line"),
    [
        (["--from", "1", "--to", "9"], (1, 9), "{start} 1, {stop} 9: give two times in order, inside the recording's"),
        (["--from", ".01", "--to", "1"], (0.01, 1), "s before it are needed to join to; take {start} 0"),
        (["--from", "1", "--to", "1.98"], (1, 1.98), "s after it are needed to join to; take {stop} 2.000"),
    ],
)
def test_what_cannot_be_mended(
    words: list[str], span: tuple[float, float], line: str, tiny_model: Path, take: str,
    tmp_path: Path, capsys: pytest.CaptureFixture[str],
):  # fmt: skip
    assert run(["generate", str(tmp_path / "out.wav"), "--model", str(tiny_model), "--mend", take, *words]) == 2
    assert line.format_map(OPTIONS) in capsys.readouterr().err
    with pytest.raises(InputError) as refused:
        halfstep.load(tiny_model).mend(take, *span)
    assert line.format_map({name: name for name in OPTIONS}) in str(refused.value)


def test_a_mend_goes_with_no_length_of_its_own(take: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    for words, line in (
        (["--mend", take], "--mend: give the span to regenerate: --from and --to"),
        (["--from", "1"], "--from and --to: they say where to --mend a recording: name it"),
        (["--mend", take, "--seconds", "1"], "--seconds: --mend keeps a recording's own length and ends; leave it out"),
    ):
        assert run(["generate", str(tmp_path / "out.wav"), *words]) == 2
        assert line in capsys.readouterr().err


MADE: list[tuple[list[str], Callable[[Path, Path], Any], str]] = [
    (
        ["train", "DATA", "--out", "RUN", "--preset", "basic"], lambda _, __: preset("basic"),
        "{preset} basic: not known; there are tiny, base",
    ),
    (
        ["train", "DATA", "--out", "RUN", "--preset", "tiny", "--set", "train.pace=1"],
        lambda _, __: with_settings(preset("tiny"), ["train.pace=1"]),
        "{settings} train.pace=1: no setting of that name",
    ),
    (
        ["train", "DATA", "--out", "RUN", "--preset", "tiny", "--set", "train.seed={to}"],
        lambda _, __: with_settings(preset("tiny"), ["train.seed={to}"]),
        "{settings} train.seed={{to}}: a value like 0 was expected",
    ),
    (
        ["train", "DATA", "--out", "RUN", "--preset", "tiny", "--set=music.frames=24", "--set=train.batch_size=64"],
        lambda data, _: Windows(Library(data), "train", 24).expect(64, "train.batch_size"),
        "take smaller batches: {settings} train.batch_size=",
    ),
    (
        ["train", "DATA", "--out", "RUN", "--preset", "tiny", "--from", "RUN"],
        lambda data, run: train_command(data, run, "tiny", [], None, _silent, run),
        "{start} RUN: not a finished run",
    ),
    (
        ["train", "DATA", "--out", "RUN", "--preset", "flagship"],
        lambda data, run: train_command(data, run, "flagship", [], None, _silent),
        "prepare it again with {preset} flagship",
    ),
    (
        ["prepare", "DATA", "--out", "DATA"], lambda data, _: find([data], data),
        "lies in the data set's own folder, {out} DATA; choose another {out}",
    ),
    (
        ["export", "RUN", "--out", "MODEL", "--weights", "int3"],
        lambda _, __: ExportConfig(weights="int3"), "{weights} int3: one of",
    ),
    (
        ["export", "RUN", "--out", "MODEL", "--licence", "MIT\x1b[2J"],
        lambda _, run: export_run(run, run / "m", Card(id="m", licence="MIT\x1b[2J")),
        "{licence} 'MIT\\x1b[2J': printable text of at most 4000 characters was expected",
    ),
    (
        ["export", "RUN", "--out", "DATA"],
        lambda data, run: export_run(run, data, Card(id="m")), "DATA: not empty; choose another {out}, or remove it",
    ),
    (
        ["evaluate", "MODEL", "--data", "DATA", "--out", "REPORT", "--embedding", "wav2vec"],
        lambda _, __: embedding("wav2vec"), "{embedding} wav2vec: give musicnn, or",
    ),
    (
        ["evaluate", "MODEL", "--data", "DATA", "--out", "REPORT", "--teacher-steps", "8"],
        lambda data, _: open_subject(str(data.parent / "model"), data.parent, (8,)).__enter__(),
        "{teacher_steps} 8: tiny-gauss serves 1, 4; a network that was never distilled is needed",
    ),
    (
        ["evaluate", "MODEL", "--data", "DATA", "--out", "DATA"], lambda data, _: enter(data, REPORT),
        "DATA: not empty, and no report made by halfstep; choose another {out}",
    ),
]  # fmt: skip


def _silent(*_: object) -> None:
    pass


@pytest.mark.parametrize(("words", "call", "line"), MADE, ids=[line for _, _, line in MADE])
def test_what_cannot_be_made(
    words: list[str], call: Callable[[Path, Path], Any], line: str, library: Path, tiny_model: Path,
    tmp_path: Path, capsys: pytest.CaptureFixture[str],
):  # fmt: skip
    places = {name: tmp_path / name.lower() for name in ("DATA", "RUN", "MODEL", "REPORT")}
    places["DATA"].symlink_to(library)
    places["MODEL"].symlink_to(tiny_model)
    for name, place in places.items():
        line = line.replace(name, str(place))
    assert run([str(places.get(word, word)) for word in words]) == 2
    assert line.format_map(OPTIONS) in capsys.readouterr().err
    with pytest.raises(InputError) as refused:
        call(places["DATA"], places["RUN"])
    assert line.format_map({name: name for name in OPTIONS}) in str(refused.value)


def test_a_named_error_from_another_process_still_takes_names():
    came = pickle.loads(pickle.dumps(NamedError(f"{{seed}} {unbraced('{0')}: a number")))
    assert (str(came), came.named({"seed": "--seed"})) == ("seed {0: a number", "--seed {0: a number")
