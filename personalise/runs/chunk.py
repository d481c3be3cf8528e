"""One chunk: permits, facts, decisions. The same few lines for a run, a dry run and a single customer."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa

from consent.base.clock import to_ms
from consent.base.ids import CustomerId
from consent.base.store import Work
from consent.gate import Permits
from consent.register import customers as enrolled
from consent.register.desk import Desk
from consent.uses import Use
from personalise import contacts, moment
from personalise.contacts import Contact
from personalise.decide import decide
from personalise.runs import log
from personalise.steps.personalise.policy import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What was decided for a chunk, and what was permitted."""

    table: pa.Table
    permitted: Permits


def decided(
    desk: Desk, work: Work, customers: Sequence[CustomerId], policy: Policy,
    *, use: Use, at: datetime, now: datetime,
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
    """
    permitted = moment.permits(desk, work, customers, policy, at=max(at, now))
    columns = moment.gather(desk, work, permitted, policy, use=use, at=at)
    return Decided(table=decide(columns, policy, at), permitted=permitted)


def keep(
    desk: Desk, work: Work, made: Decided, policy: Policy, *, chunk_id: str, run: str, number: int, at: datetime
) -> None:
    """Reserve the contacts of a chunk and log its decisions, in the caller's transaction."""
    contacts.reserve(work, _contacts(made.table, policy, chunk_id, at))
    salt = os.urandom(log.SALT_BYTES)
    log.write(desk, work, made.table, policy, made.permitted, chunk_id=chunk_id, run=run, number=number, salt=salt)


def locked(work: Work, customers: Sequence[CustomerId]) -> int:
    """Lock the customers of a chunk: counting their contacts and reserving new ones is one step.

    Returns:
        How many of them are enrolled.
    """
    return enrolled.lock(work, customers)


def chunk_id(run: str, number: int) -> str:
    """Return the id of a run's chunk: the same however often the chunk is tried."""
    return "dec_" + hashlib.sha256(f"{run}|{number}".encode()).hexdigest()[:32]


def _contacts(table: pa.Table, policy: Policy, chunk: str, at: datetime) -> list[Contact]:
    names = table["customer"].to_pylist()
    at_ms = to_ms(at)
    made = []
    for column, status in (("chosen", contacts.RESERVED), ("ghost", contacts.GHOST)):
        numbers = np.asarray(table[column])
        for spot in np.flatnonzero(numbers >= 0).tolist():
            one = policy.candidates[numbers[spot]]
            made.append(
                Contact(
                    customer=names[spot], decision=f"{chunk}.{spot}", campaign=policy.campaign.key, treatment=one.key,
                    offer=one.offer.key, channel=one.treatment.channel, purpose=policy.campaign.purpose,
                    status=status, reserved_at=at_ms,
                )
            )  # fmt: skip
    return made
