"""What a command prints: one JSON object for programs, tables and lines for people, progress on stderr.

stdout carries the answer and nothing else; whatever is said beside it goes to stderr. Names and words that came from
outside are printed without their control characters, which could rewrite what a terminal shows.
"""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Final, Literal

import click
import orjson
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text
from typing_extensions import override

from api.cli.root import printable
from consent.base.canonical import b64
from consent.base.clock import rfc3339

Mark = Literal["ok", "attention", "unknown"]
Tick = Callable[[int, int], None]
"""Told how many are done, and of how many."""

Tell = Callable[[str, int, int], None]
"""Told which step is under way, how many of it are done, and of how many."""

_UNCUT: Final = 100_000
"""Columns of a table that isn't for a screen: nothing is wrapped or cut."""

_MARKS: Final[Mapping[Mark, str]] = {"ok": "green", "attention": "yellow", "unknown": "red"}
_NOTHING: Final = "-"


def print_json(answer: Mapping[str, object]) -> None:
    """Print one object; times as RFC 3339, bytes as base64, a number that is none as null."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_NON_STR_KEYS  # keys that are enums
    click.echo(orjson.dumps(answer, default=_plain, option=options).decode())


def _plain(value: object) -> str:
    match value:
        case datetime():
            return rfc3339(value)
        case bytes():
            return b64(value)
        case _:
            raise TypeError(type(value).__name__)


def print_table(headings: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> None:
    """Print a table, or the sentence that says why there is nothing in it, and what to do next."""
    cells = [list(row) for row in rows]
    if not cells:
        print_line(empty)
        return
    console = _console()
    if not console.is_terminal:
        console.width = _UNCUT
    table = Table(box=None, pad_edge=False, header_style="bold")
    for spot, heading in enumerate(headings):
        right = all(isinstance(row[spot], (int, float)) and not isinstance(row[spot], bool) for row in cells)
        table.add_column(heading, justify="right" if right else "left", overflow="fold")
    for row in cells:
        table.add_row(*(Text(shown(cell)) for cell in row))
    with console.capture() as captured:
        console.print(table)
    for line in captured.get().splitlines():
        click.echo(line.rstrip())


def print_facts(facts: Mapping[str, object]) -> None:
    """Print what is known of one thing, a line a fact."""
    width = max(map(len, facts), default=0)
    for name, value in facts.items():
        click.echo(f"{name:<{width}}  {shown(value)}")


def print_line(line: str = "") -> None:
    """Print one line."""
    click.echo(printable(line))


def print_verbatim(text: str) -> None:
    """Print text that has to be taken as it stands (a signed note, a description), to its last line end."""
    click.echo(text, nl=not text.endswith("\n"))


def print_mark(mark: Mark, what: str, why: str) -> None:
    """Print how something stands: a word first, for colour alone tells nothing to many."""
    click.echo(f"{click.style(f'{mark:<9}', fg=_MARKS[mark])}  {what:<10}  {printable(why)}")


def say(line: str) -> None:
    """Say something beside the answer, on stderr."""
    click.echo(printable(line), err=True)


def shown(value: object) -> str:
    """Return a value as people read it.

    >>> shown(12345), shown(None), shown(True), shown(("a", "b")), shown(0.25)
    ('12,345', '-', 'yes', 'a, b', '0.25')
    """
    match value:
        case None | "" | ():
            text = _NOTHING
        case bool():
            text = "yes" if value else "no"
        case int():
            text = f"{value:,}"
        case float():
            text = f"{value:,.4g}"
        case datetime():
            text = rfc3339(value)
        case list() | tuple():
            text = ", ".join(shown(item) for item in value) or _NOTHING
        case _:
            text = printable(str(value))
    return text


class _Rate(ProgressColumn):
    """How many a second."""

    @override
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:,.0f}/s" if task.speed else "")


@contextmanager
def progress(what: str) -> Iterator[Tick | None]:
    """Show how far long work is, with its rate and the time left; None where nobody watches."""
    console = _console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    with _bars(console, transient=True) as bars:
        task = bars.add_task(what, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)


@contextmanager
def steps() -> Iterator[Tell]:
    """Show how far work of several steps is, a bar a step; what it is told goes nowhere where nobody watches."""
    console = _console(stderr=True)
    if not console.is_terminal:
        yield lambda _step, _done, _total: None
        return
    with _bars(console, transient=False) as bars:
        tasks: dict[str, TaskID] = {}

        def tell(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = bars.add_task(step, total=total)
            bars.update(tasks[step], completed=done, total=total)

        yield tell


def _bars(console: Console, *, transient: bool) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=transient)


def _console(*, stderr: bool = False) -> Console:
    return Console(file=sys.stderr if stderr else sys.stdout, highlight=False, markup=False, emoji=False)
