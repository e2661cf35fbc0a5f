"""Table 1's script: cells that differ in one thing, equal budgets, rows from their seeds, tables; the whole path."""

import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from halfstep.data.dataset import Library
from halfstep.data.decode import DecodeConfig
from halfstep.data.preparing import PrepareConfig, prepare
from halfstep.data.synthetic import write_pieces
from halfstep.errors import InputError
from halfstep.nets.denoiser import Denoiser
from halfstep.runs.presets import PRESETS
from halfstep.runs.run_folder import Run
from halfstep.tasks.music.task import Music, MusicConfig

STUDIES = Path(__file__).parents[2] / "studies"


@pytest.fixture(scope="module", autouse=True)
def studies():
    sys.path.insert(0, str(STUDIES))
    yield
    sys.path.remove(str(STUDIES))


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    folder = tmp_path_factory.mktemp("music")
    write_pieces(folder / "pieces", 4, 20.0)
    out = folder / "data"
    prepare([folder / "pieces"], out, PrepareConfig(decode=DecodeConfig()), 1)
    return Library(out)


@pytest.mark.parametrize("scale", ["cpu", "gpu", "gpu-small", "paper", "tiny"])
def test_cells_differ_in_the_network_or_in_the_diffusion_and_in_nothing_else(scale: str):
    from table1_cells import DDPM, SCALES, TRAININGS, experiments

    cells = experiments(SCALES[scale]())
    assert tuple(cells) == TRAININGS
    assert cells["2d-ddpm"].net == cells["2d"].net != cells["1d"].net == cells["1d-as-many-updates"].net
    assert cells["2d-ddpm"].diffusion == DDPM != cells["2d"].diffusion == cells["1d"].diffusion
    alike = {replace(cell, name="", net=cells["1d"].net, diffusion=DDPM) for cell in cells.values()}
    assert len(alike) == 1


def test_at_paper_scale_the_two_cells_of_the_paper_are_its_presets():
    from table1_cells import SCALES, experiments

    cells = experiments(SCALES["paper"]())
    for cell, preset in (("2d-ddpm", "paper-ddpm-unet2d"), ("1d", "paper-pdd-unet1d")):
        for part in ("net", "task", "mel", "diffusion"):
            assert getattr(cells[cell], part) == getattr(PRESETS[preset](), part)


@pytest.mark.slow
def test_at_cpu_scale_both_networks_are_as_large():
    pytest.importorskip("diffusers", reason="the 2-D baseline needs the extra `baseline`")
    from table1_cells import SCALES, experiments

    cells = experiments(SCALES["cpu"]())
    with torch.device("meta"):
        sizes = [
            sum(p.numel() for p in cells[name].build(Music(cells[name].task_as(MusicConfig))).parameters())
            for name in ("2d", "1d")
        ]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.05)


def test_rows_hold_the_four_cells_and_every_undistilled_teacher():
    from table1_cells import SCALES, TRAININGS, generated_rows
    from table1_report import CHANGES

    scale = SCALES["cpu"]()
    rows = generated_rows(scale)
    assert {row.training for row in rows.values()} == set(TRAININGS)
    assert rows["2d-ddpm"].ancestral and rows["2d-ddpm"].steps == scale.ddpm_steps
    for training in TRAININGS[1:]:
        steps = [(row.steps, row.student) for row in rows.values() if row.training == training]
        assert steps == [(scale.distill.start_steps, False), (4, False), (4, True)]
    assert {name for pair in CHANGES.values() for name in pair} <= set(rows)


def test_equal_seconds_become_updates_by_the_pace():
    from table1_cells import planned

    plans = planned({"2d": (1.0, 2.0), "1d": (0.25, 0.5)}, rungs=4, seconds=100, share=0.4, updates=None)
    assert plans["2d"] == plans["1d-as-many-updates"] == {"teacher": 100, "rung": 5}
    assert plans["2d-ddpm"] == {"teacher": 100, "rung": 0}
    assert plans["1d"] == {"teacher": 400, "rung": 20}


def test_a_run_of_so_many_minutes_is_planned_within_them():
    """An update of .3 s for both networks, on eight threads: half of the hour is spent on training two sets."""
    from table1_cells import SCALES, affordable_windows, generated_rows, planned, teacher_seconds

    scale, pace = SCALES["gpu"](), {"2d": (0.3, 0.3), "1d": (0.3, 0.3)}
    seconds = teacher_seconds(60, 2, 0.35)
    plans = planned(pace, 4, seconds, 0.35, None)
    assert sum(2 * 0.3 * (plan["teacher"] + 4 * plan["rung"]) for plan in plans.values()) == pytest.approx(
        1800, rel=0.02
    )
    windows = affordable_windows(60, 2, 8, pace, scale)
    steps = sum(row.steps for row in generated_rows(scale).values())
    assert 2 * windows * steps * 0.1 / 32 <= 720
    assert 2 * windows * (len(generated_rows(scale)) + 5) / 0.5 / 8 <= 720 < 1.2 * 2 * (windows + 1) * 16 / 0.5 / 8
    assert affordable_windows(1, 2, 1, pace, scale) == 10


def test_equal_updates_leave_the_pace_aside():
    from table1_cells import planned

    plans = planned({"2d": (1.0, 2.0), "1d": (0.25, 0.5)}, rungs=4, seconds=100, share=0.4, updates=1000)
    assert plans["2d"] == plans["1d"] == plans["1d-as-many-updates"] == {"teacher": 1000, "rung": 100}


@pytest.fixture
def net1d(library: Library, tmp_path: Path):
    """one(diffusion) -> a run of the tiny 1-D network in that form, and the network with random weights."""
    from table1_cells import SCALES, experiments

    def one(diffusion: str) -> tuple[Run, Denoiser]:
        cells = experiments(SCALES["tiny"]())
        run = Run(tmp_path, replace(cells["1d"], diffusion=cells[diffusion].diffusion), library)
        generator = torch.Generator().manual_seed(0)
        denoiser = run.network().eval().requires_grad_(False)
        for parameter in denoiser.parameters():
            parameter += 0.03 * torch.randn(parameter.shape, generator=generator)
        return run, denoiser

    return one


@pytest.mark.parametrize("row", ["2d-ddpm", "2d-ddpm-few", "1d-teacher"])
def test_a_window_depends_on_its_seed_alone(row: str, net1d):
    from table1 import sampled
    from table1_cells import SCALES, generated_rows

    chosen = generated_rows(SCALES["tiny"]())[row]
    run, denoiser = net1d(chosen.training)
    together = sampled(run, denoiser, chosen, range(3))
    assert together.shape == (3, 128, 384) and np.isfinite(together).all()
    assert together.std(0).max() > 0.1
    for seed in range(3):
        alone = sampled(run, denoiser, chosen, range(seed, seed + 1))
        np.testing.assert_allclose(alone[0], together[seed], atol=1e-2)


def test_real_windows_do_not_overlap_the_reference(library: Library):
    """Frames are told apart by their content."""
    from table1_judge import real_windows

    parts = real_windows(library, 384, 6, 3)
    assert {name: len(part) for name, part in parts.items()} == {"reference": 6, "real": 3, "heldout": 3, "noise": 3}
    seen = {frame.tobytes() for window in parts["reference"] for frame in window.T}
    assert not any(frame.tobytes() in seen for window in parts["real"] for frame in window.T)
    with pytest.raises(InputError, match="ask for fewer"):
        real_windows(library, 384, 60, 3)


def test_recordings_are_those_of_the_real_windows(library: Library):
    """Their mel is the row's, but for the edges, where a window hears nothing of what is beside it."""
    from table1_judge import real_windows, recorded

    from halfstep.audio.mel import log_mel

    source = recorded(library, 384, 6, 3)
    assert source is not None
    made = log_mel(source(range(3)).samples, library.mel)[:, :, :384]
    real = real_windows(library, 384, 6, 3)["real"]
    assert np.abs(made - real)[:, :, 4:-4].mean() < 0.1


PAPER_ORDER = ("PIS", "IIS", "PKID", "IKID", "FAD")


@pytest.mark.parametrize(
    ("preset", "model"), [("paper-ddpm-unet2d", "DDPM + UNET"), ("paper-pdd-unet1d", "PDD + 1D UNET")]
)
def test_the_papers_figures_are_those_the_presets_expect(preset: str, model: str):
    from table1_report import PAPER

    for at, name in enumerate(PAPER_ORDER):
        stated = re.search(rf"\b{name} ([\d.]+) / ([\d.]+)", PRESETS[preset]().expects)
        assert stated is not None
        assert (PAPER["soundtrack"][model][at], PAPER["piano"][model][at]) == tuple(map(float, stated.groups()))


def test_tables_say_what_was_measured_and_leave_out_what_was_not():
    from table1_report import changes_table, cost_table, quality_table

    rows = {
        "real": {"title": "real", "figures": {"fad": {"value": 1.0, "low": 0.5, "high": 1.5}}},
        "2d-teacher": {
            "title": "2-D", "steps": 32, "sampler": "DDIM", "parameters": 2_500_000, "updates": 7,
            "training_seconds": 10.4, "window_seconds": 0.5, "figures": {"fad": {"value": 9.0}},
        },
        "2d-student": {"title": "2-D few", "figures": {"fad": {"value": 12.0}}},
    }  # fmt: skip
    assert "| real | - | 1.0 [0.5, 1.5] |" in quality_table(rows)
    assert cost_table(rows).splitlines()[2:] == ["| 2-D | 32 DDIM | 2.50 | 7 | 10 | 0.500 |"]
    (change,) = changes_table(rows).splitlines()[2:]
    assert change.startswith("| distillation of the 2-D network") and "9.0 -> 12.0" in change


@pytest.mark.slow
def test_whole_path_and_the_same_command_again(library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("diffusers", reason="the 2-D baseline needs the extra `baseline`")
    import table1

    words = [
        "table1.py", str(tmp_path), "--set", f"piano={library.path}", "--scale", "tiny", "--updates", "3",
        "--windows", "3", "--reference", "6", "--batch", "2", "--quick",
    ]  # fmt: skip
    monkeypatch.setattr(sys, "argv", words)
    table1.main()
    made = sorted(tmp_path.glob("piano/windows/*/*.npy"))
    assert len(made) == 11 * 2
    before = {path: path.stat().st_mtime_ns for path in [*made, *tmp_path.glob("piano/**/*.safetensors")]}
    made[0].unlink()
    table1.main()
    after = {path: path.stat().st_mtime_ns for path in before}
    assert {path for path in before if before[path] != after[path]} == {made[0]}
    rows = json.loads((tmp_path / "table1.json").read_text())["sets"]["piano"]["rows"]
    assert len(rows) == 3 + 11
    assert all({"melstats", "frame_step"} <= row["figures"].keys() for row in rows.values())
    assert rows["1d-student"]["figures"]["correlation"]["value"] <= 1
    assert json.loads((tmp_path / "plan.json").read_text())["updates"]["2d"] == {"rung": 1, "teacher": 3}
