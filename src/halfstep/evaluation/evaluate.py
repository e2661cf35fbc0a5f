"""What `halfstep evaluate` does: rows, judges, figures, and a report in three forms. The same command again goes on."""

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from halfstep.atomic import remove_partials, replacing, write_json
from halfstep.data.dataset import Library
from halfstep.evaluation.elsewhere import STREAMS, GiveOut, there, window_rows
from halfstep.evaluation.facts import (
    asked_facts,
    bias_facts,
    bound_facts,
    ceiling_facts,
    continuity_facts,
    data_facts,
    memory_facts,
    pair_facts,
    read_kept,
    row_facts,
    speed_facts,
    stream_facts,
)
from halfstep.evaluation.figures import rounded
from halfstep.evaluation.hearing import WORK_FOLDER, Hearing, JudgedRow, Row, Tell, listen_to_all, listen_to_music
from halfstep.evaluation.real import REFERENCE
from halfstep.evaluation.report import markdown, text_tables, web_page
from halfstep.evaluation.settings import Options, fingerprint, is_report
from halfstep.evaluation.streams import stream_rows
from halfstep.evaluation.subject import Subject, comparable, fits, open_subject
from halfstep.generation.guiding import guide_for
from halfstep.generation.requests import USUAL_SECONDS, Piece
from halfstep.lock import folder_lock
from halfstep.metrics.judges.embedding import embedding
from halfstep.own_folder import REPORT, enter

FORMAT = 2


def evaluate_command(subject: str, options: Options, tell: Tell, give: GiveOut | None = None) -> str:
    """Judge the model or run at `subject` on a data set; write report.json, report.md, report.html and speed.json.

    give: what gives the windows out to other machines (`Cluster.answers`); they are heard here if None.
    The table comes back, as Markdown. InputError where the subject, the data set or an option does not fit.
    """
    library = Library(options.data)
    listener = embedding(options.embedding)
    enter(options.out, REPORT, is_report)
    with folder_lock(options.out), _opened(subject, options) as (opened, *others):
        remove_partials(options.out)
        fits(opened, library.mel, options.data)
        rows, notes = window_rows(library, opened, others, options)
        elsewhere = None if give is None else there(give, (opened, *others), options)
        theirs = {f"{one.name}: {name}": sha256 for one in others for name, sha256 in one.files.items()}
        settings = fingerprint(options, opened.files | theirs) | {
            "format": FORMAT,  # what an older one heard are other windows
            "rows": [[row.name, row.windows] for row in rows],
            "notes": notes,
        }
        rate, work = library.mel.sample_rate, options.out / WORK_FOLDER
        hearing = Hearing(work, listen_to_all(rate, listener), settings)
        judged = hearing.hear_all(rows, tell, options.workers, elsewhere)
        streams, said = stream_rows(library, opened, options)
        of_streams = settings | {
            "stream_seconds": options.stream_seconds,
            "streams": [[row.name, row.windows] for row in streams],
        }
        streaming = Hearing(work / STREAMS, listen_to_music(rate), of_streams, at_once=1)
        streamed = streaming.hear_all(streams, tell, options.workers, elsewhere)
        tell(1, 1, "figures")
        report = {
            "format": FORMAT, "subject": opened.facts, "data": data_facts(library), "settings": of_streams,
            "notes": [*notes, *said], "streams": stream_facts(streams, streamed, options),
            "rows": [row_facts(row, judged, options) for row in rows if row.kind != REFERENCE],
            "ceiling": ceiling_facts(library, rows, options),
            "bias": bias_facts(rows, judged, options), "pairs": pair_facts(rows, judged),
            "memory": memory_facts(library, opened, rows, judged, options),
            "continuity": continuity_facts(opened, options, tell), "bound": bound_facts((opened, *others)),
        }  # fmt: skip
        if opened.asked or options.guide is not None:
            report["asked"] = asked_facts(opened, options, tell)
        speed = speed_facts(opened, hearing, judged, rows)
        write_report(options.out, rounded(report), speed, (rows, judged), (streams, streamed), library)
    return text_tables(rounded(report))


@contextmanager
def _opened(subject: str, options: Options) -> Generator[tuple[Subject, ...], None, None]:
    """What is evaluated, and what is set beside it. InputError where one does not fit the other."""
    with ExitStack() as stack:
        work, asked = options.out / WORK_FOLDER, dict(options.asked)
        opened = stack.enter_context(open_subject(subject, work, options.teacher_steps, asked))
        others = [
            stack.enter_context(open_subject(path, work / f"baseline-{place}", (), asked))
            for place, path in enumerate(options.baselines)
        ]
        if options.guide is not None:  # refused before any work
            guide_for(Piece(seconds=USUAL_SECONDS, asked=asked, guide=options.guide), opened.model.manifest)
        for other in others:
            comparable(other, opened)
        yield (opened, *others)


def write_report(
    out: Path,
    report: dict[str, Any],
    speed: dict[str, Any],
    windows: tuple[list[Row], dict[str, JudgedRow]],
    streams: tuple[list[Row], dict[str, JudgedRow]],
    library: Library,
) -> None:
    """report.json last: where it is, all is."""
    kept = out / "speed.json"
    if kept.exists() and not speed["windows_judged_now"]:
        speed = read_kept(kept)
    write_json(kept, speed)
    texts = {
        "report.md": markdown(report, speed),
        "report.html": web_page(report, speed, windows, streams, library.mel),
    }
    for name, text in texts.items():
        with replacing(out / name) as partial:
            partial.write_text(text, encoding="utf-8")
    write_json(out / "report.json", report)
