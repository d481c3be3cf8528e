"""The access log: who used whose data, what for, and why; the newest first."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from consent.base.clock import to_ms
from consent.base.database import table_of
from consent.base.errors import Place, RequestInvalid
from consent.base.ids import is_id
from consent.base.store import Work
from consent.tables import DataUseRow

PREFIX: Final = "use"
_STAMP: Final = 14
"""Digits of the time in a cursor: milliseconds until the year 5138."""

_use: Final = table_of(DataUseRow)


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """One use of data, as it was recorded.

    `customer` is "" for a use of many at once: whose they were stands in the decisions of the run. `judged_at` is where
    the ledger stood, `position` the entry that tells of what was done, if there is one.
    """

    id: str
    at: datetime
    actor: str
    purpose: str
    categories: tuple[str, ...]
    customers: int
    customer: str
    reason: str
    decision: str
    recipient: str
    judged_at: int
    position: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Which uses are asked for; what is left empty chooses nothing."""

    customer: str = ""
    actor: str = ""
    purpose: str = ""
    reasoned: bool = False
    """Only those for a reason in words: no decision was made by them."""


def listed(work: Work, chosen: Chosen, *, cursor: str = "", most: int = 100) -> tuple[list[Access], str]:
    """Return uses, the newest first, and the cursor of what follows ("" where nothing does).

    Raises:
        RequestInvalid: the cursor is none that was given out.
    """
    exact = (("customer", chosen.customer), ("actor", chosen.actor), ("purpose", chosen.purpose))
    query = sa.select(_use).where(*(_use.c[name] == value for name, value in exact if value))
    if chosen.reasoned:
        query = query.where(_use.c.reason != "")
    if cursor:
        query = query.where(sa.tuple_(_use.c.at, _use.c.id) < sa.tuple_(*map(sa.literal, _read_cursor(cursor))))
    rows = work.connection.execute(query.order_by(_use.c.at.desc(), _use.c.id.desc()).limit(most + 1)).all()
    found = [
        Access(
            id=row.id,
            at=row.at,
            actor=row.actor,
            purpose=row.purpose,
            categories=tuple(each for each in row.categories.split(",") if each),
            customers=row.customers,
            customer=row.customer,
            reason=row.reason,
            decision=row.decision,
            recipient=row.recipient,
            judged_at=row.position,
            position=row.noted if row.noted >= 0 else None,
        )
        for row in rows[:most]
    ]
    return found, f"{to_ms(found[-1].at):0{_STAMP}}.{found[-1].id}" if len(rows) > most else ""


def _read_cursor(cursor: str) -> tuple[int, str]:
    stamp, _, number = cursor.partition(".")
    if len(stamp) != _STAMP or not (stamp.isascii() and stamp.isdigit()) or not is_id(number, PREFIX):
        raise RequestInvalid(places=[Place("?cursor", "is none that was given out")])
    return int(stamp), number
