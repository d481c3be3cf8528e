"""The plan of a run: which customers each of its chunks takes. What is still to be decided is a row; done, it is gone.

A chunk's number says its range of customer ids, whoever decides it and whenever. Whoever decides a chunk holds its row
until his transaction ends: nobody else takes it meanwhile, and if he dies it is free again.
"""

from typing import Final, NamedTuple

import sqlalchemy as sa

from consent.base.database import Hot, table_of
from consent.base.ids import RunId
from consent.base.store import Work
from consent.register import customers
from personalise.tables import RunChunkRow

AHEAD: Final = 100
"""How many chunks are planned at a time."""

_chunk = table_of(RunChunkRow)
_INSERT: Final = Hot(sa.insert(_chunk), "run", "number", "after", "last")


class Part(NamedTuple):
    """The customers of one chunk: those behind one id, up to and with another."""

    number: int
    after: str
    last: str


def more(work: Work, run: RunId, after: str, number: int, *, most: int) -> list[Part]:
    """Plan the next chunks of a run; the caller holds the run's row, and moves its cursor with them.

    Args:
        work: a transaction that writes.
        run: whose.
        after: the last customer who is planned for; "" for none.
        number: of the first chunk to plan.
        most: customers in a chunk.

    Returns:
        What was planned; nothing where nobody is left.
    """
    parts: list[Part] = []
    while len(parts) < AHEAD and (last := customers.bound(work, after, most)):
        parts.append(Part(number + len(parts), after, last))
        after = last
    work.run_many(_INSERT, [(run, *part) for part in parts])
    return parts


def take(work: Work, run: RunId, number: int | None = None, *, in_turn: bool = False) -> Part | None:
    """Take a chunk that is to be decided and that nobody is at: the first of a run, or the one of a number.

    It stays the caller's until his transaction ends. None where there is none. Those that have to be decided one after
    the other (`in_turn`) wait for whoever is at the first.
    """
    query = _open(run).order_by(_chunk.c.number).limit(1).with_for_update(skip_locked=not in_turn)
    if number is not None:
        query = query.where(_chunk.c.number == number)
    found = work.connection.execute(query).first()
    return Part(found.number, found.after, found.last) if found else None


def done(work: Work, run: RunId, part: Part) -> None:
    """Cross out a chunk that was taken."""
    work.connection.execute(sa.delete(_chunk).where(_chunk.c.run == run, _chunk.c.number == part.number))


def left(work: Work, run: RunId) -> list[int]:
    """Return the numbers of the chunks that are planned and not decided, whoever is at them."""
    return [row.number for row in work.connection.execute(_open(run).order_by(_chunk.c.number))]


def drop(work: Work, run: RunId) -> None:
    """Drop what is planned of a run that is over; not what somebody is at: he waits for the run, and would for ever."""
    free = sa.select(_chunk.c.number).where(_chunk.c.run == run).with_for_update(skip_locked=True)
    work.connection.execute(sa.delete(_chunk).where(_chunk.c.run == run, _chunk.c.number.in_(free)))


def _open(run: RunId) -> sa.Select[tuple[int, str, str]]:
    return sa.select(_chunk.c.number, _chunk.c.after, _chunk.c.last).where(_chunk.c.run == run)
