"""A list as a file: CSV that no spreadsheet runs, and JSON with its times as times."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import orjson
from flask import Response

from consent.base.clock import rfc3339

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


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


def written(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    r"""Return rows as CSV, a heading first.

    Source:
        RFC 4180.

    >>> written(["a", "b"], [{"a": 1, "b": "x, y"}])
    'a,b\r\n1,"x, y"\r\n'
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([cell(row.get(name)) for name in columns] for row in rows)
    return out.getvalue()


def csv_file(name: str, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> Response:
    """Answer with a CSV file."""
    return Response(written(columns, rows), mimetype="text/csv", headers=attached(f"{name}.csv"))


def json_file(name: str, value: object) -> Response:
    """Answer with a JSON file."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_PASSTHROUGH_DATETIME
    body = orjson.dumps(value, default=_plain, option=options)
    return Response(body, mimetype="application/json", headers=attached(f"{name}.json"))


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return rfc3339(value)
    raise TypeError(type(value).__name__)


def attached(name: str) -> dict[str, str]:
    """Return the header by which a browser keeps an answer as a file of this name."""
    return {"Content-Disposition": f'attachment; filename="{name}"'}
