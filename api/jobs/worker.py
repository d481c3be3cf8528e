"""The worker: the clock as a caller. It starts audits, signs checkpoints and carries runs on.

APScheduler only tells the time, from a job store in memory; the truth is `job_run`. Every slot of a job is claimed
once, by a holder with a fencing token and a lease, so that two workers are harmless and one that was paused past its
lease can't write any more. Nothing is decided here: each job opens the house and calls one use case.
"""

import logging
import os
import socket
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from apscheduler.schedulers.background import BackgroundScheduler

from api.checks import CHECKS
from api.wiring import ASKED_AUDIT, HEARTBEAT, House
from consent import jobs
from consent.audit import run as audits
from consent.base.clock import from_ms, to_ms
from consent.base.errors import ByleaveError, StateConflict
from consent.base.ids import RunId
from consent.register import proving
from personalise.runs import run as runs

AUDIT: Final = "audit"
HEARTBEAT_SECONDS: Final = 15
_RUN_LEASE_SECONDS: Final = 120
_AUDIT_LEASE_SECONDS: Final = 3_600
_SHORT_LEASE_SECONDS: Final = 60
_MOST_MISSED: Final = 100
_LOGGER: Final = logging.getLogger("byleave.worker")


def work(house: House, stop: threading.Event) -> None:
    """Run the worker's jobs until `stop` is set; the job under way is finished first."""
    holder = f"{socket.gethostname()}:{os.getpid()}:{threading.get_ident()}"
    scheduler = BackgroundScheduler(timezone=UTC, job_defaults={"coalesce": True, "max_instances": 1})
    settings = house.settings
    plan: tuple[tuple[str, Callable[[House, str], None], int], ...] = (
        (HEARTBEAT, _heartbeat, HEARTBEAT_SECONDS),
        ("checkpoint", _checkpoint, settings.checkpoint_every_seconds),
        ("runs", _runs, 1),
        (AUDIT, _audit, min(settings.audit_every_hours * 3_600, 60)),
        (ASKED_AUDIT, _asked_audits, 2),
    )
    now = house.deployment.clock()
    for spot, (name, job, seconds) in enumerate(plan):
        first = now + timedelta(milliseconds=200 * spot)
        # A job that comes late still runs: by default APScheduler drops what is a second late.
        scheduler.add_job(
            _guarded, "interval", args=(name, job, house, holder), id=name, seconds=seconds, next_run_time=first,
            misfire_grace_time=None,
        )  # fmt: skip
    scheduler.start()
    try:
        stop.wait()
    finally:
        scheduler.shutdown(wait=True)


def _guarded(name: str, job: Callable[[House, str], None], house: House, holder: str) -> None:
    """Run a job; an error is logged by its code, without its text, and the next slot tries again."""
    try:
        job(house, holder)
    except ByleaveError as failed:
        _LOGGER.error("job=%s failed=%s", name, failed.code)  # noqa: TRY400 -- a traceback could quote what was read


def slot(at: datetime, every: timedelta) -> datetime:
    """Return the start of the slot that `at` lies in; slots are counted from the epoch, in UTC.

    >>> from datetime import timedelta
    >>> slot(datetime(2026, 11, 21, 17, 42, tzinfo=UTC), timedelta(hours=24)).isoformat()
    '2026-11-21T00:00:00+00:00'
    """
    length = every // timedelta(milliseconds=1)
    return from_ms(to_ms(at) // length * length)


def _heartbeat(house: House, holder: str) -> None:
    deployment = house.deployment
    at = deployment.clock()
    with deployment.store.write() as work:
        jobs.beat(work, HEARTBEAT, holder, at=at)


def _checkpoint(house: House, _holder: str) -> None:
    deployment = house.deployment
    at = deployment.clock()
    with deployment.store.write() as work:
        proving.sign_checkpoint(deployment.desk, work, at=at)


def _audit(house: House, holder: str) -> None:
    """Run the audit of the current slot, unless some worker has; slots that passed without one are marked as missed."""
    deployment = house.deployment
    at = deployment.clock()
    every = timedelta(hours=house.settings.audit_every_hours)
    due = slot(at, every)
    with deployment.store.write() as work:
        jobs.missed(work, AUDIT, _passed(jobs.newest(work, AUDIT, most=1), due, every))
        claim = jobs.claim(work, AUDIT, due, holder, at=at, lease_seconds=_AUDIT_LEASE_SECONDS)
    if claim is not None:
        _run_audit(house, claim, asked_by="worker")


def _asked_audits(house: House, holder: str) -> None:
    """Run the audits that somebody asked for and didn't wait for, in his name, the oldest first."""
    deployment = house.deployment
    with deployment.store.read() as work:
        queued = [each for each in jobs.newest(work, ASKED_AUDIT) if each.state in (jobs.RELEASED, jobs.RUNNING)]
    for each in reversed(queued):
        at = deployment.clock()
        with deployment.store.write() as work:
            claim = jobs.claim(work, ASKED_AUDIT, each.scheduled_for, holder, at=at, lease_seconds=_AUDIT_LEASE_SECONDS)
        if claim is not None:
            # Whoever asked holds the slot until a worker has it; of a worker that was killed only its own name is left.
            _run_audit(house, claim, asked_by=each.holder if each.state == jobs.RELEASED else "worker")


def _run_audit(house: House, claim: jobs.Claim, *, asked_by: str) -> None:
    deployment = house.deployment
    report = audits.run(deployment, CHECKS, asked_by=asked_by)
    with deployment.store.write() as work:
        jobs.finish(work, claim, state=str(report.status), detail=report.audit, at=deployment.clock())


def _passed(last: Sequence[jobs.Slot], due: datetime, every: timedelta) -> list[datetime]:
    """Return the slots between the last one known and the one that is due, the latest hundred at most."""
    if not last:
        return []
    count = (due - last[0].scheduled_for) // every
    return [due - every * number for number in range(1, min(count, _MOST_MISSED + 1))]


def _runs(house: House, holder: str) -> None:
    """Carry on every run that is under way and that nobody else carries on."""
    deployment = house.deployment
    with deployment.store.read() as work:
        waiting = [one.id for one in runs.newest(work, state=runs.RUNNING)]
    for run in waiting:
        _carry_on(house, run, holder)


def _carry_on(house: House, run: RunId, holder: str) -> None:
    deployment = house.deployment
    at = deployment.clock()
    job = f"run:{run}"
    with deployment.store.write() as work:
        claim = jobs.claim(work, job, from_ms(0), holder, at=at, lease_seconds=_RUN_LEASE_SECONDS)
    if claim is None:
        return

    def still_mine(_done: int, _total: int) -> None:
        with deployment.store.write() as work:
            jobs.heartbeat(work, claim, at=deployment.clock(), lease_seconds=_RUN_LEASE_SECONDS)

    try:
        ended = runs.advance(deployment, run, progress=still_mine)
    except StateConflict:
        return  # fenced: another worker has taken over, and goes on from the cursor
    with deployment.store.write() as work:
        if ended.state == runs.PAUSED:
            jobs.release(work, claim, at=deployment.clock())
        else:
            jobs.finish(work, claim, state=ended.state, detail="", at=deployment.clock())
