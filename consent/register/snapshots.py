"""State snapshots: every night an entry commits to how far each customer had got, so that no last word can vanish.

A customer's statements are chained, each naming the one before; what is missing in the middle shows by itself, and what
is missing at the end shows here. The leaf of a customer is a keyed pseudonym, how many statements he had made, and the
leaf hash of the last of them, which through the chain commits to all of them: that is his state. The root over all of
them, in the order of ids, is in the entry's sealed payload, with the position that they are states at.

Everything is read from payload and entry rows alone, below that position: rows that never change, so that a page at a
time is enough, whatever is appended meanwhile, and memory stays flat. Leaves are kept by page, beside the root that
authenticates them, for as long as they can be asked for: of a customer who was erased since nothing else is left.
"""

import hmac
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from itertools import groupby
from operator import itemgetter
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from consent.base.canonical import b64u, b64u_bytes
from consent.base.clock import parse_time
from consent.base.counting import counted
from consent.base.database import Hot, table_of
from consent.base.errors import LedgerBroken, NotFound
from consent.base.store import Store, Work
from consent.ledger import entry, log, merkle
from consent.ledger.entry import Kind
from consent.ledger.log import position_in
from consent.ledger.merkle import HASH_BYTES, Frontier
from consent.ledger.position import parts, position
from consent.register import publishing
from consent.register.desk import Desk
from consent.register.payloads import LOG_OWNER
from consent.register.tables import ErasureRow
from consent.tables import CustomerRow, LedgerEntryRow, LedgerPayloadRow, SnapshotPageRow

PAGE: Final = 4_096
"""Customers a page: read in one short transaction, and kept in one row."""

KEPT: Final = 2
"""The leaves of so many snapshots are kept, the newest ones."""

MOST_NAMED: Final = 100
_DOMAIN: Final = b"byleave/state/v1\x00"
_SAID: Final = f'"t":"{Kind.STATEMENT}","v":1}}'.encode()
_NOTHING_SAID: Final = bytes(HASH_BYTES)
_AT_ONCE: Final = 256

_payload: Final = table_of(LedgerPayloadRow)
_entry: Final = table_of(LedgerEntryRow)
_customer: Final = table_of(CustomerRow)
_page: Final = table_of(SnapshotPageRow)
_same: Final = sa.and_(_entry.c.log == _payload.c.log, _entry.c.seq == _payload.c.seq)

_IDS: Final = Hot(
    sa.select(_customer.c.id)
    .where(_customer.c.id > sa.bindparam("after"))
    .order_by(_customer.c.id)
    .limit(sa.bindparam("most")),
    "after",
    "most",
)
_IDS_TO: Final = Hot(
    sa.select(_customer.c.id)
    .where(_customer.c.id > sa.bindparam("after"), _customer.c.id <= sa.bindparam("last"))
    .order_by(_customer.c.id),
    "after",
    "last",
)
_SAYINGS: Final = Hot(
    sa.select(_payload.c.owner, _entry.c.leaf, _entry.c.body)
    .join_from(_payload, _entry, _same)
    .where(
        _payload.c.owner > sa.bindparam("after"),
        _payload.c.owner <= sa.bindparam("last"),
        _payload.c.owner != LOG_OWNER,
        position_in(_payload) < sa.bindparam("position"),
    )
    .order_by(_payload.c.owner, _payload.c.log, _payload.c.seq),
    "after",
    "last",
    "position",
)
_KEEP: Final = Hot(sa.insert(_page), "position", "page", "last", "leaves")


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A snapshot: the states at `position`, and the position of the entry that commits to them."""

    entry: int
    position: int
    customers: int
    pages: int
    root: bytes
    at: datetime


class Wrong(NamedTuple):
    """What a snapshot shows: of a customer (a pseudonym), or of some of a page."""

    subject: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A snapshot, computed again.

    `wrong` names at most 100; `erased` counts customers of whom nothing is left to compare; `snapshot` is None where
    there is none.
    """

    snapshot: Snapshot | None
    customers: int
    erased: int
    wrong: tuple[Wrong, ...]

    @property
    def ok(self) -> bool:
        """There is a snapshot, and every customer stands at least where he stood then."""
        return self.snapshot is not None and not self.wrong


def take(
    store: Store,
    desk: Desk,
    *,
    actor: str,
    clock: Callable[[], datetime],
    fence: Callable[[Work], None],
    each_page: int = PAGE,
) -> Snapshot:
    """Take a snapshot, page by page, and commit to it in the ledger.

    Args:
        store: read and written in short transactions.
        desk: keys.
        actor: who takes it, such as `worker`.
        clock: where the time of its entry is read.
        fence: called in every transaction that writes: raises where somebody else has taken the work over.
        each_page: customers read at a time.

    Raises:
        Fenced: somebody else has; what was written of this snapshot is overwritten by the next one.
    """
    with store.read() as work:
        place = log.head(work).position
    with store.write() as work:
        fence(work)
        _forget(work, place)
    frontier, count, pages = Frontier(), 0, 0
    for pages, (ids, leaves) in enumerate(_pages(store, _day_key(desk, place), place, each_page), 1):
        with store.write() as work:
            fence(work)
            work.run(_KEEP, place, pages - 1, ids[-1], b"".join(leaves))
        frontier, _ = merkle.append_all(frontier, leaves)
        count += len(ids)
    root = merkle.root_of(frontier)
    payload = {"actor": actor, "customers": count, "pages": pages, "position": place, "root": b64u(root)}
    with store.write() as work:
        fence(work)
        appended = publishing.note(desk, work, Kind.STATE_SNAPSHOT, payload, at=(at := clock()))
    return Snapshot(entry=appended.position, position=place, customers=count, pages=pages, root=root, at=at)


def _pages(store: Store, key: bytes, place: int, size: int) -> Iterator[tuple[list[str], list[bytes]]]:
    """Yield customers in the order of their ids, and the leaf of each, each page out of a transaction of its own."""
    after = ""
    while True:
        with store.read() as work:
            ids = [row[0] for row in work.run(_IDS, after, size).fetchall()]
            states = _states(work, after, ids[-1], place) if ids else {}
        if not ids:
            return
        yield ids, _leaves(key, ids, states)
        after = ids[-1]


def newest(desk: Desk, work: Work) -> Snapshot | None:
    """Return the newest snapshot that the ledger commits to; None where there is none.

    Raises:
        LedgerBroken: its payload doesn't open, or is not the one that the entry commits to.
    """
    found = next(_snapshot_entries(work), None)
    if found is None:
        return None
    place, read = found
    said = publishing.noted(desk, work, *parts(place))
    return Snapshot(
        entry=place,
        position=said["position"],
        customers=said["customers"],
        pages=said["pages"],
        root=b64u_bytes(said["root"]),
        at=read,
    )


def compare(store: Store, desk: Desk) -> Compared:
    """Compute the newest snapshot again at its position, and hold it against what it committed to.

    Raises:
        DatabaseDown: the store can't be read.
        LedgerBroken: the snapshot's entry can't be read.
    """
    with store.read() as work:
        snapshot = newest(desk, work)
    if snapshot is None:
        return Compared(snapshot=None, customers=0, erased=0, wrong=())
    frontier = Frontier()
    for _, leaves in _kept(store, snapshot):
        frontier, _ = merkle.append_all(frontier, leaves)
    if merkle.root_of(frontier) != snapshot.root:
        why = f"the leaves that are kept of it are not those that entry {snapshot.entry} commits to"
        return Compared(snapshot=snapshot, customers=0, erased=0, wrong=(Wrong(f"snapshot {snapshot.position}", why),))
    wrong: list[Wrong] = []
    customers = erased = 0
    after = ""
    for last, leaves in _kept(store, snapshot):
        page = _compared(store, desk, snapshot, (after, last), leaves)
        customers, erased, after = customers + page.customers, erased + page.erased, last
        wrong.extend(page.wrong[: MOST_NAMED - len(wrong)])
    return Compared(snapshot=snapshot, customers=customers, erased=erased, wrong=tuple(wrong))


def _compared(
    store: Store, desk: Desk, snapshot: Snapshot, between: tuple[str, str], leaves: Sequence[bytes]
) -> Compared:
    """Compare a page: the leaves it had, with those of the customers of its range now."""
    with store.read() as work:
        ids = [row[0] for row in work.run(_IDS_TO, *between).fetchall()]
        states = _states(work, *between, snapshot.position)
        buried = _erased(desk, work, between)
    now = dict(zip(ids, _leaves(_day_key(desk, snapshot.position), ids, states), strict=True))
    then = frozenset(leaves)
    unmatched = then.difference(now.values())
    changed = [one for one, leaf in now.items() if leaf not in then]
    gone = [one for one in changed if one in buried]
    astray = [one for one in changed if one not in buried]
    spoke = [one for one in astray if one in states]
    # Who had said nothing may have been enrolled while the page was read; then nobody of the page is missing either.
    silent = [one for one in astray if one not in states] if len(unmatched) > len(gone) + len(spoke) else []
    wrong = [
        Wrong(one, f"his statements up to entry {snapshot.position} are not those that entry {snapshot.entry} counted")
        for one in [*spoke, *silent]
    ]
    lost = len(unmatched) - len(gone) - len(wrong)
    if lost > 0:
        why = f"gone without an erasure: {counted(lost, 'customer')} that entry {snapshot.entry} counted"
        wrong.append(Wrong(f"customers {between[0]}…{between[1]}", why))
    return Compared(snapshot=snapshot, customers=len(ids), erased=len(gone), wrong=tuple(wrong))


def _states(work: Work, after: str, last: str, place: int) -> dict[str, tuple[int, bytes]]:
    """Return of the customers in `(after, last]` who had spoken: how many statements, and the leaf of the last one."""
    found: dict[str, tuple[int, bytes]] = {}
    rows = work.run(_SAYINGS, after, last, place).fetchall()
    for owner, said in groupby(rows, key=itemgetter(0)):
        leaves = [leaf for _, leaf, body in said if bytes(body).endswith(_SAID)]
        if leaves:
            found[owner] = len(leaves), bytes(leaves[-1])
    return found


def _day_key(desk: Desk, place: int) -> bytes:
    """Return the key of one snapshot's pseudonyms: those of two nights can't be linked."""
    return hmac.digest(desk.keys.index_key, b"byleave/snapshot/v1\x00%d" % place, "sha256")


def _leaves(key: bytes, ids: Sequence[str], states: dict[str, tuple[int, bytes]]) -> list[bytes]:
    nothing = (0, _NOTHING_SAID)
    found = []
    for one in ids:
        counter, state = states.get(one, nothing)
        pseudonym = hmac.digest(key, one.encode(), "sha256")
        found.append(sha256(b"\x00" + _DOMAIN + pseudonym + counter.to_bytes(8) + state).digest())
    return found


def _erased(desk: Desk, work: Work, between: tuple[str, str]) -> set[str]:
    """Return who of a range was erased, by an entry of the ledger that says so; a row alone proves nothing."""
    row = ErasureRow
    query = sa.select(row.customer, row.position).where(row.customer > between[0], row.customer <= between[1])
    found = set()
    for customer, place in work.connection.execute(query):
        try:
            said = publishing.noted(desk, work, *parts(place))
        except (NotFound, LedgerBroken):
            continue
        if said.get("erased") == customer:
            found.add(customer)
    return found


def _snapshot_entries(work: Work) -> Iterator[tuple[int, datetime]]:
    """Walk the entries that commit to snapshots, the newest first."""
    query = (
        sa.select(_payload.c.log, _payload.c.seq, _entry.c.body)
        .join_from(_payload, _entry, _same)
        .where(_payload.c.owner == LOG_OWNER)
        .order_by(_payload.c.log.desc(), _payload.c.seq.desc())
    )
    for number, seq, body in work.connection.execute(query).yield_per(_AT_ONCE):
        read = entry.read(body) if isinstance(body, bytes) else None
        if read and read.kind is Kind.STATE_SNAPSHOT:
            yield position(number, seq), parse_time(read.at)


def _kept(store: Store, snapshot: Snapshot) -> Iterator[tuple[str, list[bytes]]]:
    """Walk the pages that are kept of a snapshot: the last customer of each, and its leaves."""
    row = SnapshotPageRow
    for page in range(snapshot.pages):
        query = sa.select(row.last, row.leaves).where(row.position == snapshot.position, row.page == page)
        with store.read() as work:
            found = work.connection.execute(query).first()
        if found is not None:
            yield found.last, _split(bytes(found.leaves))


def _split(leaves: bytes) -> list[bytes]:
    return [leaves[spot : spot + HASH_BYTES] for spot in range(0, len(leaves), HASH_BYTES)]


def _forget(work: Work, place: int) -> None:
    """Delete the leaves of older snapshots, but for the newest that are kept, and what an interrupted one left here."""
    row = SnapshotPageRow
    older: Any = sa.select(row.position).where(row.position < place).distinct().order_by(row.position.desc())
    kept = list(work.connection.execute(older.limit(KEPT - 1)).scalars())
    work.connection.execute(sa.delete(row).where(row.position.not_in(kept)))
