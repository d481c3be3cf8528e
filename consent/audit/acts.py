"""What audits commit to beside what they found: what people did about findings so far, and packs that are handed out.

What audits did to a finding follows from their reports, which the ledger commits to. What people did about it follows
from nothing; so the entry of each audit commits to the histories with an act of theirs that are not at their end.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from itertools import groupby
from operator import attrgetter
from typing import Any, Final

import sqlalchemy as sa

from consent.audit.life import Event, State
from consent.audit.tables import EvidencePackRow, FindingEventRow, FindingStateRow
from consent.base.canonical import b64u
from consent.base.clock import rfc3339
from consent.base.database import table_of
from consent.base.store import Work

BY_PEOPLE: Final = (Event.ASSIGNED, Event.ACCEPTED, Event.RERUN)
MOST: Final = 5_000
"""Histories, and packs, that one entry commits to: the newest."""

_state, _event, _pack = table_of(FindingStateRow), table_of(FindingEventRow), table_of(EvidencePackRow)


def handled(work: Work) -> list[list[object]]:
    """Return of each finding that people did something about, and that is not resolved: id, version, and the digest."""
    by_people = sa.select(_event.c.finding).where(_event.c.event.in_(BY_PEOPLE))
    chosen = sa.select(_state.c.id).where(_state.c.state != State.RESOLVED, _state.c.id.in_(by_people))
    ids = sorted(work.connection.execute(chosen.order_by(_state.c.id.desc()).limit(MOST)).scalars())
    return [[finding, steps[-1].version, digest(steps)] for finding, steps in histories(work, ids).items()]


def packs(work: Work) -> list[list[object]]:
    """Return of each evidence pack whose bytes are kept: id, digest, and size."""
    query = sa.select(_pack.c.id, _pack.c.digest, _pack.c.size).where(_pack.c.state == "ready")
    rows = work.connection.execute(query.order_by(_pack.c.id.desc()).limit(MOST))
    return sorted([row.id, b64u(bytes(row.digest)), row.size] for row in rows)


def histories(work: Work, findings: Sequence[str]) -> Mapping[str, Sequence[Any]]:
    """Return the events of some findings, in their order; those without any are left out."""
    found: dict[str, Sequence[Any]] = {}
    for first in range(0, len(findings), 500):
        query = sa.select(_event).where(_event.c.finding.in_(findings[first : first + 500]))
        rows = work.connection.execute(query.order_by(_event.c.finding, _event.c.version))
        found |= {finding: list(steps) for finding, steps in groupby(rows, key=attrgetter("finding"))}
    return found


def digest(steps: Iterable[Any]) -> str:
    """Return the digest over rows of `finding_event`, in base64url."""
    taken = sha256()
    for step in steps:
        until = rfc3339(step.until) if step.until else ""
        told = [step.version, rfc3339(step.at), step.actor, step.event, step.owner, until, step.reason, step.audit]
        taken.update(json.dumps(told).encode())
    return b64u(taken.digest())
