"""What a user can mend: one exception, one line, exit code 2."""


class InputError(ValueError):
    """The user's input is at fault. The message is one line naming the file or option, and the remedy."""
