"""The record of uses: every time data were read under a permit, by whom and what for."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

import sqlalchemy as sa

from consent.base.clock import to_ms
from consent.base.database import Hot, table_of
from consent.base.errors import Invalid
from consent.base.ids import new_id
from consent.base.store import Work
from consent.tables import DataUseRow

_AT_ONCE: Final = 500
_row: Final = table_of(DataUseRow)
_INSERT: Final = Hot(
    sa.insert(_row),
    "id", "at", "actor", "purpose", "categories", "customers", "customer", "position", "decision", "reason",
    "recipient",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """Why data are read: a decision (or the run that decides), or a reason in words. One of the two must be given."""

    actor: str
    purpose: str
    decision: str = ""
    reason: str = ""
    customer: str = ""
    """Set where it concerns one customer; a chunk's customers stand in its decision log."""
    recipient: str = ""
    """The recipient of the catalogue to whom the data go; "" where they stay here, or go to the customer himself."""

    def __post_init__(self) -> None:
        """Refuse a use without a cause."""
        if not (self.decision or self.reason):
            msg = "data are read for a decision, or for a reason that is written down"
            raise Invalid(msg)
        if "\x00" in self.actor + self.purpose + self.decision + self.reason + self.customer + self.recipient:
            msg = "a use is written down: it can't hold a NUL character"
            raise Invalid(msg)


def record(work: Work, use: Use, *, categories: tuple[str, ...], customers: int, position: int, at: datetime) -> str:
    """Write one use and return its id."""
    number = new_id("use", at)
    work.run(
        _INSERT, number, to_ms(at), use.actor, use.purpose, ",".join(categories), customers, use.customer, position,
        use.decision, use.reason, use.recipient,
    )  # fmt: skip
    return number


def note(work: Work, use: str, position: int) -> None:
    """Write beside a use which ledger entry tells of what was done in it."""
    work.connection.execute(sa.update(DataUseRow).where(DataUseRow.id == use).values(noted=position))


class Recorded(NamedTuple):
    """A use as it was recorded; nothing in it need be true."""

    at: datetime
    decision: str
    position: int
    purpose: str
    categories: tuple[str, ...]
    customers: int


def towards(work: Work, ats: Collection[datetime]) -> list[Recorded]:
    """Return the uses that were recorded towards decisions at some instants."""
    found: list[Recorded] = []
    for first in range(0, len(ats), _AT_ONCE):
        some = sorted(ats)[first : first + _AT_ONCE]
        query = sa.select(_row).where(_row.c.at.in_(some), _row.c.decision != "", _row.c.reason == "")
        found += [
            Recorded(row.at, row.decision, row.position, row.purpose, tuple(row.categories.split(",")), row.customers)
            for row in work.connection.execute(query)
        ]
    return found
