"""How a process of its own opens the deployment of a test."""

import os
import signal
from pathlib import Path

from consent.deployment import Deployment, open_deployment
from tests.builders import START


def open_as_it_is(url: str, keyring: Path) -> Deployment:
    """Open a deployment at the instant at which tests stand still."""
    return open_deployment(database_url=url, keyring=keyring, clock=lambda: START)


def die() -> Deployment:
    """End as a process does that is out of memory."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError
