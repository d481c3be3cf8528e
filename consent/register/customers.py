"""Enrol customers, and find them again by a reference or an address."""

import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple, TypeAlias

import sqlalchemy as sa

from consent import standings
from consent.base.clock import to_ms
from consent.base.database import Hot, among, table_of
from consent.base.errors import CustomerUnknown, IdentityTaken, Place, RequestUnfit
from consent.base.ids import CustomerId, is_id, new_id
from consent.base.store import Span, Work, span
from consent.ledger import log
from consent.register import mergers, suppressing
from consent.register.desk import Desk
from consent.register.naming import why_no_reference
from consent.tables import CustomerRow, DataKeyRow, IdentityRow
from consent.vault import seal

REFERENCE: Final = "reference"
"""The kind of identity that is the customer's name in the company's own system."""

_Blind: TypeAlias = tuple[str, bytes]
"""A kind of identity, and the keyed hash of what it is."""

_CUSTOMER: Final = Hot(sa.insert(table_of(CustomerRow)), "id", "enrolled_at")
_IDENTITY: Final = Hot(sa.insert(table_of(IdentityRow)), "kind", "blind", "customer", "came_to", "since", "position")
_DATA_KEY: Final = Hot(sa.insert(table_of(DataKeyRow)), "owner", "kek", "wrapped")
_FIND: Final = Hot(
    sa.select(IdentityRow.customer).where(
        IdentityRow.kind == sa.bindparam("kind"), IdentityRow.blind == sa.bindparam("blind")
    ),
    "kind",
    "blind",
)
_AT_ONCE: Final = 500
_FEW: Final = 20
_PLACES: Final = tuple(f"blind_{number}" for number in range(_AT_ONCE))
_OWNERS: Final = Hot(
    sa.select(IdentityRow.blind, IdentityRow.customer).where(
        IdentityRow.kind == sa.bindparam("kind"), IdentityRow.blind.in_([sa.bindparam(name) for name in _PLACES])
    ),
    "kind",
    *_PLACES,
)
_NAMED: Final = Hot(
    lambda dialect: sa.select(IdentityRow.customer).where(
        IdentityRow.kind == sa.bindparam("kind"), among(table_of(IdentityRow).c.customer, "customers")(dialect)
    ),
    "kind",
    "customers",
)
_AFTER: Final = Hot(
    sa.select(CustomerRow.id)
    .where(CustomerRow.id > sa.bindparam("after"))
    .order_by(CustomerRow.id)
    .limit(sa.bindparam("most")),
    "after",
    "most",
)
_BETWEEN: Final = Hot(
    sa.select(CustomerRow.id)
    .where(CustomerRow.id > sa.bindparam("after"), CustomerRow.id <= sa.bindparam("last"))
    .order_by(CustomerRow.id),
    "after",
    "last",
)
_BOUND: Final = Hot(
    lambda _dialect: sa.select(
        sa.func.max(
            sa.select(CustomerRow.id)
            .where(CustomerRow.id > sa.bindparam("after"))
            .order_by(CustomerRow.id)
            .limit(sa.bindparam("most"))
            .subquery()
            .c.id
        )
    ),
    "after",
    "most",
)
_LOCK: Final = Hot(
    lambda dialect: (
        sa.select(CustomerRow.id)
        .where(among(CustomerRow.id, "customers")(dialect))
        .order_by(CustomerRow.id)
        .with_for_update()
    ),
    "customers",
)


class Enrolled(NamedTuple):
    """One id for each item, in order, and how many of them are new."""

    customers: list[CustomerId]
    new: int


def enrol(desk: Desk, work: Work, identities: Sequence[Mapping[str, str]], *, at: datetime) -> list[CustomerId]:
    """Enrol customers, each by one or more identities (kind → value); who is known already keeps his id.

    Who has an address that is suppressed stands as suppressed from the beginning.

    Returns:
        One id for each item, in order.

    Raises:
        RequestUnfit: a reference is blank, or has what can't be seen; with the number of its item.
    """
    return enrol_counted(desk, work, identities, at=at).customers


def enrol_counted(desk: Desk, work: Work, identities: Sequence[Mapping[str, str]], *, at: datetime) -> Enrolled:
    """Enrol customers as `enrol` does, and say how many are new.

    Whoever enrols one of them at the same moment has the same customer in the end.

    Raises:
        RequestUnfit: as `enrol`.
    """
    places = [
        Place(f"/{spot}/{REFERENCE}", why)
        for spot, names in enumerate(identities)
        if (reference := names.get(REFERENCE)) and (why := why_no_reference(reference))
    ]
    if places:
        raise RequestUnfit(places=places)
    wanted = _blinds(desk, identities)
    suppressing.beside_enrolling(work)
    return work.again_where_taken(lambda: _enrolled(desk, work, wanted, at=at))


def enrol_apart(desk: Desk, work: Work, names: Mapping[str, str], *, at: datetime) -> CustomerId:
    """Enrol one customer as `enrol` does, where none of his names is another's.

    Raises:
        IdentityTaken: one is; the place says which, and nothing says whose.
        RequestUnfit: his reference is blank, or has what can't be seen.
    """
    if REFERENCE in names and (why := why_no_reference(names[REFERENCE])):
        raise RequestUnfit(places=[Place(f"/{REFERENCE}", why)])
    wanted = _blinds(desk, [names])
    suppressing.beside_enrolling(work)

    def once() -> CustomerId:
        [taken] = strangers(desk, work, [names])
        if taken:
            why = f"is another customer's {taken}: leave it out, or merge the two if they are one"
            raise IdentityTaken(places=[Place(f"/addresses/{taken}", why)])
        return _enrolled(desk, work, wanted, at=at).customers[0]

    return work.again_where_taken(once)


def _enrolled(desk: Desk, work: Work, wanted: Sequence[Sequence[_Blind]], *, at: datetime) -> Enrolled:
    known = _owners(work, wanted)
    found: list[CustomerId] = []
    customers: list[tuple[Any, ...]] = []
    names: list[tuple[Any, ...]] = []
    for blinds in wanted:
        customer = next((known[blind] for blind in blinds if blind in known), None)
        if customer is None:
            customer = CustomerId(new_id("cus", at))
            customers.append((customer, to_ms(at)))
        for blind in blinds:
            if blind not in known:
                known[blind] = customer
                names.append((*blind, customer))
        found.append(customer)
    work.run_many(_CUSTOMER, customers)
    work.run_many(_DATA_KEY, _new_keys(desk, [row[0] for row in customers]))
    standings.save_empty(work, (row[0] for row in customers))
    on_the_list = suppressing.suppressed(work, (name[:2] for name in names))
    suppressing.mark(work, sorted({name[2] for name in names if name[:2] in on_the_list}))
    if names:  # whoever was about to contact them has done so by now, or sees that they are left alone
        head = log.head(work)
        came = (max(to_ms(at), head.last_at), head.position)
        # In one order, so that two who enrol the same never wait in a ring.
        work.run_many(_IDENTITY, [(*name, name[2], *came) for name in sorted(names)])
    return Enrolled(found, len(customers))


def _new_keys(desk: Desk, customers: Sequence[CustomerId]) -> list[tuple[str, int, bytes]]:
    """Return the rows of new customers' data keys, wrapped all at once."""
    keys = [(customer, os.urandom(seal.DATA_KEY_BYTES)) for customer in customers]
    return [(customer, *wrapped) for customer, wrapped in zip(customers, desk.keys.wrap_all(keys), strict=True)]


def known(desk: Desk, work: Work, identities: Sequence[Mapping[str, str]]) -> list[CustomerId | None]:
    """Return who of them is enrolled, each by the first identity that somebody has; None for who isn't."""
    wanted = _blinds(desk, identities)
    owners = _owners(work, wanted)
    return [next((owners[blind] for blind in blinds if blind in owners), None) for blinds in wanted]


def left_alone(desk: Desk, work: Work, identities: Sequence[Mapping[str, str]]) -> list[bool]:
    """Say of each item whether one of its addresses is suppressed: whoever has it then is."""
    wanted = _blinds(desk, identities)
    on_the_list = suppressing.suppressed(work, (blind for blinds in wanted for blind in blinds))
    return [not on_the_list.isdisjoint(blinds) for blinds in wanted]


def strangers(desk: Desk, work: Work, identities: Sequence[Mapping[str, str]]) -> list[str]:
    """Return for each item the kind of the first identity that somebody else has; "" where none has.

    Somebody found by an address alone is the same customer as long as he has no other reference.
    """
    wanted = _blinds(desk, identities)
    owners = _owners(work, wanted)
    rows = work.run(_NAMED, REFERENCE, work.listed(sorted(set(owners.values())))).fetchall() if owners else []
    named = {CustomerId(row[0]) for row in rows}
    return [_stranger(blinds, owners, named) for blinds in wanted]


def _stranger(blinds: Sequence[_Blind], owners: Mapping[_Blind, CustomerId], named: set[CustomerId]) -> str:
    customer = None
    new = False  # he has a reference that nobody has had
    for blind in blinds:
        owner = owners.get(blind)
        if owner is None:
            new = new or blind[0] == REFERENCE
        elif customer not in (None, owner) or (new and owner in named):
            return blind[0]
        else:
            customer = owner
    return ""


def _blinds(desk: Desk, identities: Sequence[Mapping[str, str]]) -> list[list[_Blind]]:
    index = desk.keys.index_key
    return [[(kind, seal.blind(index, kind, value)) for kind, value in kinds.items() if value] for kinds in identities]


def _owners(work: Work, wanted: Sequence[Sequence[_Blind]]) -> dict[_Blind, CustomerId]:
    """Look identities up, many at a time: a query each would be a round trip each."""
    by_kind: dict[str, list[bytes]] = {}
    for kind, blind in {blind for blinds in wanted for blind in blinds}:
        by_kind.setdefault(kind, []).append(blind)
    return {
        (kind, bytes(blind)): CustomerId(customer)
        for kind, blinds in by_kind.items()
        for first in range(0, len(blinds), _AT_ONCE)
        for blind, customer in _owners_of(work, kind, blinds[first : first + _AT_ONCE])
    }


def _owners_of(work: Work, kind: str, blinds: list[bytes]) -> Iterable[tuple[bytes, str]]:
    if len(blinds) <= _FEW:
        found = ((blind, work.run(_FIND, kind, blind).fetchone()) for blind in blinds)
        return ((blind, row[0]) for blind, row in found if row)
    repeated = blinds[:1] * (_AT_ONCE - len(blinds))  # the statement has so many places, and finds each but once
    rows: list[tuple[bytes, str]] = work.run(_OWNERS, kind, *blinds, *repeated).fetchall()
    return rows


def find(desk: Desk, work: Work, value: str, *, kind: str = REFERENCE, as_of: datetime | None = None) -> CustomerId:
    """Return the customer of a reference or an address; his own id is found too, also one that he gave up.

    With `as_of` an id that was not given up by then is that of who he was; a reference is always his who has it now.

    Raises:
        CustomerUnknown: nobody enrolled is called that. The message doesn't repeat a name, which can be personal data.
    """
    row = work.run(_FIND, kind, seal.blind(desk.keys.index_key, kind, value)).fetchone()
    if row is None and is_id(value, "cus"):
        row = work.connection.execute(sa.select(CustomerRow.id).where(CustomerRow.id == value)).first()
        row = row and (mergers.surviving(work, CustomerId(row[0]), as_of=as_of),)
    if row is None:
        msg = f"nobody enrolled has the id {value}" if is_id(value, "cus") else f"nobody enrolled has this {kind}"
        raise CustomerUnknown(msg)
    return CustomerId(row[0])


def after(work: Work, customer: str, most: int) -> Span[CustomerId]:
    """Return up to `most` customers whose ids come after `customer` ("" for the first), in order."""
    return span(work, (CustomerId(row[0]) for row in work.run(_AFTER, customer, most).fetchall()))


def between(work: Work, after: str, last: str) -> Span[CustomerId]:
    """Return the customers whose ids come after `after`, up to and with `last`, in order."""
    return span(work, (CustomerId(row[0]) for row in work.run(_BETWEEN, after, last).fetchall()))


def bound(work: Work, after: str, most: int) -> str:
    """Return the last of the up to `most` customers after `after`; "" where there is none."""
    return work.run(_BOUND, after, most).fetchone()[0] or ""


def nth(work: Work, number: int) -> CustomerId:
    """Return the customer before whom so many others stand in the order of ids; "" where there is none."""
    query = sa.select(CustomerRow.id).order_by(CustomerRow.id).offset(number).limit(1)
    return CustomerId(work.connection.execute(query).scalar() or "")


def count(work: Work) -> int:
    """Return how many customers are enrolled."""
    return work.connection.execute(sa.select(sa.func.count()).select_from(CustomerRow)).scalar_one()


def lock(work: Work, customers: Sequence[CustomerId]) -> list[CustomerId]:
    """Lock customers in the order of their ids: whoever reserves contacts with them now does so alone.

    Returns:
        Those of them who are enrolled.
    """
    return [CustomerId(row[0]) for row in work.run(_LOCK, work.listed(customers)).fetchall()]


def before(customer: str) -> str:
    """Return a bound just before an id: the range that begins behind it begins with the id itself."""
    return customer[:-1] + chr(ord(customer[-1]) - 1) + "~"
