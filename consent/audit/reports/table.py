"""PURE: a report as CSV, and any other rows that leave the house in that form: no cell of it is a formula.

A spreadsheet runs what begins with `=`, `+`, `-`, `@`, a tab or a return. Such a cell gets an apostrophe in front,
which spreadsheets take as "this is text"; a reader of CSV sees one sign more.

Source:
    OWASP, CSV Injection; RFC 4180 (the form).
"""

import csv
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from io import StringIO
from typing import Final

from consent.audit.reports.content import Content
from consent.base.clock import rfc3339

_RUNS: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
HEADINGS: Final = (
    "kind", "check", "severity", "subject", "why", "state", "owner", "accepted_until", "status", "judged", "seconds",
)  # fmt: skip


def csv_text(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    r"""Return rows as CSV.

    >>> csv_text(("name", "n"), [("=1+1", 2), ("a,b", -3)])
    'name,n\r\n\'=1+1,2\r\n"a,b",-3\r\n'
    """
    written = StringIO()
    writer = csv.writer(written, lineterminator="\r\n")
    writer.writerow(headings)
    writer.writerows([harmless(cell) for cell in row] for row in rows)
    return written.getvalue()


def harmless(cell: object) -> object:
    """Return a cell that no spreadsheet runs; times in RFC 3339, numbers stay what they are."""
    if isinstance(cell, datetime):
        return rfc3339(cell)
    if isinstance(cell, str):
        return f"'{cell}" if cell.startswith(_RUNS) else cell
    return "" if cell is None else cell


def csv_report(content: Content) -> str:
    """Return a report's rows: gaps first, then findings, then checks."""
    return csv_text(HEADINGS, _rows(content))


def _rows(content: Content) -> Iterator[tuple[object, ...]]:
    report = content.report
    for gap in report["gaps"]:
        yield "gap", gap["check"], "", "", gap["why"], "", "", "", "could_not_check", "", ""
    for found in report["findings"]:
        now = content.findings.get((found["check"], found["subject"]))
        state = ("", "", "") if now is None else (str(now.state), now.owner, now.accepted_until)
        yield "finding", found["check"], found["severity"], found["subject"], found["why"], *state, "", "", ""
    for check in report["checks"]:
        told = check["status"], check["checked"], check["seconds"]
        yield "check", check["check"], "", "", check["title"], "", "", "", *told
