"""The command line. `main` is its one way in, and the one place where an error becomes a line and an exit code.

A group of commands is a module: it reads arguments, calls one use case, and prints (`output`). What they stand on is in
`frame`, the list of all of them in `tree`; a module is loaded when a command of it is asked for.
"""

import os
import sys
import traceback
from collections.abc import Sequence
from typing import Final

import click

from api.cli import root
from api.cli.root import printable
from api.cli.tree import byleave
from consent.base.errors import (
    ByleaveError,
    Conflict,
    Invalid,
    KeyLost,
    LedgerBroken,
    NotAllowed,
    NotFound,
    NotSignedIn,
    Unavailable,
)

NAME: Final = "byleave"
_MOST_PLACES: Final = 12
"""Places that are named in a line; of the others it says how many there are."""

_CODES: Final[tuple[tuple[type[ByleaveError], int], ...]] = (
    (Conflict, root.REFUSED),
    (NotAllowed, root.REFUSED),
    (NotSignedIn, root.REFUSED),
    (Invalid, root.USAGE),
    (NotFound, root.USAGE),
    (Unavailable, root.UNCHECKED),
    (KeyLost, root.UNCHECKED),
    (LedgerBroken, root.UNCHECKED),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Args:
        argv: the arguments; the process's own where left out.
    """
    code = _run(argv)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        code = root.UNHEARD
    if code == root.UNHEARD:
        # What is still buffered goes nowhere: the interpreter would complain of the pipe once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


def exit_code(error: ByleaveError) -> int:
    """Return the exit code of an error of ours.

    >>> exit_code(Invalid()), exit_code(NotAllowed()), exit_code(LedgerBroken())
    (2, 1, 3)
    """
    return next((code for kind, code in _CODES if isinstance(error, kind)), root.UNCHECKED)


def _run(argv: Sequence[str] | None) -> int:
    try:
        return byleave.main(argv, prog_name=NAME, standalone_mode=False) or root.OK
    except click.exceptions.NoArgsIsHelpError as asked:
        asked.show()
        return asked.exit_code
    except (click.Abort, KeyboardInterrupt, EOFError):
        line, code = "interrupted", root.INTERRUPTED
    except click.UsageError as wrong:
        asked_of = wrong.ctx.command_path if wrong.ctx else NAME
        message = " ".join(wrong.format_message().split()).rstrip(".")
        line, code = f"{message}. See `{asked_of} --help`", wrong.exit_code
    except click.ClickException as stopped:
        line, code = stopped.format_message(), stopped.exit_code
    except ByleaveError as error:
        line, code = _line(error), exit_code(error)
    except OSError as refused:
        named = f"{refused.filename}: " if refused.filename else ""
        line, code = f"{named}{refused.strerror or refused}", root.UNCHECKED
    except Exception:  # noqa: BLE001 -- the last stop: what comes here is a fault of ours, and is shown whole
        traceback.print_exc()
        line, code = "this is a fault of Byleave itself: please report the lines above", root.UNCHECKED
    click.echo(printable(f"{NAME}: {line}"), err=True)
    return code


def _line(error: ByleaveError) -> str:
    spots = [f"{place.where}: {place.why}" if place.where else place.why for place in error.places[:_MOST_PLACES]]
    more = len(error.places) - _MOST_PLACES
    if more > 0:
        spots.append(f"and {more} more place{'s' * (more != 1)}")
    return ": ".join(part for part in (error.title, error.detail, "; ".join(spots)) if part)
