"""A campaign as values: its objective, whom it addresses, what it offers, and how it is held in check."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Literal

from personalise.language.terms import Condition, Number

Scorer = Literal["rule", "response"]

NOTHING: Final = "none"
"""What outcomes call the arm of the customers who received no treatment."""

LEAVE_ALONE: Final = "leave_alone"
"""The candidate that is in every decision, at 0. No treatment may be called so, nor `NOTHING`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """Why the campaign is run, and by what it is measured. Without one nothing can be measured."""

    key: str
    title: str
    challenge: str
    measure: str
    """The attribute that an outcome sets, such as `visited`."""
    target: float
    by: date
    owner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdout:
    """The customers left out on purpose, to measure against: `share` in ten-thousandths."""

    share: int
    salt: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cap:
    """At most `limit` contacts on these channels in a rolling window of `days`, over all campaigns."""

    key: str
    channels: tuple[str, ...]
    limit: int
    days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """Terms, and for whom they are."""

    key: str
    family: str
    terms: Mapping[str, Any]
    eligibility: Condition | None
    value: float
    benefit: float
    cost: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Treatment:
    """An offer in a channel, with its content, and the rule that scores it."""

    key: str
    offer: str
    channel: str
    content: str
    score: Number


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """One campaign, as its file says it."""

    key: str
    name: str
    purpose: str
    benefit: str
    person_to_reach: str
    way_out: str
    audience: Condition
    scorer: Scorer
    features: tuple[str, ...]
    received: str
    """The attribute that says which treatment a customer had received when an outcome came in."""
    measurement: str
    """The purpose under which outcomes may be used to measure and to learn."""
    goodwill_budget: float
    holdout: Holdout
    objective: Objective
    caps: tuple[Cap, ...]
    offers: Mapping[str, Offer]
    treatments: tuple[Treatment, ...]
    body: str
    format: Literal["toml", "json"]
