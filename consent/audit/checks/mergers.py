"""The check `mergers`: an id that was given up goes on as whom the ledger says, and nobody else's does."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import sqlalchemy as sa

from consent.audit import events, times
from consent.audit.events import Event
from consent.audit.findings import Evidence, Finding, Gap, Judged, Severity, Yielded
from consent.base.database import table_of
from consent.base.store import Work
from consent.ledger.entry import Kind
from consent.register.tables import ErasureRow
from consent.tables import MergerRow

KEY: Final = "mergers"
_AT_ONCE: Final = 500
_row: Final = table_of(MergerRow)
_erasure: Final = table_of(ErasureRow)


def mergers(evidence: Evidence) -> Iterator[Yielded]:
    """Hold every id that was given up against the entry that says so, and every such entry against what is there.

    Whoever speaks under an id that was given up, or is asked for by it, is the customer that it goes on as: a row that
    is gone or leads to another turns his word into somebody else's. Of somebody who was erased no row is left.
    """
    page: list[Event] = []
    for event in events.events(evidence, Kind.CUSTOMER_MERGED):
        if event.why:
            yield Gap(check=KEY, why=f"whom entry {event.position} joined can't be read: it {event.why}")
            continue
        page.append(event)
        if len(page) == _AT_ONCE:
            yield from _kept(evidence, page)
            page = []
    yield from _kept(evidence, page)
    yield from _made_up(evidence)


def _kept(evidence: Evidence, page: Sequence[Event]) -> Iterator[Yielded]:
    """Look for what the ledger joined and the table doesn't, or joins otherwise."""
    merged = [str(event.told.get("merged")) for event in page]
    with evidence.store.read() as work:
        rows = {row.merged: row for row in work.connection.execute(sa.select(_row).where(_row.c.merged.in_(merged)))}
        erased = _erased(work, merged)
    for event, one in zip(page, merged, strict=True):
        into, row = str(event.told.get("customer")), rows.get(one)
        if row is None and one not in erased:
            yield _finding(one, f"entry {event.position} says that he goes on as {into}, and no row of merger does")
        elif row is not None and row.customer != into:
            why = f"his row of merger leads to {row.customer}, and entry {event.position} says he goes on as {into}"
            yield _finding(one, why)
        elif row is not None and row.position != event.position:
            why = f"his row of merger names entry {row.position}, and it is entry {event.position} that joined him"
            yield _finding(one, why)
        elif row is not None and (other := times.differs(row.merged_at, event)):
            yield _finding(one, f"his row of merger says that he was joined at {other}")
    yield Judged(len(page))


def _erased(work: Work, customers: Sequence[str]) -> set[str]:
    query = sa.select(_erasure.c.customer).where(_erasure.c.customer.in_(customers))
    return set(work.connection.execute(query).scalars())


def _made_up(evidence: Evidence) -> Iterator[Finding]:
    """Look for rows that no entry tells of: by them somebody's word would count for another."""
    after = ""
    while rows := _page(evidence, after):
        told = events.at(evidence, [row.position for row in rows])
        for row in rows:
            if not _joins(told.get(row.position), row.merged):
                why = f"his row of merger leads to {row.customer}, and entry {row.position} does not join them"
                yield _finding(row.merged, why)
        after = rows[-1].merged


def _joins(event: Event | None, merged: str) -> bool:
    """Say whether an entry gives up an id; of one that can't be read, that is told as a gap."""
    if event is None or event.kind != Kind.CUSTOMER_MERGED:
        return False
    return bool(event.why) or event.told.get("merged") == merged


def _page(evidence: Evidence, after: str) -> Sequence[Any]:
    with evidence.store.read() as work:
        query = sa.select(_row).where(_row.c.merged > after).order_by(_row.c.merged).limit(_AT_ONCE)
        return work.connection.execute(query).all()


def _finding(customer: str, why: str) -> Finding:
    return Finding(check=KEY, severity=Severity.CRITICAL, subject=customer, why=why)
