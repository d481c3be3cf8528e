"""The check `snapshot`: every customer stands at least where he stood when the last snapshot was taken."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from consent.audit import schedules
from consent.audit.findings import Evidence, Finding, Judged, Severity, Yielded
from consent.base.clock import rfc3339
from consent.register import snapshots
from consent.tables import LedgerLogRow

KEY: Final = "snapshot"
NIGHTLY: Final = timedelta(days=2)
"""A snapshot is taken every night; one may be missed."""


def snapshot(evidence: Evidence) -> Iterator[Yielded]:
    """Compute the newest state snapshot again, and hold it against what the ledger committed to.

    A statement that vanished with its row, its key and its count of the customer's statements shows in nothing but
    this: the snapshot had counted it. An incremental audit passes over a snapshot that was compared before.
    """
    with evidence.store.read() as work:
        newest = snapshots.newest(evidence.desk, work)
        founded: datetime = work.connection.execute(sa.select(sa.func.min(LedgerLogRow.opened_at))).scalar_one()
        worked = schedules.ever_worked(work)
    if newest is not None and newest.entry >= evidence.since(KEY):
        yield from _compared(evidence)
    if worked and evidence.at - (newest.at if newest else founded) > NIGHTLY:
        last = f"the last one is of {rfc3339(newest.at)}" if newest else "there is none"
        why = f"a snapshot is taken every night, and {last}: is the worker running?"
        yield Finding(check=KEY, severity=Severity.MEDIUM, subject="snapshots", why=why)


def _compared(evidence: Evidence) -> Iterator[Yielded]:
    compared = snapshots.compare(evidence.store, evidence.desk)
    for subject, why in compared.wrong:
        yield Finding(check=KEY, severity=Severity.CRITICAL, subject=subject, why=why)
    yield Judged(compared.customers)
