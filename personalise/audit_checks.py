"""Checks over decisions: that each used only what stood at its position, and that its log is the one committed to.

They trust the ledger's sealed statements and the decisions' own record, and no projection: not the standing rows that
the gate had read.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np

from consent import catalogues
from consent.audit.findings import Check, Evidence, Finding, Judged, Severity, Yielded
from consent.base.canonical import b64u
from consent.base.errors import ByleaveError
from consent.base.ids import CustomerId
from consent.base.store import Work
from consent.catalogue.model import Catalogue, ScopeRule
from consent.deployment import Deployment
from consent.permission.standing import Standing, fold
from consent.permission.verdict import Reason, judged
from consent.register import history, publishing
from consent.register.desk import Desk
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
    for identity in ids:
        with evidence.store.read() as work:
            chunk = log.read(work, identity)
            found = list(unpermitted(evidence.desk, work, chunk))
        for decision, why in found:
            yield Finding(check=DECISIONS, severity=Severity.CRITICAL, subject=decision, why=why)
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


def unpermitted(desk: Desk, work: Work, chunk: Chunk) -> Iterator[tuple[str, str]]:
    """Walk a chunk's decisions that used what did not stand: (decision, why).

    What stood is folded anew from the statements recorded before the decision's ledger position, out of their sealed
    payloads; the standing rows that the gate had read are not asked.
    """
    catalogue = desk.catalogues.version(work, chunk.about["catalogue"])
    bits = catalogues.bits(work)
    names = chunk.table["customer"].to_pylist()
    stood = _stood(desk, work, [CustomerId(name) for name in names], chunk.position, bits)
    chosen = np.asarray(chunk.table["chosen"]).tolist()
    used = np.asarray(chunk.table["used"]).tolist()
    for spot, customer in enumerate(names):
        standing = stood.get(customer, Standing())
        for scope in _needed(chunk, chosen[spot], used[spot]):
            reason = _judge(standing, scope, catalogue, chunk.at)
            if reason is not Reason.PERMIT:
                yield (
                    f"{chunk.id}.{spot}",
                    f"used {scope}, which stood as {reason.name} at ledger position {chunk.position}",
                )


def _stood(
    desk: Desk, work: Work, customers: Sequence[CustomerId], position: int, bits: Mapping[str, int]
) -> dict[str, Standing]:
    said: dict[str, list[tuple[int, Any]]] = {}
    for one in history.of_customers(desk, work, customers):
        if one.seq < position:
            said.setdefault(one.statement.customer, []).append((one.seq, one.statement))
    return {customer: fold(statements, bits) for customer, statements in said.items()}


def _needed(chunk: Chunk, chosen: int, used: int) -> Iterator[str]:
    purpose = chunk.about["purpose"]
    for bit, category in enumerate(chunk.about["categories"]):
        if used >> bit & 1:
            yield f"use:{category}:{purpose}"
    if chosen >= 0:
        yield chunk.about["contacts"][chosen]


def _judge(standing: Standing, scope: str, catalogue: Catalogue, at: datetime) -> Reason:
    rule = catalogue.scopes.get(scope)
    remember: ScopeRule | None = None
    if rule and rule.operation == "use":
        remember = catalogue.scopes.get(f"remember:{rule.target}")
    reason, _ = judged(standing, rule, remember, at)
    return reason


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
            stood = _stood_by(desk, work, [customer for customer, _ in reached], run.ended_at or run.at, bits)
        for customer, treatment in reached:
            standing = stood.get(customer, Standing())
            reasons = (_judge(standing, scope, policy.catalogue, run.at) for scope in needs[treatment])
            if any(reason is not Reason.PERMIT for reason in reasons):
                unpermitted.append(customer)
        count += len(reached)
        after = reached[-1][0]


def _stood_by(
    desk: Desk, work: Work, customers: Sequence[CustomerId], recorded_by: datetime, bits: Mapping[str, int]
) -> dict[str, Standing]:
    said: dict[str, list[tuple[int, Any]]] = {}
    for one in history.of_customers(desk, work, customers):
        if one.at <= recorded_by:
            said.setdefault(one.statement.customer, []).append((one.seq, one.statement))
    return {customer: fold(statements, bits) for customer, statements in said.items()}
