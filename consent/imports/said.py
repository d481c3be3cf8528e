"""Statements on their way from a file into the ledger: cells to what was said, held against the catalogue."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from itertools import compress
from typing import Any, Final, NamedTuple

from consent.base.clock import EPOCH, rfc3339
from consent.base.errors import StatementInvalid
from consent.base.ids import CustomerId, Scope
from consent.catalogue.model import Catalogue
from consent.imports.cells import ColumnReader, Reader, Wrong, instant, names, one_of, shown, text, whole
from consent.imports.columns import Column, Condition, Constant, Source
from consent.imports.faults import Faults
from consent.imports.hearing import LAST_NOTICE, Hearing
from consent.imports.mapping import WORDS, FileMapping, Template
from consent.imports.passes import Distinct
from consent.imports.rows import Chunk
from consent.permission.statement import GIVES_MORE, OLDEST, WHOLE_CUSTOMER, Act, Method, Statement
from consent.register import rules

_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3}")
_SCOPE: Final = re.compile(r"(?:remember|use|contact|share):[a-z_:]{1,80}")
_LONGEST_EVIDENCE: Final = 2_000
_RULINGS: Final = 10_000
_NEEDED: Final = ("act", "scopes", "said_at")


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
    age: int | None = None
    guardian: bool | None = None

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
            age=self.age or 0,
            guardian=self.guardian or False,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One chunk, read: who, by kind of identity, and what he said; `spots` are the rows that say it, ascending."""

    names: Mapping[str, Sequence[str]]
    spots: Sequence[int]
    rows: Sequence[Row]
    silent: int
    """Rows that say nothing."""

    def identities(self) -> list[dict[str, str]]:
        """Return who, row by row of the chunk."""
        kinds = tuple(self.names)
        return [dict(zip(kinds, row, strict=True)) for row in zip(*self.names.values(), strict=True)]


class StatementReader:
    """Reads the statements of a chunk."""

    def __init__(self, mapping: FileMapping, catalogue: Catalogue, *, at: datetime, ever: Collection[str] = ()) -> None:
        """Take the catalogue in force, the time after which nothing can have been said, and every scope there was.

        A no to one that is no longer asked is taken: it may come back.
        """
        self._mapping = mapping
        self._templates = [_Speaker(template, catalogue, at, ever) for template in mapping.statements]
        self._hearing = Hearing(mapping, at=at) if mapping.signal else None
        self._whose = Distinct()

    @property
    def customers(self) -> int:
        """How many customers the rows name that were looked at."""
        return self._whose.count()

    def read(self, chunk: Chunk, faults: Faults) -> Said:
        """Turn cells into statements, noting those that are none."""
        mapping = self._mapping
        named = {
            kind: names(chunk, column, faults, kind=kind, required=not spot)
            for spot, (kind, column) in enumerate(mapping.named.items())
        }
        found: list[tuple[int, Row]] = []
        spoken: set[int] = set()
        for speaker in self._templates:
            meant, spots, rows = speaker.said(chunk, faults)
            spoken.update(meant)
            found.extend(zip(spots, rows, strict=True))
        if self._hearing:
            heard = self._hearing.said(chunk, faults)
            found.extend((spot, Row(*told)) for spot, told in heard)
            spoken.update(range(len(chunk.rows)))  # a signal may always say nothing
        if len(self._templates) + bool(self._hearing) > 1:
            found.sort(key=lambda each: each[0])
        silent = self._silent(chunk, spoken, faults) + len(spoken) - len({spot for spot, _ in found})
        return Said(names=named, spots=[spot for spot, _ in found], rows=[row for _, row in found], silent=silent)

    def _silent(self, chunk: Chunk, spoken: set[int], faults: Faults) -> int:
        """Count the rows that say nothing; note those of which the mapping doesn't know that."""
        if len(spoken) == len(chunk.rows):
            return 0
        meant = _where(self._mapping.silent, chunk) if self._mapping.silent else [False] * len(chunk.rows)
        rest = [spot for spot in range(len(chunk.rows)) if spot not in spoken]
        for spot in rest:
            if not meant[spot]:
                faults.row(
                    chunk.lines[spot], "is none of those that the mapping speaks of: no `when` holds, nor `silent`"
                )
        return len(rest)

    def look(self, chunk: Chunk, said: Said, faults: Faults) -> None:
        """Note the rows that can't be recorded under the catalogue."""
        first = next(iter(said.names.values()))
        self._whose.see(first)
        for speaker in self._templates:
            speaker.look(chunk, faults)


class _Speaker:
    """Reads one template's rows."""

    def __init__(self, template: Template, catalogue: Catalogue, at: datetime, ever: Collection[str]) -> None:
        self._template = template
        self._ever = ever
        self._catalogue = catalogue
        self._at = at
        self._readers = {part: _reader(part, source, catalogue, ever) for part, source in template.parts.items()}
        self._not_ours = _not_ours(template.parts["scopes"])
        self._rulings: dict[Any, list[tuple[str, str]]] = {}
        self._last: tuple[Chunk, list[Row]] | None = None

    def said(self, chunk: Chunk, faults: Faults) -> tuple[Sequence[int], Sequence[int], list[Row]]:
        """Return which rows of a chunk are meant, which of them say something of our scopes, and what each says."""
        meant, chunk = self._chosen(range(len(chunk.rows)), chunk, self._template.when)
        spots, chunk = self._chosen(meant, chunk, self._not_ours)
        nothing = [None] * len(chunk.rows)
        cells = (
            self._readers[part].values(chunk, faults) if part in self._readers else nothing for part in Row._fields
        )
        rows = list(map(Row._make, zip(*cells, strict=True)))
        self._last = chunk, rows
        return meant, spots, rows

    def _chosen(
        self, spots: Sequence[int], chunk: Chunk, conditions: Sequence[Condition]
    ) -> tuple[Sequence[int], Chunk]:
        if not conditions:
            return spots, chunk
        chosen = _where(conditions, chunk)
        return list(compress(spots, chosen)), chunk.of(chosen)

    def look(self, _: Chunk, faults: Faults) -> None:
        """Note which of the rows read last can't be recorded."""
        if self._last is None:
            return
        chunk, rows = self._last
        self._last = None
        cells = {part: self._readers[part].cells(chunk) for part in _NEEDED}
        for spot, row in enumerate(rows):
            for part, why in self._wrong(row, cells, spot):
                faults.cell(chunk.lines[spot], self._readers[part].name or part, why)

    def _wrong(self, row: Row, cells: Mapping[str, Sequence[str]], spot: int) -> Iterator[tuple[str, str]]:
        for part in _NEEDED:
            if getattr(row, part) is None and not cells[part][spot].strip() and self._needs(part, row):
                yield part, "is empty"
        if row.said_at and row.said_at > self._at:
            yield "said_at", f"is later than now, {rfc3339(self._at)}"
        if row.said_at and row.said_at < EPOCH:
            yield "said_at", "is before 1970"
        if row.age and row.counts and row.evidence is None and row.method is not Method.SYNTHETIC:
            yield "age", "counts with evidence only: say what proves it, or leave the age out"
        if row.method is Method.ONE_CLICK and row.act in GIVES_MORE:
            yield "method" if "method" in self._readers else "act", "a one-click link can only say no"
        if row.act and (row.scopes or row.act in WHOLE_CUSTOMER):
            yield from self._ruled(row, row.act)

    def _needs(self, part: str, row: Row) -> bool:
        return part != "scopes" or (row.act is not None and row.act not in WHOLE_CUSTOMER)

    def _ruled(self, row: Row, act: Act) -> list[tuple[str, str]]:
        """Return what the register would find wrong; rows of the same form are asked about once."""
        form = (act, row.scopes, row.method, row.notice_version, row.until is None, row.age, row.guardian)
        if form not in self._rulings:
            if len(self._rulings) > _RULINGS:
                self._rulings.clear()
            self._rulings[form] = self._ruling(row)
        return self._rulings[form]

    def _ruling(self, row: Row) -> list[tuple[str, str]]:
        tried = row._replace(said_at=EPOCH, evidence=None).statement(CustomerId(""))
        try:
            rules.completed(tried, self._catalogue, self._at, retired=self._ever, vouched=rules.RETOLD, retold=True)
        except StatementInvalid as refused:
            parts = [(place.where.split("/")[1], place.why) for place in refused.places]
            # What the mapping doesn't name can't be at fault by itself: the act can.
            return [(part if part in self._readers else "act", why) for part, why in parts]
        return []


def _not_ours(source: Source) -> tuple[Condition, ...]:
    """Return the condition of rows that mean some scope of ours: a table may say of a word that it means none."""
    values = source.values if isinstance(source, Column) else None
    none = frozenset(cell.strip() for cell, told in (values or {}).items() if told == [])
    if not none or not isinstance(source, Column):
        return ()
    return (Condition(column=source.name, cells=none, among=False),)


def _where(conditions: Sequence[Condition], chunk: Chunk) -> list[bool]:
    """Return which rows all conditions hold for; what was asked of a cell is asked once."""
    found = [True] * len(chunk.rows)
    for condition in conditions:
        cells = chunk.columns[condition.column]
        holds = {cell: condition.holds(cell) for cell in set(cells)}
        found = [one and holds[cell] for one, cell in zip(found, cells, strict=True)]
    return found


def _reader(part: str, source: Source, catalogue: Catalogue, ever: Collection[str]) -> ColumnReader[Any]:
    values = source.values if isinstance(source, Column) else None
    if part in WORDS:
        kind: type[Act | Method] = Act if part == "act" else Method
        table = values or {str(word): word for word in WORDS[part]}
        return ColumnReader(source, one_of({cell: kind(str(word)) for cell, word in table.items()}))
    if part == "scopes":
        return ColumnReader(*_scope_cells(source, catalogue, ever))
    if part == "guardian":
        return ColumnReader(source, one_of(values or {"true": True, "false": False}))
    if part == "notice_version" and values:
        return ColumnReader(source, one_of(values))
    if part in ("said_at", "until"):
        return ColumnReader(source, instant(source))
    return ColumnReader(source, _READERS[part], quiet=part == "evidence")


def _scope_cells(
    source: Source, catalogue: Catalogue, ever: Collection[str]
) -> tuple[Source, Reader[tuple[Scope, ...]]]:
    if isinstance(source, Constant):  # several, in a cell of their own
        return Constant(cells=(" ".join(source.cells),)), lambda cell: _scopes(cell, " ", catalogue, ever)
    if isinstance(source, Column) and source.values:
        meant = {cell: told if isinstance(told, list) else [str(told)] for cell, told in source.values.items()}
        return source, one_of({cell: tuple(map(Scope, told)) for cell, told in meant.items()})
    separator = source.separator if isinstance(source, Column) else ""
    return source, lambda cell: _scopes(cell, separator, catalogue, ever)


def _scopes(cell: str, separator: str, catalogue: Catalogue, ever: Collection[str]) -> tuple[Scope, ...] | Wrong:
    found = [part.strip() for part in (cell.split(separator) if separator else [cell])]
    for scope in found:
        if scope not in catalogue.scopes and scope not in ever:
            near = get_close_matches(scope, catalogue.scopes, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            named = scope if _SCOPE.fullmatch(scope) else shown(scope)
            return Wrong(f"names {named}, which is not in the catalogue{hint}")
    return tuple(map(Scope, found))


def _evidence(cell: str) -> str | Wrong:
    return text(cell) if len(cell) <= _LONGEST_EVIDENCE else Wrong(f"has more than {_LONGEST_EVIDENCE:,} characters")


def _language(cell: str) -> str | Wrong:
    return cell if _LANGUAGE.fullmatch(cell) else Wrong("is not a language like en or de-AT")


_READERS: Final[Mapping[str, Reader[Any]]] = {
    "notice_version": whole(1, LAST_NOTICE),
    "language": _language,
    "evidence": _evidence,
    "age": whole(1, OLDEST),
}
