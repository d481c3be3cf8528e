"""PURE: by when a request has to be answered, and how long that still is."""

from datetime import datetime, timedelta
from typing import Final

from consent.catalogue.duration import Duration

ONE_MONTH: Final = Duration(months=1, days=0)
"""How long a company has to answer."""

THREE_MONTHS: Final = Duration(months=3, days=0)
"""How long it has, once it has told the customer within the first month that it needs two more, and why."""

_DAY: Final = timedelta(days=1)


def due(received_at: datetime, *, extended: bool = False) -> datetime:
    """Return by when a request has to be answered: months of the calendar after it came in.

    The day is the one of the same number, or the last of a month that has none; within the day it is the time at which
    the request came in, where the law would wait for the day's end, and for a working day. Never later than the law.
    An extension counts from the receipt too, so that a short month in between takes nothing away.

    Source:
        GDPR Art. 12(3); Regulation (EEC, Euratom) 1182/71 Art. 3(2)(c), (4); EDPB Guidelines 01/2022 no. 157-163.

    >>> from consent.base.clock import parse_time, rfc3339
    >>> rfc3339(due(parse_time("2027-01-31T09:30:00Z")))
    '2027-02-28T09:30:00.000Z'
    >>> rfc3339(due(parse_time("2027-01-31T09:30:00Z"), extended=True))
    '2027-04-30T09:30:00.000Z'
    """
    return (THREE_MONTHS if extended else ONE_MONTH).after(received_at)


def is_overdue(due_at: datetime, at: datetime) -> bool:
    """Say whether a deadline has passed; at the very instant it has not.

    >>> from consent.base.clock import parse_time
    >>> is_overdue(parse_time("2027-02-28T09:30:00Z"), parse_time("2027-02-28T09:30:00Z"))
    False
    """
    return at > due_at


def days_left(due_at: datetime, at: datetime) -> int:
    """Return the whole days until a deadline; of one that has passed, the days since, begun ones too, below zero.

    >>> from consent.base.clock import parse_time
    >>> end = parse_time("2027-02-28T09:30:00Z")
    >>> days_left(end, parse_time("2027-02-26T09:00:00Z")), days_left(end, parse_time("2027-02-28T09:31:00Z"))
    (2, -1)
    """
    return (due_at - at) // _DAY
