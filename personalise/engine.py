"""USE CASE: one customer, one decision; the contact reserved, the decision logged, before the answer is out."""

from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from consent.base.errors import CampaignInvalid, CustomerUnknown, IdempotencyConflict, Place
from consent.base.ids import CustomerId, DecisionId, new_id
from consent.base.store import Work
from consent.deployment import Deployment
from consent.uses import Use
from personalise.life import approving
from personalise.runs import chunk, log, replaying
from personalise.runs.chunk import Carried
from personalise.runs.dry_run import load_policy
from personalise.runs.log import Chunk
from personalise.steps.personalise.explanation import CandidateVerdict, explanation, verdicts
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
        }


def decide_one(
    deployment: Deployment, customer: CustomerId, *, campaign: str, actor: str, channel: str = "",
    idempotency_key: str = "", four_eyes: bool = False, carried: bool = False,
) -> Decision:  # fmt: skip
    """Decide for one customer, now; reserve the contact and log the decision in the same transaction.

    A denial is an answer, not an error: the decision then says what stood in the way. The same idempotency key asked
    again for the same gives the same decision, out of the log, and reserves nothing more.

    What was chosen is in the caller's hands with the answer, and counts from then on. Where it is to be `carried` out
    here instead, the contact has a time to live, and whoever is held back for now is decided about again.

    Raises:
        CustomerUnknown: nobody of that id is enrolled.
        CampaignUnknown: no campaign by that key.
        CampaignInvalid: it has no treatment on that channel.
        StateConflict: a second person is demanded (`four_eyes`), and no version of it is approved.
        IdempotencyConflict: the key stood for another customer, campaign or channel.
    """
    at = deployment.clock()
    identity = new_id("dec", at)
    if idempotency_key:
        identity = "dec_" + deployment.desk.blinded("decision", f"{actor}\x00{idempotency_key}")[:16].hex()
    with deployment.store.write() as work:
        if not chunk.locked(work, [customer], at=at):
            raise CustomerUnknown
        known = log.find(work, identity) if idempotency_key else None
        if known:
            policy = _policy(deployment, work, campaign, channel, pinned=known)
            return _told(policy, known.table.to_pylist()[0], known, asked=(customer, campaign))
        version = approving.in_force(deployment.desk, work, campaign, four_eyes=True) if four_eyes else 0
        policy = _policy(deployment, work, campaign, channel, version=version)
        use = Use(actor=actor, purpose=policy.campaign.purpose, decision=f"{identity}.0", customer=customer)
        made = chunk.decided(deployment.desk, work, [customer], policy, use=use, at=at, now=at)
        logged = chunk.keep(
            deployment.desk, work, made, policy, chunk_id=identity, run="", number=0, at=at,
            carried=Carried(channel=channel) if carried else None,
        )  # fmt: skip
    return _told(policy, made.table.to_pylist()[0], logged.chunk, asked=(customer, campaign))


def decided(deployment: Deployment, decision: str, *, language: str = "en") -> Decision:
    """Return a decision as it was logged, of whatever run, with the whole of its funnel.

    Raises:
        DecisionUnknown: no decision by that id.
        LedgerBroken: its chunk is damaged.
        NotFound, CampaignInvalid: what it was decided by can't be read any more.
    """
    with deployment.store.read() as work:
        kept, spot = log.place(work, decision)
        policy = replaying.policy_of(deployment, work, kept)
    row = kept.table.slice(spot, 1).to_pylist()[0]
    return _decision(policy, row, kept, decision=DecisionId(decision), language=language)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What came of deciding again.

    `outcome` is `same` (bit for bit), `differs` (in `columns`), `gone` (it can't be replayed any more, and needn't be)
    or `unread` (it should be there, and isn't); `why` says more of the last two.
    """

    decision: DecisionId
    outcome: Literal["same", "differs", "gone", "unread"]
    columns: tuple[str, ...]
    replay: str
    why: str

    def as_json(self) -> dict[str, Any]:
        """Return it as the faces show it."""
        return {
            "decision": self.decision, "outcome": self.outcome, "columns": list(self.columns), "replay": self.replay,
            "why": self.why,
        }  # fmt: skip


def replay(deployment: Deployment, decision: str, *, actor: str) -> Replayed:
    """Make a decision again from what it was made from; that this was opened is written down as a use.

    Raises:
        DecisionUnknown: no decision by that id.
        LedgerBroken: its chunk is damaged.
    """
    with deployment.store.write() as work:
        kept, spot = log.place(work, decision)
        found = replaying.replayed(deployment, work, kept, actor=actor, at=deployment.clock(), only=spot)
    outcome: Literal["same", "differs", "gone", "unread"] = "same"
    if spot in found.differs:
        outcome = "differs"
    elif spot in found.gone:
        outcome = "gone"
    elif spot in found.unread:
        outcome = "unread"
    marks = kept.table[log.REPLAY] if log.REPLAY in kept.table.column_names else None
    return Replayed(
        decision=DecisionId(decision),
        outcome=outcome,
        columns=tuple(found.differs.get(spot, ())),
        replay=marks[spot].as_py().hex() if marks is not None else "",
        why=found.why or _WHY.get(outcome, ""),
    )


_WHY: Final = {
    "gone": "what it was made from can't be opened any more: its customer was erased, or had no key",
    "unread": "what it was made from does not open",
}


def _policy(
    deployment: Deployment, work: Work, campaign: str, channel: str, *, version: int = 0, pinned: Chunk | None = None
) -> Policy:
    """Return the policy of a campaign on a channel ("" for all): the newest, or the one that a chunk was decided by."""
    if pinned is None:
        policy, _ = load_policy(deployment, work, campaign, version=version)
    else:
        if pinned.campaign != campaign:
            raise IdempotencyConflict
        about = pinned.about
        policy, _ = load_policy(deployment, work, campaign, **log.pins(about))
    return _on(policy, channel) if channel else policy


def _told(policy: Policy, row: dict[str, Any], kept: Chunk, *, asked: tuple[CustomerId, str]) -> Decision:
    customer, _ = asked
    if row["customer"] != customer or kept.about["candidates"] != [one.key for one in policy.candidates]:
        raise IdempotencyConflict
    return _decision(policy, row, kept, decision=DecisionId(f"{kept.id}.0"))


def _decision(
    policy: Policy, row: dict[str, Any], kept: Chunk, *, decision: DecisionId, language: str = "en"
) -> Decision:
    one = policy.candidates[row["chosen"]] if row["chosen"] >= 0 else None
    return Decision(
        id=decision,
        customer=CustomerId(row["customer"]),
        campaign=kept.campaign,
        chosen=one.key if one else None,
        content=one.treatment.content if one else None,
        propensity=row["propensity"],
        verdicts=tuple(verdicts(row, policy)),
        explanation=explanation(row, policy, language=language),
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
