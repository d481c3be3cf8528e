"""The check `findings`: how each finding stands follows from its history, and its history from what audits found.

A finding is opened, and opened again, by an audit that found it, and resolved by a later one that judged its check in
full and found it no longer. What people did about it (gave it to somebody, accepted it for a time) stands in its
history alone: that row and history agree is all that can be held against it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeAlias

import orjson
import sqlalchemy as sa

from consent.audit import life
from consent.audit.findings import Evidence, Finding, Judged, Severity, Yielded
from consent.audit.life import Event, State
from consent.audit.report import NOT_IN_LEDGER
from consent.audit.tables import FindingEventRow, FindingStateRow
from consent.base.database import table_of
from consent.base.store import Work
from consent.tables import AuditRunRow

KEY: Final = "findings"
_AT_ONCE: Final = 200
_REPORTS: Final = 64
_run, _state, _event = table_of(AuditRunRow), table_of(FindingStateRow), table_of(FindingEventRow)
_STEPS: Final = frozenset(map(str, Event))


class _Report(NamedTuple):
    """What an audit said, by check."""

    position: int
    found: Mapping[str, Mapping[str, Finding]]
    """By check and subject."""
    full: frozenset[str]
    """The checks that it judged in full."""


_Reports: TypeAlias = Callable[[str], _Report | None]
"""An audit's report, by the audit's id."""


def findings(evidence: Evidence) -> Iterator[Yielded]:
    """Go through all findings there ever were."""
    after = ""
    while True:
        with evidence.store.read() as work:
            reports = lru_cache(maxsize=_REPORTS)(lambda audit, work=work: _report(work, audit))
            page = _page(work, after)
            found = [(one.id, why) for one, history in page for why in _wrong(one, history, reports)]
        for number, why in found:
            yield Finding(check=KEY, severity=Severity.HIGH, subject=f"finding {number}", why=why)
        if not page:
            return
        yield Judged(len(page))
        after = page[-1][0].id


def _page(work: Work, after: str) -> list[tuple[Any, list[Any]]]:
    """Return some rows of findings, each with the steps of its history."""
    query = sa.select(_state).where(_state.c.id > after).order_by(_state.c.id).limit(_AT_ONCE)
    rows = list(work.connection.execute(query))
    steps: dict[str, list[Any]] = {row.id: [] for row in rows}
    query = sa.select(_event).where(_event.c.finding.in_(list(steps))).order_by(_event.c.finding, _event.c.version)
    for step in work.connection.execute(query) if rows else ():
        steps[step.finding].append(step)
    return [(row, steps[row.id]) for row in rows]


def _report(work: Work, audit: str) -> _Report | None:
    """Return what an audit said; None where there is none of that id that came to its end."""
    row = work.connection.execute(sa.select(_run.c.report, _run.c.position).where(_run.c.id == audit)).first()
    if row is None or not row.report:
        return None
    said = orjson.loads(row.report)
    by_check: dict[str, list[Finding]] = {}
    cut_off = {gap["check"] for gap in said["gaps"]}
    for one in said["findings"]:
        found = Finding(check=one["check"], severity=Severity(one["severity"]), subject=one["subject"], why=one["why"])
        by_check.setdefault(found.check, []).append(found)
        cut_off |= set() if found.subject else {found.check}
    full = {each["check"] for each in said["checks"] if not each.get("since")} - cut_off
    merged = {check: life.by_subject(check, several) for check, several in by_check.items()}
    return _Report(row.position, merged, frozenset(full))


def _wrong(one: Any, history: Sequence[Any], reports: _Reports) -> Iterator[str]:  # noqa: ANN401 -- a row of finding_state
    """Walk what is wrong with a finding: between its row and its history, and between that and the audits."""
    versions = [step.version for step in history]
    if versions != list(range(1, one.version + 1)):
        yield f"its history has the steps {_listed(versions)}, and its row is of version {one.version}"
        return
    unknown = [step.version for step in history if step.event not in _STEPS]
    if unknown or history[0].event != Event.OPENED:
        yield f"step {(unknown or [1])[0]} of its history is none that there is"
        return
    yield from _otherwise(one, history)
    yield from _without_reason(one, history, reports)
    yield from _unlike_found(one, reports(one.audit))


def _listed(versions: Sequence[int]) -> str:
    return ", ".join(map(str, versions[:20])) or "of none"


class _Stood(NamedTuple):
    """How a finding stands after some of its history."""

    state: str = State.OPEN
    owner: str = ""
    accepted_until: datetime | None = None


def _otherwise(one: Any, history: Sequence[Any]) -> Iterator[str]:  # noqa: ANN401 -- as above
    """Walk what a finding's row says otherwise than its history."""
    stood = _Stood()
    for step in history:
        stood = _after(stood, step)
    for name, value in {**stood._asdict(), "opened_at": history[0].at}.items():
        if getattr(one, name) != value:
            yield f"{name} is {_shown(getattr(one, name))}, and by its history {_shown(value)}"


def _shown(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value or "nothing")


def _after(stood: _Stood, step: Any) -> _Stood:  # noqa: ANN401 -- a row of finding_event
    """Return how a finding stands after one more step."""
    free = stood._replace(state=life.unaccepted(stood.owner), accepted_until=None)
    match step.event:
        case Event.ASSIGNED:
            return _Stood(State.ASSIGNED, step.owner)
        case Event.ACCEPTED:
            return stood._replace(state=State.ACCEPTED, accepted_until=step.until)
        case Event.RESOLVED:
            return stood._replace(state=State.RESOLVED, accepted_until=None)
        case Event.LAPSED | Event.REOPENED:
            return free
        case Event.CHANGED:
            return free if stood.state == State.ACCEPTED and _grew(step.reason) else stood
        case _:
            return stood


def _grew(reason: str) -> bool:
    return any(
        reason == life.weighs(before, now)
        for before in Severity
        for now in Severity
        if life.is_graver(now, than=before)
    )


def _without_reason(one: Any, history: Sequence[Any], reports: _Reports) -> Iterator[str]:  # noqa: ANN401 -- as above
    """Walk the steps that only an audit can take, and that the one they name did not."""
    opened: _Report | None = None
    for step in history:
        if step.event not in (Event.OPENED, Event.REOPENED, Event.RESOLVED):
            continue
        report = reports(step.audit)
        if report is None:
            yield f"step {step.version} says that it was {step.event}, and its audit is not there"
            continue
        there = one.subject in report.found.get(one.check, ())
        if step.event != Event.RESOLVED:
            opened = report
            if not there:
                yield f"step {step.version} says that it was {step.event}, and the audit it names did not find it"
        elif there or one.check not in report.full:
            yield f"step {step.version} says that it was resolved, and the audit it names did not pass it"
        elif opened is not None and NOT_IN_LEDGER < report.position < opened.position:
            yield f"step {step.version} says that it was resolved, and the audit it names came before it was found"


def _unlike_found(one: Any, report: _Report | None) -> Iterator[str]:  # noqa: ANN401 -- as above
    """Walk what its row says of a finding that stands otherwise than the last audit that found it."""
    if one.state == State.RESOLVED:
        return
    found = report.found.get(one.check, {}).get(one.subject) if report else None
    if found is None:
        yield "it stands, and the audit that its row names as the last that found it did not"
        return
    for name, value in (("severity", str(found.severity)), ("why", found.why)):
        if getattr(one, name) != value:
            yield f"{name} is not what the last audit found"
