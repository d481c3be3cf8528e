"""PURE: the five fields of a cron expression, in a named time zone: what it means, and the instants it names.

`cronsim` reads them as Debian's cron does: minute, hour, day of the month, month, day of the week, of which Sunday is 0
or 7; where both days are restricted, either will do. A rule that names hours keeps to one run a day in the nights in
which clocks are moved; a rule for every hour goes by real hours.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from consent.base.errors import Invalid, Place

_FIELDS: Final = (
    ("minute", "0 to 59"),
    ("hour", "0 to 23"),
    ("day of the month", "1 to 31"),
    ("month", "1 to 12"),
    ("day of the week", "0 to 7"),
)
_LONGEST: Final = 120
_ANY_DAY: Final = datetime(2000, 1, 1, tzinfo=UTC)


class CronInvalid(Invalid):
    """An expression isn't of the five fields, or its time zone isn't known here; the place is the field."""

    code = "cron_invalid"
    title = "The schedule is not valid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cron:
    """An expression that was read, in a time zone."""

    text: str
    zone: ZoneInfo


def read(text: str, zone: str = "UTC") -> Cron:
    """Read an expression.

    Raises:
        CronInvalid: naming each field that is wrong.

    >>> read("15 2 * * MON-fri", "Europe/Berlin").text
    '15 2 * * mon-fri'
    >>> read("61 2 * *")
    Traceback (most recent call last):
    consent.audit.cron.CronInvalid: The schedule is not valid: cron: must have five fields, and has 4
    """
    fields = text.lower().split() if len(text) <= _LONGEST else []
    if len(fields) != len(_FIELDS):
        raise CronInvalid(places=[Place("cron", f"must have five fields, and has {len(fields)}")])
    places = [
        Place(f"cron, {name}", f"{field[:20]!r} is not of {span}")
        for spot, ((name, span), field) in enumerate(zip(_FIELDS, fields, strict=True))
        if not _reads(" ".join("*" if other != spot else field for other in range(len(_FIELDS))))
    ]
    known = _zone(zone, places)
    if not places and not _reads(" ".join(fields)):
        places.append(Place("cron", "names a day that never comes"))
    if places or known is None:
        raise CronInvalid(places=places)
    return Cron(text=" ".join(fields), zone=known)


def _reads(text: str) -> bool:
    """Say whether an expression can be read, and names an instant in the next fifty years."""
    try:
        return next(CronSim(text, _ANY_DAY), None) is not None
    except CronSimError:
        return False


def _zone(name: str, places: list[Place]) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        places.append(Place("zone", "is not a time zone that is known here, like Europe/Berlin"))
        return None


def slots(cron: Cron, after: datetime, until: datetime) -> Iterator[datetime]:
    """Yield the instants in `(after, until]`, in UTC, each once and in order.

    >>> at = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
    >>> [each.isoformat() for each in slots(read("0 */6 * * *"), at, at + timedelta(hours=9))]
    ['2026-11-21T12:00:00+00:00', '2026-11-21T18:00:00+00:00']
    """
    found = (each.astimezone(UTC) for each in CronSim(cron.text, after.astimezone(cron.zone)))
    return takewhile(lambda each: each <= until, (each for each in found if each > after))


def next_after(cron: Cron, after: datetime) -> datetime:
    """Return the first instant after `after`.

    >>> next_after(read("30 2 * * *", "Europe/Berlin"), datetime(2026, 3, 28, 12, 0, tzinfo=UTC)).isoformat()
    '2026-03-29T01:00:00+00:00'
    """
    found = (each.astimezone(UTC) for each in CronSim(cron.text, after.astimezone(cron.zone)))
    return next(each for each in found if each > after)


def last_before(cron: Cron, at: datetime, *, since: datetime) -> datetime | None:
    """Return the last instant in `(since, at]`; None where there is none."""
    behind = (at + timedelta(seconds=1)).astimezone(cron.zone)
    found = (each.astimezone(UTC) for each in CronSim(cron.text, behind, reverse=True))
    last = next((each for each in found if each <= at), None)
    return last if last is not None and last > since else None
