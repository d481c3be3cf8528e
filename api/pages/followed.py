"""PURE: findings in words: how each stands, what became of it, and what can be done with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from api.pages import present
from consent.audit.findings import Severity
from consent.audit.life import Event, Followed, Happened, State

_STATES: Final[Mapping[State, tuple[str, str]]] = {
    State.OPEN: ("findings", "Open"),
    State.ASSIGNED: ("pending", "Assigned"),
    State.ACCEPTED: ("paused", "Accepted"),
    State.RESOLVED: ("passed", "Resolved"),
}
STATE_NAMES: Final = {str(state): name for state, (_, name) in _STATES.items()}
SEVERITY_NAMES: Final = {str(severity): str(severity).capitalize() for severity in Severity}
_EVENTS: Final[Mapping[Event, str]] = {
    Event.OPENED: "Found for the first time",
    Event.ASSIGNED: "Given to",
    Event.ACCEPTED: "Accepted until",
    Event.LAPSED: "The acceptance is over: it is open again",
    Event.CHANGED: "Its severity changed",
    Event.RERUN: "Its check was run again",
    Event.RESOLVED: "Resolved: a rerun of its check no longer finds it",
    Event.REOPENED: "Found again: reopened",
}
_RERUNS: Final = {"still_there": "and found it again", "could_not_check": "and could not be judged"}


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingLine:
    """A finding, as pages show it."""

    id: str
    tag: str
    check: str
    subject: str
    why: str
    severity: str
    mark: str
    state: str
    """How it stands, in words: with its owner, or until when."""
    unresolved: bool
    owner: str
    opened: str
    seen: str
    audit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepLine:
    """One step of a finding's history."""

    at: str
    actor: str
    words: str
    reason: str
    audit: str


def finding_line(found: Followed) -> FindingLine:
    """Return a finding in words."""
    mark, name = _STATES[found.state]
    if found.state is State.ASSIGNED:
        name = f"Assigned to {found.owner}"
    if found.accepted_until is not None:
        name = f"Accepted until {present.moment(found.accepted_until)}"
    return FindingLine(
        id=found.id,
        tag=found.tag,
        check=found.check,
        subject=found.subject,
        why=found.why,
        severity=SEVERITY_NAMES[found.severity],
        mark=mark,
        state=name,
        unresolved=found.state is not State.RESOLVED,
        owner=found.owner,
        opened=present.moment(found.opened_at),
        seen=present.moment(found.seen_at),
        audit=found.audit,
    )


def step_line(step: Happened) -> StepLine:
    """Return a step of a finding's history in words."""
    words = _EVENTS[step.event]
    match step.event:
        case Event.ASSIGNED:
            words = f"{words} {step.owner}"
        case Event.ACCEPTED if step.until is not None:
            words = f"{words} {present.moment(step.until)}"
        case Event.RERUN:
            words = f"{words}, {_RERUNS.get(step.reason, step.reason)}"
        case _:
            pass
    reason = "" if step.event is Event.RERUN else step.reason
    return StepLine(at=present.moment(step.at), actor=step.actor, words=words, reason=reason, audit=step.audit)


def waiting(counts: Mapping[tuple[State, Severity], int]) -> str:
    """Return in a sentence how many findings wait for somebody; "" where none does.

    >>> waiting(
    ...     {(State.OPEN, Severity.CRITICAL): 2, (State.ASSIGNED, Severity.LOW): 1, (State.RESOLVED, Severity.LOW): 9}
    ... )
    '3 findings wait for somebody: 2 critical and 1 low.'
    """
    unresolved = dict.fromkeys(Severity, 0)
    for (state, severity), count in counts.items():
        if state in (State.OPEN, State.ASSIGNED):
            unresolved[severity] += count
    total = sum(unresolved.values())
    if not total:
        return ""
    parts = [f"{count:,} {severity}" for severity, count in unresolved.items() if count]
    verb = "waits" if total == 1 else "wait"
    return f"{present.counted(total, 'finding')} {verb} for somebody: {present.listed(parts)}."


def empty(filtered: bool, anything: bool) -> str:  # noqa: FBT001 -- the two questions that decide the words
    """Return why a list of findings is empty, and what next.

    >>> empty(True, True)
    'No finding is like that. Show all of them, or choose less.'
    """
    if filtered and anything:
        return "No finding is like that. Show all of them, or choose less."
    if anything:
        return "Nothing is open: every finding so far was resolved by a rerun, or is accepted for a time."
    return "No audit has found anything yet. Whether one was run, the overview tells."


def oldest_first(steps: Sequence[Happened]) -> tuple[StepLine, ...]:
    """Return a history in words."""
    return tuple(step_line(each) for each in steps)


def until_field(at: datetime) -> str:
    """Return a day as a date field takes it.

    >>> from datetime import UTC
    >>> until_field(datetime(2026, 11, 21, tzinfo=UTC))
    '2026-11-21'
    """
    return f"{at:%Y-%m-%d}"
