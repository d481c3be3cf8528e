"""The job that starts campaigns whose time has come.

A slot is claimed for each version and time, and closed in the transaction that starts the run: two workers start it
once, and a time that was missed while no worker was there is made up for, once.
"""

import logging
from typing import Final

from api.wiring import House
from consent import jobs
from consent.base.errors import Fenced
from consent.base.store import Work
from consent.jobs import Claim
from personalise.life import events, running
from personalise.life.events import Event
from personalise.life.running import Came

EVERY_SECONDS: Final = 5
LEASE_SECONDS: Final = 120
_LOGGER: Final = logging.getLogger("byleave.worker")


def due(house: House, holder: str) -> None:
    """Start what is scheduled for a time that has come, unless some worker has."""
    deployment = house.deployment
    with deployment.store.read() as work:
        waiting = events.due(work, deployment.clock())
    for each in waiting:
        at = deployment.clock()
        with deployment.store.write() as work:
            claim = jobs.claim(work, job_of(each), each.due_at or at, holder, at=at, lease_seconds=LEASE_SECONDS)
        if claim is not None:
            _start(house, each, claim)


def job_of(scheduled: Event) -> str:
    """Return what the job of one scheduled start is called: scheduled anew, it is another."""
    return f"campaign:{scheduled.campaign}:{scheduled.position}"


def _start(house: House, scheduled: Event, claim: Claim) -> None:
    deployment = house.deployment

    def close(work: Work, came: Came) -> None:
        at = deployment.clock()
        if came is Came.WAITS:
            jobs.release(work, claim, at=at)
        else:
            jobs.finish(work, claim, state=came, detail="", at=at)

    four_eyes = house.settings.demands_four_eyes
    try:
        came = running.start_due(deployment, scheduled, four_eyes=four_eyes, closing=close)
    except Fenced:
        _LOGGER.warning("job=%s fenced: another worker has taken over", claim.job)
        return
    if came is Came.LAPSED:
        _LOGGER.error("job=%s not started: its approval does not hold any more", claim.job)
