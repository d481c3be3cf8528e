"""The log: append entries in the caller's transaction, and read them.

The head row is the lock. Whoever appends takes it first, numbers his entries from its size, and moves it on in the
same transaction; nothing is acknowledged before that transaction is committed, and nothing of it is left if it isn't.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from consent.base.clock import from_ms, rfc3339, to_ms
from consent.base.database import Hot, table_of
from consent.base.errors import ClockBehind, EntryUnknown, HeadMoved, LedgerBroken
from consent.base.store import Work
from consent.ledger import entry, merkle
from consent.ledger.entry import Kind
from consent.ledger.merkle import HASH_BYTES, Frontier, Position
from consent.tables import LedgerEntryRow, LedgerHeadRow, LedgerLogRow, LedgerNodeRow, LedgerPayloadRow

CLOCK_TOLERANCE_MS: Final = 5_000
"""How far the clock may lie behind the ledger's own time before appends are refused."""

_head = table_of(LedgerHeadRow)
_entry = table_of(LedgerEntryRow)
_node = table_of(LedgerNodeRow)


def _newest_head(*, locked: bool) -> sa.Select[tuple[object, ...]]:
    columns = (_head.c.log, _head.c.size, _head.c.frontier, _head.c.last_at, _head.c.catalogue_version)
    query = sa.select(*columns, LedgerLogRow.origin).join(LedgerLogRow, LedgerLogRow.id == _head.c.log)
    # Written out: PostgreSQL plans a statement whose limit is a parameter anew each time, for longer than it runs.
    query = query.order_by(_head.c.log.desc()).limit(sa.literal_column("1"))
    return query.with_for_update(of=_head) if locked else query


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


def _at_positions(dialect: str) -> sa.Select[tuple[int, int, bytes]]:
    """Select nodes and leaves by a JSON list of `[level, index]`: one parameter, and one way to each by its key.

    The hashes are subqueries, not joined: then no planner comes to walk the whole tree past a short list.
    """
    positions = sa.bindparam("positions", type_=sa.Text())
    level: sa.ColumnElement[Any]
    idx: sa.ColumnElement[Any]
    if dialect == "postgresql":
        wanted = sa.func.json_array_elements(sa.cast(positions, sa.JSON)).table_valued("value")
        level, idx = (sa.cast(wanted.c.value.op("->>")(sa.literal_column(part)), sa.BigInteger) for part in "01")
    else:
        wanted = sa.func.json_each(positions).table_valued("value")
        level, idx = (sa.func.json_extract(wanted.c.value, sa.literal_column(f"'$[{part}]'")) for part in "01")
    of_log = sa.bindparam("log", type_=sa.BigInteger())
    node = sa.select(_node.c.hash).where(_node.c.log == of_log, _node.c.level == level, _node.c.idx == idx)
    leaf = sa.select(_entry.c.leaf).where(_entry.c.log == of_log, _entry.c.seq == idx)
    hashed = sa.case(
        (level > 0, node.correlate(wanted).scalar_subquery()), else_=leaf.correlate(wanted).scalar_subquery()
    )
    return sa.select(level, idx, hashed).select_from(wanted)


_NODES: Final = Hot(_at_positions, "log", "positions")


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


class Appended(NamedTuple):
    """Where an entry came to stand, and its leaf hash."""

    seq: int
    leaf: bytes


def open_log(work: Work, origin: str, at: datetime) -> None:
    """Create the first (or next) log of the deployment, empty."""
    number = (work.connection.execute(sa.select(sa.func.max(LedgerLogRow.id))).scalar() or 0) + 1
    work.connection.execute(sa.insert(LedgerLogRow).values(id=number, origin=origin, opened_at=at))
    work.connection.execute(
        sa.insert(LedgerHeadRow).values(log=number, size=0, frontier=b"", last_at=to_ms(at), catalogue_version=0)
    )


def is_open(work: Work) -> bool:
    """Say whether there is a log at all."""
    return work.run(_HEAD).fetchone() is not None


def head(work: Work) -> Head:
    """Return the head as this transaction sees it.

    Raises:
        LedgerBroken: there is no log, or its head contradicts itself.
    """
    return _read_head(work.run(_HEAD).fetchone())


def _read_head(row: tuple[int, int, bytes, int, int, str] | None) -> Head:
    if row is None:
        msg = "there is no log: run `byleave init`"
        raise LedgerBroken(msg)
    log, size, edge, last_at, version, origin = row
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

    def __init__(self, work: Work, at: datetime) -> None:
        """Lock the head.

        Raises:
            ClockBehind: `at` is more than five seconds before the newest entry.
        """
        self._work = work
        self._head = _read_head(work.run(_LOCK).fetchone())
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
    def size(self) -> int:
        """The size of the log with what was added so far: the sequence number of the next entry."""
        return self._head.size + len(self._entries)

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
        return Appended(seq, leaf)

    def take_back(self, seq: int) -> None:
        """Forget the entries added from `seq` on: nothing of them is written yet."""
        del self._entries[seq - self._head.size :]
        del self._payloads[seq - self._head.size :]

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


def body_of(work: Work, log: int, seq: int) -> bytes:
    """Return the exact bytes of an entry.

    Raises:
        EntryUnknown: the log is not that long.
    """
    row = work.run(_BODY, log, seq).fetchone()
    if row is None:
        msg = f"the ledger has no entry {seq}"
        raise EntryUnknown(msg)
    return bytes(row[0])


def leaf_at(work: Work, log: int, seq: int) -> bytes | None:
    """Return the stored leaf hash of an entry, None where there is none."""
    return nodes_at(work, log, [(0, seq)]).get((0, seq))


def nodes_at(work: Work, log: int, positions: Sequence[Position]) -> dict[Position, bytes]:
    """Return the hashes of perfect subtrees, with one query; level 0 are the leaves."""
    rows = work.run(_NODES, log, json.dumps(positions)).fetchall()
    return {(level, idx): bytes(hashed) for level, idx, hashed in rows if hashed is not None}
