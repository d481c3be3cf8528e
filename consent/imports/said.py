"""Statements on their way from a file into the ledger: cells to what was said, held against the catalogue."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from typing import Any, Final, NamedTuple

from consent.base.clock import EPOCH, parse_time, rfc3339
from consent.base.errors import Invalid, StatementInvalid
from consent.base.ids import CustomerId, Scope
from consent.catalogue.model import Catalogue
from consent.imports.cells import ColumnReader, Reader, Wrong, integer, names, one_of, shown, text
from consent.imports.faults import Faults
from consent.imports.mapping import REFERENCE, Column, FileMapping
from consent.imports.passes import Once
from consent.imports.rows import Chunk
from consent.permission.statement import WHOLE_CUSTOMER, Act, Method, Statement
from consent.register import rules

GIVES_MORE: Final = frozenset({Act.GRANT, Act.RENEW, Act.RESUME, Act.LIFT})
"""Acts that count only with evidence."""

_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3}")
_SCOPE: Final = re.compile(r"(?:remember|use|contact|share):[a-z_:]{1,80}")
_LONGEST_EVIDENCE: Final = 2_000
_LAST_NOTICE: Final = 65_535
_RULINGS: Final = 10_000


class Row(NamedTuple):
    """What one row says. `act` and `said_at` are missing only while the file is being checked."""

    act: Act | None
    scopes: tuple[Scope, ...] | None
    said_at: datetime | None
    method: Method | None
    language: str | None
    evidence: str | None
    notice_version: int | None
    until: datetime | None

    @property
    def counts(self) -> bool:
        """Whether it is recorded: it gives no more, or there is evidence, or it is openly made up."""
        return self.act not in GIVES_MORE or self.evidence is not None or self.method is Method.SYNTHETIC

    def statement(self, customer: CustomerId) -> Statement:
        """Return it as a statement of a customer."""
        if self.act is None or self.said_at is None:
            raise StatementInvalid("no act, or no time")
        return Statement(
            customer=customer,
            act=self.act,
            scopes=self.scopes or (),
            said_at=self.said_at,
            method=self.method or Method.IMPORT,
            language=self.language or "",
            evidence=self.evidence or "",
            notice_version=self.notice_version or 0,
            until=self.until,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One chunk, read: who, and what he said, row by row."""

    references: Sequence[str]
    rows: Sequence[Row]


class StatementReader:
    """Reads the statements of a chunk."""

    def __init__(self, mapping: FileMapping, catalogue: Catalogue, *, at: datetime) -> None:
        """Take the catalogue in force, and the time after which nothing can have been said."""
        self._mapping = mapping
        self._catalogue = catalogue
        self._at = at
        self._columns = mapping.statement
        self._readers = {part: _reader(part, column, catalogue) for part, column in mapping.statement.items()}
        self._rulings: dict[Any, list[tuple[str, str]]] = {}
        self._whose = Once(mapping.reference)
        self.acts: Counter[Act] = Counter()
        """The rows that count among those looked at, by act."""

    @property
    def customers(self) -> int:
        """How many customers the rows name that were looked at."""
        return self._whose.distinct()

    def read(self, chunk: Chunk, faults: Faults) -> Said:
        """Turn cells into statements, noting those that are none."""
        nothing = [None] * len(chunk.rows)
        cells = (
            self._readers[part].values(chunk, faults) if part in self._readers else nothing for part in Row._fields
        )
        return Said(
            references=names(chunk, self._mapping.reference, faults, kind=REFERENCE, required=True),
            rows=list(map(Row._make, zip(*cells, strict=True))),
        )

    def look(self, chunk: Chunk, said: Said, faults: Faults) -> None:
        """Note the rows that can't be recorded under the catalogue."""
        self._whose.see(said.references, chunk.lines)
        self.acts.update(row.act for row in said.rows if row.act and row.counts)
        cells = {part: chunk.columns[self._columns[part].name] for part in ("act", "scopes", "said_at")}
        for spot, row in enumerate(said.rows):
            for part, why in self._wrong(row, {part: column[spot] for part, column in cells.items()}):
                faults.cell(chunk.lines[spot], self._columns[part].name, why)

    def _wrong(self, row: Row, cells: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        for part, cell in cells.items():
            if not cell.strip() and (part != "scopes" or (row.act and row.act not in WHOLE_CUSTOMER)):
                yield part, "is empty"
        if row.said_at and row.said_at > self._at:
            yield "said_at", f"is later than now, {rfc3339(self._at)}"
        if row.said_at and row.said_at < EPOCH:
            yield "said_at", "is before 1970"
        if row.act and (row.scopes or row.act in WHOLE_CUSTOMER):
            yield from self._ruled(row, row.act)

    def _ruled(self, row: Row, act: Act) -> list[tuple[str, str]]:
        """Return what the register would find wrong; rows of the same form are asked about once."""
        form = (act, row.scopes, row.method, row.notice_version, row.until is None)
        if form not in self._rulings:
            if len(self._rulings) > _RULINGS:
                self._rulings.clear()
            self._rulings[form] = _ruling(row, self._catalogue, self._at)
        return self._rulings[form]


def _ruling(row: Row, catalogue: Catalogue, at: datetime) -> list[tuple[str, str]]:
    tried = row._replace(said_at=at, evidence=None).statement(CustomerId(""))
    try:
        rules.completed(tried, catalogue, at)
    except StatementInvalid as refused:
        return [(place.where.split("/")[1], place.why) for place in refused.places]
    return []


def _reader(part: str, column: Column, catalogue: Catalogue) -> ColumnReader[Any]:
    words = _WORDS.get(part)
    if words:
        table = column.values or {str(word): str(word) for word in words}
        return ColumnReader(column.name, one_of({cell: words(str(word)) for cell, word in table.items()}))
    if part == "scopes":
        return ColumnReader(column.name, lambda cell: _scopes(cell, column.separator, catalogue))
    return ColumnReader(column.name, _READERS[part], quiet=part == "evidence")


def _scopes(cell: str, separator: str, catalogue: Catalogue) -> tuple[Scope, ...] | Wrong:
    found = [part.strip() for part in (cell.split(separator) if separator else [cell])]
    for scope in found:
        if scope not in catalogue.scopes:
            near = get_close_matches(scope, catalogue.scopes, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            named = scope if _SCOPE.fullmatch(scope) else shown(scope)
            return Wrong(f"names {named}, which is not in the catalogue{hint}")
    return tuple(map(Scope, found))


def _time(cell: str) -> datetime | Wrong:
    try:
        return parse_time(cell)
    except Invalid:
        return Wrong("is not a time like 2026-11-21T17:00:00Z")


def _notice(cell: str) -> int | Wrong:
    number = integer(cell)
    fits = not isinstance(number, Wrong) and 1 <= number <= _LAST_NOTICE
    return number if fits else Wrong(f"is not a whole number from 1 to {_LAST_NOTICE:,}")


def _evidence(cell: str) -> str | Wrong:
    return text(cell) if len(cell) <= _LONGEST_EVIDENCE else Wrong(f"has more than {_LONGEST_EVIDENCE:,} characters")


def _language(cell: str) -> str | Wrong:
    return cell if _LANGUAGE.fullmatch(cell) else Wrong("is not a language like en or de-AT")


_WORDS: Final[Mapping[str, type[Act] | type[Method]]] = {"act": Act, "method": Method}
_READERS: Final[Mapping[str, Reader[Any]]] = {
    "said_at": _time,
    "until": _time,
    "notice_version": _notice,
    "language": _language,
    "evidence": _evidence,
}
