"""Rules of hours, made in a line."""

from datetime import UTC, datetime

from personalise.hours.model import Hours, HoursRule, Span
from personalise.hours.whereabouts import Whereabouts

ALL_WEEK = range(7)
PARIS = Whereabouts(zones=("Europe/Paris",), regions=("FR",))


def spans(start, end, days=ALL_WEEK):
    """Quiet from one hour to another, such as 21 and 8.5, on these weekdays."""
    return tuple(Span(weekday=day, start=round(start * 60), end=round(end * 60)) for day in days)


def rule(start=21, end=8, days=ALL_WEEK, **said):
    given = {"key": "night", "binding": "company", "version": 1, "quiet": spans(start, end, days)}
    return HoursRule(**{**given, **said})


def hours(*rules, fallback=("Europe/Paris",)):
    return Hours(rules=rules, fallback=fallback)


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
