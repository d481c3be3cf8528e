"""Evidence packs that somebody asked for and didn't wait for; and the bytes of old ones, which are let go."""

import logging
from typing import Final

from api.explained import EXPLAINED
from api.jobs.audits import LEASE_SECONDS, prolonged
from api.wiring import House
from consent import jobs
from consent.audit.packs import making, shelf
from consent.base.clock import from_ms
from consent.base.errors import Fenced
from consent.base.store import Work

MOST: Final = 20
_LOGGER: Final = logging.getLogger("byleave.worker")


def queued(house: House, holder: str) -> None:
    """Make the packs that wait, the oldest first, unless some worker makes them; let go of those no longer kept."""
    deployment = house.deployment
    at = deployment.clock()
    with deployment.store.read() as work:
        waiting, over = shelf.waiting(work, most=MOST), shelf.is_over(work, at=at)
    for each in waiting:
        _make(house, each, holder)
    if over:
        with deployment.store.write() as work:
            shelf.tidy(work, at=at)


def _make(house: House, pack: str, holder: str) -> None:
    deployment = house.deployment
    with deployment.store.write() as work:
        claim = jobs.claim(
            work, f"pack:{pack}", from_ms(0), holder, at=deployment.clock(), lease_seconds=LEASE_SECONDS
        )  # fmt: skip
    if claim is None:
        return

    def finish(work: Work) -> None:
        jobs.finish(work, claim, state="made", detail="", at=deployment.clock())

    try:
        with prolonged(house, claim):
            making.make(deployment, pack, explained=EXPLAINED, closing=finish)
    except Fenced:
        _LOGGER.warning("job=%s fenced: another worker makes this pack", claim.job)
