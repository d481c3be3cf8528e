"""Who is held back for now, and decided about again: kept, found when due, ended. Nothing is decided here."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from consent.base.database import Hot, among, table_of
from consent.base.ids import CustomerId
from consent.base.store import Work
from personalise import halts
from personalise.tables import DeferralRow

_row: Final = table_of(DeferralRow)
_INSERT: Final = Hot(
    sa.insert(_row),
    "customer", "decision", "campaign", "version", "model", "channel", "run", "rule", "made_at", "due_at",
    "expires_at", "state", "again",
)  # fmt: skip


class State(StrEnum):
    """How a deferral stands."""

    WAITING = "waiting"
    DECIDED = "decided"
    """It was decided again, whatever came of it."""
    SUPERSEDED = "superseded"
    """Something else was decided for him in the campaign before its time came."""
    EXPIRED = "expired"
    """Its time to live was over before it could be decided again."""
    STOPPED = "stopped"
    """The campaign was stopped."""
    LAPSED = "lapsed"
    """The version can't be decided by any more: it no longer holds under the catalogue, or is not approved under it."""


class Deferral(NamedTuple):
    """One customer who waits: by which decision and rule he was held back, and when he is decided about again (ms)."""

    customer: str
    decision: str
    campaign: str
    version: int
    model: int
    channel: str
    """The one that was asked for; "" for all."""
    run: str
    rule: str
    made_at: int
    due_at: int
    expires_at: int


class HeldBack(NamedTuple):
    """How many customers a rule holds back, and when the first and the last of them are decided about again."""

    rule: str
    customers: int
    first: datetime
    last: datetime


class Group(NamedTuple):
    """What is decided together: a campaign's version, with its model, on a channel."""

    campaign: str
    version: int
    model: int
    channel: str


_SUPERSEDE: Final = Hot(
    lambda dialect: (
        sa.update(_row)
        .where(
            among(_row.c.customer, "customers")(dialect),
            _row.c.campaign == sa.bindparam("which"),
            _row.c.state == State.WAITING,
        )
        .values(state=State.SUPERSEDED, ended_at=sa.bindparam("when", type_=sa.BigInteger()))
    ),
    "when", "customers", "which",
)  # fmt: skip


def keep(work: Work, campaign: str, reached: Sequence[CustomerId], deferred: Sequence[Deferral], *, at: int) -> None:
    """Keep who is held back, in place of what waited for him and for whom else something came of a decision.

    The caller has locked the customers.

    Args:
        work: the transaction that decided.
        campaign: for which.
        reached: who has a contact now, or a ghost.
        deferred: who waits.
        at: now, in ms.
    """
    settled = sorted({*reached, *(one.customer for one in deferred)})
    if settled:
        work.run(_SUPERSEDE, at, work.listed(settled), campaign)
    work.run_many(_INSERT, [(*one, State.WAITING, "") for one in deferred])


def _due(at: datetime) -> sa.ColumnElement[bool]:
    """Select what is due; of a campaign that is paused, only what expired meanwhile."""
    goes_on = sa.or_(_row.c.campaign.not_in(halts.PAUSED), _row.c.expires_at <= at)
    return sa.and_(_row.c.state == State.WAITING, _row.c.due_at <= at, goes_on)


def next_due(work: Work, at: datetime, most: int) -> tuple[Group, list[Any]] | None:
    """Return the deferrals that are due and can be decided together with the one that has waited longest.

    Of those that are due since the same moment the one made first goes first, so that of two campaigns that wait for
    one customer the earlier one has him, whatever the ids.

    Returns:
        Of what, and their rows, in the order of customers; None where nothing is due.
    """
    oldest = sa.select(_row.c.campaign, _row.c.version, _row.c.model, _row.c.channel).where(_due(at))
    waited = (_row.c.due_at, _row.c.made_at, _row.c.campaign, _row.c.version, _row.c.customer, _row.c.decision)
    first = work.connection.execute(oldest.order_by(*waited).limit(1)).first()
    if first is None:
        return None
    group = Group._make(first)
    same = sa.and_(*(_row.c[name] == value for name, value in group._asdict().items()))
    query = sa.select(_row).where(_due(at), same).order_by(_row.c.customer, _row.c.decision).limit(most)
    return group, list(work.connection.execute(query))


def still_waiting(work: Work, rows: Sequence[Any]) -> list[Any]:
    """Return those of some deferrals that wait still, as they stand now that their customers are locked."""
    some = [row.decision for row in rows]
    query = sa.select(_row).where(_row.c.decision.in_(some), _row.c.state == State.WAITING)
    return list(work.connection.execute(query.order_by(_row.c.customer, _row.c.decision).with_for_update()))


def end(work: Work, rows: Iterable[Any], state: State, *, at: datetime, again: str = "") -> None:
    """End deferrals; `again` is the decision that came of them."""
    decisions = [row.decision for row in rows]
    if decisions:
        mine = sa.update(_row).where(_row.c.decision.in_(decisions), _row.c.state == State.WAITING)
        work.connection.execute(mine.values(state=state, ended_at=at, again=again))


def drop(work: Work, campaign: str, *, at: datetime) -> int:
    """End all that waits of a campaign, and return how many."""
    mine = sa.update(_row).where(_row.c.campaign == campaign, _row.c.state == State.WAITING)
    return work.connection.execute(mine.values(state=State.STOPPED, ended_at=at)).rowcount


def counted(work: Work, campaign: str) -> dict[str, int]:
    """Return how many deferrals of a campaign stand how, in the order of the states."""
    query = sa.select(_row.c.state, sa.func.count()).where(_row.c.campaign == campaign).group_by(_row.c.state)
    found = {row[0]: row[1] for row in work.connection.execute(query)}
    return {str(state): found.get(state, 0) for state in State}


def by_rule(work: Work, campaign: str) -> list[HeldBack]:
    """Return who waits of a campaign by the rule that holds them back, the one that holds most first."""
    query = sa.select(_row.c.rule, sa.func.count(), sa.func.min(_row.c.due_at), sa.func.max(_row.c.due_at))
    waits = query.where(_row.c.campaign == campaign, _row.c.state == State.WAITING)
    rows = work.connection.execute(waits.group_by(_row.c.rule).order_by(sa.func.count().desc(), _row.c.rule))
    return [HeldBack(*row) for row in rows]
