"""halfstep evaluate as a command: the page, twice the same JSON, what it refuses, the controls."""

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from halfstep.app.cli import run
from halfstep.evaluation.figures import MEASURES, MUSIC_MEASURES, cell

SMALL = ["--windows", "10", "--seams", "3", "--streams", "2", "--stream-seconds", "10", "--workers", "1"]


@pytest.fixture(scope="module")
def report(data: Path, model: Path) -> Path:
    out = data.parent / "report"
    assert run(["evaluate", str(model), "--data", str(data), "--out", str(out), *SMALL]) == 0
    return out


@pytest.mark.slow
def test_rows_stand_together_and_noise_is_last(report: Path):
    result = json.loads((report / "report.json").read_text())
    kinds = [row["kind"] for row in result["rows"]]
    assert [kind for kind in kinds if kind != "heldout"] == ["real", "ceiling", "student", "student", "noise"]
    assert [row["steps"] for row in result["rows"] if row["kind"] == "student"] == [4, 1]
    for row in result["rows"]:
        assert set(row["figures"]) == set(MEASURES)
        valued = [figure for figure in row["figures"].values() if figure["value"] is not None]
        assert all(figure["low"] <= figure["value"] <= figure["high"] for figure in valued)
    fad = {row["kind"]: row["figures"]["fad"]["value"] for row in result["rows"]}
    assert fad["real"] < fad["noise"]
    assert result["ceiling"]["mel_l1"]["value"] > 0
    assert set(result["continuity"]) == {"4", "1"}
    assert result["pairs"] == []
    bias = result["bias"]["fad_infinity"]
    assert bias["low"] <= bias["value"] <= bias["high"]
    assert "so that 0 is the truth" in (report / "report.md").read_text()


@pytest.mark.slow
def test_streams_have_rows_of_their_own_and_music_stands_first(report: Path):
    result = json.loads((report / "report.json").read_text())
    kinds = [row["kind"] for row in result["streams"]]
    assert [kind for kind in kinds if kind != "heldout"] == ["real", "ceiling", "student", "student", "noise"]
    assert all(set(row["figures"]) == set(MUSIC_MEASURES) for row in result["streams"])
    assert {row["windows"] for row in result["streams"] if row["kind"] != "heldout"} == {2}
    tuned = {row["kind"]: row["figures"]["tuning"]["value"] for row in result["streams"]}
    assert tuned["real"] > 0.9
    assert max(tuned["noise"], tuned["student"]) < 0.4
    text = (report / "report.md").read_text()
    assert text.index("Streams of 10 s") < text.index("Windows") < text.index("FAD-inf")
    assert list(MEASURES)[: len(MUSIC_MEASURES)] == list(MUSIC_MEASURES)
    assert "Streams of 10 s" in (report / "report.html").read_text()


@pytest.mark.slow
def test_the_page_holds_all_and_loads_nothing(report: Path):
    page = (report / "report.html").read_text()
    assert len(re.findall("<audio ", page)) == len(re.findall("data:audio/mpeg;base64,", page)) >= 15
    assert page.count("data:image/png;base64,") >= 17
    assert not re.search(r"""(src|href)=["'](?!data:)""", page)
    assert "<script" not in page
    assert "gauss, 4 steps" in page
    for text in (page, (report / "report.md").read_text()):
        assert len(re.findall(r"kernel median 0\.\d{3}", text)) >= 3 * 5


@pytest.mark.slow
def test_again_the_same_json_comes_out(report: Path, data: Path, model: Path):
    before = (report / "report.json").read_bytes()
    assert run(["evaluate", str(model), "--data", str(data), "--out", str(report), *SMALL]) == 0
    assert (report / "report.json").read_bytes() == before


def judged_files(out: Path) -> list[Path]:
    return sorted(out.glob("work/*/[!.]*.npz"))


@pytest.mark.slow
def test_two_workers_killed_in_the_middle_go_on_to_the_same_json(report: Path, data: Path, model: Path, tmp_path: Path):
    out = tmp_path / "killed"
    command = ["evaluate", str(model), "--data", str(data), "--out", str(out), *SMALL[:-1], "2"]
    with subprocess.Popen([sys.executable, "-m", "halfstep.app.cli", *command]) as killed:
        while len(judged_files(out)) < 3:
            assert killed.poll() is None, "it ended before it could be killed"
            time.sleep(0.02)
        killed.kill()
    assert killed.returncode == -signal.SIGKILL
    kept = {path: path.stat().st_mtime_ns for path in judged_files(out)}
    assert not (out / "report.json").exists()
    assert run(command) == 0
    assert kept == {path: path.stat().st_mtime_ns for path in kept}
    assert len(judged_files(out)) > len(kept)
    assert (out / "report.json").read_bytes() == (report / "report.json").read_bytes()


@pytest.mark.slow
def test_a_run_has_its_teacher_and_its_students_judged(data: Path, tmp_path: Path):
    trained = str(tmp_path / "run")
    assert run(["train", str(data), "--out", trained, "--preset", "tiny", "--steps", "2"]) == 0
    assert run(["distill", trained, "--to", "8", "--updates", "1"]) == 0
    small = [*SMALL, "--streams", "0", "--seams", "0"]
    assert run(["evaluate", trained, "--data", str(data), "--out", str(tmp_path / "report"), *small]) == 0
    result = json.loads((tmp_path / "report" / "report.json").read_text())
    made = [(row["kind"], row["steps"]) for row in result["rows"] if row["kind"] in ("teacher", "student")]
    assert made[0][0] == "teacher"
    assert [kind for kind, _ in made[1:]] == ["student"] * (len(made) - 1)
    assert [steps for _, steps in made] == sorted({steps for _, steps in made}, reverse=True)
    assert made[-1] == ("student", 8)
    assert result["subject"]["kind"] == "run"
    ladder = {row["steps"]: row for row in json.loads((tmp_path / "run" / "ladder" / "ladder.json").read_text())}
    assert [pair["steps"] for pair in result["pairs"]] == [steps for _, steps in made[1:]]
    for pair in result["pairs"]:
        assert pair["correlation"] == pytest.approx(ladder[pair["steps"]]["correlation"], abs=0.05), (
            result["pairs"],
            ladder,
        )
    assert "correlation with the teacher" in (tmp_path / "report" / "report.md").read_text()


@pytest.mark.slow
def test_controls_are_measured_and_written(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert run(["evaluate", "--controls", "--data", str(data), "--out", str(tmp_path), *SMALL]) == 0
    result = json.loads((tmp_path / "report.json").read_text())
    verdicts = {(one["control"], one["measure"]): one["passed"] for one in result["verdicts"]}
    assert verdicts["white noise worst", "fad"]
    assert verdicts["detuned", "tuning"]
    assert {row["name"] for row in result["rows"]} > {"backwards", "time-shuffled", "white noise"}
    assert "| white noise worst |" in capsys.readouterr().out
    assert "white noise" in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--data", "DATA"], "give either RUN|MODEL or --controls"),
        (["piano", "--controls", "--data", "DATA"], "give either RUN|MODEL or --controls"),
        (["piano", "--data", "absent"], "no prepared data set"),
        (["no-such-model", "--data", "DATA"], "no-such-model"),
        (["MODEL", "--data", "DATA", "--embedding", "vggish=absent.onnx"], "no such file"),
        (["MODEL", "--data", "DATA", "--windows", "2"], "--windows"),
        (["MODEL", "--data", "DATA", "--style", "piano"], "--style: model gauss has no such control (it has none)"),
        (["MODEL", "--data", "DATA", "--bpm", "90"], "--bpm: model gauss has no such control (it has none)"),
        (["--controls", "--data", "DATA", "--key", "C"], "--controls: spoils real music, of which nothing can be"),
    ],
)
def test_what_does_not_fit_is_one_line_and_exit_code_2(
    arguments: list[str],
    line: str,
    data: Path,
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.chdir(tmp_path)
    named = {"DATA": str(data), "MODEL": str(model)}
    capsys.readouterr()
    assert run(["evaluate", *(named.get(word, word) for word in arguments), "--out", "report"]) == 2
    error = capsys.readouterr().err
    assert line in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("value", "low", "high", "said"),
    [
        (12.31, 11.2, 13.4, "12.3 (11.2 to 13.4)"),
        (0.01234, 0.0121, 0.0125, "0.0123 (0.0121 to 0.0125)"),
        (-0.0001, -0.03, 0.03, "0.000 (-0.030 to 0.030)"),
        (3.0, None, None, "3.000"),
        (None, None, None, "-"),
    ],
)
def test_a_cell_has_as_many_digits_as_its_interval(value, low, high, said: str):
    assert cell({"value": value, "low": low, "high": high}) == said
