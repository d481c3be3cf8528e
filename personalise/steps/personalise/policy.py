"""PURE: a policy, everything that a decision follows from, immutable and with a hash."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from consent.base.ids import Scope
from consent.catalogue.model import Attribute, Catalogue
from personalise.campaigns.model import FITTING, NOTHING, Campaign, Offer, Treatment
from personalise.contact_policy import windows
from personalise.contact_policy.model import HELD_BACK, NONE, THOUSANDTHS, ContactPolicy
from personalise.contact_policy.windows import Window
from personalise.hours.model import Hours
from personalise.steps.invent.response import Response
from personalise.steps.personalise.quotas import BUDGET, VOLUME, Quota, kinds_of
from personalise.steps.personalise.stages import Stage

AUDIENCE: Final = "audience"
ELIGIBILITY: Final = "eligibility"
APPLICABILITY: Final = "applicability"
SUITABILITY: Final = "suitability"
UNKNOWN: Final = "unknown"
HELD_OUT: Final = "holdout"
HELD_OUT_BY_COMPANY: Final = "company_holdout"
"""By the company's own holdout, from all its campaigns."""
WORTH_NOTHING: Final = "worth_nothing"
OUTRANKED: Final = "outranked"
NOT_ENROLLED: Final = "not_enrolled"
HARD_STOP: Final = "hard_stop"
GOODWILL: Final = "goodwill"
COMMITMENT: Final = "commitment:"
HOURS: Final = "hours:"
_OWN_ALONE: Final = Hours(rules=(), fallback=("UTC",), nowhere=True)
WISH: Final = "wish:"
WISHED: Final = ("wish", "wish_free", "wish_limit")
"""The columns about customers' own limits, `:<channel>` after each: what counts, when it frees (ms), and the limit."""

_EARLY: Final = {
    "": Stage.CHOSEN,
    NOT_ENROLLED: Stage.IDENTITY,
    HARD_STOP: Stage.HARD_STOPS,
    AUDIENCE: Stage.ELIGIBILITY,
    ELIGIBILITY: Stage.ELIGIBILITY,
    APPLICABILITY: Stage.ELIGIBILITY,
    SUITABILITY: Stage.ELIGIBILITY,
    UNKNOWN: Stage.ELIGIBILITY,
}
_LATE: Final = {WORTH_NOTHING: Stage.ARBITRATION, OUTRANKED: Stage.ARBITRATION}
_HOLDOUTS: Final = {HELD_OUT_BY_COMPANY: Stage.HOLDOUT, HELD_OUT: Stage.HOLDOUT}
_STAGES: Final = {**_EARLY, **_HOLDOUTS, GOODWILL: Stage.GOODWILL, BUDGET: Stage.GOODWILL, **_LATE}
_KINDS: Final = {
    "permission": Stage.PERMISSION,
    COMMITMENT.rstrip(":"): Stage.COMMITMENTS,
    VOLUME.rstrip(":"): Stage.CONTACT_POLICY,
    **{prefix.rstrip(":"): Stage.CONTACT_POLICY for prefix in windows.RULES},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A treatment as the funnel sees it: what it needs permission for, and what it is worth."""

    treatment: Treatment
    offer: Offer
    contact: Scope
    categories: tuple[str, ...]
    """Every category that the audience, the offer's rules, and the score or the model (whichever scores) reads."""
    uses: tuple[Scope, ...]
    windows: tuple[Window, ...]
    """The rules about past contacts that bind it; none for a service or legal message."""
    wording_categories: tuple[str, ...] = ()
    """Every category that its wording reads: without them it isn't refused, but worded in general."""
    wording_uses: tuple[Scope, ...] = ()
    price: int = 0
    """What one contact costs in goodwill where there were none lately, in thousandths of a point."""

    @property
    def key(self) -> str:
        """The treatment's key."""
        return self.treatment.key


@dataclass(frozen=True, kw_only=True)
class Policy:
    """A campaign's version under a catalogue's and a contact policy's, with what scores it (no model: its rules do)."""

    campaign: Campaign
    version: int
    catalogue: Catalogue
    candidates: tuple[Candidate, ...]
    model: Response | None
    model_version: int
    """The number of the model; 0 where the rules score."""
    contact_policy: ContactPolicy = NONE

    @property
    def held_back(self) -> bool:
        """Whether holdout, caps and goodwill apply: to all but service and legal messages."""
        return self.campaign.kind == HELD_BACK

    @property
    def share(self) -> int:
        """The holdout's share in ten-thousandths."""
        return self.campaign.holdout.share if self.held_back else 0

    @property
    def company_share(self) -> int:
        """The share of the company's own holdout in ten-thousandths."""
        return self.contact_policy.holdout.share if self.held_back else 0

    @property
    def held_out(self) -> float:
        """The share that is left out by either holdout, in [0, 1]."""
        mine, company = self.share / 10_000, self.company_share / 10_000
        return mine + company * (1.0 - mine)

    @property
    def charges(self) -> bool:
        """Whether contacts of this campaign cost goodwill."""
        return self.held_back and self.contact_policy.goodwill.judges

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 over all that it is made of: two policies with one digest decide alike."""
        parts = [self.campaign.body.encode(), str(self.version).encode(), self.catalogue.digest]
        parts.append(self.model.digest if self.model else b"rules")
        parts.append(" ".join(one.key for one in self.candidates).encode())
        parts.append(f"{self.contact_policy.version}\n{self.contact_policy.body}".encode())
        parts.append(self.hours.digest if self.hours else b"at any hour")
        if self.campaign.compiled:
            parts.append(self.campaign.digest)
        return hashlib.sha256(b"\x00".join(hashlib.sha256(part).digest() for part in parts)).digest()

    @cached_property
    def scopes(self) -> tuple[Scope, ...]:
        """Every scope that some candidate needs."""
        needed = (scope for one in self.candidates for scope in (one.contact, *one.uses, *one.wording_uses))
        told = (f"use:{category}:{self.campaign.purpose}" for category in self._of_zones)
        return tuple(dict.fromkeys((*needed, *map(Scope, told))))

    @cached_property
    def hours(self) -> Hours | None:
        """The rules of hours that can bind a message of this campaign; None where it may go at any hour.

        A customer's own hours bind, whatever the company has.
        """
        return None if self.campaign.kind == "legal" else self.contact_policy.hours or _OWN_ALONE

    @cached_property
    def _of_zones(self) -> tuple[str, ...]:
        """The categories of what tells where a customer is. Where they aren't permitted, that is unknown."""
        known = self.catalogue.attributes
        return tuple(dict.fromkeys(known[name].category for name in self._telling))

    @cached_property
    def _telling(self) -> tuple[str, ...]:
        """The attributes that tell where a customer is, and that the campaign's purpose may ask a permission for."""
        names = self.contact_policy.zones.attributes if self.hours else ()
        known, purpose = self.catalogue.attributes, self.campaign.purpose
        asked = (name for name in names if name in known)
        return tuple(name for name in asked if f"use:{known[name].category}:{purpose}" in self.catalogue.scopes)

    @cached_property
    def categories(self) -> tuple[str, ...]:
        """Every category read, in order; a decision's `used` bits count in this order."""
        worded = (category for one in self.candidates for category in one.wording_categories)
        return tuple(sorted({*self.deciding, *worded}))

    @cached_property
    def deciding(self) -> frozenset[str]:
        """The categories that are read of everybody, to decide; those of a wording alone are read of who is told it."""
        return frozenset({*self._of_zones, *(category for one in self.candidates for category in one.categories)})

    @cached_property
    def attributes(self) -> tuple[str, ...]:
        """Every attribute read."""
        campaign = self.campaign
        names = set(campaign.audience.attributes)
        names |= set(self._telling)
        for one in self.candidates:
            names |= frozenset[str]().union(*(condition.attributes for _, condition in one.offer.conditions))
            names |= one.treatment.score.attributes if self.model is None else frozenset()
        return tuple(sorted(names | set(self.model.features if self.model else ())))

    @cached_property
    def rules(self) -> tuple[str, ...]:
        """The names of all rules, in the order of their numbers in decisions.

        Number 0 is "no rule": chosen. Up to the goodwill it is the order of the stages; what is judged once it is known
        what everything is worth comes last.
        """
        fitting = (*self.fitting, ELIGIBILITY)
        early = (rule for rule in _EARLY if rule not in FITTING or rule in fitting)
        permissions = (f"permission:{scope}" for scope in self.scopes)
        holdouts = (HELD_OUT_BY_COMPANY, HELD_OUT) if self.company_share else (HELD_OUT,)
        contacts = [each.rule for each in self.windows]
        contacts += [f"{WISH}{channel}" for channel in self.wished]
        contacts += [f"{HOURS}{name}" for name in self.hours.names] if self.hours else []
        goodwill = (GOODWILL,) if self.charges else ()
        commitments = (f"{COMMITMENT}{family}" for family in self.families)
        quotas = (each.key for each in self.quotas)
        return (*early, *permissions, *holdouts, *contacts, *goodwill, *_LATE, *commitments, *quotas)

    @cached_property
    def fitting(self) -> tuple[str, ...]:
        """Which kinds of conditions its offers have, in the order in which they are asked."""
        there = {rule for one in self.candidates for rule, _ in one.offer.conditions}
        return tuple(rule for rule in FITTING if rule in there)

    @cached_property
    def quotas(self) -> tuple[Quota, ...]:
        """What there is only so much of: the campaign's volumes, and the goodwill that it may spend."""
        campaign, found = self.campaign, []
        for volume in campaign.volumes if self.held_back else ():
            counts = frozenset(one.key for one in self.candidates if volume.counts(one.treatment))
            found.append(
                Quota(key=f"{VOLUME}{volume.key}", limit=volume.limit, version=self.version, treatments=counts)
            )
        priced = {one.key: one.price for one in self.candidates if one.price}
        if self.charges and campaign.goodwill_budget and priced:
            limit, least = round(campaign.goodwill_budget * THOUSANDTHS), min(priced.values())
            whole = Quota(key=BUDGET, limit=limit, version=0, treatments=frozenset(priced), least=least, charged=True)
            found.append(whole)
        return tuple(each for each in found if each.treatments)

    @cached_property
    def kinds(self) -> tuple[tuple[Quota, ...], ...]:
        """The kinds of treatments that count in some quota: in which ones."""
        several = kinds_of(self.quotas, [one.key for one in self.candidates])
        return tuple(dict.fromkeys(each for each in several if each))

    @cached_property
    def windows(self) -> tuple[Window, ...]:
        """The campaign's caps, and whatever else about past contacts binds some candidate."""
        found = [windows.of_cap(cap) for cap in self.campaign.caps] if self.held_back else []
        found += (each for one in self.candidates for each in one.windows)
        return tuple({each.rule: each for each in found}.values())

    @property
    def shared(self) -> bool:
        """Whether some rule lets a household be contacted only so often: then its members are decided about in turn.

        It needn't bind one of the candidates: what one campaign reserves, the next one counts.
        """
        caps = (*self.campaign.caps, *self.contact_policy.caps)
        return self.held_back and any(cap.per == "household" for cap in caps)

    @cached_property
    def wished(self) -> tuple[str, ...]:
        """The channels on which customers' own limits bind."""
        channels = (one.treatment.channel for one in self.candidates if self.held_back)
        return tuple(dict.fromkeys(channels))

    @cached_property
    def alike(self) -> tuple[tuple[int, ...], ...]:
        """The places of candidates in groups of one channel, one use, the same rules and the same price."""
        groups: dict[tuple[object, ...], list[int]] = {}
        for row, one in enumerate(self.candidates):
            groups.setdefault((one.contact, one.uses, one.windows, one.price), []).append(row)
        return tuple(map(tuple, groups.values()))

    @cached_property
    def families(self) -> tuple[str, ...]:
        """The offer families that its candidates are of."""
        return tuple(dict.fromkeys(one.offer.family for one in self.candidates))

    @cached_property
    def stage_of(self) -> NDArray[np.uint8]:
        """The stage of each rule, by the rule's number."""
        return np.array([stage_of(rule) for rule in self.rules], dtype=np.uint8)


def stage_of(rule: str) -> Stage:
    """Return the stage that a rule belongs to.

    >>> stage_of("cap:mail-30d").name, stage_of("permission:contact:email:newsletter").name, stage_of("audience").name
    ('CONTACT_POLICY', 'PERMISSION', 'ELIGIBILITY')
    """
    kind, colon, _ = rule.partition(":")
    return _KINDS[kind] if colon else _STAGES[rule]


def policy(
    campaign: Campaign,
    version: int,
    catalogue: Catalogue,
    model: Response | None = None,
    *,
    model_version: int = 0,
    contact_policy: ContactPolicy = NONE,
) -> Policy:
    """Compile a campaign into the policy that decides.

    A model scores only where the campaign asks for one and this one fits it; otherwise the campaign's rules do.
    """
    scoring = model if model and campaign.scorer != "rule" and _fits(model, campaign) else None
    modelled = frozenset(catalogue.attributes[name].category for name in scoring.features) if scoring else None
    candidates = [
        _candidate(campaign, treatment, contact_policy, modelled, catalogue.attributes)
        for treatment in campaign.treatments
    ]
    return Policy(
        campaign=campaign,
        version=version,
        catalogue=catalogue,
        candidates=tuple(candidates),
        model=scoring,
        model_version=model_version if scoring else 0,
        contact_policy=contact_policy,
    )


def _candidate(
    campaign: Campaign,
    treatment: Treatment,
    rules: ContactPolicy,
    modelled: frozenset[str] | None,
    known: Mapping[str, Attribute],
) -> Candidate:
    """Return a treatment as the funnel sees it; `modelled` are the categories that a model reads, if one scores."""
    offer = campaign.offers[treatment.offer]
    read = campaign.audience.categories | (treatment.score.categories if modelled is None else modelled)
    read = read.union(*(condition.categories for _, condition in offer.conditions))
    categories = tuple(sorted(read))
    worded = tuple(sorted({known[name].category for name in treatment.wording.attributes}))
    binding = windows.binding(rules, campaign.caps, campaign.told(treatment))
    return Candidate(
        treatment=treatment,
        offer=offer,
        contact=Scope(f"contact:{treatment.channel}:{campaign.purpose}"),
        categories=categories,
        uses=_uses(categories, campaign),
        windows=tuple(binding) if campaign.kind == HELD_BACK else (),
        wording_categories=worded,
        wording_uses=_uses(worded, campaign),
        price=round(rules.goodwill.prices.get(treatment.channel, 0) * THOUSANDTHS),
    )


def _uses(categories: tuple[str, ...], campaign: Campaign) -> tuple[Scope, ...]:
    return tuple(Scope(f"use:{category}:{campaign.purpose}") for category in categories)


def _fits(model: Response, campaign: Campaign) -> bool:
    """Say whether a model has an arm for every treatment, reads the campaign's features, and predicts its measure.

    An older version of the campaign may have had others: what it no longer names may not decide.
    """
    arms = {NOTHING, *(treatment.key for treatment in campaign.treatments)}
    samples = campaign.scorer == "thompson"
    return (
        arms <= model.arms.keys()
        and model.samples == samples
        and (samples or set(model.features) == set(campaign.features))
        and model.outcome == campaign.objective.measure
    )
