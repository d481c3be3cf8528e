"""PURE: a customer's own quiet hours, from the text that a decision reads."""

from functools import lru_cache

from personalise.hours.model import HoursRule, Span, own_hours


@lru_cache(maxsize=1 << 12)
def own_rule(text: str | None) -> HoursRule | None:
    """Return the rule of a customer who is left alone from one minute of each day until another; None where he isn't.

    >>> own_rule("1320-480").week[0][0][1].days
    1
    """
    if not text:
        return None
    start, _, end = text.partition("@")[0].partition("-")
    return own_hours(tuple(Span(weekday=day, start=int(start), end=int(end)) for day in range(7)))


def own_zone(text: str | None) -> str:
    """Return the time zone that he named with his hours; "" where he named none.

    >>> own_zone("1320-480@Asia/Tokyo"), own_zone("1320-480")
    ('Asia/Tokyo', '')
    """
    return (text or "").partition("@")[2]
