"""The shared contact history: what every cap counts, and where a contact is reserved."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import sqlalchemy as sa
from numpy.typing import NDArray

from consent.base.clock import to_ms
from consent.base.database import Hot, among, table_of
from consent.base.ids import CustomerId
from consent.base.store import Work
from personalise.campaigns.model import Cap
from personalise.tables import ContactRow

GHOST: Final = "ghost"
"""The status of a contact that a holdout's customer would have had."""

RESERVED: Final = "reserved"
_COUNTING: Final = (RESERVED, "sent", "delivered", GHOST)
_DAY_MS: Final = 86_400_000
_contact = table_of(ContactRow)

_SINCE: Final = Hot(
    lambda dialect: (
        sa.select(_contact.c.customer, _contact.c.channel, _contact.c.status, _contact.c.reserved_at)
        .where(
            among(_contact.c.customer, "customers")(dialect),
            _contact.c.reserved_at > sa.bindparam("since", type_=sa.BigInteger()),
            sa.or_(*(_contact.c.status == status for status in _COUNTING)),
        )
    ),
    "customers", "since",
)  # fmt: skip
_INSERT: Final = Hot(
    sa.insert(_contact),
    "customer", "decision", "campaign", "treatment", "offer", "channel", "purpose", "status", "reserved_at",
)  # fmt: skip


class Contact(NamedTuple):
    """One contact, as it is stored; class and prices are snapshots."""

    customer: str
    decision: str
    campaign: str
    treatment: str
    offer: str
    channel: str
    purpose: str
    status: str
    reserved_at: int


def reserve(work: Work, contacts: Sequence[Contact]) -> None:
    """Write contacts, in the transaction that counted what was there before."""
    work.run_many(_INSERT, contacts)


def counted(work: Work, customers: Sequence[CustomerId], caps: Sequence[Cap], at: datetime) -> dict[str, pa.Array]:
    """Count each customer's contacts in every cap's rolling window `(at - days, at]`, and those reserved since.

    A contact exactly `days` old no longer counts. One that is newer than `at` does: a run decides at the instant it
    began, a live decision at the instant it was asked for, and both may get their turn after somebody who came later.
    With k contacts against a limit of k, one more is allowed when the limit-th newest of them leaves the window.

    Returns:
        For each cap `contacts:<key>`, `contacts_free:<key>`, `ghosts:<key>`, `ghosts_free:<key>`, in the order of
        `customers`; times in ms, 0 where the cap doesn't bind.
    """
    columns: dict[str, pa.Array] = {}
    if not caps:
        return columns
    now = to_ms(at)
    since = now - max(cap.days for cap in caps) * _DAY_MS
    rows = work.run(_SINCE, work.listed(customers), since).fetchall()
    spots = {customer: spot for spot, customer in enumerate(customers)}
    who = np.array([spots[row[0]] for row in rows], dtype=np.int64)
    channel = np.array([row[1] for row in rows], dtype=object)
    ghost = np.array([row[2] == GHOST for row in rows], dtype=np.bool_)
    when = np.array([row[3] for row in rows], dtype=np.int64)
    for cap in caps:
        window = cap.days * _DAY_MS
        inside = (when > now - window) & np.isin(channel, list(cap.channels))
        for name, which in (("contacts", inside & ~ghost), ("ghosts", inside & ghost)):
            count, frees = _per_customer(who[which], when[which], len(customers), limit=cap.limit, window=window)
            columns[f"{name}:{cap.key}"] = pa.array(count)
            columns[f"{name}_free:{cap.key}"] = pa.array(frees)
    return columns


def _per_customer(
    who: NDArray[np.int64], when: NDArray[np.int64], n: int, *, limit: int, window: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    count = np.bincount(who, minlength=n).astype(np.int64)
    frees = np.zeros(n, dtype=np.int64)
    if limit == 0:
        frees[:] = np.iinfo(np.int64).max
        return count, frees
    order = np.lexsort((-when, who))  # newest first, customer by customer
    starts = np.concatenate(([0], np.cumsum(count)[:-1]))
    full = np.flatnonzero(count >= limit)
    frees[full] = when[order][starts[full] + limit - 1] + window
    return count, frees


class Reserved(NamedTuple):
    """A contact that was reserved: with whom, which treatment, and by which decision."""

    customer: CustomerId
    treatment: str
    decision: str


def reserved(work: Work, campaign: str, at: datetime, *, after: Reserved | None, most: int) -> list[Reserved]:
    """Return what was reserved for a campaign at `at`, no ghosts, in the order of customers, from behind `after`."""
    query = sa.select(_contact.c.customer, _contact.c.treatment, _contact.c.decision).where(
        _contact.c.campaign == campaign, _contact.c.status != GHOST, _contact.c.reserved_at == at
    )
    if after is not None:
        place = sa.tuple_(_contact.c.customer, _contact.c.decision)
        query = query.where(place > sa.tuple_(sa.literal(after.customer), sa.literal(after.decision)))
    rows = work.connection.execute(query.order_by(_contact.c.customer, _contact.c.decision).limit(most))
    return [Reserved(CustomerId(row.customer), row.treatment, row.decision) for row in rows]
