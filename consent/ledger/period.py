"""Periods: what a log is called, and when the next one is due.

A log covers half a year, and its name says which: `<name>/consent/2026h2`. One that can't go on under its name, because
what was signed in it was lost, goes on in the same half-year as `2026h2-2`.
"""

import re
from datetime import datetime
from typing import Final, NamedTuple

from typing_extensions import override

_ORIGIN: Final = re.compile(r"(?P<name>.+)/consent/(?P<year>\d{4})h(?P<half>[12])(?:-(?P<again>[1-9]\d{0,4}))?")


class Period(NamedTuple):
    """A half-year, and the how-manieth log of it: they sort in the order of time."""

    year: int
    half: int
    again: int = 1

    @override
    def __str__(self) -> str:
        """Return how a log's name ends."""
        return f"{self.year:04}h{self.half}" + (f"-{self.again}" if self.again > 1 else "")


def of_time(at: datetime) -> Period:
    """Return the half-year of a time, in UTC.

    >>> from datetime import UTC
    >>> str(of_time(datetime(2026, 11, 21, tzinfo=UTC))), str(of_time(datetime(2027, 1, 1, tzinfo=UTC)))
    ('2026h2', '2027h1')
    """
    return Period(at.year, (at.month + 5) // 6)


def origin(name: str, period: Period) -> str:
    """Return the name of a deployment's log.

    >>> origin("shop.example", Period(2026, 2))
    'shop.example/consent/2026h2'
    """
    return f"{name}/consent/{period}"


def read(origin: str) -> tuple[str, Period] | None:
    """Return the deployment's name and the period in a log's name; None where it isn't such a name.

    >>> read("shop.example/consent/2026h2-3")
    ('shop.example', Period(year=2026, half=2, again=3))
    """
    found = _ORIGIN.fullmatch(origin)
    if not found:
        return None
    return found["name"], Period(int(found["year"]), int(found["half"]), int(found["again"] or 1))


def following(current: str, at: datetime) -> str | None:
    """Return the name of the log that is due after `current`; None while its half-year lasts.

    >>> from datetime import UTC
    >>> following("shop.example/consent/2026h2", datetime(2026, 12, 31, tzinfo=UTC))
    >>> following("shop.example/consent/2026h2-2", datetime(2027, 8, 1, tzinfo=UTC))
    'shop.example/consent/2027h2'
    """
    known = read(current)
    if known is None or of_time(at) <= known[1]._replace(again=1):
        return None
    return origin(known[0], of_time(at))


def again(current: str, at: datetime) -> str:
    """Return the name of the log that goes on now from one that can't go on under its own name.

    >>> from datetime import UTC
    >>> again("shop.example/consent/2026h2", datetime(2026, 12, 31, tzinfo=UTC))
    'shop.example/consent/2026h2-2'
    """
    name, period = read(current) or (current.partition("/")[0], of_time(at))
    return following(current, at) or origin(name, period._replace(again=period.again + 1))
