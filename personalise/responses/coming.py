"""When outcomes came in, and which of them are of a contact. What they were is in memory, under its permission.

Memory holds one value of an attribute, the last one told. Of each telling a row says when it happened and whether it
changed that value; so the rows from the last change on are of the value that is remembered, and those before it of one
that isn't any more.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import Enum, auto
from itertools import groupby
from operator import itemgetter
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from consent.base.clock import to_ms
from consent.base.database import Hot, among, table_of
from consent.base.ids import CustomerId
from consent.base.store import Work
from personalise.tables import OutcomeRow

DAY_MS: Final = 86_400_000
_outcome: Final = table_of(OutcomeRow)
_COLUMNS: Final = ("customer", "attribute", "number", "came_at", "timed", "changed")


class Came(NamedTuple):
    """An outcome came in: when it happened (ms) if that is known (`timed`), else when it was told."""

    at: int
    timed: bool
    changed: bool


class Told(NamedTuple):
    """An outcome that was just remembered."""

    customer: CustomerId
    attribute: str
    came: Came


class Fits(Enum):
    """How what is remembered stands to a contact."""

    WITHIN = auto()
    """It came in after the contact, and within the window."""
    UNTIMED = auto()
    """Nobody knows when it came in; it may be of the contact."""
    EARLY = auto()
    """It is from before the contact."""
    LATE = auto()
    """It first came in when the window was over: within it, nothing had."""
    REPLACED = auto()
    """Something came in within the window, and what it was has been replaced since."""


_OF_ONE: Final = Hot(
    lambda dialect: (
        sa.select(*(_outcome.c[name] for name in _COLUMNS))
        .where(among(_outcome.c.customer, "customers")(dialect), _outcome.c.attribute == sa.bindparam("attribute"))
        .order_by(_outcome.c.customer, _outcome.c.number)
    ),
    "customers",
    "attribute",
)
_OF_ALL: Final = Hot(
    lambda dialect: (
        sa.select(*(_outcome.c[name] for name in _COLUMNS))
        .where(among(_outcome.c.customer, "customers")(dialect))
        .order_by(_outcome.c.customer, _outcome.c.attribute, _outcome.c.number)
    ),
    "customers",
)
_FORGET: Final = Hot(
    lambda dialect: sa.delete(_outcome).where(
        among(_outcome.c.customer, "customers")(dialect), _outcome.c.attribute == sa.bindparam("attribute")
    ),
    "customers",
    "attribute",
)
_ADD: Final = Hot(sa.insert(_outcome), *_COLUMNS)


def read(work: Work, customers: Sequence[CustomerId], attribute: str) -> dict[str, list[Came]]:
    """Return when outcomes of one attribute came in, in the order of their coming; who has none is left out."""
    rows = work.run(_OF_ONE, work.listed(customers), attribute).fetchall()
    return {whose: [_came(row) for row in several] for whose, several in groupby(rows, key=itemgetter(0))}


def note(work: Work, told: Sequence[Told]) -> int:
    """Note that outcomes came in, in the transaction that remembered them and with their customers locked.

    What was told before, of the same time and with the same value, is not noted again; return how many were.
    """
    known: dict[tuple[str, str], list[Came]] = {}
    for row in work.run(_OF_ALL, work.listed({each.customer for each in told})).fetchall() if told else ():
        known.setdefault((row[0], row[1]), []).append(_came(row))
    rows = []
    for customer, attribute, came in told:
        before = known.setdefault((customer, attribute), [])
        if not came.changed and any(each[:2] == came[:2] for each in before):
            continue
        rows.append((customer, attribute, len(before), *came))
        before.append(came)
    work.run_many(_ADD, rows)
    return len(rows)


def forget(work: Work, customers: Iterable[str], attributes: Iterable[str]) -> None:
    """Forget that outcomes came in: what they were is not remembered any more."""
    whose = work.listed(customers)
    for attribute in attributes:
        work.run(_FORGET, whose, attribute)


def window(contact: int, days: int) -> tuple[int, float]:
    """Return from when until when (ms) outcomes are of a contact; for ever, where a campaign says no days.

    >>> window(1_000, 1), window(1_000, 0)
    ((1000, 86401000), (1000, inf))
    """
    return contact, contact + days * DAY_MS if days else float("inf")


def fits(rows: Sequence[Came], contact: int, days: int) -> Fits:
    """Say how what is remembered stands to a contact (ms), by when it came in.

    >>> fits([Came(5, True, True)], 5, 1), fits([Came(5, True, True)], 6, 1), fits([], 5, 1)
    (<Fits.WITHIN: 1>, <Fits.EARLY: 3>, <Fits.UNTIMED: 2>)
    >>> fits([Came(5 + DAY_MS, True, True)], 5, 1)
    <Fits.LATE: 4>
    """
    since, until = window(contact, days)
    first = max((spot for spot, each in enumerate(rows) if each.changed), default=0)
    standing, before = rows[first:], rows[:first]
    if any(each.timed and since <= each.at < until for each in standing):
        return Fits.WITHIN
    if not rows or any(not each.timed and each.at >= since for each in standing):
        return Fits.UNTIMED
    if any(each.at >= since and (not each.timed or each.at < until) for each in before):
        return Fits.REPLACED
    return Fits.LATE if any(each.at >= since for each in standing) else Fits.EARLY


def timed(
    stored: Iterable[tuple[CustomerId, str, bool]], times: Mapping[CustomerId, int | None], *, at: datetime
) -> list[Told]:
    """Return what was stored (whose, which attribute, whether it changed) as outcomes, each at its customer's time."""
    now = to_ms(at)
    found = []
    for customer, attribute, changed in stored:
        when = times.get(customer)
        found.append(Told(customer, attribute, Came(now if when is None else when, when is not None, changed)))
    return found


def _came(row: Sequence[Any]) -> Came:
    return Came(row[3], bool(row[4]), bool(row[5]))
