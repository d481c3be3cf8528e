"""The contact policy as values: caps, exclusions, orders, rests, and what a contact costs in goodwill.

One policy stands over all campaigns of a company; a campaign can add caps of its own. Whatever applies is ANDed: a
rule can only take away.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal

from personalise.hours.model import Hours

Class = Literal["marketing", "service", "legal"]
"""What a contact is for. Service and legal messages are never held back by caps or goodwill, and always count."""

CLASSES: Final[tuple[Class, ...]] = ("marketing", "service", "legal")
HELD_BACK: Final[Class] = "marketing"
UNHELD: Final = frozenset(CLASSES) - {HELD_BACK}

THOUSANDTHS: Final = 1_000
"""Goodwill is counted in thousandths of a point: whole numbers add up the same in any order."""

CREDITED: Final = ("answer", "purchase", "promise_kept", "thanks")
"""What gives goodwill back: what the customer starts, and what keeps a word."""

Source = Literal["law", "company", "campaign"]
"""Whose rule it is."""

Per = Literal["customer", "household"]
"""Whose contacts are counted together. Who is in no household counts alone."""

PER: Final[tuple[Per, ...]] = ("customer", "household")


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a contact says of itself, as far as rules ask: a candidate's future contact, or a past one's snapshot."""

    channel: str
    purpose: str
    tags: tuple[str, ...]
    campaign: str
    offer: str
    family: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching:
    """Which contacts a rule is about. What is left empty asks nothing; what is named is ANDed."""

    channels: tuple[str, ...] = ()
    purposes: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    campaigns: tuple[str, ...] = ()
    offers: tuple[str, ...] = ()
    families: tuple[str, ...] = ()

    def holds(self, told: Told) -> bool:
        """Say whether a contact is one of these.

        >>> Matching(channels=("email",)).holds(
        ...     Told(channel="email", purpose="p", tags=(), campaign="c", offer="o", family="f")
        ... )
        True
        """
        asked: Iterable[tuple[tuple[str, ...], tuple[str, ...]]] = (
            (self.channels, (told.channel,)),
            (self.purposes, (told.purpose,)),
            (self.tags, told.tags),
            (self.campaigns, (told.campaign,)),
            (self.offers, (told.offer,)),
            (self.families, (told.family,)),
        )
        return all(not names or not set(names).isdisjoint(said) for names, said in asked)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cap:
    """At most `limit` contacts of a kind in a rolling window of `days`, over all campaigns."""

    key: str
    limit: int
    days: int
    channels: tuple[str, ...] = ()
    purposes: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    offers: tuple[str, ...] = ()
    source: Source = "campaign"
    per: Per = "customer"

    @property
    def counts(self) -> Matching:
        """Which contacts count, and which it holds back."""
        return Matching(channels=self.channels, purposes=self.purposes, tags=self.tags, offers=self.offers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exclusion:
    """Never one of these within `days` of one of those, whichever came first."""

    key: str
    one: Matching
    other: Matching
    days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """None of these before one of those: `first` has to have come, in the last `days`."""

    key: str
    first: Matching
    then: Matching
    days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """After a customer turned an offer down, its family rests for `days`, on all channels."""

    key: str
    days: int
    families: tuple[str, ...] = ()
    """Those that rest; empty: whichever was turned down."""
    channels: tuple[str, ...] = ()
    """On which it rests; empty: on all."""
    source: Source = "company"
    whole: bool = False
    """Whatever was turned down, nothing of any family is offered there: so laws have it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Zones:
    """By which attributes it is told where a customer may be; one that isn't permitted tells nothing."""

    zone: str = ""
    """His time zone, by his own word, such as Europe/Paris."""
    address: str = ""
    """The country, or the part of one, of a verified address: FR, US-TX."""
    telephone: str = ""
    country: str = ""

    @property
    def attributes(self) -> tuple[str, ...]:
        """The attributes read."""
        return tuple(dict.fromkeys(name for name in (self.zone, self.address, self.telephone, self.country) if name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Goodwill:
    """What contacts cost a customer's goodwill, and what that is worth to the company.

    Units are points of goodwill; `price_of_one` is in the unit of the offers' values.
    """

    opening: float = 100.0
    """What a customer starts with, and what credits never lift the balance beyond."""
    floor: float | None = None
    """A contact that would take the balance below is not made; None asks nothing."""
    prices: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """What one contact on a channel costs; a channel that isn't named costs nothing."""
    pressure_days: int = 7
    """Recent contacts, on any channel, make the next one dearer: its price × (1 + contacts in so many days)."""
    ignored: float = 0.0
    """What a contact takes besides where nothing came of it within its campaign's window."""
    opt_out: float = 0.0
    """What is taken where a customer ends a channel for a purpose."""
    credits: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """What is given back, by what for (`CREDITED`), up to the opening balance."""
    price_of_one: float = 0.0
    """What the company gives for one point where the balance is full; twice as much where it is spent."""

    @property
    def judges(self) -> bool:
        """Say whether it can refuse anything, or change what a contact is worth."""
        return bool(self.prices)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdout:
    """The customers whom no campaign reaches, to measure them all together against: `share` in ten-thousandths."""

    share: int = 0
    salt: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactPolicy:
    """One version of the company's rules; version 0 is none at all."""

    version: int = 0
    caps: tuple[Cap, ...] = ()
    exclusions: tuple[Exclusion, ...] = ()
    orders: tuple[Order, ...] = ()
    rests: tuple[Rest, ...] = ()
    hours: Hours | None = None
    zones: Zones = Zones()
    goodwill: Goodwill = Goodwill()
    holdout: Holdout = Holdout()
    weight_of_benefit: float = 1.0
    """What a customer's benefit counts for, beside the company's value (`w`)."""
    body: str = ""
    format: Literal["toml", "json"] = "toml"


NONE: Final = ContactPolicy()
"""No rules: what stands before anything was published."""
