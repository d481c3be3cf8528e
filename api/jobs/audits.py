"""Audits by the clock: those of a schedule whose slot is due, and those that somebody asked for and didn't wait for.

A slot is claimed with a lease that is prolonged while its audit runs, and finished in the transaction that closes the
audit: whoever was paused for so long that another took over closes nothing, and its audit is kept as aborted.
"""

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from api.checks import CHECKS
from api.wiring import ASKED_AUDIT, House
from consent import jobs
from consent.audit import life, schedules
from consent.audit import run as audits
from consent.audit.findings import Check
from consent.audit.report import Report
from consent.audit.schedules import Schedule
from consent.base.errors import ByleaveError, Fenced
from consent.base.store import Work
from consent.jobs import Claim

LEASE_SECONDS: Final = 300
BEAT_SECONDS: Final = 60
"""Five beats may be lost before another worker takes over."""

_LOGGER: Final = logging.getLogger("byleave.worker")


def scheduled(house: House, holder: str) -> None:
    """Run the audit of every schedule whose slot is due, unless some worker has."""
    deployment = house.deployment
    with deployment.store.read() as work:
        enabled = [each for each in schedules.schedules(work) if each.enabled]
    for each in enabled:
        at = deployment.clock()
        with deployment.store.write() as work:
            spot = schedules.due(work, each, at=at)
            claim = spot and jobs.claim(work, spot.job, spot.slot, holder, at=at, lease_seconds=LEASE_SECONDS)
        if claim:
            incremental = each.mode == schedules.INCREMENTAL
            _run(
                house,
                claim,
                asked_by=f"{schedules.BY_SCHEDULE}{each.key}",
                checks=chosen(each),
                incremental=incremental,
            )


def asked(house: House, holder: str) -> None:
    """Run the audits that somebody asked for and didn't wait for, in his name, the oldest first."""
    deployment = house.deployment
    with deployment.store.read() as work:
        queued = [each for each in jobs.newest(work, ASKED_AUDIT) if each.state in (jobs.RELEASED, jobs.RUNNING)]
    for each in reversed(queued):
        at = deployment.clock()
        with deployment.store.write() as work:
            claim = jobs.claim(work, ASKED_AUDIT, each.scheduled_for, holder, at=at, lease_seconds=LEASE_SECONDS)
        if claim is not None:
            # Whoever asked holds the slot until a worker has it; of a worker that was killed only its own name is left.
            by = each.holder if each.state == jobs.RELEASED else schedules.WORKER
            _run(house, claim, asked_by=by, checks=CHECKS)


def lapsed(house: House, _holder: str) -> None:
    """Write down that acceptances are over; whoever looks at a finding has seen that already."""
    deployment = house.deployment
    with deployment.store.write() as work:
        life.lapse(work, at=deployment.clock())


def chosen(schedule: Schedule) -> tuple[Check, ...]:
    """Return the checks that a schedule runs, in the order of all."""
    return tuple(check for check in CHECKS if not schedule.checks or check.key in schedule.checks)


def _run(house: House, claim: Claim, *, asked_by: str, checks: Sequence[Check], incremental: bool = False) -> None:
    deployment = house.deployment

    def finish(work: Work, report: Report) -> None:
        jobs.finish(work, claim, state=str(report.status), detail=report.audit, at=deployment.clock())

    try:
        with prolonged(house, claim):
            audits.run(deployment, checks, asked_by=asked_by, incremental=incremental, closing=finish)
    except Fenced:
        _LOGGER.warning("job=%s fenced: another worker has taken over, this audit is kept as aborted", claim.job)


@contextmanager
def prolonged(house: House, claim: Claim) -> Iterator[None]:
    """Prolong the lease of a slot while a block runs; a process that is paused prolongs nothing."""
    over = threading.Event()
    beating = threading.Thread(target=_beat, args=(house, claim, over), name=f"beat {claim.job}", daemon=True)
    beating.start()
    try:
        yield
    finally:
        over.set()
        beating.join()


def _beat(house: House, claim: Claim, over: threading.Event) -> None:
    deployment = house.deployment
    while not over.wait(BEAT_SECONDS):
        try:
            with deployment.store.write() as work:
                jobs.heartbeat(work, claim, at=deployment.clock(), lease_seconds=LEASE_SECONDS)
        except Fenced:
            return  # the transaction that closes the work says so too, and stops it
        except ByleaveError as failed:
            _LOGGER.warning("job=%s lease not prolonged: %s", claim.job, failed.code)
