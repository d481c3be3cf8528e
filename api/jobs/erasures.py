"""The jobs that look after erasures: prove each, and keep the list of erasures in step with the database."""

import logging
from typing import Final

from api import erasing
from api.wiring import House

EVERY_SECONDS: Final = 60
_LOGGER: Final = logging.getLogger("byleave.worker")


def verify(house: House, _holder: str) -> None:
    """Prove of everybody erased that nothing is left of him; where something is, say where, and try again later."""
    erasing.check(house)
    left = erasing.verify(house).left
    if left:
        places = sorted({place for each in left.values() for place in each})
        _LOGGER.error("job=erasures unproved=%d left_in=%s", len(left), ",".join(places))
