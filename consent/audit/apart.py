"""The walk over all customers in several processes: each takes a range of them, and what they find is joined.

Only a full walk is shared out: what is new since the last audit is little. A process opens the deployment for itself,
for connections and keys can't be handed over. One that dies is a gap in every check that was on its way.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from multiprocessing import get_context
from typing import Final, NamedTuple, Protocol

from consent.audit.findings import Anchor, Check, Evidence
from consent.audit.judging import Walk, pages_of, show
from consent.audit.pages import BEHIND_ALL
from consent.audit.tally import Part, Tally
from consent.base.clock import Clock
from consent.base.store import Store
from consent.register import customers
from consent.register.desk import Desk
from consent.rights.horizon import Horizon

LEAST: Final = 10_000
"""Customers for which a process of their own is worth starting."""


class Opened(Protocol):
    """A deployment, as far as a process needs it."""

    @property
    def store(self) -> Store:
        """The database."""

    @property
    def desk(self) -> Desk:
        """Keys and catalogues."""

    @property
    def clock(self) -> Clock:
        """The time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Apart:
    """How to share a walk out: among how many processes, and how each of them opens the deployment.

    `opened` goes to another process: it is a function of a module, or a `functools.partial` of one.
    """

    processes: int
    opened: Callable[[], Opened]
    least: int = LEAST


class _Told(NamedTuple):
    """What a process is told of the evidence."""

    at: datetime
    now: datetime | None
    marks: Mapping[str, Anchor]
    horizon: Horizon | None


def walk(evidence: Evidence, apart: Apart) -> Walk:
    """Return the walk that is shared out, for `judging.judged`."""
    return partial(_walk, evidence, apart)


def _walk(evidence: Evidence, apart: Apart, tallies: Sequence[Tally], since: int) -> None:
    ranges = [] if since else _ranges(evidence, apart)
    if len(ranges) < 2:  # noqa: PLR2004 -- one is no sharing
        show(tallies, pages_of(evidence, since=since))
        return
    told = _Told(evidence.at, evidence.now, evidence.marks, evidence.horizon)
    checks = [tally.check for tally in tallies]
    with ProcessPoolExecutor(len(ranges), mp_context=get_context("forkserver")) as processes:
        parts = [processes.submit(_part, apart.opened, told, checks, *bounds) for bounds in ranges]
        for part in parts:
            for tally, found in zip(tallies, part.result(), strict=True):
                tally.join(found)


def _ranges(evidence: Evidence, apart: Apart) -> list[tuple[str, str]]:
    """Return ranges of ids of as many customers each."""
    with evidence.store.read() as work:
        total = customers.count(work)
        pieces = min(apart.processes, total // apart.least) or 1
        ends = [customers.nth(work, total * number // pieces - 1) for number in range(1, pieces)]
    return list(zip(["", *ends], [*ends, BEHIND_ALL], strict=True))


def _part(opened: Callable[[], Opened], told: _Told, checks: Sequence[Check], after: str, until: str) -> list[Part]:
    """Walk a range, in a process of its own."""
    deployment = opened()
    try:
        evidence = Evidence(store=deployment.store, desk=deployment.desk, **told._asdict())
        tallies = [Tally(check, evidence, deployment.clock) for check in checks]
        for tally in tallies:
            tally.start()
            if tally.reader is not None:
                tally.reader.between(after, until)
        show(tallies, pages_of(evidence, after=after, until=until))
        return [tally.part() for tally in tallies]
    finally:
        deployment.store.close()
