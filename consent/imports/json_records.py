"""JSON files as rows of cells: a list of records, an object that holds such a list, or a record a line (JSON Lines).

A file is read a block at a time and cut into its records before any of them is parsed: whatever its size, a few records
are in memory. Each record is parsed strictly (`consent.base.strict_json`), and makes a row, or a row an item of one of
its lists: OneTrust's purposes of a data subject. A column is a path: `Identifier`, `Purposes.Status`. What a record
doesn't have is an empty cell; a path that no record of the file has is a mistake in the mapping.
"""

import re
from collections.abc import Container, Iterable, Iterator, Sequence
from io import BufferedReader
from pathlib import Path
from typing import Any, Final

from consent.base import strict_json
from consent.base.errors import ImportInvalid, Invalid
from consent.imports.faults import Faults
from consent.imports.records import composed
from consent.imports.rows import CHUNK_ROWS, LONGEST_CELL, Chunk, state_of

LONGEST_RECORD: Final = 1_000_000
"""Bytes."""

_BLOCK: Final = 1 << 18
_SIGN: Final = re.compile(rb'["{}\[\]\\]')
_BOM: Final = b"\xef\xbb\xbf"
_SPACE: Final = b" \t\r\n"


class JsonSheet:
    """A JSON file, as rows."""

    word = "record"

    def __init__(self, path: Path, columns: Iterable[str], *, records: str, each: str) -> None:
        """Take the columns to read (paths), the key of the list of records, and of the list that makes a row an item.

        Raises:
            ImportInvalid: there is no file.
        """
        self.name = path.name
        self.header = tuple(sorted(columns))
        self._path = path
        self._records = records
        self._each = each
        if not path.is_file():
            why = (
                "is not a file that can be read twice" if path.exists() else "can't be read: No such file or directory"
            )
            raise ImportInvalid(f"{path.name} {why}")
        with self._open() as file:
            self._state = state_of(file)

    def _open(self) -> BufferedReader:
        try:
            return self._path.open("rb")
        except OSError as away:
            raise ImportInvalid(f"{self.name} can't be read: {away.strerror}") from away

    def chunks(self, faults: Faults) -> Iterator[Chunk]:
        """Walk the rows. A record that can't be read is noted; one with nothing to say makes no row.

        Raises:
            ImportInvalid: not JSON, no record at all, a path that no record has, or changed while it was read.
        """
        lines: list[int] = []
        rows: list[Sequence[str]] = []
        met: set[str] = set()
        number = 0
        for number, raw in self._elements(faults):
            found = list(self._rows(number, raw, met, faults))
            lines.extend([number] * len(found))
            rows.extend(found)
            if len(rows) >= CHUNK_ROWS:
                yield Chunk(lines=lines, header=self.header, rows=rows)
                lines, rows = [], []
        if rows:
            yield Chunk(lines=lines, header=self.header, rows=rows)
        if not number:
            faults.fatal(1, "there is no record in the file")
        for column in sorted(set(self.header) - met) if not faults.count and not faults.found else ():
            faults.cell(number, column, "is in no record of the file")

    def only(self, lines: Container[int]) -> Iterator[bytes]:
        """Walk these records as they stand, one a line.

        Raises:
            ImportInvalid: it can't be read any more.
        """
        for number, raw in self._elements(Faults(self.name, self.word)):
            if number in lines:
                yield raw.replace(b"\n", b" ").replace(b"\r", b" ") + b"\n"

    def _elements(self, faults: Faults) -> Iterator[tuple[int, bytes]]:
        with self._open() as file:
            for number, raw in enumerate(elements(file, self._records, faults), 1):
                if state_of(file) != self._state:
                    raise ImportInvalid(f"{self.name} was changed while it was read; run the import again")
                yield number, raw

    def _rows(self, number: int, raw: bytes, met: set[str], faults: Faults) -> Iterator[Sequence[str]]:
        try:
            record = strict_json.parse(raw)
        except Invalid as wrong:
            [place] = wrong.places
            faults.row(number, f"{place.where} {place.why}".strip())
            return
        items = record.get(self._each, []) if self._each and isinstance(record, dict) else [None]
        if not isinstance(record, dict) or not isinstance(items, list):
            faults.row(number, "is no object" if not isinstance(record, dict) else f"has no list at {self._each}")
            return
        for item in items:
            whole = {**record, self._each: item} if self._each else record
            yield [self._cell(number, column, _at(whole, column, met), faults) for column in self.header]

    def _cell(self, number: int, column: str, value: object, faults: Faults) -> str:
        match value:
            case None:
                cell = ""
            case bool():
                cell = "true" if value else "false"
            case str():
                cell = composed(value)
            case int() | float():
                cell = repr(value)
            case _:
                faults.cell(number, column, "is a list or an object, where one value is needed")
                cell = ""
        if len(cell) > LONGEST_CELL:
            faults.cell(number, column, f"has more than {LONGEST_CELL:,} characters")
        return cell


def _at(record: dict[str, Any], path: str, met: set[str]) -> Any:  # noqa: ANN401 -- JSON of any shape
    """Return what stands at a path, None where nothing does; note the paths that are met."""
    value: Any = record
    for step in path.split("."):
        if not isinstance(value, dict) or step not in value:
            return None
        value = value[step]
    met.add(path)
    return value


def elements(file: BufferedReader, key: str, faults: Faults) -> Iterator[bytes]:
    r"""Cut the records out of a file: of its list, of the list at `key` of its object, or a record a line.

    >>> from io import BytesIO
    >>> cut = lambda raw, key: list(elements(BytesIO(raw), key, Faults("")))
    >>> cut(b'[{"a": "]"}, {"b": [1]}]', ""), cut(b'{"n": [0], "content": [{"a": 1}]}', "content")
    ([b'{"a": "]"}', b'{"b": [1]}'], [b'{"a": 1}'])
    >>> cut(b'{"a": 1}\n{"a": {"content": []}}\n', "content")
    [b'{"a": 1}', b'{"a": {"content": []}}']
    """
    begin = _beginning(file)
    if begin[:1] == b"[":
        yield from _Cutter(file, faults).items(begin[1:])
    elif begin[:1] == b"{":
        listed = _listed(begin, key)
        yield from _lines(file, begin, faults) if listed is None else _Cutter(file, faults).items(listed)
    else:
        faults.fatal(1, "the file is not JSON: it begins neither with { nor with [")


def _beginning(file: BufferedReader) -> bytes:
    begin = file.read(_BLOCK).removeprefix(_BOM).lstrip(_SPACE)
    while begin and len(begin) < _BLOCK:
        more = file.read(_BLOCK)
        if not more:
            break
        begin += more
    return begin


def _listed(begin: bytes, key: str) -> bytes | None:
    """Return what follows the bracket of the list at `key` of the first object; None where it has no such list."""
    if not key:
        return None
    depth, text = 0, 0
    wanted = re.compile(rb'"' + re.escape(key.encode()) + rb'"\s*:\s*\[')
    for sign, spot in _signs(begin):
        if sign == b'"' and depth == 1 and not text:
            found = wanted.match(begin, spot)
            if found:
                return begin[found.end() :]
        text ^= sign == b'"'
        if not text and sign in b"{[":
            depth += 1
        elif not text and sign in b"}]":
            depth -= 1
            if not depth:
                return None
    return None


def _signs(text: bytes) -> Iterator[tuple[bytes, int]]:
    """Walk quotes, braces and brackets; a quote or backslash behind a backslash is none."""
    spot = 0
    while found := _SIGN.search(text, spot):
        spot = found.end()
        if found[0] == b"\\":
            spot += 1
        else:
            yield found[0], found.start()


def _lines(file: BufferedReader, begin: bytes, faults: Faults) -> Iterator[bytes]:
    left, number = begin, 1
    while left:
        *whole, rest = left.split(b"\n")
        more = file.read(_BLOCK)
        if not more:
            whole, rest = [*whole, rest], b""
        for line in whole:
            if line.strip(_SPACE):
                yield line.strip(_SPACE)
                number += 1
        if len(rest) > LONGEST_RECORD:
            faults.fatal(number, f"has more than {LONGEST_RECORD:,} bytes")
        left = rest + more


class _Cutter:
    """Cuts the items out of a list, whose opening bracket was read."""

    def __init__(self, file: BufferedReader, faults: Faults) -> None:
        self._file = file
        self._faults = faults
        self._number = 1
        self._left = b""
        self._start = 0
        self._spot = 0

    def items(self, left: bytes) -> Iterator[bytes]:
        """Walk the items up to the bracket that closes the list."""
        self._left, depth = left, 0
        while True:
            if self._bracket() in b"{[":
                depth += 1
                continue
            item = self._left[self._start : self._spot - (not depth)].strip(_SPACE + b",")
            depth -= 1
            if depth <= 0 and item:
                yield item
                self._number += 1
            if depth < 0:
                return
            if not depth:
                self._start = self._spot

    def _bracket(self) -> bytes:
        """Move on behind the next brace or bracket that stands in no text, and return it."""
        text = False
        while True:
            found = _SIGN.search(self._left, self._spot)
            if found is None:
                self._read_on()
            elif found[0] == b"\\":
                self._spot = found.end() + 1  # what is behind it may lie in the next block
            else:
                self._spot = found.end()
                text ^= found[0] == b'"'
                if not text and found[0] != b'"':
                    return found[0]

    def _read_on(self) -> None:
        more = self._file.read(_BLOCK)
        if not more:
            self._faults.fatal(self._number, "the file ends within a list")
        read = max(self._spot, len(self._left)) - self._start
        self._left = self._left[self._start :] + more
        self._start, self._spot = 0, read
        if len(self._left) > LONGEST_RECORD + _BLOCK:
            self._faults.fatal(self._number, f"has more than {LONGEST_RECORD:,} bytes")
