"""The command `halfstep`: its commands, and the one place where a failure becomes a line and an exit code."""

import signal
import sys
import traceback
from typing import Annotated, NoReturn

import typer

import halfstep
from halfstep.app.evaluate import evaluating
from halfstep.app.failures import DONE, INTERRUPTED, exit_code_and_line, lost_working_folder
from halfstep.app.generate import composing, vocoding
from halfstep.app.hub import pushing
from halfstep.app.inspect import inspecting
from halfstep.app.make import making
from halfstep.app.options import with_address
from halfstep.app.page import paging
from halfstep.app.play import benching, playing
from halfstep.app.serve import serving
from halfstep.app.stopping import terminate
from halfstep.app.terminal import QUIET, make_safe
from halfstep.ending import asked_to_end
from halfstep.errors import InputError
from halfstep.printable import printable

ANYWHERE = ("--debug", "--quiet")
app = typer.Typer(
    name="halfstep",
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,  # plain help, in half the time
    pretty_exceptions_enable=False,
    epilog="halfstep COMMAND --help shows examples. Anywhere: --quiet leaves out progress and what only says how it "
    "went; --debug shows the traceback of a failure.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"halfstep {halfstep.__version__}")
        raise typer.Exit


@app.callback()
def _halfstep(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Endless music from your own recordings: play it, or make a model of them."""
    if lost := lost_working_folder():  # some packages end the process where there is none
        raise InputError(lost)


composing.add_to(app)
playing.add_to(app)
serving.add_to(app)
paging.add_to(app)
inspecting.add_to(app)
benching.add_to(app)
vocoding.add_to(app)
making.add_to(app)
pushing.add_to(app)
evaluating.add_to(app)


def main() -> NoReturn:
    """Run the command line of this process and leave with its exit code."""
    make_safe()
    for number in asked_to_end():
        signal.signal(number, terminate)
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command line (without the program's name); its exit code. Errors become one line on stderr."""
    debug = "--debug" in arguments
    words = with_address([word for word in arguments if word not in ANYWHERE]) or ["--help"]
    QUIET.set("--quiet" in arguments)
    try:
        code = app(words, prog_name="halfstep", standalone_mode=False)
    except BrokenPipeError:  # whoever read the sound has enough of it
        return DONE
    except (Exception, KeyboardInterrupt) as error:
        if debug:
            traceback.print_exc()
        return _fail(*exit_code_and_line(error))
    if code == INTERRUPTED:
        return _fail(INTERRUPTED, "interrupted")
    return code if isinstance(code, int) else DONE


def _fail(code: int, line: str) -> int:
    """One line on stderr, whatever a file's name has in it."""
    print(f"halfstep: {printable(' '.join(line.split()))}", file=sys.stderr)
    return code


if __name__ == "__main__":
    main()
