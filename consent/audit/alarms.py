"""The dead man's alarm: what should have happened by now and has not. Whoever died can't say so; somebody else must.

`signs` tells what is amiss at a time, from the slots of jobs alone; `look` writes that down as alarms, and clears them
when life returns. It is called by the processes that answer requests, never by the worker whose death it is about.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from consent import jobs
from consent.audit import cron, schedules
from consent.audit.schedules import Schedule
from consent.audit.tables import AuditAlarmRow
from consent.base.clock import EPOCH, rfc3339
from consent.base.store import Store, Work
from consent.tables import LedgerLogRow

WORKER_WITHIN: Final = timedelta(minutes=2)
"""A worker leaves a sign of life eight times as often; this lets it be restarted."""

AUDIT_WITHIN: Final = timedelta(hours=1)
"""How long after its slot an audit must have ended."""

_row: Final = AuditAlarmRow


class Alarming(StrEnum):
    """What an alarm can be about."""

    WORKER_SILENT = "worker_silent"
    AUDIT_OVERDUE = "audit_overdue"


class Sign(NamedTuple):
    """Something that should have happened and has not."""

    kind: Alarming
    since: datetime
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """An alarm, as it is stored; it stands until it is cleared."""

    kind: Alarming
    raised_at: datetime
    since: datetime
    detail: str
    cleared_at: datetime | None


class Looked(NamedTuple):
    """What a look changed."""

    raised: list[Sign]
    cleared: list[Alarming]


def signs(work: Work, *, at: datetime, heartbeat: str) -> list[Sign]:
    """Return what is amiss now.

    Args:
        work: a transaction.
        at: now.
        heartbeat: the job under which workers leave their sign of life.
    """
    founded = work.connection.execute(sa.select(sa.func.min(LedgerLogRow.opened_at))).scalar() or EPOCH
    found = []
    last = jobs.last_beat(work, heartbeat)
    since = founded if last is None else last
    if at - since > WORKER_WITHIN:
        said = f"no worker since {rfc3339(last)}" if last else "no worker has ever run here"
        found.append(Sign(Alarming.WORKER_SILENT, since, f"{said}: audits, checkpoints and runs wait; start one"))
    overdue = [(missed, each) for each in schedules.schedules(work) if (missed := _overdue(work, each, at))]
    if overdue:
        since = min(missed for missed, _ in overdue)
        named = ", ".join(f"{each.key} was due at {rfc3339(missed)}" for missed, each in overdue)
        found.append(Sign(Alarming.AUDIT_OVERDUE, since, f"no audit has ended in its time: {named}"))
    return found


def _overdue(work: Work, schedule: Schedule, at: datetime) -> datetime | None:
    """Return the slot for which, or after which, an audit must have ended by now and has not."""
    if not schedule.enabled:
        return None
    slot = cron.last_before(schedule.rhythm, at - AUDIT_WITHIN, since=schedule.changed_at)
    ended = schedules.last_ended(work, schedule)
    return slot if slot is not None and (ended is None or ended < slot) else None


def look(store: Store, *, at: datetime, heartbeat: str) -> Looked:
    """Raise what is amiss and not raised yet, clear what is over; nothing is written where nothing has changed.

    Raises:
        DatabaseDown: nothing is known.
    """
    with store.read() as work:
        amiss = {each.kind: each for each in signs(work, at=at, heartbeat=heartbeat)}
        raised = {each.kind for each in standing(work)}
    if amiss.keys() == raised:
        return Looked([], [])
    with store.write() as work:
        return Looked(
            raised=[sign for kind, sign in amiss.items() if kind not in raised and _raise(work, sign, at)],
            cleared=[kind for kind in sorted(raised - amiss.keys()) if _clear(work, kind, at)],
        )


def _raise(work: Work, sign: Sign, at: datetime) -> bool:
    """Raise an alarm unless it stands; say whether it was this process that did."""
    row = {"kind": str(sign.kind), "raised_at": at, "since": sign.since, "detail": sign.detail, "cleared_at": None}
    insert = (postgresql if work.dialect == "postgresql" else sqlite).insert(_row).values(**row)
    return work.connection.execute(insert.on_conflict_do_nothing().returning(_row.kind)).first() is not None


def _clear(work: Work, kind: Alarming, at: datetime) -> bool:
    over = sa.update(_row).where(_row.kind == str(kind), _row.cleared_at.is_(None)).values(cleared_at=at)
    return work.connection.execute(over).rowcount > 0


def standing(work: Work) -> list[Alarm]:
    """Return the alarms that are not cleared."""
    return [each for each in newest(work) if each.cleared_at is None]


def newest(work: Work, *, most: int = 20) -> list[Alarm]:
    """Return the last alarms, the newest first; those that stand come before all others."""
    query = (
        sa.select(AuditAlarmRow.__table__)
        .order_by(_row.cleared_at.is_(None).desc(), _row.raised_at.desc(), _row.kind)
        .limit(most)
    )
    return [
        Alarm(
            kind=Alarming(row.kind), raised_at=row.raised_at, since=row.since, detail=row.detail,
            cleared_at=row.cleared_at,
        )
        for row in work.connection.execute(query)
    ]  # fmt: skip
