"""The check `replay`: a sample of the decisions, made again from what they were made from, comes out bit for bit.

What they were made from may be let go of after a while, the oldest first; not before.
"""

import hashlib
from collections.abc import Iterator
from typing import Final

from consent.audit.findings import Evidence, Finding, Gap, Judged, Severity, Yielded
from consent.base.counting import counted
from consent.base.errors import LedgerBroken
from personalise.audit_checks import sealed
from personalise.runs import inputs, log, replaying
from personalise.runs.replaying import Replay

KEY: Final = "replay"
SAMPLE: Final = 10_000
"""Decisions replayed in an audit, or a chunk more."""

_NAMED: Final = 20
"""Differing decisions that are named one by one, of a chunk."""


def replay(evidence: Evidence) -> Iterator[Yielded]:
    """Replay chunks in an order drawn from the audit's id until the sample is full; whoever knows the id can repeat it.

    What was let go of, and who was erased, counts as neither right nor wrong. What is kept of the others is opened, of
    all decisions there are: what is missing, and what does not open, is named.
    """
    with evidence.store.read() as work:
        chunks = list(log.places(work))
        early = list(inputs.dropped_early(work, at=evidence.by_now))
    yield from (Finding(check=KEY, severity=Severity.HIGH, subject=chunk, why=why) for chunk, why in early)
    yield from sealed.unopened(evidence, chunks)
    left, gone = SAMPLE, 0
    for identity in sorted(chunks, key=lambda one: hashlib.sha256(f"{evidence.audit}|{one}".encode()).digest()):
        if left <= 0:
            break
        found = _replayed(evidence, identity)
        if isinstance(found, Gap):
            yield found
            continue
        yield from _named(identity, found)
        count = len(found.same) + len(found.differs)
        left -= count
        gone += len(found.gone) if found.why == replaying.LET_GO else 0
        yield Judged(count)
    if left == SAMPLE and gone:
        yield Gap(check=KEY, why=f"none of {counted(gone, 'decision')} can be replayed: {replaying.LET_GO}")


def _replayed(evidence: Evidence, identity: str) -> Replay | Gap:
    with evidence.store.write() as work:  # what is opened is a use, and is written down
        try:
            chunk = log.read(work, identity)
        except LedgerBroken as damaged:
            return Gap(check=KEY, why=f"chunk {identity}: {damaged.detail}")
        return replaying.replayed(evidence, work, chunk, actor="audit", at=evidence.began)


def _named(chunk: str, found: Replay) -> Iterator[Yielded]:
    for spot, columns in list(found.differs.items())[:_NAMED]:
        why = f"decided again, it comes out with another {', '.join(columns[:5])}"
        yield Finding(check=KEY, severity=Severity.CRITICAL, subject=f"{chunk}.{spot}", why=found.why or why)
    more = len(found.differs) - _NAMED
    if more > 0:
        why = f"{counted(more, 'more decision comes', 'more decisions come')} out otherwise"
        yield Finding(check=KEY, severity=Severity.CRITICAL, subject=chunk, why=why)
    if found.unread:
        why = found.why or "what they were made from does not open"
        yield Gap(check=KEY, why=f"{counted(len(found.unread), 'decision')} of chunk {chunk} can't be replayed: {why}")
