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
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from io import BufferedReader
from itertools import compress
from pathlib import Path
from typing import Final, Protocol

from consent.base.errors import ImportInvalid
from consent.imports.faults import Faults
from consent.imports.records import Batch, Row, composed, line_by_line, pieces, quoted, raw_records, records

CHUNK_ROWS: Final = 5_000
LONGEST_CELL: Final = 10_000
"""Characters."""

_SURROGATE: Final = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """Up to `CHUNK_ROWS` rows: their cells, by row and by column, and the line on which each begins."""

    lines: Sequence[int]
    header: tuple[str, ...]
    rows: Sequence[Row]

    @cached_property
    def columns(self) -> dict[str, Sequence[str]]:
        """The cells by column, each `(n_rows,)`."""
        if not self.rows:
            return dict.fromkeys(self.header, ())
        return dict(zip(self.header, zip(*self.rows, strict=True), strict=True))

    def of(self, chosen: Sequence[bool]) -> "Chunk":
        """Return the chosen rows alone."""
        return Chunk(
            lines=list(compress(self.lines, chosen)), header=self.header, rows=list(compress(self.rows, chosen))
        )


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

    def only(self, lines: Container[int]) -> Iterator[bytes]:
        """Walk what stands on these lines, as a file that can be corrected and read as this one was."""


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
            why = (
                "is not a file that can be read twice" if path.exists() else "can't be read: No such file or directory"
            )
            raise ImportInvalid(f"{path.name} {why}")
        faults = Faults(self.name)
        with self._open() as file:
            self._state = state_of(file)
            lines = line_by_line(pieces(file, faults))  # what is wrong further down is found with the rows
            first = next((batch.rows[0] for batch in records(lines, faults) if batch.rows), None)
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

    def only(self, lines: Container[int]) -> Iterator[bytes]:
        """Walk the header and the rows that begin on these lines, as they stand.

        Raises:
            ImportInvalid: it can't be read any more.
        """
        header = True
        with self._open() as file:
            for line, record in raw_records(pieces(file, Faults(self.name))):
                if header or line in lines:
                    yield record.removesuffix("\r").encode() + b"\n"
                header = False

    def _batches(self, faults: Faults) -> Iterator[Batch]:
        """Walk the rows that have the right number of cells."""
        any_row = False
        with self._open() as file:
            for batch in _without_first(records(pieces(file, faults), faults)):
                any_row = any_row or bool(batch.lines)
                if state_of(file) != self._state:
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
                    rows.append([composed(row[name]) for name in self.header])
            if rows:
                batch = _fitting(Batch(lines, rows, longest=LONGEST_CELL + 1), self.header, faults)
                yield Chunk(lines=lines, header=self.header, rows=batch.rows)

    def only(self, lines: Container[int]) -> Iterator[bytes]:
        """Walk these rows as CSV, the header first."""
        yield quoted(self.header)
        for number, row in enumerate(self._rows, 1):
            if number in lines:
                yield quoted([str(row.get(name, "")) for name in self.header])

    def _why_not(self, row: Mapping[str, str]) -> str:
        if row.keys() != set(self.header) or not all(isinstance(cell, str) for cell in row.values()):
            return "must have the columns of the first row, and text in each"
        cells = "".join(row.values())
        if "\x00" in cells:
            return "has a NUL character"
        return "has half a surrogate pair" if _SURROGATE.search(cells) else ""


def state_of(file: BufferedReader) -> tuple[int, int, int]:
    """Return what changes when a file is written."""
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


def _without_first(batches: Iterator[Batch]) -> Iterator[Batch]:
    header = True
    for batch in batches:
        skip = 1 if header and batch.rows else 0
        header = header and not skip
        yield Batch(batch.lines[skip:], batch.rows[skip:], batch.longest)


def _fitting(batch: Batch, header: tuple[str, ...], faults: Faults) -> Batch:
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
            faults.row(
                line,
                "is blank" if blank else f"has {len(row)} cell{'s' if len(row) > 1 else ''}, the header has {width}",
            )
    pairs = [(line, row) for line, row, fit in zip(batch.lines, batch.rows, fits, strict=True) if fit]
    return Batch([line for line, _ in pairs], [row for _, row in pairs], batch.longest)
