"""A campaign as values: its objective, whom it addresses, what it offers, and how it is held in check."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any, Final, Literal

from personalise.contact_policy.model import HELD_BACK, Cap, Class, Told
from personalise.content.wording import Wording
from personalise.language.terms import Condition, Number

Scorer = Literal["rule", "response", "uplift", "thompson"]
"""Who says how likely a treatment brings the outcome.

The treatment's own rule; a model of the outcome with it; a model of how much likelier it is than without; or how often
it came by arm, sampled.
"""
SCORERS: Final = ("rule", "response", "uplift", "thompson")

Silence = Literal["unknown", "no"]
SILENCE_IS_NO: Final[Silence] = "no"
"""Whatever comes in is reported, so what isn't did not happen."""

NOTHING: Final = "none"
"""What outcomes call the arm of the customers who received no treatment."""

TTL_DAYS: Final = 7
LONGEST_TTL_DAYS: Final = 90
"""The time to live of contacts where a campaign's file doesn't say, and the longest that it can."""

FITTING: Final = ("eligibility", "applicability", "suitability")
"""The conditions of an offer, in the order in which they are asked; each is the name of the rule that refuses."""

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
    window_days: int = 0
    """For so many days after a contact its outcome counts; 0 where the file doesn't say."""
    minimum_effect: float = 0.0
    """The smallest difference to the holdout worth finding, in the measure's unit; 0 where the file doesn't say."""
    baseline: float = 0.0
    """The share of customers of whom the measure holds without any contact; 0 where the file doesn't say."""
    silence: Silence = "unknown"
    """What it means that nothing came in by the end of the window, of somebody who permits to measure it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdout:
    """The customers left out on purpose, to measure against: `share` in ten-thousandths."""

    share: int
    salt: str
    waiver: str = ""
    """Why nobody is held out, and who decided so; needed where the share is 0."""


@dataclass(frozen=True, kw_only=True)
class Offer:
    """Terms, and for whom they are."""

    key: str
    family: str
    terms: Mapping[str, Any]
    eligibility: Condition | None
    """Who may have it."""
    value: float
    benefit: float
    cost: float
    validity: int = 0
    """For so many days the terms hold for whom they were offered to, on every channel; 0 promises nothing."""
    grade: int | None = None
    """How good the terms are for the customer, among those of their family; None compares with no others."""
    applicability: Condition | None = None
    """Who could use it now."""
    suitability: Condition | None = None
    """For whom it would be good: what may be sold to somebody need not be."""

    @property
    def conditions(self) -> tuple[tuple[str, Condition], ...]:
        """For whom it is: each condition that there is, by the rule that refuses where it doesn't hold."""
        named = ((rule, getattr(self, rule)) for rule in FITTING)
        return tuple((rule, condition) for rule, condition in named if condition is not None)

    @cached_property
    def terms_hash(self) -> str:
        """SHA-256 over the terms, in hexadecimal: what is the same on every channel."""
        told = json.dumps(dict(self.terms), sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)
        return hashlib.sha256(told.encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Treatment:
    """An offer in a channel, with its content, and the rule that scores it."""

    key: str
    offer: str
    channel: str
    wording: Wording
    score: Number
    lever: float = 1.0
    """What the company puts on the scale beside value, from 0.5 to 2."""

    @property
    def content(self) -> str:
        """What it says, as its file says it."""
        return self.wording.content.source


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """So many contacts one version of a campaign makes at most, by these treatments: what somebody can get done.

    A treatment counts where it is named, or its channel is; where both are named, both have to fit.
    """

    key: str
    limit: int
    treatments: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()

    def counts(self, treatment: Treatment) -> bool:
        """Say whether contacts by a treatment count."""
        named = not self.treatments or treatment.key in self.treatments
        return named and (not self.channels or treatment.channel in self.channels)


def digest_of(body: str, compiled: str) -> bytes:
    """Return the SHA-256 over a campaign's file, and its mails as they were compiled ("" where it has none)."""
    plain = hashlib.sha256(body.encode()).digest()
    return hashlib.sha256(plain + hashlib.sha256(compiled.encode()).digest()).digest() if compiled else plain


@dataclass(frozen=True, kw_only=True)
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
    """The most points of goodwill that contacts of this campaign may cost, over all its versions; 0 limits nothing."""
    holdout: Holdout
    objective: Objective
    caps: tuple[Cap, ...]
    """The campaign's own, beside those of the contact policy."""
    offers: Mapping[str, Offer]
    treatments: tuple[Treatment, ...]
    body: str
    format: Literal["toml", "json"]
    kind: Class = HELD_BACK
    """Its class: what it is for. It stands in every contact as a snapshot."""
    tags: tuple[str, ...] = ()
    """What rules over campaigns know it by; a snapshot in every contact, too."""
    volumes: tuple[Volume, ...] = ()
    """What there is only so much of."""
    ttl_days: int = TTL_DAYS
    """For so many days a contact may wait to be sent, and whoever is held back for now to be decided about again."""

    @cached_property
    def compiled(self) -> str:
        """Its HTML mails as they were compiled, by the keys of their MJML, as JSON; "" where it has none."""
        mails = {each.key: each.html.source for treatment in self.treatments for each in treatment.wording.mails}
        return json.dumps(mails, sort_keys=True, ensure_ascii=False, separators=(",", ":")) if mails else ""

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 over all that is published of it: its file, and its mails as they were compiled."""
        return digest_of(self.body, self.compiled)

    def told(self, treatment: Treatment) -> Told:
        """Return what a contact by one of its treatments says of itself to the rules about contacts."""
        return Told(
            channel=treatment.channel,
            purpose=self.purpose,
            tags=self.tags,
            campaign=self.key,
            offer=treatment.offer,
            family=self.offers[treatment.offer].family,
        )
