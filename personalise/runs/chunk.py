"""One chunk: permits, facts, decisions. The same few lines for a run, a dry run and a single customer."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from consent.base.clock import to_ms
from consent.base.ids import CustomerId
from consent.base.store import Work
from consent.gate import Permits
from consent.register import customers as enrolled
from consent.register.desk import Desk
from consent.uses import Use
from personalise import commitments, contacts, deferrals, goodwill, history, households, moment, quotas, reservations
from personalise.campaigns.model import Campaign, Offer
from personalise.commitments import Commitment
from personalise.contacts import Contact
from personalise.decide import decide, spent
from personalise.deferrals import Deferral
from personalise.goodwill import Entry, Posting
from personalise.households import Given
from personalise.quotas import Counted
from personalise.runs import inputs, log
from personalise.runs.log import Chunk, Unlogged
from personalise.runs.settling import settled
from personalise.steps.personalise.funnel import Funnel
from personalise.steps.personalise.policy import Candidate, Policy
from personalise.steps.personalise.quotas import Room
from personalise.steps.personalise.stages import Stage

_DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What was decided for a chunk, from what, and what was permitted."""

    table: pa.Table
    inputs: pa.Table
    permitted: Permits
    spent: Mapping[str, int]
    """What it takes of each quota."""
    first_come: bool
    """It takes that out of what there is, not out of what was set aside for a run."""


def decided(  # noqa: PLR0913 -- all that a decision depends on, and whether it is to last
    desk: Desk, work: Work, customers: Sequence[CustomerId], policy: Policy,
    *, use: Use, at: datetime, now: datetime, room: Room | None = None, given: Given | None = None,
) -> Decided:  # fmt: skip
    """Decide for a chunk of customers.

    Args:
        desk: keys and catalogues.
        work: a transaction that can record the use.
        customers: whom.
        policy: what decides.
        use: why the data are read.
        at: the instant of the decision: what windows are counted from.
        now: the instant that permissions are judged at; never before `at`.
        room: what the policy's quotas have room for; None: who comes first takes what there is, one at a time.
        given: what households would have got so far, in a pass that reserves nothing, and so keeps nobody waiting.
    """
    permitted = moment.permits(desk, work, customers, policy, at=max(at, now))
    sharing = households.read(work, permitted, policy, at=at, lock=given is None, given=given)
    columns = moment.gather(desk, work, permitted, policy, use=use, at=at, sharing=sharing)
    claims, there = None, room
    if policy.quotas:
        claims = Funnel(columns, policy, at).claims(controls=room is None)
        # Who claims nothing need not wait, nor who reserves nothing.
        claiming = given is None and len(claims) > 0
        there = room or (quotas.locked_room(work, policy) if claiming else quotas.room(work, policy, at))
    columns = settled(columns, policy, at, claims=claims, room=there, sharing=sharing, controls=room is None)
    table = decide(columns, policy, at)
    if given is not None and sharing is not None:
        given.add(sharing, np.asarray(table["chosen"]))
    return Decided(
        table=table, inputs=columns, permitted=permitted, spent=spent(table, policy), first_come=room is None
    )


class Kept(NamedTuple):
    """A chunk of which everything is kept but its place in the ledger.

    `deferred` is how many of its customers are to be decided about again.
    """

    unlogged: Unlogged
    deferred: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """That what is chosen is carried out by the product, and may wait: it has a time to live.

    Where this is not so, the answer is in the hands of whoever asked, at once: nobody waits, and nothing lapses.
    """

    channel: str = ""
    """The one that was asked for; "" for all."""
    until: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    """Until when (ms) those wait at most who have waited before."""


def keep(
    desk: Desk, work: Work, made: Decided, policy: Policy,
    *, chunk_id: str, at: datetime, carried: Carried | None,
) -> Chunk:  # fmt: skip
    """Keep a chunk that belongs to no run, and log its decisions, all in one step; as `kept` says."""
    all_but = kept(desk, work, made, policy, chunk_id=chunk_id, run="", number=0, at=at, carried=carried)
    return log.write(desk, work, all_but.unlogged, at=made.permitted.at)


def kept(  # noqa: PLR0913 -- a decision is kept with all that follows from it
    desk: Desk, work: Work, made: Decided, policy: Policy,
    *, chunk_id: str, run: str, number: int, at: datetime, carried: Carried | None,
) -> Kept:  # fmt: skip
    """Reserve the contacts of a chunk, book what they cost, keep what they promise: all but logging its decisions.

    What they were made from is sealed beside them, for replays. Whoever is held back for now is kept to be decided
    about again.

    The caller's transaction has locked the customers, and logs the chunk (`log.write`) at its end.
    """
    expires_at = to_ms(made.permitted.at) + policy.campaign.ttl_days * _DAY_MS
    follows = _following(made.table, policy, chunk_id, at, expires_at if carried else None)
    waiting = _deferred(made, policy, chunk_id, run, at=at, carried=carried) if carried else []
    reached = [CustomerId(each.customer) for each in follows.contacts]
    deferrals.keep(work, policy.campaign.key, reached, waiting, at=to_ms(made.permitted.at))
    contacts.reserve(work, follows.contacts)
    if made.first_come:
        took: dict[Counted, int] = {each: made.spent[each.key] for each in policy.quotas if made.spent[each.key]}
        quotas.take(work, policy.campaign.key, took)
    goodwill.book(work, follows.charges, policy.contact_policy.goodwill, at=at)
    commitments.promise(work, follows.commitments)
    marks = inputs.keep(desk, work, made.permitted, made.inputs, policy, chunk_id=chunk_id, at=at)
    unlogged = log.made(
        made.table, policy, made.permitted, chunk_id=chunk_id, run=run, number=number,
        salt=os.urandom(log.SALT_BYTES), at=at, marks=marks, carried=carried is not None,
    )  # fmt: skip
    return Kept(unlogged, len(waiting))


def waits(made: Decided, policy: Policy, at: datetime) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[Any]]:
    """Return who of a chunk is held back for now and decided about again within the time to live.

    Returns:
        Places in the chunk, until when each waits (ms), and the numbers of the rules that hold them back.
    """
    table = made.table
    rules = np.column_stack([np.asarray(table[f"rule:{one.key}"]) for one in policy.candidates])
    furthest = policy.stage_of[rules].max(axis=1)  # controls leave at the holdout, whatever else holds them back
    alone = (np.asarray(table["chosen"]) < 0) & (np.asarray(table["ghost"]) < 0)
    spots = np.flatnonzero(alone & (furthest >= Stage.HOLDOUT))
    if not len(spots):
        return spots, spots, spots
    until, by = Funnel(made.inputs.take(spots), policy, at).waits()
    in_time = (until > 0) & (until < to_ms(made.permitted.at) + policy.campaign.ttl_days * _DAY_MS)
    return spots[in_time], until[in_time], by[in_time]


def _deferred(made: Decided, policy: Policy, chunk: str, run: str, *, at: datetime, carried: Carried) -> list[Deferral]:
    made_at = to_ms(made.permitted.at)
    longest = made_at + policy.campaign.ttl_days * _DAY_MS
    names = made.permitted.customers
    found = []
    for spot, until, by in zip(*(each.tolist() for each in waits(made, policy, at)), strict=True):
        expires_at = carried.until.get(names[spot], longest)
        if until < expires_at:
            found.append(
                Deferral(
                    customer=names[spot], decision=f"{chunk}.{spot}", campaign=policy.campaign.key,
                    version=policy.version, model=policy.model_version, channel=carried.channel, run=run,
                    rule=policy.rules[by], made_at=made_at, due_at=until, expires_at=expires_at,
                )
            )  # fmt: skip
    return found


def locked(work: Work, customers: Sequence[CustomerId], *, at: datetime) -> list[CustomerId]:
    """Lock the customers of a chunk: counting their contacts and reserving new ones is one step.

    Contacts of theirs that nobody sent in time expire first.

    Returns:
        Those of them who are enrolled.
    """
    found = enrolled.lock(work, customers)
    reservations.lapse(work, customers, at=at)
    return found


def chunk_id(run: str, number: int) -> str:
    """Return the id of a run's chunk: the same however often the chunk is tried."""
    return "dec_" + hashlib.sha256(f"{run}|{number}".encode()).hexdigest()[:32]


@dataclass(slots=True)
class _Following:
    """What choosing writes down beside the decision: contacts, what they cost in goodwill, what is promised."""

    contacts: list[Contact] = field(default_factory=list)
    charges: list[Posting] = field(default_factory=list)
    commitments: list[Commitment] = field(default_factory=list)


def _following(table: pa.Table, policy: Policy, chunk: str, at: datetime, expires_at: int | None) -> _Following:
    names = table["customer"].to_pylist()
    charges = {one.key: np.asarray(table[f"charge:{one.key}"]) for one in policy.candidates if policy.charges}
    takes = {
        one.key: " ".join(each.noted for each in policy.quotas if one.key in each.treatments)
        for one in policy.candidates
    }
    found, at_ms = _Following(), to_ms(at)
    for column, status in (("chosen", history.RESERVED), ("ghost", history.GHOST)):
        numbers = np.asarray(table[column])
        for spot in np.flatnonzero(numbers >= 0).tolist():
            one = policy.candidates[numbers[spot]]
            charge = int(charges[one.key][spot]) if charges else 0
            until = None if status == history.GHOST else expires_at
            whose = (names[spot], f"{chunk}.{spot}")
            took = takes[one.key] if status != history.GHOST else ""
            made = _contact(one, policy.campaign, whose, status, at=at_ms, charge=charge, until=until, quotas=took)
            found.contacts.append(made)
            if status == history.GHOST:
                continue  # nothing reaches him: it takes nothing of his, and promises nothing
            if charge:
                found.charges.append(Posting(names[spot], Entry.CONTACT, -charge, made.decision))
            if one.offer.validity:
                found.commitments.append(_commitment(one.offer, made))
    return found


def _contact(
    one: Candidate, campaign: Campaign, whose: tuple[str, str], status: str,
    *, at: int, charge: int, until: int | None, quotas: str,
) -> Contact:  # fmt: skip
    customer, decision = whose
    return Contact(
        customer=customer,
        decision=decision,
        campaign=campaign.key,
        treatment=one.key,
        offer=one.offer.key,
        channel=one.treatment.channel,
        purpose=campaign.purpose,
        status=status,
        reserved_at=at,
        family=one.offer.family,
        tags=" ".join(campaign.tags),
        kind=campaign.kind,
        charge=charge,
        expires_at=until,
        quotas=quotas,
    )


def _commitment(offer: Offer, made: Contact) -> Commitment:
    return Commitment(
        customer=made.customer,
        family=offer.family,
        offer=offer.key,
        terms=offer.terms_hash,
        grade=offer.grade,
        campaign=made.campaign,
        decision=made.decision,
        made_at=made.reserved_at,
        until=made.reserved_at + offer.validity * _DAY_MS,
    )
