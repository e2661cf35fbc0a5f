"""What a model learned from, and under which licences: out of the credits that come with recordings."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path

from halfstep.bundle import Origin, origin_from
from halfstep.data.dataset import Library
from halfstep.errors import NamedError, unbraced
from halfstep.fields import Fields, read_json

START = "start.json"
"""What the start of a run had learned from, in its folder."""
FORMAT, RESTORE = 1, "restore it, or train again"
MOST_ORIGINS = 10_000
NOT_STATED = "not stated"
TEXTS = frozenset({"file", "licence", "author", "composer", "title", "piece", "source", "package"})
LONGEST_CREDITS = 64 << 20  # bytes


def learned_from(run: Path, library: Library, credits: tuple[Path, ...]) -> tuple[Origin, ...]:
    """Each training track of a run with its licence, as far as the credits know it, and what its start had learned
    from: weights that were trained on keep what they know.
    """
    known: dict[str, dict[str, str]] = {}
    for path in credits:
        try:
            known |= dict(_credits(path))
        except (OSError, ValueError) as fault:
            raise NamedError(
                f"{{credits}} {unbraced(path)}: not a list of {{{{file, licence}}}} ({unbraced(fault)})"
            ) from None
    own = (
        Origin(
            title=Path(track.source).stem, licence=NOT_STATED, source=track.source,
            minutes=round(track.seconds / 60, 2),
        )
        for track in library.split("train")
    )  # fmt: skip
    return tuple(dict.fromkeys(_credited(one, known) for one in (*own, *_of_start(run))))


def start_file(origins: Iterable[Origin]) -> bytes:
    """What START holds."""
    return json.dumps({"format": FORMAT, "trained_on": [asdict(one) for one in origins]}).encode()


def _of_start(run: Path) -> tuple[Origin, ...]:
    path = run / START
    if not path.exists():
        return ()
    fields = Fields(str(path), read_json(path, RESTORE), RESTORE)
    fields.format_number(FORMAT)
    origins = tuple(map(origin_from, fields.objects("trained_on", MOST_ORIGINS)))
    fields.done()
    return origins


def _credited(origin: Origin, known: Mapping[str, Mapping[str, str]]) -> Origin:
    """One whose licence nobody stated yet, by the credit of its file."""
    credit = known.get(Path(origin.source).name, {}) if origin.licence == NOT_STATED else {}
    if not credit:
        return origin
    by = credit.get("author") or credit.get("composer")
    title = credit.get("title") or credit.get("piece") or origin.title
    return replace(
        origin, title=f"{title} ({by})" if by else title, licence=credit.get("licence", NOT_STATED),
        source=credit.get("source") or credit.get("package") or origin.source,
    )  # fmt: skip


def _credits(path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """File -> its credit, of every entry; the texts that a credit may have, and no others, are looked at."""
    entries = read_json(path, "give a list of {file, licence}", LONGEST_CREDITS)
    if not isinstance(entries, list) or not all(isinstance(entry, dict) and "file" in entry for entry in entries):
        raise ValueError("no list of objects with a file")
    for entry in entries:
        fields = Fields(str(path), {name: text for name, text in entry.items() if name in TEXTS and text is not None})
        texts = {name: fields.text(name) for name in fields.names()}
        yield texts["file"], texts


def licence_of(learned_from: Iterable[Origin]) -> str:
    """The licences of all that was learned from, each once; NOT_STATED among them where a recording's is not known."""
    return ", ".join(sorted({origin.licence for origin in learned_from})) or NOT_STATED
