"""A run: a campaign over all customers, one transaction a chunk, in which it is also crossed out of the run's plan.

Resuming is running: a run that was killed goes on with the chunks that are left, and decides as an uninterrupted one
would have, in however many processes.
"""

import time
from datetime import datetime
from typing import Final, Protocol

import sqlalchemy as sa

from consent.base.errors import StateConflict
from consent.base.ids import RunId, new_id
from consent.base.store import Work
from consent.deployment import Deployment
from consent.register import customers
from personalise.runs import plan, ranking, stands
from personalise.runs.carrying import Carrier, Step
from personalise.runs.counts import Counts
from personalise.runs.dry_run import CHUNK, Progress, load_policy
from personalise.runs.stands import FINISHED, PAUSED, RUNNING, STOPPED, Noting, Run, by_id, going, newest, read
from personalise.tables import RunRow

__all__ = [
    "FINISHED",
    "PAUSED",
    "RUNNING",
    "STOPPED",
    "Engine",
    "Noting",
    "Run",
    "advance",
    "by_id",
    "change",
    "going",
    "newest",
    "opened",
    "planned",
    "read",
]


class Engine(Protocol):
    """Carries a run on to its end, as `advance` does in one process; what is decided doesn't depend on which it is."""

    def __call__(
        self,
        deployment: Deployment,
        run: RunId,
        *,
        progress: Progress | None = None,
        most: int = CHUNK,
        noting: Noting | None = None,
    ) -> Run:
        """Carry a run on until it is finished, paused or stopped; return how it stands then."""


_LOOK_AGAIN_SECONDS: Final = 0.05
_MAY: Final = {RUNNING: (PAUSED, STOPPED), PAUSED: (RUNNING, STOPPED), STOPPED: (), FINISHED: ()}


def opened(
    deployment: Deployment, work: Work, key: str, *, actor: str, at: datetime, version: int = 0, catalogue: int = 0
) -> RunId:
    """Open a run of a campaign's version (0: the newest); `advance` carries it out. The caller holds `shelf.lock`.

    Whether it may be run at all is not asked here: `personalise.life` does, in the same transaction.

    Raises:
        CampaignUnknown: no campaign by that key, or no such version.
        StateConflict: a run of it is under way already.
    """
    policy, model = load_policy(deployment, work, key, version=version, catalogue=catalogue)
    under_way = going(work, key)
    if under_way:
        msg = f"run {under_way} of {key} is under way: resume or stop it first"
        raise StateConflict(msg)
    run = RunId(new_id("run", at))
    row = {
        "id": run, "campaign": key, "version": policy.version, "model": model, "at": at,
        "catalogue": policy.catalogue.version, "contact_policy": policy.contact_policy.version,
        "policy": policy.digest,
        "state": RUNNING, "after": "", "chunk": 0, "done": 0, "total": customers.count(work),
        "counts": Counts().stored(), "asked_by": actor, "created_at": at, "beat_at": at, "ended_at": None,
        "milliseconds": 0, "quotas": "",
    }  # fmt: skip
    work.connection.execute(sa.insert(RunRow).values(**row))
    return run


def advance(
    deployment: Deployment,
    run: RunId,
    *,
    progress: Progress | None = None,
    most: int = CHUNK,
    noting: Noting | None = None,
) -> Run:
    """Carry a run on, chunk by chunk, until it is finished, paused or stopped; return how it stands then.

    Others may be at it, too: what they began and don't end is done here.

    Args:
        deployment: where it runs.
        run: its id.
        progress: called after each chunk with how many customers are done, and how many there were at the start.
        most: customers in a chunk. What is decided doesn't depend on it.
        noting: called in the transaction in which it has come to its end.

    Raises:
        RunUnknown: no run by that id.
        LedgerBroken: what its policy was made of has changed since it started.
    """

    def closing(work: Work) -> None:
        _finish(deployment, work, run, noting)

    carrier = Carrier(deployment=deployment, run=run, most=most, tell=progress, closing=closing)
    while (step := carrier.step()) is not Step.OVER:
        if step is Step.ELSEWHERE:
            time.sleep(_LOOK_AGAIN_SECONDS)
    return read(deployment, run)


def planned(deployment: Deployment, run: RunId, *, most: int = CHUNK) -> list[int]:
    """Rank everybody, where the run has to, and plan all chunks; return the numbers of those that are to be decided.

    None are where it is not running, or where chunks have to be decided in their order: then one process does it.

    Raises:
        RunUnknown, LedgerBroken: as `advance` says.
    """
    carrier = Carrier(deployment=deployment, run=run, most=most)
    while (step := carrier.prepare()) is Step.READIED:
        pass
    if step is Step.OVER or carrier.in_turn:
        return []
    with deployment.store.read() as work:
        return plan.left(work, run)


def _finish(deployment: Deployment, work: Work, run: RunId, noting: Noting | None) -> None:
    at = deployment.clock()
    _close(work, run)
    stands.update(work, run, state=FINISHED, ended_at=at, beat_at=at)
    if noting:
        noting(work, stands.run_of(stands.of(work, run)), at)


def _close(work: Work, run: RunId) -> None:
    """Give back what was set aside for a run that is over, and drop what is still planned."""
    row = stands.of(work, run)
    ranking.given_back(work, row.campaign, row.quotas)
    plan.drop(work, run)
    stands.update(work, run, quotas=ranking.emptied(row.quotas))


def change(deployment: Deployment, run: RunId, state: str, *, noting: Noting | None = None) -> Run:
    """Pause, resume or stop a run. Once it is paused or stopped nothing more is decided.

    A chunk that somebody is at then is rolled back.

    Args:
        deployment: where it runs.
        run: its id.
        state: that it is to be in.
        noting: called in the transaction that changes it, if anything is changed.

    Raises:
        RunUnknown: no run by that id.
        StateConflict: it can't go from its state to that one.
    """
    at = deployment.clock()
    with deployment.store.write() as work:
        row = stands.locked(work, run)
        if state != row.state:
            if state not in _MAY[row.state]:
                msg = f"a run that is {row.state} can't become {state[:80]}"
                raise StateConflict(msg)
            if state == STOPPED:
                _close(work, run)
            stands.update(work, run, state=state, beat_at=at, ended_at=at if state == STOPPED else None)
            if noting:
                noting(work, stands.run_of(stands.locked(work, run)), at)
    return read(deployment, run)
