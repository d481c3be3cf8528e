"""USE CASES: what becomes of a reserved contact, until it reached its customer or it is certain that it won't.

Whoever changes a contact locks its customer first, as decisions do: so what a decision counted is what stood, and an
audit can tell what had ended by then from the ledger's own order. What ended gives back what it was charged.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from consent.base.clock import to_ms
from consent.base.database import Hot, table_of
from consent.base.errors import DecisionUnknown, Fenced, StateConflict
from consent.base.ids import CustomerId
from consent.base.store import Work
from consent.ledger import log as ledger
from consent.register import customers as enrolled
from personalise import contacts, goodwill, halts, quotas
from personalise.contacts import Over
from personalise.goodwill import Entry
from personalise.steps.interact.states import ENDED, Did, State, after
from personalise.tables import ContactRow

_row: Final = table_of(ContactRow)
_END: Final = Hot(
    sa.update(_row)
    .where(_row.c.customer == sa.bindparam("who"), _row.c.decision == sa.bindparam("what"))
    .values(status=sa.bindparam("now"), ended_at=sa.bindparam("when"), ended_position=sa.bindparam("place")),
    "now", "when", "place", "who", "what",
)  # fmt: skip


class Waiting(NamedTuple):
    """A contact that can be claimed."""

    customer: CustomerId
    decision: str


def waiting(work: Work, at: datetime, most: int, *, channel: str = "") -> list[Waiting]:
    """Return contacts that may be claimed now, those first whose time to live is over first.

    They are reserved, or were claimed by somebody whose claim has run out. Those of paused campaigns wait.
    """
    free = sa.or_(_row.c.status == State.RESERVED, sa.and_(_row.c.status == State.CLAIMED, _row.c.claimed_until <= at))
    query = sa.select(_row.c.customer, _row.c.decision).where(
        free, _row.c.expires_at > at, _row.c.campaign.not_in(halts.PAUSED)
    )
    if channel:
        query = query.where(_row.c.channel == channel)
    rows = work.connection.execute(query.order_by(_row.c.expires_at, _row.c.customer, _row.c.decision).limit(most))
    return [Waiting(CustomerId(row.customer), row.decision) for row in rows]


def lapse(work: Work, customers: Sequence[CustomerId], *, at: datetime) -> int:
    """Let contacts of these customers expire that nobody sent in time; return how many.

    The caller has locked the customers.
    """
    over = contacts.lapsed(work, customers, at)
    end(work, over, State.EXPIRED, at=at)
    return len(over)


def sweep(work: Work, at: datetime, most: int) -> int:
    """Let contacts expire, and those be lost that were handed out and never heard of again; return how many."""
    over = sa.and_(_row.c.status == State.RESERVED, _row.c.expires_at <= at)
    gone = sa.and_(_row.c.status == State.CLAIMED, _row.c.expires_at <= at, _row.c.claimed_until <= at)
    query = sa.select(_row.c.customer).where(sa.or_(over, gone)).distinct().limit(most)
    whose = sorted(CustomerId(each) for each in work.connection.execute(query).scalars())
    if not whose:
        return 0
    enrolled.lock(work, whose)
    lost = sa.update(_row).where(_row.c.customer.in_(whose), gone).values(status=State.LOST, claimed_until=None)
    return lapse(work, whose, at=at) + work.connection.execute(lost).rowcount


def end(work: Work, over: Iterable[Over], state: State, *, at: datetime) -> None:
    """End contacts that never reached their customers, and give back what they were charged and had taken of quotas.

    The caller has locked the customers, and knows that each can go into that state.
    """
    ended = list(over)
    if not ended:
        return
    place = ledger.head(work).position
    work.run_many(_END, [(str(state), to_ms(at), place, one.customer, one.decision) for one in ended])
    back = ((CustomerId(one.customer), one.decision, one.charge + one.ignored) for one in ended)
    goodwill.correct(work, back, at=at)
    quotas.give_back(work, ended, position=place)


def locked(work: Work, customer: CustomerId, decision: str) -> Any:  # noqa: ANN401 -- a row of contact
    """Lock a customer and a contact with him, and return the row as it stands then.

    Raises:
        DecisionUnknown: there is no such contact: it never was, or its customer was erased.
    """
    enrolled.lock(work, [customer])
    query = sa.select(_row).where(_row.c.customer == customer, _row.c.decision == decision).with_for_update()
    row = work.connection.execute(query).first()
    if row is None:
        msg = "there is no contact by that decision; its customer may have been erased"
        raise DecisionUnknown(msg)
    return row


def claim(work: Work, row: Any, *, position: int, at: datetime, lease_seconds: float) -> int:  # noqa: ANN401 -- a row of contact
    """Hand a locked contact out, and return the token of the claim; `position` is where its permits were judged."""
    token = int(row.claims) + 1
    _set(
        work, row, status=State.CLAIMED, claims=token, claimed_at=at, claimed_position=position,
        claimed_until=at + timedelta(seconds=lease_seconds),
    )  # fmt: skip
    return token


def change(
    work: Work, customer: CustomerId, decision: str, did: Did, *, at: datetime, token: int | None = None
) -> State:
    """Note what happened to a contact, and return how it stands now; what is told once more changes nothing.

    Args:
        work: a transaction.
        customer: whose contact.
        decision: that reserved it.
        did: what happened: it was sent, delivered, failed, or is given up.
        at: now.
        token: of the claim under which it happened; whoever carries the message has none, and tells it later.

    Raises:
        DecisionUnknown: there is no such contact.
        StateConflict: that can't happen to it, as it stands.
        Fenced: somebody else has claimed it since, or it was given up.
    """
    row = locked(work, customer, decision)
    if token is not None and (row.status != State.CLAIMED or row.claims != token):
        msg = f"fenced: this contact is {row.status}, and no longer held with token {token}"
        raise Fenced(msg)
    state = State(row.status)
    now = after(state, did) if did is not Did.CLAIM else None  # the dispatch gate alone claims
    if now is None:
        msg = f"a contact that is {state} can't {did.replace('_', ' ')}"
        raise StateConflict(msg)
    return _go(work, row, now, at=at)


def give_up(work: Work, row: Any, did: Did, *, at: datetime) -> State:  # noqa: ANN401 -- a row of contact
    """Give up a contact that the caller has locked: it is released, expired, or lost; return how it stands now.

    Raises:
        StateConflict: that can't happen to it, as it stands.
    """
    now = after(State(row.status), did)
    if now is None:
        msg = f"a contact that is {row.status} can't {did}"
        raise StateConflict(msg)
    return _go(work, row, now, at=at)


def _go(work: Work, row: Any, now: State, *, at: datetime) -> State:  # noqa: ANN401 -- a row of contact
    if now in ENDED and row.status != now:
        # What never reached him can't have been ignored either: what that took is given back with the charge.
        ignored = goodwill.taken(work, row.customer, row.decision, Entry.IGNORED) if row.waited_until else 0
        over = Over(*(getattr(row, name) for name in contacts.OVER))
        end(work, [over._replace(ignored=ignored)], now, at=at)
    elif row.status != now:
        _set(work, row, status=now, claimed_until=None)
    return now


def _set(work: Work, row: Any, **values: object) -> None:  # noqa: ANN401 -- a row of contact
    mine = sa.update(_row).where(_row.c.customer == row.customer, _row.c.decision == row.decision)
    work.connection.execute(mine.values(**values))
