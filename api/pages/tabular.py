"""A list as a file: CSV that no spreadsheet runs, JSON with its times as times; long ones are walked row by row."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import Any, Final, TypeVar

import orjson
from flask import Response

from consent.base.clock import rfc3339

AT_ONCE: Final = 1_000
"""Rows of a file that are read at once."""
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_OPTIONS: Final = orjson.OPT_INDENT_2 | orjson.OPT_PASSTHROUGH_DATETIME

T = TypeVar("T")


def cell(value: object) -> str:
    """Return what stands in a cell. Text that a spreadsheet would take for a formula gets an apostrophe in front.

    Source:
        OWASP, CSV injection.

    >>> cell("=1+1"), cell(-3), cell(None), cell(["a", "b"]), cell(True)
    ("'=1+1", '-3', '', 'a, b', 'yes')
    """
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case int() | float():
            return str(value)
        case datetime():
            return rfc3339(value)
        case list() | tuple():
            return cell(", ".join(map(str, value)))
        case _:
            text = str(value)
            return f"'{text}" if text.startswith(_FORMULA) else text


def every(page: Callable[[str], tuple[Sequence[T], str]]) -> Iterator[T]:
    """Walk all pages of a list.

    The first is read before this returns: what is wrong with the question is told before an answer begins. Each is read
    by itself, so that nobody who writes waits for whoever fetches a long file.

    Args:
        page: returns what follows a cursor, and the cursor of what follows that ("" for the first, and after the last).
    """
    found, cursor = page("")
    return chain(found, _following(page, cursor))


def _following(page: Callable[[str], tuple[Sequence[T], str]], cursor: str) -> Iterator[T]:
    while cursor:
        found, cursor = page(cursor)
        yield from found


def written(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    r"""Yield rows as lines of CSV, a heading first.

    Source:
        RFC 4180.

    >>> list(written(["a", "b"], [{"a": 1, "b": "x, y"}]))
    ['a,b\r\n', '1,"x, y"\r\n']
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    for row in chain([columns], ([cell(row.get(name)) for name in columns] for row in rows)):
        writer.writerow(row)
        yield out.getvalue()
        out.seek(0)
        out.truncate()


def csv_file(name: str, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> Response:
    """Answer with a CSV file."""
    return Response(written(columns, rows), mimetype="text/csv", headers=attached(f"{name}.csv"))


def json_file(name: str, value: object) -> Response:
    """Answer with a JSON file."""
    body = orjson.dumps(value, default=_plain, option=_OPTIONS)
    return Response(body, mimetype="application/json", headers=attached(f"{name}.json"))


def json_rows(name: str, rows: Iterable[Mapping[str, Any]]) -> Response:
    """Answer with a JSON file whose `data` are rows, all of them."""
    return Response(_listed(rows), mimetype="application/json", headers=attached(f"{name}.json"))


def _listed(rows: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    yield b'{"data":['
    for number, row in enumerate(rows):
        yield (b",\n" if number else b"\n") + orjson.dumps(row, default=_plain, option=orjson.OPT_PASSTHROUGH_DATETIME)
    yield b'\n],"next_cursor":null}'


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return rfc3339(value)
    raise TypeError(type(value).__name__)


def attached(name: str) -> dict[str, str]:
    """Return the header by which a browser keeps an answer as a file of this name."""
    return {"Content-Disposition": f'attachment; filename="{name}"'}
