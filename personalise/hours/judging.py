"""PURE: may this customer be reached now, and if not, from when on?

An instant is judged by what the clocks of a zone show at it, so that nothing has to be guessed where clocks change: an
hour that comes twice is one local time, and both of its instants are judged alike; an hour that is skipped is no
instant at all, and what would be quiet in it moves nowhere. A span that wraps midnight goes on into the calendar's next
day, and where the calendar has skipped its first day (Samoa, 30 December 2011), its rest stands all the same.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from consent.base.clock import to_ms, whole_milliseconds
from personalise.hours.model import Hours, HoursRule, Kind
from personalise.hours.whereabouts import Whereabouts
from personalise.hours.zones import zone

ALLOWED: Final = -1
"""The rule index of who may be reached."""

NEVER: Final = int(np.iinfo(np.int64).max)
"""The `frees_ms` of who may not be reached within the horizon."""

HORIZON: Final = timedelta(days=400)
"""How far ahead an allowed instant is looked for: every weekday, holiday and change of clocks comes in it."""

_DAY: Final = timedelta(days=1)
_SECOND: Final = timedelta(seconds=1)


def allowed_from(hours: Hours, *, channel: str, kind: Kind, place: Whereabouts, at: datetime) -> datetime | None:
    """Return the first instant, `at` or later, at which every rule allows the message in every zone, if one is near.

    Args:
        hours: the company's rules.
        channel: the channel of the message.
        kind: its class.
        place: where the customer may be.
        at: the instant.

    Returns:
        The instant, exact to the boundary, in UTC; None if there is none within 400 days.
    """
    if _always_quiet(hours, channel, kind, place):
        return None
    binding = [(rule, where) for _, rule, where in _binding(hours, channel, kind, place)]
    return _first_allowed(binding, whole_milliseconds(at))


def judged(
    hours: Hours, *, channel: str, kind: Kind, places: Sequence[Whereabouts], at: datetime
) -> tuple[NDArray[np.int16], NDArray[np.int64]]:
    """Judge n customers at once.

    Args:
        hours: the company's rules.
        channel: the channel of the message.
        kind: its class.
        places: where each customer may be, n of them; each distinct one is judged once.
        at: the instant.

    Returns:
        For each customer the index in `hours.names` of the first rule that is quiet, -1 where none is; and the first
        allowed instant in ms since the epoch, 0 where it is allowed now, `NEVER` where there is none within 400 days.

    >>> from datetime import UTC
    >>> from consent.base.clock import from_ms
    >>> from personalise.hours.model import Span
    >>> nights = tuple(Span(weekday=day, start=21 * 60, end=8 * 60) for day in range(7))
    >>> night = HoursRule(key="night", binding="company", version=1, quiet=nights)
    >>> places = [Whereabouts(zones=("Europe/Paris",)), Whereabouts(zones=("Europe/Paris", "Asia/Tokyo"))]
    >>> at = datetime(2026, 7, 1, 12, 30, tzinfo=UTC)
    >>> hours = Hours(rules=(night,), fallback=("Europe/Paris",))
    >>> rules, frees = judged(hours, channel="sms", kind="marketing", places=places, at=at)
    >>> rules.tolist(), from_ms(int(frees[1])).isoformat()
    ([-1, 0], '2026-07-02T06:00:00+00:00')
    """
    spots: dict[Whereabouts, int] = {}
    # One look-up a customer, and no more: what is dear is done once for each distinct place.
    which = np.array([spots.setdefault(place, len(spots)) for place in places], dtype=np.int64)
    instant = whole_milliseconds(at)
    verdicts = [_judged(hours, channel, kind, place, instant) for place in spots]
    rules = np.array([rule for rule, _ in verdicts], dtype=np.int16)
    frees = np.array([free for _, free in verdicts], dtype=np.int64)
    return rules[which], frees[which]


def _judged(hours: Hours, channel: str, kind: Kind, place: Whereabouts, at: datetime) -> tuple[int, int]:
    if _always_quiet(hours, channel, kind, place):
        return len(hours.rules), NEVER
    binding = list(_binding(hours, channel, kind, place))
    rule = next((index for index, each, where in binding if _quiet_until(each, where, at) is not None), ALLOWED)
    if rule == ALLOWED:
        return ALLOWED, 0
    first = _first_allowed([(each, where) for _, each, where in binding], at)
    return rule, NEVER if first is None else to_ms(first)


def _always_quiet(hours: Hours, channel: str, kind: Kind, place: Whereabouts) -> bool:
    """Say whether a customer has hours of his own, and nothing tells where he is, not even the company's fallback.

    By his own hours it is quiet then at every instant: somewhere on earth it is.
    """
    nowhere = hours.nowhere and not place.zones
    return nowhere and place.own is not None and place.own.binds(channel, kind, place.regions)


def _binding(hours: Hours, channel: str, kind: Kind, place: Whereabouts) -> Iterator[tuple[int, HoursRule, ZoneInfo]]:
    """Walk the rules that bind a message to this place, in order, each with every zone it is judged in."""
    where = [zone(name) for name in place.zones or hours.fallback]
    for index, rule in enumerate((*hours.rules, *([place.own] if place.own else ()))):
        if rule.binds(channel, kind, place.regions):
            yield from ((index, rule, each) for each in where)


def _first_allowed(binding: list[tuple[HoursRule, ZoneInfo]], at: datetime) -> datetime | None:
    """Go from the end of one quiet stretch to the end of the next, until nothing is quiet.

    Whatever was quiet last is asked first from then on: few of many zones stand in the way, again and again.
    """
    order, instant = list(binding), at
    while instant - at <= HORIZON:
        found = ((spot, _quiet_until(*each, instant)) for spot, each in enumerate(order))
        spot, until = next(((spot, until) for spot, until in found if until is not None), (0, None))
        if until is None:
            return instant
        order.insert(0, order.pop(spot))
        instant = until
    return None


def _quiet_until(rule: HoursRule, where: ZoneInfo, at: datetime) -> datetime | None:
    """Return an instant after `at` up to which the rule is quiet in this zone, or None if it isn't at `at`.

    It may still be quiet from there on: a stretch ends at midnight and where the clocks change.
    """
    local = at.astimezone(where)
    wall = local.replace(tzinfo=None)
    end = _quiet_wall(rule, wall)
    if end is None:
        return None
    until = at + (end - wall)
    if until.astimezone(where).utcoffset() == local.utcoffset():
        return until
    return _change(where, at, until)


def _quiet_wall(rule: HoursRule, wall: datetime) -> datetime | None:
    """Return the local time at which a stretch ends that is quiet at this local time, or None if it isn't."""
    midnight = datetime.combine(wall, time.min)
    into = wall - midnight
    for start, end in rule.week[wall.weekday()]:
        if start <= into < end:
            return midnight + end
    return midnight + _DAY if rule.is_holiday(wall.date()) else None


def _change(where: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """Return the instant, to the second, between these at most a day apart, from which the offset is another.

    No zone changes its offset twice within a day (a test looks through them all), so there is one such instant.
    """
    low, high = before.replace(microsecond=0), after.replace(microsecond=0)
    offset = low.astimezone(where).utcoffset()
    while high - low > _SECOND:
        middle = low + (high - low) // _SECOND // 2 * _SECOND
        if middle.astimezone(where).utcoffset() == offset:
            low = middle
        else:
            high = middle
    return high
