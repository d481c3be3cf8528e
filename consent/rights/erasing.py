"""USE CASE: erase a customer. One transaction does all of it, or nothing.

First the ledger says so; then everything goes that could say who he was or what he said, in the order in which one
would explain it: the key that opens him, what it opens, the addresses he is found by, what was derived, what is on its
way to him. What stays is a tombstone: his pseudonym, which leads nowhere, and the entries of the ledger, whose
commitments now hide what they commit to for good. Proofs and receipts that are out stay valid.

Whoever is erased a second time is erased once: the same answer, and whatever has come to stand in his name meanwhile
goes as well.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple

import sqlalchemy as sa

from consent import standings
from consent.base.database import Row, table_of
from consent.base.errors import CustomerUnknown, LedgerBroken, NotFound
from consent.base.ids import CustomerId
from consent.base.store import Work
from consent.ledger.entry import Kind
from consent.ledger.log import Appender
from consent.ledger.position import parts
from consent.permission.standing import ERASED, Standing
from consent.register import households, mergers, publishing, suppressing
from consent.register.desk import Desk
from consent.register.payloads import LOG_OWNER, sealed_payload
from consent.register.suppressing import REFERENCE, Changed, Why
from consent.register.tables import ErasureRow
from consent.rights import requests
from consent.rights.erasure_list import ErasureList, Event
from consent.tables import (
    ConfirmationRow,
    CustomerRow,
    DataKeyRow,
    DataUseRow,
    IdempotencyRow,
    IdentityRow,
    LedgerPayloadRow,
    MemoryRow,
    MergerRow,
    ReminderRow,
)

TOMBSTONE: Final = Standing(states=ERASED)
"""What stands for somebody who was erased: nothing, and that for good."""

_erasure: Final = table_of(ErasureRow)


class Ground(StrEnum):
    """Why somebody is erased. Words of one's own could say who it was, and would outlive him.

    Source:
        GDPR Art. 17(1)(a) to (f).
    """

    NO_LONGER_NEEDED = "no_longer_needed"
    WITHDRAWN = "withdrawn"
    OBJECTED = "objected"
    UNLAWFUL = "unlawful"
    OBLIGED = "obliged"
    CHILD = "child"


class Eraser(NamedTuple):
    """What another floor keeps of a customer, and how it lets go of it: the port by which it joins in."""

    table: str
    erase: Callable[[Work, CustomerId], int]
    """Deletes what names the customer in `table`, and returns how many rows those were."""


def rows_of(row: type[Row], column: str = "customer") -> Eraser:
    """Return what deletes the rows of a table that name a customer in a column."""
    table = table_of(row)

    def delete(work: Work, customer: CustomerId) -> int:
        return work.connection.execute(sa.delete(table).where(table.c[column] == customer)).rowcount

    return Eraser(table.name, delete)


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """An erasure, once its transaction is committed."""

    customer: CustomerId
    at: datetime
    positions: Mapping[CustomerId, int]
    """All ids that were his, those given up in mergers too, and the ledger entry that says so of each."""

    repeated: bool
    """He had been erased before."""

    suppressed: int = 0
    """How many of his addresses are left alone from now on."""

    deleted: Mapping[str, int] = field(default_factory=dict)
    """Table → rows that went."""

    @property
    def position(self) -> int:
        """Of the ledger entry that says so."""
        return self.positions[self.customer]


def erase(  # noqa: PLR0913 -- all of it belongs to one erasure
    desk: Desk,
    work: Work,
    customer: CustomerId,
    *,
    listed: ErasureList,
    besides: Sequence[Eraser],
    ground: Ground,
    actor: str,
    at: datetime,
    suppress: bool = False,
) -> Erased:
    """Erase a customer: done once the caller's transaction commits, and nothing of it if it doesn't.

    An id that was given up in a merger means whoever goes on as it. `listed` is where it is written down that must
    outlast every backup, `besides` what the floors above keep of him. With `suppress` his addresses are left alone for
    good, should they ever come back.

    Raises:
        CustomerUnknown: nobody of that id was ever enrolled.
        ClockBehind: the clock lies behind the ledger.
        DatabaseDown: the list of erasures can't be written.
    """
    # Whoever joins or suppresses waits meanwhile, so that whom he goes on as stays what it is; others may be erased.
    if suppress:
        suppressing.beside_nobody(work)
    else:
        suppressing.beside_enrolling(work)
    ids = _locked(work, customer)
    before = _found(work, ids)
    if before is not None:
        at, positions = before
        return Erased(customer=ids[0], at=at, positions=positions, repeated=True, deleted=_deleted(work, ids, besides))
    left_alone = _suppressed(desk, work, ids, actor=actor, at=at) if suppress else []
    positions, at = _recorded(desk, work, ids, ground=ground, actor=actor, at=at)
    gone = _deleted(work, ids, besides)
    _bury(work, positions, at)
    _announce(listed, positions, left_alone, at=at)
    return Erased(customer=ids[0], at=at, positions=positions, repeated=False, suppressed=len(left_alone), deleted=gone)


def confirm(listed: ErasureList, erased: Erased) -> None:
    """Write down that an erasure is committed: the caller does so once his transaction is over.

    Raises:
        DatabaseDown: the list can't be written; it is brought up to date when the deployment is opened next.
    """
    if not erased.repeated:
        lines = ((Event.ERASED, listed.subject_of(one), position) for one, position in erased.positions.items())
        listed.note(lines, at=erased.at)


def sweep(work: Work, customer: CustomerId, besides: Sequence[Eraser]) -> int:
    """Delete again what names an erased customer: somebody may have been about to write it while he was erased."""
    return sum(_deleted(work, [customer], besides).values())


def unproven(work: Work, most: int) -> list[CustomerId]:
    """Return up to `most` erased customers of whom it was not verified yet that nothing is left, the oldest first."""
    waiting = sa.select(_erasure.c.customer).where(_erasure.c.verified_at.is_(None))
    rows = work.connection.execute(waiting.order_by(_erasure.c.erased_at, _erasure.c.customer).limit(most))
    return [CustomerId(each) for each in rows.scalars()]


def waiting_since(work: Work) -> datetime | None:
    """Return when the oldest erasure was made that is not verified yet; None where all are."""
    oldest = sa.select(sa.func.min(_erasure.c.erased_at)).where(_erasure.c.verified_at.is_(None))
    found: datetime | None = work.connection.execute(oldest).scalar()
    return found


def proven(desk: Desk, work: Work, customers: Iterable[CustomerId]) -> dict[CustomerId, int]:
    """Return who of these was erased according to the ledger itself, and the position of the entry that says so.

    The table says where to look, and the sealed payload of the entry there who it was: a tombstone that was put up
    without an entry counts for nothing.
    """
    asked = sorted(set(customers))
    found: dict[CustomerId, int] = {}
    for first in range(0, len(asked), 500):
        some = asked[first : first + 500]
        query = sa.select(_erasure.c.customer, _erasure.c.position).where(_erasure.c.customer.in_(some))
        for one, position in work.connection.execute(query):
            try:
                payload = publishing.noted(desk, work, *parts(position))
            except (NotFound, LedgerBroken):
                continue
            if payload.get("erased") == one:
                found[CustomerId(one)] = position
    return found


def _locked(work: Work, customer: CustomerId) -> tuple[CustomerId, ...]:
    """Lock all ids of a customer, in order; the one that he goes on as comes first."""
    survivor = mergers.surviving(work, customer)
    ids = (survivor, *mergers.former(work, survivor))
    known = sa.select(CustomerRow.id).where(CustomerRow.id.in_(ids)).order_by(CustomerRow.id).with_for_update()
    if survivor not in set(work.connection.execute(known).scalars()):
        raise CustomerUnknown
    households.lock_of(work, ids)  # before the ledger's head, as decisions do
    return ids


def _found(work: Work, ids: Sequence[CustomerId]) -> tuple[datetime, dict[CustomerId, int]] | None:
    """Return when these ids were erased, and by which entries; None where they weren't."""
    query = sa.select(_erasure.c.customer, _erasure.c.erased_at, _erasure.c.position)
    rows = work.connection.execute(query.where(_erasure.c.customer.in_(ids))).all()
    found = {CustomerId(row.customer): row for row in rows}
    if ids[0] not in found:
        return None
    return found[ids[0]].erased_at, {one: found[one].position for one in ids if one in found}


def _suppressed(desk: Desk, work: Work, ids: Sequence[CustomerId], *, actor: str, at: datetime) -> list[Changed]:
    having = sa.select(IdentityRow.kind, IdentityRow.blind).where(
        IdentityRow.customer.in_(ids), IdentityRow.kind != REFERENCE
    )
    blinds = [(row.kind, bytes(row.blind)) for row in work.connection.execute(having)]
    return [suppressing.suppress_blind(desk, work, each, actor=actor, why=Why.ERASED, at=at) for each in sorted(blinds)]


def _recorded(
    desk: Desk, work: Work, ids: Sequence[CustomerId], *, ground: Ground, actor: str, at: datetime
) -> tuple[dict[CustomerId, int], datetime]:
    """Say so in the ledger, in the deployment's own name: the customer's key is about to go."""
    appender = Appender(work, at)
    data_key = desk.data_key(work, LOG_OWNER)
    positions: dict[CustomerId, int] = {}
    for one in ids:
        payload = {"actor": actor, "erased": one, "ground": str(ground)}
        sealed, commitment = sealed_payload(data_key, LOG_OWNER, payload)
        added = appender.add(Kind.CUSTOMER_ERASED, LOG_OWNER, sealed=sealed, commitment=commitment)
        positions[one] = added.position
    appender.flush()
    return positions, appender.at


def _deleted(work: Work, ids: Sequence[CustomerId], besides: Sequence[Eraser]) -> dict[str, int]:
    """Delete what names a customer, table by table, and return how many rows went of each."""
    gone: dict[str, int] = {}
    for table, delete in (*_OURS, *besides):
        gone[table] = gone.get(table, 0) + sum(delete(work, one) for one in ids)
    return {table: count for table, count in gone.items() if count}


def _bury(work: Work, positions: Mapping[CustomerId, int], at: datetime) -> None:
    """Put up the tombstones: what stands from now on, and which entry says so."""
    standings.save(work, ((one, TOMBSTONE, standings.NO_LEAF) for one in positions))
    rows = [
        {"customer": one, "erased_at": at, "position": position, "verified_at": None, "verified_position": 0}
        for one, position in positions.items()
    ]
    work.connection.execute(sa.insert(ErasureRow), rows)


def _announce(
    listed: ErasureList, positions: Mapping[CustomerId, int], left_alone: Sequence[Changed], *, at: datetime
) -> None:
    """Tell the list of erasures what is about to be committed."""
    lines = [(Event.SUPPRESSED, each.subject, each.position) for each in left_alone]
    lines += [(Event.ERASING, listed.subject_of(one), position) for one, position in positions.items()]
    listed.note(lines, at=at)


def _words(work: Work, customer: CustomerId) -> int:
    requests.forget_words(work, customer)
    return 0


_OURS: Final = (
    rows_of(DataKeyRow, "owner"),  # without it, nothing below opens any more
    rows_of(LedgerPayloadRow, "owner"),
    rows_of(MemoryRow),
    Eraser("lifted_suppression", suppressing.forget_lifted),  # before the addresses go that it is found by
    rows_of(IdentityRow),  # by which he could be found
    Eraser("household_member", households.forget),
    rows_of(MergerRow),
    rows_of(MergerRow, "merged"),
    rows_of(IdempotencyRow, "owner"),
    rows_of(ConfirmationRow),  # what awaits him
    rows_of(ReminderRow),
    rows_of(DataUseRow),
    Eraser("rights_request", _words),  # that he asked, and was answered, stays
)
"""What the consent side keeps of a customer, in the order in which it goes."""
