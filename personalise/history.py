"""Who was reached, and when: what every rule about past contacts reads.

A customer's contacts are also those of the ids that were given up when records of his were joined: it was he whom they
reached. They stay where they are, and are looked up under the ids that were merged into his.

For a control counts what would have counted, had chance put him into the other arm: what really reached him, and the
ghosts that he has of the same campaign. Ghosts that another campaign gave him are no contacts in either arm; but whom
the company holds out from all of them has nothing else.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import sqlalchemy as sa
from numpy.typing import NDArray

from consent.base.clock import to_ms
from consent.base.database import Hot, among, table_of
from consent.base.ids import CustomerId
from consent.base.store import Work
from consent.register import mergers
from personalise.contact_policy.model import Matching
from personalise.contact_policy.windows import Window
from personalise.steps.interact.states import COUNTING, State
from personalise.steps.personalise.holdout import COMPANY, buckets
from personalise.steps.personalise.policy import Policy
from personalise.tables import ContactRow
from personalise.wishes import ANY, Limit

GHOST: Final = State.GHOST
"""The status of a contact that a holdout's customer would have had."""

RESERVED: Final = State.RESERVED
NEVER: Final = np.iinfo(np.int64).max
"""When one more is allowed, in milliseconds, where it never is."""

_DAY_MS: Final = 86_400_000
_contact = table_of(ContactRow)

_PLAIN: Final = ("customer", "status", "counted_at", "campaign", "channel")
_TOLD: Final = ("purpose", "tags", "offer", "family")

_AT: Final = sa.bindparam("at", type_=sa.BigInteger())
STATUS: Final = sa.func.coalesce(_contact.c.status, sa.literal_column("''"))
"""The status, hidden from SQLite's planner: without statistics it takes it for rarer than the customers asked for, and
would walk all contacts there are."""
COUNTS: Final = STATUS.in_([sa.literal_column(f"'{status}'") for status in COUNTING])
LAPSED: Final = sa.and_(STATUS == RESERVED, _contact.c.expires_at <= _AT)
"""Reserved, and past its time to live: whether or not somebody has written so yet, it doesn't count."""


def counted_at() -> sa.ColumnElement[Any]:
    """Return when a contact counts as made: handed out to be sent, the last time; until then, when it was reserved."""
    return sa.func.coalesce(_contact.c.claimed_at, _contact.c.reserved_at)


def _since(*columns: str) -> Hot:
    return Hot(
        lambda dialect: sa.select(*(_contact.c.get(name, counted_at()) for name in columns)).where(
            among(_contact.c.customer, "customers")(dialect),
            counted_at() > sa.bindparam("since", type_=sa.BigInteger()),
            COUNTS,
            sa.or_(STATUS != RESERVED, _contact.c.expires_at.is_(None), _contact.c.expires_at > _AT),
            _contact.c.decision != sa.bindparam("but"),
        ),
        "customers",
        "since",
        "at",
        "but",
    )


_SINCE: Final = _since(*_PLAIN)
_SINCE_TOLD: Final = _since(*_PLAIN, *_TOLD)
_TURNED_DOWN: Final = Hot(
    lambda dialect: sa.select(_contact.c.customer, _contact.c.family, _contact.c.rejected_at).where(
        among(_contact.c.customer, "customers")(dialect),
        _contact.c.rejected_at > sa.bindparam("since", type_=sa.BigInteger()),
    ),
    "customers",
    "since",
)
_LAST: Final = Hot(
    lambda dialect: (
        sa.select(_contact.c.customer, _contact.c.status, _contact.c.campaign, sa.func.max(counted_at()))
        .where(
            among(_contact.c.customer, "customers")(dialect),
            COUNTS,
            sa.or_(STATUS != RESERVED, _contact.c.expires_at.is_(None), _contact.c.expires_at > _AT),
        )
        .group_by(_contact.c.customer, _contact.c.status, _contact.c.campaign)
    ),
    "customers",
    "at",
)

_GHOST_COSTS: Final = Hot(
    lambda dialect: (
        sa.select(_contact.c.customer, _contact.c.campaign, sa.func.sum(_contact.c.charge))
        .where(among(_contact.c.customer, "customers")(dialect), STATUS == GHOST, _contact.c.charge != 0)
        .group_by(_contact.c.customer, _contact.c.campaign)
    ),
    "customers",
)


class _Reader:
    """Reads the rows of some customers, under whichever id they stand."""

    def __init__(self, work: Work, customers: Sequence[CustomerId]) -> None:
        self._work, self._customers = work, customers
        self._those = set(customers)
        self._now: dict[CustomerId, list[CustomerId]] = {}  # by the id that was given up, who of these goes on
        for each in mergers.given_up(work, customers):
            itself = [each.into] if each.into in self._those else []
            self._now[each.merged] = [*itself, *self._now.get(each.into, ())]

    def rows(self, statement: Hot, *asked: int | str) -> list[tuple[Any, ...]]:
        """Return the rows that a statement finds, of which the first column is whose they are: as he is called now."""
        run, listed = self._work.run, self._work.listed
        rows = [row for row in run(statement, listed(self._customers), *asked).fetchall() if row[0] in self._those]
        if self._now:
            earlier = run(statement, listed(sorted(self._now)), *asked).fetchall()
            rows += [(now, *row[1:]) for row in earlier for now in self._now[row[0]]]
        return rows


class Counting(NamedTuple):
    """Which contacts count where a campaign decides.

    Of ghosts those of the campaign count for its controls, and all of a customer whom the company holds out. The
    contact of the decision `but` doesn't, since it is what is judged.
    """

    campaign: str
    by_company: AbstractSet[str] = frozenset()
    but: str = ""

    @classmethod
    def of(cls, customers: Sequence[CustomerId], policy: Policy, *, but: str = "") -> "Counting":
        """Say so for some customers, under a policy."""
        held: set[str] = set()
        if policy.company_share:
            drawn = buckets(customers, salt=policy.contact_policy.holdout.salt, scope=COMPANY)
            held = {customers[spot] for spot in np.flatnonzero(drawn < policy.company_share).tolist()}
        return cls(policy.campaign.key, held, but)

    def for_control(self, customer: str, campaign: str) -> bool:
        """Say whether a ghost of a campaign counts for a customer, where he is a control.

        >>> counting = Counting("spring", by_company={"cus_2"})
        >>> [counting.for_control(who, of) for who in ("cus_1", "cus_2") for of in ("spring", "autumn")]
        [True, False, True, True]
        """
        return campaign == self.campaign or customer in self.by_company


class History:
    """The contacts of some customers that may count: what every rule about past contacts reads.

    Attributes:
        n: how many customers.
        who: (n_contacts,) places of their customers.
        when: (n_contacts,) when they count as made, in milliseconds.
        real: (n_contacts,) those that reached somebody: no ghosts.
        apart: (n_contacts,) those that count for their customer if he is a control.
    """

    def __init__(
        self, work: Work, customers: Sequence[CustomerId], windows: Sequence[Window],
        *, since: int, at: int, counting: Counting,
    ) -> None:  # fmt: skip
        """Read what was made after `since` (ms), with as much of what it says of itself as the windows ask.

        What had lapsed `at` (ms) is left out.
        """
        self.n = len(customers)
        self._spots = {customer: spot for spot, customer in enumerate(customers)}
        whole = any(not each.plain for each in windows if each.of == "contacts")
        names = (*_PLAIN, *_TOLD) if whole else _PLAIN
        read = _Reader(work, customers)
        rows = read.rows(_SINCE_TOLD if whole else _SINCE, since, at, counting.but)
        columns = list(zip(*rows, strict=True)) or [()] * len(names)
        self.who = np.array([self._spots[customer] for customer in columns[0]], dtype=np.int64)
        self.real = np.array([status != GHOST for status in columns[1]], dtype=np.bool_)
        whose = zip(columns[0], columns[3], strict=True)
        self.apart = self.real | np.array([counting.for_control(*each) for each in whose], dtype=np.bool_)
        self.when = np.array(columns[2], dtype=np.int64)
        self._told = {name: np.array(column, dtype=object) for name, column in zip(names, columns, strict=True)}
        self._down: list[tuple[int, str, int]] = []
        if any(each.of == "rejections" for each in windows):
            down = read.rows(_TURNED_DOWN, since)
            self._down = [(self._spots[who], family, when) for who, family, when in down]

    def matching(self, wanted: Matching) -> NDArray[np.bool_]:
        """Return which of the contacts are of a kind, shape (n_contacts,)."""
        found = np.ones(len(self.who), dtype=np.bool_)
        plain = (
            ("channel", wanted.channels),
            ("purpose", wanted.purposes),
            ("campaign", wanted.campaigns),
            ("offer", wanted.offers),
            ("family", wanted.families),
        )
        for name, names in plain:
            if names:
                found &= np.isin(self._told[name], list(names))
        if wanted.tags:
            some = set(wanted.tags)
            found &= np.array([not some.isdisjoint(tags.split()) for tags in self._told["tags"]], dtype=np.bool_)
        return found

    def turned_down(self, wanted: Matching) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return whose and when (ms) offers of these families were turned down."""
        found = [(who, when) for who, family, when in self._down if not wanted.families or family in wanted.families]
        rows = np.array(found, dtype=np.int64).reshape(-1, 2)
        return rows[:, 0], rows[:, 1]

    def wished(self, spot: int, channel: str, limit: Limit, now: int) -> tuple[int, int, int, int]:
        """Return one customer's contacts against his own limit, and when one more is allowed (ms); then if held out."""
        length = limit.days * _DAY_MS
        mine = (self.who == spot) & (self.when > now - length)
        if channel != ANY:
            mine &= self._told["channel"] == channel
        found: list[int] = []
        for which in (mine & self.real, mine & self.apart):
            when = np.sort(self.when[which])[::-1]
            full = len(when) >= limit.most
            found += [len(when), int(when[limit.most - 1]) + length if full and limit.most else NEVER if full else 0]
        return found[0], found[1], found[2], found[3]

    def pressure(self, after: int) -> dict[str, pa.Array]:
        """Return how many contacts each customer had after a time, on any channel; and how many count for a control."""
        late = self.when > after
        which = {"pressure": late & self.real, "ghost_pressure": late & self.apart}
        return {name: pa.array(np.bincount(self.who[one], minlength=self.n)) for name, one in which.items()}


def last(work: Work, customers: Sequence[CustomerId], at: datetime, *, counting: Counting) -> dict[str, pa.Array]:
    """Return when each customer was last contacted, on any channel (ms; 0 for never), and when, if he is a control."""
    found: dict[str, dict[str, int]] = {"last_contact": {}, "last_ghost": {}}
    for customer, status, campaign, when in _Reader(work, customers).rows(_LAST, to_ms(at)):
        real = status != GHOST
        for name, counts in (("last_contact", real), ("last_ghost", real or counting.for_control(customer, campaign))):
            if counts:
                found[name][customer] = max(when, found[name].get(customer, 0))
    return {
        name: pa.array([newest.get(customer, 0) for customer in customers], type=pa.int64())
        for name, newest in found.items()
    }


def ghost_costs(work: Work, customers: Sequence[CustomerId], *, counting: Counting) -> NDArray[np.int64]:
    """Return what the ghosts of each customer that count would have cost, in thousandths, shape (n_customers,)."""
    spots = {customer: spot for spot, customer in enumerate(customers)}
    found = np.zeros(len(customers), dtype=np.int64)
    for customer, campaign, cost in _Reader(work, customers).rows(_GHOST_COSTS):
        if counting.for_control(customer, campaign):
            found[spots[customer]] += int(cost)
    return found
