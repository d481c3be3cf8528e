"""The check `audits`: what earlier audits found is still there, as they found it."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any, Final

import orjson
import sqlalchemy as sa

from consent.audit import events, times
from consent.audit.checks import following
from consent.audit.events import Event
from consent.audit.findings import Evidence, Finding, Gap, Judged, Severity, Yielded
from consent.audit.report import NOT_IN_LEDGER, Status
from consent.base.canonical import b64u
from consent.base.database import table_of
from consent.base.store import Work
from consent.ledger.entry import Kind
from consent.tables import AuditRunRow, FindingRow

KEY: Final = "audits"
_AT_ONCE: Final = 100
_run, _finding = table_of(AuditRunRow), table_of(FindingRow)


def audits(evidence: Evidence) -> Iterator[Yielded]:
    """Hold each audit that the ledger tells of against its row, its report and its findings, and each row against it.

    The entry of an audit commits to its report and says how many findings and gaps it had: none of them goes, and none
    is changed, without its being seen here. Each finding must stand as its history says, a resolution must have behind
    it an audit in which the check passed over it, and what people did about it is what later audits committed to.
    """
    page: list[Event] = []
    committed: following.Committed = {}
    for event in events.events(evidence, Kind.AUDIT_COMPLETED):
        if event.why:
            yield Gap(check=KEY, why=f"the audit of entry {event.position} can't be read: it {event.why}")
            continue
        page.append(event)
        for finding, version, digest in event.told.get("handled", ()):
            committed.setdefault((finding, version), (digest, event.position))
        if len(page) == _AT_ONCE:
            yield from _kept(evidence, page)
            page = []
    yield from _kept(evidence, page)
    yield from _made_up(evidence)
    yield from following.as_committed(evidence, committed)
    yield from following.as_it_came(evidence)


def _kept(evidence: Evidence, page: Sequence[Event]) -> Iterator[Yielded]:
    named = [str(event.told.get("audit")) for event in page]
    with evidence.store.read() as work:
        rows = {row.id: row for row in work.connection.execute(sa.select(_run).where(_run.c.id.in_(named)))}
        counts = _counts(work, named)
        found = [
            (audit, why)
            for event, audit in zip(page, named, strict=True)
            for why in _wrong(work, event, rows.get(audit), counts)
        ]
    yield from (_named(audit, why) for audit, why in found)
    true: dict[str, str] = {}
    for event, audit in zip(page, named, strict=True):
        if audit in rows and event.told.get("report") == _digest(rows[audit]):
            true[audit] = rows[audit].report
    yield from following.as_reported(evidence, page, true)
    yield Judged(len(page))


def _counts(work: Work, audits_: Sequence[str]) -> Mapping[tuple[str, str], int]:
    """Return how many findings and gaps are kept of some audits, by audit and kind."""
    query = sa.select(_finding.c.audit, _finding.c.kind, sa.func.count()).where(_finding.c.audit.in_(audits_))
    rows = work.connection.execute(query.group_by(_finding.c.audit, _finding.c.kind))
    return {(audit, kind): count for audit, kind, count in rows}


def _wrong(work: Work, event: Event, row: Any, counts: Mapping[tuple[str, str], int]) -> Iterator[str]:  # noqa: ANN401 -- a row of audit_run
    """Walk what is kept of an audit otherwise than its entry says."""
    if row is None:
        yield f"entry {event.position} tells of it, and no row of audit_run does"
        return
    kept = {
        "status": row.status, "report": _digest(row), "actor": row.asked_by,
        "findings": counts.get((row.id, "finding"), 0), "gaps": counts.get((row.id, "gap"), 0),
    }  # fmt: skip
    wrong = [name for name, value in kept.items() if event.told.get(name, value) != value]
    if wrong:
        yield f"not what entry {event.position} says of it: {', '.join(wrong)}"
    elif (kept["findings"] or kept["gaps"]) and not _as_reported(work, row):
        yield "its findings are not those of its report"
    if row.position != event.position:
        yield f"it is said to stand in entry {row.position}, and it is entry {event.position} that tells of it"
    other = times.differs(row.ended_at, event)
    if other:
        yield f"it is said to have ended at {other}"


def _digest(row: Any) -> str:  # noqa: ANN401 -- a row of audit_run
    return b64u(sha256(row.report.encode()).digest())


def _as_reported(work: Work, row: Any) -> bool:  # noqa: ANN401 -- a row of audit_run
    """Say whether the findings and gaps that are kept of an audit are those of its report, word for word."""
    told = orjson.loads(row.report)
    names = ("kind", "check", "severity", "subject", "why")
    said = [("finding", *(one[name] for name in names[1:])) for one in told["findings"]]
    said += [("gap", gap["check"], "", "", gap["why"]) for gap in told["gaps"]]
    kept = work.connection.execute(sa.select(*(_finding.c[name] for name in names)).where(_finding.c.audit == row.id))
    return Counter(said) == Counter(map(tuple, kept))


def _made_up(evidence: Evidence) -> Iterator[Finding]:
    """Look for audits that are said to be in the ledger, and are not."""
    after = ""
    while True:
        query = (
            sa.select(_run.c.id, _run.c.position, _run.c.status)
            .where(_run.c.id > after)
            .order_by(_run.c.id)
            .limit(_AT_ONCE)
        )
        with evidence.store.read() as work:
            rows = work.connection.execute(query.order_by(_run.c.id).limit(_AT_ONCE)).all()
        if not rows:
            return
        told = events.at(evidence, [row.position for row in rows if row.position != NOT_IN_LEDGER])
        for row in rows:
            event = told.get(row.position)
            if row.position == NOT_IN_LEDGER and row.status == Status.PASSED:
                yield _named(row.id, "it is said to have passed, and the ledger knows nothing of it")
            if row.position != NOT_IN_LEDGER and (event is None or event.kind != Kind.AUDIT_COMPLETED):
                yield _named(row.id, f"it is said to stand in entry {row.position}, which tells of no audit")
            elif event is not None and not event.why and event.told.get("audit") != row.id:
                yield _named(row.id, f"it is said to stand in entry {row.position}, which tells of another audit")
        after = rows[-1].id


def _named(audit: str, why: str) -> Finding:
    return Finding(check=KEY, severity=Severity.CRITICAL, subject=f"audit_run {audit}", why=why)
