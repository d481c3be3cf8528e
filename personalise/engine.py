"""USE CASE: one customer, one decision; the contact reserved, the decision logged, before the answer is out."""

from dataclasses import dataclass, replace
from typing import Any

from consent.base.errors import CampaignInvalid, Place
from consent.base.ids import CustomerId, DecisionId, new_id
from consent.deployment import Deployment
from consent.uses import Use
from personalise.runs import chunk
from personalise.runs.dry_run import load_policy
from personalise.steps.personalise.explanation import CandidateVerdict, explanation, trace_notes, verdicts
from personalise.steps.personalise.policy import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One decision: what was chosen (None: leave alone), and why."""

    id: DecisionId
    customer: CustomerId
    campaign: str
    chosen: str | None
    content: str | None
    propensity: float
    verdicts: tuple[CandidateVerdict, ...]
    explanation: str
    categories_used: tuple[str, ...]
    position: int

    def as_json(self) -> dict[str, Any]:
        """Return the decision as the faces show it."""
        return {
            "decision": self.id,
            "customer": self.customer,
            "campaign": self.campaign,
            "chosen": self.chosen,
            "content": self.content,
            "propensity": self.propensity,
            "verdicts": [each.as_json() for each in self.verdicts],
            "explanation": self.explanation,
            "categories_used": list(self.categories_used),
            "position": self.position,
            "passes": trace_notes(),
        }


def decide_one(
    deployment: Deployment, customer: CustomerId, *, campaign: str, actor: str, channel: str = ""
) -> Decision:
    """Decide for one customer, now; reserve the contact and log the decision in the same transaction.

    A denial is an answer, not an error: the decision then says what stood in the way.

    Raises:
        CampaignUnknown: no campaign by that key.
        CampaignInvalid: it has no treatment on that channel.
    """
    at = deployment.clock()
    identity = new_id("dec", at)
    with deployment.store.write() as work:
        policy, _ = load_policy(deployment, work, campaign)
        if channel:
            policy = _on(policy, channel)
        chunk.locked(work, [customer])
        use = Use(actor=actor, purpose=policy.campaign.purpose, decision=f"{identity}.0", customer=customer)
        made = chunk.decided(deployment.desk, work, [customer], policy, use=use, at=at, now=at)
        chunk.keep(deployment.desk, work, made, policy, chunk_id=identity, run="", number=0, at=at)
    row = made.table.to_pylist()[0]
    one = policy.candidates[row["chosen"]] if row["chosen"] >= 0 else None
    return Decision(
        id=DecisionId(f"{identity}.0"),
        customer=customer,
        campaign=campaign,
        chosen=one.key if one else None,
        content=one.treatment.content if one else None,
        propensity=row["propensity"],
        verdicts=tuple(verdicts(row, policy)),
        explanation=explanation(row, policy),
        categories_used=tuple(key for bit, key in enumerate(policy.categories) if row["used"] >> bit & 1),
        position=made.permitted.position,
    )


def _on(policy: Policy, channel: str) -> Policy:
    """Return the policy with the candidates of one channel only."""
    on_it = tuple(one for one in policy.candidates if one.treatment.channel == channel)
    if not on_it:
        why = f"no treatment of {policy.campaign.key} goes by {channel[:80]!r}"
        raise CampaignInvalid(places=[Place("channel", why)])
    return replace(policy, candidates=on_it)
