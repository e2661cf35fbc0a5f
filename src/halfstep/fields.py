"""Reading files that nobody vouches for: bounded, and each value of their JSON asked for by name, type and range."""

import json
import math
import os
import re
import stat
from collections.abc import Iterable, Mapping
from io import BufferedReader
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from halfstep.errors import InputError

LONGEST_JSON = 4 << 20  # bytes; a real model.json has some ten thousand
MOST_VALUES = 4_000_000  # in one file: some hundred bytes each once they are read
DEEPEST = 64  # lists and objects inside each other
MOST_DIGITS = 19  # of a whole number: it fits 64 bits, or nearly
LONGEST_TEXT = 4000
AGAIN = "export or fetch the model again"  # the remedy for a model folder that is not whole
PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class Fields:
    """The members of one JSON object; a method takes one out, or raises InputError with its value and the remedy."""

    def __init__(self, where: str, members: object, remedy: str = AGAIN) -> None:
        if not isinstance(members, dict):
            raise InputError(f"{where}: is {_short(members)}, expected an object; {remedy}")
        self.where, self.remedy = where, remedy
        self._left: dict[str, Any] = dict(members)

    def fail(self, name: str, value: object, wanted: str) -> InputError:
        return InputError(f"{self.where}: {name} is {_short(value)}, expected {wanted}; {self.remedy}")

    def take(self, name: str) -> Any:
        """The raw value; one that is absent is an error."""
        if name not in self._left:
            raise InputError(f"{self.where}: {name} is missing; {self.remedy}")
        return self._left.pop(name)

    def has(self, name: str) -> bool:
        """Whether it is there: for members that older folders lack."""
        return name in self._left

    def integer(self, name: str, low: int, high: int) -> int:
        value = self.take(name)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise self.fail(name, value, f"a whole number from {low} to {high}")
        return value

    def format_number(self, newest: int) -> int:
        """The member `format`, from 1 on. InputError for one newer than this halfstep reads."""
        number = self.integer("format", 1, 10**6)
        if number > newest:
            raise InputError(f"{self.where}: format is {number}, this halfstep reads {newest}; update halfstep")
        return number

    def integer_or_null(self, name: str, low: int, high: int) -> int | None:
        if self._left.get(name, 0) is None:
            return self.take(name)
        return self.integer(name, low, high)

    def number(self, name: str, low: float, high: float) -> float:
        return self._number(name, self.take(name), low, high)

    def number_or_null(self, name: str, low: float, high: float) -> float | None:
        value = self.take(name)
        return None if value is None else self._number(name, value, low, high)

    def numbers(self, name: str, count: int, low: float, high: float) -> tuple[float, ...]:
        """Exactly `count` numbers, each in the range."""
        values = self.take(name)
        if not isinstance(values, list):
            raise self.fail(name, values, f"{count} numbers")
        if len(values) != count:
            raise InputError(f"{self.where}: {name} has {len(values)} values, expected {count}; {self.remedy}")
        return tuple(self._number(f"{name}[{place}]", value, low, high) for place, value in enumerate(values))

    def number_list(self, name: str, most: int, low: float, high: float) -> tuple[float, ...]:
        """One to `most` numbers, each in the range."""
        values = self._left.get(name)
        if not isinstance(values, list) or not 1 <= len(values) <= most:
            raise self.fail(name, values, f"a list of 1 to {most} numbers")
        return self.numbers(name, len(values), low, high)

    def number_rows(self, name: str, count: int, most: int, low: float, high: float) -> tuple[tuple[float, ...], ...]:
        """`count` lists of equally many numbers, 1 to `most`, each in the range."""
        rows = self.take(name)
        lists: list[list[object]] = [row for row in rows if isinstance(row, list)] if isinstance(rows, list) else []
        if len(lists) != count or len({len(row) for row in lists}) != 1 or len(lists) != len(rows):
            raise self.fail(name, rows, f"{count} lists of as many numbers each")
        inner = Fields(f"{self.where}: {name}", {str(place): row for place, row in enumerate(lists)}, self.remedy)
        return tuple(inner.number_list(str(place), most, low, high) for place in range(count))

    def text(self, name: str, longest: int = LONGEST_TEXT) -> str:
        """Text without control characters, so that it may be printed on a terminal."""
        value = self.take(name)
        if not is_text(value, longest):
            raise self.fail(name, value, f"printable text of at most {longest} characters")
        return value

    def texts(self, name: str, most: int, longest: int) -> tuple[str, ...]:
        """One to `most` texts as `text` has them, each of at most `longest` characters."""
        values = self.take(name)
        if not isinstance(values, list) or not 1 <= len(values) <= most:
            raise self.fail(name, values, f"a list of 1 to {most} texts")
        return tuple(
            Fields(f"{self.where}: {name}", {str(place): value}, self.remedy).text(str(place), longest)
            for place, value in enumerate(values)
        )

    def plain_name(self, name: str) -> str:
        """A file name of letters, digits and ._- that can lead nowhere else."""
        return self._plain_name(name, self.take(name))

    def plain_name_or_null(self, name: str) -> str | None:
        value = self.take(name)
        return None if value is None else self._plain_name(name, value)

    def flag(self, name: str) -> bool:
        value = self.take(name)
        if not isinstance(value, bool):
            raise self.fail(name, value, "true or false")
        return value

    def choice(self, name: str, among: Mapping[str, object]) -> str:
        value = self.take(name)
        if not isinstance(value, str) or value not in among:
            raise self.fail(name, value, "one of " + ", ".join(among))
        return value

    def objects(self, name: str, most: int) -> "list[Fields]":
        """A list of at most `most` objects."""
        values = self.take(name)
        if not isinstance(values, list) or len(values) > most:
            raise self.fail(name, values, f"a list of at most {most}")
        return [Fields(f"{self.where}: {name}[{place}]", value, self.remedy) for place, value in enumerate(values)]

    def inside(self, name: str) -> "Fields":
        """The object under `name`."""
        return Fields(f"{self.where}: {name}", self.take(name), self.remedy)

    def names(self) -> list[str]:
        return list(self._left)

    def done(self) -> None:
        """Refuse what is left: a field this version does not know could change what the rest means."""
        if self._left:
            left = ", ".join(_short(name) for name in self._left)
            raise InputError(f"{self.where}: unknown {left}; a newer halfstep may read it")

    def _plain_name(self, name: str, value: Any) -> str:
        if not isinstance(value, str) or not PLAIN_NAME.fullmatch(value):
            raise self.fail(name, value, "a plain file name")
        return value

    def _number(self, name: str, value: object, low: float, high: float) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise self.fail(name, value, f"a number from {low:g} to {high:g}")
        return float(value)


def is_text(value: object, longest: int = LONGEST_TEXT) -> bool:
    """Whether it may be printed on a terminal: lines without control characters, at most so long together."""
    return isinstance(value, str) and len(value) <= longest and value.replace("\n", " ").isprintable()


def is_whole(value: object) -> bool:
    """Whether it is a whole number, Python's or numpy's, and no truth value."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def is_number(value: object) -> bool:
    """The same for any real number."""
    return isinstance(value, Real) and not isinstance(value, bool)


def open_regular(path: Path) -> BufferedReader:
    """The file, opened for reading. InputError for a folder, FIFO or device, which is not waited for; OSError."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    file = os.fdopen(descriptor, "rb") if stat.S_ISREG(os.fstat(descriptor).st_mode) else None
    if file is None:
        os.close(descriptor)
        raise InputError(f"{path}: no file but a folder, FIFO or device; name a file")
    return file


def read_json(path: Path, remedy: str = AGAIN, longest: int = LONGEST_JSON) -> object:
    """The JSON in the regular file `path`: no NaN, no repeated names, at most `longest` bytes, bounded in depth.

    InputError where it is anything else; FileNotFoundError and other OSErrors where it cannot be read.
    """
    with open_regular(path) as file:
        data = file.read(min(longest, os.fstat(file.fileno()).st_size) + 1)
    if len(data) > longest:
        raise InputError(f"{path}: longer than {longest} bytes; {remedy}")
    if sum(data.count(sign) for sign in (b",", b"[", b"{")) > MOST_VALUES:
        raise InputError(f"{path}: holds more than {MOST_VALUES} values; {remedy}")
    return parse_json(data, str(path), remedy)


def parse_json(data: bytes, where: str, remedy: str = AGAIN) -> object:
    """The same for bytes that are read already."""
    try:
        value = json.loads(
            data, parse_constant=_refuse_constant, parse_float=_finite, parse_int=_whole, object_pairs_hook=_unique
        )
        _check_depth(value)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: not readable as JSON ({error}); {remedy}") from None
    return value


def _check_depth(value: object) -> None:
    level = [value]
    for _ in range(DEEPEST):
        level = [one for parent in level for one in _inside(parent) if isinstance(one, dict | list)]
        if not level:
            return
    raise ValueError(f"nested deeper than {DEEPEST} levels")


def _inside(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _whole(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise ValueError(f"{digits[:20]}... is too large")
    return int(digits)


def _refuse_constant(word: str) -> float:
    raise ValueError(f"{word} is no JSON number")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"{digits[:20]} is too large")
    return value


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name occurs twice")
    return members


def _short(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= 60 else text[:57] + "..."
