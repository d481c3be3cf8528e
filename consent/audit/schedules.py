"""When audits are run: schedules, the slot that is due, and those that passed without an audit.

Two schedules are there from the start, and stand until somebody changes them. A schedule is never removed: switched
off, it still shows what it was.
"""

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from consent import jobs
from consent.audit import cron
from consent.audit.cron import Cron
from consent.audit.report import Status
from consent.audit.tables import AuditScheduleRow
from consent.base.clock import EPOCH
from consent.base.database import table_of
from consent.base.errors import NotFound, Place, RequestUnfit, StateConflict
from consent.base.store import Work
from consent.tables import AuditRunRow, JobRunRow, LedgerLogRow

GRACE: Final = timedelta(minutes=10)
"""How late a slot may begin and still count as run; one that begins later was missed."""

MOST_MISSED: Final = 100
_REACH: Final = timedelta(days=31)
"""How far back slots are marked as missed."""

BY_SCHEDULE: Final = "schedule:"
"""Who asks for an audit whose slot has come: this, and the schedule's key."""
WORKER: Final = "worker"
"""Who asks for one that somebody wanted run at once, where he isn't known."""

FULL: Final = "full"
INCREMENTAL: Final = "incremental"
_LONGEST_KEY: Final = 40
_CHANGED: Final = "somebody else has changed the schedule meanwhile"
_KEY_SIGNS: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_-")

_row: Final = AuditScheduleRow
_job: Final = JobRunRow
_audit: Final = table_of(AuditRunRow)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When an audit is run, and of what."""

    key: str
    cron: str
    zone: str = "UTC"
    checks: tuple[str, ...] = ()
    """Keys of checks; none for all there are."""
    mode: str = FULL
    enabled: bool = True
    changed_at: datetime = EPOCH
    """Slots count from here on."""
    changed_by: str = ""
    """Nobody, for one of the two that are there from the start."""
    version: int = 0

    @property
    def job(self) -> str:
        """Under which job its slots are claimed."""
        return f"audit:{self.key}"

    @property
    def late_job(self) -> str:
        """Under which job the one audit is claimed that makes up for missed slots."""
        return f"audit:{self.key}:late"

    @property
    def rhythm(self) -> Cron:
        """Its cron expression, read."""
        return cron.read(self.cron, self.zone)


DEFAULTS: Final = (
    Schedule(key="nightly", cron="15 2 * * *", mode=FULL),
    Schedule(key="hourly", cron="5 * * * *", mode=INCREMENTAL),
)


class Spot(NamedTuple):
    """A slot that can be claimed."""

    job: str
    slot: datetime


def schedules(work: Work) -> list[Schedule]:
    """Return every schedule, in the order of keys."""
    found = {row.key: _read(row) for row in work.connection.execute(sa.select(AuditScheduleRow.__table__))}
    founded = work.connection.execute(sa.select(sa.func.min(LedgerLogRow.opened_at))).scalar() or EPOCH
    for default in DEFAULTS:
        found.setdefault(default.key, _from(default, founded))
    return [found[key] for key in sorted(found)]


def one(work: Work, key: str) -> Schedule:
    """Return a schedule.

    Raises:
        NotFound: there is none of that key.
    """
    for each in schedules(work):
        if each.key == key:
            return each
    msg = f"there is no schedule {key[:80]!r}: `byleave audit schedule list` names those there are"
    raise NotFound(msg)


def put(
    work: Work,
    schedule: Schedule,
    *,
    known_checks: Collection[str],
    actor: str,
    at: datetime,
    version: int | None = None,
) -> Schedule:
    """Make a schedule, or change it: from now on its slots are the new ones.

    Args:
        work: a transaction that writes.
        schedule: as it is to be; who changed it, and when, is filled in.
        known_checks: the keys of all checks there are.
        actor: who changes it.
        at: now.
        version: that of the schedule that was looked at; None to change whatever stands there.

    Raises:
        RequestUnfit: naming every place that is wrong.
        StateConflict: it was changed meanwhile.
    """
    places = [*_wrong(schedule, known_checks)]
    if places:
        raise RequestUnfit(places=places)
    stands = next((each.version for each in schedules(work) if each.key == schedule.key), 0)
    if version is not None and version != stands:
        raise StateConflict(_CHANGED)
    values = {
        "cron": schedule.rhythm.text, "zone": schedule.zone, "checks": ",".join(schedule.checks), "mode": schedule.mode,
        "enabled": schedule.enabled, "changed_at": at, "changed_by": actor, "version": stands + 1,
    }  # fmt: skip
    insert = (postgresql if work.dialect == "postgresql" else sqlite).insert(_row).values(key=schedule.key, **values)
    same = _row.version == stands
    changed = insert.on_conflict_do_update(index_elements=["key"], set_=values, where=same).returning(_row.version)
    if work.connection.execute(changed).scalar() is None:
        raise StateConflict(_CHANGED)
    return one(work, schedule.key)


def _wrong(schedule: Schedule, known_checks: Collection[str]) -> list[Place]:
    places = []
    if not schedule.key or len(schedule.key) > _LONGEST_KEY or not set(schedule.key) <= _KEY_SIGNS:
        places.append(Place("key", f"must be 1 to {_LONGEST_KEY} of a-z, 0-9, _ and -"))
    if schedule.mode not in (FULL, INCREMENTAL):
        places.append(Place("mode", f"must be {FULL} or {INCREMENTAL}"))
    unknown = [check for check in schedule.checks if check not in known_checks]
    if unknown:
        places.append(Place("checks", f"{', '.join(unknown)[:80]}: there is no such check"))
    try:
        cron.read(schedule.cron, schedule.zone)
    except cron.CronInvalid as wrong:
        places += wrong.places
    return places


def due(work: Work, schedule: Schedule, *, at: datetime) -> Spot | None:
    """Mark the slots that were missed, and return the one to claim now, if any.

    A slot that nobody began within the grace is missed, and stays so. However many were, one late audit makes up for
    them: it is claimed under a job of its own, by the latest of them, so that two workers run one.

    Args:
        work: a transaction that writes.
        schedule: one that is switched on.
        at: now.
    """
    newest = next(iter(jobs.newest(work, schedule.job, most=1)), None)
    since = max(schedule.changed_at, newest.scheduled_for) if newest else schedule.changed_at
    rhythm = schedule.rhythm
    latest = cron.last_before(rhythm, at, since=max(since, at - _REACH))
    if latest is None:
        return _unfinished(schedule, newest)
    late = at - latest > GRACE
    between = cron.slots(rhythm, max(since, latest - _REACH), latest)
    passed = deque((slot for slot in between if slot < latest), maxlen=MOST_MISSED)
    jobs.missed(work, schedule.job, chain(passed, [latest] if late else []))
    return Spot(schedule.late_job if late else schedule.job, latest)


def _unfinished(schedule: Schedule, newest: jobs.Slot | None) -> Spot | None:
    """Return the last slot where it can still be claimed: its worker died, or its late audit was not run yet."""
    if newest is None or newest.state not in (jobs.MISSED, jobs.RUNNING, jobs.RELEASED):
        return None
    return Spot(schedule.late_job if newest.state == jobs.MISSED else schedule.job, newest.scheduled_for)


def last_ended(work: Work, schedule: Schedule) -> datetime | None:
    """Return the latest slot for which an audit has ended, in time or late; None where none has."""
    ended = sa.select(sa.func.max(_job.scheduled_for)).where(
        _job.job.in_([schedule.job, schedule.late_job]), _job.state.in_([str(status) for status in Status])
    )
    return work.connection.execute(ended).scalar()


def ever_worked(work: Work) -> bool:
    """Say whether a worker ever ran here: its signs of life say so, or the audits that it ran, which nobody deletes."""
    by_the_clock = sa.or_(_audit.c.asked_by == WORKER, _audit.c.asked_by.startswith(BY_SCHEDULE, autoescape=True))
    query = sa.select(_audit.c.id).where(by_the_clock).limit(1)
    return jobs.ever_beaten(work) or work.connection.execute(query).first() is not None


def slots_of(work: Work, schedule: Schedule, *, most: int = 20) -> list[jobs.Slot]:
    """Return the last slots of a schedule, the newest first: run, under way, missed, and made up for."""
    both = jobs.newest(work, schedule.job, most=most) + jobs.newest(work, schedule.late_job, most=most)
    return sorted(both, key=lambda slot: (slot.scheduled_for, slot.job), reverse=True)[:most]


def _read(row: Any) -> Schedule:  # noqa: ANN401 -- a Core row
    return Schedule(
        key=row.key,
        cron=row.cron,
        zone=row.zone,
        checks=tuple(filter(None, row.checks.split(","))),
        mode=row.mode,
        enabled=row.enabled,
        changed_at=row.changed_at,
        changed_by=row.changed_by,
        version=row.version,
    )


def _from(default: Schedule, founded: datetime) -> Schedule:
    return Schedule(key=default.key, cron=default.cron, mode=default.mode, changed_at=founded)
