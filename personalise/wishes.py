"""Interact: how often and when a customer wants to hear from the company, by his own word.

A company's rules can only be stricter. What he wishes holds for marketing; his quiet hours for service too. That he
changed it is an entry of the ledger, sealed under his key: from there a change is read back, and undone.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import orjson
import sqlalchemy as sa

from consent.base.clock import to_ms
from consent.base.database import Hot, among, table_of
from consent.base.errors import CustomerUnknown, Place, StateConflict, VersionMoved, WishInvalid
from consent.base.ids import CustomerId
from consent.base.store import Work
from consent.ledger.entry import Kind
from consent.register import customers as enrolled
from consent.register import private
from consent.register.desk import Desk
from personalise.hours import zones
from personalise.tables import WishRow

ANY: Final = "*"
"""Stands for every channel."""

MOST: Final = 100
LONGEST_DAYS: Final = 365
_DAY_MINUTES: Final = 1_440
_row = table_of(WishRow)
_COLUMNS: Final = ("customer", "channel", "most", "days", "quiet_from", "quiet_until", "zone", "said_at")


class Limit(NamedTuple):
    """At most so many contacts in so many days."""

    most: int
    days: int


class Quiet(NamedTuple):
    """From one minute of the day until another, by the clock of the zone that he names, every day.

    It may wrap midnight. Without a zone it is by the clock of wherever he may be, so far as that is known.
    """

    start: int
    end: int
    zone: str = ""

    @property
    def noted(self) -> list[int | str]:
        """It as the ledger has it; before zones could be named, there was none."""
        return [self.start, self.end, *([self.zone] if self.zone else [])]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What one customer wishes: limits by channel (`ANY` for all together), and when he wants to be left alone."""

    limits: Mapping[str, Limit] = field(default_factory=lambda: MappingProxyType({}))
    quiet: Quiet | None = None

    @property
    def told(self) -> str | None:
        """His quiet hours as a decision reads them."""
        quiet = self.quiet
        return f"{quiet.start}-{quiet.end}{'@' if quiet.zone else ''}{quiet.zone}" if quiet else None

    @property
    def tag(self) -> str:
        """What tells these wishes from others."""
        return hashlib.sha256(orjson.dumps(_record(self))).hexdigest()[:32]


NONE: Final = Wishes()


class Line(NamedTuple):
    """A limit of one channel, or, without a channel, his quiet hours, as they are kept."""

    channel: str
    most: int
    days: int
    quiet_from: int
    quiet_until: int
    zone: str = ""


class Changed(NamedTuple):
    """What a customer wished before and wishes now; `position` is the ledger entry, None where nothing changed."""

    position: int | None
    before: Wishes
    now: Wishes


def clock(minute: int) -> str:
    """Return a minute of the day as clocks show it; the last one's end is midnight.

    >>> clock(1_320), clock(1_440)
    ('22:00', '24:00')
    """
    return f"{minute // 60:02}:{minute % 60:02}"


_READ: Final = Hot(
    lambda dialect: sa.select(*(_row.c[name] for name in _COLUMNS[:-1])).where(
        among(_row.c.customer, "customers")(dialect)
    ),
    "customers",
)
_FORGET: Final = Hot(sa.delete(_row).where(_row.c.customer == sa.bindparam("whose")), "whose")
_INSERT: Final = Hot(sa.insert(_row), *_COLUMNS)


def read(work: Work, customers: Sequence[CustomerId]) -> dict[str, Wishes]:
    """Return what customers wish; who wishes nothing is left out."""
    found: dict[str, tuple[dict[str, Limit], list[Quiet]]] = {}
    for customer, channel, most, days, *span in work.run(_READ, work.listed(customers)).fetchall():
        limits, quiet = found.setdefault(customer, ({}, []))
        if days:
            limits[channel] = Limit(most, days)
        else:
            quiet.append(Quiet(*span))
    return {
        customer: Wishes(limits=MappingProxyType(limits), quiet=quiet[0] if quiet else None)
        for customer, (limits, quiet) in found.items()
    }


def rows(work: Work, customers: Sequence[CustomerId]) -> dict[str, list[Line]]:
    """Return what customers wish as it stands, line by line; who wishes nothing is left out."""
    found: dict[str, list[Line]] = {}
    for customer, *line in work.run(_READ, work.listed(customers)).fetchall():
        found.setdefault(customer, []).append(Line(*line))
    return {customer: sorted(lines) for customer, lines in found.items()}


def as_rows(wishes: Wishes) -> list[Line]:
    """Return wishes line by line, as they stand where decisions read them.

    >>> as_rows(Wishes(limits={"email": Limit(2, 30)}))
    [Line(channel='email', most=2, days=30, quiet_from=0, quiet_until=0, zone='')]
    """
    lines = [Line(channel, each.most, each.days, 0, 0) for channel, each in wishes.limits.items()]
    return sorted([*lines, Line("", 0, 0, *wishes.quiet)] if wishes.quiet else lines)


def of(found: Mapping[str, Wishes], customer: str) -> Wishes:
    """Return what one of these customers wishes."""
    return found.get(customer, NONE)


def say(work: Work, customer: CustomerId, wishes: Wishes, *, channels: Iterable[str], at: datetime) -> None:
    """Keep what a customer wishes, in place of what he wished before.

    Args:
        work: a transaction that has locked the customer.
        customer: who.
        wishes: all of it.
        channels: the channels that there are.
        at: when he said so.

    Raises:
        WishInvalid: with every place that is wrong.
    """
    places = list(_wrong(wishes, {ANY, *channels}))
    if places:
        raise WishInvalid(places=places)
    work.run(_FORGET, customer)
    work.run_many(_INSERT, [(customer, *line, to_ms(at)) for line in as_rows(wishes)])


def change(
    desk: Desk, work: Work, customer: CustomerId, wishes: Wishes, *, actor: str, at: datetime, tag: str = ""
) -> Changed:
    """Keep what a customer wishes from now on, and say in the ledger that he changed it.

    Args:
        desk: keys and catalogues.
        work: a transaction that writes.
        customer: who.
        wishes: all of it.
        actor: who wrote it down.
        at: now.
        tag: of the wishes that he has looked at; "" where he hasn't.

    Raises:
        CustomerUnknown: nobody of that id is enrolled.
        CustomerErased: he was erased.
        VersionMoved: he wishes something else by now.
        WishInvalid: with every place that is wrong.
    """
    if not enrolled.lock(work, [customer]):
        raise CustomerUnknown
    before = of(read(work, [customer]), customer)
    if tag and tag != before.tag:
        raise VersionMoved
    if wishes == before:
        return Changed(None, before, wishes)
    channels = {*desk.catalogues.current(work).channels, *before.limits}
    say(work, customer, wishes, channels=channels, at=at)
    said = {"before": _record(before), "now": _record(wishes)}
    noted = private.note(desk, work, Kind.WISHES_CHANGED, customer, said, actor=actor, at=at)
    return Changed(noted.position, before, wishes)


def changed(desk: Desk, work: Work, customer: CustomerId, position: int) -> Changed:
    """Return a change of a customer's, read back from the ledger.

    Raises:
        EntryUnknown: the entry at that position is none of his.
        LedgerBroken: it doesn't open.
    """
    said = private.read(desk, work, Kind.WISHES_CHANGED, customer, position)
    return Changed(position, _of_record(said["before"]), _of_record(said["now"]))


def told(desk: Desk, work: Work, customer: CustomerId, payload: Mapping[str, Any]) -> Changed:
    """Return a change of a customer's, opened from the payload of its entry.

    Raises:
        KeyLost: he has no key any more.
        LedgerBroken: it doesn't open.
    """
    said = private.opened(desk, work, Kind.WISHES_CHANGED, customer, payload)
    return Changed(None, _of_record(said["before"]), _of_record(said["now"]))


def undo(desk: Desk, work: Work, customer: CustomerId, position: int, *, actor: str, at: datetime) -> Changed:
    """Take a change back, if it is what still stands.

    Raises:
        EntryUnknown: the entry at that position is none of his.
        StateConflict: he has said something else since.
    """
    done = changed(desk, work, customer, position)
    try:
        return change(desk, work, customer, done.before, actor=actor, at=at, tag=done.now.tag)
    except VersionMoved as since:
        msg = "something else was said since"
        raise StateConflict(msg) from since


def _record(wishes: Wishes) -> dict[str, Any]:
    return {
        "limits": [[channel, *limit] for channel, limit in sorted(wishes.limits.items())],
        "quiet": wishes.quiet.noted if wishes.quiet else [],
    }


def _of_record(said: Mapping[str, Any]) -> Wishes:
    limits = {channel: Limit(*limit) for channel, *limit in said["limits"]}
    return Wishes(limits=MappingProxyType(limits), quiet=Quiet(*said["quiet"]) if said["quiet"] else None)


def _wrong(wishes: Wishes, channels: set[str]) -> Iterable[Place]:
    for channel, limit in wishes.limits.items():
        if channel not in channels:
            yield Place(f"limits.{channel[:80]}", "is no channel of the catalogue")
        if not (0 <= limit.most <= MOST and 1 <= limit.days <= LONGEST_DAYS):
            why = f"must be 0 to {MOST} contacts in 1 to {LONGEST_DAYS} days"
            yield Place(f"limits.{channel[:80]}", why)
    if wishes.quiet and not (
        0 <= wishes.quiet.start < _DAY_MINUTES
        and 0 < wishes.quiet.end <= _DAY_MINUTES
        and wishes.quiet.start != wishes.quiet.end
    ):
        yield Place("quiet", "must be from one time of the day until another")
    if wishes.quiet and wishes.quiet.zone and not zones.knows(wishes.quiet.zone):
        yield Place("quiet", f"{wishes.quiet.zone[:80]!r} is no time zone: name one like Europe/Paris")
