"""A run: a campaign over all customers, one transaction a chunk, the cursor committed with it.

Resuming is running: a run that was killed goes on from its cursor, and decides as an uninterrupted one would have.
"""

from collections.abc import Callable
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
from personalise import quotas
from personalise.runs import chunk, ranking
from personalise.runs.chunk import Carried
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
    contact_policy: int
    at: datetime
    state: str
    done: int
    total: int
    counts: Counts
    asked_by: str
    beat_at: datetime
    ended_at: datetime | None
    seconds: float

    @property
    def pins(self) -> dict[str, int]:
        """The versions that it decides by, as `load_policy` takes them."""
        names = ("version", "model", "catalogue", "contact_policy")
        return {name: getattr(self, name) for name in names}


Noting = Callable[[Work, Run, datetime], None]
"""Called with how a run stands once its state has changed, and when, in the transaction that changes it."""


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


def going(work: Work, key: str) -> RunId | None:
    """Return the run of a campaign that is running or paused; None where there is none."""
    query = sa.select(RunRow.id).where(RunRow.campaign == key, RunRow.state.in_((RUNNING, PAUSED)))
    found = work.connection.execute(query).scalar()
    return None if found is None else RunId(found)


def advance(
    deployment: Deployment,
    run: RunId,
    *,
    progress: Progress | None = None,
    most: int = CHUNK,
    noting: Noting | None = None,
) -> Run:
    """Carry a run on, chunk by chunk, until it is finished, paused or stopped; return how it stands then.

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
    policy: Policy | None = None
    order: ranking.Pass | None = None
    while True:
        with deployment.store.write() as work:
            row = _locked(work, run)
            if row.state != RUNNING:
                return _run(row)
            policy = policy or _policy(deployment, work, row)
            if policy.quotas and not row.quotas:
                order = order or ranking.Pass(policy=policy, use=_use(row, policy), at=row.at)
                _rank(deployment, work, row, order, most=most)
                continue
            done = _one_chunk(deployment, work, row, policy, most=most)
            if done is None:
                _finish(deployment, work, run, noting)
                continue
        if progress and done > row.done:
            progress(done, row.total)


def _policy(deployment: Deployment, work: Work, row: Any) -> Policy:  # noqa: ANN401 -- a row of run
    policy, _ = load_policy(deployment, work, row.campaign, **_run(row).pins)
    if policy.digest != bytes(row.policy):
        msg = "the policy of this run is no longer what it started with, though all its parts are insert-only"
        raise LedgerBroken(msg)
    return policy


def _use(row: Any, policy: Policy) -> Use:  # noqa: ANN401 -- a row of run
    return Use(actor=row.asked_by, purpose=policy.campaign.purpose, decision=row.id)


def _rank(
    deployment: Deployment,
    work: Work,
    row: Any,  # noqa: ANN401 -- a row of run
    order: ranking.Pass,
    *,
    most: int,
) -> None:
    """Rank the next customers; once there are no more, set aside what the run will give out."""
    now = deployment.clock()
    if order.step(deployment.desk, work, most=most, now=now):
        _update(work, row.id, beat_at=now)
        return
    room = order.room(work, lock=True)
    quotas.take(work, row.campaign, {each: room.left[each.key] for each in order.policy.quotas})
    _update(work, row.id, beat_at=now, quotas=ranking.stored(room, order.policy))


def _one_chunk(
    deployment: Deployment,
    work: Work,
    row: Any,  # noqa: ANN401 -- a row of run
    policy: Policy,
    *,
    most: int,
) -> int | None:
    """Decide for the next customers and return how many are done; None where there are no more."""
    began = deployment.clock()
    ids = customers.after(work, row.after, most)
    if not ids:
        return None
    chunk.locked(work, ids, at=began)
    room = ranking.from_stored(row.quotas)
    made = chunk.decided(
        deployment.desk, work, ids, policy, use=_use(row, policy), at=row.at, now=began, room=room
    )  # fmt: skip
    identity = chunk.chunk_id(row.id, row.chunk)
    logged = chunk.keep(
        deployment.desk, work, made, policy, chunk_id=identity, run=row.id, number=row.chunk, at=row.at,
        carried=Carried(),
    )  # fmt: skip
    room.spend(made.spent)
    counts = from_stored(row.counts)
    counts.add(made.table, policy)
    counts.deferred += logged.deferred
    ended = deployment.clock()
    took = max(0, to_ms(ended) - to_ms(began))
    _update(
        work, row.id, after=ids[-1], chunk=row.chunk + 1, done=row.done + len(ids), counts=counts.stored(),
        beat_at=ended, milliseconds=row.milliseconds + took, quotas=ranking.stored(room, policy),
    )  # fmt: skip
    return int(row.done) + len(ids)


def _finish(deployment: Deployment, work: Work, run: RunId, noting: Noting | None) -> None:
    at = deployment.clock()
    _close(work, run)
    _update(work, run, state=FINISHED, ended_at=at, beat_at=at)
    if noting:
        noting(work, _run(_locked(work, run)), at)


def _close(work: Work, run: RunId) -> None:
    """Give back what was set aside for a run that is over."""
    row = _locked(work, run)
    ranking.given_back(work, row.campaign, row.quotas)
    _update(work, run, quotas=ranking.emptied(row.quotas))


def change(deployment: Deployment, run: RunId, state: str, *, noting: Noting | None = None) -> Run:
    """Pause, resume or stop a run; it takes effect before the next chunk.

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
        row = _locked(work, run)
        if state != row.state:
            if state not in _MAY[row.state]:
                msg = f"a run that is {row.state} can't become {state[:80]}"
                raise StateConflict(msg)
            if state == STOPPED:
                _close(work, run)
            _update(work, run, state=state, beat_at=at, ended_at=at if state == STOPPED else None)
            if noting:
                noting(work, _run(_locked(work, run)), at)
    return read(deployment, run)


def read(deployment: Deployment, run: RunId) -> Run:
    """Return how a run stands.

    Raises:
        RunUnknown: no run by that id.
    """
    with deployment.store.read() as work:
        row = work.connection.execute(sa.select(table_of(RunRow)).where(RunRow.id == run)).first()
    if row is None:
        raise RunUnknown(f"{run[:80]!r}")
    return _run(row)


def newest(work: Work, campaign: str | None = None, *, most: int = 20, state: str | None = None) -> list[Run]:
    """Return the newest runs, of all campaigns or of one, newest first."""
    query = sa.select(table_of(RunRow)).order_by(RunRow.created_at.desc(), RunRow.id.desc()).limit(most)
    if campaign is not None:
        query = query.where(RunRow.campaign == campaign)
    if state is not None:
        query = query.where(RunRow.state == state)
    return [_run(row) for row in work.connection.execute(query)]


def by_id(work: Work, after: str, most: int) -> list[Run]:
    """Return the runs behind an id ("" for the first), the oldest first."""
    query = sa.select(table_of(RunRow)).where(RunRow.id > after).order_by(RunRow.id).limit(most)
    return [_run(row) for row in work.connection.execute(query)]


def _locked(work: Work, run: RunId) -> Any:  # noqa: ANN401 -- a row of run
    row = work.connection.execute(sa.select(table_of(RunRow)).where(RunRow.id == run).with_for_update()).first()
    if row is None:
        raise RunUnknown(f"{run[:80]!r}")
    return row


def _update(work: Work, run: str, **values: object) -> None:
    work.connection.execute(sa.update(RunRow).where(RunRow.id == run).values(**values))


def _run(row: Any) -> Run:  # noqa: ANN401 -- a row of run
    return Run(
        id=RunId(row.id), campaign=row.campaign, version=row.version, model=row.model, catalogue=row.catalogue,
        contact_policy=row.contact_policy,
        at=row.at, state=row.state, done=row.done, total=row.total, counts=from_stored(row.counts),
        asked_by=row.asked_by, beat_at=row.beat_at, ended_at=row.ended_at, seconds=row.milliseconds / 1000,
    )  # fmt: skip
