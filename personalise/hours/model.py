"""PURE: rules of hours as values: when it is quiet, where, on which channels, for whom, and by whose word."""

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import Any, Final, Literal, TypeAlias

from consent.base.errors import Invalid, Place
from personalise.hours import zones
from personalise.hours.holidays import Holiday, falls_on

Kind: TypeAlias = Literal["marketing", "service", "legal"]
"""The class of a message."""

Bound: TypeAlias = Literal["marketing", "service"]
"""The classes that a rule of hours can bind; a legal message is never held up."""

Binding: TypeAlias = Literal["law", "company", "customer"]
"""By whose word a rule stands."""

DAY: Final = 1_440
"""Minutes of a calendar day, as its clock counts them."""

OWN: Final = "own_hours"
"""The key of the customer's own rule; no other rule may be called so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Quiet from `start` up to, but without, `end`: minutes of the local day; it belongs to the day that it starts.

    `weekday` is 0 for Monday; `start` is 0 to 1439 and `end` 1 to 1440. An `end` that is not after `start` lies on the
    next day of the calendar.
    """

    weekday: int
    start: int
    end: int

    def __post_init__(self) -> None:
        """Refuse what no clock shows.

        Raises:
            Invalid: out of range, or as long as nothing.
        """
        if not (0 <= self.weekday <= 6 and 0 <= self.start < DAY and 0 < self.end <= DAY):  # noqa: PLR2004 -- a week has seven days
            raise Invalid("a quiet span is out of range")
        if self.start == self.end:
            raise Invalid("a quiet span starts where it ends")


@dataclass(frozen=True, kw_only=True)
class HoursRule:
    """When it is quiet.

    `channels` and `regions` that are empty mean all of them. A region is a country (ISO 3166-1, `FR`) or a part of one
    (ISO 3166-2, `US-TX`). On `holidays` it is quiet all day. `source` names law and paragraph, `link` its text; both
    may be empty where the company or the customer says so.
    """

    key: str
    binding: Binding
    version: int
    quiet: tuple[Span, ...]
    classes: tuple[Bound, ...] = ("marketing",)
    channels: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    holidays: tuple[Holiday, ...] = ()
    source: str = ""
    link: str = ""

    @cached_property
    def week(self) -> tuple[tuple[tuple[timedelta, timedelta], ...], ...]:
        """The quiet stretches of each weekday's calendar day, counted from its midnight; they may overlap.

        >>> night = Span(weekday=6, start=1_320, end=480)
        >>> rule = HoursRule(key="night", binding="company", version=1, quiet=(night,))
        >>> [[(str(start), str(end)) for start, end in day] for day in (rule.week[6], rule.week[0], rule.week[1])]
        [[('22:00:00', '1 day, 0:00:00')], [('0:00:00', '8:00:00')], []]
        """
        days: list[list[tuple[timedelta, timedelta]]] = [[] for _ in range(7)]
        for span in self.quiet:
            start, end = timedelta(minutes=span.start), timedelta(minutes=span.end)
            if start < end:
                days[span.weekday].append((start, end))
            else:
                days[span.weekday].append((start, timedelta(days=1)))
                days[(span.weekday + 1) % 7].append((timedelta(0), end))
        return tuple(tuple(day) for day in days)

    def is_holiday(self, day: date) -> bool:
        """Say whether it is quiet all day, for a holiday."""
        return any(falls_on(holiday, day) for holiday in self.holidays)

    def binds(self, channel: str, kind: Kind, regions: tuple[str, ...]) -> bool:
        """Say whether the rule binds this message to a customer in these regions.

        A customer of whom no region is known is bound by the rules of all of them, and one of whom only the country is
        known by the rules of all its parts.
        """
        if kind == "legal" or kind not in self.classes or (self.channels and channel not in self.channels):
            return False
        if not self.regions or not regions:
            return True
        return any(_overlap(ours, theirs) for ours in self.regions for theirs in regions)


def _overlap(one: str, other: str) -> bool:
    return one == other or one.startswith(f"{other}-") or other.startswith(f"{one}-")


def own_hours(
    quiet: tuple[Span, ...], *, channels: tuple[str, ...] = (), classes: tuple[Bound, ...] = ("marketing", "service")
) -> HoursRule:
    """Return the rule of a customer who said when to leave him alone, wherever he is."""
    return HoursRule(key=OWN, binding="customer", version=1, quiet=quiet, channels=channels, classes=classes)


@dataclass(frozen=True, slots=True, kw_only=True)
class LegalCap:
    """A limit that a law sets: at most `limit` contacts in `days` calendar days. It is counted elsewhere."""

    key: str
    classes: tuple[Bound, ...]
    channels: tuple[str, ...]
    regions: tuple[str, ...]
    limit: int
    days: int
    source: str
    link: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LegalRest:
    """A rest that a law sets: no contact for `days` full calendar days after a refusal. It is kept elsewhere."""

    key: str
    classes: tuple[Bound, ...]
    channels: tuple[str, ...]
    regions: tuple[str, ...]
    days: int
    source: str
    link: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """What the law of a jurisdiction says on when, and how often, to reach people on a channel."""

    key: str
    title: str
    version: int
    regions: tuple[str, ...]
    hours: tuple[HoursRule, ...]
    caps: tuple[LegalCap, ...]
    rests: tuple[LegalRest, ...]

    @property
    def channels(self) -> frozenset[str]:
        """The channels named: whoever calls his own otherwise has to say so, or the pack binds nothing."""
        named = [each.channels for each in self.hours]
        named += [each.channels for each in self.caps] + [each.channels for each in self.rests]
        return frozenset().union(*named)


@dataclass(frozen=True, kw_only=True)
class Hours:
    """All rules of hours that a company is bound by, and the zones that count for who has none.

    Verdicts name a rule by its place in `names`; the first that is quiet is named, so the order is the caller's: law
    before company. The customer's own rule stands last. `nowhere`: no company has said where customers are of whom
    nothing tells it, so they may be anywhere.
    """

    rules: tuple[HoursRule, ...]
    fallback: tuple[str, ...]
    nowhere: bool = False

    def __post_init__(self) -> None:
        """Refuse what would leave a customer without rules.

        Raises:
            Invalid: no fallback, a zone that isn't known, a key that stands twice or is reserved.
        """
        places = [
            Place("fallback", f"{name[:80]!r} is no time zone") for name in self.fallback if not zones.knows(name)
        ]
        if not self.fallback:
            places.append(Place("fallback", "name at least one time zone"))
        if len(set(self.names)) != len(self.names):
            places.append(Place("rules", f"a key stands twice, or is {OWN}"))
        if places:
            raise Invalid("the hours", places=places)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The rules' keys, and the customer's own as the last."""
        return (*(rule.key for rule in self.rules), OWN)

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 over the rules, the fallback and the version of the time zones: alike, they judge alike."""
        said: dict[str, Any] = {
            "fallback": self.fallback,
            "rules": [asdict(rule) for rule in self.rules],
            "zones": zones.VERSION,
        }
        if not self.rules and not self.nowhere:
            said["stated"] = True
        return hashlib.sha256(json.dumps(said, sort_keys=True, separators=(",", ":")).encode()).digest()
