"""Who lives with whom, for rules that let a household be contacted only so often.

It is a fact of the register and nothing that customers are remembered by: it is never recalled, scored or told, and can
only hold contacts back, so it asks for no permission. What a household is called (a number, an address) is kept as a
keyed hash, like the names of customers. Where the ledger stood when somebody came and went is kept with it: who lived
together when a decision was made can be told afterwards.

Whoever counts or reserves contacts by household locks it, once its customers are locked and before anything else is. So
does whoever comes or goes. All take these locks in the order of the keyed hashes, so that nobody waits in a ring.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from consent import standings
from consent.base.clock import to_ms
from consent.base.database import Hot, among, table_of
from consent.base.errors import CustomerErased, CustomerUnknown, HouseholdInvalid
from consent.base.ids import CustomerId, new_id
from consent.base.store import Work
from consent.ledger import log as ledger
from consent.permission.standing import ERASED
from consent.register import customers
from consent.register.desk import Desk
from consent.register.tables import HouseholdMemberRow, HouseholdRow

MOST_MEMBERS: Final = 100
"""Who is in a larger one is in none: a column was taken for a household's that is something else."""

LONGEST_NAME: Final = 500
_KIND: Final = "household"
_AT_ONCE: Final = 500

_household: Final = table_of(HouseholdRow)
_member: Final = table_of(HouseholdMemberRow)
_now: Final = _member.c.until_position.is_(None)


def _made(dialect: str) -> sa.Executable:
    insert: Any = (postgresql if dialect == "postgresql" else sqlite).insert(_household)
    # Also where it is there already: then its row is locked.
    made: sa.Executable = insert.on_conflict_do_update(index_elements=["blind"], set_={"blind": insert.excluded.blind})
    return made


_MAKE: Final = Hot(_made, "blind", "id")
_LOCK: Final = Hot(
    lambda dialect: (
        sa.select(_household.c.id)
        .where(among(_household.c.id, "households")(dialect))
        .order_by(_household.c.blind)
        .with_for_update()
    ),
    "households",
)
_OF: Final = Hot(
    lambda dialect: sa.select(_member.c.customer, _member.c.household).where(
        among(_member.c.customer, "customers")(dialect), _now
    ),
    "customers",
)
_MEMBERS: Final = Hot(
    lambda dialect: sa.select(_member.c.customer, _member.c.household).where(
        among(_member.c.household, "households")(dialect), _now
    ),
    "households",
)
_STAYS: Final = Hot(
    lambda dialect: (
        sa.select(_member.c.customer, _member.c.household, _member.c.since_position, _member.c.until_position)
        .where(among(_member.c.household, "households")(dialect))
        .order_by(_member.c.household, _member.c.since_position, _member.c.customer)
    ),
    "households",
)
_EVER: Final = Hot(
    lambda dialect: sa.select(_member.c.household).where(among(_member.c.customer, "customers")(dialect)).distinct(),
    "customers",
)
_JOIN: Final = Hot(sa.insert(_member), "customer", "since_position", "household", "since")
_LEAVE: Final = Hot(
    sa.update(_member)
    .where(_member.c.customer == sa.bindparam("who"), _now)
    .values(until=sa.bindparam("when"), until_position=sa.bindparam("place")),
    "when", "place", "who",
)  # fmt: skip
_UNDO: Final = Hot(
    sa.delete(_member).where(_member.c.customer == sa.bindparam("who"), _member.c.since_position == sa.bindparam("at")),
    "who",
    "at",
)


class Stay(NamedTuple):
    """That somebody was in a household, from one ledger position until before another (None: he still is)."""

    customer: CustomerId
    household: str
    since: int
    until: int | None

    def holds(self, position: int) -> bool:
        """Say whether he was in it by what the ledger entry at a position tells of."""
        return self.since <= position and (self.until is None or position < self.until)


class Dated(NamedTuple):
    """The same by the clock."""

    since: datetime
    until: datetime | None


def of(work: Work, those: Sequence[CustomerId]) -> dict[CustomerId, str]:
    """Return the households of customers; who is in none is left out. The caller has locked them, if it matters."""
    return {CustomerId(row[0]): row[1] for row in work.run(_OF, work.listed(those)).fetchall()}


def known(work: Work) -> bool:
    """Say whether of anybody it is known which household he is in."""
    return bool(work.connection.execute(sa.select(sa.exists(sa.select(_member.c.customer).where(_now)))).scalar_one())


def members(work: Work, households: Collection[str]) -> dict[CustomerId, str]:
    """Return all who are in some households now, in the order of their ids."""
    rows = work.run(_MEMBERS, work.listed(sorted(households))).fetchall() if households else []
    return {CustomerId(customer): household for customer, household in sorted(tuple(row) for row in rows)}


def lock(work: Work, households: Collection[str]) -> None:
    """Lock households until the transaction ends: nobody else counts or reserves in them, comes or goes.

    The caller has locked customers of his before, and will lock none after; and has not written to the ledger yet.
    """
    if households:
        work.run(_LOCK, work.listed(sorted(households))).fetchall()


def put(desk: Desk, work: Work, customer: CustomerId, name: str, *, at: datetime) -> bool:
    """Note that a customer is in the household of a name from now on, "" for none; False where that stood already.

    Raises:
        CustomerUnknown: nobody of that id is enrolled.
        CustomerErased: he was erased.
        HouseholdInvalid: the name is too long, or the household too large.
    """
    if not customers.lock(work, [customer]):
        raise CustomerUnknown
    if standings.read(work, [customer])[customer].states & ERASED:
        raise CustomerErased
    return assign(desk, work, {customer: name}, at=at) > 0


def assign(desk: Desk, work: Work, named: Mapping[CustomerId, str], *, at: datetime) -> int:
    """Note in which households customers are from now on, each by its name, "" for none; return how many changed.

    Raises:
        HouseholdInvalid: a name is too long, or a household too large.
    """
    if any(len(name) > LONGEST_NAME for name in named.values()):
        msg = f"a household's name has more than {LONGEST_NAME} characters"
        raise HouseholdInvalid(msg)
    customers.lock(work, sorted(named))
    moving = differing(desk, work, named)
    touched = {blind for each in moving for blind in each[1:] if blind}
    ids = _made_and_locked(work, sorted(touched), at=at)
    stands = {each.customer: ids[each.now] for each in moving if each.now}
    _move(work, {each.customer: ids.get(each.wanted, "") for each in moving}, stands, at=at)
    return len(moving)


class Moving(NamedTuple):
    """A customer, and the keyed hashes of the household that he is in and of the one he comes into; b"" for none."""

    customer: CustomerId
    now: bytes
    wanted: bytes


def differing(desk: Desk, work: Work, named: Mapping[CustomerId, str]) -> list[Moving]:
    """Return which of these customers are not in the households named, in the order of their ids."""
    stands = of(work, sorted(named))
    known = sa.select(_household.c.id, _household.c.blind)
    rows = _some(work, known, _household.c.id, sorted(set(stands.values())))
    blinds = {row.id: bytes(row.blind) for row in rows}
    found = []
    for one, name in sorted(named.items()):
        each = Moving(one, blinds[stands[one]] if one in stands else b"", _blinded(desk, name))
        if each.now != each.wanted:
            found.append(each)
    return found


def _blinded(desk: Desk, name: str) -> bytes:
    return desk.blinded(_KIND, name) if name.strip() else b""


def join(work: Work, merged: CustomerId, into: CustomerId, *, at: datetime) -> None:
    """Note that two records, which the caller has locked, are one customer's.

    Who goes on stays in his own household; where he is in none, he is in that of the record that is given up.
    """
    stands = of(work, [merged, into])
    if merged in stands:
        lock(work, set(stands.values()))
        _move(work, {merged: "", into: stands.get(into, stands[merged])}, stands, at=at)


def lock_of(work: Work, those: Sequence[CustomerId]) -> None:
    """Lock the households that customers are in, whom the caller has locked."""
    lock(work, set(of(work, those).values()))


def forget(work: Work, customer: CustomerId) -> int:
    """Delete in which households an erased customer was, and those that nobody is in any more; return how many rows."""
    left = set(of(work, [customer]).values())
    lock(work, left)
    gone = work.connection.execute(sa.delete(_member).where(_member.c.customer == customer)).rowcount
    return gone + _without_the_empty(work, left)


def lived(work: Work, those: Sequence[CustomerId]) -> list[Stay]:
    """Return the stays of all who ever were in a household that one of these customers ever was in."""
    households = [row[0] for row in work.run(_EVER, work.listed(those)).fetchall()]
    rows = work.run(_STAYS, work.listed(sorted(households))).fetchall() if households else []
    return [Stay(CustomerId(row[0]), *row[1:]) for row in rows]


def dated(work: Work, customer: CustomerId) -> list[Dated]:
    """Return from when until when a customer was in some household, the first first; which one, nobody can read."""
    query = sa.select(_member.c.since, _member.c.until).where(_member.c.customer == customer)
    return [Dated(*row) for row in work.connection.execute(query.order_by(_member.c.since_position))]


def _made_and_locked(work: Work, blinds: Sequence[bytes], *, at: datetime) -> dict[bytes, str]:
    """Return the ids of households by their keyed hashes; those that are new are made, and all are locked."""
    work.run_many(_MAKE, [(blind, new_id("hou", at)) for blind in blinds])
    known = sa.select(_household.c.id, _household.c.blind)
    return {bytes(row.blind): row.id for row in _some(work, known, _household.c.blind, blinds)}


def _some(work: Work, query: sa.Select[Any], column: sa.Column[Any], values: Sequence[Any]) -> list[Any]:
    parts = (values[first : first + _AT_ONCE] for first in range(0, len(values), _AT_ONCE))
    return [row for part in parts for row in work.connection.execute(query.where(column.in_(part)))]


def _move(work: Work, to: Mapping[CustomerId, str], stands: Mapping[CustomerId, str], *, at: datetime) -> None:
    """Have customers leave where they stand, and come to where they are wanted; all of it is locked."""
    moving = {one: household for one, household in to.items() if household != stands.get(one, "")}
    if not moving:
        return
    place = ledger.head(work).position
    leaving = [one for one in moving if one in stands]
    work.run_many(_UNDO, [(one, place) for one in leaving])  # whoever came a moment ago had not been seen there
    work.run_many(_LEAVE, [(to_ms(at), place, one) for one in leaving])
    work.run_many(_JOIN, [(one, place, household, to_ms(at)) for one, household in moving.items() if household])
    _fit(work, {household for household in moving.values() if household})
    _without_the_empty(work, {stands[one] for one in leaving})


def _fit(work: Work, households: Collection[str]) -> None:
    many = sa.func.count()
    query = sa.select(_member.c.household, many).where(_now).group_by(_member.c.household)
    for row in _some(work, query, _member.c.household, sorted(households)):
        if row[1] > MOST_MEMBERS:
            msg = f"more than {MOST_MEMBERS} customers would be in one household: is that what the name stands for?"
            raise HouseholdInvalid(msg)


def _without_the_empty(work: Work, households: Collection[str]) -> int:
    """Delete those of some locked households that nobody is in."""
    empty = sorted(set(households) - set(members(work, households).values()))
    if not empty:
        return 0
    return work.connection.execute(sa.delete(_household).where(_household.c.id.in_(empty))).rowcount
