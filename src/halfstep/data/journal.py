"""What earlier runs, finished or killed, already know: one line of JSON a fact, appended as it is learned."""

import json
from pathlib import Path
from typing import Any

from halfstep.atomic import replacing
from halfstep.data.sources import Stamp

Json = dict[str, Any]

FACTS = ({"path", "stamp", "content"}, {"track", "outcome"})
"""The keys of the two kinds of line."""


class Journal:
    """The content of each file seen, and the outcome of each track tried.

    A line torn by a kill is passed over, so that its fact is learned again.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._contents: dict[str, Json] = {}
        self._outcomes: dict[str, Json] = {}
        for fact in _facts(path):
            self._learn(fact)

    def content(self, path: str, stamp: Stamp) -> Json | None:
        """What was found to be in the file, if its stamp is still the same."""
        known = self._contents.get(path)
        return known["content"] if known is not None and tuple(known["stamp"]) == stamp else None

    def outcome(self, track: str) -> Json | None:
        return self._outcomes.get(track)

    def add_content(self, path: str, stamp: Stamp, content: Json) -> None:
        self._append({"path": path, "stamp": stamp, "content": content})

    def add_outcome(self, track: str, outcome: Json) -> None:
        self._append({"track": track, "outcome": outcome})

    def keep_only(self, paths: set[str], tracks: set[str]) -> None:
        """Rewrite the journal without what is not needed now, in an order that hides its history."""
        facts = [self._contents[path] for path in sorted(paths & self._contents.keys())]
        facts += [
            {"track": track, "outcome": self._outcomes[track]} for track in sorted(tracks & self._outcomes.keys())
        ]
        with replacing(self._path) as partial:
            partial.write_text("".join(map(_line, facts)), encoding="ascii")

    def _append(self, fact: Json) -> None:
        with self._path.open("a", encoding="ascii") as file:
            file.write("\n" + _line(fact))  # the line before may be torn
        self._learn(fact)

    def _learn(self, fact: Json) -> None:
        if "track" in fact:
            self._outcomes[fact["track"]] = fact["outcome"]
        else:
            self._contents[fact["path"]] = fact


def paths_by_content(journal: Path) -> dict[str, Path]:
    """The sha256 of each file's content -> where the file lay when it was prepared; empty without a journal."""
    contents = [fact for fact in _facts(journal) if "path" in fact and "done" in fact["content"]]
    return {fact["content"]["done"]["sha256"]: Path(fact["path"]) for fact in contents}


def _line(fact: Json) -> str:
    return json.dumps(fact, sort_keys=True, allow_nan=False) + "\n"


def _facts(path: Path) -> list[Json]:
    lines = path.read_text(encoding="ascii", errors="replace").splitlines() if path.exists() else []
    return [fact for line in lines if (fact := _fact(line)) is not None]


def _fact(line: str) -> Json | None:
    """None for a line that is torn, or of another make."""
    try:
        fact = json.loads(line)
    except ValueError:
        return None
    return fact if isinstance(fact, dict) and any(keys <= fact.keys() for keys in FACTS) else None
