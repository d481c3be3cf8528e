"""From the bytes of a CSV file to rows of cells, as RFC 4180 says, with LF allowed; never more than a piece at a time.

A piece is some whole lines. One without a quote is cut at its commas at once; in any other, lines are first joined to
rows, since a quoted cell may go on over several. What breaks one row is noted, and reading goes on; what makes all
that follows unreadable ends it.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from io import BufferedReader
from typing import Final, NamedTuple, TypeAlias

from consent.imports.faults import Faults

LONGEST_ROW: Final = 1_000_000
"""Characters of a row (bytes of a line): more is no table."""
BLOCK: Final = 1 << 18
"""Bytes read at a time."""

_BOM: Final = b"\xef\xbb\xbf"
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")
_CELL: Final = re.compile(r'(?:"([^"]*+(?:""[^"]*+)*+)"|([^",\r]*+))(,|\Z)')

_SPECIAL: Final = re.compile('[",\r\n]')

Row: TypeAlias = Sequence[str]


class Batch(NamedTuple):
    """Rows with the lines on which they begin; `longest` is the length of the longest row, in characters."""

    lines: Sequence[int]
    rows: Sequence[Row]
    longest: int


def pieces(file: BufferedReader, faults: Faults) -> Iterator[tuple[int, str]]:
    """Walk a file in pieces of whole lines, as text: the number of the first line, and the text."""
    line, left = 1, file.read(BLOCK)
    if left.startswith(_UTF16):
        faults.fatal(1, "the file is UTF-16; save it as UTF-8")
    left = left.removeprefix(_BOM)
    while left:
        cut = left.rfind(b"\n") + 1
        block = file.read(BLOCK)
        if not block:
            cut = len(left)
        if cut:
            yield line, _decoded(left[:cut], line, faults)
            line += left.count(b"\n", 0, cut)
        left = left[cut:] + block
        if len(left) > LONGEST_ROW + BLOCK:
            faults.fatal(line, f"has more than {LONGEST_ROW:,} bytes")


def line_by_line(pieces: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """Cut pieces into pieces of one line: nobody looks further than he asks."""
    for first, text in pieces:
        for number, line in enumerate(text.removesuffix("\n").split("\n"), first):
            yield number, line + "\n"


def _decoded(raw: bytes, line: int, faults: Faults) -> str:
    wrong = raw.find(b"\x00")
    if wrong >= 0:
        faults.fatal(line + raw.count(b"\n", 0, wrong), "has a NUL character: this is not text, or not UTF-8")
    try:
        return composed(raw.decode("utf-8"))
    except UnicodeDecodeError as refused:
        faults.fatal(line + raw.count(b"\n", 0, refused.start), "has a byte that is not UTF-8; save the file as UTF-8")


def composed(text: str) -> str:
    """Return text in Unicode's composed form (NFC)."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def records(pieces: Iterator[tuple[int, str]], faults: Faults) -> Iterator[Batch]:
    """Cut lines into cells. A piece without a quote is cut at once; any other line by line."""
    joiner = _Joiner(faults)
    for first, text in pieces:
        plain = text.replace("\r\n", "\n")
        if joiner.parts or '"' in plain or "\r" in plain:
            yield _quoted(text.removesuffix("\n").split("\n"), first, joiner, faults)
        else:
            lines = plain.removesuffix("\n").split("\n")
            cut = [line.split(",") for line in lines]
            yield Batch(range(first, first + len(lines)), cut, len(max(lines, key=len)))
    if joiner.parts:
        faults.fatal(joiner.start, "a quote is opened and never closed")


def raw_records(pieces: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """Walk rows as they stand, uncut, with the line on which each begins; what is broken comes along."""
    joiner = _Joiner(Faults(""))
    for first, text in pieces:
        for number, line in enumerate(text.removesuffix("\n").split("\n"), first):
            record = joiner.record(number, line)
            if record is not None:
                yield joiner.start, record


def quoted(row: Row) -> bytes:
    r"""Return a row as a line of CSV.

    >>> quoted(["a", 'b"c', "d,e"])
    b'a,"b""c","d,e"\n'
    """
    cells = ('"' + cell.replace('"', '""') + '"' if _SPECIAL.search(cell) else cell for cell in row)
    return (",".join(cells) + "\n").encode()


def _quoted(lines: Sequence[str], first: int, joiner: "_Joiner", faults: Faults) -> Batch:
    numbers: list[int] = []
    rows: list[Row] = []
    longest = 0
    for number, line in enumerate(lines, first):
        record = joiner.record(number, line)
        cells = None if record is None else _cut(record, joiner.start, faults)
        if record is not None and cells is not None:
            longest = max(longest, len(record))
            numbers.append(joiner.start)
            rows.append(cells)
    return Batch(numbers, rows, longest)


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
        inner, plain, end = found.groups()
        cells.append(plain if inner is None else inner.replace('""', '"'))
        spot, ended = found.end(), not end
    return cells
