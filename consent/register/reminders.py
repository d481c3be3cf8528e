"""USE CASE: queue reminders: of every consent that ends soon, so that its customer can be asked whether it goes on.

The queue follows what stands: a consent that was renewed or withdrawn meanwhile leaves it. That a consent ends doesn't
depend on it, nor on anybody's having been reminded: expiry is judged at each check.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import numpy as np
import sqlalchemy as sa

from consent import standings
from consent.base.clock import from_ms, to_ms
from consent.base.database import table_of
from consent.base.ids import CustomerId, Scope
from consent.base.store import Store, Work
from consent.catalogue.model import ASKED, ScopeRule
from consent.permission import many
from consent.permission.standing import StoredStanding, scope_at
from consent.permission.verdict import Reason
from consent.register.desk import Desk
from consent.tables import ReminderRow

_row: Final = table_of(ReminderRow)
_DAY: Final = timedelta(days=1)
_NEVER_S: Final = 2**32 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Reminder:
    """A consent that ends: of whom, which, when, and since when he is to be reminded."""

    customer: CustomerId
    scope: Scope
    expires_at: datetime
    due_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """What a walk over all customers did."""

    queued: int
    dropped: int
    """Reminders whose consent was renewed, withdrawn, or has ended."""


def queue(desk: Desk, store: Store, *, at: datetime, days: int) -> Queued:
    """Walk all customers, and have in the queue exactly what ends within the days that its scope is to be told before.

    Args:
        desk: catalogues.
        store: read a chunk of customers at a time, and written where a chunk's queue isn't what it should be.
        at: the instant to judge at.
        days: how long before, where the scope's rule doesn't say.
    """
    with store.read() as work:
        rules = [rule for rule in desk.catalogues.current(work).in_order if rule.legal_basis in ASKED]
    before = {rule.scope: _DAY * (days if rule.remind_days < 0 else rule.remind_days) for rule in rules}
    horizon = to_ms(at + max(before.values(), default=timedelta()))
    queued = dropped = 0
    after = ""
    while True:
        with store.read() as work:
            changes = _changes(work, after, rules, before, horizon_ms=horizon, at=at)
        last = changes.last
        if not last:
            return Queued(queued=queued, dropped=dropped)
        if changes.new or changes.gone:
            with store.write() as work:
                # Looked at anew: what was said since must not be reminded of.
                changes = _changes(work, after, rules, before, horizon_ms=horizon, at=at)
                _write(work, changes, at)
        queued, dropped, after = queued + len(changes.new), dropped + len(changes.gone), last


def due(work: Work, *, at: datetime, most: int) -> list[Reminder]:
    """Return reminders that are due, the first to end first."""
    query = (
        sa.select(_row.c.customer, _row.c.scope, _row.c.expires_at, _row.c.due_at)
        .where(_row.c.due_at <= at, _row.c.expires_at > at)
        .order_by(_row.c.expires_at, _row.c.customer, _row.c.scope)
        .limit(most)
    )
    return [
        Reminder(
            customer=CustomerId(row.customer), scope=Scope(row.scope), expires_at=row.expires_at, due_at=row.due_at
        )
        for row in work.connection.execute(query)
    ]


def _due(
    rows: list[tuple[CustomerId, StoredStanding]],
    rules: list[ScopeRule],
    before: Mapping[Scope, timedelta],
    at: datetime,
) -> list[Reminder]:
    """Return what ends soon of these customers and still is permitted: nobody is reminded of what no longer counts."""
    if not rows or not rules:
        return []
    reasons = many.reasons(many.of_rows([row for _, row in rows]), rules, [None] * len(rules), to_ms(at))
    found = []
    for spot, column in np.argwhere(reasons == Reason.PERMIT).tolist():
        (customer, row), rule = rows[spot], rules[column]
        expires = scope_at(row.scopes, rule.bit).expires
        if expires == _NEVER_S:
            continue
        expires_at = from_ms(expires * 1000)
        due_at = expires_at - before[rule.scope]
        if due_at <= at:
            found.append(Reminder(customer=customer, scope=rule.scope, expires_at=expires_at, due_at=due_at))
    return found


class _Changes(NamedTuple):
    """How the queue of a range of customers differs from what it should be."""

    last: str
    """The last customer of the range; "" where there is nobody."""
    new: list[Reminder]
    gone: list[tuple[Any, ...]]


def _changes(
    work: Work,
    after: str,
    rules: list[ScopeRule],
    before: Mapping[Scope, timedelta],
    *,
    horizon_ms: int,
    at: datetime,
) -> _Changes:
    rows, last = standings.ending(work, after, horizon_ms)
    if not last:
        return _Changes("", [], [])
    columns = (_row.c.customer, _row.c.scope, _row.c.expires_at)
    inside = sa.and_(_row.c.customer > after, _row.c.customer <= last)
    there = {tuple(row) for row in work.connection.execute(sa.select(*columns).where(inside))}
    named = {(one.customer, one.scope, one.expires_at): one for one in _due(rows, rules, before, at)}
    return _Changes(last, [one for key, one in named.items() if key not in there], sorted(there - named.keys()))


def _write(work: Work, changes: _Changes, at: datetime) -> None:
    for customer, scope, expires_at in changes.gone:
        here = sa.and_(_row.c.customer == customer, _row.c.scope == scope, _row.c.expires_at == expires_at)
        work.connection.execute(sa.delete(ReminderRow).where(here))
    rows = [
        {"customer": one.customer, "scope": one.scope, "expires_at": one.expires_at, "due_at": one.due_at,
         "queued_at": at}
        for one in changes.new
    ]  # fmt: skip
    if rows:
        work.connection.execute(sa.insert(ReminderRow), rows)
