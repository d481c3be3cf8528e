"""Alarms of the ledger: what its witness contradicts, or has not said for a while; each stands until it is settled.

Two kinds stop appends (`consent.ledger.held`): entries that were signed are gone, or were signed with other contents.
The third, `uncosigned`, stops nothing: the ledger goes on, and what it signs meanwhile is marked by having no
cosignature.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import sqlalchemy as sa

from consent.base.ids import new_id
from consent.base.store import Work
from consent.tables import LedgerAlarmRow

_row: Final = LedgerAlarmRow


class AlarmKind(StrEnum):
    """What is wrong."""

    ROLLED_BACK = "rolled_back"
    FORKED = "forked"
    UNCOSIGNED = "uncosigned"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """An alarm, with both notes: what the ledger signed last, and what the witness has of it."""

    id: str
    kind: AlarmKind
    log: int
    size: int
    note: str
    witness_size: int
    witness_note: str
    why: str
    noticed_at: datetime
    settled_at: datetime | None = None
    settled_by: str = ""
    settlement: str = ""


def raised(work: Work, alarm: Alarm) -> bool:
    """Keep an alarm, unless one of its kind stands for the log already; say whether it is new."""
    standing = sa.select(_row.id).where(_row.kind == str(alarm.kind), _row.log == alarm.log, _row.settled_at.is_(None))
    if work.connection.execute(standing).first() is not None:
        return False
    row = {name: getattr(alarm, name) for name in Alarm.__slots__}
    work.connection.execute(sa.insert(_row).values(**{**row, "kind": str(alarm.kind)}))
    return True


def alarm(
    kind: AlarmKind,
    *,
    log: int,
    size: int,
    note: str,
    why: str,
    at: datetime,
    witness_size: int = 0,
    witness_note: str = "",
) -> Alarm:
    """Return a new alarm."""
    return Alarm(
        id=new_id("alm", at), kind=kind, log=log, size=size, note=note, witness_size=witness_size,
        witness_note=witness_note, why=why, noticed_at=at,
    )  # fmt: skip


def settle(work: Work, kind: AlarmKind, log: int, *, by: str, settlement: str, at: datetime) -> int:
    """Settle the alarms of a kind that stand for a log, and return how many did."""
    changed = (
        sa.update(_row)
        .where(_row.kind == str(kind), _row.log == log, _row.settled_at.is_(None))
        .values(settled_at=at, settled_by=by, settlement=settlement)
    )
    return int(work.connection.execute(changed).rowcount)


def standing(work: Work) -> list[Alarm]:
    """Return the alarms that stand, the oldest first."""
    return _found(work, sa.select(*_columns()).where(_row.settled_at.is_(None)).order_by(_row.noticed_at, _row.id))


def newest(work: Work, *, most: int = 100) -> list[Alarm]:
    """Return the last alarms, settled or not, the newest first."""
    return _found(work, sa.select(*_columns()).order_by(_row.noticed_at.desc(), _row.id.desc()).limit(most))


def _columns() -> tuple[Any, ...]:
    return tuple(getattr(_row, name) for name in Alarm.__slots__)


def _found(work: Work, query: sa.Select[Any]) -> list[Alarm]:
    found = (each._asdict() for each in work.connection.execute(query))
    return [Alarm(**{**each, "kind": AlarmKind(each["kind"])}) for each in found]
