"""Checks over decisions: that each used only what stood at its position, and that its log is the one committed to.

They trust the ledger's sealed statements and the decisions' own record, and no projection: not the standing rows that
the gate had read.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from consent import catalogues
from consent.audit.findings import Check, Evidence, Finding, Gap, Judged, Severity, Yielded
from consent.base.canonical import b64u
from consent.base.clock import rfc3339, to_ms
from consent.base.errors import ByleaveError
from consent.base.ids import CustomerId
from consent.base.store import Work
from consent.catalogue.model import Catalogue
from consent.deployment import Deployment
from consent.permission import many
from consent.permission.many import Standings
from consent.permission.standing import EMPTY, Standing, fold, stored
from consent.permission.statement import Statement, from_record
from consent.permission.verdict import Reason, judged
from consent.register import customers, publishing, reopening
from consent.register.desk import Desk
from consent.register.reopening import Sealed
from personalise import contacts
from personalise.runs import log
from personalise.runs.dry_run import load_policy
from personalise.runs.log import Chunk
from personalise.runs.run import Run

DECISIONS: Final = "decisions"
DECISION_LOG: Final = "decision_log"
_CHUNK: Final = 2_000


def decision_log(evidence: Evidence) -> Iterator[Yielded]:
    """Hold every chunk of decisions against the root that the ledger committed to."""
    with evidence.store.read() as work:
        ids = log.chunk_ids(work)
    for identity in ids:
        with evidence.store.read() as work:
            chunk = log.read(work, identity)
            why = _wrong_root(evidence.desk, work, chunk)
        if why:
            yield Finding(check=DECISION_LOG, severity=Severity.CRITICAL, subject=identity, why=why)
        yield Judged(chunk.table.num_rows)


def _wrong_root(desk: Desk, work: Work, chunk: Chunk) -> str | None:
    try:
        committed = publishing.noted(desk, work, chunk.log, chunk.seq)
    except ByleaveError as lost:
        return f"entry {chunk.seq}, which commits to these decisions, can't be read: {lost.title}"
    if committed.get("root") != b64u(log.root_of(chunk.table, bytes.fromhex(chunk.about["salt"]))):
        return f"the decisions are not the ones that ledger entry {chunk.seq} committed to"
    if committed.get("chunk") != chunk.id or committed.get("position") != chunk.position:
        return f"ledger entry {chunk.seq} commits to another chunk, or to another position"
    return None


def decisions(evidence: Evidence) -> Iterator[Yielded]:
    """Judge every decision anew: each scope it used must have stood at its ledger position."""
    with evidence.store.read() as work:
        ids = log.chunk_ids(work)
        bits = catalogues.bits(work)
    for identity in ids:
        with evidence.store.read() as work:
            chunk = log.read(work, identity)
            catalogue = evidence.desk.catalogues.version(work, chunk.about["catalogue"])
            sealed = _sealed(work, chunk)
        stood, unread = _stood(evidence.desk, sealed, bits, before=chunk.position)
        for decision, why in unpermitted(chunk, catalogue, stood):
            yield Finding(check=DECISIONS, severity=Severity.CRITICAL, subject=decision, why=why)
        if unread:
            yield Gap(check=DECISIONS, why=f"{unread} customers of chunk {identity} said what can't be read any more")
        yield Judged(chunk.table.num_rows)


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


def unpermitted(chunk: Chunk, catalogue: Catalogue, stood: Mapping[str, Standing]) -> Iterator[tuple[str, str]]:
    """Walk a chunk's decisions that used what did not stand: (decision, why).

    Args:
        chunk: the decisions.
        catalogue: under which they were made.
        stood: what stood for each customer at the chunk's position; nothing, for who isn't in it.
    """
    names = chunk.table["customer"].to_pylist()
    used = np.asarray(chunk.table["used"])
    chosen = np.asarray(chunk.table["chosen"])
    rows = [stored(stood.get(name, EMPTY)) for name in names]
    standings = many.stacked(
        [row.scopes for row in rows], [row.states for row in rows], [row.paused_until for row in rows]
    )
    purpose = chunk.about["purpose"]
    needed = [(f"use:{key}:{purpose}", used >> bit & 1 > 0) for bit, key in enumerate(chunk.about["categories"])]
    needed += [(scope, chosen == spot) for spot, scope in enumerate(chunk.about["contacts"])]
    for scope, who in needed:
        reasons = _reasons(standings, scope, catalogue, chunk.at)
        for spot in np.flatnonzero(who & (reasons != Reason.PERMIT)).tolist():
            reason = Reason(reasons[spot]).name
            yield f"{chunk.id}.{spot}", f"used {scope}, which stood as {reason} at ledger position {chunk.position}"


def _reasons(standings: Standings, scope: str, catalogue: Catalogue, at: datetime) -> NDArray[np.uint8]:
    rule = catalogue.scopes.get(scope)
    remember = catalogue.scopes.get(f"remember:{rule.target}") if rule and rule.operation == "use" else None
    found: NDArray[np.uint8] = many.reasons(standings, [rule], [remember], to_ms(at))[:, 0]
    return found


def _sealed(work: Work, chunk: Chunk) -> Sealed:
    """Return the payloads of a chunk's customers: they stand in the order of their ids."""
    names = chunk.table["customer"].to_pylist()
    return reopening.sealed_between(work, customers.before(names[0]), names[-1])


def _stood(
    desk: Desk, sealed: Sealed, bits: Mapping[str, int], *, before: int | None = None, by: datetime | None = None
) -> tuple[dict[str, Standing], int]:
    """Fold what stood, out of sealed payloads: of the entries before a ledger position, or recorded by a time.

    Returns:
        Customer → standing, and how many customers can't be judged because a payload of theirs can't be read.
    """
    said: dict[str, list[tuple[int, Statement]]] = {}
    unread: set[str] = set()
    for one in reopening.reopened(desk.keys, sealed):
        if before is not None and one.seq >= before:
            continue
        if one.why:
            unread.add(one.owner)
        elif by is None or one.at <= rfc3339(by):
            said.setdefault(one.owner, []).append(
                (one.seq, from_record(CustomerId(one.owner), one.payload["statement"]))
            )
    return {owner: fold(history, bits) for owner, history in said.items() if owner not in unread}, len(unread)


@dataclass(frozen=True, slots=True, kw_only=True)
class Addressed:
    """Whom a run addressed, held against the ledger."""

    count: int
    unpermitted: tuple[str, ...]
    """The customers who had not permitted it, by their pseudonyms."""


def addressed(deployment: Deployment, run: Run) -> Addressed:
    """Hold everybody a run addressed against the ledger: statements alone are asked, no decision, no standing row.

    What stood is folded from the statements that were recorded when the run ended, out of their sealed payloads, and
    judged at the instant of the run. It takes the contact of each treatment's channel, and the use (with the memory)
    of every category that the campaign reads.
    """
    desk = deployment.desk
    count = 0
    unpermitted: list[str] = []
    with deployment.store.read() as work:
        pinned = {"version": run.version, "model": run.model, "catalogue": run.catalogue}
        policy, _ = load_policy(deployment, work, run.campaign, **pinned)
        bits = catalogues.bits(work)
    needs = {one.key: (one.contact, *one.uses) for one in policy.candidates}
    after = ""
    while True:
        with deployment.store.read() as work:
            reached = contacts.reserved(work, run.campaign, run.at, after=after, most=_CHUNK)
            if not reached:
                return Addressed(count=count, unpermitted=tuple(unpermitted))
            sealed = reopening.sealed_between(work, after, reached[-1][0])
        stood, _ = _stood(desk, sealed, bits, by=run.ended_at or run.at)
        for customer, treatment in reached:
            standing = stood.get(customer, EMPTY)
            if any(
                _judge(standing, scope, policy.catalogue, run.at) is not Reason.PERMIT for scope in needs[treatment]
            ):
                unpermitted.append(customer)
        count += len(reached)
        after = reached[-1][0]


def _judge(standing: Standing, scope: str, catalogue: Catalogue, at: datetime) -> Reason:
    rule = catalogue.scopes.get(scope)
    remember = catalogue.scopes.get(f"remember:{rule.target}") if rule and rule.operation == "use" else None
    reason, _ = judged(standing, rule, remember, at)
    return reason
