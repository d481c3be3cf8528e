"""A process that does one thing and kills itself on its way: when it first comes to a given line of given modules."""

import os
import signal
import sys
from collections.abc import Callable, Collection
from contextlib import closing
from datetime import datetime
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType, ModuleType, SimpleNamespace
from typing import Any, cast

from consent.base import database, store
from consent.base.ids import CustomerId
from consent.deployment import open_deployment
from consent.register import rekeying, suppressing
from consent.rights import erasing, erasure_list
from consent.vault import keyring, secret_file
from consent.witness import book, judge, own_key
from consent.witness.judge import Witness
from personalise import goodwill
from personalise.responses import coming, ignored
from tests import erasing as tests_erasing
from tests.builders import START
from tests.world import CY, World

ERASING = (erasing, erasure_list, suppressing, store, database, tests_erasing)
COSIGNING = (judge, book, store, database)
SETTLING = (ignored, goodwill, coming, store)
REKEYING = (rekeying, store, keyring, secret_file)


def killing(modules: Collection[ModuleType], step: int, *, again: bool = False) -> Callable[[FrameType, str, Any], Any]:
    """Return a trace function that kills the process at the `step`-th line of the modules that it comes to.

    A line counts when it is come to first; with `again`, each time.
    """
    come_to: set[tuple[str, int, int]] = set()

    def line(frame: FrameType) -> None:
        come_to.add((frame.f_code.co_filename, frame.f_lineno, len(come_to) if again else 0))
        if len(come_to) > step:
            os.kill(os.getpid(), signal.SIGKILL)

    return _tracing(modules, line)


def steps(modules: Collection[ModuleType], do: Callable[[], object]) -> int:
    """Do something, and return how many lines of the modules it came to: the steps at which it can be killed."""
    come_to: set[tuple[str, int]] = set()
    before = sys.gettrace()
    sys.settrace(_tracing(modules, lambda frame: come_to.add((frame.f_code.co_filename, frame.f_lineno))))
    try:
        do()
    finally:
        sys.settrace(before)
    return len(come_to)


def _tracing(
    modules: Collection[ModuleType], on_line: Callable[[FrameType], object]
) -> Callable[[FrameType, str, Any], Any]:
    files = {module.__file__ for module in modules}

    def line(frame: FrameType, event: str, _more: Any) -> Any:
        if event == "line":
            on_line(frame)
        return line

    def call(frame: FrameType, _event: str, _more: Any) -> Any:
        return line if frame.f_code.co_filename in files else None

    return call


def cosign(folder: Path, body: bytes, step: int, ready: Connection) -> None:
    """Be a witness that is asked to cosign; killed at a step."""
    witness = Witness(own_key.open_key(folder), book.open_book(folder))
    ready.send("ready")
    sys.settrace(killing(COSIGNING, step))
    witness.add_checkpoint(body, at=START)
    sys.settrace(None)


def erase(url: str, path: Path, customer: CustomerId, step: int, ready: Connection) -> None:
    """Erase a customer and leave his addresses alone; killed at a step."""
    deployment = open_deployment(database_url=url, keyring=path, clock=lambda: START)
    world = SimpleNamespace(deployment=deployment, store=deployment.store, cy=CY, clock=deployment.clock)
    with closing(deployment.store):
        ready.send("ready")
        sys.settrace(killing(ERASING, step))
        tests_erasing.erase(cast("World", world), customer, suppress=True)
        sys.settrace(None)


def rotate(url: str, path: Path, most: int, step: int, ready: Connection) -> None:
    """Rotate the key-encryption key, a few data keys at a time; killed at a step."""
    deployment = open_deployment(database_url=url, keyring=path, clock=lambda: START)
    with closing(deployment.store):
        ready.send("ready")
        sys.settrace(killing(REKEYING, step, again=True))
        rekeying.rotate(deployment.desk, deployment.store, actor=CY, clock=deployment.clock, most=most)
        sys.settrace(None)


def settle(url: str, path: Path, at: datetime, step: int, ready: Connection) -> None:
    """Settle the contacts whose time is up, two at a time; killed at a step."""
    deployment = open_deployment(database_url=url, keyring=path, clock=lambda: at)
    with closing(deployment.store):
        ready.send("ready")
        sys.settrace(killing(SETTLING, step, again=True))
        ignored.settle(deployment, actor="worker", most=2)
        sys.settrace(None)
