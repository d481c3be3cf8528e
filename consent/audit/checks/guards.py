"""The check `guards`: every table that is insert-only still refuses changes."""

from collections.abc import Iterator
from typing import Final

from consent.audit.findings import Evidence, Finding, Judged, Severity, Yielded
from consent.base import schema

KEY: Final = "guards"
_WHY: Final = "its triggers are gone or switched off, so its rows can be changed: verify them, and restore the triggers"


def guards(evidence: Evidence) -> Iterator[Yielded]:
    """Look for the triggers by which insert-only tables refuse changes: all are there and, on PostgreSQL, enabled.

    They are looked at as they are now, whatever time is judged. Whoever owns the database can drop or disable them,
    change rows, and put them back: what he changed is for the other checks to find.
    """
    for table in schema.unguarded(evidence.store):
        yield Finding(check=KEY, severity=Severity.CRITICAL, subject=table, why=_WHY)
    yield Judged(len(schema.insert_only()))
