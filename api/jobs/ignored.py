"""The job `ignored`: contacts of which nothing came in the time that their campaign waits for it."""

import logging
from typing import Final

from api.wiring import House
from personalise.responses import ignored

EVERY_SECONDS: Final = 600
_LOGGER: Final = logging.getLogger("byleave.worker")


def settle(house: House, _holder: str) -> None:
    """Settle what is due. Two workers, or one that was killed, judge each contact once: it is one transaction."""
    done = ignored.settle(house.deployment, actor="worker")
    if done.unread:
        _LOGGER.error("job=ignored unread_campaigns=%s", ",".join(done.unread))
