"""What a process of its own does in the test of two workers: it runs the audit that is due, and takes its time."""

import os
import time
from contextlib import closing
from datetime import datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path

from api.jobs import audits
from api.settings import Settings
from api.wiring import House
from consent.audit.findings import Check, Judged
from consent.deployment import open_deployment
from tests.builders import START


def clock(begun: float) -> datetime:
    """Return the tests' time plus what has passed since `begun` on a clock that all processes of the machine share."""
    return START + timedelta(minutes=60, milliseconds=round(1000 * (time.monotonic() - begun)))


def work(url: str, keyring: Path, begun: float, lease: float, slow: Connection, ready: Connection) -> None:
    """Run what is due under a short lease; the check says that it has begun, and waits to be told to go on."""
    vars(audits).update(LEASE_SECONDS=lease, BEAT_SECONDS=lease / 5)  # a lease that a test can sit out

    def look(_evidence):
        slow.send(os.getpid())
        slow.recv()
        yield Judged(1)

    vars(audits).update(CHECKS=(Check(key="slow", title="A slow check", function=look),))
    deployment = open_deployment(database_url=url, keyring=keyring, clock=lambda: clock(begun))
    house = House(settings=Settings(database_url=url, keyring=keyring), deployment=deployment)
    with closing(deployment.store):
        ready.send("ready")
        audits.scheduled(house, f"worker {os.getpid()}")
