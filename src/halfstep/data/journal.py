"""What earlier runs, finished or killed, already know: one line of JSON a fact, appended as it is learned."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from halfstep.atomic import replacing
from halfstep.data.fingerprint import GROUPS, PARTS
from halfstep.data.sources import Stamp
from halfstep.errors import InputError
from halfstep.fields import Fields, open_regular, parse_json

Json = dict[str, Any]

LONGEST_LINE = 1 << 20
"""Bytes: a fact is some ten thousand."""
MOST, MOST_BANDS = 10**9, 1024
SHA256_DIGITS, FINGERPRINT_DIGITS = 64, (PARTS - 1) * (GROUPS - 1) // 4
WHY = ("skipped", "unreadable", "failed")


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


def holds_facts(path: Path) -> bool:
    """Whether the file at `path` is a journal with a line at least."""
    return path.is_file() and any(True for _ in _facts(path))


def _line(fact: Json) -> str:
    return json.dumps(fact, sort_keys=True, allow_nan=False) + "\n"


def _facts(path: Path) -> Iterator[Json]:
    """InputError where the journal is no file."""
    if not path.exists():
        return
    with open_regular(path) as file:
        while line := file.readline(LONGEST_LINE):
            fact = _fact(line)
            if fact is not None:
                yield fact


def _fact(line: bytes) -> Json | None:
    """None for a line that is torn, or of another make."""
    try:
        fact = parse_json(line, "")
        fields = Fields("", fact)
        if fields.has("track"):
            fields.text("track")
            _check_outcome(fields.inside("outcome"))
        else:
            _check_name_and_stamp(fields.take("path"), fields.take("stamp"))
            _check_content(fields.inside("content"))
        fields.done()
    except InputError:
        return None
    return fact if isinstance(fact, dict) else None


def _check_name_and_stamp(path: object, stamp: object) -> None:
    if not isinstance(path, str) or not isinstance(stamp, list) or [type(one) for one in stamp] != [int, int]:
        raise InputError("no name, size and time")


def _check_content(content: Fields) -> None:
    if content.has("recipe"):
        content.integer("recipe", 0, MOST)
    if not content.has("done"):
        _check_reason(content)
        return
    facts = content.inside("done")
    facts.plain_name("sha256")
    facts.number("seconds", 0, MOST)
    content.done()


def _check_reason(fields: Fields) -> None:
    for name in [name for name in WHY if fields.has(name)]:
        if not isinstance(fields.take(name), str):
            raise InputError("no reason")
    fields.done()


def _check_outcome(outcome: Fields) -> None:
    if not outcome.has("done"):
        _check_reason(outcome)
        return
    facts = outcome.inside("done")
    facts.integer("frames", 1, MOST)
    facts.number("seconds", 0, MOST)
    facts.numbers("trimmed_seconds", 2, 0, MOST)
    facts.number("loudness_lufs", -1000, 1000)
    notes = facts.take("notes")
    if not isinstance(notes, list) or not all(isinstance(note, str) for note in notes):
        raise InputError("no notes")
    checked = [("mel_sha256", SHA256_DIGITS), ("fingerprint", FINGERPRINT_DIGITS)]
    checked += [("stored_sha256", SHA256_DIGITS)] if facts.has("stored_sha256") else []
    for name, digits in checked:
        if not re.fullmatch(f"[0-9a-f]{{{digits}}}", facts.text(name)):
            raise InputError(f"no {name}")
    moments = facts.inside("moments")
    moments.integer("count", 1, MOST)
    moments.number_list("mean", MOST_BANDS, -1000, 1000)
    moments.number_list("squared", MOST_BANDS, 0, 1e15)
    facts.take("format")
