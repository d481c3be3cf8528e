"""What joining two records does to what is kept of both here: the customer's own word and the company's hold on.

His limits and hours are the stricter of both, until he chooses; what was promised under either id stays promised.
Accounts stay apart: who goes on has his own, so that the company has no more than it had.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType

from consent.base.store import Work
from consent.register.desk import Desk
from consent.register.hearing import Joined
from personalise import commitments, wishes
from personalise.commitments import Commitment
from personalise.wishes import ANY, Limit, Quiet, Wishes


def join(desk: Desk, work: Work, joined: Joined, at: datetime) -> None:
    """Carry over what holds on, in the transaction that joins, with both locked."""
    found = wishes.read(work, [joined.merged, joined.into])
    given_up, goes_on = (wishes.of(found, each) for each in (joined.merged, joined.into))
    there = {ANY, *desk.catalogues.current(work).channels}  # of a channel that is gone nothing needs to be limited
    still = {channel: limit for channel, limit in given_up.limits.items() if channel in there}
    both = stricter(goes_on, replace(given_up, limits=MappingProxyType(still)))
    wishes.change(desk, work, joined.into, both, actor=joined.actor, at=at)
    commitments.promise(work, list(_better(work, joined, at)))


def stricter(one: Wishes, other: Wishes) -> Wishes:
    """Return wishes that keep to both: each limit of either, the tighter where both have one; quiet whenever one is.

    >>> mine, his = Limit(2, 30), Limit(2, 7)
    >>> stricter(Wishes(limits={"email": mine}), Wishes(limits={"email": his, "sms": his})).limits["email"]
    Limit(most=2, days=30)
    >>> stricter(Wishes(quiet=Quiet(1_320, 420)), Wishes(quiet=Quiet(360, 540))).quiet
    Quiet(start=1320, end=540, zone='')
    """
    limits = dict(one.limits)
    for channel, limit in other.limits.items():
        both = [limit, limits.get(channel, limit)]
        limits[channel] = Limit(min(each.most for each in both), max(each.days for each in both))
    spans = [each.quiet for each in (one, other) if each.quiet]
    return Wishes(limits=MappingProxyType(limits), quiet=_around(spans) if spans else None)


def _around(spans: list[Quiet]) -> Quiet:
    """Return the shortest span that holds all of them; it begins where one begins, and ends where one ends.

    Where they are by different clocks, it is by none that he names: then it is quiet wherever he may be.
    """
    clocks = {each.zone for each in spans}
    zone = clocks.pop() if len(clocks) == 1 else ""
    choices = (Quiet(first.start, last.end, zone) for first in spans for last in spans if first.start != last.end)
    holding = (each for each in choices if all(set(_minutes(span)) <= set(_minutes(each)) for span in spans))
    return min(holding, key=lambda each: len(_minutes(each)), default=Quiet(0, 1_440, zone))


def _minutes(span: Quiet) -> range | tuple[int, ...]:
    if span.start < span.end:
        return range(span.start, span.end)
    return (*range(span.start, 1_440), *range(span.end))


def _better(work: Work, joined: Joined, at: datetime) -> Iterator[Commitment]:
    """Walk what was promised under the old id, and is not promised as well or better under the one that goes on."""
    mine = {row.family: row for row in commitments.standing(work, joined.into, at)}
    for row in commitments.standing(work, joined.merged, at):
        other = mine.get(row.family)
        if other is None or (row.grade is not None and other.grade is not None and row.grade > other.grade):
            yield commitments.of_row(row)._replace(customer=joined.into)
