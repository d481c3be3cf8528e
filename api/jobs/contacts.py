"""The jobs that look after reserved contacts: what nobody sent in time expires, who was held back is decided for again.

No slot is claimed: each batch is one transaction that locks its customers, so two workers do nothing twice.
"""

from typing import Final

from api.wiring import House
from personalise import reservations
from personalise.life import deferring, releasing

SWEEP_SECONDS: Final = 60
AGAIN_SECONDS: Final = 10
ACTOR: Final = "worker"
_AT_ONCE: Final = 1_000


def sweep(house: House, _holder: str) -> None:
    """Let reserved contacts expire that nobody sent within their time to live; release those of stopped campaigns."""
    deployment = house.deployment
    more = True
    while more:
        with deployment.store.write() as work:
            more = reservations.sweep(work, deployment.clock(), _AT_ONCE) > 0
    releasing.release(deployment)


def again(house: House, _holder: str) -> None:
    """Decide again for everybody whose time has come, a batch at a time."""
    four_eyes = house.settings.demands_four_eyes
    while deferring.decide_again(house.deployment, actor=ACTOR, four_eyes=four_eyes):
        pass
