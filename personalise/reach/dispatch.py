"""USE CASE: the dispatch gate. Whoever sends claims each message here, and gets it, or the reason why not.

Everything is judged again in the transaction that claims: the same pure decision as before, for this one treatment, by
the same gate, under the contact policy in force now; but its own contact doesn't count against itself. The customer's
standing is locked meanwhile, so a withdrawal comes either before, and nothing leaves, or after the claim is committed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import numpy as np

from consent import standings
from consent.base.clock import from_ms, rfc3339, to_ms
from consent.base.errors import LedgerBroken
from consent.base.ids import CustomerId
from consent.base.store import Work
from consent.ledger.position import position
from consent.register.desk import Desk
from consent.uses import Use
from personalise import deferrals, halts, households, moment, quotas, reservations, shelf
from personalise.contacts import Own
from personalise.decide import decide
from personalise.deferrals import Deferral
from personalise.runs import chunk, log, wordings
from personalise.runs.chunk import Decided
from personalise.runs.log import Chunk
from personalise.runs.ranking import with_cuts
from personalise.steps.interact.states import Did, State
from personalise.steps.personalise.explanation import verdicts
from personalise.steps.personalise.funnel import Funnel
from personalise.steps.personalise.policy import Policy, policy

STATE: Final = "state"
"""Somebody else has it in his hands, or it is over: how it stands is what was observed."""

TIME_TO_LIVE: Final = "time_to_live"
PAUSED: Final = "campaign_paused"
STOPPED: Final = "campaign_stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message that may leave now, and must at once: the claim runs out.

    Its id is its decision's: the same however often it is handed out, so that nobody sends it twice.
    """

    id: str
    customer: CustomerId
    campaign: str
    treatment: str
    channel: str
    purpose: str
    subject: str
    """Of a mail; "" where there is none."""
    content: str
    """In the treatment's own wording where its customer permits all that it reads now, else in the general one."""
    html: str
    """The same as an HTML mail, in the same wording; "" where there is none."""
    token: int
    """Proves the claim, for whoever tells what became of it."""
    position: int
    """Of the ledger, at which its permissions were judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a message may not leave: by which rule, what was observed, against which limit, and what becomes of it."""

    rule: str
    state: State
    """How the contact stands now."""
    observed: str | int | float | None = None
    limit: str | int | float | None = None
    allowed_from: str | None = None
    deferred: bool = False
    """It is decided about the customer again at `allowed_from`; this contact is given up."""


def claim(
    desk: Desk, work: Work, customer: CustomerId, decision: str, *, actor: str, at: datetime, lease_seconds: float
) -> Message | Refusal:
    """Claim the message of a reserved contact: judge it again, and hand it out.

    What stands against it for good releases the contact; what does so for now defers: the contact is released, and the
    customer is decided about again once he may be reached, if that is within the contact's time to live. A message that
    had been handed out before, and of which nothing was heard since, may have left: refused, it is lost, and counts.

    Args:
        desk: keys and catalogues.
        work: a transaction that writes; the message may leave once it is committed, and a refusal holds then.
        customer: whom it is for.
        decision: that reserved it.
        actor: who sends.
        at: now.
        lease_seconds: for how long nobody else can claim it.

    Raises:
        DecisionUnknown: there is no such contact: it never was, or its customer was erased.
        LedgerBroken: the decision behind it is not there, or damaged.
        ContactPolicyInvalid: the contact policy no longer holds under the catalogue in force: nothing leaves.
    """
    row = reservations.locked(work, customer, decision)
    standings.locked(work, [customer])  # whoever withdraws at this moment waits, or was first
    if row.status not in (State.RESERVED, State.CLAIMED) or (row.claimed_until and row.claimed_until > at):
        return Refusal(rule=STATE, state=State(row.status), observed=row.status)
    if row.expires_at is not None and row.expires_at <= at:
        observed = rfc3339(row.expires_at)
        return Refusal(rule=TIME_TO_LIVE, state=_give_up(work, row, Did.EXPIRE, at=at), observed=observed)
    decided, halted = _decision(work, row), halts.of(work, row.campaign)
    if halted.stopped(decided.about["version"], position(decided.log, decided.seq)):
        return Refusal(rule=STOPPED, state=_give_up(work, row, Did.RELEASE, at=at))
    if halted.paused:
        return Refusal(rule=PAUSED, state=State(row.status))
    return _judged(desk, work, row, decided, actor=actor, at=at, lease_seconds=lease_seconds)


def _judged(
    desk: Desk,
    work: Work,
    row: Any,  # noqa: ANN401 -- a row of contact
    decided: Chunk,
    *,
    actor: str,
    at: datetime,
    lease_seconds: float,
) -> Message | Refusal:
    one = _policy(desk, work, decided, row.treatment)
    customer = CustomerId(row.customer)
    use = Use(actor=actor, purpose=one.campaign.purpose, decision=row.decision, customer=customer)
    permitted = moment.permits(desk, work, [customer], one, at=at)
    own = Own(row.decision, row.charge)
    sharing = households.read(work, permitted, one, at=at, lock=True, own=own)
    columns = moment.gather(desk, work, permitted, one, use=use, at=at, own=own, sharing=sharing)
    if one.quotas:  # it has its place in them already, since it was reserved
        nobody = Funnel(columns, one, at).claims(controls=True).take(np.empty(0, np.int64))
        columns = with_cuts(columns, one, quotas.room(work, one, at), nobody)
    drawn_at = from_ms(decided.about["decided_at"])  # what was drawn then stands: the rest is judged as of now
    table = decide(columns, one, at, drawn_at)
    made = Decided(table=table, inputs=columns, permitted=permitted, spent={}, first_come=False)
    if made.table["chosen"][0].as_py() < 0:
        return _refused(work, row, made, one, decided, at=at)
    token = reservations.claim(work, row, position=permitted.position, at=at, lease_seconds=lease_seconds)
    [candidate] = one.candidates
    said = wordings.said_again(desk, work, customer, one, candidate, use=use, at=at)
    return Message(
        id=row.decision, customer=customer, campaign=row.campaign, treatment=row.treatment, channel=row.channel,
        purpose=row.purpose, subject=said.subject, content=said.content, html=said.html, token=token,
        position=permitted.position,
    )  # fmt: skip


def _decision(work: Work, row: Any) -> Chunk:  # noqa: ANN401 -- a row of contact
    """Return the chunk behind a contact; one that no decision chose is nobody's to send."""
    identity, _, number = row.decision.partition(".")
    found = log.find(work, identity)
    if found is not None and number.isdecimal() and int(number) < found.table.num_rows:
        [its] = found.table.slice(int(number), 1).to_pylist()
        keys = found.about["candidates"]
        if its["customer"] == row.customer and its["chosen"] >= 0 and keys[its["chosen"]] == row.treatment:
            return found
    msg = f"no decision is behind the contact of {row.decision}"
    raise LedgerBroken(msg)


def _policy(desk: Desk, work: Work, decided: Chunk, treatment: str) -> Policy:
    """Return what judges one treatment: the campaign as it was decided by, under the contact policy in force now."""
    pins = log.pins(decided.about)
    read_under, in_force = desk.catalogues.version(work, pins["catalogue"]), desk.catalogues.current(work)
    campaign, version = shelf.load(work, decided.campaign, read_under, version=pins["version"])
    fitted, number = shelf.load_model(work, decided.campaign, version=pins["model"])
    rules = shelf.load_contact_policy(work, in_force)
    whole = policy(campaign, version, read_under, fitted, model_version=number, contact_policy=rules)
    return replace(whole, candidates=tuple(one for one in whole.candidates if one.key == treatment))


def _refused(work: Work, row: Any, made: Decided, one: Policy, decided: Chunk, *, at: datetime) -> Refusal:  # noqa: ANN401 -- a row of contact
    [told] = made.table.to_pylist()
    verdict = verdicts(told, one)[0]
    again = _deferral(row, made, one, decided, at=at) if row.status == State.RESERVED else []
    state = _give_up(work, row, Did.RELEASE, at=at)
    deferrals.keep(work, row.campaign, [], again, at=to_ms(at))
    return Refusal(
        rule=verdict.rule or "", state=state, observed=verdict.observed, limit=verdict.limit,
        allowed_from=verdict.allowed_from, deferred=bool(again),
    )  # fmt: skip


def _deferral(row: Any, made: Decided, one: Policy, decided: Chunk, *, at: datetime) -> Sequence[Deferral]:  # noqa: ANN401 -- a row of contact
    """Return when the customer is to be decided about again; nothing where only a later time than he can wait helps."""
    _, until, by = chunk.waits(made, one, at)
    if row.expires_at is None or not len(until) or int(until[0]) >= to_ms(row.expires_at):
        return []
    narrow = len(decided.about["candidates"]) < len(one.campaign.treatments)  # it was to go by one channel
    return [
        Deferral(
            customer=row.customer, decision=row.decision, campaign=row.campaign, version=one.version,
            model=one.model_version, channel=row.channel if narrow else "", run=decided.run,
            rule=one.rules[int(by[0])], made_at=to_ms(at), due_at=int(until[0]), expires_at=to_ms(row.expires_at),
        )
    ]  # fmt: skip


def _give_up(work: Work, row: Any, did: Did, *, at: datetime) -> State:  # noqa: ANN401 -- a row of contact
    """Give a contact up; one that was handed out before may have left, and is lost."""
    known = row.status == State.RESERVED
    return reservations.give_up(work, row, did if known else Did.LOSE, at=at)
