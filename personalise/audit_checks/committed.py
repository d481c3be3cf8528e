"""The check `decision_log`: every decision is the one that the ledger committed to, and none is missing."""

from collections.abc import Iterator, Sequence
from typing import Final

import sqlalchemy as sa

from consent.audit.findings import Evidence, Finding, Judged, Severity, Yielded
from consent.base.canonical import b64u
from consent.base.database import table_of
from consent.base.errors import ByleaveError, LedgerBroken
from consent.base.store import Work
from consent.ledger import stored
from consent.ledger.entry import Kind
from consent.ledger.position import parts, position
from consent.register import publishing
from consent.register.desk import Desk
from personalise.audit_checks import used
from personalise.audit_checks.pinned import Pinned
from personalise.audit_checks.used import Used
from personalise.runs import log
from personalise.runs.log import Chunk
from personalise.tables import DecisionChunkRow

KEY: Final = "decision_log"
_ENTRIES: Final = 10_000
_chunk: Final = table_of(DecisionChunkRow)
_SPAN: Final = sa.select(_chunk.c.first, _chunk.c.last, _chunk.c.customers)
_COMMITTED: Final = f'"t":"{Kind.DECISIONS_COMMITTED}"'.encode()


def decision_log(evidence: Evidence) -> Iterator[Yielded]:
    """Hold every chunk of decisions against what the ledger says of it, and look for every chunk that it speaks of.

    Where its decisions used data, the record of that use must be there. Chunks of a run were decided by what the run
    was started with, others by the contact policy that was in force.
    """
    since = evidence.since(KEY)
    with evidence.store.read() as work:
        kept = {identity: position(*place) for identity, place in log.places(work).items()}
        pinned = Pinned(work)
    read: list[Used] = []
    for identity in (each for each, place in kept.items() if place >= since):
        count = 0
        with evidence.store.read() as work:
            try:
                chunk = log.read(work, identity)
                why = _differs(evidence.desk, work, chunk) or pinned.differs(work, chunk)
                count = chunk.table.num_rows
            except LedgerBroken as damaged:
                why = damaged.detail
        if why:
            yield Finding(check=KEY, severity=Severity.CRITICAL, subject=identity, why=why)
        else:
            read.append(used.of(chunk))
        if len(read) == used.AT_ONCE:
            yield from _unrecorded(evidence, read)
            read = []
        yield Judged(count)
    yield from _unrecorded(evidence, read)
    places = set(kept.values())
    for place in _committing(evidence, since):
        if place not in places:
            why = f"ledger entry {place} commits to decisions that are not there"
            yield Finding(check=KEY, severity=Severity.CRITICAL, subject=f"ledger_entry {place}", why=why)


def _unrecorded(evidence: Evidence, read: Sequence[Used]) -> Iterator[Finding]:
    with evidence.store.read() as work:
        found = list(used.unrecorded(evidence, work, read))
    for chunk, why in found:
        yield Finding(check=KEY, severity=Severity.HIGH, subject=chunk, why=why)


def _committing(evidence: Evidence, since: int) -> Iterator[int]:
    """Walk the positions of the entries from `since` on that commit to decisions."""
    begun = parts(since)
    with evidence.store.read() as work:
        logs = [one for one in stored.logs(work) if one.log >= begun.log]
    for one in logs:
        for first in range(begun.seq if one.log == begun.log else 0, one.size, _ENTRIES):
            with evidence.store.read() as work:
                entries = stored.entries(work, one.log, first, min(first + _ENTRIES, one.size))
            for seq, body in zip(entries.seqs, entries.bodies, strict=True):
                if _COMMITTED in bytes(body):
                    yield position(one.log, seq)


def _differs(desk: Desk, work: Work, chunk: Chunk) -> str:
    """Say what is not as the ledger has it; "" where nothing is."""
    try:
        committed = publishing.noted(desk, work, chunk.log, chunk.seq)
    except ByleaveError as lost:
        return f"entry {chunk.seq}, which commits to these decisions, can't be read: {lost.title}"
    root = log.root_of(chunk.table, bytes.fromhex(chunk.about["salt"]))
    if committed.get("root") != b64u(root) or chunk.root != root:
        return f"the decisions are not the ones that ledger entry {chunk.seq} committed to"
    wrong = [name for name, value in log.commitment(chunk, root).items() if committed.get(name) != value]
    if wrong:
        return f"ledger entry {chunk.seq} commits to another {', '.join(wrong)}"
    beside = _beside(work, chunk)
    return f"its row is not what its decisions say: {'; '.join(beside)}" if beside else ""


def _beside(work: Work, chunk: Chunk) -> list[str]:
    """Return what a chunk's row says of whose decisions it holds, which is how they are found, and they don't."""
    said = work.connection.execute(_SPAN.where(_chunk.c.id == chunk.id)).one()._asdict()
    whose = chunk.customers
    held = {"first": whose[0], "last": whose[-1], "customers": len(whose)}
    return [f"{name} is {said[name]}, and should be {is_}" for name, is_ in held.items() if said[name] != is_]
