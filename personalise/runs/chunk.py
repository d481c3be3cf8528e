"""One chunk: permits, facts, decisions. The same few lines for a run, a dry run and a single customer."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import numpy as np
import pyarrow as pa

from consent.base.clock import to_ms
from consent.base.ids import CustomerId
from consent.base.store import Work
from consent.gate import Permits
from consent.register import customers as enrolled
from consent.register.desk import Desk
from consent.uses import Use
from personalise import commitments, contacts, goodwill, moment, quotas
from personalise.campaigns.model import Campaign, Offer
from personalise.commitments import Commitment
from personalise.contacts import Contact
from personalise.decide import decide, spent
from personalise.goodwill import Entry, Posting
from personalise.runs import inputs, log
from personalise.runs.log import Chunk
from personalise.runs.ranking import with_cuts
from personalise.steps.personalise.funnel import Funnel
from personalise.steps.personalise.policy import Candidate, Policy
from personalise.steps.personalise.quotas import Room

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


def decided(
    desk: Desk, work: Work, customers: Sequence[CustomerId], policy: Policy,
    *, use: Use, at: datetime, now: datetime, room: Room | None = None,
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
    """
    permitted = moment.permits(desk, work, customers, policy, at=max(at, now))
    columns = moment.gather(desk, work, permitted, policy, use=use, at=at)
    if policy.quotas:
        claims = Funnel(columns, policy, at).claims(controls=room is None)
        there = room or quotas.room(work, policy, lock=len(claims) > 0)  # who claims nothing need not wait
        columns = with_cuts(columns, policy, there, claims)
    table = decide(columns, policy, at)
    return Decided(
        table=table, inputs=columns, permitted=permitted, spent=spent(table, policy), first_come=room is None
    )


def keep(
    desk: Desk, work: Work, made: Decided, policy: Policy, *, chunk_id: str, run: str, number: int, at: datetime
) -> Chunk:
    """Reserve the contacts of a chunk, book what they cost, keep what they promise, log its decisions: all in one step.

    Returns:
        The chunk as it was logged.

    What they were made from is sealed beside them, for replays.

    The caller's transaction has locked the customers.
    """
    kept = _kept(made.table, policy, chunk_id, at)
    contacts.reserve(work, kept.contacts)
    if made.first_come:
        quotas.take(work, policy.campaign.key, {each: made.spent[each.key] for each in policy.quotas})
    goodwill.book(work, kept.charges, policy.contact_policy.goodwill, at=at)
    commitments.promise(work, kept.commitments)
    marks = inputs.keep(desk, work, made.permitted, made.inputs, policy, chunk_id=chunk_id, at=at)
    return log.write(
        desk, work, made.table, policy, made.permitted, chunk_id=chunk_id, run=run, number=number,
        salt=os.urandom(log.SALT_BYTES), at=at, marks=marks,
    )  # fmt: skip


def locked(work: Work, customers: Sequence[CustomerId]) -> int:
    """Lock the customers of a chunk: counting their contacts and reserving new ones is one step.

    Returns:
        How many of them are enrolled.
    """
    return enrolled.lock(work, customers)


def chunk_id(run: str, number: int) -> str:
    """Return the id of a run's chunk: the same however often the chunk is tried."""
    return "dec_" + hashlib.sha256(f"{run}|{number}".encode()).hexdigest()[:32]


@dataclass(slots=True)
class _Kept:
    """What choosing writes down beside the decision: contacts, what they cost in goodwill, what is promised."""

    contacts: list[Contact] = field(default_factory=list)
    charges: list[Posting] = field(default_factory=list)
    commitments: list[Commitment] = field(default_factory=list)


def _kept(table: pa.Table, policy: Policy, chunk: str, at: datetime) -> _Kept:
    names = table["customer"].to_pylist()
    charges = {one.key: np.asarray(table[f"charge:{one.key}"]) for one in policy.candidates if policy.charges}
    kept, at_ms = _Kept(), to_ms(at)
    for column, status in (("chosen", contacts.RESERVED), ("ghost", contacts.GHOST)):
        numbers = np.asarray(table[column])
        for spot in np.flatnonzero(numbers >= 0).tolist():
            one = policy.candidates[numbers[spot]]
            charge = int(charges[one.key][spot]) if charges and status != contacts.GHOST else 0
            made = _contact(one, policy.campaign, (names[spot], f"{chunk}.{spot}"), status, at=at_ms, charge=charge)
            kept.contacts.append(made)
            if status == contacts.GHOST:
                continue  # nothing reaches him: it costs nothing, and promises nothing
            if charge:
                kept.charges.append(Posting(names[spot], Entry.CONTACT, -charge, made.decision))
            if one.offer.validity:
                kept.commitments.append(_commitment(one.offer, made))
    return kept


def _contact(
    one: Candidate, campaign: Campaign, whose: tuple[str, str], status: str, *, at: int, charge: int
) -> Contact:
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
