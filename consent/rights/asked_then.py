"""Requests as they stood at a time: the fold of the steps that were recorded by then, and of nothing that came later.

There are few requests beside everything else that is kept, so a list is folded whole, and then cut to what was asked.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import groupby

import sqlalchemy as sa

from consent.base.clock import parse_time
from consent.base.store import Work
from consent.rights import asked, deadlines
from consent.rights.asked import Chosen, Event, Outcome, Request, State, Step, Words


def stood(request: Request, steps: Sequence[Step], as_of: datetime) -> Request | None:
    """Return a request as it stood at a time; None before it was taken in."""
    done = [step for step in steps if step.at <= as_of]
    if not done:
        return None
    then = replace(
        request, due_at=deadlines.due(request.received_at), extended_at=None, owner="", state=State.RECEIVED,
        closed_at=None, outcome=None, steps=len(done),
    )  # fmt: skip
    for step in done:
        then = _moved(then, step)
    return then


def _moved(then: Request, step: Step) -> Request:
    match step.event:
        case Event.RECEIVED:
            return then
        case Event.ASSIGNED:
            return replace(then, owner=step.detail, state=State.IN_HAND)
        case Event.EXTENDED:
            return replace(then, due_at=parse_time(step.detail), extended_at=step.at)
        case Event.CLOSED:
            return replace(then, state=State.CLOSED, closed_at=step.at, outcome=Outcome(step.detail))


def found(work: Work, request: str, as_of: datetime | None) -> tuple[Request, list[Step]]:
    """Return one request as it stood at a time, or as it stands, and its steps by then.

    Raises:
        RightsRequestUnknown: there is none of this id, or there was none yet.
    """
    one, steps = asked.find(work, request), asked.steps(work, request)
    if as_of is None:
        return one, steps
    then = stood(one, steps, as_of)
    if then is None:
        raise asked.unknown(request)
    return then, [step for step in steps if step.at <= as_of]


def told(then: Request, words: Words) -> Words:
    """Return of what was written about a request what had been written by then."""
    return Words(
        wish=words.wish,
        extension=words.extension if then.extended_at else "",
        answer="" if then.is_open else words.answer,
    )


def listed(
    work: Work, chosen: Chosen, as_of: datetime | None, *, cursor: str = "", most: int = 100
) -> tuple[list[Request], str]:
    """Return requests as `asked.listed` does; with `as_of`, as they stood then.

    Raises:
        RequestInvalid: the cursor is none that was given out.
    """
    if as_of is None:
        return asked.listed(work, chosen, cursor=cursor, most=most)
    behind = asked.read_cursor(cursor) if cursor else None
    fitting = [one for one in _all(work, as_of) if _fits(one, chosen) and (behind is None or asked.order(one) > behind)]
    fitting.sort(key=asked.order)
    shown = fitting[:most]
    return shown, asked.cursor_of(shown[-1]) if len(fitting) > most else ""


def counts(work: Work, *, at: datetime, as_of: datetime | None) -> tuple[int, int]:
    """Return how many requests are open, and how many of these are overdue; with `as_of`, how many were then."""
    if as_of is None:
        return asked.counts(work, at=at)
    still = [one for one in _all(work, as_of) if one.is_open]
    return len(still), sum(one.overdue(as_of) for one in still)


def _all(work: Work, as_of: datetime) -> Iterator[Request]:
    rows, steps = asked.ROWS, asked.STEPS
    query = (
        sa.select(rows, steps.c.number, steps.c.at, steps.c.event, steps.c.detail, steps.c.actor, steps.c.position)
        .join(steps, steps.c.request == rows.c.id)
        .where(steps.c.at <= as_of)
        .order_by(rows.c.id, steps.c.number)
    )
    for _, some in groupby(work.connection.execute(query), key=lambda row: row.id):
        every = list(some)
        then = stood(asked.of_row(every[0]), [asked.step_of(row) for row in every], as_of)
        if then is not None:
            yield then


def _fits(one: Request, chosen: Chosen) -> bool:
    exact = (
        (one.state, chosen.state),
        (one.kind, chosen.kind),
        (one.owner, chosen.owner),
        (one.customer, chosen.customer),
    )
    return (
        all(is_ == wanted for is_, wanted in exact if wanted)
        and (one.is_open or not (chosen.still_open or chosen.overdue_at))
        and (chosen.overdue_at is None or one.overdue(chosen.overdue_at))
    )
