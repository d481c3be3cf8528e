"""USE CASE: one customer, one decision; the contact reserved, the decision logged, before the answer is out.

Those who ask at the same time share a chunk, and a transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Literal

from consent.base.errors import Conflict, CustomerUnknown, IdempotencyConflict, Invalid, NotFound, Place, RequestUnfit
from consent.base.gathering import Gathering
from consent.base.ids import CustomerId, DecisionId, new_id
from consent.base.store import Work
from consent.deployment import Deployment
from consent.ledger import log as ledger
from consent.uses import Use
from personalise import halts, telling
from personalise.campaigns import approval
from personalise.campaigns.messages import OURS
from personalise.households import Given
from personalise.life import approving
from personalise.runs import chunk, log, replaying, visiting, wordings
from personalise.runs.chunk import Carried
from personalise.runs.dry_run import load_policy
from personalise.steps.personalise.policy import Policy
from personalise.steps.personalise.words import WORDING
from personalise.telling import Decision


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What is asked: about whom, in which campaign, on which channel ("" for any), by whom, and who carries it out."""

    customer: CustomerId
    campaign: str
    channel: str
    actor: str
    key: str
    four_eyes: bool
    carried: bool

    def alike(self, other: "_Asked") -> bool:
        """Say whether two are decided about in one chunk, were they two customers."""
        return replace(self, customer=other.customer, key=other.key) == other


_STRANGER: Final = "stranger"
"""The answer about somebody who isn't enrolled."""

_Answer = Decision | Literal["stranger"]
_MOST: Final = 500
"""Customers that are decided about in one transaction."""


class Deciding:
    """The way to decisions for the threads of one process: those who ask at the same time share a chunk."""

    def __init__(self, deployment: Deployment) -> None:
        """Start with nobody waiting."""
        self._deployment = deployment
        self._gathering: Gathering[_Asked, _Answer] = Gathering(deployment.store, self._each, _together)

    def decide(
        self, customer: CustomerId | None, *, campaign: str, actor: str, channel: str = "", idempotency_key: str = "",
        four_eyes: bool = False, carried: bool = False,
    ) -> Decision:  # fmt: skip
        """Decide for one customer, now; reserve the contact and log the decision in the same transaction.

        A denial is an answer, not an error: the decision then says what stood in the way. The same idempotency key
        asked again for the same gives the same decision, out of the log, and reserves nothing more.

        What was chosen is in the caller's hands with the answer, and counts from then on. Where it is to be `carried`
        out here instead, the contact has a time to live, and whoever is held back for now is decided about again.

        Who isn't enrolled, or has no id (None), and came to a surface of the company himself gets what is chosen and
        worded for nobody in particular; of that nothing is kept.

        Raises:
            CustomerUnknown: nobody of that id is enrolled, and he didn't come himself.
            CampaignUnknown: no campaign by that key.
            RequestUnfit: it has no treatment on that channel.
            StateConflict: a second person is demanded (`four_eyes`), and no version of it is approved; or it is paused,
                or was stopped.
            CampaignUnready: no second person is demanded, and every version breaks a rule that binds.
            IdempotencyConflict: the key stood for another customer, campaign or channel, or for who carries it out.
        """
        if customer is not None:
            key = self._deployment.desk.blinded("decision", f"{actor}\x00{idempotency_key}") if idempotency_key else b""
            asked = _Asked(
                customer=customer, campaign=campaign, channel=channel, actor=actor, four_eyes=four_eyes,
                carried=carried, key=f"dec_{key[:16].hex()}" if key else "",
            )  # fmt: skip
            answer = self._gathering.ask(asked)
            if answer != _STRANGER:
                return answer
            if channel not in OURS:
                raise CustomerUnknown
        return _visitor(self._deployment, campaign, channel, four_eyes=four_eyes, at=self._deployment.clock())

    def _each(self, work: Work, asked: Sequence[_Asked]) -> list[_Answer | Exception]:
        """Answer those who fit together: each a customer of his own."""
        at = self._deployment.clock()
        enrolled = set(chunk.locked(work, sorted(each.customer for each in asked), at=at))
        known = log.keyed(work, [each.key for each in asked if each.key])
        answers: dict[CustomerId, _Answer | Exception] = {}
        new = []
        for each in asked:
            if each.customer not in enrolled:
                answers[each.customer] = _STRANGER
            elif each.key in known:
                answers[each.customer] = _again(self._deployment, work, each, known[each.key], at=at)
            else:
                new.append(each)
        if new:
            answers |= _anew(self._deployment, work, sorted(new, key=lambda one: one.customer), at=at)
        return [answers[each.customer] for each in asked]


def _together(asked: Sequence[_Asked]) -> list[bool]:
    """Say who shares a chunk with the first: whoever asks alike, each customer and each key once."""
    seen: set[str] = set()
    fits: list[bool] = []
    for each in asked:
        own = {each.customer, each.key} - {""}
        fits.append(each.alike(asked[0]) and not own & seen and sum(fits) < _MOST)
        if fits[-1]:
            seen |= own
    return fits


def decide_one(
    deployment: Deployment, customer: CustomerId | None, *, campaign: str, actor: str, channel: str = "",
    idempotency_key: str = "", four_eyes: bool = False, carried: bool = False,
) -> Decision:  # fmt: skip
    """Decide for one customer, alone; as `Deciding.decide` says."""
    return Deciding(deployment).decide(
        customer, campaign=campaign, actor=actor, channel=channel, idempotency_key=idempotency_key,
        four_eyes=four_eyes, carried=carried,
    )  # fmt: skip


def _anew(
    deployment: Deployment, work: Work, asked: Sequence[_Asked], *, at: datetime
) -> dict[CustomerId, _Answer | Exception]:
    """Decide for customers in one chunk, in the order of their ids; what they asked but for that is the same."""
    desk, one = deployment.desk, asked[0]
    who = [each.customer for each in asked]
    try:
        policy = _in_force(deployment, work, one.campaign, one.channel, four_eyes=one.four_eyes)
    except (Conflict, Invalid, NotFound) as refused:  # nothing was written yet
        return dict.fromkeys(who, refused)
    identity = new_id("dec", at)
    alone = {"decision": f"{identity}.0", "customer": who[0]} if len(who) == 1 else {"decision": identity}
    use = Use(actor=one.actor, purpose=policy.campaign.purpose, **alone)
    made = chunk.decided(desk, work, who, policy, use=use, at=at, now=at)
    made = wordings.worded(desk, work, made, policy, use=use)
    out = Carried(channel=one.channel) if one.carried else None
    kept = chunk.keep(desk, work, made, policy, chunk_id=identity, at=at, carried=out)
    log.key(work, {each.key: f"{identity}.{spot}" for spot, each in enumerate(asked) if each.key})
    return {
        customer: telling.told(policy, row, kept, spot=spot, said=wordings.said(made, policy, spot))
        for spot, (customer, row) in enumerate(zip(who, made.table.to_pylist(), strict=True))
    }


def _again(
    deployment: Deployment, work: Work, asked: _Asked, decision: str, *, at: datetime
) -> Decision | IdempotencyConflict:
    """Tell a decision that was made before; a wording made of the customer's data is made anew, if it still may be."""
    kept, spot = log.place(work, decision)
    if kept.campaign != asked.campaign or bool(kept.about.get("carried")) != asked.carried:
        return IdempotencyConflict()
    policy, _ = load_policy(deployment, work, asked.campaign, **log.pins(kept.about))
    try:
        policy = _on(policy, asked.channel)
    except RequestUnfit:
        return IdempotencyConflict()
    row = kept.row(spot, policy.rules)
    if row["customer"] != asked.customer or kept.about["candidates"] != [one.key for one in policy.candidates]:
        return IdempotencyConflict()
    said = telling.settled(policy, row, kept)
    if row.get(WORDING):
        one = policy.candidates[row["chosen"]]
        use = Use(actor=asked.actor, purpose=policy.campaign.purpose, decision=decision, customer=asked.customer)
        said = wordings.said_again(deployment.desk, work, asked.customer, policy, one, use=use, at=at)
    return telling.told(policy, row, kept, spot=spot, said=said)


def _visitor(deployment: Deployment, campaign: str, channel: str, *, four_eyes: bool, at: datetime) -> Decision:
    """Decide for somebody of whom nothing is known; nothing is written."""
    if channel not in OURS:
        why = f"who has no id is told something where he came himself: {', '.join(sorted(OURS))}"
        raise RequestUnfit(places=[Place("/channel", why)])
    with deployment.store.read() as work:
        policy = _in_force(deployment, work, campaign, channel, four_eyes=four_eyes)
        position = ledger.head(work).position
    return telling.unknown(policy, visiting.unpersonalised(policy, at), position=position)


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
    said = telling.settled(policy, row, kept)
    return telling.told(policy, row, kept, spot=spot, said=said, language=language)


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulated:
    """The decision that would be made about a customer, and by what."""

    decision: Decision
    version: int
    contact_policy: int
    """The version of the contact policy; 0 where there is none."""

    def as_json(self) -> dict[str, Any]:
        """Return it as the faces show it."""
        return {**self.decision.as_json(), "version": self.version, "contact_policy": self.contact_policy}


def simulate(
    deployment: Deployment, customer: CustomerId, *, campaign: str, actor: str, reason: str, version: int = 0,
    contact_policy: int | None = None, channel: str = "",
) -> Simulated:  # fmt: skip
    """Decide for one customer by any version of a campaign, now, and keep nothing but that his data were read, and why.

    Nothing is reserved, logged or taken, and nobody waits for it. The version need not be approved, and may be paused
    or stopped.

    Args:
        deployment: where.
        customer: about whom.
        campaign: its key.
        actor: who asks.
        reason: why he wants to know; written down, so it names nobody.
        version: of the campaign; 0: the newest.
        contact_policy: its version; None: the newest; 0: none at all.
        channel: only what goes by it; "" for all.

    Raises:
        CustomerUnknown: nobody of that id is enrolled.
        CampaignUnknown, ContactPolicyUnknown: no such campaign, or version of it, or of the contact policy.
        CampaignInvalid, ContactPolicyInvalid: the catalogue has changed, so that one no longer holds.
        RequestUnfit: it has no treatment on that channel.
    """
    at = deployment.clock()
    with deployment.store.write() as work:
        policy, _ = load_policy(deployment, work, campaign, version=version, contact_policy=contact_policy)
        policy = _on(policy, channel)
        told = f"simulating {campaign}@{policy.version}: {reason}"
        use = Use(actor=actor, purpose=policy.campaign.purpose, reason=told, customer=customer)
        made = chunk.decided(deployment.desk, work, [customer], policy, use=use, at=at, now=at, given=Given())
        if not made.inputs["enrolled"][0].as_py():
            raise CustomerUnknown  # nothing of him was read, and nothing is written
        [row] = made.table.to_pylist()
        decision = telling.simulated(policy, row, position=made.permitted.position, at=at)
    return Simulated(decision=decision, version=policy.version, contact_policy=policy.contact_policy.version)


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


def _in_force(deployment: Deployment, work: Work, campaign: str, channel: str, *, four_eyes: bool) -> Policy:
    """Return the policy that decides now, on a channel ("" for all)."""
    version = approving.in_force(deployment.desk, work, campaign, four_eyes=True) if four_eyes else 0
    policy, _ = load_policy(deployment, work, campaign, version=version)
    if not four_eyes and approval.broken(policy.campaign, policy.catalogue):  # then an older one may decide
        version = approving.in_force(deployment.desk, work, campaign, four_eyes=False)
        policy, _ = load_policy(deployment, work, campaign, version=version)
    policy = _on(policy, channel)
    halts.require_going(work, policy.campaign.key, policy.version)
    return policy


def _on(policy: Policy, channel: str) -> Policy:
    """Return the policy with the candidates of one channel only ("" for all)."""
    if not channel:
        return policy
    on_it = tuple(one for one in policy.candidates if one.treatment.channel == channel)
    if not on_it:
        those = ", ".join(sorted({one.treatment.channel for one in policy.candidates}))
        why = f"no treatment of {policy.campaign.key} goes by {channel[:80]!r}: they go by {those}"
        raise RequestUnfit(places=[Place("/channel", why)])
    return replace(policy, candidates=on_it)
