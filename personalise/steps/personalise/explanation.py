"""The sentence for the customer: why he gets this, or why he hears nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from consent.base.clock import from_ms, rfc3339
from consent.catalogue.model import Catalogue
from consent.permission.verdict import Reason
from personalise.policy import Policy
from personalise.steps.personalise.stages import LETS_ALL_PASS, Stage

LEAVE_ALONE = "leave_alone"


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
    found = [_verdict(spot, row, policy) for spot in range(len(policy.candidates))]
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


def _verdict(spot: int, row: dict[str, Any], policy: Policy) -> CandidateVerdict:
    stage, rule = Stage(row["stage"][spot]), policy.rules[row["rule"][spot]]
    observed: str | int | float | None = None
    limit: int | float | None = None
    frees = row["allowed_from"][spot]
    if rule.startswith("permission:"):
        observed = Reason(row["observed"][spot]).name
    elif rule.startswith("cap:"):
        observed = row["observed"][spot]
        limit = next(cap.limit for cap in policy.campaign.caps if rule == f"cap:{cap.key}")
    elif stage in (Stage.ARBITRATION, Stage.CHOSEN):
        observed = row["priority"][spot]
        limit = 0.0 if rule == "worth_nothing" else None
    return CandidateVerdict(
        candidate=policy.candidates[spot].key,
        stage=stage.name.lower(),
        rule=rule or None,
        observed=observed,
        limit=limit,
        allowed_from=rfc3339(from_ms(frees)) if 0 < frees < 2**53 else None,
    )


def explanation(row: dict[str, Any], policy: Policy) -> str:
    """Return one sentence for the customer, in English.

    It names what he allowed, or what he would have to allow; never what is known of him.
    """
    catalogue = policy.catalogue
    if row["chosen"] >= 0:
        one = policy.candidates[row["chosen"]]
        purpose = catalogue.purposes[policy.campaign.purpose].title
        channel = catalogue.channels[one.treatment.channel].title
        allowed = f"to be reached by {channel}"
        if one.categories:
            allowed = f"the use of {_listed(_titles(one.categories, catalogue))}, and {allowed}"
        return f"You get this because you allowed {allowed}, for “{purpose}”."
    stage = Stage(max(row["stage"]))
    spot = row["stage"].index(stage)
    return _left(stage, policy.rules[row["rule"][spot]], row["observed"][spot], catalogue)


def _left(stage: Stage, rule: str, observed: int, catalogue: Catalogue) -> str:
    if stage is Stage.IDENTITY:
        return "We don't know you, so nothing here is chosen for you in person."
    if stage in (Stage.HARD_STOPS, Stage.PERMISSION):
        scope = catalogue.scopes.get(rule.removeprefix("permission:"))
        what = _asked(scope.operation, scope.target, catalogue) if scope else "this"
        return f"You get nothing of this, because {_BECAUSE[Reason(observed)].format(what=what)}."
    return _SENTENCES[stage]


_SENTENCES = {
    Stage.ELIGIBILITY: "You get nothing of this, because it is not meant for your situation.",
    Stage.HOLDOUT: "You get nothing of this: a few customers, picked by chance, are left out to see whether it helps.",
    Stage.CONTACT_POLICY: "You get nothing of this now, because you have heard from us often enough lately.",
    Stage.ARBITRATION: "You get nothing of this, because nothing we could send would be worth your time.",
}
_BECAUSE = {
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
    return f"the use of {_titles((target,), catalogue)[0]}"


def _titles(categories: Sequence[str], catalogue: Catalogue) -> list[str]:
    return [f"“{catalogue.categories[key].title}”" for key in categories]


def _listed(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def trace_notes() -> dict[str, str]:
    """Return what a trace says of the stages that judge nothing yet."""
    return {stage.name.lower(): "lets everything pass in this version" for stage in sorted(LETS_ALL_PASS)}
