"""PURE: numbers, times and lists as staff read them, in English."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from consent.base import counting

_MINUTE: Final = 60
_HOUR: Final = 3_600
_DAY: Final = 86_400
_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


counted: Final = counting.counted


def number(count: float) -> str:
    """Return a number with its thousands set apart; fractions keep at most four digits.

    >>> number(20000), number(0.02)
    ('20,000', '0.02')
    """
    return f"{count:,}" if isinstance(count, int) else f"{count:,.4f}".rstrip("0").rstrip(".")


def share(part: float, whole: float) -> str:
    """Return a part of a whole in percent; a part that isn't nothing is never shown as nothing.

    >>> share(1, 3), share(0, 10), share(1, 100000), share(0, 0)
    ('33.3 %', '0 %', '< 0.1 %', '–')
    """
    if not whole:
        return "–"
    percent = 100 * part / whole
    if 0 < percent < 0.1:  # noqa: PLR2004 -- below one decimal
        return "< 0.1 %"
    return f"{percent:.1f}".removesuffix(".0") + " %"


def points(value: float) -> str:
    """Return a difference of rates in percentage points, with its sign.

    >>> points(0.0123), points(-0.004)
    ('+1.2', '−0.4')
    """
    return f"{100 * value:+.1f}".replace("-", "−")


def moment(at: datetime) -> str:
    """Return a time as a sentence has it.

    >>> moment(datetime(2026, 11, 21, 10, 5, tzinfo=UTC))
    '21 November 2026, 10:05 UTC'
    """
    at = at.astimezone(UTC)
    return f"{at.day} {_MONTHS[at.month - 1]} {at.year}, {at:%H:%M} UTC"


def day(at: datetime) -> str:
    """Return a day.

    >>> day(datetime(2026, 11, 21, tzinfo=UTC))
    '21 November 2026'
    """
    return moment(at).partition(",")[0]


def span(seconds: float) -> str:
    """Return a length of time in its largest unit.

    >>> span(0.4), span(42), span(61), span(7200), span(172800)
    ('less than a second', '42 seconds', '1 minute', '2 hours', '2 days')
    """
    if seconds < 1:
        return "less than a second"
    for unit, length in (("day", _DAY), ("hour", _HOUR), ("minute", _MINUTE)):
        if seconds >= length:
            return counted(int(seconds // length), unit)
    return counted(int(seconds), "second")


def ago(then: datetime, now: datetime) -> str:
    """Return how long ago something was.

    >>> ago(datetime(2026, 11, 21, 10, 0, tzinfo=UTC), datetime(2026, 11, 21, 10, 3, tzinfo=UTC))
    '3 minutes ago'
    """
    passed = max(timedelta(), now - then).total_seconds()
    return "just now" if passed < 1 else f"{span(passed)} ago"


def short(name: str) -> str:
    """Return the id of something so that it fits into a table: its kind, and its last signs.

    >>> short("cus_01a1fb67180070008000000000000a0a0"), short("dec_01a1fb67180070008000000000000b1b1.12"), short("x")
    ('cus_…0000a0a0', 'dec_…0000b1b1.12', 'x')
    """
    kind, sign, rest = name.partition("_")
    whole, dot, part = rest.partition(".")
    return f"{kind}_…{whole[-8:]}{dot}{part}" if sign and len(whole) > 16 else name  # noqa: PLR2004 -- half of an id


def listed(words: Sequence[str]) -> str:
    """Return words as a sentence lists them.

    >>> listed(["a", "b", "c"]), listed(["a"]), listed([])
    ('a, b and c', 'a', '')
    """
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else list(words))
