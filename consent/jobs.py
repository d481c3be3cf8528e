"""Slots of scheduled jobs: each is claimed once, by a holder with a lease and a fencing token.

A holder that is paused past its lease may find that another has taken over, with a higher token. So whatever a job
writes, it calls `heartbeat` in the same transaction: the slot's row stays locked until that transaction ends, and who
holds an old token gets `Fenced` before it has written anything.

Source:
    M. Kleppmann, "How to do distributed locking" (2016), on fencing tokens.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from consent.base.clock import EPOCH
from consent.base.errors import Fenced
from consent.base.store import Work
from consent.tables import JobRunRow

RUNNING: Final = "running"
MISSED: Final = "missed"
BEATING: Final = "beating"
RELEASED: Final = "released"

_row: Final = JobRunRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A slot that is one's own, as long as nobody has taken it over: the token is the proof."""

    job: str
    scheduled_for: datetime
    holder: str
    token: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A slot, as it is stored. `lease_until` is when it ended, once it has."""

    job: str
    scheduled_for: datetime
    state: str
    holder: str
    lease_until: datetime
    detail: str


def claim(
    work: Work, job: str, scheduled_for: datetime, holder: str, *, at: datetime, lease_seconds: float
) -> Claim | None:
    """Claim a slot; None where it is somebody else's, is over, or was missed.

    A slot that was released, or whose holder's lease has run out, is taken over with a higher token.

    Args:
        work: a transaction that writes; the claim holds once it is committed.
        job: which.
        scheduled_for: which slot of it.
        holder: who claims: host, process, thread.
        at: now.
        lease_seconds: how long the claim holds without a heartbeat.
    """
    lease = at + timedelta(seconds=lease_seconds)
    new = {"job": job, "scheduled_for": scheduled_for, "state": RUNNING, "holder": holder, "token": 1,
           "lease_until": lease, "detail": ""}  # fmt: skip
    if _inserted(work, new):
        return Claim(job=job, scheduled_for=scheduled_for, holder=holder, token=1)
    free = sa.or_(_row.state == RELEASED, sa.and_(_row.state == RUNNING, _row.lease_until <= at))
    taken = (
        sa.update(_row)
        .where(_row.job == job, _row.scheduled_for == scheduled_for, free)
        .values(state=RUNNING, holder=holder, token=_row.token + 1, lease_until=lease)
        .returning(_row.token)
    )
    token = work.connection.execute(taken).scalar()
    return None if token is None else Claim(job=job, scheduled_for=scheduled_for, holder=holder, token=token)


def heartbeat(work: Work, held: Claim, *, at: datetime, lease_seconds: float) -> None:
    """Prolong the lease; within a transaction that writes the job's results, this is what fences it.

    Raises:
        Fenced: somebody else has taken the slot over, or it is over.
    """
    _hold(work, held, {"lease_until": at + timedelta(seconds=lease_seconds)})


def finish(work: Work, held: Claim, *, state: str, detail: str, at: datetime) -> None:
    """Close the slot with the state that it ended in: nobody can claim it again.

    Raises:
        Fenced: somebody else has taken the slot over, or it is over.
    """
    _hold(work, held, {"state": state, "detail": detail, "lease_until": at})


def release(work: Work, held: Claim, *, at: datetime) -> None:
    """Give the slot back unfinished: anybody can claim it at once.

    Raises:
        Fenced: somebody else has taken the slot over, or it is over.
    """
    _hold(work, held, {"state": RELEASED, "lease_until": at})


def missed(work: Work, job: str, slots: Iterable[datetime]) -> list[datetime]:
    """Mark slots that have passed and that nobody claimed as missed: they stay to be seen, and none is run late.

    Returns:
        Those that were newly marked, in order; one catch-up is for the caller to claim.
    """
    return [
        slot
        for slot in sorted(set(slots))
        if _inserted(work, {"job": job, "scheduled_for": slot, "state": MISSED, "holder": "", "token": 0,
                            "lease_until": slot, "detail": ""})
    ]  # fmt: skip


def beat(work: Work, job: str, holder: str, *, at: datetime) -> None:
    """Leave a sign of life: who, and when last."""
    row = {"job": job, "scheduled_for": EPOCH, "state": BEATING, "holder": holder, "token": 0, "lease_until": at,
           "detail": ""}  # fmt: skip
    insert = _insert(work).values(**row)
    changed = {"holder": insert.excluded.holder, "lease_until": insert.excluded.lease_until}
    work.connection.execute(insert.on_conflict_do_update(index_elements=["job", "scheduled_for"], set_=changed))


def ever_beaten(work: Work) -> bool:
    """Say whether a worker has ever given a sign of life here: without one nobody does anything by the clock."""
    return work.connection.execute(sa.select(_row.job).where(_row.state == BEATING).limit(1)).first() is not None


def last_beat(work: Work, job: str) -> datetime | None:
    """Return when somebody last left a sign of life, None if nobody has: a dead worker can't raise the alarm itself."""
    query = sa.select(_row.lease_until).where(_row.job == job, _row.scheduled_for == EPOCH, _row.state == BEATING)
    return work.connection.execute(query).scalar()


def newest(work: Work, job: str, *, most: int = 20) -> list[Slot]:
    """Return the last slots of a job, the newest first: run, under way, and missed."""
    query = (
        sa.select(_row.job, _row.scheduled_for, _row.state, _row.holder, _row.lease_until, _row.detail)
        .where(_row.job == job)
        .order_by(_row.scheduled_for.desc())
        .limit(most)
    )
    return [Slot(**each._asdict()) for each in work.connection.execute(query)]


def slot_at(work: Work, job: str, scheduled_for: datetime) -> Slot | None:
    """Return one slot of a job; None where there is none."""
    columns = (_row.job, _row.scheduled_for, _row.state, _row.holder, _row.lease_until, _row.detail)
    query = sa.select(*columns).where(_row.job == job, _row.scheduled_for == scheduled_for)
    row = work.connection.execute(query).first()
    return None if row is None else Slot(**row._asdict())


def _hold(work: Work, held: Claim, changes: dict[str, Any]) -> None:
    mine = (
        sa.update(_row)
        .where(
            _row.job == held.job,
            _row.scheduled_for == held.scheduled_for,
            _row.token == held.token,
            _row.state == RUNNING,
        )
        .values(**changes)
    )
    if work.connection.execute(mine).rowcount != 1:
        msg = f"fenced: {held.job} of this slot is no longer held with token {held.token}"
        raise Fenced(msg)


def _inserted(work: Work, row: dict[str, Any]) -> bool:
    """Insert a slot unless it is there; say whether it was new."""
    insert = _insert(work).values(**row).on_conflict_do_nothing().returning(_row.job)
    return work.connection.execute(insert).first() is not None


def _insert(work: Work) -> Any:  # noqa: ANN401 -- two dialects' inserts
    return (postgresql if work.dialect == "postgresql" else sqlite).insert(_row)
