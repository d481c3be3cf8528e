"""What is stored of a log, read as it stands and believed in nothing: what verification works on."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from consent.base.database import Hot, arranged, table_of
from consent.base.errors import LedgerBroken
from consent.base.store import Work
from consent.ledger.leaves import Entries
from consent.tables import (
    CatalogueVersionRow,
    LedgerCheckpointRow,
    LedgerEntryRow,
    LedgerHeadRow,
    LedgerLogRow,
    LedgerNodeRow,
    LedgerPayloadRow,
)

HIGHEST: Final = 62
"""The level of the root of the largest tree that a sequence number can count."""

_MOST_STRAYS: Final = 10

_TOGETHER: Final = 256
"""Rows fetched at a time: few enough that none lives to be looked at by the garbage collector."""


class Keyed(NamedTuple):
    """Stored rows as columns: places, and what stands there (which need not be of the type that it should be)."""

    places: list[int]
    values: list[Any]


_entry: Final = table_of(LedgerEntryRow)
_node: Final = table_of(LedgerNodeRow)
_signed: Final = table_of(LedgerCheckpointRow)
_payload: Final = table_of(LedgerPayloadRow)
_catalogue: Final = table_of(CatalogueVersionRow)


def _between(column: Any) -> sa.ColumnElement[bool]:  # noqa: ANN401 -- a column of a Core table
    return sa.and_(column >= sa.bindparam("first"), column < sa.bindparam("last"))


def _outside(column: Any) -> sa.ColumnElement[bool]:  # noqa: ANN401 -- as above
    return sa.or_(column < 0, column >= sa.bindparam("size"))


def _of_log(table: Any, *columns: str) -> sa.Select[Any]:  # noqa: ANN401 -- a Core table
    chosen = [table.c[name] for name in columns]
    return sa.select(*chosen).where(table.c.log == sa.bindparam("log")).order_by(chosen[0])


def _bytes(text: Any, dialect: str) -> sa.ColumnElement[bytes]:  # noqa: ANN401 -- as above
    """Return a text column as its bytes: one that was tampered with need not be text any more."""
    return sa.cast(text, sa.LargeBinary) if dialect == "sqlite" else sa.func.convert_to(text, "UTF8")


_ENTRIES: Final = Hot(_of_log(_entry, "seq", "body", "leaf").where(_between(_entry.c.seq)), "log", "first", "last")
_NODES: Final = Hot(
    _of_log(_node, "idx", "hash").where(_node.c.level == sa.bindparam("level"), _between(_node.c.idx)),
    "log", "level", "first", "last",
)  # fmt: skip
_CHECKPOINTS: Final = Hot(
    lambda dialect: (
        _of_log(_signed, "size").add_columns(_bytes(_signed.c.note, dialect)).where(_between(_signed.c.size))
    ),
    "log", "first", "last",
)  # fmt: skip
_PAYLOADS: Final = Hot(_of_log(_payload, "seq", "sealed").where(_between(_payload.c.seq)), "log", "first", "last")
_STRAY_ROWS: Final = {
    name: Hot(_of_log(table, "seq").where(_outside(table.c.seq)).limit(_MOST_STRAYS), "log", "size")
    for name, table in (("ledger_entry", _entry), ("ledger_payload", _payload), ("catalogue_version", _catalogue))
}
_no_size: Final = sa.or_(_signed.c.size < 0, _signed.c.size > sa.bindparam("size"))
_STRAY_CHECKPOINTS: Final = Hot(_of_log(_signed, "size").where(_no_size).limit(_MOST_STRAYS), "log", "size")
_STRAY_NODES: Final = Hot(
    _of_log(_node, "idx").where(_node.c.level == sa.bindparam("level"), _outside(_node.c.idx)).limit(_MOST_STRAYS),
    "log", "level", "size",
)  # fmt: skip
_STRAY_LEVELS: Final = Hot(
    _of_log(_node, "level", "idx").where(sa.or_(_node.c.level < 1, _node.c.level > HIGHEST)).limit(_MOST_STRAYS), "log"
)


class StoredHead(NamedTuple):
    """A head row; nothing in it need be true."""

    size: int
    frontier: bytes
    last_at: int
    catalogue_version: int


class StoredLog(NamedTuple):
    """The newest log, and its head row if there is one."""

    log: int
    origin: str
    head: StoredHead | None

    @property
    def size(self) -> int:
        """How many entries the head claims; 0 without a head."""
        return max(self.head.size, 0) if self.head else 0


class StoredChunk(NamedTuple):
    """What is stored of the entries `[first, last)`: they themselves, nodes by level, checkpoints, payloads."""

    entries: Entries
    nodes: Mapping[int, Keyed]
    checkpoints: list[tuple[int, bytes]]
    payloads: Keyed


class StoredCatalogue(NamedTuple):
    """A published catalogue."""

    seq: int
    version: int
    hash: bytes
    body: bytes


class Stray(NamedTuple):
    """A row for which the log has no place."""

    seq: int
    table: str
    what: str


def newest(work: Work) -> StoredLog:
    """Return the newest log.

    Raises:
        LedgerBroken: there is none.
    """
    query = sa.select(LedgerLogRow.id, LedgerLogRow.origin).order_by(LedgerLogRow.id.desc()).limit(1)
    log = work.connection.execute(query).first()
    if log is None:
        msg = "there is no log: run `byleave init`"
        raise LedgerBroken(msg)
    return StoredLog(log.id, log.origin, head_of(work, log.id))


def origin_of(work: Work, log: int) -> str:
    """Return the name of a log.

    Raises:
        LedgerBroken: there is no such log.
    """
    origin = work.connection.execute(sa.select(LedgerLogRow.origin).where(LedgerLogRow.id == log)).scalar()
    if origin is None:
        msg = f"there is no log {log}"
        raise LedgerBroken(msg)
    return str(origin)


def head_of(work: Work, log: int) -> StoredHead | None:
    """Return the head row of a log."""
    row = LedgerHeadRow
    query = sa.select(row.size, row.frontier, row.last_at, row.catalogue_version).where(row.log == log)
    found = work.connection.execute(query).first()
    return StoredHead(*found) if found else None


def entries(work: Work, log: int, first: int, last: int) -> Entries:
    """Return the entries `[first, last)` that are there."""
    return Entries(*_columns(work, _ENTRIES, 3, (log, first, last)))


def nodes(work: Work, log: int, level: int, first: int, last: int) -> Keyed:
    """Return the nodes of a level whose `idx` lies in `[first, last)`."""
    return Keyed(*_columns(work, _NODES, 2, (log, level, first, last)))


def chunk(work: Work, log: int, first: int, last: int) -> StoredChunk:
    """Return all that is stored of a chunk.

    Args:
        work: a short read transaction.
        log: its number.
        first: a multiple of a power of two that is at least `last - first`.
        last: one past the chunk. Checkpoints of size `first + 1` to `last` belong to it; that of size 0 to the first.
    """
    levels = range(1, (last - first).bit_length())
    return StoredChunk(
        entries=entries(work, log, first, last),
        nodes={level: nodes(work, log, level, first >> level, last >> level) for level in levels},
        checkpoints=_rows(work, _CHECKPOINTS, log, first + 1 if first else 0, last + 1),
        payloads=Keyed(*_columns(work, _PAYLOADS, 2, (log, first, last))),
    )


def catalogues(work: Work, log: int) -> list[StoredCatalogue]:
    """Return the catalogues that a log says were published."""
    row = CatalogueVersionRow
    query = sa.select(row.seq, row.version, row.hash, _bytes(row.body, work.dialect)).where(row.log == log)
    return [StoredCatalogue(*each) for each in work.connection.execute(query.order_by(row.version))]


def strays(work: Work, log: int) -> list[Stray]:
    """Return rows that no log of the present size has, the first ten of each kind.

    `work` is one transaction: what is beyond the end is judged by the head of that very moment.
    """
    head = head_of(work, log)
    size = max(head.size, 0) if head else 0
    found = [
        Stray(seq, table, f"the log has no place {seq}: it ends at {size}")
        for table, hot in _STRAY_ROWS.items()
        for (seq,) in _rows(work, hot, log, size)
    ]
    found += [
        Stray(signed, "ledger_checkpoint", f"a checkpoint at size {signed} is stored, and the log ends at {size}")
        for (signed,) in _rows(work, _STRAY_CHECKPOINTS, log, size)
    ]
    odd = [(level, idx) for level, idx in _rows(work, _STRAY_LEVELS, log)]
    for level in range(1, HIGHEST + 1):
        odd += [(level, idx) for (idx,) in _rows(work, _STRAY_NODES, log, level, size >> level)]
    return found + [
        Stray(
            max(idx, 0) << min(max(level, 0), HIGHEST), "ledger_node", f"a tree of {size} has no node ({level}, {idx})"
        )
        for level, idx in odd
    ]


def _rows(work: Work, hot: Hot, *values: int) -> list[Any]:
    return list(_cursor(work, hot, values).fetchall())


def _columns(work: Work, hot: Hot, count: int, values: tuple[int, ...]) -> list[list[Any]]:
    """Return what a statement gives, turned: `count` columns."""
    columns: list[list[Any]] = [[] for _ in range(count)]
    cursor = _cursor(work, hot, values)
    while rows := cursor.fetchmany(_TOGETHER):
        for column, part in zip(columns, zip(*rows, strict=True), strict=True):
            column.extend(part)
    return columns


def _cursor(work: Work, hot: Hot, values: tuple[int, ...]) -> Any:  # noqa: ANN401 -- a driver's cursor
    if work.dialect == "sqlite":
        return work.run(hot, *values)
    compiled = hot.compiled(work.dialect)
    # Binary: bytes come as they are, not as text of twice the length that has to be decoded.
    return work.driver.execute(compiled.sql, arranged(compiled, values), binary=True)
