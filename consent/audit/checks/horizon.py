"""The check `horizon`: what was erased is gone from backups too, as soon as it has to be."""

from collections.abc import Iterator
from typing import Final

from consent.audit.findings import Evidence, Finding, Gap, Judged, Severity, Yielded

KEY: Final = "horizon"


def horizon(evidence: Evidence) -> Iterator[Yielded]:
    """Judge for how long after an erasure somebody's key may still lie in a backup: 30 days at most.

    It is what the settings say of backups and of the key management system; whether that is so, only those can say.
    """
    if evidence.horizon is None:
        yield Gap(check=KEY, why="nobody says how long backups are kept")
        return
    too_far = evidence.horizon.too_far
    if too_far:
        yield Finding(check=KEY, severity=Severity.HIGH, subject="backups", why=too_far)
    yield Judged(1)
