"""Part of the check `audits`: each finding stands as its history says, and its history is what audits and people did.

What audits did follows from their reports. What people did is held against what the entries of later audits committed
to; what they did since the last one stands in the database alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, Final, TypeAlias

import orjson
import sqlalchemy as sa

from consent.audit import acts, events, life
from consent.audit.events import Event
from consent.audit.findings import Evidence, Finding, Severity
from consent.audit.life import Event as Happening
from consent.audit.life import State
from consent.audit.report import NOT_IN_LEDGER
from consent.audit.tables import FindingEventRow, FindingStateRow
from consent.base.canonical import b64u
from consent.base.database import table_of
from consent.base.store import Work
from consent.tables import AuditRunRow

KEY: Final = "audits"
_AT_ONCE: Final = 100
_state, _event, _run = table_of(FindingStateRow), table_of(FindingEventRow), table_of(AuditRunRow)

Committed: TypeAlias = dict[tuple[str, int], tuple[str, int]]
"""By finding and version of it: the digest over its history, and the position of the first entry that commits to it."""

_BY_AUDITS: Final = (Happening.OPENED, Happening.REOPENED, Happening.RESOLVED)


def as_reported(evidence: Evidence, page: Sequence[Event], reports: Mapping[str, str]) -> Iterator[Finding]:
    """Hold findings against the audits that found them.

    Args:
        evidence: where to read.
        page: entries of audits.
        reports: by audit, where they are what its entry committed to.
    """
    last: dict[tuple[str, str], tuple[Event, Finding]] = {}
    for event in page:
        if "anchor" in event.told:  # else it may have judged the past, which changes no finding
            report = reports.get(str(event.told.get("audit")))
            for one in _merged(report) if report else ():
                last[one.check, one.subject] = (event, one)
    for check in sorted({check for check, _ in last}):
        subjects = sorted(subject for key, subject in last if key == check)
        for first in range(0, len(subjects), 500):
            chosen = subjects[first : first + 500]
            rows = _followed(evidence, check, chosen)
            for subject in chosen:
                yield from _stands(rows.get(subject), *last[check, subject])


def _merged(report: str) -> Iterator[Finding]:
    """Return what a report names, one finding a check and subject, as it is followed."""
    told: dict[str, list[Finding]] = {}
    for one in orjson.loads(report)["findings"]:
        severity = Severity(one["severity"])
        found = Finding(check=one["check"], severity=severity, subject=one["subject"], why=one["why"])
        told.setdefault(found.check, []).append(found)
    for check, found_of in told.items():
        yield from life.by_subject(check, found_of).values()


def _followed(evidence: Evidence, check: str, subjects: Sequence[str]) -> Mapping[str, Any]:
    """Return the rows of findings by subject, each with the position of the audit that judged it last."""
    query = sa.select(_state, _run.c.position).outerjoin(_run, _run.c.id == _state.c.audit)
    with evidence.store.read() as work:
        rows = work.connection.execute(query.where(_state.c.check == check, _state.c.subject.in_(subjects)))
        return {row.subject: row for row in rows}


def _stands(row: Any, event: Event, found: Finding) -> Iterator[Finding]:  # noqa: ANN401 -- a Core row
    """Hold a finding against the last audit of a page that named it: it is as that left it, or was judged since."""
    if row is None:
        why = f"the audit of entry {event.position} found it, and no row of finding_state says so"
        yield _named(f"{found.check} {found.subject}", why)
    elif row.position is not None and NOT_IN_LEDGER < row.position < event.position:
        yield _named(
            row.id, f"the audit of entry {event.position} found it, and it is said not to have been judged since"
        )
    elif row.audit == event.told.get("audit") and row.state != State.RESOLVED and _otherwise(row, found):
        yield _named(row.id, f"its severity or its reason is not what the audit of entry {event.position} found")


def _otherwise(row: Any, found: Finding) -> bool:  # noqa: ANN401 -- a Core row
    return bool((row.severity, row.why) != (found.severity, found.why))


def as_committed(evidence: Evidence, committed: Committed) -> Iterator[Finding]:
    """Hold what was done about findings against what entries of audits committed to."""
    places = sorted(committed)
    for first in range(0, len(places), _AT_ONCE):
        some = places[first : first + _AT_ONCE]
        with evidence.store.read() as work:
            kept = acts.histories(work, sorted({finding for finding, _ in some}))
        for finding, version in some:
            digest, position = committed[finding, version]
            if acts.digest(step for step in kept.get(finding, ()) if step.version <= version) != digest:
                why = f"what was done about it, up to its version {version}, is not what entry {position} committed to"
                yield _named(finding, why)


def as_it_came(evidence: Evidence) -> Iterator[Finding]:
    """Hold each finding against its own history, and the last word that an audit had on it against that audit."""
    after = ""
    while True:
        with evidence.store.read() as work:
            query = sa.select(_state).where(_state.c.id > after).order_by(_state.c.id).limit(_AT_ONCE)
            rows = work.connection.execute(query).all()
            kept = acts.histories(work, [row.id for row in rows])
            runs = _runs(work, [step.audit for steps in kept.values() for step in _last_word(steps)])
        if not rows:
            break
        told = events.at(evidence, [run.position for run in runs.values() if run.position != NOT_IN_LEDGER])
        for row in rows:
            steps = kept.get(row.id, ())
            wrong = [
                *_history(row, steps),
                *(why for step in _last_word(steps) for why in _behind(row, step, runs, told)),
            ]
            for why in wrong:
                yield _named(row.id, why)
        after = rows[-1].id
    with evidence.store.read() as work:
        lost = sa.select(_event.c.finding).distinct().where(_event.c.finding.not_in(sa.select(_state.c.id)))
        for finding in work.connection.execute(lost.order_by(_event.c.finding)).scalars():
            yield _named(finding, "it has a history, and no row of finding_state is there")


def _history(row: Any, steps: Sequence[Any]) -> Iterator[str]:  # noqa: ANN401 -- a Core row
    """Say where a finding does not stand as its history, which has no gap, makes it stand."""
    if [step.version for step in steps] != list(range(1, row.version + 1)):
        yield f"its history should have the steps 1 to {row.version}, and has {len(steps)}"
        return
    state, owner, until = _folded(steps)
    different = [
        name
        for name, value in (("state", state), ("owner", owner), ("accepted_until", until), ("opened_at", steps[0].at))
        if getattr(row, name) != value
    ]
    if different:
        yield f"its {', '.join(different)} does not follow from what was done about it: by that it is {state}"


def _folded(steps: Sequence[Any]) -> tuple[State, str, datetime | None]:
    """Return what follows from a history: the state, the owner, until when it is accepted."""
    state, owner, until = State.OPEN, "", None
    for step in steps:
        if step.event == Happening.ASSIGNED:
            state, owner, until = State.ASSIGNED, step.owner, None
        elif step.event == Happening.ACCEPTED:
            state, until = State.ACCEPTED, step.until
        elif step.event == Happening.RESOLVED:
            state, until = State.RESOLVED, None
        elif step.event in {Happening.LAPSED, Happening.REOPENED} or (
            step.event == Happening.CHANGED and state is State.ACCEPTED and life.graver(step.reason)
        ):
            state, until = (State.ASSIGNED if owner else State.OPEN), None
    return state, owner, until


def _last_word(steps: Sequence[Any]) -> Sequence[Any]:
    """Return the last step of a history that an audit made, if there is one."""
    return [step for step in steps if step.event in _BY_AUDITS][-1:]


def _runs(work: Work, audits: Sequence[str]) -> Mapping[str, Any]:
    query = sa.select(_run.c.id, _run.c.position, _run.c.report).where(_run.c.id.in_(sorted(set(audits))))
    return {run.id: run for run in work.connection.execute(query)}


def _behind(row: Any, step: Any, runs: Mapping[str, Any], told: Mapping[int, Event]) -> Iterator[str]:  # noqa: ANN401 -- Core rows
    """Say why the audit that had the last word on a finding did not have that word."""
    run = runs.get(step.audit)
    event = told.get(run.position) if run else None
    if run is None:
        yield f"it is {step.event} by audit {step.audit}, which is not there"
    elif event is None:
        if step.event == Happening.RESOLVED:
            yield f"it is resolved by audit {step.audit}, which the ledger knows nothing of"
    elif not event.why and event.told.get("audit") != run.id:
        yield f"it is {step.event} by audit {step.audit}, which the ledger knows nothing of"
    elif not event.why and event.told.get("report") == b64u(sha256(run.report.encode()).digest()):  # else named already
        report = orjson.loads(run.report)
        named = any((one["check"], one["subject"]) == (row.check, row.subject) for one in report["findings"])
        if step.event != Happening.RESOLVED and not named:
            yield f"it is {step.event} by audit {step.audit}, which does not name it"
        if step.event == Happening.RESOLVED and (named or not _passed_over(report, event, row.check)):
            yield f"it is resolved by audit {step.audit}, in which its check did not pass over it"


def _passed_over(report: Mapping[str, Any], event: Event, check: str) -> bool:
    """Say whether a report shows a check that looked at all that it is for, as `life.judged_all` does."""
    full = any(one["check"] == check and not one["since"] for one in report["checks"])
    cut_off = any(one["check"] == check and not one["subject"] for one in report["findings"])
    gaps = any(one["check"] == check for one in report["gaps"])
    return bool(event.told.get("resolves", True)) and full and not cut_off and not gaps


def _named(finding: str, why: str) -> Finding:
    return Finding(check=KEY, severity=Severity.CRITICAL, subject=f"finding_state {finding}", why=why)
