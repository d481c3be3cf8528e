"""The check `erasures`: whoever was erased is gone, and whoever is gone was erased."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Final

import sqlalchemy as sa

from consent.audit import events, schedules, times
from consent.audit.events import Event
from consent.audit.findings import Evidence, Finding, Judged, Severity, Yielded
from consent.base.clock import rfc3339
from consent.base.database import table_of
from consent.base.ids import CustomerId
from consent.base.store import Work
from consent.ledger.entry import Kind
from consent.register.tables import ErasureRow
from consent.rights import erasing, verifying_erasure

KEY: Final = "erasures"
PROVED_WITHIN: Final = timedelta(days=1)
"""How long after an erasure a worker must have proved that nothing is left."""

_AT_ONCE: Final = 2_000
_row: Final = table_of(ErasureRow)


def erasures(evidence: Evidence) -> Iterator[Yielded]:
    """Hold tombstones and the ledger's entries of erasures against each other, and look for what is left of anybody.

    The search is the same as the one that proved each erasure: every text of every table. It is done anew, for what
    was gone then can have come back with a backup.
    """
    gone: list[CustomerId] = []
    for event in events.events(evidence, Kind.CUSTOMER_ERASED):
        if event.why:
            subject = f"entry {event.position}"
            yield Finding(check=KEY, severity=Severity.CRITICAL, subject=subject, why=f"its payload {event.why}")
            continue
        gone.append(CustomerId(str(event.told.get("erased"))))
        if len(gone) == _AT_ONCE:
            yield from _left(evidence, gone)
            gone = []
    yield from _left(evidence, gone)
    yield from _tombstones(evidence)
    yield from _unproved(evidence)


def _left(evidence: Evidence, gone: Sequence[CustomerId]) -> Iterator[Yielded]:
    """Look for what still names these customers, or would open what they said."""
    if not gone:
        return
    with evidence.store.read() as work:
        buried = _buried(work, gone)
        left = verifying_erasure.traces(evidence.desk, work, gone)
    for customer in gone:
        if customer not in buried:
            yield _finding(customer, "the ledger says that he was erased, and his tombstone is not there")
        if customer in left:
            yield _finding(customer, f"he was erased, and something of him stands in {', '.join(left[customer])}")
    yield Judged(len(gone))


def _buried(work: Work, customers: Sequence[CustomerId]) -> set[str]:
    found: set[str] = set()
    for first in range(0, len(customers), 500):
        query = sa.select(_row.c.customer).where(_row.c.customer.in_(customers[first : first + 500]))
        found |= set(work.connection.execute(query).scalars())
    return found


def _tombstones(evidence: Evidence) -> Iterator[Finding]:
    """Look for tombstones that the ledger knows nothing of: they would hide somebody who was never erased."""
    after = ""
    while True:
        with evidence.store.read() as work:
            query = sa.select(_row).where(_row.c.customer > after).order_by(_row.c.customer).limit(_AT_ONCE)
            rows = work.connection.execute(query).all()
        if not rows:
            return
        told = events.at(evidence, [place for row in rows for place in (row.position, row.verified_position)])
        for row in rows:
            if not _says(told, row.position, Kind.CUSTOMER_ERASED, {"erased": row.customer}):
                yield _finding(row.customer, f"he has a tombstone, and entry {row.position} does not say he was erased")
            elif other := times.differs(row.erased_at, told[row.position]):
                yield _finding(row.customer, f"his tombstone says that he was erased at {other}")
            proof = {"verified": row.customer}
            if row.verified_at and not _says(told, row.verified_position, Kind.ERASURE_VERIFIED, proof):
                why = f"his erasure counts as proved, and entry {row.verified_position} does not say so"
                yield _finding(row.customer, why)
            elif row.verified_at and (other := times.differs(row.verified_at, told[row.verified_position])):
                yield _finding(row.customer, f"his tombstone says that he was proved to be gone at {other}")
        after = rows[-1].customer


def _says(told: Mapping[int, Event], place: int, kind: Kind, what: Mapping[str, str]) -> bool:
    event = told.get(place)
    return event is not None and not event.why and event.kind == kind and what.items() <= event.told.items()


def _unproved(evidence: Evidence) -> Iterator[Finding]:
    with evidence.store.read() as work:
        since = erasing.waiting_since(work)
        worked = schedules.ever_worked(work)
    if worked and since is not None and evidence.at - since > PROVED_WITHIN:
        why = f"somebody was erased at {rfc3339(since)}, and nobody has proved that nothing is left of him"
        yield Finding(check=KEY, severity=Severity.HIGH, subject="erasure", why=why)


def _finding(customer: str, why: str) -> Finding:
    return Finding(check=KEY, severity=Severity.CRITICAL, subject=customer, why=why)
