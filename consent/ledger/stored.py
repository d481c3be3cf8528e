"""What is stored of a log, read as it stands and believed in nothing: what verification works on."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from consent.base.database import Hot, arranged, table_of
from consent.base.errors import LedgerBroken
from consent.base.store import Work
from consent.ledger import entry, opening
from consent.ledger.leaves import Entries
from consent.ledger.opening import Ended
from consent.ledger.position import position
from consent.tables import (
    CatalogueVersionRow,
    CosignatureRow,
    LedgerCheckpointRow,
    LedgerEntryRow,
    LedgerHeadRow,
    LedgerLogRow,
    LedgerNodeRow,
    LedgerOpeningRow,
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
_cosigned: Final = table_of(CosignatureRow)
_payload: Final = table_of(LedgerPayloadRow)
_catalogue: Final = table_of(CatalogueVersionRow)
_opening: Final = table_of(LedgerOpeningRow)


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
_CHECKPOINTS, _COSIGNED = (
    Hot(
        lambda dialect, table=table: (  # type: ignore[misc]  # a lambda with a default takes one argument all the same
            _of_log(table, "size").add_columns(_bytes(table.c.note, dialect)).where(_between(table.c.size))
        ),
        "log", "first", "last",
    )
    for table in (_signed, _cosigned)
)  # fmt: skip
_PAYLOADS: Final = Hot(_of_log(_payload, "seq", "sealed").where(_between(_payload.c.seq)), "log", "first", "last")
_STRAY_ROWS: Final = {
    name: Hot(_of_log(table, "seq").where(_outside(table.c.seq)).limit(_MOST_STRAYS), "log", "size")
    for name, table in (
        ("ledger_entry", _entry),
        ("ledger_payload", _payload),
        ("catalogue_version", _catalogue),
        ("ledger_opening", _opening),
    )
}
_STRAY_SIZES: Final = {
    name: Hot(
        _of_log(table, "size")
        .where(sa.or_(table.c.size < 0, table.c.size > sa.bindparam("size")))
        .limit(_MOST_STRAYS),
        "log", "size",
    )
    for name, table in (("ledger_checkpoint", _signed), ("cosignature", _cosigned))
}  # fmt: skip
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
    """A log: the newest one, with its head row if there is one; or one that ended, with what its successor says of it.

    Nothing of it need be true.
    """

    log: int
    origin: str
    head: StoredHead | None
    ended: Ended | None = None
    """How it ended; None for the newest log, and for one whose successor doesn't say."""
    found: int = 0
    """How many entries an older log seems to have, where its successor doesn't say."""
    is_newest: bool = True

    @property
    def size(self) -> int:
        """How many entries it is said to have; of an older log of which nothing is said, how many it seems to have."""
        if self.ended:
            return self.ended.size
        return max(self.head.size, 0) if self.head else self.found

    @property
    def position(self) -> int:
        """Where the next entry comes to stand, as the head claims it."""
        return position(self.log, self.size)


class StoredChunk(NamedTuple):
    """What is stored of the entries `[first, last)`: they themselves, nodes by level, checkpoints, payloads."""

    entries: Entries
    nodes: Mapping[int, Keyed]
    checkpoints: list[tuple[int, bytes]]
    cosigned: list[tuple[int, bytes]]
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
    return logs(work)[-1]


def logs(work: Work) -> list[StoredLog]:
    """Return all logs, the oldest first.

    Raises:
        LedgerBroken: there is none.
    """
    query = sa.select(LedgerLogRow.id, LedgerLogRow.origin).order_by(LedgerLogRow.id)
    rows = work.connection.execute(query).all()
    if not rows:
        msg = "there is no log: run `byleave init`"
        raise LedgerBroken(msg)
    said = {log: plain for log, seq, plain in openings(work) if seq == 0 and opens(work, log, 0, plain)}
    older = [_older(work, row.id, row.origin, opening.ended(said.get(row.id + 1, b""))) for row in rows[:-1]]
    return [*older, StoredLog(rows[-1].id, rows[-1].origin, head_of(work, rows[-1].id))]


def _older(work: Work, log: int, origin: str, ended: Ended | None) -> StoredLog:
    if ended:
        return StoredLog(log, origin, None, ended, is_newest=False)
    last = work.connection.execute(sa.select(sa.func.max(_entry.c.seq)).where(_entry.c.log == log)).scalar()
    return StoredLog(log, origin, None, None, last + 1 if isinstance(last, int) else 0, is_newest=False)


def opens(work: Work, log: int, seq: int, plain: bytes) -> bool:
    """Say whether salt and payload in clear are what an entry commits to."""
    for body in entries(work, log, seq, seq + 1).bodies:
        read = entry.read(body) if isinstance(body, bytes) else None
        if read and entry.opens(plain, read.commitment):
            return True
    return False


def openings(work: Work) -> list[tuple[int, int, bytes]]:
    """Return what entries about the logs themselves say, in clear: log, `seq`, and salt with payload."""
    row = LedgerOpeningRow
    query = sa.select(row.log, row.seq, row.plain).order_by(row.log, row.seq)
    rows: list[Any] = list(work.connection.execute(query))
    # SQLite's columns take values of any type: what is no bytes says nothing.
    return [(log, seq, plain if isinstance(plain, bytes) else b"") for log, seq, plain in rows]


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
        cosigned=_rows(work, _COSIGNED, log, first + 1 if first else 0, last + 1),
        payloads=Keyed(*_columns(work, _PAYLOADS, 2, (log, first, last))),
    )


def catalogues(work: Work, log: int) -> list[StoredCatalogue]:
    """Return the catalogues that a log says were published."""
    row = CatalogueVersionRow
    query = sa.select(row.seq, row.version, row.hash, _bytes(row.body, work.dialect)).where(row.log == log)
    return [StoredCatalogue(*each) for each in work.connection.execute(query.order_by(row.version))]


def strays(work: Work, log: int) -> list[Stray]:
    """Return rows that no log of the present size has, the first ten of each kind.

    `work` is one transaction: what is beyond the end is judged by the end of that very moment.
    """
    size = next((each.size for each in logs(work) if each.log == log), 0)
    found = [
        Stray(seq, table, f"the log has no place {seq}: it ends at {size}")
        for table, hot in _STRAY_ROWS.items()
        for (seq,) in _rows(work, hot, log, size)
    ]
    found += [
        Stray(signed, table, f"a checkpoint at size {signed} is stored, and the log ends at {size}")
        for table, hot in _STRAY_SIZES.items()
        for (signed,) in _rows(work, hot, log, size)
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
