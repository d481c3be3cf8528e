"""Read the ledger's payloads back: a customer's statements, and what stood at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from consent import catalogues
from consent.base.canonical import b64u_bytes
from consent.base.clock import parse_time, to_ms
from consent.base.database import Hot, among, table_of
from consent.base.errors import CustomerUnknown, EntryUnknown, KeyLost, LedgerBroken
from consent.base.ids import CustomerId
from consent.base.store import Work
from consent.ledger import entry, log
from consent.ledger.log import position_in
from consent.ledger.position import parts, position
from consent.permission.standing import ERASED, SUPPRESSED, Standing, fold
from consent.permission.statement import Statement, from_record
from consent.register import left_alone, tombstones
from consent.register.desk import Desk
from consent.register.payloads import opened_payload
from consent.tables import CustomerRow, DataKeyRow, LedgerEntryRow, LedgerPayloadRow
from consent.vault.keyring import Wrapped


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One statement of a customer's history, as its payload holds it; `seq` is the position of its entry."""

    seq: int
    at: datetime
    actor: str
    statement: Statement
    counter: int
    previous: bytes
    leaf: bytes
    catalogue_version: int


_payload = table_of(LedgerPayloadRow)
_entry = table_of(LedgerEntryRow)


def _query(where: Any) -> sa.Select[Any]:  # noqa: ANN401 -- a Core condition
    return (
        sa.select(
            _payload.c.owner, position_in(_payload), _payload.c.sealed, _entry.c.body, _entry.c.leaf,
            DataKeyRow.kek, DataKeyRow.wrapped,
        )
        .join(_entry, sa.and_(_entry.c.log == _payload.c.log, _entry.c.seq == _payload.c.seq))
        .join(DataKeyRow, DataKeyRow.owner == _payload.c.owner)
        .where(where)
        .order_by(_payload.c.owner, _payload.c.log, _payload.c.seq)
    )  # fmt: skip


_OF_ONE: Final = Hot(_query(_payload.c.owner == sa.bindparam("customer")), "customer")
_OF_MANY: Final = Hot(lambda dialect: _query(among(_payload.c.owner, "customers")(dialect)), "customers")

_OF_RANGE: Final = Hot(
    _query(
        sa.and_(
            _payload.c.log == sa.bindparam("log"),
            _payload.c.seq.between(sa.bindparam("first"), sa.bindparam("last")),
        )
    ),
    "log",
    "first",
    "last",
)

_OF_ONE_AFTER: Final = Hot(
    _query(
        sa.and_(
            _payload.c.owner == sa.bindparam("customer"),
            sa.tuple_(_payload.c.log, _payload.c.seq) > sa.tuple_(sa.bindparam("log"), sa.bindparam("seq")),
        )
    ).limit(sa.bindparam("most")),
    "customer",
    "log",
    "seq",
    "most",
)


def of_customer(desk: Desk, work: Work, customer: CustomerId, *, as_of: datetime | None = None) -> list[Said]:
    """Return what a customer said, in the order of the ledger; with `as_of`, what was recorded by then.

    Raises:
        LedgerBroken: a payload doesn't open, or is not the one its entry commits to.
    """
    found = [_said(desk, row) for row in work.run(_OF_ONE, customer).fetchall()]
    return [said for said in found if as_of is None or said.at <= as_of]


def after(desk: Desk, work: Work, customer: CustomerId, position: int | None, most: int) -> list[Said]:
    """Return up to `most` of a customer's statements behind a ledger position (None for the first), in order.

    Raises:
        LedgerBroken: a payload doesn't open, or is not the one its entry commits to.
    """
    log_number, seq = (0, -1) if position is None else parts(position)
    return [_said(desk, row) for row in work.run(_OF_ONE_AFTER, customer, log_number, seq, most).fetchall()]


def of_customers(desk: Desk, work: Work, customers: Sequence[CustomerId]) -> Iterator[Said]:
    """Walk the statements of many customers, customer by customer, each in the order of the ledger.

    Raises:
        LedgerBroken: a payload doesn't open, or is not the one its entry commits to.
    """
    for row in work.run(_OF_MANY, work.listed(customers)).fetchall():
        yield _said(desk, row)


def one(desk: Desk, work: Work, position: int) -> Said:
    """Return the statement of the entry at a ledger position.

    Raises:
        EntryUnknown: there is no such entry, or its payload was erased.
    """
    [said] = several(desk, work, [position])
    return said


def several(desk: Desk, work: Work, positions: Sequence[int]) -> list[Said]:
    """Return the statements of entries that one transaction wrote, so that they lie together; in the order asked.

    Raises:
        EntryUnknown: there is no such entry, or one of them has no payload any more.
    """
    number, first = parts(min(positions))
    found = {row[1]: row for row in work.run(_OF_RANGE, number, first, parts(max(positions)).seq).fetchall()}
    gone = [position for position in positions if position not in found]
    if gone:
        msg = f"entry {gone[0]} has no payload (any more)"
        raise EntryUnknown(msg)
    return [_said(desk, found[position]) for position in positions]


def standing_at(desk: Desk, work: Work, customer: CustomerId, as_of: datetime) -> Standing:
    """Return what stood at a time: the fold of the entries recorded by then, and of nothing that came later.

    Beside it stands what no statement of his says: that an address of his was suppressed then. Whoever is erased
    counts as erased at any time, for what he had said before is gone.

    Raises:
        CustomerUnknown: nobody of that id is enrolled.
    """
    if work.connection.execute(sa.select(CustomerRow.id).where(CustomerRow.id == customer)).first() is None:
        raise CustomerUnknown
    if tombstones.of(work, [customer]):
        return Standing(states=ERASED)
    said = of_customer(desk, work, customer, as_of=as_of)
    stood = fold(((one.seq, one.statement) for one in said), catalogues.bits(work))
    alone = left_alone.of_customer(work, customer, to_ms(as_of))
    return replace(stood, states=stood.states | SUPPRESSED) if alone else stood


def ledger_at(work: Work, as_of: datetime) -> tuple[int, int]:
    """Return the position that the next entry would have had at a time, and which catalogue version was in force.

    Entry times never go back, from log to log neither, so the place is found by halving.
    """
    newest = log.head(work)
    number, high = newest.log, newest.size
    while True:
        size, version = _log_at(work, number, high, as_of)
        if size or number == 1:
            return position(number, size), version
        number -= 1  # its log had not begun yet
        high = log.sealed_size(work, number)


def _log_at(work: Work, number: int, size: int, as_of: datetime) -> tuple[int, int]:
    """Return how long a log was at a time, and the catalogue version of its last entry then; 0 if it was empty."""
    low, high, version = 0, size, 0
    while low < high:
        middle = (low + high) // 2
        read = entry.read(log.body_of(work, number, middle))
        if read is None:
            msg = f"entry {position(number, middle)} is not of the form"
            raise LedgerBroken(msg)
        if parse_time(read.at) <= as_of:
            low, version = middle + 1, read.catalogue_version
        else:
            high = middle
    return low, version


def _said(desk: Desk, row: Any) -> Said:  # noqa: ANN401 -- a driver's or Core's row of seven columns
    owner, seq, sealed, body, leaf, kek, wrapped = row
    read = entry.read(bytes(body))
    if read is None:
        msg = f"entry {seq} is not of the form"
        raise LedgerBroken(msg)
    try:
        data_key = desk.keys.unwrap(owner, Wrapped(kek, bytes(wrapped)))
        payload, plain = opened_payload(data_key, owner, bytes(sealed))
    except KeyLost as lost:
        msg = f"the payload of entry {seq} does not open"
        raise LedgerBroken(msg) from lost
    if not entry.opens(plain, read.commitment):
        msg = f"the payload of entry {seq} is not the one that the entry commits to"
        raise LedgerBroken(msg)
    return Said(
        seq=seq,
        at=parse_time(read.at),
        actor=payload["actor"],
        statement=from_record(CustomerId(payload["customer"]), payload["statement"]),
        counter=payload["n"],
        previous=b64u_bytes(payload["prev"]) if payload["prev"] else b"",
        leaf=bytes(leaf),
        catalogue_version=read.catalogue_version,
    )
