"""The job `reminders`: once a day, whose consent ends soon is queued to be reminded."""

from datetime import timedelta
from typing import Final

from api.wiring import House
from consent import jobs
from consent.base.clock import EPOCH
from consent.register import reminders

JOB: Final = "reminders"
EVERY_SECONDS: Final = 600
"""How often it is looked whether today's walk has been made."""

_DAY: Final = timedelta(days=1)
_LEASE_SECONDS: Final = 3_600


def queue(house: House, holder: str) -> None:
    """Walk all customers, once a day, whoever of the workers comes first."""
    deployment = house.deployment
    at = deployment.clock()
    today = at - (at - EPOCH) % _DAY
    with deployment.store.write() as work:
        claim = jobs.claim(work, JOB, today, holder, at=at, lease_seconds=_LEASE_SECONDS)
    if claim is None:
        return
    done = reminders.queue(deployment.desk, deployment.store, at=at, days=house.settings.remind_days)
    with deployment.store.write() as work:
        detail = f"{done.queued} queued, {done.dropped} dropped"
        jobs.finish(work, claim, state="finished", detail=detail, at=deployment.clock())
