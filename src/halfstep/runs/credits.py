"""What a model learned from, and under which licences: out of the credits that come with recordings."""

import json
from collections.abc import Iterable
from pathlib import Path

from halfstep.bundle import Origin
from halfstep.data.dataset import Library
from halfstep.errors import InputError

NOT_STATED = "not stated"


def origins(library: Library, credits: tuple[Path, ...]) -> tuple[Origin, ...]:
    """Each training track with its licence, as far as the credits know it."""
    known: dict[str, dict[str, str]] = {}
    for path in credits:
        try:
            known |= {entry["file"]: entry for entry in json.loads(path.read_text(encoding="utf-8"))}
        except (OSError, ValueError, KeyError, TypeError) as fault:
            raise InputError(f"--credits {path}: not a list of {{file, licence}} ({fault})") from None
    origins = []
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


def licence_of(learned_from: Iterable[Origin]) -> str:
    """The licences of all that was learned from, each once; NOT_STATED among them where a recording's is not known."""
    return ", ".join(sorted({origin.licence for origin in learned_from})) or NOT_STATED
