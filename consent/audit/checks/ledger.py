"""The checks `ledger` and `checkpoints`: the proof itself, every byte of it, and that it is signed in time."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from consent.audit import schedules
from consent.audit.findings import Evidence, Finding, Gap, Judged, Severity, Yielded
from consent.base.clock import parse_time, rfc3339
from consent.base.counting import counted
from consent.base.database import table_of
from consent.base.store import Work
from consent.ledger import entry, stored
from consent.ledger.stored import StoredLog
from consent.ledger.verify import Bad
from consent.tables import LedgerCheckpointRow, LedgerEntryRow

LEDGER: Final = "ledger"
CHECKPOINTS: Final = "checkpoints"
PROMPT: Final = timedelta(seconds=60)
"""How soon after the log has grown a checkpoint is to be signed."""

GRACE: Final = timedelta(seconds=30)
"""Who comes by once a minute needs time for it."""

LOOKED_BACK: Final = timedelta(days=7)
"""How far back it is judged whether checkpoints were signed in time."""

_SIGNATURES: Final = frozenset({"ledger_checkpoint", "cosignature"})
_signed: Final = table_of(LedgerCheckpointRow)
_entry: Final = table_of(LedgerEntryRow)


def ledger(evidence: Evidence) -> Iterator[Yielded]:
    """Recompute every byte of the ledger: entries, trees, heads, payloads, catalogues, and how its logs follow.

    An incremental audit begins at the checkpoint up to which it passed: the signature proves what the ledger was then,
    and the stored tree that it still begins so.
    """
    verified = evidence.verified(LEDGER)
    yield from (_finding(LEDGER, bad) for bad in verified.bad if bad.table not in _SIGNATURES)
    yield Judged(verified.checked)


def checkpoints(evidence: Evidence) -> Iterator[Yielded]:
    """Hold every checkpoint against the recomputed tree, and its signature against the log's key.

    Without a checkpoint that holds, the tree can have been recomputed from anything: then nothing anchors it. Where a
    worker runs, it signs one at most a minute after the log has grown: what lay there for longer could have been
    exchanged without a trace. It is said of the last seven days how often that was so.
    """
    verified = evidence.verified(CHECKPOINTS)
    yield from (_finding(CHECKPOINTS, bad) for bad in verified.bad if bad.table in _SIGNATURES)
    yield Judged(verified.checkpoints)
    anchored = verified.anchored or CHECKPOINTS in evidence.marks
    if verified.size and not anchored and (verified.ok or not verified.checkpoints):
        yield Gap(check=CHECKPOINTS, why="no entry lies under a checkpoint that holds")
    with evidence.store.read() as work:
        if schedules.ever_worked(work):
            yield from _late(work, stored.newest(work), evidence.at)


def _finding(check: str, bad: Bad) -> Finding:
    subject = f"{bad.table} {bad.seq}"
    return Finding(check=check, severity=Severity.CRITICAL, subject=subject, why=bad.why)


class _Grown(NamedTuple):
    """The first entry behind a checkpoint, and when a checkpoint came to cover it; None where none does."""

    at: datetime
    size: int
    signed_at: datetime | None

    def waited(self, until: datetime) -> timedelta:
        return (self.signed_at or until) - self.at


def _late(work: Work, log: StoredLog, at: datetime) -> Iterator[Finding]:
    grown = [each for each in _grown(work, log, at - LOOKED_BACK) if each.waited(at) > PROMPT + GRACE]
    waiting = [each for each in grown if each.signed_at is None]
    late = [each for each in grown if each.signed_at is not None]
    for each in waiting:
        why = f"what was recorded since {rfc3339(each.at)} lies under no checkpoint: is the worker running?"
        yield Finding(check=CHECKPOINTS, severity=Severity.HIGH, subject="ledger_head", why=why)
    if late:
        worst = max(late, key=lambda each: each.waited(at))
        seconds = worst.waited(at).total_seconds()
        signed = counted(len(late), "checkpoint was", "checkpoints were")
        why = (
            f"in the last {LOOKED_BACK.days} days {signed} signed more than a minute after the log had grown: that at "
            f"size {worst.size} after {seconds:,.0f} s"
        )
        yield Finding(check=CHECKPOINTS, severity=Severity.LOW, subject="ledger_checkpoint", why=why)


def _grown(work: Work, log: StoredLog, since: datetime) -> Iterator[_Grown]:
    """Walk the checkpoints signed since, each with the first entry that the one before it did not cover."""
    before = sa.func.lag(_signed.c.size).over(order_by=_signed.c.size)
    steps = sa.select(_signed.c.size, _signed.c.signed_at, before.label("before")).where(
        _signed.c.log == log.log, _signed.c.signed_at >= since
    )
    step = steps.subquery()
    query = (
        sa.select(step.c.size, step.c.signed_at, _entry.c.body)
        .join(_entry, sa.and_(_entry.c.log == log.log, _entry.c.seq == step.c.before))
        .order_by(step.c.size)
    )
    for size, signed_at, body in work.connection.execute(query):
        yield from _first(body, size, signed_at)
    last = work.connection.execute(sa.select(sa.func.max(_signed.c.size)).where(_signed.c.log == log.log)).scalar()
    for body in stored.entries(work, log.log, last or 0, (last or 0) + 1).bodies:
        yield from _first(body, log.size, None)


def _first(body: Any, size: int, signed_at: datetime | None) -> Iterator[_Grown]:  # noqa: ANN401 -- need not be bytes
    read = entry.read(bytes(body)) if isinstance(body, bytes | memoryview) else None
    if read is not None:
        yield _Grown(parse_time(read.at), size, signed_at)
