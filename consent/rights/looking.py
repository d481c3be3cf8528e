"""A look: what is kept of one customer, opened to one person, for a reason that was written down before.

Here the gate's question is not asked, on purpose. The gate judges whether the company may use data for a purpose of
its own; that a person sees what is kept of him is no such purpose, and no answer of his, no pause, restriction or
expiry can stand in its way. So a look opens every category in which something is kept, whatever the catalogue in force
says of it. What it has in common with the gate: nothing opens before the use of it is recorded (who, for which right,
which categories, why, at which ledger position), and only what is made here opens anything. Deciding code can't come
here: rights lie above the gate, and a contract on imports keeps `personalise` out.

Looking is recorded first and shown after, so that a page that shows something writes nothing: its address bears the
look, which is good for a quarter of an hour, for whoever began it and for nobody else.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

import sqlalchemy as sa

from consent import uses
from consent.base.database import table_of
from consent.base.errors import CustomerUnknown, NotAllowed
from consent.base.ids import CustomerId, is_id
from consent.base.store import Work
from consent.catalogue.model import Catalogue, Origin
from consent.ledger import log
from consent.register import mergers
from consent.register.desk import Desk
from consent.tables import CustomerRow, DataUseRow, MemoryRow
from consent.uses import Use
from consent.vault import memory

GOOD_FOR: Final = timedelta(minutes=15)

_use: Final = table_of(DataUseRow)
_memory: Final = table_of(MemoryRow)


class Why(StrEnum):
    """Which right a look serves: the purpose under which it is recorded. No purpose of a catalogue has such a name."""

    ACCESS = "right:access"
    """The customer is shown what is kept of him."""
    EXPORT = "right:export"
    """It is written out for him."""
    RECTIFICATION = "right:rectification"
    FILE = "right:file"
    """The officer accounts for what was done to his data (GDPR Art. 5(2))."""
    REQUEST = "right:request"
    """Somebody reads what the customer wrote about a request, to answer it."""
    EVIDENCE = "right:evidence"
    """It goes into an evidence pack, for a court or an authority."""


RIGHTS: Final = "right:"
"""What the purposes of looks begin with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Leave to see what is kept of one customer: made here alone, and good in the transaction it was made in."""

    id: str
    customer: CustomerId
    why: str
    actor: str
    categories: tuple[str, ...]
    reason: str
    at: datetime
    """When it began."""
    position: int
    work: Work = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """That something is kept of a customer in a category; what it is stays sealed.

    `title` is the category's name, and `origin` how its data come about, in the catalogue in force; a category that it
    no longer has is called by its key, and where its data came from is not known any more.
    """

    category: str
    title: str
    origin: Origin | None
    special: bool
    remembered_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """What is kept of a customer in a category, opened."""

    kept: Kept
    attributes: dict[str, memory.Value]


def kept(desk: Desk, work: Work, customer: CustomerId) -> list[Kept]:
    """Return the categories in which something is kept of a customer, in the order of their keys. Opens nothing."""
    catalogue, now = desk.catalogues.current(work), mergers.surviving(work, customer)
    query = sa.select(_memory.c.category, _memory.c.remembered_at).where(_memory.c.customer == now)
    rows = work.connection.execute(query.order_by(_memory.c.category))
    return [_kept(catalogue, row.category, row.remembered_at) for row in rows]


def start(desk: Desk, work: Work, customer: CustomerId, why: Why, *, actor: str, reason: str, at: datetime) -> Look:
    """Record that somebody looks at what is kept of a customer, and return the look; on who he goes on as, if merged.

    Raises:
        CustomerUnknown: nobody of that id is enrolled.
        Invalid: no reason is given.
    """
    customer = mergers.surviving(work, customer)
    if work.connection.execute(sa.select(CustomerRow.id).where(CustomerRow.id == customer)).first() is None:
        raise CustomerUnknown
    categories = tuple(each.category for each in kept(desk, work, customer))
    use = Use(actor=actor, purpose=str(why), reason=reason, customer=customer)
    position = log.head(work).position
    number = uses.record(work, use, categories=categories, customers=1, position=position, at=at)
    return Look(
        id=number, customer=customer, why=str(why), actor=actor, categories=categories, reason=reason, at=at,
        position=position, work=work,
    )  # fmt: skip


def under(work: Work, look: str, why: Why, *, actor: str, at: datetime, customer: str = "") -> Look | None:
    """Return a look that was begun before; None where it is over, somebody else's, or for something else.

    Args:
        work: a transaction.
        look: its id.
        why: what it has to be for.
        actor: who goes on looking: he must have begun it.
        at: now.
        customer: whose data it has to be on; anybody's, where left out.
    """
    row = work.connection.execute(sa.select(_use).where(_use.c.id == look)).first() if is_id(look, "use") else None
    if row is None or (row.actor, row.purpose) != (actor, str(why)):
        return None
    if customer and mergers.surviving(work, CustomerId(customer)) != row.customer:
        return None
    if not row.at <= at < row.at + GOOD_FOR:
        return None
    return Look(
        id=row.id, customer=CustomerId(row.customer), why=row.purpose, actor=row.actor,
        categories=tuple(each for each in row.categories.split(",") if each), reason=row.reason, at=row.at,
        position=row.position, work=work,
    )  # fmt: skip


def remembered(desk: Desk, work: Work, look: Look) -> list[Remembered]:
    """Open what is kept of a look's customer, in the categories that it was recorded for.

    Raises:
        NotAllowed: the look was made in another transaction.
        KeyLost: something doesn't open: it was changed, or stands where it wasn't sealed for.
    """
    if look.work is not work:
        msg = "a look holds in the transaction it was made in"
        raise NotAllowed(msg)
    data_keys = memory.data_keys(desk.keys, work, [look.customer])
    found = []
    for one in kept(desk, work, look.customer):
        if one.category in look.categories:
            opened = dict(memory.get(work, data_keys, one.category, [look.customer]))
            found.append(Remembered(kept=one, attributes=opened[look.customer]))
    return found


def _kept(catalogue: Catalogue, category: str, remembered_at: Any) -> Kept:  # noqa: ANN401 -- a column's value
    known = catalogue.categories.get(category)
    return Kept(
        category=category,
        title=known.title if known else category,
        origin=known.origin if known else None,
        special=known.special if known else False,
        remembered_at=remembered_at,
    )
