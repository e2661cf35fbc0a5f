"""`halfstep evaluate --controls`: does every measure say so when music is spoilt on purpose?"""

from typing import Any

import numpy as np

from halfstep.atomic import remove_partials, replacing, write_json
from halfstep.data.dataset import Library
from halfstep.evaluation import page
from halfstep.evaluation.facts import data_facts
from halfstep.evaluation.figures import MEASURES, MUSIC_MEASURES, as_json, rounded, table
from halfstep.evaluation.hearing import WORK_FOLDER, Hearing, JudgedRow, Row, Tell, listen_to_all
from halfstep.evaluation.pictures import player_address, png_address, spectrogram
from halfstep.evaluation.real import REFERENCE_NAME, split_halves, voiced_and_plain
from halfstep.evaluation.settings import Options, fingerprint, is_report
from halfstep.evaluation.sounds import Place, Sounds, Source
from halfstep.evaluation.subject import griffin_lim
from halfstep.lock import folder_lock
from halfstep.markdown import markdown_table
from halfstep.metrics.controls import HALVES, REPEATED, SPOILT, Spoil, Verdict, verdicts
from halfstep.metrics.judge import Figure, judge_windows, most_by_chance
from halfstep.metrics.judges.embedding import embedding
from halfstep.metrics.music_controls import MUSIC_SPOILT, music_verdicts
from halfstep.metrics.music_sets import judge_music
from halfstep.own_folder import REPORT, enter

WINDOW_FRAMES = 384


def controls_command(options: Options, tell: Tell) -> str:
    """Judge one half of a data set, plain and spoilt, against the other; write the report; the table comes back.

    InputError where the data set is too small.
    """
    library = Library(options.data)
    listener = embedding(options.embedding)
    enter(options.out, REPORT, is_report)
    with folder_lock(options.out):
        remove_partials(options.out)
        rows = control_rows(library, options)
        settings = fingerprint(options, {}) | {"rows": [[row.name, row.windows] for row in rows]}
        listen = listen_to_all(library.mel.sample_rate, listener)
        judged = Hearing(options.out / WORK_FOLDER, listen, settings).hear_all(rows, tell, options.workers)
        figures: dict[str, dict[str, Figure]] = {}
        for row in rows[1:]:
            tell(len(figures), len(rows), f"figures: {row.name}")
            its, reference = judged[row.name], judged[REFERENCE_NAME]
            figures[row.name] = judge_music(its.music, reference.music, options.seed)
            figures[row.name] |= judge_windows(its.judged, reference.judged, options.seed)
        chance = most_by_chance(judged[HALVES].judged, judged[REFERENCE_NAME].judged, options.seed)
        without_music = {
            row: {name: of for name, of in its.items() if name not in MUSIC_MEASURES} for row, its in figures.items()
        }
        results = [*music_verdicts(figures), *verdicts(without_music, chance)]
        plain = {"windows": rows[0].windows, "steps": None}
        lines = [{"name": name, "figures": as_json(its), **plain} for name, its in figures.items()]
        report = {
            "format": 1, "data": rounded(data_facts(library)), "settings": settings, "rows": lines,
            "verdicts": [
                {"control": v.control, "measure": v.measure, "passed": v.passed, "why": v.why} for v in results
            ],
            "halves_by_chance": rounded(chance),
        }  # fmt: skip
        text = table(lines) + "\n" + verdict_table(results)
        _write(options, report, text, rows, judged, library)
    return text


def control_rows(library: Library, options: Options) -> list[Row]:
    """The reference half, the other half, and the other half spoilt in every way of SPOILT."""
    halves, _ = split_halves(library, WINDOW_FRAMES, options)
    count = len(halves[0])
    sides: dict[str, list[Place]] = {REFERENCE_NAME: halves[0], HALVES: halves[1]}
    voices, plain = voiced_and_plain(library, sides, WINDOW_FRAMES, griffin_lim(library.mel))
    sources = plain or voices
    other = sources[HALVES]
    rows = [Row(name=REFERENCE_NAME, kind="reference", source=sources[REFERENCE_NAME], windows=count)]
    rows.append(Row(name=HALVES, kind="real", source=other, windows=count))
    for name, spoil in {**MUSIC_SPOILT, **SPOILT}.items():
        spoilt = spoiled(other, spoil, library.mel.sample_rate)
        rows.append(Row(name=name, kind="control", source=spoilt, windows=count))
    same = repeated(other, count // 2, library.mel.sample_rate)
    return [*rows, Row(name=REPEATED, kind="control", source=same, windows=count)]


def spoiled(source: Source, spoil: Spoil, sample_rate: int) -> Source:
    return lambda numbers: Sounds(spoil(source(numbers).mids, sample_rate, numbers))


def repeated(source: Source, number: int, sample_rate: int) -> Source:
    """A second from the middle of the window `number` again and again, within a window too.

    A judge of notes hears each second by itself: a window that is repeated whole still has variety for it.
    """

    def sounds(numbers: range) -> Sounds:
        (window,) = source(range(number, number + 1)).mids
        middle = max(0, (len(window) - sample_rate) // 2)
        second = np.resize(window[middle : middle + sample_rate], len(window))
        return Sounds(np.repeat(second[None], len(numbers), axis=0))

    return sounds


def verdict_table(results: list[Verdict]) -> str:
    """Controls down, measures along; below it what failed, and why something is not asked."""
    names = [name for name in MEASURES if any(one.measure == name for one in results)]
    said = {True: "passed", False: "**failed**", None: "not asked"}
    rows: list[list[str]] = []
    for control in dict.fromkeys(one.control for one in results):
        of = {one.measure: one for one in results if one.control == control}
        rows.append([control, *(said[of[name].passed] if name in of else "" for name in names)])
    reasons = [f"- {MEASURES[v.measure][0]}, {v.control}: {said[v.passed]}: {v.why}" for v in results if not v.passed]
    return markdown_table(["control", *(MEASURES[name][0] for name in names)], rows) + "\n".join(["", *reasons]) + "\n"


def _write(
    options: Options, report: dict[str, Any], text: str, rows: list[Row], judged: dict[str, JudgedRow], library: Library
) -> None:
    clips = [page.clips_row(row.name, "", False, _clips(judged[row.name], library)) for row in rows[1:]]
    whole = page.page(
        "The measures under control",
        "What every measure says of music that was spoilt on purpose, against the other half of the same recordings.",
        [
            page.section("Measured", page.figures_table(report["rows"])),
            page.section("Passed?", page.verdicts_table(report["verdicts"])),
            page.section("Listen", *clips),
        ],
    )
    for name, content in {"report.md": text, "report.html": whole}.items():
        with replacing(options.out / name) as partial:
            partial.write_text(content, encoding="utf-8")
    write_json(options.out / "report.json", report)


def _clips(its: JudgedRow, library: Library) -> list[tuple[str, str]]:
    mel = library.mel
    return [(png_address(spectrogram(clip, mel)), player_address(clip, mel.sample_rate)) for clip in its.clips]
