"""What a recording is labelled with: by the folder it lies in, by its own tags, or by a file that says so."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from halfstep.conditioning import NAME, RESERVED, plain_label
from halfstep.errors import InputError, NamedError, unbraced
from halfstep.fields import Fields, read_json

FOLDERS, TAGS = "folders", "tags"
GENRE = "genre"
"""The tag that is read."""
SEVERAL = ";"
"""Between genres in one tag."""
MOST_LABELS = 16
"""Of one recording."""
LONGEST_FILE = 16 << 20

Labels = Mapping[str, tuple[str, ...]]
"""Condition -> the labels of one recording."""


@dataclass(frozen=True, kw_only=True)
class LabelSource:
    """NAME=folders|tags|FILE, as `prepare --label` has it. InputError where it is nothing of the kind."""

    name: str
    source: str

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name) or self.name in RESERVED:
            raise NamedError(f"{{label}} {unbraced(self.name)}: lower-case letters, digits and _ name a condition")
        if not self.source:
            raise NamedError(f"{{label}} {self.name}: NAME={FOLDERS}, NAME={TAGS} or NAME=FILE was expected")

    @classmethod
    def parsed(cls, text: str) -> "LabelSource":
        """From NAME=SOURCE."""
        name, _, source = text.partition("=")
        return cls(name=name.strip(), source=source.strip())

    def of(self, names: Sequence[str], genres: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
        """Name of a recording -> its labels, of those that have any. genres: of each name the tag.

        InputError for a file of labels that is none.
        """
        if self.source == FOLDERS:
            return by_folder(names)
        if self.source == TAGS:
            return {name: labels for name in names if (labels := _plain(genres.get(name, "").split(SEVERAL)))}
        return by_list(names, Path(self.source))


def by_folder(names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The first folder in which the names part from one another; a file beside such folders has no label."""
    paths = {name: PurePath(name).parts for name in names}
    shared = 0
    longest = max((len(parts) for parts in paths.values()), default=0)
    while shared < longest and len({parts[: shared + 1] for parts in paths.values()}) == 1:
        shared += 1
    return {
        name: labels for name, parts in paths.items() if len(parts) > shared + 1 and (labels := _plain([parts[shared]]))
    }


def by_list(names: Sequence[str], path: Path) -> dict[str, tuple[str, ...]]:
    """As a JSON file says: {"folder/file.ogg": "label" or ["label", ...]}, by the end of a name that is given.

    InputError where it is anything else, or fits no name at all.
    """
    remedy = 'write {"folder/file.ogg": "label", ...}'
    try:
        fields = Fields(str(path), read_json(path, remedy, LONGEST_FILE), remedy)
    except OSError as error:
        raise NamedError(f"{{label}} {unbraced(path)}: {error.strerror}; {FOLDERS}, {TAGS} or a file of JSON") from None
    listed: dict[str, tuple[str, ...]] = {}
    for name in fields.names():
        value = fields.take(name)
        parts = [value] if isinstance(value, str) else value
        if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts) or len(parts) > MOST_LABELS:
            raise fields.fail(name, value, "a label, or a list of labels")
        listed[name] = _plain(parts)
    labelled = {name: labels for name in names if (labels := _listed(PurePath(name).parts, listed))}
    if not labelled:
        raise InputError(f"{path}: names none of the recordings; {remedy}")
    return labelled


def _listed(parts: tuple[str, ...], listed: Labels) -> tuple[str, ...]:
    """Of the longest end of a path that is listed."""
    return next((listed[end] for at in range(len(parts)) if (end := "/".join(parts[at:])) in listed), ())


def _plain(labels: Sequence[str]) -> tuple[str, ...]:
    plain = (plain_label(label) for label in labels)
    return tuple(dict.fromkeys(label for label in plain if label))[:MOST_LABELS]
