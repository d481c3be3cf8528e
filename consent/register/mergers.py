"""Who goes on as whom: ids that were given up when two records turned out to be of one customer.

An id that was given up stays where it is known elsewhere: in the company's own systems, in links in old mails. So it
goes on as the customer that it was merged into wherever one customer speaks or is asked for: a check, what stands,
what he said, a statement, a link. Nothing may be done under the old id itself (its own history ends with a
restriction), so that a run never counts anybody twice; and that restriction is what makes this look-up rare.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, NamedTuple

import sqlalchemy as sa

from consent.base.clock import to_ms
from consent.base.database import Hot, among, table_of
from consent.base.errors import LedgerBroken
from consent.base.ids import CustomerId
from consent.base.store import Work
from consent.tables import MergerRow

_merger: Final = table_of(MergerRow)
_ONE: Final = Hot(
    sa.select(_merger.c.customer, _merger.c.merged_at).where(_merger.c.merged == sa.bindparam("merged")), "merged"
)
_MANY: Final = Hot(
    lambda dialect: sa.select(_merger.c.merged, _merger.c.customer).where(
        among(_merger.c.merged, "customers")(dialect)
    ),
    "customers",
)
_GIVEN_UP: Final = Hot(
    lambda dialect: (
        sa.select(_merger.c.merged, _merger.c.customer, _merger.c.merged_at, _merger.c.position)
        .where(among(_merger.c.customer, "customers")(dialect))
        .order_by(_merger.c.merged)
    ),
    "customers",
)
_NOTE: Final = Hot(sa.insert(_merger), "merged", "customer", "merged_at", "position")


class Merger(NamedTuple):
    """That an id goes on as another: since when (ms), and by which entry."""

    merged: CustomerId
    into: CustomerId
    at: int
    position: int


def surviving(work: Work, customer: CustomerId, *, as_of: datetime | None = None) -> CustomerId:
    """Return as whom a customer goes on: mostly himself. With `as_of`, as whom he went on then.

    Raises:
        LedgerBroken: the rows lead in a ring, as nothing that is done here makes them.
    """
    met = {customer}
    row = work.run(_ONE, customer).fetchone()
    while row is not None and (as_of is None or row[1] <= to_ms(as_of)):
        customer = CustomerId(row[0])
        if customer in met:
            msg = f"the rows of merger lead from {customer} back to him; run an audit"
            raise LedgerBroken(msg)
        met.add(customer)
        row = work.run(_ONE, customer).fetchone()
    return customer


def survivors(work: Work, customers: Iterable[CustomerId]) -> dict[CustomerId, CustomerId]:
    """Return as whom these customers go on; who goes on as himself is left out."""
    asked = sorted(set(customers))
    merged = [CustomerId(row[0]) for row in work.run(_MANY, work.listed(asked)).fetchall()] if asked else []
    return {one: surviving(work, one) for one in merged}


def former(work: Work, customer: CustomerId) -> list[CustomerId]:
    """Return the ids that were given up for this one, and for those in turn."""
    return [each.merged for each in into(work, customer)]


def into(work: Work, customer: CustomerId) -> list[Merger]:
    """Return what was merged into a customer, and what into those in turn: each behind what it was merged into."""
    return given_up(work, [customer])


def given_up(work: Work, customers: Sequence[CustomerId]) -> list[Merger]:
    """Return the same of some customers."""
    found: list[Merger] = []
    asked = customers
    while asked:
        those = set(asked)
        rows = work.run(_GIVEN_UP, work.listed(asked)).fetchall()
        more = [Merger(CustomerId(one), CustomerId(into), at, place) for one, into, at, place in rows if into in those]
        found += more
        asked = [each.merged for each in more]
    return found


def all_of(work: Work, customer: CustomerId) -> tuple[CustomerId, ...]:
    """Return all ids of a customer: the one that he goes on as, then those that were given up for it."""
    now = surviving(work, customer)
    return now, *former(work, now)


def note(work: Work, merged: CustomerId, into: CustomerId, *, at: datetime, position: int) -> None:
    """Write down that one id goes on as another."""
    work.run(_NOTE, merged, into, to_ms(at), position)
