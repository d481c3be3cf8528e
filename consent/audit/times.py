"""When the ledger says that something was: what a row tells of its time is held against the entries around it."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import sqlalchemy as sa

from consent.audit.events import Event
from consent.base.clock import parse_time, rfc3339
from consent.base.database import table_of
from consent.base.store import Work
from consent.ledger import entry
from consent.ledger.position import GREATEST, parts, position
from consent.tables import LedgerEntryRow

APART: Final = timedelta(minutes=1)
"""How far a row's time and its entry's may lie apart: clocks differ by seconds, and who writes may have to wait."""

_AT_ONCE: Final = 400
_NOWHERE: Final = -1
_entry: Final = table_of(LedgerEntryRow)


def differs(said: datetime | None, event: Event) -> str:
    """Say that a time is not that of the entry which tells of it; "" where it is, or isn't told."""
    if said is None or abs(said - parse_time(event.at)) <= APART:
        return ""
    return f"{rfc3339(said)}, and entry {event.position} is of {event.at}"


class Around(NamedTuple):
    """When the last entry before a ledger position was made, and the first one from there on; None where none is."""

    before: datetime | None
    after: datetime | None

    def differs(self, said: datetime) -> str:
        """Say that something can't have been at that time at this position; "" where it can."""
        if self.before is not None and said < self.before - APART:
            return f"{rfc3339(said)}, and the entry before is of {rfc3339(self.before)}"
        if self.after is not None and said > self.after + APART:
            return f"{rfc3339(said)}, and the entry behind is of {rfc3339(self.after)}"
        return ""


def around(work: Work, positions: Iterable[int]) -> Mapping[int, Around]:
    """Return when ledger positions were reached, each by the entries beside it in its log."""
    asked = sorted(set(positions))
    places = sorted({beside for each in asked for beside in _beside(each)} - {_NOWHERE})
    made: dict[int, datetime] = {}
    for first in range(0, len(places), _AT_ONCE):
        made |= _times(work, places[first : first + _AT_ONCE])
    return {each: Around(*(made.get(beside) for beside in _beside(each))) for each in asked}


def _beside(place: int) -> tuple[int, int]:
    if not 0 <= place <= GREATEST:
        return _NOWHERE, _NOWHERE
    log, seq = parts(place)
    return (position(log, seq - 1) if seq else _NOWHERE), place


def _times(work: Work, places: list[int]) -> dict[int, datetime]:
    by_log: dict[int, list[int]] = {}
    for log, seq in map(parts, places):
        by_log.setdefault(log, []).append(seq)
    found: dict[int, datetime] = {}
    for log, seqs in by_log.items():
        query = sa.select(_entry.c.seq, _entry.c.body).where(_entry.c.log == log, _entry.c.seq.in_(seqs))
        read = ((seq, entry.read(bytes(body))) for seq, body in work.connection.execute(query))
        found |= {position(log, seq): parse_time(one.at) for seq, one in read if one is not None}
    return found
