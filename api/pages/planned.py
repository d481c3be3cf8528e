"""PURE: schedules in words: a missed slot never looks like one that passed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from api.pages import present
from consent import jobs
from consent.audit import cron
from consent.audit.schedules import INCREMENTAL, Schedule
from consent.jobs import Slot

NEW: Final = "new"
_SLOTS: Final[Mapping[str, tuple[str, str]]] = {
    "passed": ("passed", "Passed"),
    "findings": ("findings", "Findings"),
    "could_not_check": ("gap", "Could not check"),
    jobs.MISSED: ("gap", "Missed"),
    jobs.RUNNING: ("running", "Running"),
    jobs.RELEASED: ("pending", "Waits"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotLine:
    """One slot of a schedule."""

    at: str
    mark: str
    word: str
    audit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleLine:
    """A schedule, as pages show it."""

    key: str
    rhythm: str
    what: str
    enabled: bool
    following: str
    changed: str
    slots: tuple[SlotLine, ...]


def line(schedule: Schedule, slots: Sequence[Slot], at: datetime) -> ScheduleLine:
    """Return a schedule in words."""
    following = cron.next_after(schedule.rhythm, at)
    checks = present.listed(schedule.checks) if schedule.checks else "all checks"
    mode = "goes on from the last pass" if schedule.mode == INCREMENTAL else "looks at everything"
    by = f"by {schedule.changed_by}, {present.moment(schedule.changed_at)}" if schedule.changed_by else "from the start"
    return ScheduleLine(
        key=schedule.key,
        rhythm=f"{schedule.cron} in {schedule.zone}",
        what=f"{checks}; {mode}",
        enabled=schedule.enabled,
        following=present.moment(following) if schedule.enabled else "",
        changed=by,
        slots=tuple(_slot(each, late=each.job == schedule.late_job) for each in slots),
    )


def _slot(slot: Slot, *, late: bool) -> SlotLine:
    mark, word = _SLOTS.get(slot.state, ("never", slot.state.capitalize()))
    return SlotLine(
        at=present.moment(slot.scheduled_for),
        mark=mark,
        word=f"{word}, late: it made up for what was missed" if late else word,
        audit=slot.detail,
    )
