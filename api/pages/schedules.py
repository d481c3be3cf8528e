"""When audits are run, for the compliance officer: schedules, their last slots, and the form to change them."""

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from flask import Blueprint, Response, render_template, request
from werkzeug.datastructures import MultiDict

from api.actors import actor
from api.checks import CHECKS
from api.pages import forms, planned
from api.pages.answering import see_other
from api.roles import action
from api.wiring import here
from consent.audit import schedules
from consent.audit.schedules import FULL, INCREMENTAL, Schedule
from consent.base.errors import Invalid, Place, StateConflict

_UNPROCESSABLE: Final = 422
_CHECK: Final = "check:"

blueprint: Final = Blueprint("audit_schedules", __name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """A schedule's form, as it was filled in."""

    key: str
    cron: str
    zone: str
    mode: str
    checks: tuple[str, ...]
    enabled: bool
    version: int


@blueprint.get("/audit/schedules")
@action("audits.show")
def listed() -> str:
    """Show every schedule, when it runs next, and how its last slots went."""
    deployment = here().deployment
    at = deployment.clock()
    with deployment.store.read() as work:
        lines = [planned.line(each, schedules.slots_of(work, each, most=8), at) for each in schedules.schedules(work)]
    return render_template(
        "audit/schedules.html",
        schedules=lines,
        saved=next((each for each in lines if each.key == request.args.get("saved")), None),
        may_change=actor.current().may("audits.schedule"),
    )


@blueprint.get("/audit/schedules/<schedule>")
@action("audits.show")
def show(schedule: str) -> str:
    """Show the form of a schedule; `new` is that of one to be made."""
    if schedule == planned.NEW:
        return _form(Typed(key="", cron="0 3 * * *", zone="UTC", mode=FULL, checks=(), enabled=True, version=0))
    with here().deployment.store.read() as work:
        one = schedules.one(work, schedule)
    return _form(
        Typed(key=one.key, cron=one.cron, zone=one.zone, mode=one.mode, checks=one.checks, enabled=one.enabled,
              version=one.version),
        known=True,
    )  # fmt: skip


def _form(typed: Typed, *, known: bool = False, wrong: dict[str, str] | None = None) -> str:
    return render_template(
        "audit/schedule.html",
        typed=typed,
        known=known,
        checks=[(each.key, each.title) for each in CHECKS],
        modes={
            FULL: "Full: looks at everything, and resolves findings",
            INCREMENTAL: "Incremental: goes on from the last pass",
        },
        wrong=wrong or {},
        may_change=actor.current().may("audits.schedule"),
    )


@blueprint.post("/audit/schedules")
@action("audits.schedule")
def save() -> Response:
    """Make or change a schedule."""
    typed, known = _typed(request.form)
    deployment = here().deployment
    at = deployment.clock()
    wanted = Schedule(
        key=typed.key, cron=typed.cron, zone=typed.zone, mode=typed.mode, checks=typed.checks, enabled=typed.enabled
    )
    try:
        with deployment.store.write() as work:
            schedules.put(
                work, wanted, known_checks=[each.key for each in CHECKS], actor=actor.current().name, at=at,
                version=typed.version,
            )  # fmt: skip
    except StateConflict:
        raise
    except Invalid as unfit:
        wrong = {_field(place): place.why for place in unfit.places}
        return Response(_form(typed, known=known, wrong=wrong), _UNPROCESSABLE, mimetype="text/html")
    return see_other(f"/audit/schedules?{urlencode({'saved': typed.key})}")


def _field(place: Place) -> str:
    return place.where.partition(",")[0].removeprefix("/")


def _typed(form: MultiDict[str, str]) -> tuple[Typed, bool]:
    chosen = tuple(name.removeprefix(_CHECK) for name in form if name.startswith(_CHECK))
    rest: MultiDict[str, str] = MultiDict(
        (name, value) for name, value in form.items(multi=True) if not name.startswith(_CHECK)
    )
    fields: dict[str, Any] = forms.read_fields(
        rest, key=80, cron=200, zone=100, mode=20, enabled=3, version=15, known=3
    )
    version = int(fields["version"]) if fields["version"].isdigit() else 0
    return Typed(
        key=fields["key"], cron=fields["cron"], zone=fields["zone"], mode=fields["mode"], checks=chosen,
        enabled=fields["enabled"] == "yes", version=version,
    ), fields["known"] == "yes"  # fmt: skip
