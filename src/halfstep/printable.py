"""Text of others, safe to print: names and reasons that a terminal, a log or a report must not obey."""

import os
from pathlib import Path


def printable(name: str | Path) -> str:
    """The name on one line of valid Unicode: bytes that are no UTF-8 and control characters are escaped."""
    text = os.fsencode(name).decode("utf-8", "backslashreplace") if _is_name(name) else str(name)
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)


def _is_name(name: str | Path) -> bool:
    """Whether the system could have it as a name: text from elsewhere may hold halves of characters."""
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return False
    return True
