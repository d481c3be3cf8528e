"""The check `quotas`: nothing was given out beyond its limit, nor before who was worth more, and the counts are true.

It adds up anew what decisions took and what contacts that ended unsent gave back, from the decision log and in the
order of the ledger. Decisions from before there were quotas took nothing of them.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import sqlalchemy as sa

from consent.audit.findings import Evidence, Finding, Gap, Judged, Severity, Yielded
from consent.base.database import table_of
from consent.base.errors import ByleaveError
from consent.base.store import Work
from consent.ledger.position import position
from personalise.audit_checks import returned
from personalise.audit_checks.returned import Place, Returns
from personalise.decide import spent
from personalise.runs import log, ranking, replaying
from personalise.runs.log import Chunk
from personalise.steps.personalise.policy import Policy
from personalise.steps.personalise.quotas import Quota
from personalise.tables import QuotaRow, RunRow

KEY: Final = "quotas"
_quota, _run = table_of(QuotaRow), table_of(RunRow)


@dataclass(slots=True)
class _Counted:
    """What was given out so far, and what is known of the policies and runs behind it."""

    evidence: Evidence
    returns: Returns
    given: Counter[Place] = field(default_factory=Counter)
    policies: dict[tuple[Any, ...], Policy | str] = field(default_factory=dict)
    cuts: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """The worth that a run's quota ends with, by run and quota."""

    def policy(self, work: Work, chunk: Chunk) -> Policy | str:
        """Return the policy that a chunk was decided by, or why it can't be read."""
        about = chunk.about
        key = (chunk.campaign, *log.pins(about).values(), *about["candidates"])
        if key not in self.policies:
            try:
                self.policies[key] = replaying.policy_of(self.evidence, work, chunk)
            except ByleaveError as lost:
                self.policies[key] = f"the policy of {chunk.campaign} can't be read: {lost.title}"
        return self.policies[key]


def quotas(evidence: Evidence) -> Iterator[Yielded]:
    """Go through all chunks as the ledger has them, and hold what they took against limits, cuts and counts."""
    with evidence.store.read() as work:  # one look at all that has to fit together
        chunks = log.places(work)
        rows = work.connection.execute(sa.select(_quota)).all()
        runs = work.connection.execute(sa.select(_run.c.id, _run.c.campaign, _run.c.quotas).where(_run.c.quotas != ""))
        asides = {(row.id, row.campaign): ranking.set_aside(row.quotas) for row in runs}
        returns = returned.read(work)
    counted = _Counted(
        evidence,
        returns,
        cuts={run: {each.key: each.cut.worth for each in several if each.cut} for (run, _), several in asides.items()},
    )
    for identity in chunks:
        yield from _of_chunk(counted, identity)
    kept: Counter[Place] = Counter()
    for (_, campaign), several in asides.items():
        kept.update({(campaign, each.version, each.key): each.left for each in several})
    stands = {(row.campaign, row.version, row.key): row.taken for row in rows}
    for place in sorted({*stands, *counted.given, *kept, *returns.counted}):
        given, aside, back = counted.given[place], kept[place], returns.counted[place]
        if stands.get(place, 0) != given + aside - back:
            campaign, version, key = place
            of = f"version {version}" if version else "all versions"
            why = f"{key} of {of} counts {stands.get(place, 0)}; {given} was given out, and {aside} is set aside"
            yield _finding(campaign, why + (f"; {back} came back" if back else ""))
    for decision in returns.unknown(chunks):
        yield _finding(decision, "it gave something back, and there is no such decision")


def _finding(subject: str, why: str) -> Finding:
    return Finding(check=KEY, severity=Severity.HIGH, subject=subject, why=why)


def _of_chunk(counted: _Counted, identity: str) -> Iterator[Yielded]:
    with counted.evidence.store.read() as work:
        try:
            chunk = log.read(work, identity)
        except ByleaveError as damaged:
            yield Gap(check=KEY, why=f"chunk {identity}: {damaged.title}")
            return
        judged = {name.removeprefix("taken:") for name in chunk.table.column_names if name.startswith("taken:")}
        policy = counted.policy(work, chunk) if judged else ""
        amiss = [] if isinstance(policy, str) else list(returned.wrong(work, chunk, policy))
    if isinstance(policy, str):
        yield from [Gap(check=KEY, why=policy)] if policy else []
        return
    yield from (_finding(decision, why) for decision, why in amiss)
    took, here = spent(chunk.table, policy), position(chunk.log, chunk.seq)
    for quota in (each for each in policy.quotas if each.key in judged):
        place = (chunk.campaign, quota.version, quota.key)
        counted.given[place] += took[quota.key]
        out = counted.given[place] - counted.returns.before(place, here)
        if took[quota.key] and out > quota.limit:
            yield _finding(chunk.id, f"{quota.key} allows {quota.limit}, and with it {out} was given")
        yield from _out_of_order(chunk, policy, quota, counted.cuts.get(chunk.run, {}).get(quota.key, 0.0))
    yield Judged(chunk.table.num_rows)


def _out_of_order(chunk: Chunk, policy: Policy, quota: Quota, ends: float) -> Iterator[Finding]:
    """Walk decisions that gave to who was worth less than where it ended, or refused who was worth more."""
    cut = np.asarray(chunk.table[f"cut:{quota.key}"])
    chosen = np.maximum(np.asarray(chunk.table["chosen"]), np.asarray(chunk.table["ghost"]))
    number = policy.rules.index(quota.key)
    for row, one in enumerate(policy.candidates):
        if one.key not in quota.treatments:
            continue
        worth = np.asarray(chunk.table[f"worth:{one.key}"])
        refused = np.asarray(chunk.table[f"rule:{one.key}"]) == number
        for spot in np.flatnonzero((chosen == row) & (worth < np.maximum(cut, ends))).tolist():
            yield _finding(f"{chunk.id}.{spot}", f"{quota.key} ended before {one.key}, which it was given")
        for spot in np.flatnonzero(refused & (worth > cut)).tolist():
            yield _finding(f"{chunk.id}.{spot}", f"{one.key} was refused by {quota.key}, which had not ended yet")
