"""PURE: why customers were not addressed, in words that finish the sentence "customers who …".

A face says itself what it calls scopes and caps: pages by their titles, the command line by their keys.
"""

from collections.abc import Callable, Mapping
from typing import Final

from consent.permission.verdict import Reason
from personalise.runs.counts import Counts
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


def by_key(counted: str) -> str:
    """Return why customers were not addressed, with scopes and caps by their keys.

    >>> by_key("permission:contact:email:news REFUSED"), by_key("holdout")
    ('said no (contact:email:news)', 'are held out by chance, to measure against')
    """
    return why(counted, scope=str, cap="by the campaign's cap “{}”".format)


def why(counted: str, *, scope: Callable[[str], str], cap: Callable[[str], str], audience: str = "") -> str:
    """Return why customers were not addressed.

    Args:
        counted: a key of `Counts.reasons`: a rule, and the reason behind it where it has one.
        scope: what a scope is called.
        cap: what a cap of the campaign, by its key, is called.
        audience: whom the campaign is for, where that is to be said.
    """
    rule, _, reason = counted.partition(" ")
    if rule == HARD_STOP:
        return _STOPPED.get(Reason[reason], "can't be addressed") if reason else "can't be addressed"
    if rule.startswith(_PERMISSION):
        denied = _DENIED.get(Reason[reason], "do not allow it") if reason else "do not allow it"
        return f"{denied} ({scope(rule.removeprefix(_PERMISSION))})"
    if rule.startswith(_CAP):
        return f"have heard from us often enough: {cap(rule.removeprefix(_CAP))}"
    kind, colon, name = rule.partition(":")
    if colon and kind in _BY_RULE:
        return _BY_RULE[kind].format(name=name.partition(":")[0])
    if rule == AUDIENCE and audience:
        return f"{_PLAIN[rule]}: {audience}"
    return _PLAIN.get(rule, rule.replace("_", " "))


def of_the_holdout(counts: Counts, *, done: bool) -> str:
    """Return how many of those held out would otherwise have been addressed: these alone are an arm of the results.

    >>> from collections import Counter
    >>> nine = Counter(holdout=9)
    >>> of_the_holdout(Counts(stages=nine, reasons=nine, ghosts=Counter(holdout=4)), done=True)
    '9 held out by chance: 4 of them would otherwise have been addressed, and are whom results call held out.'
    >>> of_the_holdout(Counts(), done=True)
    ''
    """
    if not counts.holdout:
        return ""
    would = "have been" if done else "be"
    own, company = counts.reasons[HELD_OUT], counts.reasons[HELD_OUT_BY_COMPANY]
    told = (
        f"{own:,} held out by chance: {counts.arm:,} of them would otherwise {would} addressed, and are whom results "
    )
    told += "call held out."
    if not company:
        return told
    return (
        f"{told} {company:,} held out of all campaigns: {counts.ghosts[HELD_OUT_BY_COMPANY]:,} of them would otherwise "
        f"{would} addressed; in the results of one campaign they are in no arm."
    )
