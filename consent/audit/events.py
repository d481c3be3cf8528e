"""What the deployment itself did, as the ledger tells it: entries of some kinds, in order, with their payloads."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from consent.audit.findings import Evidence
from consent.base.database import Hot, table_of
from consent.ledger import stored
from consent.ledger.entry import Kind
from consent.ledger.position import parts, position
from consent.register import reopening
from consent.register.payloads import LOG_OWNER
from consent.tables import LedgerEntryRow, LedgerPayloadRow

_CHUNK: Final = 8_192
"""Entries looked at in one transaction."""

_payload: Final = table_of(LedgerPayloadRow)
_entry: Final = table_of(LedgerEntryRow)
_OWN: Final = Hot(
    sa.select(_payload.c.seq, _entry.c.body)
    .join(_entry, sa.and_(_entry.c.log == _payload.c.log, _entry.c.seq == _payload.c.seq))
    .where(
        _payload.c.owner == LOG_OWNER,
        _payload.c.log == sa.bindparam("log"),
        _payload.c.seq >= sa.bindparam("first"),
        _payload.c.seq < sa.bindparam("last"),
    ),
    "log",
    "first",
    "last",
)


class Event(NamedTuple):
    """One entry, opened; or why it can't be read, and then `told` is empty."""

    position: int
    at: str
    kind: str
    told: Mapping[str, Any]
    why: str


def events(evidence: Evidence, *kinds: Kind, since: int = 0) -> Iterator[Event]:
    """Walk the deployment's own entries of some kinds, in the order of the ledger; no transaction is open in between.

    Args:
        evidence: where to read, and how to open.
        kinds: which.
        since: a ledger position; only what stands there or behind it is read.
    """
    ends = tuple(f'"t":"{kind}","v":1}}'.encode() for kind in kinds)
    begun = parts(since)
    with evidence.store.read() as work:
        logs = [log for log in stored.logs(work) if log.log >= begun.log]
    for log in logs:
        for first in range(begun.seq if log.log == begun.log else 0, log.size, _CHUNK):
            yield from _chunk(evidence, log.log, first, min(first + _CHUNK, log.size), ends)


def at(evidence: Evidence, positions: Sequence[int]) -> dict[int, Event]:
    """Return the deployment's own entries at these positions, by position; those that there are."""
    with evidence.store.read() as work:
        sealed = reopening.sealed_among(work, positions)
    return {event.position: event for event in _opened(evidence, sealed)}


def _chunk(evidence: Evidence, log: int, first: int, last: int, ends: tuple[bytes, ...]) -> list[Event]:
    with evidence.store.read() as work:
        rows = work.run(_OWN, log, first, last).fetchall()
        wanted = [position(log, seq) for seq, body in rows if bytes(body).endswith(ends)]
        sealed = reopening.sealed_among(work, wanted)
    return sorted(_opened(evidence, sealed))


def _opened(evidence: Evidence, sealed: reopening.Sealed) -> Iterator[Event]:
    for one in reopening.reopened(evidence.desk.keys, sealed):
        if one.owner == LOG_OWNER:
            yield Event(one.seq, one.at, one.kind, one.payload, one.why)
