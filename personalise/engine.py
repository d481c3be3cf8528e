"""USE CASE: one customer, one decision; the contact reserved, the decision logged, before the answer is out."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Literal, TypedDict

from consent.base.errors import CustomerUnknown, IdempotencyConflict, Place, RequestUnfit
from consent.base.ids import CustomerId, DecisionId, new_id
from consent.base.store import Work
from consent.deployment import Deployment
from consent.ledger import log as ledger
from consent.uses import Use
from personalise import halts
from personalise.campaigns.messages import OURS
from personalise.content.wording import Said
from personalise.life import approving
from personalise.runs import chunk, log, replaying, visiting, wordings
from personalise.runs.chunk import Carried
from personalise.runs.dry_run import load_policy
from personalise.runs.log import Chunk
from personalise.steps.invent.response import PRIOR
from personalise.steps.personalise import words
from personalise.steps.personalise.explanation import CandidateVerdict, explanation, verdicts
from personalise.steps.personalise.policy import Policy
from personalise.steps.personalise.sentences import spoken
from personalise.steps.personalise.words import WORDING


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One decision: what was chosen (None: leave alone), and why. A visitor whom nobody knows has ids of ""."""

    id: DecisionId
    customer: CustomerId
    campaign: str
    chosen: str | None
    content: str | None
    """What he is told; None where he is left alone, or it isn't settled before it is sent, or was made of his data."""
    subject: str | None
    html: str | None
    """The same as an HTML mail; None where there is none, or as for the content."""
    wording: Literal["personal", "general"] | None
    """Whether what he is told was made of what is known of him; None where that isn't settled."""
    propensity: float
    scorer: str
    """What scored it: `rule`, or `response`, `uplift`, `thompson` by a model."""
    scored_on: tuple[str, ...] | None
    """The features that a model scored it on: none where a prior stood in. None where rules score."""
    verdicts: tuple[CandidateVerdict, ...]
    explanation: str
    categories_used: tuple[str, ...]
    position: int

    def as_json(self) -> dict[str, Any]:
        """Return the decision as the faces show it."""
        return {
            "decision": self.id or None,
            "customer": self.customer or None,
            "campaign": self.campaign,
            "chosen": self.chosen,
            "content": self.content,
            "subject": self.subject,
            "html": self.html,
            "wording": self.wording,
            "propensity": self.propensity,
            "scorer": self.scorer,
            "scored_on": None if self.scored_on is None else list(self.scored_on),
            "verdicts": [each.as_json() for each in self.verdicts],
            "explanation": self.explanation,
            "categories_used": list(self.categories_used),
            "position": self.position,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What is asked: about whom, in which campaign, on which channel ("" for any), by whom, and who carries it out."""

    customer: CustomerId
    campaign: str
    channel: str
    actor: str
    identity: str
    carried: bool


def decide_one(
    deployment: Deployment, customer: CustomerId | None, *, campaign: str, actor: str, channel: str = "",
    idempotency_key: str = "", four_eyes: bool = False, carried: bool = False,
) -> Decision:  # fmt: skip
    """Decide for one customer, now; reserve the contact and log the decision in the same transaction.

    A denial is an answer, not an error: the decision then says what stood in the way. The same idempotency key asked
    again for the same gives the same decision, out of the log, and reserves nothing more.

    What was chosen is in the caller's hands with the answer, and counts from then on. Where it is to be `carried` out
    here instead, the contact has a time to live, and whoever is held back for now is decided about again.

    Who isn't enrolled, or has no id (None), and came to a surface of the company himself gets what is chosen and worded
    for nobody in particular; of that nothing is kept.

    Raises:
        CustomerUnknown: nobody of that id is enrolled, and he didn't come himself.
        CampaignUnknown: no campaign by that key.
        RequestUnfit: it has no treatment on that channel.
        StateConflict: a second person is demanded (`four_eyes`), and no version of it is approved; or it is paused, or
            was stopped.
        IdempotencyConflict: the key stood for another customer, campaign or channel.
    """
    at = deployment.clock()
    if customer is not None:
        asked = _Asked(
            customer=customer, campaign=campaign, channel=channel, actor=actor, carried=carried,
            identity=_identity(deployment, f"{actor}\x00{idempotency_key}" if idempotency_key else "", at),
        )  # fmt: skip
        with deployment.store.write() as work:
            if chunk.locked(work, [customer], at=at):
                known = log.find(work, asked.identity) if idempotency_key else None
                if known:
                    return _again(deployment, work, asked, known, at=at)
                return _anew(deployment, work, asked, four_eyes=four_eyes, at=at)
        if channel not in OURS:
            raise CustomerUnknown
    return _visitor(deployment, campaign, channel, four_eyes=four_eyes, at=at)


def _identity(deployment: Deployment, key: str, at: datetime) -> str:
    """Return the id of a decision's chunk: for the same idempotency key the same."""
    return "dec_" + deployment.desk.blinded("decision", key)[:16].hex() if key else new_id("dec", at)


def _anew(deployment: Deployment, work: Work, asked: _Asked, *, four_eyes: bool, at: datetime) -> Decision:
    desk, customer = deployment.desk, asked.customer
    version = approving.in_force(desk, work, asked.campaign, four_eyes=True) if four_eyes else 0
    policy = _policy(deployment, work, asked.campaign, asked.channel, version=version)
    halts.require_going(work, policy.campaign.key, policy.version)
    use = _use(asked, policy)
    made = chunk.decided(desk, work, [customer], policy, use=use, at=at, now=at)
    made = wordings.worded(desk, work, made, policy, use=use)
    out = Carried(channel=asked.channel) if asked.carried else None
    kept = chunk.keep(desk, work, made, policy, chunk_id=asked.identity, at=at, carried=out)
    told = wordings.said(made, policy)
    return _decision(policy, made.table.to_pylist()[0], kept, decision=DecisionId(f"{kept.id}.0"), said=told)


def _again(deployment: Deployment, work: Work, asked: _Asked, kept: Chunk, *, at: datetime) -> Decision:
    """Tell a decision that was made before; a wording made of the customer's data is made anew, if it still may be."""
    policy = _policy(deployment, work, asked.campaign, asked.channel, pinned=kept)
    row = kept.row(0, policy.rules)
    if row["customer"] != asked.customer or kept.about["candidates"] != [one.key for one in policy.candidates]:
        raise IdempotencyConflict
    told = _settled(policy, row, kept)
    if row.get(WORDING):
        one = policy.candidates[row["chosen"]]
        told = wordings.said_again(deployment.desk, work, asked.customer, policy, one, use=_use(asked, policy), at=at)
    return _decision(policy, row, kept, decision=DecisionId(f"{kept.id}.0"), said=told)


def _use(asked: _Asked, policy: Policy) -> Use:
    purpose = policy.campaign.purpose
    return Use(actor=asked.actor, purpose=purpose, decision=f"{asked.identity}.0", customer=asked.customer)


def _settled(policy: Policy, row: dict[str, Any], kept: Chunk) -> Said | None:
    """Return what was said by a decision, as far as the log tells: not what was made of data, nor what is yet to be."""
    one = policy.candidates[row["chosen"]] if row["chosen"] >= 0 else None
    later = kept.run or kept.about.get("carried")  # worded when it leaves, by what is permitted then
    if one is None or row.get(WORDING) or (later and one.wording_uses):
        return None
    return words.said(one, None)


def _visitor(deployment: Deployment, campaign: str, channel: str, *, four_eyes: bool, at: datetime) -> Decision:
    """Decide for somebody of whom nothing is known; nothing is written."""
    if channel not in OURS:
        why = f"who has no id is told something where he came himself: {', '.join(sorted(OURS))}"
        raise RequestUnfit(places=[Place("/channel", why)])
    with deployment.store.read() as work:
        version = approving.in_force(deployment.desk, work, campaign, four_eyes=True) if four_eyes else 0
        policy = _policy(deployment, work, campaign, channel, version=version)
        halts.require_going(work, policy.campaign.key, policy.version)
        position = ledger.head(work).position
    row = visiting.unpersonalised(policy, at)
    one = policy.candidates[row["chosen"]] if row["chosen"] >= 0 else None
    told = words.said(one, None) if one else None
    return Decision(
        id=DecisionId(""),
        customer=CustomerId(""),
        campaign=policy.campaign.key,
        chosen=one.key if one else None,
        **_of(told),
        propensity=row["propensity"],
        **_scored(policy, row),
        verdicts=tuple(verdicts(row, policy)),
        explanation=spoken("en").unknown,
        categories_used=(),
        position=position,
    )


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
    row = kept.row(spot, policy.rules)
    told = _settled(policy, row, kept)
    return _decision(policy, row, kept, decision=DecisionId(decision), said=told, language=language)


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


def _decision(
    policy: Policy, row: dict[str, Any], kept: Chunk, *, decision: DecisionId, said: Said | None, language: str = "en"
) -> Decision:
    one = policy.candidates[row["chosen"]] if row["chosen"] >= 0 else None
    return Decision(
        id=decision,
        customer=CustomerId(row["customer"]),
        campaign=kept.campaign,
        chosen=one.key if one else None,
        **_of(said, personal=bool(row.get(WORDING))),
        propensity=row["propensity"],
        **_scored(policy, row),
        verdicts=tuple(verdicts(row, policy)),
        explanation=explanation(row, policy, language=language),
        categories_used=tuple(key for bit, key in enumerate(kept.about["categories"]) if row["used"] >> bit & 1),
        position=kept.position,
    )


class _Scored(TypedDict):
    scorer: str
    scored_on: tuple[str, ...] | None


def _scored(policy: Policy, row: dict[str, Any]) -> _Scored:
    """Return by what, and on what, a decision was scored."""
    model = policy.model
    if model is None:
        return _Scored(scorer="rule", scored_on=None)
    number = row.get("scored_by", PRIOR if all(row[f"prior:{one.key}"] for one in policy.candidates) else 0)
    features = () if number == PRIOR else (model, *model.subsets)[number].features
    return _Scored(scorer=policy.campaign.scorer, scored_on=features)


class _Told(TypedDict):
    content: str | None
    subject: str | None
    html: str | None
    wording: Literal["personal", "general"] | None


def _of(said: Said | None, *, personal: bool = False) -> _Told:
    """Return how a decision tells what was said; `personal` is what was logged of it."""
    if said is None:
        return _Told(content=None, subject=None, html=None, wording="personal" if personal else None)
    wording: Literal["personal", "general"] = "personal" if said.personal else "general"
    return _Told(content=said.content, subject=said.subject or None, html=said.html or None, wording=wording)


def _on(policy: Policy, channel: str) -> Policy:
    """Return the policy with the candidates of one channel only."""
    on_it = tuple(one for one in policy.candidates if one.treatment.channel == channel)
    if not on_it:
        those = ", ".join(sorted({one.treatment.channel for one in policy.candidates}))
        why = f"no treatment of {policy.campaign.key} goes by {channel[:80]!r}: they go by {those}"
        raise RequestUnfit(places=[Place("/channel", why)])
    return replace(policy, candidates=on_it)
