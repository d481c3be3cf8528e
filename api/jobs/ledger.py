"""The jobs that keep the ledger: checkpoints, cosignatures, the turn of the half-year, the nightly snapshot."""

import logging
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

from api.wiring import House
from consent import jobs
from consent.base.clock import from_ms, to_ms
from consent.base.errors import StateConflict
from consent.base.store import Work
from consent.register import proving, sealing, snapshots

SNAPSHOT: Final = "snapshot"
ACTOR: Final = "worker"
WITNESS_SECONDS: Final = 20
SEAL_SECONDS: Final = 60
SNAPSHOT_SECONDS: Final = 60
_NIGHT: Final = timedelta(hours=2)
"""When a night's snapshot is due, UTC."""

_DAY: Final = timedelta(days=1)
_LEASE_SECONDS: Final = 300
_LOGGER: Final = logging.getLogger("byleave.worker")


def checkpoint(house: House, _holder: str) -> None:
    """Sign what grew since the last checkpoint."""
    deployment = house.deployment
    with deployment.store.read() as work:
        if proving.is_covered(work):
            return
    at = deployment.clock()
    with deployment.store.write() as work:
        proving.sign_checkpoint(deployment.desk, work, at=at)


def witness(house: House, _holder: str) -> None:
    """Have the newest checkpoint cosigned, and stop appends where the witness contradicts it."""
    witnessing = house.witnessing
    if witnessing is None:
        return
    found = witnessing.cosign()
    if found.held:
        _LOGGER.critical("job=witness held=yes signed=%d cosigned=%d", found.signed, found.cosigned)
    elif found.trouble:
        _LOGGER.error("job=witness uncosigned=%d", found.signed - found.cosigned)


def seal(house: House, _holder: str) -> None:
    """Seal the log whose half-year is over, and open the next."""
    deployment = house.deployment
    at = deployment.clock()
    with deployment.store.read() as work:
        if sealing.due(work, at) is None:
            return
    with suppress(StateConflict), deployment.store.write() as work:  # another worker was quicker
        sealing.seal(deployment.desk, work, at=at)


def night_of(at: datetime) -> datetime:
    """Return when the snapshot was due that should be there by now.

    >>> from datetime import UTC
    >>> night_of(datetime(2026, 11, 21, 1, 59, tzinfo=UTC)).isoformat()
    '2026-11-20T02:00:00+00:00'
    """
    day = _DAY // timedelta(milliseconds=1)
    return from_ms(to_ms(at - _NIGHT) // day * day) + _NIGHT


def snapshot(house: House, holder: str) -> None:
    """Take the snapshot of this night, unless some worker has."""
    deployment = house.deployment
    at = deployment.clock()
    due = night_of(at)
    with deployment.store.read() as work:
        last = jobs.newest(work, SNAPSHOT, most=1)
    if last and last[0].scheduled_for == due and (last[0].state != jobs.RUNNING or last[0].lease_until > at):
        return
    with deployment.store.write() as work:
        claim = jobs.claim(work, SNAPSHOT, due, holder, at=at, lease_seconds=_LEASE_SECONDS)
    if claim is None:
        return

    def still_mine(work: Work) -> None:
        jobs.heartbeat(work, claim, at=deployment.clock(), lease_seconds=_LEASE_SECONDS)

    taken = snapshots.take(deployment.store, deployment.desk, actor=ACTOR, clock=deployment.clock, fence=still_mine)
    with deployment.store.write() as work:
        jobs.finish(work, claim, state="taken", detail=str(taken.entry), at=deployment.clock())
