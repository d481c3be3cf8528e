"""Why nothing may be appended: what stands in the table of alarms until an officer has settled it."""

from collections.abc import Mapping
from typing import Final

import sqlalchemy as sa

from consent.base.database import table_of
from consent.base.errors import LedgerForked, RolledBack, Unavailable
from consent.tables import LedgerAlarmRow

HOLDING: Final[Mapping[str, type[Unavailable]]] = {"rolled_back": RolledBack, "forked": LedgerForked}
"""The kinds of alarm that stop appends until somebody has settled them, and what whoever appends is told."""

_alarm = table_of(LedgerAlarmRow)
WHY: Final = (
    sa.select(_alarm.c.kind + sa.literal_column("': '") + _alarm.c.why)
    .where(
        _alarm.c.settled_at.is_(None),
        sa.or_(*(_alarm.c.kind == sa.literal_column(f"'{kind}'") for kind in HOLDING)),
    )
    .limit(sa.literal_column("1"))
)
"""Why nothing may be appended, if so: `kind: why`."""


def refusal(held: str) -> Unavailable:
    """Return what whoever wants to append is told: out of `kind: why`."""
    kind, _, why = held.partition(": ")
    return HOLDING[kind](why)
