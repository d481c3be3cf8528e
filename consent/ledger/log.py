"""The log: append entries in the caller's transaction, and read them.

The head row is the lock. Whoever appends takes it first, numbers his entries from its size, and moves it on in the
same transaction; nothing is acknowledged before that transaction is committed, and nothing of it is left if it isn't.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from consent.base.clock import from_ms, rfc3339, to_ms
from consent.base.database import Hot, table_of
from consent.base.errors import (
    ClockBehind,
    EntryUnknown,
    HeadMoved,
    LedgerBroken,
)
from consent.base.store import Work
from consent.ledger import entry, held, merkle, opening
from consent.ledger.entry import Kind
from consent.ledger.merkle import HASH_BYTES, Frontier
from consent.ledger.nodes import nodes_at
from consent.ledger.position import LOG_BITS, parts, position
from consent.tables import (
    LedgerEntryRow,
    LedgerHeadRow,
    LedgerLogRow,
    LedgerNodeRow,
    LedgerOpeningRow,
    LedgerPayloadRow,
)

CLOCK_TOLERANCE_MS: Final = 5_000
"""How far the clock may lie behind the ledger's own time before appends are refused."""

_log = table_of(LedgerLogRow)
_head = table_of(LedgerHeadRow)
_entry = table_of(LedgerEntryRow)
_node = table_of(LedgerNodeRow)
_opening = table_of(LedgerOpeningRow)


def position_in(table: Any, column: str = "seq") -> sa.ColumnElement[int]:  # noqa: ANN401 -- a Core table
    """Return the position that a table's row stands for, out of its `log` and one of its columns, computed in SQL."""
    width = sa.literal_column(str(1 << LOG_BITS), sa.BigInteger())
    found: sa.ColumnElement[int] = (table.c.log - sa.literal_column("1", sa.BigInteger())) * width + table.c[column]
    return found


def _newest_head(*, locked: bool) -> sa.Select[tuple[object, ...]]:
    # Subqueries, not joined: whoever waited for the row while another log was opened would find no log to join it to.
    origin = sa.select(_log.c.origin).where(_log.c.id == _head.c.log).scalar_subquery()
    columns = (_head.c.log, _head.c.size, _head.c.frontier, _head.c.last_at, _head.c.catalogue_version, origin)
    query = sa.select(*columns, held.WHY.scalar_subquery()) if locked else sa.select(*columns)
    # Written out: PostgreSQL plans a statement whose limit is a parameter anew each time, for longer than it runs.
    query = query.order_by(_head.c.log.desc()).limit(sa.literal_column("1"))
    return query.with_for_update(of=_head) if locked else query


_ORIGIN: Final = Hot(sa.select(_log.c.origin).where(_log.c.id == sa.bindparam("log")), "log")
_HEAD: Final = Hot(_newest_head(locked=False))
_LOCK: Final = Hot(_newest_head(locked=True))
_MOVE: Final = Hot(
    sa.update(_head)
    .where(_head.c.log == sa.bindparam("b_log"), _head.c.size == sa.bindparam("b_old"))
    .values(size=sa.bindparam("b_size"), frontier=sa.bindparam("b_frontier"), last_at=sa.bindparam("b_at"),
            catalogue_version=sa.bindparam("b_version")),
    "b_log", "b_old", "b_size", "b_frontier", "b_at", "b_version",
)  # fmt: skip
_ENTRY: Final = Hot(sa.insert(_entry), "log", "seq", "body", "leaf")
_NODE: Final = Hot(sa.insert(_node), "log", "level", "idx", "hash")
_PAYLOAD: Final = Hot(sa.insert(table_of(LedgerPayloadRow)), "log", "seq", "owner", "sealed")
_BODY: Final = Hot(
    sa.select(_entry.c.body).where(_entry.c.log == sa.bindparam("log"), _entry.c.seq == sa.bindparam("seq")),
    "log", "seq",
)  # fmt: skip


_OPENING: Final = Hot(
    sa.select(_opening.c.plain).where(_opening.c.log == sa.bindparam("log"), _opening.c.seq == sa.bindparam("seq")),
    "log", "seq",
)  # fmt: skip


class Head(NamedTuple):
    """The head of the newest log."""

    log: int
    size: int
    frontier: Frontier
    last_at: int
    catalogue_version: int
    origin: str

    @property
    def root(self) -> bytes:
        """The Merkle root over all entries."""
        return merkle.root_of(self.frontier)

    @property
    def position(self) -> int:
        """Where the next entry comes to stand."""
        return position(self.log, self.size)


class Appended(NamedTuple):
    """Where an entry came to stand, and its leaf hash."""

    log: int
    seq: int
    leaf: bytes

    @property
    def position(self) -> int:
        """Where it stands, in one number."""
        return position(self.log, self.seq)


def open_log(work: Work, origin: str, at: datetime) -> None:
    """Create the first log of the deployment, empty."""
    work.connection.execute(sa.insert(LedgerLogRow).values(id=1, origin=origin, opened_at=at))
    work.connection.execute(
        sa.insert(LedgerHeadRow).values(log=1, size=0, frontier=b"", last_at=to_ms(at), catalogue_version=0)
    )


def move_on(work: Work, ended: "Head", origin: str, at: datetime) -> None:
    """Open the next log, empty, and move the one head there is on to it: time and catalogue go on.

    Raises:
        HeadMoved: the log has not ended where it was thought to; nothing is kept.
    """
    work.connection.execute(sa.insert(LedgerLogRow).values(id=ended.log + 1, origin=origin, opened_at=at))
    moved = (
        sa.update(_head)
        .where(_head.c.log == ended.log, _head.c.size == ended.size)
        .values(log=ended.log + 1, size=0, frontier=b"")
    )
    if work.connection.execute(moved).rowcount != 1:
        msg = f"the head is no longer at {ended.size}"
        raise HeadMoved(msg)


def is_open(work: Work) -> bool:
    """Say whether there is a log at all."""
    return work.run(_HEAD).fetchone() is not None


def is_founded(work: Work) -> bool:
    """Say whether there is a log, in a database that may have no tables yet."""
    return sa.inspect(work.connection).has_table(_head.name) and is_open(work)


def head(work: Work) -> Head:
    """Return the head as this transaction sees it.

    Raises:
        LedgerBroken: there is no log, or its head contradicts itself.
    """
    return _read_head(work.run(_HEAD).fetchone())


def locked_head(work: Work, *, settling: bool = False) -> Head:
    """Lock the head until the transaction ends, and return it as it is now.

    Args:
        work: a transaction that writes.
        settling: this is what settles the alarm that stops everybody else.

    Raises:
        LedgerBroken: there is no log, or its head contradicts itself.
        RolledBack: the log lost entries that its witness knows; nothing goes on before that is settled.
        LedgerForked: its witness knows it with other entries; the same.
    """
    row = work.run(_LOCK).fetchone()
    if row is not None and row[6] is not None and not settling:
        raise held.refusal(row[6])
    if row is not None and row[5] is None:  # while we waited for the lock, the log was sealed and the next opened
        row = (*row[:5], work.run(_ORIGIN, row[0]).fetchone()[0])
    return _read_head(row)


def _read_head(row: Sequence[Any] | None) -> Head:
    if row is None:
        msg = "there is no log: run `byleave init`"
        raise LedgerBroken(msg)
    log, size, edge, last_at, version, origin = row[:6]
    edge = bytes(edge)
    hashes = tuple(edge[spot : spot + HASH_BYTES] for spot in range(0, len(edge), HASH_BYTES))
    return Head(log, size, Frontier(size=size, hashes=hashes), last_at, version, origin)


def _require_kept(work: Work, newest: Head) -> None:
    """Hold the head against the entries and nodes below it, as they came back from a disk that had failed.

    Raises:
        LedgerBroken: they don't agree; nothing is appended to such a log.
    """
    places = merkle.frontier_positions(newest.size)
    kept = nodes_at(work, newest.log, places)
    last = [body_of(work, newest.log, newest.size - 1)] if newest.size else []
    agrees = tuple(kept.get(place) for place in places) == newest.frontier.hashes
    ends = all(merkle.leaf_hash(body) == leaf_at(work, newest.log, newest.size - 1) for body in last)
    if not agrees or not ends or work.run(_BODY, newest.log, newest.size).fetchone() is not None:
        msg = "the disk failed, and the head no longer agrees with the entries: run `byleave ledger verify`"
        raise LedgerBroken(msg)


class Appender:
    """The open end of the log within one transaction: entries are numbered as they are added, written at `flush`."""

    def __init__(self, work: Work, at: datetime, *, settling: bool = False) -> None:
        """Lock the head.

        Args:
            work: a transaction that writes.
            at: now.
            settling: this is what settles the alarm that stops everybody else.

        Raises:
            ClockBehind: `at` is more than five seconds before the newest entry.
            RolledBack: the log lost entries that its witness knows; nothing is appended before that is settled.
            LedgerForked: its witness knows it with other entries; the same.
        """
        self._work = work
        self._head = locked_head(work, settling=settling)
        if work.doubtful:
            _require_kept(work, self._head)
            work.doubtful = False
        behind = self._head.last_at - to_ms(at)
        if behind > CLOCK_TOLERANCE_MS:
            msg = f"by {behind / 1000:.1f} s"
            raise ClockBehind(msg)
        self.at = from_ms(max(to_ms(at), self._head.last_at))
        self.catalogue_version = self._head.catalogue_version
        self._written_at = rfc3339(self.at)
        self._entries: list[tuple[int, int, bytes, bytes]] = []
        self._payloads: list[tuple[int, int, str, bytes]] = []

    @property
    def log(self) -> int:
        """The number of the log appended to."""
        return self._head.log

    @property
    def origin(self) -> str:
        """The name of the log appended to."""
        return self._head.origin

    @property
    def size(self) -> int:
        """The size of the log with what was added so far: the sequence number of the next entry."""
        return self._head.size + len(self._entries)

    @property
    def position(self) -> int:
        """Where the next entry comes to stand."""
        return position(self._head.log, self.size)

    def add(self, kind: Kind, owner: str, *, sealed: bytes, commitment: bytes) -> Appended:
        """Add one entry over a sealed payload."""
        seq = self.size
        body = entry.write(
            at=self._written_at,
            commitment=commitment,
            catalogue_version=self.catalogue_version,
            digest=entry.digest_of(sealed),
            log=self._head.origin,
            seq=seq,
            kind=kind,
        )
        leaf = merkle.leaf_hash(body)
        self._entries.append((self._head.log, seq, body, leaf))
        self._payloads.append((self._head.log, seq, owner, sealed))
        return Appended(self._head.log, seq, leaf)

    def take_back(self, position: int) -> None:
        """Forget the entries added from `position` on: nothing of them is written yet."""
        first = parts(position).seq - self._head.size
        del self._entries[first:]
        del self._payloads[first:]

    def flush(self, *besides: tuple[Hot, Sequence[tuple[Any, ...]]]) -> Head:
        """Write entries, nodes, payloads, what belongs to them in other tables, and the head: in one round trip.

        Raises:
            HeadMoved: somebody else moved the head (which the lock rules out); nothing is kept.
        """
        was = self._head
        frontier, nodes = merkle.append_all(was.frontier, [leaf for _, _, _, leaf in self._entries])
        at_ms = to_ms(self.at)
        work = self._work
        with work.together():
            work.run_many(_ENTRY, self._entries)
            work.run_many(_NODE, [(was.log, *node) for node in nodes])
            work.run_many(_PAYLOAD, self._payloads)
            for hot, rows in besides:
                work.run_many(hot, rows)
            edge = b"".join(frontier.hashes)
            moved = work.run(_MOVE, was.log, was.size, frontier.size, edge, at_ms, self.catalogue_version)
        if moved.rowcount != 1:
            msg = f"the head is no longer at {was.size}"
            raise HeadMoved(msg)
        self._head = Head(was.log, frontier.size, frontier, at_ms, self.catalogue_version, was.origin)
        self._entries = []
        self._payloads = []
        return self._head


def sealed_size(work: Work, log: int) -> int:
    """Return how many entries a log has that another goes on from: the first entry of that one says so.

    Raises:
        LedgerBroken: it doesn't.
    """
    row = work.run(_OPENING, log + 1, 0).fetchone()
    ended = opening.ended(bytes(row[0])) if row else None
    if ended is None:
        msg = f"log {log + 1} doesn't say how log {log} ended"
        raise LedgerBroken(msg)
    return ended.size


def size_of(work: Work, log: int) -> int:
    """Return how many entries a log has, the newest or another.

    Raises:
        EntryUnknown: there is no such log.
        LedgerBroken: it is not told how long it is.
    """
    newest = head(work)
    if not 0 < log <= newest.log:
        msg = f"there is no log {log}"
        raise EntryUnknown(msg)
    return newest.size if log == newest.log else sealed_size(work, log)


def origin_of(work: Work, log: int) -> str:
    """Return the name of a log.

    Raises:
        EntryUnknown: there is no such log.
    """
    row = work.run(_ORIGIN, log).fetchone()
    if row is None:
        msg = f"there is no log {log}"
        raise EntryUnknown(msg)
    return str(row[0])


def body_of(work: Work, log: int, seq: int) -> bytes:
    """Return the exact bytes of an entry.

    Raises:
        EntryUnknown: the log is not that long.
    """
    row = work.run(_BODY, log, seq).fetchone()
    if row is None:
        msg = f"the ledger has no entry {position(log, seq)}"
        raise EntryUnknown(msg)
    return bytes(row[0])


def body_at(work: Work, position: int) -> bytes:
    """Return the exact bytes of the entry at a position.

    Raises:
        EntryUnknown: there is none.
    """
    return body_of(work, *parts(position))


def leaf_at(work: Work, log: int, seq: int) -> bytes | None:
    """Return the stored leaf hash of an entry, None where there is none."""
    return nodes_at(work, log, [(0, seq)]).get((0, seq))
