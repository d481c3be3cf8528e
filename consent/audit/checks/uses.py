"""The check `uses`: whoever read data under a permit did so for a decision, or for a reason that is written down."""

from collections.abc import Iterator
from typing import Final

import sqlalchemy as sa

from consent.audit.findings import Evidence, Finding, Judged, Severity, Yielded
from consent.base.database import Hot
from consent.ledger import stored
from consent.tables import DataUseRow

KEY: Final = "uses"
_PAGE: Final = 10_000

_use: Final = DataUseRow.__table__
_AFTER: Final = Hot(
    sa.select(_use.c.id, _use.c.position, _use.c.decision, _use.c.reason, _use.c.categories)
    .where(_use.c.id > sa.bindparam("after"))
    .order_by(_use.c.id)
    .limit(sa.bindparam("most")),
    "after",
    "most",
)


def uses(evidence: Evidence) -> Iterator[Yielded]:
    """Look at every recorded use: it has a cause, and was judged at a place that the ledger has."""
    after = ""
    rows = [("", 0, "", "", "")]
    while rows:
        with evidence.store.read() as work:
            # Read together: a use that was recorded later can't be held against a size that is older.
            rows = work.run(_AFTER, after, _PAGE).fetchall()
            end = stored.newest(work).position
        for use, position, decision, reason, categories in rows:
            if not (decision or reason):
                why = f"data of {categories or 'no category'} were read for no decision, and no reason is written down"
                yield Finding(check=KEY, severity=Severity.HIGH, subject=use, why=why)
            if not 0 <= position <= end:
                why = f"it was judged at position {position}, and the ledger ends at {end}"
                yield Finding(check=KEY, severity=Severity.CRITICAL, subject=use, why=why)
        yield Judged(len(rows))
        after = rows[-1][0] if rows else after
