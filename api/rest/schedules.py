"""`/api/v1/schedules`: when audits are run, and of what."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from flask import Blueprint, Response

from api.actors import actor
from api.checks import CHECKS
from api.rest.contract import Contract, answer, contract
from api.rest.incoming import body, if_match, no_query, pointed
from api.rest.shapes import Choice, Flag, Form, Instant, Items, Part, Shape, Text, Whole
from api.rest.verdicts import LARGEST
from api.roles import action
from api.wiring import here
from consent.audit import cron, schedules
from consent.audit.schedules import FULL, INCREMENTAL, Schedule
from consent.base.errors import Invalid, StateConflict, VersionMoved
from consent.base.store import Work

KEY: Final = r"^[a-z0-9_-]{1,40}$"
MOST: Final = 1_000

blueprint: Final = Blueprint("schedules", __name__, url_prefix="/api/v1")


class SlotForm(Form):
    """One slot: run, under way, missed, or made up for."""

    slot = Instant(required=True)
    state = Text(1, 40, required=True)
    late = Flag(required=True, metadata={"description": "it made up for slots that were missed"})
    audit = Text(0, 36, required=True)


class WantedScheduleForm(Form):
    """A schedule as it is to be."""

    cron = Text(9, 120, required=True, metadata={"description": "minute, hour, day, month, day of the week"})
    zone = Text(1, 60, metadata={"description": "the time zone in which the clock is read; UTC, where left out"})
    checks = Items(Text(1, 63), 0, 100, metadata={"description": "none for all there are"})
    mode = Choice((FULL, INCREMENTAL))
    enabled = Flag()


class ScheduleForm(Form):
    """A schedule, when it runs next, and how its last slots went."""

    schedule = Text(1, 40, KEY, required=True)
    cron = Text(9, 120, required=True)
    zone = Text(1, 60, required=True)
    checks = Items(Text(1, 63), 0, 100, required=True)
    mode = Choice((FULL, INCREMENTAL), required=True)
    enabled = Flag(required=True)
    changed_at = Instant(required=True)
    changed_by = Text(0, 300, required=True)
    version = Whole(0, LARGEST, required=True)
    next_at = Instant(required=True, allow_none=True)
    last_slots = Items(Part(SlotForm), 0, 20, required=True)


class ScheduleListForm(Form):
    """All schedules."""

    data = Items(Part(ScheduleForm), 0, MOST, required=True)
    next_cursor = Text(1, 1, required=True, allow_none=True, metadata={"description": "always null: all are here"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A schedule as it is to be."""

    cron: str
    zone: str = "UTC"
    checks: list[str] = field(default_factory=list)
    mode: str = FULL
    enabled: bool = True


SCHEDULE: Final = Shape(WantedScheduleForm, Wanted)


@blueprint.get("/schedules")
@action("audits.show")
@contract(Contract(summary="List the schedules of audits", answer=ScheduleListForm))
def list_() -> Response:
    """List all schedules, also those that are switched off."""
    no_query()
    deployment = here().deployment
    at = deployment.clock()
    with deployment.store.read() as work:
        data = [_told(work, each, at) for each in schedules.schedules(work)]
    return answer(ScheduleListForm, {"data": data, "next_cursor": None})


@blueprint.get("/schedules/<schedule>")
@action("audits.show")
@contract(Contract(summary="Show a schedule of audits", answer=ScheduleForm, errors=(404,)))
def show(schedule: str) -> Response:
    """Show one schedule."""
    no_query()
    deployment = here().deployment
    at = deployment.clock()
    with deployment.store.read() as work:
        return _tagged(work, schedules.one(work, schedule), at)


@blueprint.put("/schedules/<schedule>")
@action("audits.schedule")
@contract(
    Contract(
        summary="Make or change a schedule of audits", body=WantedScheduleForm, answer=ScheduleForm, if_match=True,
        errors=(404, 422),
    )
)  # fmt: skip
def put(schedule: str) -> Response:
    """Make or change a schedule; one that is not there yet has the entity tag "0"."""
    tag, given = _version(), body(SCHEDULE)
    wanted = Schedule(
        key=schedule, cron=given.cron, zone=given.zone, checks=tuple(given.checks), mode=given.mode,
        enabled=given.enabled,
    )  # fmt: skip
    deployment = here().deployment
    at = deployment.clock()
    known = [each.key for each in CHECKS]
    try:
        with deployment.store.write() as work:
            put_ = schedules.put(work, wanted, known_checks=known, actor=actor.current().name, at=at, version=tag)
            return _tagged(work, put_, at)
    except StateConflict as moved:
        raise VersionMoved(moved.detail) from moved
    except Invalid as wrong:
        raise type(wrong)(wrong.detail, places=pointed(wrong.places)) from wrong


def _version() -> int:
    tag = if_match()
    if not tag.isdigit():
        raise VersionMoved("no schedule ever had this entity tag")
    return int(tag[:15])


def _tagged(work: Work, each: Schedule, at: datetime) -> Response:
    return answer(ScheduleForm, _told(work, each, at), headers={"ETag": f'"{each.version}"'})


def _told(work: Work, each: Schedule, at: datetime) -> dict[str, Any]:
    slots = schedules.slots_of(work, each)
    return {
        "schedule": each.key, "cron": each.cron, "zone": each.zone, "checks": list(each.checks), "mode": each.mode,
        "enabled": each.enabled, "changed_at": each.changed_at, "changed_by": each.changed_by, "version": each.version,
        "next_at": cron.next_after(each.rhythm, at) if each.enabled else None,
        "last_slots": [{"slot": slot.scheduled_for, "state": slot.state, "late": slot.job == each.late_job,
                        "audit": slot.detail} for slot in slots],
    }  # fmt: skip
