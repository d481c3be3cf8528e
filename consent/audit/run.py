"""USE CASE: run an audit. Whatever happens to it, it can't look as if it had passed.

Its row is written first, as running, and closed last: what was killed in between is shown as aborted. Each check runs
in a guard of its own: one that crashes is a gap, beside what it had found by then.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Any, Final, Protocol, TypeAlias

import sqlalchemy as sa

from consent.audit import acts, apart, life, marks
from consent.audit.apart import Apart
from consent.audit.findings import Anchor, Check, Evidence, Gap
from consent.audit.judging import judged
from consent.audit.report import NOT_IN_LEDGER, Report, Status
from consent.audit.tally import crash
from consent.base.canonical import b64u
from consent.base.clock import Clock
from consent.base.errors import ByleaveError, DatabaseDown, Fenced, NotFound, StateConflict
from consent.base.ids import AuditId, new_id
from consent.base.store import Store, Work
from consent.ledger.entry import Kind
from consent.register import publishing
from consent.register.desk import Desk
from consent.rights.horizon import Horizon
from consent.tables import AuditRunRow, FindingRow

RUNNING: Final = "running"
ABORTED: Final = "aborted"
ITSELF: Final = "audit"
"""The check that gaps of the audit itself are filed under."""


class Opened(Protocol):
    """A deployment, as far as an audit needs it."""

    @property
    def store(self) -> Store:
        """The database."""

    @property
    def desk(self) -> Desk:
        """Keys and catalogues."""

    @property
    def clock(self) -> Clock:
        """The time; read for the start, the end, and how long each check took."""

    @property
    def horizon(self) -> Horizon:
        """For how long after an erasure a backup can still be read."""

    @property
    def witnessed(self) -> bool:
        """Whether the settings name a witness."""


Closing: TypeAlias = Callable[[Work, Report], None]


def run(
    deployment: Opened,
    checks: Sequence[Check],
    *,
    asked_by: str,
    at: datetime | None = None,
    only: Collection[str] | None = None,
    incremental: bool = False,
    closing: Closing | None = None,
    among: Apart | None = None,
) -> Report:
    """Run an audit: judge, store the report, and commit to it in the ledger.

    Args:
        deployment: audited, and written to.
        checks: in the order in which they run; without any, nothing has passed.
        asked_by: the actor.
        at: the one time that all checks judge at; now, if left out. The past changes no finding's state and no mark.
        only: the keys of the checks to run; all, if left out.
        incremental: whether checks go on from where they last passed. Only a full audit resolves findings.
        closing: called in the transaction that closes the audit, with its report: this is where a job is fenced.
        among: how to share the walk over all customers out among processes; this one alone walks, if left out.

    Raises:
        NotFound: `only` names something that is no check.
        DatabaseDown: the audit could not be stored; it stays as running, and is shown as aborted later.
        Fenced: `closing` says that the audit is somebody else's by now; it is kept as aborted, without its report.
    """
    chosen = _chosen(checks, only)
    started = deployment.clock()
    audit = _begun(deployment, asked_by, started)
    anchor, known = _marked(deployment, chosen if incremental else [])
    report = _judged(deployment, audit, chosen, among, at=at or started, now=started, marks=known)
    ending = _Ending(
        asked_by=asked_by, at=deployment.clock(), judges_now=at is None, incremental=incremental, closing=closing,
        anchor=anchor if at is None else None, marking=frozenset(each.key for each in chosen if each.incremental),
    )  # fmt: skip
    return _closed(deployment, report, ending)


def _begun(deployment: Opened, asked_by: str, started: datetime) -> AuditId:
    """Write that an audit is running: whatever becomes of it, it can't look as if there had been none."""
    audit = AuditId(new_id("aud", started))
    row = {"id": audit, "started_at": started, "ended_at": None, "status": RUNNING, "asked_by": asked_by, "report": "",
           "position": NOT_IN_LEDGER}  # fmt: skip
    with deployment.store.write() as work:
        work.connection.execute(sa.insert(AuditRunRow).values(**row))
    return audit


def _judged(
    deployment: Opened,
    audit: AuditId,
    checks: Sequence[Check],
    among: Apart | None,
    **known: Any,  # noqa: ANN401 -- fields of Evidence
) -> Report:
    evidence = Evidence(
        store=deployment.store, desk=deployment.desk, horizon=deployment.horizon, witnessed=deployment.witnessed,
        audit=audit, clock=deployment.clock, **known,
    )  # fmt: skip
    done = judged(checks, evidence, deployment.clock, apart.walk(evidence, among) if among else None)
    nothing = () if any(each.checked for each in done) else (Gap(check=ITSELF, why="nothing was judged"),)
    seconds = (deployment.clock() - evidence.began).total_seconds()
    return Report(audit=audit, checks=done, gaps=nothing, seconds=seconds)


def _chosen(checks: Sequence[Check], only: Collection[str] | None) -> list[Check]:
    known = [check.key for check in checks]
    unknown = [key for key in only or () if key not in known]
    if unknown:
        msg = f"{unknown[0]!r} is no check; there are {', '.join(known)}"
        raise NotFound(msg)
    return [check for check in checks if only is None or check.key in only]


def _marked(deployment: Opened, checks: Sequence[Check]) -> tuple[Anchor | None, dict[str, Anchor]]:
    """Return the checkpoint that this audit's marks will be bound to, and the marks that these checks go on from.

    A log too broken to say so has no anchor and no marks: its checks will name what is wrong with it.
    """
    try:
        with deployment.store.read() as work:
            return marks.anchored(deployment.desk, work), marks.believed(deployment.desk, work, checks)
    except DatabaseDown:
        raise
    except ByleaveError:
        return None, {}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ending:
    """How an audit ends: who asked for it, when it ended, and what else belongs into the transaction that closes it."""

    asked_by: str
    at: datetime
    judges_now: bool
    incremental: bool
    closing: Closing | None
    anchor: Anchor | None
    marking: frozenset[str]

    @property
    def resolves(self) -> bool:
        """Whether what it no longer names is resolved by it, once the ledger has taken its entry."""
        return self.judges_now and not self.incremental

    def passed(self, report: Report) -> list[str]:
        """Return the checks that can be marked."""
        if self.anchor is None:
            return []
        return [each.check for each in report.checks if each.check in self.marking and each.status is Status.PASSED]


def _closed(deployment: Opened, report: Report, ending: _Ending) -> Report:
    """Store the report, and commit to it in the ledger; where the ledger takes no entry, that is a gap."""
    try:
        with deployment.store.write() as work:
            summary = {**_summary(report, ending), "handled": acts.handled(work), "packs": acts.packs(work)}
            noted = publishing.note(deployment.desk, work, Kind.AUDIT_COMPLETED, summary, at=ending.at)
            report = replace(report, position=noted.position)
            _close(work, report, ending)
    except DatabaseDown:
        raise
    except Fenced:
        with deployment.store.write() as work:
            row = AuditRunRow
            mine = sa.update(row).where(row.id == report.audit, row.status == RUNNING)
            work.connection.execute(mine.values(ended_at=ending.at, status=ABORTED))
        raise
    except Exception as refused:  # noqa: BLE001 -- a broken ledger breaks in any way, and what was found must be kept
        gap = Gap(check=ITSELF, why=f"the audit is not in the ledger: {crash(refused)}")
        report = replace(report, gaps=(*report.gaps, gap), position=NOT_IN_LEDGER)
        with deployment.store.write() as work:
            _close(work, report, ending)
    return report


def _close(work: Work, report: Report, ending: _Ending) -> None:
    if ending.closing is not None:
        ending.closing(work, report)
    _keep(work, report, ending.at)
    if ending.judges_now:
        proved = report.position != NOT_IN_LEDGER
        life.take(work, report, by=ending.asked_by, at=ending.at, resolves=ending.resolves and proved)
    if ending.anchor is not None and report.position != NOT_IN_LEDGER:
        marks.keep(
            work, ending.anchor, ending.passed(report), audit=report.audit, position=report.position, at=ending.at
        )


def _summary(report: Report, ending: _Ending) -> dict[str, object]:
    return {
        **marks.summary(ending.anchor, ending.passed(report)),
        "actor": ending.asked_by,
        "audit": str(report.audit),
        "checked": sum(each.checked for each in report.checks),
        "checks": [each.check for each in report.checks],
        "findings": len(report.all_findings),
        "gaps": len(report.all_gaps),
        "report": b64u(sha256(report.text().encode()).digest()),
        "resolves": ending.resolves and life.judged_any(report),
        "status": str(report.status),
    }


def _keep(work: Work, report: Report, ended: datetime) -> None:
    row = AuditRunRow
    closing = (
        sa.update(row)
        .where(row.id == report.audit, row.status == RUNNING)
        .values(ended_at=ended, status=str(report.status), report=report.text(), position=report.position)
    )
    if work.connection.execute(closing).rowcount != 1:
        msg = "the audit was closed by somebody else"
        raise StateConflict(msg)
    rows = [
        {"kind": "finding", "check": one.check, "severity": str(one.severity), "subject": one.subject, "why": one.why}
        for one in report.all_findings
    ] + [{"kind": "gap", "check": one.check, "severity": "", "subject": "", "why": one.why} for one in report.all_gaps]
    if rows:
        filed = {"audit": report.audit, "found_at": ended}
        work.connection.execute(sa.insert(FindingRow), [{"id": new_id("fin", ended), **filed, **one} for one in rows])
