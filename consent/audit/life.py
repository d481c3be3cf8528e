"""What becomes of a finding over all audits: opened, assigned, accepted for a time, resolved, and perhaps reopened.

A finding is one check over one subject, however often it is found. Nobody deletes it, and nobody declares it resolved:
it is resolved where a later audit judged the same check in full and no longer finds the subject. An audit in which the
check broke off, left a gap, judged nothing or had more findings than are kept resolves nothing of it.

An acceptance ends by the time of whoever looks, also where no worker runs; `lapse` only writes it into the history.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import sqlalchemy as sa

from consent.audit.findings import Finding, Severity
from consent.audit.report import Checked, Report
from consent.audit.tables import FindingEventRow, FindingStateRow
from consent.base.errors import NotFound
from consent.base.ids import new_id
from consent.base.store import Work

LONGEST_WHY: Final = 2_000
BY_THE_CLOCK: Final = "clock"
"""Who ends an acceptance whose time is over."""

_row: Final = FindingStateRow
_event: Final = FindingEventRow
_CHANGE: Final = (
    sa.update(_row)
    .where(_row.id == sa.bindparam("b_id"))
    .values(
        state=sa.bindparam("b_state"), severity=sa.bindparam("b_severity"), why=sa.bindparam("b_why"),
        seen_at=sa.bindparam("b_seen"), accepted_until=sa.bindparam("b_until"), audit=sa.bindparam("b_audit"),
        version=sa.bindparam("b_version"),
    )
)  # fmt: skip
_BEFORE_AND_NOW: Final = "{} before, {} now"
_WEIGHS: Final = re.compile("|".join(Severity))
_WORST_FIRST: Final = {severity: rank for rank, severity in enumerate(Severity)}


class State(StrEnum):
    """How a finding stands."""

    OPEN = "open"
    ASSIGNED = "assigned"
    ACCEPTED = "accepted"
    RESOLVED = "resolved"


class Event(StrEnum):
    """What can become of a finding."""

    OPENED = "opened"
    ASSIGNED = "assigned"
    ACCEPTED = "accepted"
    LAPSED = "lapsed"
    """Its acceptance is over."""
    CHANGED = "changed"
    """It weighs more, or less, than when it was seen before."""
    RERUN = "rerun"
    """Its check was run again on purpose, and it was not resolved by that."""
    RESOLVED = "resolved"
    REOPENED = "reopened"


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """A finding, as it stands at the time it was asked for."""

    id: str
    check: str
    subject: str
    severity: Severity
    why: str
    state: State
    owner: str
    accepted_until: datetime | None
    opened_at: datetime
    seen_at: datetime
    audit: str
    """The last audit that judged its check over it."""
    version: int

    @property
    def tag(self) -> str:
        """A text that is another one as soon as anything about the finding is another."""
        return f"{self.version}.{self.audit}.{self.state}"

    def as_json(self) -> dict[str, Any]:
        """Return the finding as other programs read it; the keys are stable."""
        return {
            "finding": self.id, "check": self.check, "subject": self.subject, "severity": str(self.severity),
            "why": self.why, "state": str(self.state), "owner": self.owner, "accepted_until": self.accepted_until,
            "opened_at": self.opened_at, "seen_at": self.seen_at, "audit": self.audit, "version": self.version,
        }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """One step of a finding's history."""

    version: int
    at: datetime
    actor: str
    event: Event
    owner: str
    until: datetime | None
    reason: str
    audit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What happens to a finding, by whom and when."""

    event: Event
    actor: str
    at: datetime
    owner: str = ""
    until: datetime | None = None
    reason: str = ""
    audit: str = ""


def take(work: Work, report: Report, *, by: str, at: datetime, resolves: bool = True) -> None:
    """Follow what an audit found: open what is new, reopen what came back, resolve what is no longer there.

    Args:
        work: the transaction that closes the audit; it holds the ledger's head, so that audits take turns.
        report: of the audit.
        by: who asked for it.
        at: when it ended.
        resolves: whether it looked at everything; an incremental audit has not, and resolves nothing. Nor does one
            that met nothing to judge in any check.
    """
    lapse(work, at=at)
    resolves = resolves and judged_any(report)
    for checked in report.checks:
        _take_check(work, checked, Step(event=Event.OPENED, actor=by, at=at, audit=report.audit), resolves=resolves)


def _take_check(work: Work, checked: Checked, found: Step, *, resolves: bool) -> None:
    there = by_subject(checked.check, checked.findings)
    known = {row.subject: row for row in _known(work, checked.check, there)}
    _open(work, [one for subject, one in there.items() if subject not in known], found)
    gone = resolves and judged_all(checked)
    changes, events = [], []
    for subject, row in known.items():
        if subject in there:
            change_, step = _seen(row, there[subject], found)
        elif gone:
            change_, step = _gone(row, found)
        else:
            continue
        changes.append(change_)
        if step is not None:
            events.append(_written(row.id, row.version + 1, step))
    if changes:  # all these rows are locked: nobody can have changed one meanwhile
        work.connection.execute(_CHANGE, changes)
    if events:
        work.connection.execute(sa.insert(_event), events)


def judged_any(report: Report) -> bool:
    """Say whether an audit met anything to judge."""
    return any(checked.checked for checked in report.checks)


def judged_all(checked: Checked) -> bool:
    """Say whether a check looked at all that it is for: whatever it doesn't name then, is as it should be, or gone.

    There may be nothing left of what it is for: a list whose one wrong line was taken off is empty.
    """
    cut_off = any(not finding.subject for finding in checked.findings)
    return not checked.gaps and not cut_off


def by_subject(check: str, found: Iterable[Finding]) -> dict[str, Finding]:
    """Return one finding a subject of a check: the gravest severity, and every reason."""
    of_subject: dict[str, list[Finding]] = {}
    for each in found:
        if each.subject:  # without one it only says how many more there are
            of_subject.setdefault(each.subject, []).append(each)
    merged = {}
    for subject, several in of_subject.items():
        worst = min(several, key=lambda each: _WORST_FIRST[each.severity])
        why = "; ".join(dict.fromkeys(each.why for each in several))[:LONGEST_WHY]
        merged[subject] = Finding(check=check, severity=worst.severity, subject=subject, why=why)
    return merged


def _known(work: Work, check: str, there: Mapping[str, Finding]) -> list[Any]:
    concerned = sa.or_(_row.state != State.RESOLVED, _row.subject.in_(list(there)))
    query = sa.select(FindingStateRow.__table__).where(_row.check == check, concerned).with_for_update()
    return list(work.connection.execute(query))


def _open(work: Work, found: Sequence[Finding], step: Step) -> None:
    if not found:
        return
    ids = [new_id("fnd", step.at) for _ in found]
    states = [
        {"id": number, "check": one.check, "subject": one.subject, "severity": str(one.severity), "why": one.why,
         "state": State.OPEN, "owner": "", "accepted_until": None, "opened_at": step.at, "seen_at": step.at,
         "audit": step.audit, "version": 1}
        for number, one in zip(ids, found, strict=True)
    ]  # fmt: skip
    work.connection.execute(sa.insert(_row), states)
    events = [_written(number, 1, step) for number in ids]
    work.connection.execute(sa.insert(_event), events)


def _seen(row: Any, found: Finding, step: Step) -> tuple[dict[str, Any], Step | None]:  # noqa: ANN401 -- a Core row
    """Return how a finding stands after it was found again, and what goes into its history, if anything does."""
    happened: Step | None = None
    state, until = row.state, row.accepted_until
    if row.state == State.RESOLVED:
        happened, state = _again(step, Event.REOPENED), _unaccepted(row.owner)
    elif row.severity != found.severity:
        happened = _again(step, Event.CHANGED, reason=_BEFORE_AND_NOW.format(row.severity, found.severity))
        if state == State.ACCEPTED and graver(happened.reason):
            state, until = _unaccepted(row.owner), None  # what was accepted is less than what is there now
    changed = {
        "b_id": row.id, "b_state": str(state), "b_severity": str(found.severity), "b_why": found.why, "b_seen": step.at,
        "b_until": until, "b_audit": step.audit, "b_version": row.version + (happened is not None),
    }  # fmt: skip
    return changed, happened


def graver(reason: str) -> bool:
    """Say whether, by the reason of a step `changed`, a finding weighs more than before.

    >>> graver("high before, critical now"), graver("high before, low now")
    (True, False)
    """
    before, now = _WEIGHS.findall(reason)
    return _WORST_FIRST[Severity(now)] < _WORST_FIRST[Severity(before)]


def _gone(row: Any, step: Step) -> tuple[dict[str, Any], Step]:  # noqa: ANN401 -- a Core row
    changed = {
        "b_id": row.id, "b_state": str(State.RESOLVED), "b_severity": row.severity, "b_why": row.why,
        "b_seen": row.seen_at, "b_until": None, "b_audit": step.audit, "b_version": row.version + 1,
    }  # fmt: skip
    return changed, _again(step, Event.RESOLVED)


def _again(step: Step, event: Event, *, reason: str = "") -> Step:
    return Step(event=event, actor=step.actor, at=step.at, audit=step.audit, reason=reason)


def lapse(work: Work, *, at: datetime) -> int:
    """Reopen what was accepted until a time that is over, and return how many that were."""
    over = sa.select(_row.id, _row.version, _row.owner, _row.accepted_until).where(
        _row.state == State.ACCEPTED, _row.accepted_until <= at
    )
    ended = list(work.connection.execute(over.with_for_update()))
    for row in ended:
        step = Step(event=Event.LAPSED, actor=BY_THE_CLOCK, at=at, owner=row.owner)
        change(work, row.id, row.version, step, state=_unaccepted(row.owner), accepted_until=None)
    return len(ended)


def change(work: Work, finding: str, version: int, step: Step, **changes: object) -> bool:
    """Change a finding and write it into its history; False, and nothing done, where it was changed meanwhile."""
    mine = sa.update(_row).where(_row.id == finding, _row.version == version).values(version=version + 1, **changes)
    if work.connection.execute(mine).rowcount != 1:
        return False
    work.connection.execute(sa.insert(_event).values(**_written(finding, version + 1, step)))
    return True


def _written(finding: str, version: int, step: Step) -> dict[str, Any]:
    return {"finding": finding, "version": version, "at": step.at, "actor": step.actor, "event": str(step.event),
            "owner": step.owner, "until": step.until, "reason": step.reason, "audit": step.audit}  # fmt: skip


def _unaccepted(owner: str) -> State:
    return State.ASSIGNED if owner else State.OPEN


# ------------------------------------------------------------------------------------------------------------ reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which findings; an empty text, or no state, stands for all."""

    states: tuple[State, ...] = ()
    check: str = ""
    severity: str = ""
    owner: str = ""
    subject: str = ""
    audit: str = ""
    """Those that were last judged by this audit."""


ALL: Final = Filter()
UNRESOLVED: Final = Filter(states=(State.OPEN, State.ASSIGNED, State.ACCEPTED))


def listed(
    work: Work, wanted: Filter = ALL, *, at: datetime, after: str = "", most: int | None = 100
) -> list[Followed]:
    """Return findings, the newest first.

    Args:
        work: a transaction.
        wanted: which.
        at: now: an acceptance that is over by then is none.
        after: the last id of the page before.
        most: how many; None: all there are.
    """
    query = sa.select(FindingStateRow.__table__).order_by(_row.id.desc()).limit(most)
    if wanted.states:
        query = query.where(_state(at).in_([str(state) for state in wanted.states]))
    for column in ("check", "severity", "owner", "subject", "audit"):
        if getattr(wanted, column):
            query = query.where(getattr(_row, column) == getattr(wanted, column))
    if after:
        query = query.where(_row.id < after)
    return [_followed(row, at) for row in work.connection.execute(query)]


def of_subjects(work: Work, check: str, subjects: Sequence[str], *, at: datetime) -> list[Followed]:
    """Return the findings of a check over some subjects."""
    query = sa.select(FindingStateRow.__table__).where(_row.check == check, _row.subject.in_(subjects))
    return [_followed(row, at) for row in work.connection.execute(query.order_by(_row.subject))]


def seen_between(work: Work, since: datetime, until: datetime, *, at: datetime) -> list[Followed]:
    """Return the findings that audits came upon in a time, by the day on which they were opened."""
    seen = sa.and_(_row.opened_at < until, _row.seen_at >= since)
    query = sa.select(FindingStateRow.__table__).where(seen).order_by(_row.id)
    return [_followed(row, at) for row in work.connection.execute(query)]


def one(work: Work, finding: str, *, at: datetime) -> Followed:
    """Return a finding.

    Raises:
        NotFound: there is no such finding.
    """
    row = work.connection.execute(sa.select(FindingStateRow.__table__).where(_row.id == finding)).first()
    if row is None:
        msg = f"there is no finding {finding[:80]!r}: `byleave finding list` names those there are"
        raise NotFound(msg)
    return _followed(row, at)


def history(work: Work, finding: str) -> list[Happened]:
    """Return all that became of a finding, from its first day on."""
    query = sa.select(FindingEventRow.__table__).where(_event.finding == finding).order_by(_event.version)
    return [
        Happened(
            version=row.version, at=row.at, actor=row.actor, event=Event(row.event), owner=row.owner, until=row.until,
            reason=row.reason, audit=row.audit,
        )
        for row in work.connection.execute(query)
    ]  # fmt: skip


def counts(work: Work, *, at: datetime) -> dict[tuple[State, Severity], int]:
    """Return how many findings there are of each state and severity."""
    state = _state(at)
    query = sa.select(state, _row.severity, sa.func.count()).group_by(state, _row.severity)
    return {(State(name), Severity(severity)): count for name, severity, count in work.connection.execute(query)}


def _state(at: datetime) -> sa.ColumnElement[str]:
    over = sa.and_(_row.state == State.ACCEPTED, _row.accepted_until <= at)
    owned = sa.case((_row.owner == "", str(State.OPEN)), else_=str(State.ASSIGNED))
    return sa.case((over, owned), else_=_row.state)


def _followed(row: Any, at: datetime) -> Followed:  # noqa: ANN401 -- a Core row
    over = row.state == State.ACCEPTED and row.accepted_until is not None and row.accepted_until <= at
    return Followed(
        id=row.id,
        check=row.check,
        subject=row.subject,
        severity=Severity(row.severity),
        why=row.why,
        state=_unaccepted(row.owner) if over else State(row.state),
        owner=row.owner,
        accepted_until=None if over else row.accepted_until,
        opened_at=row.opened_at,
        seen_at=row.seen_at,
        audit=row.audit,
        version=row.version,
    )
