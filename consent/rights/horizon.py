"""The shred horizon: for how long after an erasure somebody's key may still lie in a backup.

Erasing deletes the wrapped data key. Copies of the database made before still hold it, until they are thrown away; and
where the key that wrapped it has to go as well, a key management system may keep that for a while after it was told to
destroy it. The sum of both is what the company has to be able to say, and it may not be longer than a month.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from consent.base.counting import counted

LONGEST_DAYS: Final = 30
"""GDPR Art. 12(3) gives a month to answer whoever asks to be erased."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Horizon:
    """What the deployment's settings say: how long backups are kept, and how long a destroyed key may linger."""

    backup_retention_days: int = 14
    kms_wait_days: int = 0

    @property
    def days(self) -> int:
        """How long after an erasure a copy of the key may still be there.

        >>> Horizon(backup_retention_days=14, kms_wait_days=7).days
        21
        """
        return self.backup_retention_days + self.kms_wait_days

    @property
    def too_far(self) -> str:
        """Why the horizon lies too far away; "" where it doesn't.

        >>> Horizon(backup_retention_days=30, kms_wait_days=7).too_far
        'backups are kept for 30 days and a destroyed key for 7: 37 days, 7 more than the 30 that are allowed'
        >>> Horizon().too_far
        ''
        """
        if self.days <= LONGEST_DAYS:
            return ""
        backups = counted(self.backup_retention_days, "day")
        kept = f"backups are kept for {backups} and a destroyed key for {self.kms_wait_days}"
        return f"{kept}: {self.days} days, {self.days - LONGEST_DAYS} more than the {LONGEST_DAYS} that are allowed"

    def gone_by(self, erased_at: datetime) -> datetime:
        """Return when no copy of the key of somebody erased at `erased_at` is left.

        >>> from datetime import UTC
        >>> Horizon().gone_by(datetime(2026, 11, 21, tzinfo=UTC)).isoformat()
        '2026-12-05T00:00:00+00:00'
        """
        return erased_at + timedelta(days=self.days)

    @property
    def text(self) -> str:
        """One sentence for people.

        >>> Horizon(kms_wait_days=7).text
        'erased data can be read from no backup after 21 days (backups are kept for 14, a destroyed key for 7)'
        """
        kept = f"backups are kept for {self.backup_retention_days}, a destroyed key for {self.kms_wait_days}"
        return f"erased data can be read from no backup after {counted(self.days, 'day')} ({kept})"
