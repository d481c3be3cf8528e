"""Files as data: rows of text cells in chunks, read strictly, with the line of everything that is wrong.

A CSV file is UTF-8 (a byte order mark is accepted), its first line names the columns, its lines end in LF or CR LF,
its cells are separated by commas and quoted as RFC 4180 says. Nothing is guessed, repaired or left out. Text is
brought into Unicode's composed form (NFC), so that one name is one name however it was typed.

A file is read twice, first to check it, then to store it; whatever its size, a chunk of it is in memory.

Source:
    RFC 4180 section 2, with any number of columns and LF allowed.
"""

import os
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from io import BufferedReader
from pathlib import Path
from typing import Final, NamedTuple, NoReturn, Protocol

from consent.base.errors import ImportInvalid, Place

CHUNK_ROWS: Final = 5_000
LONGEST_CELL: Final = 10_000
"""Characters."""
LONGEST_ROW: Final = 1_000_000
"""Characters of a row (bytes of a line): more is no table."""
MOST_PLACES: Final = 100
"""How many wrong places are named; the others are counted."""

_BLOCK: Final = 1 << 18
_BOM: Final = b"\xef\xbb\xbf"
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")
_CELL: Final = re.compile(r'(?:"([^"]*+(?:""[^"]*+)*+)"|([^",\r]*+))(,|\Z)')
_SURROGATE: Final = re.compile("[\ud800-\udfff]")

Row = Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """Up to `CHUNK_ROWS` rows: their cells, by row and by column, and the line on which each begins."""

    lines: Sequence[int]
    header: tuple[str, ...]
    rows: Sequence[Row]

    @cached_property
    def columns(self) -> dict[str, Sequence[str]]:
        """The cells by column, each `(n_rows,)`."""
        return dict(zip(self.header, zip(*self.rows, strict=True), strict=True))


class _Fault(NamedTuple):
    line: int
    place: Place


@dataclass(slots=True)
class Faults:
    """What is wrong with one file: the first hundred places in the order of its lines, and how many more there are."""

    name: str
    word: str = "line"
    found: list[_Fault] = field(default_factory=list)
    named: list[Place] = field(default_factory=list)
    count: int = 0

    def cell(self, line: int, column: str, why: str) -> None:
        """Note a wrong cell."""
        self.found.append(_Fault(line, Place(f"{self.word} {line}, column {column}", why)))

    def row(self, line: int, why: str) -> None:
        """Note a wrong row."""
        self.found.append(_Fault(line, Place(f"{self.word} {line}", why)))

    def settle(self) -> None:
        """Put what was found since the last time into the order of lines, and keep what there is room for."""
        self.count += len(self.found)
        room = MOST_PLACES - len(self.named)
        if room and self.found:
            self.named.extend(fault.place for fault in sorted(self.found, key=lambda fault: fault.line)[:room])
        self.found.clear()

    def fatal(self, line: int, why: str) -> NoReturn:
        """Stop: what comes after this line can't be read."""
        self.row(line, why)
        self.check()
        raise AssertionError  # pragma: no cover -- a fault was noted the line before

    def check(self) -> None:
        """Raise if anything is wrong.

        Raises:
            ImportInvalid: with the first hundred places, and how many more there are.
        """
        self.settle()
        if not self.count:
            return
        more = self.count - len(self.named)
        places = [*self.named, Place("further on", f"and {more:,} more")] if more else self.named
        many = f"{self.count:,} places are wrong" if self.count > 1 else "one place is wrong"
        raise ImportInvalid(f"{many} in {self.name}; nothing of it was brought in", places=places)


class Sheet(Protocol):
    """Rows to bring in: a file, or a list. Can be walked more than once, and gives the same each time."""

    name: str
    word: str
    header: tuple[str, ...]

    def chunks(self, faults: Faults) -> Iterator[Chunk]:
        """Walk the rows; rows that can't be rows are noted in `faults` and left out.

        Raises:
            ImportInvalid: it can't be read any further.
        """


def opened(source: Path | Iterable[Mapping[str, str]]) -> Sheet:
    """Open a CSV file, or rows as `csv.DictReader` gives them.

    Raises:
        ImportInvalid: there is no file, or it has no header.
    """
    return CsvSheet(source) if isinstance(source, Path) else RowSheet(source)


class CsvSheet:
    """A CSV file."""

    word = "line"

    def __init__(self, path: Path) -> None:
        """Read the header.

        Raises:
            ImportInvalid: no file, or a header that names no columns, or one twice.
        """
        self.name = path.name
        self._path = path
        if not path.is_file():
            raise ImportInvalid(f"{path.name} is not a file that can be read twice")
        faults = Faults(self.name)
        with self._open() as file:
            self._state = _state(file)
            first = next((batch.rows[0] for batch in _records(_pieces(file, faults), faults) if batch.rows), None)
        faults.check()
        if first is None:
            raise ImportInvalid(f"{self.name} is empty: its first line must name the columns")
        self.header = _checked_header(first, faults)

    def _open(self) -> BufferedReader:
        try:
            return self._path.open("rb")
        except OSError as away:
            raise ImportInvalid(f"{self.name} can't be read: {away.strerror}") from away

    def chunks(self, faults: Faults) -> Iterator[Chunk]:
        """Walk the rows after the header.

        Raises:
            ImportInvalid: not UTF-8, a NUL, a quote that is never closed, no row at all, or changed while it was read.
        """
        lines: list[int] = []
        rows: list[Row] = []
        for batch in self._batches(faults):
            lines.extend(batch.lines)
            rows.extend(batch.rows)
            while len(rows) >= CHUNK_ROWS:
                yield Chunk(lines=lines[:CHUNK_ROWS], header=self.header, rows=rows[:CHUNK_ROWS])
                del lines[:CHUNK_ROWS], rows[:CHUNK_ROWS]
        if rows:
            yield Chunk(lines=lines, header=self.header, rows=rows)

    def _batches(self, faults: Faults) -> Iterator["_Batch"]:
        """Walk the rows that have the right number of cells."""
        any_row = False
        with self._open() as file:
            for batch in _without_first(_records(_pieces(file, faults), faults)):
                any_row = any_row or bool(batch.lines)
                if _state(file) != self._state:
                    raise ImportInvalid(f"{self.name} was changed while it was read; run the import again")
                yield _fitting(batch, self.header, faults)
        if not any_row and not (faults.found or faults.count):
            faults.fatal(1, "names the columns, but no row follows")


class RowSheet:
    """Rows that a program has at hand, as `csv.DictReader` gives them: the same columns in each, every cell text."""

    name = "the rows"
    word = "row"

    def __init__(self, rows: Iterable[Mapping[str, str]]) -> None:
        """Keep the rows; the first one's keys are the header.

        Raises:
            ImportInvalid: there is no row, or a column has no name.
        """
        self._rows = list(rows)
        if not self._rows:
            raise ImportInvalid("there are no rows")
        self.header = _checked_header(tuple(self._rows[0]), Faults(self.name, self.word))

    def chunks(self, faults: Faults) -> Iterator[Chunk]:
        """Walk the rows. Raises nothing of its own: what is wrong is noted."""
        for start in range(0, len(self._rows), CHUNK_ROWS):
            lines: list[int] = []
            rows: list[Row] = []
            for number, row in enumerate(self._rows[start : start + CHUNK_ROWS], start + 1):
                why = self._why_not(row)
                if why:
                    faults.row(number, why)
                else:
                    lines.append(number)
                    rows.append([_composed(row[name]) for name in self.header])
            if rows:
                batch = _fitting(_Batch(lines, rows, longest=LONGEST_CELL + 1), self.header, faults)
                yield Chunk(lines=lines, header=self.header, rows=batch.rows)

    def _why_not(self, row: Mapping[str, str]) -> str:
        if row.keys() != set(self.header) or not all(isinstance(cell, str) for cell in row.values()):
            return "must have the columns of the first row, and text in each"
        cells = "".join(row.values())
        if "\x00" in cells:
            return "has a NUL character"
        return "has half a surrogate pair" if _SURROGATE.search(cells) else ""


class _Batch(NamedTuple):
    """Rows with the lines on which they begin; `longest` is the length of the longest row, in characters."""

    lines: Sequence[int]
    rows: Sequence[Row]
    longest: int


def _state(file: BufferedReader) -> tuple[int, int, int]:
    found = os.fstat(file.fileno())
    return found.st_ino, found.st_size, found.st_mtime_ns


def _checked_header(names: Row, faults: Faults) -> tuple[str, ...]:
    seen: set[str] = set()
    for spot, name in enumerate(names, 1):
        if not name.strip():
            faults.row(1, f"the column {spot} has no name")
        elif len(name) > LONGEST_CELL:
            faults.row(1, f"the name of column {spot} has more than {LONGEST_CELL:,} characters")
        elif name in seen:
            # Not quoted: without a header, this would be a customer's data.
            faults.row(1, f"column {spot} has the name of column {list(names).index(name) + 1}")
        seen.add(name)
    faults.check()
    return tuple(names)


def _pieces(file: BufferedReader, faults: Faults) -> Iterator[tuple[int, str]]:
    """Walk a file in pieces of whole lines, as text: the number of the first line, and the text."""
    line, left = 1, file.read(_BLOCK)
    if left.startswith(_UTF16):
        faults.fatal(1, "the file is UTF-16; save it as UTF-8")
    left = left.removeprefix(_BOM)
    while left:
        cut = left.rfind(b"\n") + 1
        block = file.read(_BLOCK)
        if not block:
            cut = len(left)
        if cut:
            yield line, _decoded(left[:cut], line, faults)
            line += left.count(b"\n", 0, cut)
        left = left[cut:] + block
        if len(left) > LONGEST_ROW + _BLOCK:
            faults.fatal(line, f"has more than {LONGEST_ROW:,} bytes")


def _decoded(raw: bytes, line: int, faults: Faults) -> str:
    wrong = raw.find(b"\x00")
    if wrong >= 0:
        faults.fatal(line + raw.count(b"\n", 0, wrong), "has a NUL character: this is not text, or not UTF-8")
    try:
        return _composed(raw.decode("utf-8"))
    except UnicodeDecodeError as refused:
        faults.fatal(line + raw.count(b"\n", 0, refused.start), "has a byte that is not UTF-8; save the file as UTF-8")


def _composed(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def _records(pieces: Iterator[tuple[int, str]], faults: Faults) -> Iterator[_Batch]:
    """Cut lines into cells. A piece without a quote is cut at once; any other line by line."""
    joiner = _Joiner(faults)
    for first, text in pieces:
        if not joiner.parts and '"' not in text:
            plain = text.replace("\r\n", "\n")
            if "\r" not in plain:
                lines = plain.removesuffix("\n").split("\n")
                cut = [line.split(",") for line in lines]
                yield _Batch(range(first, first + len(lines)), cut, len(max(lines, key=len)))
                continue
        numbers: list[int] = []
        rows: list[Row] = []
        longest = 0
        for number, line in enumerate(text.removesuffix("\n").split("\n"), first):
            record = joiner.record(number, line)
            if record is not None:
                cells = _cut(record, joiner.start, faults)
                longest = max(longest, len(record))
                if cells is not None:
                    numbers.append(joiner.start)
                    rows.append(cells)
        yield _Batch(numbers, rows, longest)
    if joiner.parts:
        faults.fatal(joiner.start, "a quote is opened and never closed")


class _Joiner:
    """Lines on their way to being a row: a quoted cell may go on over several lines."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self.start = 0
        self.parts: list[str] = []
        self._size = 0
        self._open = False

    def record(self, number: int, line: str) -> str | None:
        """Take a line; return the row that it completes, or None while a quote is open."""
        if not self.parts:
            self.start, self._size, self._open = number, 0, False
        self.parts.append(line)
        self._size += len(line)
        self._open ^= bool(line.count('"') & 1)
        if not self._open:
            record = "\n".join(self.parts)
            self.parts = []
            return record.removesuffix("\r")
        if self._size > LONGEST_ROW:
            self._faults.fatal(self.start, f"a quote is opened and not closed within {LONGEST_ROW:,} characters")
        return None


def _cut(record: str, line: int, faults: Faults) -> Row | None:
    if '"' not in record and "\r" not in record:
        return record.split(",")
    cells: list[str] = []
    spot, ended = 0, False
    while not ended:
        found = _CELL.match(record, spot)
        if found is None:
            stray = "a carriage return" if "\r" in record and '"' not in record else "a quote"
            faults.row(line, f"{stray} stands where none may, in cell {len(cells) + 1}")
            return None
        quoted, plain, end = found.groups()
        cells.append(plain if quoted is None else quoted.replace('""', '"'))
        spot, ended = found.end(), not end
    return cells


def _without_first(batches: Iterator[_Batch]) -> Iterator[_Batch]:
    header = True
    for batch in batches:
        skip = 1 if header and batch.rows else 0
        header = header and not skip
        yield _Batch(batch.lines[skip:], batch.rows[skip:], batch.longest)


def _fitting(batch: _Batch, header: tuple[str, ...], faults: Faults) -> _Batch:
    """Return the rows that have as many cells as the header; note the others, and cells that are too long."""
    width = len(header)
    fits = [len(row) == width for row in batch.rows]
    if batch.longest > LONGEST_CELL:
        for line, row in zip(batch.lines, batch.rows, strict=True):
            for name, cell in zip(header, row, strict=False):
                if len(cell) > LONGEST_CELL:
                    faults.cell(line, name, f"has more than {LONGEST_CELL:,} characters")
    if all(fits):
        return batch
    for line, row, fit in zip(batch.lines, batch.rows, fits, strict=True):
        if not fit:
            blank = not any(cell.strip() for cell in row)
            faults.row(line, "is blank" if blank else f"has {len(row)} cells, the header has {width}")
    pairs = [(line, row) for line, row, fit in zip(batch.lines, batch.rows, fits, strict=True) if fit]
    return _Batch([line for line, _ in pairs], [row for _, row in pairs], batch.longest)
