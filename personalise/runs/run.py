"""A run: a campaign over all customers, one transaction a chunk, the cursor committed with it.

Resuming is running: a run that was killed goes on from its cursor, and decides as an uninterrupted one would have.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from consent.base.clock import to_ms
from consent.base.database import table_of
from consent.base.errors import LedgerBroken, RunUnknown, StateConflict
from consent.base.ids import RunId, new_id
from consent.base.store import Work
from consent.deployment import Deployment
from consent.register import customers
from consent.uses import Use
from personalise import shelf
from personalise.runs import chunk
from personalise.runs.counts import Counts, from_stored
from personalise.runs.dry_run import CHUNK, Progress, load_policy
from personalise.steps.personalise.policy import Policy
from personalise.tables import RunRow

RUNNING: Final = "running"
PAUSED: Final = "paused"
STOPPED: Final = "stopped"
FINISHED: Final = "finished"

_MAY: Final = {RUNNING: (PAUSED, STOPPED), PAUSED: (RUNNING, STOPPED), STOPPED: (), FINISHED: ()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """How a run stands."""

    id: RunId
    campaign: str
    version: int
    model: int
    catalogue: int
    at: datetime
    state: str
    done: int
    total: int
    counts: Counts
    asked_by: str
    beat_at: datetime
    ended_at: datetime | None
    seconds: float


def start(deployment: Deployment, key: str, *, actor: str) -> RunId:
    """Open a run of a campaign's newest version; `advance` carries it out.

    Raises:
        CampaignUnknown: no campaign by that key.
        StateConflict: a run of it is under way already.
    """
    at = deployment.clock()
    with deployment.store.write() as work:
        shelf.lock(work, key)
        policy, model = load_policy(deployment, work, key)
        going = sa.select(RunRow.id).where(RunRow.campaign == key, RunRow.state.in_((RUNNING, PAUSED)))
        under_way = work.connection.execute(going).scalar()
        if under_way:
            msg = f"run {under_way} of {key} is under way: resume or stop it first"
            raise StateConflict(msg)
        run = RunId(new_id("run", at))
        row = {
            "id": run, "campaign": key, "version": policy.version, "model": model, "at": at,
            "catalogue": policy.catalogue.version, "policy": policy.digest,
            "state": RUNNING, "after": "", "chunk": 0, "done": 0, "total": customers.count(work),
            "counts": Counts().stored(), "asked_by": actor, "created_at": at, "beat_at": at, "ended_at": None,
            "milliseconds": 0,
        }  # fmt: skip
        work.connection.execute(sa.insert(RunRow).values(**row))
    return run


def advance(deployment: Deployment, run: RunId, *, progress: Progress | None = None, most: int = CHUNK) -> Run:
    """Carry a run on, chunk by chunk, until it is finished, paused or stopped; return how it stands then.

    Args:
        deployment: where it runs.
        run: its id.
        progress: called after each chunk with how many customers are done, and how many there were at the start.
        most: customers in a chunk. What is decided doesn't depend on it.

    Raises:
        RunUnknown: no run by that id.
        LedgerBroken: what its policy was made of has changed since it started.
    """
    policy: Policy | None = None
    while True:
        with deployment.store.write() as work:
            row = _locked(work, run)
            if row.state != RUNNING:
                return _run(row)
            policy = policy or _policy(deployment, work, row)
            done = _one_chunk(deployment, work, row, policy, most=most)
        if progress and done > row.done:
            progress(done, row.total)


def _policy(deployment: Deployment, work: Work, row: Any) -> Policy:  # noqa: ANN401 -- a row of run
    pinned = {"version": row.version, "model": row.model, "catalogue": row.catalogue}
    policy, _ = load_policy(deployment, work, row.campaign, **pinned)
    if policy.digest != bytes(row.policy):
        msg = "the policy of this run is no longer what it started with, though all its parts are insert-only"
        raise LedgerBroken(msg)
    return policy


def _one_chunk(
    deployment: Deployment,
    work: Work,
    row: Any,  # noqa: ANN401 -- a row of run
    policy: Policy,
    *,
    most: int,
) -> int:
    began = deployment.clock()
    ids = customers.after(work, row.after, most)
    if not ids:
        _update(work, row.id, state=FINISHED, ended_at=began, beat_at=began)
        return int(row.done)
    chunk.locked(work, ids)
    use = Use(actor=row.asked_by, purpose=policy.campaign.purpose, decision=row.id)
    made = chunk.decided(deployment.desk, work, ids, policy, use=use, at=row.at, now=began)
    identity = chunk.chunk_id(row.id, row.chunk)
    chunk.keep(deployment.desk, work, made, policy, chunk_id=identity, run=row.id, number=row.chunk, at=row.at)
    counts = from_stored(row.counts)
    counts.add(made.table, policy)
    ended = deployment.clock()
    took = max(0, to_ms(ended) - to_ms(began))
    _update(
        work, row.id, after=ids[-1], chunk=row.chunk + 1, done=row.done + len(ids), counts=counts.stored(),
        beat_at=ended, milliseconds=row.milliseconds + took,
    )  # fmt: skip
    return int(row.done) + len(ids)


def change(deployment: Deployment, run: RunId, state: str) -> Run:
    """Pause, resume or stop a run; it takes effect before the next chunk.

    Raises:
        RunUnknown: no run by that id.
        StateConflict: it can't go from its state to that one.
    """
    at = deployment.clock()
    with deployment.store.write() as work:
        row = _locked(work, run)
        if state != row.state:
            if state not in _MAY[row.state]:
                msg = f"a run that is {row.state} can't become {state[:80]}"
                raise StateConflict(msg)
            _update(work, run, state=state, beat_at=at, ended_at=at if state == STOPPED else None)
    return read(deployment, run)


def read(deployment: Deployment, run: RunId) -> Run:
    """Return how a run stands.

    Raises:
        RunUnknown: no run by that id.
    """
    with deployment.store.read() as work:
        row = work.connection.execute(sa.select(table_of(RunRow)).where(RunRow.id == run)).first()
    if row is None:
        raise RunUnknown
    return _run(row)


def newest(work: Work, campaign: str | None = None, *, most: int = 20, state: str | None = None) -> list[Run]:
    """Return the newest runs, of all campaigns or of one, newest first."""
    query = sa.select(table_of(RunRow)).order_by(RunRow.created_at.desc(), RunRow.id.desc()).limit(most)
    if campaign is not None:
        query = query.where(RunRow.campaign == campaign)
    if state is not None:
        query = query.where(RunRow.state == state)
    return [_run(row) for row in work.connection.execute(query)]


def _locked(work: Work, run: RunId) -> Any:  # noqa: ANN401 -- a row of run
    row = work.connection.execute(sa.select(table_of(RunRow)).where(RunRow.id == run).with_for_update()).first()
    if row is None:
        raise RunUnknown
    return row


def _update(work: Work, run: str, **values: object) -> None:
    work.connection.execute(sa.update(RunRow).where(RunRow.id == run).values(**values))


def _run(row: Any) -> Run:  # noqa: ANN401 -- a row of run
    return Run(
        id=RunId(row.id), campaign=row.campaign, version=row.version, model=row.model, catalogue=row.catalogue,
        at=row.at, state=row.state, done=row.done, total=row.total, counts=from_stored(row.counts),
        asked_by=row.asked_by, beat_at=row.beat_at, ended_at=row.ended_at, seconds=row.milliseconds / 1000,
    )  # fmt: skip
