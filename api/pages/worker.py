"""Whether the worker lives, in words: what is queued has to say why it waits."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from api.pages import present
from api.wiring import HEARTBEAT
from consent import jobs
from consent.base.store import Work

SILENT_AFTER: Final = timedelta(seconds=60)
"""A worker leaves a sign of life four times as often."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """The worker, as pages show it."""

    alive: bool
    words: str


def worker(work: Work, *, at: datetime) -> Worker:
    """Return when the worker was last seen, and what waits if it is silent."""
    last = jobs.last_beat(work, HEARTBEAT)
    if last is None:
        return Worker(
            alive=False, words="No worker has been seen yet. Runs and audits wait until one is started: byleave worker"
        )
    seen = f"The worker was last seen {present.ago(last, at)}."
    if at - last > SILENT_AFTER:
        return Worker(alive=False, words=f"{seen} Runs and audits wait until one is started: byleave worker")
    return Worker(alive=True, words=seen)
