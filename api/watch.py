"""The watch: a thread in every process that answers requests, which looks whether the worker lives and audits end.

A dead worker can't raise the alarm itself. The alarm is a row (shown on pages and by `/readyz`), and a line in the log.
"""

import logging
import threading
from typing import Final

from api.wiring import HEARTBEAT, House
from consent.audit import alarms
from consent.base.errors import ByleaveError

EVERY_SECONDS: Final = 15
_LOGGER: Final = logging.getLogger("byleave.alarm")


def start(house: House) -> threading.Event:
    """Start the watch and return what stops it. To be called in the process that answers: threads don't fork."""
    stop = threading.Event()
    threading.Thread(target=_watch, args=(house, stop), name="watch", daemon=True).start()
    return stop


def _watch(house: House, stop: threading.Event) -> None:
    while not stop.wait(EVERY_SECONDS):
        look(house)


def look(house: House) -> None:
    """Look once: raise what is amiss, clear what is over. Of several processes one writes, and says so in the log."""
    deployment = house.deployment
    try:
        looked = alarms.look(deployment.store, at=deployment.clock(), heartbeat=HEARTBEAT)
    except ByleaveError as failed:
        _LOGGER.error("alarm=unknown failed=%s", failed.code)  # noqa: TRY400 -- a traceback could quote what was read
        return
    for sign in looked.raised:
        _LOGGER.error("alarm=%s raised: %s", sign.kind, sign.detail)
    for kind in looked.cleared:
        _LOGGER.warning("alarm=%s cleared", kind)
