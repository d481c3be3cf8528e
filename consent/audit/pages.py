"""Customers a page at a time: what is stored of each, and what he said, reopened from the ledger.

A page is read in one short transaction, so that its rows belong together; the opening and folding is done after it.
"""

from collections import defaultdict
from collections.abc import Container, Iterator, Mapping
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from consent import catalogues
from consent.audit.findings import Evidence
from consent.base.database import Hot, table_of
from consent.base.errors import Invalid
from consent.base.ids import CustomerId
from consent.base.store import Work
from consent.permission.standing import Standing, StoredStanding, fold
from consent.permission.statement import Statement, from_record
from consent.register import customers, reopening
from consent.register.reopening import Reopened, Sealed
from consent.tables import MemoryRow, StandingRow

PAGE: Final = 1_000
"""Customers read in one transaction."""

_BEHIND_ALL: Final = "\U0010ffff"
"""Sorts after every id."""

_row: Final = table_of(StandingRow)
_memory: Final = table_of(MemoryRow)


def _in_range(column: Any) -> sa.ColumnElement[bool]:  # noqa: ANN401 -- a column of a Core table
    return sa.and_(column > sa.bindparam("after"), column <= sa.bindparam("last"))


_STANDINGS: Final = Hot(
    sa.select(_row.c.customer, _row.c.last_leaf, *[_row.c[name] for name in StoredStanding._fields]).where(
        _in_range(_row.c.customer)
    ),
    "after",
    "last",
)
_MEMORY: Final = Hot(
    sa.select(_memory.c.customer, _memory.c.category).where(_in_range(_memory.c.customer)), "after", "last"
)


class Row(NamedTuple):
    """A standing row; nothing in it need be true."""

    last_leaf: bytes
    standing: StoredStanding


class Page(NamedTuple):
    """A range of customers, as it is stored."""

    customers: list[CustomerId]
    rows: Mapping[str, Row]
    memory: Mapping[str, list[str]]
    """The categories in which something is kept of each."""
    sealed: Sealed


class Told(NamedTuple):
    """What a customer said, in the order of the ledger, and what stands because of it."""

    said: list[Reopened]
    standing: Standing | None
    """None where a payload can't be read: then what stands is not known."""


def pages(evidence: Evidence) -> Iterator[Page]:
    """Walk all customers in the order of their ids; what is nobody's is in the page where his id would be."""
    after = ""
    while after != _BEHIND_ALL:
        with evidence.store.read() as work:
            page, after = _page(work, after)
        yield page


def _page(work: Work, after: str) -> tuple[Page, str]:
    found = customers.after(work, after, PAGE)
    last = found[-1] if len(found) == PAGE else _BEHIND_ALL
    rows = {
        customer: Row(leaf, StoredStanding(*standing))
        for customer, leaf, *standing in work.run(_STANDINGS, after, last).fetchall()
    }
    kept: defaultdict[str, list[str]] = defaultdict(list)
    for customer, category in work.run(_MEMORY, after, last).fetchall():
        kept[customer].append(category)
    return Page(found, rows, kept, reopening.sealed_between(work, after, last)), last


def told(
    evidence: Evidence, page: Page, bits: Mapping[str, int], *, owners: Container[str] | None = None
) -> dict[str, Told]:
    """Return what each owner of payloads in a page (or those given) said, and what stands because of it."""
    sealed = page.sealed if owners is None else reopening.only(page.sealed, owners)
    by_owner: dict[str, list[Reopened]] = {}
    for one in reopening.reopened(evidence.desk.keys, sealed):
        by_owner.setdefault(one.owner, []).append(one)
    return {owner: _told(CustomerId(owner), said, bits) for owner, said in by_owner.items()}


def _told(customer: CustomerId, said: list[Reopened], bits: Mapping[str, int]) -> Told:
    history: list[tuple[int, Statement]] = []
    for spot, one in enumerate(said):
        if one.why:
            return Told(said, None)
        try:
            history.append((one.seq, from_record(customer, one.payload["statement"])))
        except (Invalid, KeyError, TypeError, ValueError):
            said[spot] = one._replace(why="holds no statement")
            return Told(said, None)
    try:
        return Told(said, fold(history, bits))
    except KeyError:
        said[-1] = said[-1]._replace(why="names a scope that never got a bit")
        return Told(said, None)


def bits(evidence: Evidence) -> dict[str, int]:
    """Return the bit of every scope."""
    with evidence.store.read() as work:
        return catalogues.bits(work)
