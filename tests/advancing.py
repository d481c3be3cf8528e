"""What a process of its own does in the tests of faults: it opens a deployment, carries a run on, or decides."""

import multiprocessing
from collections.abc import Callable, Iterable
from contextlib import closing
from datetime import datetime, timedelta
from functools import partial
from itertools import product
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Any, Final

from consent.base.ids import CustomerId, RunId
from consent.deployment import Deployment, open_deployment
from personalise import engine
from personalise.life import deferring
from personalise.runs import processes, run
from tests.builders import START


def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.advancing", "tests.faults.stepping"])  # then a process is there at once
    return context


PROCESSES: Final = _context()


def advance(url: str, keyring: Path, identity: RunId, most: int, ready: Connection) -> None:
    """Carry a run on at the instant at which tests stand still; say when it begins."""
    deployment = open_deployment(database_url=url, keyring=keyring, clock=lambda: START)
    with closing(deployment.store):
        ready.send("ready")
        run.advance(deployment, identity, most=most)


def opened(url: str, keyring: Path) -> Deployment:
    """Open a deployment at the instant at which tests stand still, as the processes of an engine do."""
    return open_deployment(database_url=url, keyring=keyring, clock=standing)


def standing() -> datetime:
    """Return the instant at which tests stand still."""
    return START


def advance_in(url: str, keyring: Path, identity: RunId, most: int, count: int, ready: Connection) -> None:
    """Carry a run on in several processes; say when it begins."""
    deployment = opened(url, keyring)
    with closing(deployment.store):
        ready.send("ready")
        processes.advance(
            deployment, identity, opened=partial(opened, url, keyring), processes=count, most=most
        )  # fmt: skip


def decide(url: str, keyring: Path, customers: Iterable[CustomerId], later: int, ready: Connection) -> None:
    """Decide for customers one after the other, by a clock that is some milliseconds off."""
    decide_in(url, keyring, customers, ("spring",), later, ready)


def decide_in(
    url: str, keyring: Path, customers: Iterable[CustomerId], campaigns: Iterable[str], later: int, ready: Connection
) -> None:
    """Decide for customers in campaigns, one after the other, by a clock that is some milliseconds off."""
    deployment = open_deployment(
        database_url=url, keyring=keyring, clock=lambda: START + timedelta(milliseconds=later)
    )  # fmt: skip
    with closing(deployment.store):
        ready.send("ready")
        for customer, campaign in product(customers, campaigns):
            engine.decide_one(deployment, customer, campaign=campaign, actor="mia")


def started(target: Callable[..., None], *arguments: Any) -> ForkServerProcess:
    """Start a process and return once it is at work."""
    here, there = PROCESSES.Pipe(duplex=False)
    process = PROCESSES.Process(target=target, args=(*arguments, there))
    process.start()
    there.close()
    assert here.recv() == "ready"
    return process


def decide_again(url: str, keyring: Path, later: timedelta, most: int, ready: Connection) -> None:
    """Decide again for everybody who is due some time after the start, batch by batch."""
    deployment = open_deployment(database_url=url, keyring=keyring, clock=lambda: START + later)
    with closing(deployment.store):
        ready.send("ready")
        while deferring.decide_again(deployment, actor="worker", four_eyes=False, most=most):
            pass
