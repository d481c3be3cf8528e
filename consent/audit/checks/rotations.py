"""Part of the check `keys`: each version of the key-encryption key that came or went did so as the ledger says."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final, NamedTuple

import sqlalchemy as sa

from consent.audit import events, times
from consent.audit.events import Event
from consent.audit.findings import Evidence
from consent.base.database import table_of
from consent.ledger import opening, stored
from consent.ledger.entry import Kind
from consent.ledger.position import position
from consent.register.tables import KeyDestructionRow, KeyRotationRow

_ENCRYPTION: Final = "encryption"
_rotation: Final = table_of(KeyRotationRow)
_destruction: Final = table_of(KeyDestructionRow)


class _Kept(NamedTuple):
    """That a version came or went, as its row says: when, and in which entry."""

    at: datetime | None
    position: int
    keys: int | None
    """Data keys that were wrapped anew; None where that isn't told."""


def otherwise(evidence: Evidence) -> Iterator[tuple[int, str]]:
    """Walk the versions of which the ledger tells something else than their rows: (version, why)."""
    with evidence.store.read() as work:
        rotated = {
            ("rotated", row.version): _Kept(row.finished_at, row.position, row.done)
            for row in work.connection.execute(sa.select(_rotation).where(_rotation.c.finished_at.is_not(None)))
        }
        destroyed = {
            ("destroyed", row.version): _Kept(row.destroyed_at, row.position, None)
            for row in work.connection.execute(sa.select(_destruction).where(_destruction.c.destroyed_at.is_not(None)))
        }
        opened = [
            position(log, seq)
            for log, seq, plain in stored.openings(work)
            if opening.payload(plain).get("key") == _ENCRYPTION
        ]
    kept = rotated | destroyed
    # An entry that can't be read, or that nothing opens, is the check `ledger`'s.
    for event in sorted(events.at(evidence, opened).values()):
        if event.kind == Kind.KEY_ROTATED and event.told.get("key") == _ENCRYPTION:
            act, version = str(event.told.get("act")), int(event.told.get("version", 0))
            why = _differs(act, kept.pop((act, version), None), event)
            if why:
                yield version, why
    for (act, version), row in kept.items():
        yield version, f"it is said to be {act} in entry {row.position}, which does not say so"


def _differs(act: str, row: _Kept | None, event: Event) -> str:
    if row is None:
        return f"entry {event.position} says that it was {act}, and no row does"
    if row.position != event.position:
        return f"it is said to be {act} in entry {row.position}, and it was in entry {event.position}"
    if row.keys not in (None, event.told.get("keys")):
        return (
            f"{row.keys} data keys are said to be wrapped by it, and {event.told.get('keys')} by entry {event.position}"
        )
    other = times.differs(row.at, event)
    return f"it is said to be {act} at {other}" if other else ""
