"""USE CASE: what people do about a finding: give it to somebody, accept it for a time, have its check run again.

None of these resolves it by decree. `resolve` runs the check, and tells what came of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from consent.audit import life
from consent.audit import run as audits
from consent.audit.findings import Check
from consent.audit.life import Event, Followed, State, Step
from consent.audit.report import Report
from consent.audit.run import Opened
from consent.base.errors import Place, RequestUnfit, StateConflict, VersionMoved
from consent.base.store import Work

LONGEST_ACCEPTANCE: Final = timedelta(days=366)
LONGEST_REASON: Final = 2_000
LONGEST_OWNER: Final = 120


class Rerun(StrEnum):
    """What came of running a finding's check again."""

    RESOLVED = "resolved"
    STILL_THERE = "still_there"
    COULD_NOT_CHECK = "could_not_check"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of running a check again. `report` is None where there is no such check any more."""

    came: Rerun
    finding: Followed
    report: Report | None


def assign(work: Work, finding: str, *, owner: str, actor: str, at: datetime, tag: str | None = None) -> Followed:
    """Give a finding to somebody; one that was accepted is no longer.

    Args:
        work: a transaction that writes.
        finding: its id.
        owner: who is to see to it.
        actor: who says so.
        at: now.
        tag: that of the finding as it was looked at; None to change it whatever happened since.

    Raises:
        NotFound: there is no such finding.
        StateConflict: it is resolved.
        VersionMoved: it changed since it was looked at.
        RequestUnfit: the owner has no name, or too long a one.
    """
    if not 0 < len(owner.strip()) <= LONGEST_OWNER:
        raise RequestUnfit(places=[Place("/owner", f"must have 1 to {LONGEST_OWNER} characters")])
    stood = _unresolved(work, finding, at=at, tag=tag)
    step = Step(event=Event.ASSIGNED, actor=actor, at=at, owner=owner.strip())
    _change(work, stood, step, state=State.ASSIGNED, owner=owner.strip(), accepted_until=None)
    return life.one(work, finding, at=at)


def accept(
    work: Work, finding: str, *, until: datetime, reason: str, actor: str, at: datetime, tag: str | None = None
) -> Followed:
    """Accept a finding until a time, at which it is open again by itself.

    Args:
        work: a transaction that writes.
        finding: its id.
        until: after now, and within a year.
        reason: why that can be borne; it stays in the history, so it may name nobody.
        actor: who says so.
        at: now.
        tag: as for `assign`.

    Raises:
        NotFound: there is no such finding.
        StateConflict: it is resolved.
        VersionMoved: it changed since it was looked at.
        RequestUnfit: there is no reason, or the time is past or too far away.
    """
    places = []
    if not at < until <= at + LONGEST_ACCEPTANCE:
        places.append(Place("/until", "must be a time within a year from now"))
    if not 0 < len(reason.strip()) <= LONGEST_REASON:
        places.append(Place("/reason", f"must have 1 to {LONGEST_REASON:,} characters"))
    if places:
        raise RequestUnfit(places=places)
    stood = _unresolved(work, finding, at=at, tag=tag)
    step = Step(event=Event.ACCEPTED, actor=actor, at=at, owner=stood.owner, until=until, reason=reason.strip())
    _change(work, stood, step, state=State.ACCEPTED, accepted_until=until)
    return life.one(work, finding, at=at)


def resolve(
    deployment: Opened,
    checks: Sequence[Check],
    finding: str,
    *,
    actor: str,
    tag: str | None = None,
) -> Outcome:
    """Run a finding's check again, over everything, and say what came of it; an audit of that one check is kept.

    Args:
        deployment: audited.
        checks: all there are.
        finding: its id.
        actor: who asks.
        tag: as for `assign`.

    Raises:
        NotFound: there is no such finding.
        StateConflict: it is resolved already.
        VersionMoved: it changed since it was looked at.
        DatabaseDown: the audit could not be stored.
    """
    with deployment.store.read() as work:
        before = _unresolved(work, finding, at=deployment.clock(), tag=tag)
    chosen = [check for check in checks if check.key == before.check]
    report = audits.run(deployment, chosen, asked_by=actor) if chosen else None
    at = deployment.clock()
    with deployment.store.write() as work:
        after = life.one(work, finding, at=at)
        came = _came(report, after)
        if came is not Rerun.RESOLVED:
            audit = report.audit if report else ""
            step = Step(event=Event.RERUN, actor=actor, at=at, reason=str(came), audit=audit)
            _change(work, after, step)
        return Outcome(came=came, finding=life.one(work, finding, at=at), report=report)


def _came(report: Report | None, after: Followed) -> Rerun:
    if after.state is State.RESOLVED:
        return Rerun.RESOLVED
    found = report is not None and any(
        each.check == after.check and each.subject == after.subject for each in report.all_findings
    )
    return Rerun.STILL_THERE if found else Rerun.COULD_NOT_CHECK


def _unresolved(work: Work, finding: str, *, at: datetime, tag: str | None) -> Followed:
    stood = life.one(work, finding, at=at)
    if tag is not None and tag != stood.tag:
        raise VersionMoved("the finding has changed since you looked at it: look again")
    if stood.state is State.RESOLVED:
        raise StateConflict("the finding is resolved already; if it comes back, an audit reopens it")
    return stood


def _change(work: Work, stood: Followed, step: Step, **changes: object) -> None:
    if not life.change(work, stood.id, stood.version, step, **changes):
        raise VersionMoved("the finding has changed at this very moment: look again")
