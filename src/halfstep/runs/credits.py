"""What a model learned from, and under which licences: out of the credits that come with recordings."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from halfstep.bundle import Origin
from halfstep.data.dataset import Library
from halfstep.errors import NamedError, unbraced
from halfstep.fields import Fields, read_json

NOT_STATED = "not stated"
TEXTS = frozenset({"file", "licence", "author", "composer", "title", "piece", "source", "package"})
LONGEST_CREDITS = 64 << 20  # bytes


def origins(library: Library, credits: tuple[Path, ...]) -> tuple[Origin, ...]:
    """Each training track with its licence, as far as the credits know it."""
    known: dict[str, dict[str, str]] = {}
    for path in credits:
        try:
            known |= dict(_credits(path))
        except (OSError, ValueError) as fault:
            raise NamedError(
                f"{{credits}} {unbraced(path)}: not a list of {{{{file, licence}}}} ({unbraced(fault)})"
            ) from None
    origins: list[Origin] = []
    for track in library.split("train"):
        credit = known.get(Path(track.source).name, {})
        by = credit.get("author") or credit.get("composer")
        title = credit.get("title") or credit.get("piece") or Path(track.source).stem
        origins.append(
            Origin(
                title=f"{title} ({by})" if by else title,
                licence=credit.get("licence", NOT_STATED),
                source=credit.get("source") or credit.get("package") or track.source,
                minutes=round(track.seconds / 60, 2),
            )
        )
    return tuple(origins)


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
