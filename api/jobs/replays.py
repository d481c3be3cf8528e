"""The job `replays`: what decisions were made from is let go of after a while; the decisions themselves stay."""

from datetime import timedelta
from typing import Final

from api.wiring import House
from personalise.runs import inputs

EVERY_SECONDS: Final = 600


def let_go(house: House, _holder: str) -> None:
    """Let go of all that is older than the settings say, some at a time, so that nobody waits long for his turn."""
    deployment = house.deployment
    at = deployment.clock()
    before = at - timedelta(days=house.settings.replay_days)
    gone = -1
    while gone:
        with deployment.store.write() as work:
            gone = inputs.let_go(work, before=before, at=at)
