"""The check `clock`: the ledger's times never go back, none lies ahead, and two clocks agree."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

import sqlalchemy as sa

from consent.audit.findings import Evidence, Finding, Judged, Severity, Yielded
from consent.base.clock import from_ms, rfc3339
from consent.base.counting import counted
from consent.base.database import Hot, table_of
from consent.base.store import Work
from consent.ledger import stored
from consent.ledger.position import parts, position
from consent.tables import LedgerEntryRow

KEY: Final = "clock"
APART: Final = timedelta(seconds=5)
"""How far clocks may differ: as far as appending forgives one that lies behind."""

_CHUNK: Final = 1 << 15
_MOST_NAMED: Final = 20
_START, _LENGTH = 8, 24  # of the time in an entry's bytes: {"at":"2026-11-21T10:00:00.000Z",…

_entry: Final = table_of(LedgerEntryRow)
_at: Final = sa.func.substr(_entry.c.body, sa.literal_column(str(_START)), sa.literal_column(str(_LENGTH)))
_TIMES: Final = Hot(
    sa.select(_entry.c.seq, _at)
    .where(
        _entry.c.log == sa.bindparam("log"),
        _entry.c.seq >= sa.bindparam("first"),
        _entry.c.seq < sa.bindparam("last"),
    )
    .order_by(_entry.c.seq),
    "log",
    "first",
    "last",
)
_NOW: Final[dict[str, str]] = {
    "sqlite": "SELECT CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)",
    "postgresql": "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)",
}
"""The database's own clock, in milliseconds."""


def clock(evidence: Evidence) -> Iterator[Yielded]:
    """Walk the times of all entries, and compare the machine's clock with the database's.

    A permission ends by the clock. One that lies ahead ends it early; one that was set back could let a later word
    pass for an earlier one: so no entry may bear a time before that of the one before it, or after now.
    """
    with evidence.store.read() as work:
        logs = stored.logs(work)
    begun = parts(evidence.since(KEY))
    # What is in these logs was there by now, however long ago the audit began.
    latest = rfc3339(evidence.by_now + APART).encode()
    named = 0
    last = (0, b"")
    for log in logs[begun.log - logs[0].log :]:
        start = begun.seq - 1 if log.log == begun.log and begun.seq else 0
        for first in range(start, log.size, _CHUNK):
            with evidence.store.read() as work:
                times = [
                    (position(log.log, seq), bytes(at) if isinstance(at, bytes | memoryview) else b"")
                    for seq, at in work.run(_TIMES, log.log, first, min(first + _CHUNK, log.size)).fetchall()
                ]
            yield Judged(len(times))
            for finding in _wrong([last, *times], latest):
                named += 1
                if named <= _MOST_NAMED:
                    yield finding
            last = times[-1] if times else last
    if named > _MOST_NAMED:
        yield _finding(Severity.CRITICAL, "", f"and {counted(named - _MOST_NAMED, 'more finding')}")
    yield from _apart(evidence)


def _wrong(times: list[tuple[int, bytes]], latest: bytes) -> Iterator[Finding]:
    ats = [at for _, at in times]
    if ats[-1] <= latest and ats == sorted(ats):
        return
    for (_, before), (place, at) in pairwise(times):
        if at < before:
            why = f"its time {_text(at)} lies before {_text(before)}, that of the entry before it"
            yield _finding(Severity.CRITICAL, f"ledger_entry {place}", why)
        if at > latest:
            yield _finding(Severity.HIGH, f"ledger_entry {place}", f"its time {_text(at)} lies ahead of now")


def _text(at: bytes) -> str:
    return at.decode("ascii", "replace")


def _apart(evidence: Evidence) -> Iterator[Yielded]:
    with evidence.store.live() as work:
        before = evidence.machine()
        there = _database(work)
        after = evidence.machine()
    apart = max(before - there, there - after)
    if apart > APART:
        seconds = apart.total_seconds()
        why = (
            f"the machine's clock and the database's are {seconds:,.1f} s apart: {rfc3339(after)} and {rfc3339(there)}"
        )
        yield _finding(Severity.HIGH, "clocks", why)
    yield Judged(1)


def _database(work: Work) -> datetime:
    return from_ms(int(work.driver.execute(_NOW[work.dialect]).fetchone()[0]))


def _finding(severity: Severity, subject: str, why: str) -> Finding:
    return Finding(check=KEY, severity=severity, subject=subject, why=why)
