"""USE CASE: one customer, one decision; the contact reserved, the decision logged, before the answer is out."""

from dataclasses import dataclass, replace
from typing import Any

from consent.base.errors import CampaignInvalid, CustomerUnknown, IdempotencyConflict, Place
from consent.base.ids import CustomerId, DecisionId, new_id
from consent.base.store import Work
from consent.deployment import Deployment
from consent.uses import Use
from personalise.runs import chunk, log
from personalise.runs.dry_run import load_policy
from personalise.runs.log import Chunk
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
    deployment: Deployment,
    customer: CustomerId,
    *,
    campaign: str,
    actor: str,
    channel: str = "",
    idempotency_key: str = "",
) -> Decision:
    """Decide for one customer, now; reserve the contact and log the decision in the same transaction.

    A denial is an answer, not an error: the decision then says what stood in the way. The same idempotency key asked
    again for the same gives the same decision, out of the log, and reserves nothing more.

    Raises:
        CustomerUnknown: nobody of that id is enrolled.
        CampaignUnknown: no campaign by that key.
        CampaignInvalid: it has no treatment on that channel.
        IdempotencyConflict: the key stood for another customer, campaign or channel.
    """
    at = deployment.clock()
    identity = new_id("dec", at)
    if idempotency_key:
        identity = "dec_" + deployment.desk.blinded("decision", f"{actor}\x00{idempotency_key}")[:16].hex()
    with deployment.store.write() as work:
        if not chunk.locked(work, [customer]):
            raise CustomerUnknown
        known = log.find(work, identity) if idempotency_key else None
        if known:
            policy = _policy(deployment, work, campaign, channel, pinned=known)
            return _told(policy, known.table.to_pylist()[0], known, asked=(customer, campaign))
        policy = _policy(deployment, work, campaign, channel)
        use = Use(actor=actor, purpose=policy.campaign.purpose, decision=f"{identity}.0", customer=customer)
        made = chunk.decided(deployment.desk, work, [customer], policy, use=use, at=at, now=at)
        chunk.keep(deployment.desk, work, made, policy, chunk_id=identity, run="", number=0, at=at)
        kept = log.read(work, identity)
    return _told(policy, made.table.to_pylist()[0], kept, asked=(customer, campaign))


def _policy(deployment: Deployment, work: Work, campaign: str, channel: str, *, pinned: Chunk | None = None) -> Policy:
    """Return the policy of a campaign on a channel ("" for all): the newest, or the one that a chunk was decided by."""
    if pinned is None:
        policy, _ = load_policy(deployment, work, campaign)
    else:
        if pinned.campaign != campaign:
            raise IdempotencyConflict
        about = pinned.about
        parts = {"version": about["version"], "model": about["model"], "catalogue": about["read_under"]}
        policy, _ = load_policy(deployment, work, campaign, **parts)
    return _on(policy, channel) if channel else policy


def _told(policy: Policy, row: dict[str, Any], kept: Chunk, *, asked: tuple[CustomerId, str]) -> Decision:
    customer, campaign = asked
    if row["customer"] != customer or kept.about["candidates"] != [one.key for one in policy.candidates]:
        raise IdempotencyConflict
    one = policy.candidates[row["chosen"]] if row["chosen"] >= 0 else None
    return Decision(
        id=DecisionId(f"{kept.id}.0"),
        customer=customer,
        campaign=campaign,
        chosen=one.key if one else None,
        content=one.treatment.content if one else None,
        propensity=row["propensity"],
        verdicts=tuple(verdicts(row, policy)),
        explanation=explanation(row, policy),
        categories_used=tuple(key for bit, key in enumerate(policy.categories) if row["used"] >> bit & 1),
        position=kept.position,
    )


def _on(policy: Policy, channel: str) -> Policy:
    """Return the policy with the candidates of one channel only."""
    on_it = tuple(one for one in policy.candidates if one.treatment.channel == channel)
    if not on_it:
        why = f"no treatment of {policy.campaign.key} goes by {channel[:80]!r}"
        raise CampaignInvalid(places=[Place("channel", why)])
    return replace(policy, candidates=on_it)
