"""USE CASE: run an audit. Whatever happens to it, it can't look as if it had passed.

Its row is written first, as running, and closed last: what was killed in between is shown as aborted. Each check runs
in a guard of its own: one that crashes is a gap, beside what it had found by then.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from typing import Final, Protocol

import sqlalchemy as sa

from consent.audit.findings import Check, Evidence, Finding, Gap, Judged
from consent.audit.report import Checked, Report
from consent.base.canonical import b64u
from consent.base.clock import Clock
from consent.base.errors import ByleaveError, DatabaseDown, StateConflict
from consent.base.ids import AuditId, new_id
from consent.base.store import Store, Work
from consent.ledger.entry import Kind
from consent.register import publishing
from consent.register.desk import Desk
from consent.tables import AuditRunRow, FindingRow

RUNNING: Final = "running"
NOT_IN_LEDGER: Final = -1
ITSELF: Final = "audit"
"""The check that gaps of the audit itself are filed under."""

MOST_FINDINGS: Final = 1_000
"""Findings kept of one check; a last one says how many more there were."""


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


def run(deployment: Opened, checks: Sequence[Check], *, asked_by: str, at: datetime | None = None) -> Report:
    """Run an audit: judge, store the report, and commit to it in the ledger.

    Args:
        deployment: audited, and written to.
        checks: in the order in which they run; without any, nothing has passed.
        asked_by: the actor.
        at: the one time that all checks judge at; now, if left out.

    Raises:
        DatabaseDown: the audit could not be stored; it stays as running, and is shown as aborted later.
    """
    started = deployment.clock()
    at = started if at is None else at
    audit = AuditId(new_id("aud", started))
    with deployment.store.write() as work:
        row = {"id": audit, "started_at": started, "ended_at": None, "status": RUNNING, "asked_by": asked_by,
               "report": "", "position": NOT_IN_LEDGER}  # fmt: skip
        work.connection.execute(sa.insert(AuditRunRow).values(**row))
    evidence = Evidence(store=deployment.store, desk=deployment.desk, at=at)
    done = tuple(_checked(check, evidence, deployment.clock) for check in checks)
    ended = deployment.clock()
    nothing = () if any(each.checked for each in done) else (Gap(check=ITSELF, why="nothing was judged"),)
    report = Report(audit=audit, checks=done, gaps=nothing, seconds=_seconds(started, ended))
    return _closed(deployment, report, asked_by=asked_by, ended=ended)


def _checked(check: Check, evidence: Evidence, clock: Clock) -> Checked:
    started = clock()
    count = 0
    findings: list[Finding] = []
    gaps: list[Gap] = []
    more: Counter[str] = Counter()
    try:
        for each in check.function(evidence):
            if isinstance(each, Judged):
                count += each.count
            elif isinstance(each, Gap):
                gaps.append(each)
            elif len(findings) < MOST_FINDINGS:
                findings.append(each)
            else:
                more[each.severity] += 1
    except Exception as crashed:  # noqa: BLE001 -- whatever a check dies of, it is a gap, and the other checks go on
        gaps.append(Gap(check=check.key, why=_crash(crashed)))
    if more:
        rest = Finding(
            check=check.key, severity=findings[0].severity, subject="", why=f"and {more.total():,} more findings"
        )
        findings.append(rest)
    return Checked(
        check=check.key,
        title=check.title,
        checked=count,
        seconds=_seconds(started, clock()),
        findings=tuple(findings),
        gaps=tuple(gaps),
    )


def _crash(crashed: Exception) -> str:
    """Say what a check died of, without its words: they could hold what it was reading."""
    title = f" ({crashed.title})" if isinstance(crashed, ByleaveError) else ""
    return f"could not check: {type(crashed).__name__}{title}"


def _seconds(started: datetime, ended: datetime) -> float:
    return (ended - started).total_seconds()


def _closed(deployment: Opened, report: Report, *, asked_by: str, ended: datetime) -> Report:
    """Store the report, and commit to it in the ledger; where the ledger takes no entry, that is a gap."""
    try:
        with deployment.store.write() as work:
            noted = publishing.note(deployment.desk, work, Kind.AUDIT_COMPLETED, _summary(report, asked_by), at=ended)
            report = replace(report, position=noted.seq)
            _keep(work, report, ended)
    except DatabaseDown:
        raise
    except Exception as refused:  # noqa: BLE001 -- a broken ledger breaks in any way, and what was found must be kept
        gap = Gap(check=ITSELF, why=f"the audit is not in the ledger: {_crash(refused)}")
        report = replace(report, gaps=(*report.gaps, gap), position=NOT_IN_LEDGER)
        with deployment.store.write() as work:
            _keep(work, report, ended)
    return report


def _summary(report: Report, asked_by: str) -> dict[str, object]:
    return {
        "actor": asked_by,
        "audit": str(report.audit),
        "checked": sum(each.checked for each in report.checks),
        "checks": [each.check for each in report.checks],
        "findings": len(report.all_findings),
        "gaps": len(report.all_gaps),
        "report": b64u(sha256(report.text().encode()).digest()),
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
