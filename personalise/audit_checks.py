"""Checks over decisions: that each used only what stood at its position, and that its log is the one committed to.

They trust the ledger's sealed statements and the decisions' own record, and no projection: not the standing rows that
the gate had read.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Final

import numpy as np
from numpy.typing import NDArray

from consent import catalogues
from consent.audit.findings import Check, Evidence, Finding, Gap, Judged, Severity, Yielded
from consent.base.canonical import b64u
from consent.base.clock import to_ms
from consent.base.errors import ByleaveError, DecisionUnknown, LedgerBroken, NotFound
from consent.base.ids import CustomerId
from consent.base.store import Work
from consent.catalogue.model import Catalogue
from consent.deployment import Deployment
from consent.ledger import stored
from consent.ledger.entry import Kind
from consent.permission import many
from consent.permission.many import Standings
from consent.permission.standing import EMPTY, Standing, fold
from consent.permission.standing import stored as standing_row
from consent.permission.statement import Statement, from_record
from consent.permission.verdict import Reason, judged
from consent.register import customers, publishing, reopening
from consent.register.desk import Desk
from consent.register.reopening import Sealed
from personalise import contacts
from personalise.contacts import Reserved
from personalise.runs import log
from personalise.runs.dry_run import load_policy
from personalise.runs.log import Chunk
from personalise.runs.run import Run

DECISIONS: Final = "decisions"
DECISION_LOG: Final = "decision_log"
_CHUNK: Final = 2_000
_ENTRIES: Final = 10_000
_COMMITTED: Final = f'"t":"{Kind.DECISIONS_COMMITTED}"'.encode()


def decision_log(evidence: Evidence) -> Iterator[Yielded]:
    """Hold every chunk of decisions against what the ledger says of it, and look for every chunk that it speaks of."""
    with evidence.store.read() as work:
        kept = log.places(work)
        newest = stored.newest(work)
    for identity in kept:
        count = 0
        with evidence.store.read() as work:
            try:
                chunk = log.read(work, identity)
                why, count = _differs(evidence.desk, work, chunk), chunk.table.num_rows
            except LedgerBroken as damaged:
                why = damaged.detail
        if why:
            yield Finding(check=DECISION_LOG, severity=Severity.CRITICAL, subject=identity, why=why)
        yield Judged(count)
    places = set(kept.values())
    for first in range(0, newest.size, _ENTRIES):
        with evidence.store.read() as work:
            entries = stored.entries(work, newest.log, first, min(first + _ENTRIES, newest.size))
        for seq, body in zip(entries.seqs, entries.bodies, strict=True):
            if _COMMITTED in bytes(body) and (newest.log, seq) not in places:
                why = f"ledger entry {seq} commits to decisions that are not there"
                yield Finding(check=DECISION_LOG, severity=Severity.CRITICAL, subject=f"ledger_entry {seq}", why=why)


def _differs(desk: Desk, work: Work, chunk: Chunk) -> str:
    """Say what is not as the ledger has it; "" where nothing is."""
    try:
        committed = publishing.noted(desk, work, chunk.log, chunk.seq)
    except ByleaveError as lost:
        return f"entry {chunk.seq}, which commits to these decisions, can't be read: {lost.title}"
    root = log.root_of(chunk.table, bytes.fromhex(chunk.about["salt"]))
    if committed.get("root") != b64u(root) or chunk.root != root:
        return f"the decisions are not the ones that ledger entry {chunk.seq} committed to"
    wrong = [name for name, value in log.commitment(chunk, root).items() if committed.get(name) != value]
    return f"ledger entry {chunk.seq} commits to another {', '.join(wrong)}" if wrong else ""


def decisions(evidence: Evidence) -> Iterator[Yielded]:
    """Judge every decision anew: each scope it used must have stood at its ledger position."""
    with evidence.store.read() as work:
        ids = log.chunk_ids(work)
        bits = catalogues.bits(work)
    for identity in ids:
        try:
            with evidence.store.read() as work:
                chunk = log.read(work, identity)
                catalogue = evidence.desk.catalogues.version(work, chunk.about["catalogue"])
                sealed = _sealed(work, chunk)
        except (LedgerBroken, NotFound) as lost:
            yield Gap(check=DECISIONS, why=f"chunk {identity}: {lost}")
            continue
        stood, unread = _stood(evidence.desk, sealed, bits, before=chunk.position)
        for decision, why in unpermitted(chunk, catalogue, stood, skipped=unread):
            yield Finding(check=DECISIONS, severity=Severity.CRITICAL, subject=decision, why=why)
        unjudged = len(unread.intersection(chunk.customers))
        if unjudged:
            yield Gap(check=DECISIONS, why=f"{unjudged} customers of chunk {identity} said what can't be read any more")
        yield Judged(chunk.table.num_rows - unjudged)


CHECKS: Final = (
    Check(
        key=DECISION_LOG,
        title="Every decision is the one that the ledger committed to",
        function=decision_log,
    ),
    Check(
        key=DECISIONS,
        title="Every decision used only what its customer permitted at its position",
        function=decisions,
    ),
)


def unpermitted(
    chunk: Chunk, catalogue: Catalogue, stood: Mapping[str, Standing], *, skipped: Collection[str] = ()
) -> Iterator[tuple[str, str]]:
    """Walk a chunk's decisions that used what did not stand: (decision, why).

    Args:
        chunk: the decisions.
        catalogue: under which they were made.
        stood: what stood for each customer at the chunk's position; nothing, for who isn't in it.
        skipped: customers of whom that isn't known.
    """
    used = np.asarray(chunk.table["used"])
    chosen = np.asarray(chunk.table["chosen"])
    known = np.array([customer not in skipped for customer in chunk.customers])
    rows = [standing_row(stood.get(customer, EMPTY)) for customer in chunk.customers]
    standings = many.stacked(
        [row.scopes for row in rows], [row.states for row in rows], [row.paused_until for row in rows]
    )
    purpose = chunk.about["purpose"]
    needed = {f"use:{key}:{purpose}": used >> bit & 1 > 0 for bit, key in enumerate(chunk.about["categories"])}
    for spot, scopes in enumerate(chunk.about["needs"]):
        for scope in scopes:
            needed[scope] = needed.get(scope, np.zeros(len(rows), dtype=np.bool_)) | (chosen == spot)
    for scope, who in needed.items():
        reasons = _reasons(standings, scope, catalogue, chunk.at)
        for spot in np.flatnonzero(known & who & (reasons != Reason.PERMIT)).tolist():
            reason = Reason(reasons[spot]).name
            yield f"{chunk.id}.{spot}", f"used {scope}, which stood as {reason} at ledger position {chunk.position}"


def _reasons(standings: Standings, scope: str, catalogue: Catalogue, at: datetime) -> NDArray[np.uint8]:
    rule = catalogue.scopes.get(scope)
    remember = catalogue.scopes.get(f"remember:{rule.target}") if rule and rule.operation == "use" else None
    found: NDArray[np.uint8] = many.reasons(standings, [rule], [remember], to_ms(at))[:, 0]
    return found


def _sealed(work: Work, chunk: Chunk) -> Sealed:
    """Return the payloads of a chunk's customers of whom anything was used; they stand in the order of their ids."""
    touched = (np.asarray(chunk.table["used"]) != 0) | (np.asarray(chunk.table["chosen"]) >= 0)
    owners = {chunk.customers[spot] for spot in np.flatnonzero(touched)}
    sealed = reopening.sealed_between(work, customers.before(chunk.customers[0]), chunk.customers[-1])
    return reopening.only(sealed, owners)


def _stood(
    desk: Desk, sealed: Sealed, bits: Mapping[str, int], *, before: int
) -> tuple[dict[str, Standing], frozenset[str]]:
    """Fold what stood before a ledger position, out of sealed payloads.

    Returns:
        Customer → standing, and the customers who can't be judged because a payload of theirs can't be read.
    """
    said: dict[str, list[tuple[int, Statement]]] = {}
    unread: set[str] = set()
    for one in reopening.reopened(desk.keys, sealed):
        if one.seq >= before:
            continue
        if one.why:
            unread.add(one.owner)
        else:
            statement = from_record(CustomerId(one.owner), one.payload["statement"])
            said.setdefault(one.owner, []).append((one.seq, statement))
    return {owner: fold(history, bits) for owner, history in said.items() if owner not in unread}, frozenset(unread)


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
        pinned = {"version": run.version, "model": run.model, "catalogue": run.catalogue}
        policy, _ = load_policy(deployment, work, run.campaign, **pinned)
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
    stood, _ = _stood(desk, sealed, bits, before=chunk.position)
    catalogue = desk.catalogues.version(work, chunk.about["catalogue"])
    return [
        customer
        for customer, scopes in asked
        if any(_judge(stood.get(customer, EMPTY), scope, catalogue, chunk.at) is not Reason.PERMIT for scope in scopes)
    ]


def _found(work: Work, identity: str) -> Chunk | None:
    try:
        return log.read(work, identity)
    except (DecisionUnknown, LedgerBroken):
        return None


def _judge(standing: Standing, scope: str, catalogue: Catalogue, at: datetime) -> Reason:
    rule = catalogue.scopes.get(scope)
    remember = catalogue.scopes.get(f"remember:{rule.target}") if rule and rule.operation == "use" else None
    reason, _ = judged(standing, rule, remember, at)
    return reason
