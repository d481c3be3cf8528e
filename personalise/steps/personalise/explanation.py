"""The sentence for the customer: why he gets this, or why he hears nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from consent.base.clock import from_ms, rfc3339
from consent.catalogue.model import Catalogue, ScopeRule
from consent.permission.verdict import Reason
from personalise.campaigns.model import LEAVE_ALONE
from personalise.contact_policy.model import THOUSANDTHS
from personalise.steps.personalise.policy import (
    AUDIENCE,
    COMMITMENT,
    GOODWILL,
    HARD_STOP,
    HOURS,
    UNKNOWN,
    WISH,
    WORTH_NOTHING,
    Candidate,
    Policy,
    stage_of,
)
from personalise.steps.personalise.quotas import BUDGET, VOLUME
from personalise.steps.personalise.sentences import Joints, Sentences, spoken
from personalise.steps.personalise.stages import Stage
from personalise.steps.personalise.words import WORDING

_FAR: Final = 2**53
"""Beyond this many milliseconds "allowed from" means never."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateVerdict:
    """What became of one candidate: the stage it left at, by which rule, what was observed, against which limit."""

    candidate: str
    stage: str
    rule: str | None
    observed: str | int | float | None
    limit: str | int | float | None
    """Of a condition it is the condition itself."""
    allowed_from: str | None

    def as_json(self) -> dict[str, Any]:
        """Return the verdict as the faces show it."""
        return {
            "candidate": self.candidate, "stage": self.stage, "rule": self.rule, "observed": self.observed,
            "limit": self.limit, "allowed_from": self.allowed_from,
        }  # fmt: skip


def verdicts(row: dict[str, Any], policy: Policy) -> list[CandidateVerdict]:
    """Return one verdict a candidate, leaving alone included, from a row of `decide`."""
    found = [_verdict(one, row, policy) for one in policy.candidates]
    chosen = row["chosen"] >= 0
    alone = CandidateVerdict(
        candidate=LEAVE_ALONE,
        stage=(Stage.ARBITRATION if chosen else Stage.CHOSEN).name.lower(),
        rule="outranked" if chosen else None,
        observed=0.0,
        limit=None,
        allowed_from=None,
    )
    return [*found, alone]


_Number: TypeAlias = int | float | None


def _verdict(one: Candidate, row: dict[str, Any], policy: Policy) -> CandidateVerdict:
    rule = policy.rules[row[f"rule:{one.key}"]]
    stage = stage_of(rule)
    observed: str | int | float | None = None
    limit: str | _Number = None
    frees = 0
    if stage is Stage.ELIGIBILITY:
        observed, limit = _judged(one, rule, policy)
    elif stage in (Stage.PERMISSION, Stage.HARD_STOPS):
        observed = Reason(_reason(one, rule, row)).name
    elif stage in (Stage.CONTACT_POLICY, Stage.GOODWILL):
        observed, limit, frees = _counted(one, rule, row, policy)
    elif stage is Stage.COMMITMENTS:
        observed = rule.removeprefix(COMMITMENT)
        frees = row.get(f"committed_until:{observed}", 0)
    elif stage in (Stage.ARBITRATION, Stage.CHOSEN):
        observed = row[f"worth:{one.key}"]
        limit = 0.0 if rule == WORTH_NOTHING else None
    return CandidateVerdict(
        candidate=one.key,
        stage=stage.name.lower(),
        rule=rule or None,
        observed=observed,
        limit=limit,
        allowed_from=rfc3339(from_ms(frees)) if 0 < frees < _FAR else None,
    )


def _judged(one: Candidate, rule: str, policy: Policy) -> tuple[str, str | None]:
    """Return how a condition came out, and which it was; where it is unknown for want of a fact, several may be it."""
    if rule == UNKNOWN:
        return "unknown", None
    condition = policy.campaign.audience if rule == AUDIENCE else dict(one.offer.conditions)[rule]
    return "false", condition.text


def _reason(one: Candidate, rule: str, row: dict[str, Any]) -> int:
    scope = one.contact if rule == HARD_STOP else rule.removeprefix("permission:")
    reason: int = row[f"permit:{scope}"]
    return reason


def _counted(one: Candidate, rule: str, row: dict[str, Any], policy: Policy) -> tuple[_Number, _Number, int]:
    """Return what a rule about contacts or goodwill observed, against which limit, and when it frees (ms)."""
    channel = one.treatment.channel
    if rule.startswith(HOURS):
        return None, None, row[f"hours_free:{channel}"]
    if rule.startswith(WISH):
        return row[f"wish:{channel}"], row[f"wish_limit:{channel}"], row[f"wish_free:{channel}"]
    if rule == BUDGET:
        return row[f"taken:{rule}"] / THOUSANDTHS, policy.campaign.goodwill_budget, 0
    if rule.startswith(VOLUME):
        return row[f"taken:{rule}"], next(each.limit for each in policy.quotas if each.key == rule), 0
    if rule == GOODWILL:
        left = row["goodwill"] - row[f"charge:{one.key}"]
        return left / THOUSANDTHS, policy.contact_policy.goodwill.floor, 0
    window = next(each for each in policy.windows if rule == each.rule)
    return row[f"contacts:{window.key}"], window.limit, row[f"free:{window.key}"]


def explanation(row: dict[str, Any], policy: Policy, *, language: str = "en") -> str:
    """Return one sentence for the customer, in his language where it is spoken here, else in English.

    It names what he allowed, or what he would have to allow; never what is known of him.
    """
    words = spoken(language)
    if row["chosen"] >= 0:
        one = policy.candidates[row["chosen"]]
        uses = one.wording_uses if row.get(WORDING) else ()
        return _given((*dict.fromkeys((*one.uses, *uses)), one.contact), policy, words)
    furthest = max(policy.candidates, key=lambda one: policy.stage_of[row[f"rule:{one.key}"]])
    return _left(policy.rules[row[f"rule:{furthest.key}"]], furthest, row, policy=policy, words=words)


def _given(scopes: Sequence[str], policy: Policy, words: Sentences) -> str:
    """Say on what he gets it: only what he was asked for did he allow."""
    catalogue = policy.catalogue
    rules = [rule for scope in scopes if (rule := catalogue.scopes.get(scope))]
    grounds = []
    for ground, bases in words.grounds:
        what = [_asked(rule, catalogue, words) for rule in rules if rule.legal_basis in bases]
        if what:
            grounds.append(ground.format(what=_listed(what, words.things)))
    title = catalogue.purposes[policy.campaign.purpose].title_in(words.code)
    return words.given.format(grounds=_listed(grounds, words.clauses), purpose=title)


def _left(rule: str, one: Candidate, row: dict[str, Any], *, policy: Policy, words: Sentences) -> str:
    stage, catalogue = stage_of(rule), policy.catalogue
    if stage is Stage.IDENTITY:
        return words.unknown
    if rule == BUDGET or rule.startswith(VOLUME):
        return words.full
    if stage in (Stage.HARD_STOPS, Stage.PERMISSION):
        scope = catalogue.scopes.get(one.contact if rule == HARD_STOP else rule.removeprefix("permission:"))
        what = _asked(scope, catalogue, words) if scope else words.this
        return words.left.format(why=words.because[Reason(_reason(one, rule, row))].format(what=what))
    if any(rule == window.rule and window.per == "household" for window in policy.windows):
        return words.together
    return words.stages[stage]


def _asked(rule: ScopeRule, catalogue: Catalogue, words: Sentences) -> str:
    titled: Mapping[str, Any] = {"contact": catalogue.channels, "share": catalogue.recipients}.get(
        rule.operation, catalogue.categories
    )
    return words.asked[rule.operation].format(title=titled[rule.target].title_in(words.code))


def _listed(parts: Sequence[str], joints: Joints) -> str:
    return joints.last.join([joints.others.join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
