"""The sentence for the customer: why he gets this, or why he hears nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from consent.base.clock import from_ms, rfc3339
from consent.catalogue.model import ASKED, SERVICE, Catalogue, LegalBasis
from consent.permission.verdict import Reason
from personalise.campaigns.model import LEAVE_ALONE
from personalise.steps.personalise.policy import HARD_STOP, WORTH_NOTHING, Candidate, Policy, stage_of
from personalise.steps.personalise.stages import LETS_ALL_PASS, Stage

_FAR: Final = 2**53
"""Beyond this many milliseconds "allowed from" means never."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateVerdict:
    """What became of one candidate: the stage it left at, by which rule, what was observed, against which limit."""

    candidate: str
    stage: str
    rule: str | None
    observed: str | int | float | None
    limit: int | float | None
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


def _verdict(one: Candidate, row: dict[str, Any], policy: Policy) -> CandidateVerdict:
    rule = policy.rules[row[f"rule:{one.key}"]]
    stage = stage_of(rule)
    observed: str | int | float | None = None
    limit: int | float | None = None
    frees = 0
    if stage in (Stage.PERMISSION, Stage.HARD_STOPS):
        observed = Reason(_reason(one, rule, row)).name
    elif stage is Stage.CONTACT_POLICY:
        cap = next(cap for cap in policy.campaign.caps if rule == f"cap:{cap.key}")
        observed, limit, frees = row[f"contacts:{cap.key}"], cap.limit, row[f"free:{cap.key}"]
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


def _reason(one: Candidate, rule: str, row: dict[str, Any]) -> int:
    scope = one.contact if rule == HARD_STOP else rule.removeprefix("permission:")
    reason: int = row[f"permit:{scope}"]
    return reason


def explanation(row: dict[str, Any], policy: Policy) -> str:
    """Return one sentence for the customer, in English.

    It names what he allowed, or what he would have to allow; never what is known of him.
    """
    catalogue = policy.catalogue
    if row["chosen"] >= 0:
        return _given(policy.candidates[row["chosen"]], policy)
    furthest = max(policy.candidates, key=lambda one: policy.stage_of[row[f"rule:{one.key}"]])
    rule = policy.rules[row[f"rule:{furthest.key}"]]
    return _left(stage_of(rule), rule, furthest, row=row, catalogue=catalogue)


def _given(one: Candidate, policy: Policy) -> str:
    """Say on what he gets it: only what he was asked for did he allow."""
    catalogue = policy.catalogue
    rules = [rule for scope in (*one.uses, one.contact) if (rule := catalogue.scopes.get(scope))]
    grounds = []
    for words, bases in _GROUNDS:
        what = [_asked(rule.operation, rule.target, catalogue) for rule in rules if rule.legal_basis in bases]
        if what:
            grounds.append(words.format(what=_listed(what)))
    return f"You get this because {_listed(grounds)}, for “{catalogue.purposes[policy.campaign.purpose].title}”."


def _left(stage: Stage, rule: str, one: Candidate, *, row: dict[str, Any], catalogue: Catalogue) -> str:
    if stage is Stage.IDENTITY:
        return "We don't know you, so nothing here is chosen for you in person."
    if stage in (Stage.HARD_STOPS, Stage.PERMISSION):
        scope = catalogue.scopes.get(one.contact if rule == HARD_STOP else rule.removeprefix("permission:"))
        what = _asked(scope.operation, scope.target, catalogue) if scope else "this"
        return f"You get nothing of this, because {_BECAUSE[Reason(_reason(one, rule, row))].format(what=what)}."
    return _SENTENCES[stage]


_GROUNDS: Final = (
    ("you allowed {what}", ASKED),
    ("you have not objected to {what}", frozenset({LegalBasis.LEGITIMATE_INTEREST})),
    ("serving you takes {what}", SERVICE),
)
_SENTENCES: Final = {
    Stage.ELIGIBILITY: "You get nothing of this, because it is not meant for your situation.",
    Stage.HOLDOUT: "You get nothing of this: a few customers, picked by chance, are left out to see whether it helps.",
    Stage.CONTACT_POLICY: "You get nothing of this now, because you have heard from us often enough lately.",
    Stage.ARBITRATION: "You get nothing of this, because nothing we could send would be worth your time.",
}
_BECAUSE: Final = {
    Reason.CUSTOMER_ERASED: "you were forgotten, as you asked",
    Reason.SUPPRESSED: "you asked never to be contacted",
    Reason.RESTRICTED: "you restricted what may be done with your data",
    Reason.PAUSED: "you paused us",
    Reason.UNKNOWN_SCOPE: "nobody asked you for {what}",
    Reason.MINOR: "you are too young for {what}",
    Reason.OBJECTED: "you objected to {what}",
    Reason.WITHDRAWN: "you withdrew your permission for {what}",
    Reason.REFUSED: "you refused {what}",
    Reason.GPC: "your browser asks not to share what it does",
    Reason.NOTICE_STALE: "the wording of {what} has changed since you agreed to it",
    Reason.EXPIRED: "your permission for {what} has run out",
    Reason.PENDING_CONFIRMATION: "you have not confirmed {what} yet",
    Reason.REQUESTED: "you have not answered yet whether you allow {what}",
    Reason.NO_RECORD: "you have not allowed {what}",
    Reason.REMEMBER_MISSING: "you have not allowed us to remember what {what} needs",
}


def _asked(operation: str, target: str, catalogue: Catalogue) -> str:
    if operation == "contact":
        return f"contact by {catalogue.channels[target].title}"
    if operation == "share":
        return f"sharing with {catalogue.recipients[target].title}"
    return f"the use of “{catalogue.categories[target].title}”"


def _listed(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def trace_notes() -> dict[str, str]:
    """Return what a trace says of the stages that judge nothing yet."""
    return {stage.name.lower(): "lets everything pass in this version" for stage in sorted(LETS_ALL_PASS)}
