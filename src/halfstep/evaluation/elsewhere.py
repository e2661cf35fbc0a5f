"""Windows and streams heard on other machines: the same rows, made there from the same files, into the same folder."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from halfstep.bundle import load_folder
from halfstep.data.dataset import Library
from halfstep.evaluation.hearing import Elsewhere, Listen, Part, Row, hear_part, listen_to_all, listen_to_music
from halfstep.evaluation.real import noise_row, real_rows
from halfstep.evaluation.settings import Options
from halfstep.evaluation.streams import stream_rows
from halfstep.evaluation.subject import BASELINE, Subject, subject_of
from halfstep.generation.model import Model
from halfstep.metrics.judges.embedding import embedding

STREAMS = "streams"
"""The folder in the work folder of what is heard of streams."""
GiveOut = Callable[[Callable[[Any], Any], Iterable[Any]], Iterator[tuple[Any, Any]]]
"""(work, blocks) -> each block with what `work` makes of it, as they end: `Cluster.answers`."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What an evaluation is of. models: folders, what is judged first, then what is set beside it."""

    models: tuple[Path, ...]
    teacher_steps: tuple[int, ...]
    options: Options


@dataclass(frozen=True, kw_only=True)
class Block:
    """Windows `numbers` of a row, to be heard into the folder `work`."""

    asked: Asked
    work: Path
    row: str
    numbers: range


def window_rows(
    library: Library, subject: Subject, others: Iterable[Subject], options: Options
) -> tuple[list[Row], list[str]]:
    """Every row of windows, and what to know of them: real music, networks, baselines, noise."""
    rows, notes = real_rows(library, subject, options)
    windows = rows[0].windows
    rows += subject.rows(windows, options.seed, subject.vocoder)
    for one in others:
        rows += one.rows(windows, options.seed, subject.vocoder, BASELINE)
    return [*rows, noise_row(library, subject, windows, options.seed)], notes


def there(give: GiveOut, subjects: tuple[Subject, ...], options: Options) -> Elsewhere:
    """What hears parts of these subjects' rows by giving them out."""
    data = options.data.absolute() if isinstance(options.data, Path) else options.data
    asked = Asked(
        models=tuple(one.model.folder.path.absolute() for one in subjects),
        teacher_steps=subjects[0].teacher_steps,
        options=replace(options, data=data, out=options.out.absolute()),
    )

    def hear(work: Path, parts: list[Part]) -> Iterator[tuple[Row, range, int]]:
        rows = {row.name: row for row, _ in parts}
        blocks = (Block(asked=asked, work=work.absolute(), row=row.name, numbers=numbers) for row, numbers in parts)
        for block, judged in give(part_there, blocks):
            yield rows[block.row], block.numbers, judged

    return hear


def part_there(block: Block) -> int:
    """On another machine: how many windows had still to be judged."""
    rows, listen = _rows(block.asked, block.work.name == STREAMS)
    return hear_part(block.work, rows[block.row], block.numbers, listen)


@lru_cache(maxsize=2)
def _rows(asked: Asked, streams: bool) -> tuple[dict[str, Row], Listen]:
    """Rows by name, and what is kept of them; opened once a process."""
    options, library = asked.options, Library(asked.options.data)
    steps = (asked.teacher_steps, *[()] * (len(asked.models) - 1))
    subject, *others = (
        subject_of(Model(load_folder(path)), more, dict(options.asked))
        for path, more in zip(asked.models, steps, strict=True)
    )
    rate = library.mel.sample_rate
    if streams:
        rows, listen = stream_rows(library, subject, options)[0], listen_to_music(rate)
    else:
        rows = window_rows(library, subject, others, options)[0]
        listen = listen_to_all(rate, embedding(options.embedding))
    return {row.name: row for row in rows}, listen
