"""What a user can mend: one exception, one line, exit code 2."""

from collections.abc import Mapping


class InputError(ValueError):
    """The user's input is at fault. The message is one line naming the file or option, and the remedy."""


class NamedError(InputError):
    """One at the fault of arguments. `text` names them in braces, so that whoever has other names for them, such as a
    command line, can put these in; `{{` and `}}` are braces.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__(self.named({}))

    def __reduce__(self) -> tuple[type["NamedError"], tuple[str]]:
        """Between processes it goes as its text: the message has lost its braces."""
        return type(self), (self.text,)

    def named(self, names: Mapping[str, str]) -> str:
        """The line, with an argument's own name where `names` has no other."""
        return self.text.format_map(_Names(names))


class _Names(dict[str, str]):
    def __missing__(self, field: str) -> str:
        return field


def unbraced(text: object) -> str:
    """What a user gave, for the text of a NamedError."""
    return str(text).replace("{", "{{").replace("}", "}}")
