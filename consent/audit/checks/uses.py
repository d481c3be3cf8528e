"""The check `uses`: whoever read data under a permit did so for a decision, or for a reason that is written down."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from consent.audit import events, times
from consent.audit.events import Event
from consent.audit.findings import Evidence, Finding, Gap, Judged, Severity, Yielded
from consent.base.clock import from_ms
from consent.base.database import Hot, table_of
from consent.base.ids import CustomerId
from consent.base.store import Work
from consent.ledger import stored
from consent.ledger.entry import Kind
from consent.rights import erasing
from consent.rights.looking import RIGHTS, Why
from consent.tables import DataUseRow

KEY: Final = "uses"
_PAGE: Final = 10_000
_AT_ONCE: Final = 500
_UNNOTED: Final = -1
"""What a use says of the entry that tells of it, where none does; also uses of before they said so."""
_FOR: Final = {Kind.EXPORT_MADE: Why.EXPORT, Kind.DATA_CORRECTED: Why.RECTIFICATION}

_use: Final = table_of(DataUseRow)
_AFTER: Final = Hot(
    sa.select(_use.c.id, _use.c.position, _use.c.decision, _use.c.reason, _use.c.categories, _use.c.at, _use.c.purpose)
    .where(_use.c.id > sa.bindparam("after"))
    .order_by(_use.c.id)
    .limit(sa.bindparam("most")),
    "after",
    "most",
)


def uses(evidence: Evidence) -> Iterator[Yielded]:
    """Look at every recorded use: it has a cause, and was judged at a place that the ledger has.

    What was read for a right was read at that moment. Of exports and corrections the ledger tells which use they were:
    that one must be there, as it says.
    """
    after = ""
    rows: Sequence[Any] = [("",)]
    while rows:
        with evidence.store.read() as work:
            # Read together: a use that was recorded later can't be held against a size that is older.
            rows = work.run(_AFTER, after, _PAGE).fetchall()
            found = list(_wrong(work, rows))
        yield from found
        yield Judged(len(rows))
        after = rows[-1][0] if rows else after
    yield from _told(evidence)


def _wrong(work: Work, rows: Sequence[Any]) -> Iterator[Finding]:
    end = stored.newest(work).position
    # What is read for a right is read at once; a dry run, or a measurement, bears the time at which it began.
    looks = {row[0]: from_ms(row[5]) for row in rows if row[6].startswith(RIGHTS) and 0 <= row[1] <= end}
    around = times.around(work, {row[1] for row in rows if row[0] in looks})
    for use, position, decision, reason, categories, *_ in rows:
        if not (decision or reason):
            why = f"data of {categories or 'no category'} were read for no decision, and no reason is written down"
            yield _finding(Severity.HIGH, use, why)
        if not 0 <= position <= end:
            yield _finding(
                Severity.CRITICAL, use, f"it was judged at position {position}, and the ledger ends at {end}"
            )
        other = around[position].differs(looks[use]) if use in looks else ""
        if other:
            yield _finding(
                Severity.CRITICAL, use, f"it was judged at position {position}, and is said to be of {other}"
            )


def _told(evidence: Evidence) -> Iterator[Yielded]:
    """Look for the uses that entries of the ledger speak of."""
    page: list[Event] = []
    for event in events.events(evidence, *_FOR):
        if event.why:
            yield Gap(check=KEY, why=f"what entry {event.position} tells of a use can't be read: it {event.why}")
        elif "use" in event.told:
            page.append(event)
        if len(page) == _AT_ONCE:
            yield from _kept(evidence, page)
            page = []
    yield from _kept(evidence, page)


def _kept(evidence: Evidence, page: Sequence[Event]) -> Iterator[Yielded]:
    named = [str(event.told["use"]) for event in page]
    with evidence.store.read() as work:
        rows = {row.id: row for row in work.connection.execute(sa.select(_use).where(_use.c.id.in_(named)))}
        gone = {str(event.told.get("customer")) for event in page if event.told["use"] not in rows}
        erased = erasing.proven(evidence.desk, work, map(CustomerId, gone))
    for event, use in zip(page, named, strict=True):
        why = _otherwise(rows[use], event) if use in rows else ""
        if use not in rows and event.told.get("customer") not in erased:
            why = f"entry {event.position} tells of it, and it is not recorded"
        if why:
            yield _finding(Severity.CRITICAL, use, why)
    yield Judged(len(page))


def _otherwise(row: Any, event: Event) -> str:  # noqa: ANN401 -- a row of data_use
    """Say what a use says otherwise than the entry that tells of it; "" where nothing."""
    said = {
        "actor": row.actor == event.told.get("actor"),
        "customer": row.customer == event.told.get("customer"),
        "purpose": row.purpose == _FOR[Kind(event.kind)],
        "noted": row.noted in (event.position, _UNNOTED),
    }
    wrong = [name for name, agrees in said.items() if not agrees]
    if wrong:
        return f"its {', '.join(wrong)} is not what entry {event.position} says"
    at: datetime = row.at
    other = times.differs(at, event)
    return f"it is said to be of {other}" if other else ""


def _finding(severity: Severity, use: str, why: str) -> Finding:
    return Finding(check=KEY, severity=severity, subject=use, why=why)
