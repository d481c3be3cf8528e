"""PURE: from cells to values, column by column; a cell that is none is named by its line and column.

An empty cell, or one of white space only, is nothing known. Values are numbers, truths, texts, and times as whole
milliseconds since 1970. A cell that occurs often is read once.

What an error says of a cell: at most its first 20 characters, nothing where the column names a customer or belongs to
a special category, and nothing that looks like an address: errors are logged.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final, Generic, TypeVar, cast

from consent.base.canonical import GREATEST
from consent.base.clock import parse_time, to_ms, whole_milliseconds
from consent.base.errors import Invalid
from consent.catalogue.model import AttributeType
from consent.imports.columns import Column, Constant, Phrase, Source, Value
from consent.imports.faults import Faults
from consent.imports.mapping import Fact
from consent.imports.rows import Chunk
from consent.register.customers import REFERENCE
from consent.register.naming import LONGEST, why_no_reference

_QUOTED: Final = 20
_KEPT: Final = 5_000
_LISTED: Final = 12
_INTEGER: Final = re.compile(r"[+-]?[0-9]+")
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_ADDRESS: Final = re.compile(r"[^@\s]+@[^@\s]+")
_PLAIN: Final = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?", re.ASCII)
_GO: Final = re.compile(
    r"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.(\d{1,9}))? ([+-]\d{4}) (?:[A-Z]{1,5}|[+-]\d{2,4})", re.ASCII
)
_DIGITS_OF_GREATEST: Final = len(str(GREATEST))

T = TypeVar("T")


class Wrong:
    """Why a cell is no value: "is not a number"."""

    __slots__ = ("why",)

    def __init__(self, why: str) -> None:
        """Keep the reason, which doesn't quote the cell."""
        self.why = why


Reader = Callable[[str], T | Wrong]


class ColumnReader(Generic[T]):
    """One source: its cells to values, chunk after chunk."""

    def __init__(self, source: Source, read: Reader[T], *, quiet: bool = False) -> None:
        """Keep the function that reads one cell that isn't empty. `quiet`: no error quotes a cell."""
        self._source = source
        self.name = ", ".join(source.columns)
        self._read = read
        self._quiet = quiet
        self._known: dict[str, T | Wrong | None] = {}
        self._any_wrong = False

    def cells(self, chunk: Chunk) -> Sequence[str]:
        """Return a cell a row; "" where nothing is known."""
        source = self._source
        match source:
            case Column(others=()):
                return chunk.columns[source.name]
            case Column():
                each = (chunk.columns[name] for name in source.columns)
                return [
                    next((cell for cell in row if cell and not cell.isspace()), "") for row in zip(*each, strict=True)
                ]
            case Constant():
                return [source.cells[0]] * len(chunk.rows)
            case Phrase():
                each = (chunk.columns[name] for name in source.columns)
                return [source.of(row) or "" for row in zip(*each, strict=True)]

    def values(self, chunk: Chunk, faults: Faults) -> list[T | None]:
        """Return a value a row, None where nothing is known or the cell is wrong (which is noted)."""
        cells = self.cells(chunk)
        known = self._known
        if len(known) > _KEPT:
            known.clear()
        for cell in set(cells) - known.keys():
            value = known[cell] = self._read(cell) if cell and not cell.isspace() else None
            self._any_wrong = self._any_wrong or isinstance(value, Wrong)
        found = [known[cell] for cell in cells]
        if self._any_wrong:
            for spot, value in enumerate(found):
                if isinstance(value, Wrong):
                    why = value.why if self._quiet else f"{shown(cells[spot])} {value.why}"
                    faults.cell(chunk.lines[spot], self.name, why)
                    found[spot] = None
        return cast("list[T | None]", found)


def shown(cell: str) -> str:
    """Return what an error may say of a cell.

    >>> shown("abc"), shown("ann@shop.example"), shown("a" * 30)
    ("'abc'", 'the cell', "'aaaaaaaaaaaaaaaaaaaa…'")
    """
    if "@" in cell:
        return "the cell"
    return repr(cell if len(cell) <= _QUOTED else cell[:_QUOTED] + "…")


def fact_reader(fact: Fact) -> ColumnReader[Value]:
    """Return the reader of an attribute's column."""
    table = fact.column.values
    if fact.attribute.type == "time":
        return ColumnReader(fact.column, milliseconds(instant(fact.column)), quiet=fact.quiet)
    read = one_of(cast("Mapping[str, Value]", table)) if table else _READERS[fact.attribute.type]
    return ColumnReader(fact.column, read, quiet=fact.quiet)


def one_of(table: Mapping[str, T]) -> Reader[T]:
    """Return a reader of cells that stand in a table.

    >>> one_of({"Urban": "town"})("Rural").why
    "is not one of 'Urban'"
    """
    few = ", ".join(repr(cell) for cell in list(table)[:_LISTED])
    wrong = Wrong(f"is not one of {few}" + (" …" if len(table) > _LISTED else ""))
    return lambda cell: table.get(cell, wrong)


def integer(cell: str) -> int | Wrong:
    r"""Read a whole number within ±(2^53 − 1), in the digits 0 to 9.

    >>> integer("12"), integer("1.9").why, integer("\uff11\uff12").why
    (12, 'is not a whole number', 'is not a whole number')
    """
    if not _INTEGER.fullmatch(cell):
        return Wrong("is not a whole number")
    digits = cell.lstrip("+-").lstrip("0")
    size = int(digits or "0") if len(digits) <= _DIGITS_OF_GREATEST else math.inf
    if size > GREATEST:
        return Wrong("is beyond ±(2^53 − 1)")
    return -int(size) if cell[0] == "-" else int(size)


def whole(low: int, high: int) -> Reader[int]:
    """Return a reader of whole numbers within bounds."""

    def read(cell: str) -> int | Wrong:
        number = integer(cell)
        fits = not isinstance(number, Wrong) and low <= number <= high
        return number if fits else Wrong(f"is not a whole number from {low} to {high:,}")

    return read


def number(cell: str) -> float | Wrong:
    """Read a number with a decimal point, finite.

    >>> number("-1.5e3"), number("1,5").why, number("1e999").why, number("nan").why
    (-1500.0, 'is not a number like 1234.5', 'is too large a number', 'is not a number like 1234.5')
    """
    if not _NUMBER.fullmatch(cell):
        return Wrong("is not a number like 1234.5")
    read = float(cell)
    return read if math.isfinite(read) else Wrong("is too large a number")


def boolean(cell: str) -> bool | Wrong:
    """Read `true` or `false`; other words need a table of values in the mapping."""
    if cell in ("true", "false"):
        return cell == "true"
    return Wrong("is neither true nor false; give the mapping a table of values")


def instant(source: Source) -> Reader[datetime]:
    """Return the reader of a column's times, in the form that it writes them.

    >>> instant(Column(name="at"))("1970-01-01").why
    'is not a time like 2026-11-21T17:00:00Z'
    >>> instant(Column(name="at", form="go"))("2026-11-21 18:00:00.5 +0100 CET").isoformat()
    '2026-11-21T17:00:00.500000+00:00'
    """
    form = source.form if isinstance(source, Column) else "rfc3339"
    zone = source.zone if isinstance(source, Column) else None
    if form == "plain":
        return lambda cell: _parsed(_PLAIN, cell, "2026-11-21 17:00:00", lambda found: found.replace(tzinfo=zone))
    if form == "go":
        return lambda cell: _parsed(_GO, cell, "2026-11-21 17:00:00 +0000 UTC", lambda found: found)
    return _rfc3339


def _rfc3339(cell: str) -> datetime | Wrong:
    try:
        return parse_time(cell)
    except Invalid:
        return Wrong("is not a time like 2026-11-21T17:00:00Z")


def _parsed(form: re.Pattern[str], cell: str, like: str, placed: Callable[[datetime], datetime]) -> datetime | Wrong:
    """Read a time by its pattern: the day, the time, perhaps decimals and an offset."""
    found = form.fullmatch(cell.strip())
    wrong = Wrong(f"is not a time like {like}")
    if found is None:
        return wrong
    day, clock, decimals, *offset = found.groups("")
    try:
        read = datetime.fromisoformat(f"{day}T{clock}.{decimals:0<6.6}{''.join(offset)}")
        return whole_milliseconds(placed(read))
    except (ValueError, OverflowError):
        return wrong


def milliseconds(read: Reader[datetime]) -> Reader[Value]:
    """Return a reader of times that gives them as milliseconds since 1970."""

    def ms(cell: str) -> int | Wrong:
        found = read(cell)
        return found if isinstance(found, Wrong) else to_ms(found)

    return ms


def text(cell: str) -> str:
    """Read text, as it stands."""
    return cell


_READERS: Final[Mapping[AttributeType, Reader[Value]]] = {
    "number": number,
    "integer": integer,
    "boolean": boolean,
    "text": text,
}


def names(chunk: Chunk, column: str, faults: Faults, *, kind: str, required: bool = False) -> list[str]:
    """Return what names each customer in a column, without the white space around it; "" where nothing does."""
    found = [cell.strip() for cell in chunk.columns[column]]
    for line, name in zip(chunk.lines, found, strict=True):
        why = _no_name(name, kind, required=required)
        if why:
            faults.cell(line, column, why)
    return found


def _no_name(name: str, kind: str, *, required: bool) -> str:
    if not name:
        return "names no customer" if required else ""
    if len(name) > LONGEST:
        return f"has more than {LONGEST} characters"
    if kind == REFERENCE:
        return why_no_reference(name)
    return "is not an e-mail address" if kind == "email" and not _ADDRESS.fullmatch(name) else ""
