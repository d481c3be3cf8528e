"""Part of the check `replay`: what each decision was made from is there, and opens, until it is let go of."""

from collections.abc import Iterator, Sequence
from typing import Final

from consent import gate
from consent.audit.findings import Evidence, Finding, Severity
from consent.base.errors import LedgerBroken
from consent.base.store import Work
from personalise.runs import inputs, log

KEY: Final = "replay"
_NAMED: Final = 20
"""Decisions whose row doesn't open that are named one by one, of a chunk."""


def unopened(evidence: Evidence, chunks: Sequence[str]) -> Iterator[Finding]:
    """Open what is kept of every chunk, one after the other, and name what is missing, and what does not open.

    Whose key is gone, since he was erased or goes on as somebody else, is passed over; so is what was let go of.
    """
    for identity in chunks:
        with evidence.store.read() as work:
            found = [_named(subject, why) for subject, why in _wrong(evidence, work, identity)]
        yield from found[:_NAMED]
        if len(found) > _NAMED:
            yield _named(identity, f"what {len(found) - _NAMED} more of its decisions were made from does not open")


def _wrong(evidence: Evidence, work: Work, identity: str) -> Iterator[tuple[str, str]]:
    try:
        chunk = log.read(work, identity)
    except LedgerBroken:
        return  # the check `decision_log` says so
    if log.REPLAY not in chunk.table.column_names:
        return
    try:
        kept = inputs.find(work, identity)
    except LedgerBroken:
        yield identity, "what its decisions were made from can't be read"
        return
    if kept is not None and kept.dropped:
        return
    if kept is None or len(kept.rows) != chunk.table.num_rows:
        yield identity, "what its decisions were made from is not there, though nobody let go of it"
        return
    marked = [spot for spot, mark in enumerate(chunk.table[log.REPLAY].to_pylist()) if mark]
    customers = chunk.customers
    whose = [customers[spot] for spot in marked]
    rows = [kept.rows[spot] for spot in marked]
    for number in gate.shut_rows(evidence.desk, work, whose, rows, place=identity):
        why = "what it was made from does not open: it was changed, or stands where it was not sealed for"
        yield f"{identity}.{marked[number]}", why


def _named(subject: str, why: str) -> Finding:
    return Finding(check=KEY, severity=Severity.HIGH, subject=subject, why=why)
