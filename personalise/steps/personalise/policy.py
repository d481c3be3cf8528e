"""PURE: a policy, everything that a decision follows from, immutable and with a hash."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from consent.base.ids import Scope
from consent.catalogue.model import Catalogue
from personalise.campaigns.model import NOTHING, Campaign, Cap, Offer, Treatment
from personalise.steps.invent.response import Response
from personalise.steps.personalise.stages import Stage

AUDIENCE: Final = "audience"
ELIGIBILITY: Final = "eligibility"
UNKNOWN: Final = "unknown"
HELD_OUT: Final = "holdout"
WORTH_NOTHING: Final = "worth_nothing"
OUTRANKED: Final = "outranked"
NOT_ENROLLED: Final = "not_enrolled"
HARD_STOP: Final = "hard_stop"

_EARLY: Final = {
    "": Stage.CHOSEN,
    NOT_ENROLLED: Stage.IDENTITY,
    HARD_STOP: Stage.HARD_STOPS,
    AUDIENCE: Stage.ELIGIBILITY,
    ELIGIBILITY: Stage.ELIGIBILITY,
    UNKNOWN: Stage.ELIGIBILITY,
}
_LATE: Final = {WORTH_NOTHING: Stage.ARBITRATION, OUTRANKED: Stage.ARBITRATION}
_STAGES: Final = {**_EARLY, HELD_OUT: Stage.HOLDOUT, **_LATE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A treatment as the funnel sees it: what it needs permission for, and what it is worth."""

    treatment: Treatment
    offer: Offer
    contact: Scope
    categories: tuple[str, ...]
    """Every category that the audience, the offer's rules, and the score or the model (whichever scores) reads."""
    uses: tuple[Scope, ...]
    caps: tuple[Cap, ...]

    @property
    def key(self) -> str:
        """The treatment's key."""
        return self.treatment.key


@dataclass(frozen=True, kw_only=True)
class Policy:
    """A campaign's version under a catalogue's version, with the model that scores it (None: its rules score)."""

    campaign: Campaign
    version: int
    catalogue: Catalogue
    candidates: tuple[Candidate, ...]
    model: Response | None
    model_version: int
    """The number of the model; 0 where the rules score."""

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 over campaign, version, catalogue and model: two policies with one digest decide alike."""
        parts = [self.campaign.body.encode(), str(self.version).encode(), self.catalogue.digest]
        parts.append(self.model.digest if self.model else b"rules")
        parts.append(" ".join(one.key for one in self.candidates).encode())
        return hashlib.sha256(b"\x00".join(hashlib.sha256(part).digest() for part in parts)).digest()

    @cached_property
    def scopes(self) -> tuple[Scope, ...]:
        """Every scope that some candidate needs."""
        needed = (scope for one in self.candidates for scope in (one.contact, *one.uses))
        return tuple(dict.fromkeys(needed))

    @cached_property
    def categories(self) -> tuple[str, ...]:
        """Every category read, in order; a decision's `used` bits count in this order."""
        return tuple(sorted({category for one in self.candidates for category in one.categories}))

    @cached_property
    def attributes(self) -> tuple[str, ...]:
        """Every attribute read."""
        campaign = self.campaign
        names = set(campaign.audience.attributes)
        for one in self.candidates:
            names |= one.offer.eligibility.attributes if one.offer.eligibility else frozenset()
            names |= one.treatment.score.attributes if self.model is None else frozenset()
        return tuple(sorted(names | set(self.model.features if self.model else ())))

    @cached_property
    def rules(self) -> tuple[str, ...]:
        """The names of all rules, in the order of their numbers in decisions, which is the order of their stages.

        Number 0 is "no rule": chosen.
        """
        permissions = (f"permission:{scope}" for scope in self.scopes)
        return (*_EARLY, *permissions, HELD_OUT, *(f"cap:{cap.key}" for cap in self.campaign.caps), *_LATE)

    @cached_property
    def stage_of(self) -> NDArray[np.uint8]:
        """The stage of each rule, by the rule's number."""
        return np.array([stage_of(rule) for rule in self.rules], dtype=np.uint8)


def stage_of(rule: str) -> Stage:
    """Return the stage that a rule belongs to.

    >>> stage_of("cap:mail-30d").name, stage_of("permission:contact:email:newsletter").name, stage_of("audience").name
    ('CONTACT_POLICY', 'PERMISSION', 'ELIGIBILITY')
    """
    if rule.startswith("permission:"):
        return Stage.PERMISSION
    return Stage.CONTACT_POLICY if rule.startswith("cap:") else _STAGES[rule]


def policy(
    campaign: Campaign, version: int, catalogue: Catalogue, model: Response | None = None, *, model_version: int = 0
) -> Policy:
    """Compile a campaign into the policy that decides.

    A model scores only where the campaign asks for one and this one fits it; otherwise the campaign's rules do.
    """
    scoring = model if model and campaign.scorer == "response" and _fits(model, campaign) else None
    modelled = {catalogue.attributes[name].category for name in scoring.features} if scoring else None
    candidates = []
    for treatment in campaign.treatments:
        offer = campaign.offers[treatment.offer]
        read = campaign.audience.categories | (treatment.score.categories if modelled is None else modelled)
        read |= offer.eligibility.categories if offer.eligibility else frozenset()
        categories = tuple(sorted(read))
        candidates.append(
            Candidate(
                treatment=treatment,
                offer=offer,
                contact=Scope(f"contact:{treatment.channel}:{campaign.purpose}"),
                categories=categories,
                uses=tuple(Scope(f"use:{category}:{campaign.purpose}") for category in categories),
                caps=tuple(cap for cap in campaign.caps if treatment.channel in cap.channels),
            )
        )
    return Policy(
        campaign=campaign,
        version=version,
        catalogue=catalogue,
        candidates=tuple(candidates),
        model=scoring,
        model_version=model_version if scoring else 0,
    )


def _fits(model: Response, campaign: Campaign) -> bool:
    """Say whether a model has an arm for every treatment, reads the campaign's features, and predicts its measure.

    An older version of the campaign may have had others: what it no longer names may not decide.
    """
    arms = {NOTHING, *(treatment.key for treatment in campaign.treatments)}
    return (
        arms <= model.arms.keys()
        and set(model.features) == set(campaign.features)
        and model.outcome == campaign.objective.measure
    )
