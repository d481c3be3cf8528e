"""Past audits: which there were, how each ended, and its report."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import orjson
import sqlalchemy as sa

from consent.audit.run import RUNNING
from consent.base.errors import NotFound
from consent.base.ids import AuditId
from consent.base.store import Work
from consent.tables import AuditRunRow

LEASE: Final = timedelta(hours=1)
"""How long an audit may take; one that is running for longer was killed."""

ABORTED: Final = "aborted"

_row: Final = AuditRunRow


@dataclass(frozen=True, slots=True, kw_only=True)
class PastAudit:
    """An audit, as it is stored. `status` is `running`, `aborted`, or how it ended."""

    audit: AuditId
    started_at: datetime
    ended_at: datetime | None
    status: str
    asked_by: str
    position: int
    """Its entry in the ledger; −1 where it has none."""


def newest(
    work: Work, *, at: datetime, most: int = 20, lease: timedelta = LEASE, after: str = "", status: str = ""
) -> list[PastAudit]:
    """Return the last audits, the newest first.

    Args:
        work: a transaction.
        at: now; a running audit that began more than `lease` before is shown as aborted.
        most: how many.
        lease: how long an audit may take.
        after: the last id of the page before.
        status: only those that ended so.
    """
    query = _query().order_by(_row.started_at.desc(), _row.id.desc()).limit(most)
    if after:
        query = query.where(_row.id < after)
    if status:
        query = query.where(_row.status == status)
    return [_past(row, at, lease) for row in work.connection.execute(query)]


def last(work: Work, *, at: datetime) -> AuditId:
    """Return the id of the newest audit.

    Raises:
        NotFound: there was none yet.
    """
    for each in newest(work, at=at, most=1):
        return each.audit
    raise NotFound("there was no audit yet: byleave audit run")


def one(work: Work, audit: str, *, at: datetime, lease: timedelta = LEASE) -> tuple[PastAudit, dict[str, Any] | None]:
    """Return an audit and its report, which is the JSON object of `Report.as_json`; None while there is none.

    Raises:
        NotFound: there is no such audit.
    """
    row = work.connection.execute(_query().add_columns(_row.report).where(_row.id == audit)).first()
    if row is None:
        msg = f"there is no audit {audit[:80]!r}: `byleave audit list` names the last ones"
        raise NotFound(msg)
    return _past(row, at, lease), orjson.loads(row.report) if row.report else None


def _query() -> sa.Select[Any]:
    columns: tuple[Any, ...] = (_row.id, _row.started_at, _row.ended_at, _row.status, _row.asked_by, _row.position)
    return sa.select(*columns)


def _past(row: Any, at: datetime, lease: timedelta) -> PastAudit:  # noqa: ANN401 -- a Core row of `_query`
    killed = row.status == RUNNING and at - row.started_at > lease
    return PastAudit(
        audit=AuditId(row.id),
        started_at=row.started_at,
        ended_at=row.ended_at,
        status=ABORTED if killed else row.status,
        asked_by=row.asked_by,
        position=row.position,
    )
