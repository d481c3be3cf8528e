"""ISO 8601 durations of the calendar: years, months, weeks, days."""

import calendar
import re
from dataclasses import dataclass
from datetime import datetime, timedelta

_FORM = re.compile(r"P(?=\d)(?:(\d{1,3})Y)?(?:(\d{1,3})M)?(?:(\d{1,4})W)?(?:(\d{1,5})D)?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Duration:
    """Months first, then days, as a calendar counts them."""

    months: int
    days: int

    def after(self, at: datetime) -> datetime:
        """Return the instant this long after `at`; the 31st becomes the last day of a shorter month.

        >>> from datetime import UTC
        >>> Duration(months=1, days=0).after(datetime(2026, 1, 31, tzinfo=UTC)).day
        28
        """
        months = at.year * 12 + at.month - 1 + self.months
        year, month = divmod(months, 12)
        day = min(at.day, calendar.monthrange(year, month + 1)[1])
        return at.replace(year=year, month=month + 1, day=day) + timedelta(days=self.days)

    def written(self) -> str:
        """Return it in ISO 8601, in months and days.

        >>> Duration(months=24, days=0).written(), Duration(months=1, days=10).written()
        ('P24M', 'P1M10D')
        """
        return "P" + (f"{self.months}M" if self.months else "") + (f"{self.days}D" if self.days else "")


def parse_duration(text: str) -> Duration | None:
    """Read an ISO 8601 duration of calendar units; None if it isn't one, or is nothing.

    Source:
        ISO 8601-1 section 5.5.2.4, without the time part.

    >>> parse_duration("P1Y6M"), parse_duration("P0D"), parse_duration("two years")
    (Duration(months=18, days=0), None, None)
    """
    found = _FORM.fullmatch(text)
    if not found:
        return None
    years, months, weeks, days = (int(part or 0) for part in found.groups())
    length = Duration(months=years * 12 + months, days=weeks * 7 + days)
    return length if length.months or length.days else None
