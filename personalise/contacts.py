"""The shared contact history: what every cap counts, and where a contact is reserved."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import product
from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import sqlalchemy as sa
from numpy.typing import NDArray

from consent.base.clock import to_ms
from consent.base.database import Hot, among, table_of
from consent.base.ids import CustomerId
from consent.base.store import Work
from personalise.contact_policy.windows import Window
from personalise.history import COUNTS, GHOST, LAPSED, NEVER, STATUS, Counting, History, counted_at
from personalise.tables import ContactRow
from personalise.wishes import ANY, Wishes

_DAY_MS: Final = 86_400_000
UNLIMITED: Final = -1
_WISHED: Final = ("wish", "wish_free", "ghost_wish", "ghost_wish_free")
_contact = table_of(ContactRow)

_RECENT: Final = Hot(
    lambda dialect: (
        sa.select(_contact.c.customer, _contact.c.channel, _contact.c.purpose, _contact.c.decision)
        .where(
            among(_contact.c.customer, "customers")(dialect),
            counted_at() > sa.bindparam("since", type_=sa.BigInteger()),
            COUNTS,
            STATUS != GHOST,
        )
        .order_by(counted_at(), _contact.c.decision)
    ),
    "customers",
    "since",
)
_INSERT: Final = Hot(
    sa.insert(_contact),
    "customer", "decision", "campaign", "treatment", "offer", "channel", "purpose", "status", "reserved_at",
    "family", "tags", "kind", "charge", "expires_at", "quotas",
)  # fmt: skip
OVER: Final = ("customer", "decision", "charge", "campaign", "quotas", "claims")
"""The columns of an `Over`."""

_OVER: Final = Hot(
    lambda dialect: sa.select(*(_contact.c[name] for name in OVER)).where(
        among(_contact.c.customer, "customers")(dialect), LAPSED
    ),
    "customers",
    "at",
)


class Contact(NamedTuple):
    """One contact, as it is stored. Tags (apart by spaces), class and price are snapshots: no later edit changes them.

    `charge` is what it cost in goodwill, in thousandths of a point (of a ghost, what it would have); `expires_at` (ms)
    the end of its time to live, None where it is in the hands of whoever asked for the decision, and has none; `quotas`
    what it took of.
    """

    customer: str
    decision: str
    campaign: str
    treatment: str
    offer: str
    channel: str
    purpose: str
    status: str
    reserved_at: int
    family: str
    tags: str
    kind: str
    charge: int
    expires_at: int | None
    quotas: str


class Own(NamedTuple):
    """A contact that must not count against itself: what decided it, and what it was charged."""

    decision: str = ""
    charge: int = 0


NONE: Final = Own()


class Over(NamedTuple):
    """A contact that never reached its customer, and what it had cost and taken; `claims`: how often it was handed out.

    `ignored` is what it had taken besides that it seemed to be ignored, in thousandths of a point.
    """

    customer: str
    decision: str
    charge: int
    campaign: str
    quotas: str
    claims: int
    ignored: int = 0


def lapsed(work: Work, customers: Sequence[CustomerId], at: datetime) -> list[Over]:
    """Return the contacts of some customers that nobody sent within their time to live, in the order of ids."""
    return sorted(Over(*row) for row in work.run(_OVER, work.listed(customers), to_ms(at)).fetchall())


def status(work: Work, customer: CustomerId, decision: str) -> str:
    """Return how the contact of a decision stands; "" where there is none."""
    query = sa.select(_contact.c.status).where(_contact.c.customer == customer, _contact.c.decision == decision)
    return work.connection.execute(query).scalar() or ""


def reserve(work: Work, contacts: Sequence[Contact]) -> None:
    """Write contacts, in the transaction that counted what was there before."""
    work.run_many(_INSERT, contacts)


def counted(
    work: Work,
    customers: Sequence[CustomerId],
    windows: Sequence[Window],
    at: datetime,
    *,
    counting: Counting,
    pressure_days: int = 0,
    wishes: Mapping[str, Wishes] = MappingProxyType({}),
    wished: Sequence[str] = (),
) -> dict[str, pa.Array]:
    """Count each customer's contacts in every rule's rolling window `(at - days, at]`, and those reserved since.

    A contact exactly `days` old no longer counts. One that is newer than `at` does: a run decides at the instant it
    began, a live decision at the instant it was asked for, and both may get their turn after somebody who came later.
    With k contacts against a limit of k, one more is allowed when the limit-th newest of them leaves the window.

    Returns:
        For each rule `contacts:<key>`, `contacts_free:<key>`, `ghosts:<key>`, `ghosts_free:<key>`, in the order of
        `customers`; times in ms, 0 where the rule doesn't bind. What begins with `ghost` is what counts where he is a
        control: what reached him, and what he was left out of, as `counting` says. With `pressure_days`, `pressure` and
        `ghost_pressure` as well: contacts in so many days, on any channel. For each of the channels `wished`,
        `wish:<channel>` (how many count against the customer's own limit), `wish_limit:<channel>` (`UNLIMITED` where he
        has none), `wish_free:<channel>`, and the same for controls, `ghost_wish_limit:<channel>` included.
    """
    columns: dict[str, pa.Array] = {}
    own = [limit.days for each in wishes.values() for limit in each.limits.values()]
    longest = max([each.days for each in windows] + own, default=0)
    if not max(longest, pressure_days):
        return columns | _wished(None, {}, customers, wished, now=0)
    now = to_ms(at)
    since = now - max(longest, pressure_days) * _DAY_MS
    history = History(work, customers, windows, since=since, at=now, counting=counting)
    columns |= _wished(history, wishes, customers, wished, now=now)
    for each in windows:
        columns |= _window(history, each, now)
    if pressure_days:
        columns |= history.pressure(now - pressure_days * _DAY_MS)
    return columns


def _wished(
    history: History | None,
    wishes: Mapping[str, Wishes],
    customers: Sequence[CustomerId],
    channels: Sequence[str],
    *,
    now: int,
) -> dict[str, pa.Array]:
    """Count against customers' own limits: on each channel by that for it and that for all, whichever frees last.

    Which of the two that is is another question for a control.
    """
    columns = {f"{name}:{channel}": np.zeros(len(customers), np.int64) for channel in channels for name in _WISHED}
    for name, channel in product(("wish_limit", "ghost_wish_limit"), channels):
        columns[f"{name}:{channel}"] = np.full(len(customers), UNLIMITED, np.int64)
    for spot, customer in enumerate(customers if history and wishes else ()):
        mine = wishes[customer].limits if customer in wishes else {}
        for channel, key in product(channels, (ANY, *channels)):
            if history is None or key not in mine or key not in (channel, ANY):
                continue
            found = history.wished(spot, key, mine[key], now)
            for arm, count, frees in zip(("", "ghost_"), found[::2], found[1::2], strict=True):
                limit, latest = columns[f"{arm}wish_limit:{channel}"], columns[f"{arm}wish_free:{channel}"]
                if limit[spot] == UNLIMITED or frees > latest[spot]:
                    limit[spot], latest[spot] = mine[key].most, frees
                    columns[f"{arm}wish:{channel}"][spot] = count
    return {name: pa.array(column) for name, column in columns.items()}


def _window(history: History, window: Window, now: int) -> dict[str, pa.Array]:
    length = window.days * _DAY_MS
    columns: dict[str, pa.Array] = {}
    if window.of == "rejections":
        who, when = history.turned_down(window.counts)
        late = when > now - length
        counts = dict.fromkeys(("contacts", "ghosts"), (who[late], when[late]))
    else:
        inside = (history.when > now - length) & history.matching(window.counts)
        arms = {"contacts": inside & history.real, "ghosts": inside & history.apart}
        counts = {name: (history.who[which], history.when[which]) for name, which in arms.items()}
    for name, (who, when) in counts.items():
        count, frees = per_customer(who, when, history.n, limit=window.limit, window=length)
        if window.needs:
            frees = np.where(count < window.limit, NEVER, 0)
        columns[f"{name}:{window.key}"] = pa.array(count)
        columns[f"{name}_free:{window.key}"] = pa.array(frees)
    return columns


def per_customer(
    who: NDArray[np.int64], when: NDArray[np.int64], n: int, *, limit: int, window: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return how many contacts count for each of n customers, and when (ms) one more is allowed, 0 for now.

    `who` are their places, `when` the times of the contacts, all within the window, which is `window` ms long.
    """
    count = np.bincount(who, minlength=n).astype(np.int64)
    frees = np.zeros(n, dtype=np.int64)
    if limit == 0:
        frees[:] = NEVER
        return count, frees
    order = np.lexsort((-when, who))  # newest first, customer by customer
    starts = np.concatenate(([0], np.cumsum(count)[:-1]))
    full = np.flatnonzero(count >= limit)
    frees[full] = when[order][starts[full] + limit - 1] + window
    return count, frees


def last_of(work: Work, customers: Sequence[CustomerId], *, since: int) -> dict[tuple[str, str, str], str]:
    """Return the decision behind the last contact by customer, channel and purpose, of those since a time (ms)."""
    rows = work.run(_RECENT, work.listed(customers), since).fetchall()
    return {(row[0], row[1], row[2]): row[3] for row in rows}


class Reserved(NamedTuple):
    """A contact that was reserved: with whom, which treatment, and by which decision."""

    customer: CustomerId
    treatment: str
    decision: str


def turn_down(work: Work, customer: CustomerId, decision: str, *, at: datetime) -> bool:
    """Note that a customer turned an offer down, the first time he did; False where there is no such contact."""
    row = ContactRow
    mine = sa.update(row).where(row.customer == customer, row.decision == decision, row.status != GHOST)
    first = sa.func.coalesce(row.rejected_at, sa.bindparam("at", to_ms(at), sa.BigInteger()))
    return work.connection.execute(mine.values(rejected_at=first)).rowcount > 0


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
