"""The local engine: a run in several processes of this machine, each of which takes the next chunk that nobody is at.

Whoever starts the others works beside them. Each opens the deployment for itself, for connections and keys can't be
handed over. One that dies leaves its chunk to the others, in the end to who started it: nothing hangs on any of them.
"""

import logging
import signal
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from multiprocessing import get_context, parent_process
from multiprocessing.process import BaseProcess
from typing import Final

from consent.base.errors import ByleaveError, Invalid
from consent.base.ids import RunId
from consent.deployment import Deployment
from personalise.runs import run as runs
from personalise.runs.carrying import Carrier, Step
from personalise.runs.dry_run import CHUNK, Progress
from personalise.runs.run import Noting, Run

Opened = Callable[[], Deployment]
"""How another process opens the deployment: a function of a module, or a `functools.partial` of one."""

_PATIENCE_SECONDS: Final = 60.0
_LOGGER: Final = logging.getLogger("byleave.runs")


def usual(deployment: Deployment, cores: int) -> int:
    """Return in how many processes a run is carried on unless somebody says otherwise."""
    return cores if deployment.store.dialect == "postgresql" else 1


def require_writers(deployment: Deployment, processes: int) -> None:
    """Require a database that so many processes can write to.

    Raises:
        Invalid: they are several, and it is SQLite.
    """
    if processes > 1 and deployment.store.dialect != "postgresql":
        raise Invalid(f"{processes} processes: SQLite lets one writer in at a time, so a run on it goes in 1 process")


def advance(
    deployment: Deployment,
    run: RunId,
    *,
    opened: Opened,
    processes: int,
    progress: Progress | None = None,
    most: int = CHUNK,
    noting: Noting | None = None,
) -> Run:
    """Carry a run on in several processes until it is finished, paused or stopped, as `runs.advance` does in one.

    What is decided doesn't depend on their number.

    Args:
        deployment: where it runs.
        run: its id.
        opened: how each process opens the deployment.
        processes: how many, with this one.
        progress: called after each chunk of this process with how many customers are done by all, and how many there
            were at the start.
        most: customers in a chunk.
        noting: called in the transaction in which it has come to its end.

    Raises:
        Invalid: several processes on SQLite.
        RunUnknown, LedgerBroken: as `runs.advance` says.
    """
    require_writers(deployment, processes)
    left = runs.planned(deployment, run, most=most) if processes > 1 else []
    with _working(opened, run, most, min(processes, len(left)) - 1):
        return runs.advance(deployment, run, progress=progress, most=most, noting=noting)


@contextmanager
def _working(opened: Opened, run: RunId, most: int, count: int) -> Iterator[None]:
    """Start processes beside this one; none is left when the block is.

    They see for themselves that the run is over, and tidy up; after an error what they are at is rolled back.
    """
    context = get_context("forkserver")
    told = (opened, run, most)
    working: list[BaseProcess] = [context.Process(target=work_off, args=told, daemon=True) for _ in range(count)]
    try:
        for each in working:
            each.start()
        yield
        for each in working:
            each.join(_PATIENCE_SECONDS)
    finally:
        for each in working:
            if each.pid is not None:
                each.terminate()
                each.join()


def work_off(opened: Opened, run: RunId, most: int = CHUNK) -> None:
    """Decide the chunks of a run, in a process of its own, until none is left that nobody is at.

    Who started it ends the run; without him it goes no further. What it can't do it leaves to him, and to his errors.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all of us: who started us ends us
    starter = parent_process()
    try:
        with closing(opened()) as deployment:
            carrier = Carrier(deployment=deployment, run=run, most=most)
            while carrier.step() in (Step.DECIDED, Step.READIED):
                if starter is not None and not starter.is_alive():
                    return
    except ByleaveError as failed:
        _LOGGER.error("run=%s failed=%s in one of its processes", run, failed.code)  # noqa: TRY400 -- a traceback could quote what was read
