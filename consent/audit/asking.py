"""Audits that somebody asks for and doesn't wait for: one waits at a time, in the name of who asked."""

from datetime import UTC, datetime
from typing import Final

from consent import jobs
from consent.base.clock import from_ms, to_ms
from consent.base.errors import NotFound
from consent.base.store import Work
from consent.jobs import Slot

JOB: Final = "audit.asked"
"""Under which job they are queued."""
_LAST_MS: Final = to_ms(datetime.max.replace(tzinfo=UTC))


def ask(work: Work, *, actor: str, at: datetime) -> Slot:
    """Queue an audit, unless one waits already, and return the one that waits."""
    waiting = queued(work)
    if waiting is not None:
        return waiting
    held = jobs.claim(work, JOB, at, actor, at=at, lease_seconds=0)
    if held is not None:
        jobs.release(work, held, at=at)
    return one(work, to_ms(at))


def queued(work: Work) -> Slot | None:
    """Return the audit that waits, if one does."""
    return next((each for each in jobs.newest(work, JOB) if each.state == jobs.RELEASED), None)


def one(work: Work, asked_ms: int) -> Slot:
    """Return an audit that was asked for at a time.

    Raises:
        NotFound: none was.
    """
    found = jobs.slot_at(work, JOB, from_ms(asked_ms)) if asked_ms <= _LAST_MS else None
    if found is None:
        msg = "no audit was asked for then"
        raise NotFound(msg)
    return found
