"""PURE: why customers were not addressed, in words that finish the sentence "customers who …"."""

from collections.abc import Mapping
from typing import Final

from api.pages import present
from api.pages.choices import name_of
from api.pages.words import FIRST, words
from consent.catalogue.model import Catalogue
from consent.permission.verdict import Reason
from personalise.campaigns.model import Campaign, Volume
from personalise.contact_policy.model import Cap
from personalise.steps.personalise.policy import (
    APPLICABILITY,
    AUDIENCE,
    ELIGIBILITY,
    GOODWILL,
    HARD_STOP,
    HELD_OUT,
    HELD_OUT_BY_COMPANY,
    NOT_ENROLLED,
    OUTRANKED,
    SUITABILITY,
    UNKNOWN,
    WORTH_NOTHING,
)
from personalise.steps.personalise.quotas import BUDGET
from personalise.steps.personalise.stages import Stage

_PERMISSION: Final = "permission:"
_CAP: Final = "cap:"

_STOPPED: Final[Mapping[Reason, str]] = {
    Reason.CUSTOMER_ERASED: "asked to be forgotten, and are",
    Reason.SUPPRESSED: "asked never to be contacted",
    Reason.RESTRICTED: "restricted what may be done with their data",
    Reason.PAUSED: "have paused us",
    Reason.MINOR: "are too young",
}
_DENIED: Final[Mapping[Reason, str]] = {
    Reason.UNKNOWN_SCOPE: "were never asked, because the catalogue doesn't have it",
    Reason.MINOR: "are too young for it",
    Reason.OBJECTED: "objected",
    Reason.WITHDRAWN: "took back their yes",
    Reason.REFUSED: "said no",
    Reason.GPC: "have a browser that says no for them",
    Reason.NOTICE_STALE: "said yes to an older wording",
    Reason.EXPIRED: "said yes, which has run out",
    Reason.PENDING_CONFIRMATION: "said yes, and have not confirmed it yet",
    Reason.REQUESTED: "were asked, and have not answered yet",
    Reason.NO_RECORD: "have not answered",
    Reason.REMEMBER_MISSING: "do not allow us to remember what it needs",
}
_PLAIN: Final[Mapping[str, str]] = {
    NOT_ENROLLED: "are not enrolled",
    AUDIENCE: "are not in the audience",
    ELIGIBILITY: "are in the audience, but no offer is meant for them",
    APPLICABILITY: "are in the audience, but could not use an offer now",
    SUITABILITY: "are in the audience, but no offer would be good for them",
    UNKNOWN: "allow us to look, but we don't know what the audience asks for",
    HELD_OUT: "are held out by chance, to measure against",
    HELD_OUT_BY_COMPANY: "are held out of all campaigns by chance, to measure them together against",
    GOODWILL: "have given us enough of their goodwill for now",
    BUDGET: "came behind those on whom the campaign's goodwill budget was spent",
    WORTH_NOTHING: "would gain nothing by it: leaving them alone is better",
    OUTRANKED: "would be served better by something else",
}
_BY_RULE: Final[Mapping[str, str]] = {
    "company": "have heard from us often enough, by the company's rule “{name}”",
    "law": "have heard from us as often as the law allows, by the rule “{name}”",
    "exclusion": "have heard of something lately that this doesn't go with, by the rule “{name}”",
    "order": "have not heard yet of what has to come first, by the rule “{name}”",
    "hours": "are where it is quiet now, by the rule “{name}”",
    "wish": "want to hear from us no more often than they do",
    "rest": "turned such an offer down lately, by the rule “{name}”",
    "volume": "came behind those for whom there was enough of it (“{name}”)",
    "commitment": "were promised other terms, which still hold (“{name}”)",
}
STAGES: Final[Mapping[Stage, str]] = {
    Stage.IDENTITY: "Known to us",
    Stage.HARD_STOPS: "Have not stopped us",
    Stage.ELIGIBILITY: "It is meant for them",
    Stage.PERMISSION: "They allow it",
    Stage.HOLDOUT: "Not held out to measure",
    Stage.CONTACT_POLICY: "Not reached too often",
    Stage.GOODWILL: "Goodwill is left",
    Stage.ARBITRATION: "It is worth their time",
    Stage.COMMITMENTS: "No promise stands against it",
}
"""What holds of the customers who come past a stage."""


def reason_in_words(counted: str, campaign: Campaign, catalogue: Catalogue) -> str:
    """Return why customers were not addressed.

    Args:
        counted: a key of `Counts.reasons`: a rule, and the reason behind it where it has one.
        campaign: which.
        catalogue: that it was read under.
    """
    rule, _, reason = counted.partition(" ")
    if rule == HARD_STOP:
        return _STOPPED.get(Reason[reason], "can't be addressed") if reason else "can't be addressed"
    if rule.startswith(_PERMISSION):
        return _denied(rule.removeprefix(_PERMISSION), reason, catalogue)
    if rule.startswith(_CAP):
        cap = next((each for each in campaign.caps if rule == f"{_CAP}{each.key}"), None)
        return (
            f"have heard from us often enough: {cap_in_words(cap, catalogue)}" if cap else "have heard from us enough"
        )
    kind, colon, name = rule.partition(":")
    if colon and kind in _BY_RULE:
        return _BY_RULE[kind].format(name=name.partition(":")[0])
    if rule == AUDIENCE:
        return f"{_PLAIN[rule]}: {campaign.audience.text}"
    return _PLAIN.get(rule, rule.replace("_", " "))


def _denied(scope: str, reason: str, catalogue: Catalogue) -> str:
    rule = catalogue.scopes.get(scope)
    why = _DENIED.get(Reason[reason], "do not allow it") if reason else "do not allow it"
    return f"{why} ({name_of(rule, catalogue, words(FIRST)) if rule else scope})"


def volume_in_words(volume: Volume, catalogue: Catalogue) -> str:
    """Return a volume as a sentence has it."""
    titles = {key: each.title for key, each in catalogue.channels.items()}
    named = [*volume.treatments, *(titles.get(key, key) for key in volume.channels)]
    return f"at most {present.counted(volume.limit, 'contact')} by {present.listed(named)} in all"


def cap_in_words(cap: Cap, catalogue: Catalogue) -> str:
    """Return a cap as a sentence has it."""
    channels = [catalogue.channels[key].title if key in catalogue.channels else key for key in cap.channels]
    limit, days = present.counted(cap.limit, "contact"), present.counted(cap.days, "day")
    by = f" by {present.listed(channels)}" if channels else ""
    to = " to all of a household together" if cap.per == "household" else ""
    return f"at most {limit}{by}{to} in {days}"
