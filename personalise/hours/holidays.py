"""PURE: holidays by rule: a date of each year, a distance from Easter Sunday, or the nth weekday of a month."""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Final, TypeAlias

FARTHEST: Final = 80
"""Days from Easter: within them every holiday lies in the year of its Easter."""

LAST: Final = -1
"""The `nth` of the last weekday of a month."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixed:
    """The same date each year."""

    name: str
    month: int
    day: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Movable:
    """So many days after Easter Sunday of the Gregorian calendar; before it, if negative."""

    name: str
    easter: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Weekday:
    """The nth (1 to 5; -1 for the last) of a weekday (0 is Monday) in a month."""

    name: str
    month: int
    weekday: int
    nth: int


Holiday: TypeAlias = Fixed | Movable | Weekday


@lru_cache(maxsize=256)
def easter(year: int) -> date:
    """Return Easter Sunday of the Gregorian calendar.

    Source:
        J. Meeus, Astronomical Algorithms, chapter 8 (the anonymous algorithm of 1876).

    >>> easter(2026).isoformat(), easter(2038).isoformat()
    ('2026-04-05', '2038-04-25')
    """
    golden, (century, of_century) = year % 19, divmod(year, 100)
    leap_centuries, of_leap = divmod(century, 4)
    correction = (century - (century + 8) // 25 + 1) // 3
    epact = (19 * golden + century - leap_centuries - correction + 15) % 30
    leaps, of_four = divmod(of_century, 4)
    to_sunday = (32 + 2 * of_leap + 2 * leaps - epact - of_four) % 7
    late = (golden + 11 * epact + 22 * to_sunday) // 451
    month, day = divmod(epact + to_sunday - 7 * late + 114, 31)
    return date(year, month, day + 1)


def falls_on(holiday: Holiday, day: date) -> bool:
    """Say whether a holiday is on this day.

    >>> falls_on(Movable(name="Ascension Day", easter=39), date(2026, 5, 14))
    True
    >>> falls_on(Weekday(name="Thanksgiving Day", month=11, weekday=3, nth=4), date(2026, 11, 26))
    True
    """
    match holiday:
        case Fixed():
            return (day.month, day.day) == (holiday.month, holiday.day)
        case Movable():
            return (day - easter(day.year)).days == holiday.easter
        case Weekday(nth=nth):
            if (day.month, day.weekday()) != (holiday.month, holiday.weekday):
                return False
            return (day + timedelta(weeks=1)).month != day.month if nth == LAST else (day.day + 6) // 7 == nth
