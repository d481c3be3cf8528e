"""The worker: the clock as a caller. It starts audits, signs checkpoints and carries runs on.

APScheduler only tells the time, from a job store in memory; the truth is `job_run`. Every slot of a job is claimed
once, by a holder with a fencing token and a lease, so that two workers are harmless and one that was paused past its
lease can't write any more. Nothing is decided here: each job opens the house and calls one use case.
"""

import logging
import os
import socket
import threading
from collections.abc import Callable
from datetime import UTC, timedelta
from typing import Final

from apscheduler.schedulers.background import BackgroundScheduler

from api import engines
from api.jobs import audits, campaigns, contacts, erasures, ignored, ledger, outbox, packs, reminders, replays
from api.wiring import ASKED_AUDIT, HEARTBEAT, House
from consent import jobs
from consent.base.clock import from_ms
from consent.base.errors import ByleaveError, StateConflict
from consent.base.ids import RunId
from personalise.life import running
from personalise.runs import run as runs

HEARTBEAT_SECONDS: Final = 15
_RUN_LEASE_SECONDS: Final = 120
_LOGGER: Final = logging.getLogger("byleave.worker")


def work(house: House, stop: threading.Event) -> None:
    """Run the worker's jobs until `stop` is set; the job under way is finished first."""
    holder = f"{socket.gethostname()}:{os.getpid()}:{threading.get_ident()}"
    scheduler = BackgroundScheduler(timezone=UTC, job_defaults={"coalesce": True, "max_instances": 1})
    settings = house.settings
    plan: tuple[tuple[str, Callable[[House, str], None], int], ...] = (
        (HEARTBEAT, _heartbeat, HEARTBEAT_SECONDS),
        ("checkpoint", ledger.checkpoint, settings.checkpoint_every_seconds),
        ("witness", ledger.witness, ledger.WITNESS_SECONDS),
        ("seal", ledger.seal, ledger.SEAL_SECONDS),
        (ledger.SNAPSHOT, ledger.snapshot, ledger.SNAPSHOT_SECONDS),
        ("campaigns", campaigns.due, campaigns.EVERY_SECONDS),
        ("runs", _runs, 1),
        ("contacts", contacts.sweep, contacts.SWEEP_SECONDS),
        ("deferrals", contacts.again, contacts.AGAIN_SECONDS),
        ("audits", audits.scheduled, 20),
        (ASKED_AUDIT, audits.asked, 2),
        ("findings", audits.lapsed, 60),
        ("packs", packs.queued, 2),
        ("erasures", erasures.verify, erasures.EVERY_SECONDS),
        ("outbox", outbox.hand_over, outbox.EVERY_SECONDS),
        (reminders.JOB, reminders.queue, reminders.EVERY_SECONDS),
        ("ignored", ignored.settle, ignored.EVERY_SECONDS),
        ("replays", replays.let_go, replays.EVERY_SECONDS),
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


def _heartbeat(house: House, holder: str) -> None:
    deployment = house.deployment
    at = deployment.clock()
    with deployment.store.write() as work:
        jobs.beat(work, HEARTBEAT, holder, at=at)


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
        ended = running.advance(deployment, run, engine=engines.engine(house), progress=still_mine)
    except StateConflict:
        return  # fenced: another worker has taken over, and goes on with what is left
    with deployment.store.write() as work:
        if ended.state == runs.PAUSED:
            jobs.release(work, claim, at=deployment.clock())
        else:
            jobs.finish(work, claim, state=ended.state, detail="", at=deployment.clock())
