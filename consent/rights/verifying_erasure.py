"""USE CASE: prove that nothing is left of whoever was erased, and say so in the ledger.

Two things are proved. *Nothing decrypts*: there is no data key of his, and nothing that it sealed. *Nothing names him*:
his pseudonym is looked for in every text of every table that the database has, not only where we believe that it could
stand, but for a few that keep account of what the company did, each with its reason. Of several who wait, all are
looked for in the same pass.

Whatever came to stand in his name after his erasure (a transaction that had begun before it) is deleted first.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, groupby
from typing import Final

import sqlalchemy as sa

from consent import standings
from consent.base.database import table_of
from consent.base.errors import KeyLost
from consent.base.ids import CustomerId
from consent.base.store import Store, Work
from consent.ledger.entry import Kind
from consent.ledger.log import Appender
from consent.permission.standing import stored
from consent.register.desk import Desk
from consent.register.payloads import LOG_OWNER, sealed_payload
from consent.register.tables import ErasureRow
from consent.rights import erasing
from consent.rights.erasing import TOMBSTONE, Eraser
from consent.tables import DataUseRow, LedgerPayloadRow, MemoryRow

AT_ONCE: Final = 200
_erasure: Final = table_of(ErasureRow)
_PSEUDONYM: Final = re.compile(r"cus_[0-9a-f]{32}")
_LIKE: Final = "%cus\\_%"
_ANY: Final = "*"

EXEMPT: Final[Mapping[tuple[str, str], str]] = {
    ("customer", "id"): "the tombstone itself",
    ("erasure", "customer"): "the tombstone itself",
    ("standing", "customer"): "the tombstone's verdict: erased, and nothing else",
    ("data_use", "customer"): "looked at by itself: of uses, those until his erasure",
    ("rights_request", "customer"): "that he asked, and when he was answered, is owed to the supervisor",
    ("finding", _ANY): "what an audit found is never deleted; it names pseudonyms alone",
    ("finding_state", _ANY): "as above",
    ("finding_event", _ANY): "as above",
    ("audit_run", "report"): "as above",
    ("evidence_pack", "customer"): "that evidence was handed out about him; the evidence itself goes",
    ("evidence_pack", "about"): "as above",
    ("decision_chunk", "first"): "the bounds of a chunk of decisions that the ledger has committed to",
    ("decision_chunk", "last"): "as above",
    ("snapshot_page", "last"): "the bounds of a page of the state snapshot, which outlive who stood there",
    ("run", "after"): "how far a run has come",
    ("run_chunk", "after"): "the bounds of a chunk that a run has yet to decide",
    ("run_chunk", "last"): "as above",
    ("run", "quotas"): "the place in a run's order where a quota ended, as the sealed inputs of its decisions say it",
    ("key_rotation", "after"): "how far a rotation of keys has come",
}
"""Where a pseudonym may go on standing, and why: (table, column), or every column of a table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What came of a pass: of whom it is proved, and of whom something was found, where."""

    proved: tuple[CustomerId, ...]
    left: Mapping[CustomerId, tuple[str, ...]]
    tables: int


def verify(desk: Desk, store: Store, *, besides: Sequence[Eraser], at: datetime) -> Verified:
    """Verify the erasures that wait for it, and append `erasure.verified` for each of which nothing is left.

    Raises:
        ClockBehind: the clock lies behind the ledger.
        DatabaseDown: the database, or its journal, is held by others.
    """
    store.drop_journal()
    with store.read() as work:
        waiting = erasing.unproven(work, AT_ONCE)
    if not waiting:
        return Verified(proved=(), left={}, tables=0)
    with store.write() as work:
        for customer in waiting:
            erasing.sweep(work, customer, besides)
    with store.read() as work:
        places = _places(work)
        left = traces(desk, work, waiting)
    proved = tuple(one for one in waiting if one not in left)
    if proved:
        with store.write() as work:
            _say(desk, work, proved, tables=len({table for table, _ in places}), at=at)
    return Verified(proved=proved, left=left, tables=len({table for table, _ in places}))


def traces(desk: Desk, work: Work, customers: Sequence[CustomerId]) -> dict[CustomerId, tuple[str, ...]]:
    """Return where something of these customers still stands, as `table.column`; who leaves no trace is left out."""
    found: dict[CustomerId, set[str]] = {}
    looks = (
        _opening(desk, work, customers),
        _standing(work, customers),
        _uses(work, customers),
        _naming(work, customers),
    )
    for customer, where in chain.from_iterable(looks):
        found.setdefault(customer, set()).add(where)
    return {customer: tuple(sorted(places)) for customer, places in sorted(found.items())}


def _opening(desk: Desk, work: Work, customers: Sequence[CustomerId]) -> Iterator[tuple[CustomerId, str]]:
    """Yield who has a key, or something that a key of his once sealed."""
    for customer in customers:
        try:
            desk.data_key(work, customer)
        except KeyLost:
            continue
        yield customer, "data_key.wrapped"
    for row, column in ((LedgerPayloadRow, "owner"), (MemoryRow, "customer")):
        table = table_of(row)
        query = sa.select(table.c[column]).where(table.c[column].in_(customers)).distinct()
        for customer in work.connection.execute(query).scalars():
            yield CustomerId(customer), f"{table.name}.sealed"


def _standing(work: Work, customers: Sequence[CustomerId]) -> Iterator[tuple[CustomerId, str]]:
    """Yield whose standing says more than that he was erased."""
    nothing = stored(TOMBSTONE)
    rows = standings.read(work, customers)
    for customer in customers:
        if rows.get(customer) != nothing:
            yield customer, "standing.scopes"


def _uses(work: Work, customers: Sequence[CustomerId]) -> Iterator[tuple[CustomerId, str]]:
    """Yield whose data were used until he was erased; that somebody looked at a tombstone since is no trace of him."""
    use = table_of(DataUseRow)
    query = sa.select(use.c.customer).join(_erasure, _erasure.c.customer == use.c.customer).distinct()
    until = query.where(use.c.customer.in_(customers), use.c.at <= _erasure.c.erased_at)
    for customer in work.connection.execute(until).scalars():
        yield CustomerId(customer), "data_use.customer"


def _naming(work: Work, customers: Sequence[CustomerId]) -> Iterator[tuple[CustomerId, str]]:
    """Yield who is named in a text of any table: by an index where a column holds ids alone, else in one pass."""
    sought = set(customers)
    for table, together in groupby(_places(work), key=lambda place: place[0]):
        columns = [column for _, column in together]
        read = sa.table(table, *(sa.column(column, sa.Text()) for column in columns))
        for column in _IDS.intersection(columns):
            named = sa.select(read.c[column]).where(read.c[column].in_(customers)).distinct()
            yield from ((CustomerId(one), f"{table}.{column}") for one in work.connection.execute(named).scalars())
        texts = [column for column in columns if column not in _IDS]
        if texts:
            somebody = sa.or_(*(read.c[column].like(_LIKE, escape="\\") for column in texts))
            for row in work.connection.execute(sa.select(*(read.c[column] for column in texts)).where(somebody)):
                for column, text in zip(texts, row, strict=True):
                    for name in sought.intersection(_PSEUDONYM.findall(text or "")):
                        yield CustomerId(name), f"{table}.{column}"


_IDS: Final = frozenset({"customer", "owner", "subject", "merged"})
"""What columns are called that hold an id and nothing else."""


def _places(work: Work) -> list[tuple[str, str]]:
    """Return every text column of every table in the database, but for those with a reason to go on naming somebody."""
    inspected = sa.inspect(work.connection)
    return [
        (table, column["name"])
        for table in sorted(inspected.get_table_names())
        for column in inspected.get_columns(table)
        if isinstance(column["type"], sa.Text) and (table, column["name"]) not in EXEMPT and (table, _ANY) not in EXEMPT
    ]


def _say(desk: Desk, work: Work, customers: Sequence[CustomerId], *, tables: int, at: datetime) -> None:
    """Append an entry for each, under one lock of the head; another worker may have done so for some."""
    waiting = sa.select(_erasure.c.customer).where(_erasure.c.customer.in_(customers), _erasure.c.verified_at.is_(None))
    still = work.connection.execute(waiting.order_by(_erasure.c.customer).with_for_update()).scalars().all()
    appender = Appender(work, at)
    data_key = desk.data_key(work, LOG_OWNER)
    positions = {}
    for customer in still:
        payload = {"tables": tables, "verified": customer}
        sealed, commitment = sealed_payload(data_key, LOG_OWNER, payload)
        added = appender.add(Kind.ERASURE_VERIFIED, LOG_OWNER, sealed=sealed, commitment=commitment)
        positions[customer] = added.position
    appender.flush()
    for customer, position in positions.items():
        proved = sa.update(_erasure).where(_erasure.c.customer == customer)
        work.connection.execute(proved.values(verified_at=appender.at, verified_position=position))
