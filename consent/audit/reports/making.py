"""USE CASE: make a report of an audit in one of four formats."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

import orjson

from consent.audit.reports import content, written
from consent.audit.reports.content import Content, Explained
from consent.audit.reports.html import html
from consent.audit.reports.pdf import pdf
from consent.audit.reports.table import csv_report
from consent.base.store import Work


class Format(StrEnum):
    """How a report can be written."""

    HTML = "html"
    PDF = "pdf"
    CSV = "csv"
    JSON = "json"


MEDIA: Final[Mapping[Format, str]] = {
    Format.HTML: "text/html",
    Format.PDF: "application/pdf",
    Format.CSV: "text/csv",
    Format.JSON: "application/json",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A report, ready to be handed over."""

    name: str
    media: str
    body: bytes


def make(work: Work, audit: str, format_: Format, *, explained: Mapping[str, Explained], at: datetime) -> Made:
    """Make a report.

    Args:
        work: a transaction.
        audit: its id.
        format_: in which format.
        explained: every check in plain words.
        at: now: findings are shown with the state that they have by then.

    Raises:
        NotFound: there is no such audit.
        StateConflict: it has no report: it is under way, or was cut off.
    """
    gathered = content.gathered(work, audit, explained=explained, at=at)
    return Made(name=f"{audit}.{format_}", media=MEDIA[format_], body=body(gathered, format_))


def body(gathered: Content, format_: Format) -> bytes:
    """Return the bytes of a report; the same content always gives the same ones."""
    match format_:
        case Format.HTML:
            return html(written.document(gathered)).encode()
        case Format.PDF:
            return pdf(written.document(gathered))
        case Format.CSV:
            return csv_report(gathered).encode()
        case Format.JSON:
            return orjson.dumps(gathered.as_json(), option=orjson.OPT_INDENT_2)
