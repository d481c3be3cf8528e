"""How runs stand: their rows, read, locked and changed.

Whoever changes a run has locked its row; the ledger is locked after it, customers before.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from consent.base.clock import to_ms
from consent.base.database import table_of
from consent.base.errors import RunUnknown
from consent.base.ids import RunId
from consent.base.store import Work
from consent.deployment import Deployment
from personalise.runs.counts import Counts, from_stored
from personalise.tables import RunRow

RUNNING: Final = "running"
PAUSED: Final = "paused"
STOPPED: Final = "stopped"
FINISHED: Final = "finished"

_run = table_of(RunRow)


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


def going(work: Work, key: str) -> RunId | None:
    """Return the run of a campaign that is running or paused; None where there is none."""
    query = sa.select(RunRow.id).where(RunRow.campaign == key, RunRow.state.in_((RUNNING, PAUSED)))
    found = work.connection.execute(query).scalar()
    return None if found is None else RunId(found)


def read(deployment: Deployment, run: RunId) -> Run:
    """Return how a run stands.

    Raises:
        RunUnknown: no run by that id.
    """
    with deployment.store.read() as work:
        return run_of(of(work, run))


def newest(work: Work, campaign: str | None = None, *, most: int = 20, state: str | None = None) -> list[Run]:
    """Return the newest runs, of all campaigns or of one, newest first."""
    query = sa.select(_run).order_by(RunRow.created_at.desc(), RunRow.id.desc()).limit(most)
    if campaign is not None:
        query = query.where(RunRow.campaign == campaign)
    if state is not None:
        query = query.where(RunRow.state == state)
    return [run_of(row) for row in work.connection.execute(query)]


def by_id(work: Work, after: str, most: int) -> list[Run]:
    """Return the runs behind an id ("" for the first), the oldest first."""
    query = sa.select(_run).where(RunRow.id > after).order_by(RunRow.id).limit(most)
    return [run_of(row) for row in work.connection.execute(query)]


def of(work: Work, run: RunId) -> Any:  # noqa: ANN401 -- a row of run
    """Return a run's row as it stands, without a lock.

    Raises:
        RunUnknown: no run by that id.
    """
    row = work.connection.execute(sa.select(_run).where(_run.c.id == run)).first()
    if row is None:
        raise RunUnknown(f"{run[:80]!r}")
    return row


def locked(work: Work, run: RunId) -> Any:  # noqa: ANN401 -- a row of run
    """Lock a run's row until the transaction ends, and return it as it is now.

    Raises:
        RunUnknown: no run by that id.
    """
    row = work.connection.execute(sa.select(_run).where(_run.c.id == run).with_for_update()).first()
    if row is None:
        raise RunUnknown(f"{run[:80]!r}")
    return row


def update(work: Work, run: RunId, **values: object) -> None:
    """Change a run's row, which the caller has locked."""
    work.connection.execute(sa.update(_run).where(_run.c.id == run).values(**values))


def count(work: Work, row: Any, counts: Counts, *, began: datetime, ended: datetime, quotas: str) -> None:  # noqa: ANN401 -- a row of run
    """Add a chunk to what its run has done; the caller has locked the row.

    Its time counts from the end of the chunk before, where that is later than its own beginning: however many are at
    work at once, it is the time that passes.
    """
    whole = from_stored(row.counts)
    whole.include(counts)
    took = max(0, to_ms(ended) - max(to_ms(began), to_ms(row.beat_at)))
    update(
        work, row.id, done=row.done + counts.customers, counts=whole.stored(), beat_at=max(ended, row.beat_at),
        milliseconds=row.milliseconds + took, quotas=quotas,
    )  # fmt: skip


def run_of(row: Any) -> Run:  # noqa: ANN401 -- a row of run
    """Return how the run of a row stands."""
    return Run(
        id=RunId(row.id), campaign=row.campaign, version=row.version, model=row.model, catalogue=row.catalogue,
        contact_policy=row.contact_policy,
        at=row.at, state=row.state, done=row.done, total=row.total, counts=from_stored(row.counts),
        asked_by=row.asked_by, beat_at=row.beat_at, ended_at=row.ended_at, seconds=row.milliseconds / 1000,
    )  # fmt: skip
