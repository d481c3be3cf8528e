"""Time as an argument: the only module that reads the machine's clock.

Inside the product an instant is an aware UTC `datetime` with whole milliseconds; in tables and kernels it is
an integer of milliseconds since 1970-01-01T00:00:00Z, the same number on both databases.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from consent.base.errors import Invalid

Clock = Callable[[], datetime]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def system_clock() -> datetime:
    """Return the machine's time, UTC, cut to whole milliseconds."""
    now = datetime.now(UTC)
    return now - timedelta(0, 0, now.microsecond % 1_000)


def whole_milliseconds(at: datetime) -> datetime:
    """Return `at` in UTC without its microseconds below a millisecond.

    Raises:
        Invalid: `at` has no time zone.

    >>> whole_milliseconds(datetime(2026, 11, 21, 10, 0, 0, 123999, tzinfo=UTC)).microsecond
    123000
    """
    if at.tzinfo is None:
        msg = "a time without a zone"
        raise Invalid(msg)
    at = at.astimezone(UTC)
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def to_ms(at: datetime) -> int:
    """Return milliseconds since the epoch.

    >>> to_ms(datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC))
    1000
    """
    if at.tzinfo is None:
        msg = "a time without a zone"
        raise Invalid(msg)
    return (at - EPOCH) // _MILLISECOND


def from_ms(milliseconds: int) -> datetime:
    """Return the aware UTC instant of a millisecond count.

    >>> rfc3339(from_ms(1000))
    '1970-01-01T00:00:01.000Z'
    """
    return EPOCH + timedelta(milliseconds=milliseconds)


def rfc3339(at: datetime) -> str:
    """Return RFC 3339 UTC with exactly three decimals, the ledger's form.

    >>> rfc3339(datetime(2026, 11, 21, 17, 0, 0, 123000, tzinfo=UTC))
    '2026-11-21T17:00:00.123Z'
    """
    if at.tzinfo is not UTC:
        at = whole_milliseconds(at)
    return at.isoformat(timespec="milliseconds")[: -len("+00:00")] + "Z"  # which cuts to the millisecond by itself


def parse_time(text: str) -> datetime:
    """Read an RFC 3339 time, which must name its zone.

    Raises:
        Invalid: not RFC 3339, no zone, or not on the calendar.

    Source:
        RFC 3339 section 5.6.

    >>> rfc3339(parse_time("2026-11-21T18:00:00+01:00"))
    '2026-11-21T17:00:00.000Z'
    """
    if not _RFC3339.fullmatch(text):
        msg = f"{text[:40]!r} is not a time; write it like 2026-11-21T17:00:00Z"
        raise Invalid(msg)
    try:
        return whole_milliseconds(datetime.fromisoformat(text.upper()))
    except (ValueError, OverflowError) as refused:
        msg = f"{text[:40]!r} is not on the calendar: {refused}"
        raise Invalid(msg) from refused
