"""PURE: what the check of a campaign is made of: headings, rules, what a rule judges, and the advice that it gives."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import NamedTuple

from consent.catalogue.model import Catalogue
from personalise.campaigns.model import Campaign
from personalise.contact_policy.model import NONE, ContactPolicy


class Heading(StrEnum):
    """What a customer expects, in his words."""

    REMEMBER = "Remember who I am wherever I contact you"
    TIME = "Don't waste my time"
    FAIR = "Treat me fairly and honestly"
    GOALS = "Help me achieve my goals"
    FLEXIBLE = "Be flexible"
    SIMPLE = "Keep it simple"
    EASY = "Make it easy to do business"
    ACCESSIBLE = "Make information accessible"
    VALUE = "Give value for money"
    SECURE = "Make me feel secure"


class Weight(IntEnum):
    """How much a rule weighs."""

    SHOULD = 0
    """Advice: whoever approves may think otherwise."""
    GATE = 1
    """A must where a second person has to approve; advice where one person works alone."""
    MUST = 2
    """Nothing is approved, and nothing is run, that breaks it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """What the last dry run of a version foresaw."""

    version: int
    catalogue: int
    at: datetime
    addressed: int
    held_out: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is judged: a campaign, and all that bears on it."""

    campaign: Campaign
    catalogue: Catalogue
    at: datetime
    version: int = 0
    """Its version; 0 for a file that isn't published."""
    foreseen: Foreseen | None = None
    contact_policy: ContactPolicy = NONE
    households: bool = True
    """Whether of anybody it is known who lives with him."""


class Flaw(NamedTuple):
    """What is wrong, where in the file, and what to do about it."""

    what: str
    where: str
    do: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule of the check."""

    key: str
    heading: Heading
    weight: Weight
    judge: Callable[[Case], Iterator[Flaw]]

    def binds(self, *, four_eyes: bool) -> bool:
        """Say whether a campaign that breaks it can't be approved."""
        return self.weight >= (Weight.GATE if four_eyes else Weight.MUST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """A flaw, under its heading."""

    heading: Heading
    rule: str
    must: bool
    what: str
    where: str
    do: str

    def as_json(self) -> dict[str, object]:
        """Return it as the faces show it."""
        return {
            "heading": str(self.heading), "rule": self.rule, "must": self.must, "what": self.what,
            "where": self.where, "do": self.do,
        }  # fmt: skip
