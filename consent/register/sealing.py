"""Seal a log and open the next: at the turn of its half-year, or where it can't go on under its name.

A sealed log's last entry says which log goes on, a checkpoint covers all of it, and the next log's first entry says
which log it goes on from, how long that one was, and its root. Both are in clear beside their sealed payloads, so that
everybody can follow the chain. All of it is one transaction: there is always exactly one log that takes entries.

A log that lost signed entries, or was signed with two contents, gets neither a last entry nor another checkpoint: the
log that goes on says what is left of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from consent.base.clock import from_ms
from consent.base.database import Hot, table_of
from consent.base.errors import StateConflict
from consent.base.store import Work
from consent.ledger import log, opening, period
from consent.ledger.entry import Kind
from consent.ledger.log import Appended, Appender, Head
from consent.ledger.opening import Cause, Ended
from consent.register import proving
from consent.register.desk import Desk
from consent.register.payloads import LOG_OWNER, opening_payload
from consent.tables import LedgerOpeningRow

OPENING: Final = Hot(sa.insert(table_of(LedgerOpeningRow)), "log", "seq", "plain")


@dataclass(frozen=True, slots=True, kw_only=True)
class Turned:
    """A log that ended, and the one that goes on."""

    ended: str
    size: int
    root: bytes
    opened: str
    checkpoint: str
    """The first checkpoint of the log that goes on, which covers what it says of the one that ended."""


def due(work: Work, at: datetime) -> str | None:
    """Return the name of the log that is due; None while the half-year of the newest one lasts."""
    newest = log.head(work)
    return period.following(newest.origin, max(at, from_ms(newest.last_at)))


def seal(desk: Desk, work: Work, *, at: datetime) -> Turned:
    """Seal the newest log, whose half-year is over, and open the next.

    Raises:
        StateConflict: its half-year is not over.
        RolledBack: the log lost entries that its witness knows; settle that first.
        LedgerForked: its witness knows it with other entries; the same.
        ClockBehind: the clock lies behind the ledger.
    """
    appender = Appender(work, at)
    following = period.following(appender.origin, appender.at)
    if following is None:
        msg = f"the half-year of {appender.origin} is not over yet"
        raise StateConflict(msg)
    _, head = told(desk, work, appender, Kind.LOG_SEALED, opening.ending(appender.origin, following))
    proving.sign(work, head, [proving.in_force(desk, work, head.origin)], at=at)
    return _going_on(desk, work, head, following, Cause.PERIOD, at=at)


def abandon(desk: Desk, work: Work, cause: Cause, *, at: datetime) -> Turned:
    """Leave the newest log as it is, without another word in its name, and open the next.

    Args:
        desk: keys.
        work: the transaction that settles why.
        cause: why it can't go on.
        at: now.

    Raises:
        ClockBehind: the clock lies behind the ledger.
    """
    appender = Appender(work, at, settling=True)
    following = period.again(appender.origin, appender.at)
    return _going_on(desk, work, log.head(work), following, cause, at=appender.at)


def told(desk: Desk, work: Work, appender: Appender, kind: Kind, payload: Mapping[str, Any]) -> tuple[Appended, Head]:
    """Append an entry about the log itself, and what opens it beside; return the entry and the head after it."""
    sealed, commitment, plain = opening_payload(desk.data_key(work, LOG_OWNER), LOG_OWNER, payload)
    appended = appender.add(kind, LOG_OWNER, sealed=sealed, commitment=commitment)
    return appended, appender.flush((OPENING, [(appended.log, appended.seq, plain)]))


def _going_on(desk: Desk, work: Work, head: Head, following: str, cause: Cause, *, at: datetime) -> Turned:
    ended = Ended(origin=head.origin, size=head.size, root=head.root, cause=cause)
    log.move_on(work, head, following, at)
    appender = Appender(work, at, settling=True)
    _, first = told(desk, work, appender, Kind.LOG_SEALED, opening.beginning(following, ended))
    signed = proving.sign(work, first, [proving.in_force(desk, work, following)], at=at)
    return Turned(ended=head.origin, size=head.size, root=head.root, opened=following, checkpoint=signed)
