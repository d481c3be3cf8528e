"""Whether a customer was left alone at a past time, or at a position of the ledger: by the addresses that he had then.

An address comes to an id once, and goes to another only where that one goes on as it: so where it came, and the
mergers since, say whose it was. Of addresses that came before this was kept nobody knows when they did: they count as
their customer's from the beginning, which denies more, never less.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import sqlalchemy as sa

from consent.base.database import Hot, among, table_of
from consent.base.ids import CustomerId
from consent.base.store import Work
from consent.register import mergers
from consent.register.mergers import Merger
from consent.register.tables import LiftedSuppressionRow, SuppressionRow
from consent.tables import IdentityRow

_identity: Final = table_of(IdentityRow)
_STILL: Final = 2**63 - 1
"""In place of when it was lifted."""


def _of(row: sa.Table, dialect: str, until: sa.ColumnElement[int], end: sa.ColumnElement[int]) -> sa.Executable:
    same = sa.and_(_identity.c.kind == row.c.kind, _identity.c.blind == row.c.blind)
    whose = (_identity.c.customer, _identity.c.came_to, _identity.c.since, _identity.c.position)
    query = sa.select(*whose, row.c.position, row.c.since, until, end).select_from(row.join(_identity, same))
    return query.where(among(_identity.c.customer, "customers")(dialect))


_listed, _lifted = table_of(SuppressionRow), table_of(LiftedSuppressionRow)
_OPEN: Final = sa.literal_column(str(_STILL), sa.BigInteger())
_LISTED: Final = Hot(lambda dialect: _of(_listed, dialect, _OPEN, _OPEN), "customers")
_LIFTED: Final = Hot(lambda dialect: _of(_lifted, dialect, _lifted.c.until, _lifted.c.lifted_position), "customers")


class _Alone(NamedTuple):
    """A time for which an address was left alone, and when it had come to whom: times in ms."""

    customer: str
    """Whose it is now."""
    came_to: str
    came_at: int
    came: int
    position: int
    since: int
    until: int
    lifted: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftAlone:
    """When addresses of some customers were left alone, and as whom they went on."""

    of: Mapping[CustomerId, Sequence[_Alone]]
    """By who they are now."""
    given_up: Mapping[CustomerId, Merger]
    """By the id that was given up."""

    def at(self, customer: CustomerId, at: int, *, before: int = _STILL) -> tuple[int, ...]:
        """Return the entries by which a customer was left alone, in order; of an id given up, whoever it went on as.

        Args:
            customer: one of those asked for.
            at: the time, in ms.
            before: the position of the ledger at which that is asked. What entries tell then counts by their places,
                and not by their times; an address that came without an entry in between, by its time.
        """
        by_place = before < _STILL

        def then(one: CustomerId) -> CustomerId:
            merger = self.given_up.get(one)
            while merger is not None and (merger.position < before if by_place else merger.at <= at):
                one, merger = merger.into, self.given_up.get(merger.into)
            return one

        def counts(each: _Alone) -> bool:
            if by_place:
                had = (each.came, each.came_at) <= (before, at)
                return had and each.position < before <= each.lifted
            return each.came_at <= at and each.since <= at < each.until

        now, who = self._now(customer), then(customer)
        mine = (each for each in self.of.get(now, ()) if then(CustomerId(each.came_to or each.customer)) == who)
        return tuple(sorted(each.position for each in mine if counts(each)))

    def _now(self, customer: CustomerId) -> CustomerId:
        while customer in self.given_up:
            customer = self.given_up[customer].into
        return customer


def read(work: Work, customers: Sequence[CustomerId]) -> LeftAlone:
    """Read when addresses of some customers were left alone."""
    survivors = mergers.survivors(work, customers)
    now = sorted({survivors.get(each, each) for each in customers})
    of: dict[CustomerId, list[_Alone]] = {}
    for query in (_LISTED, _LIFTED):
        for row in work.run(query, work.listed(now)).fetchall():
            of.setdefault(CustomerId(row[0]), []).append(_Alone(*row))
    return LeftAlone(of=of, given_up={each.merged: each for one in of for each in mergers.into(work, one)})


def of_customer(work: Work, customer: CustomerId, at: int) -> tuple[int, ...]:
    """Return the entries by which a customer was left alone at a time (ms), in order."""
    return read(work, [customer]).at(customer, at)
