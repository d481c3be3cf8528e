"""Whom a run addressed, held against the ledger: no verdict of a decision, no standing row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from consent import catalogues
from consent.base.errors import DecisionUnknown, LedgerBroken
from consent.base.ids import CustomerId
from consent.base.store import Work
from consent.deployment import Deployment
from consent.permission import many
from consent.permission.verdict import Reason
from consent.register import customers, reopening
from consent.register.desk import Desk
from consent.register.reopening import Sealed
from personalise import contacts
from personalise.audit_checks import stood
from personalise.contacts import Reserved
from personalise.runs import log
from personalise.runs.dry_run import load_policy
from personalise.runs.log import Chunk
from personalise.runs.run import Run

_CHUNK: Final = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Addressed:
    """Whom a run addressed, held against the ledger."""

    count: int
    unpermitted: tuple[str, ...]
    """The customers who had not permitted it, by their pseudonyms."""


def addressed(deployment: Deployment, run: Run) -> Addressed:
    """Hold everybody a run reserved a contact with against the ledger: no verdict of a decision, no standing row.

    What stood is folded out of sealed payloads, of the statements before the ledger position at which the customer's
    chunk was decided: who withdrew a minute later had permitted it. It takes the contact of the treatment's channel,
    and the use (with the memory) of every category that the campaign reads. A contact without a decision behind it is
    one that nobody permitted.
    """
    count = 0
    unpermitted: list[str] = []
    with deployment.store.read() as work:
        policy, _ = load_policy(deployment, work, run.campaign, **run.pins)
        bits = catalogues.bits(work)
    needs = {one.key: (one.contact, *one.uses) for one in policy.candidates}
    after: Reserved | None = None
    while True:
        with deployment.store.read() as work:
            reached = contacts.reserved(work, run.campaign, run.at, after=after, most=_CHUNK)
            if not reached:
                return Addressed(count=count, unpermitted=tuple(unpermitted))
            sealed = reopening.sealed_between(work, customers.before(reached[0].customer), reached[-1].customer)
            for identity, together in groupby(reached, key=lambda one: one.decision.partition(".")[0]):
                asked = [(one.customer, needs[one.treatment]) for one in together]
                chunk = _found(work, identity)
                if chunk and chunk.run != run.id:  # somebody else's, at the same instant
                    continue
                unpermitted += _refusing(deployment.desk, work, chunk, asked, sealed=sealed, bits=bits)
                count += len(asked)
        after = reached[-1]


def _refusing(
    desk: Desk,
    work: Work,
    chunk: Chunk | None,
    asked: Sequence[tuple[CustomerId, Sequence[str]]],
    *,
    sealed: Sealed,
    bits: Mapping[str, int],
) -> list[CustomerId]:
    """Return who of these had not permitted all the scopes beside him when his chunk was decided."""
    if chunk is None:
        return [customer for customer, _ in asked]
    sealed = reopening.only(sealed, {customer for customer, _ in asked})
    found, _ = stood.at(desk, sealed, bits, before=chunk.position)
    catalogue = desk.catalogues.version(work, chunk.about["catalogue"])
    return [
        customer
        for customer, scopes in asked
        if any(
            stood.reasons(many.of_rows([found.get(customer, stood.NOTHING_SAID)]), scope, catalogue, chunk.at)[0]
            != Reason.PERMIT
            for scope in scopes
        )
    ]


def _found(work: Work, identity: str) -> Chunk | None:
    try:
        return log.read(work, identity)
    except (DecisionUnknown, LedgerBroken):
        return None
