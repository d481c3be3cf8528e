"""`/api/v1/audits` and `/api/v1/reports`: audits, asked for and looked up, and their reports to be handed over."""

from dataclasses import dataclass
from typing import Any, Final

from flask import Blueprint, Response
from marshmallow import fields

from api.actors import actor
from api.explained import EXPLAINED
from api.rest.contract import Contract, answer, contract
from api.rest.incoming import no_query, query
from api.rest.shapes import Choice, Form, Instant, Items, Part, Shape, Text, Whole
from api.rest.verdicts import LARGEST
from api.roles import action
from api.wiring import here
from consent import jobs
from consent.audit import asking, reading
from consent.audit.findings import Severity
from consent.audit.reading import PastAudit
from consent.audit.report import Status
from consent.audit.reports import making
from consent.audit.reports.making import MEDIA, Format
from consent.base.clock import rfc3339, to_ms
from consent.base.errors import NotFound
from consent.jobs import Slot

AUDIT: Final = r"^aud_[0-9a-f]{32}$"
MOST: Final = 1_000
STATES: Final = (*(str(each) for each in Status), "running", "aborted")
QUEUED: Final = "queued"

blueprint: Final = Blueprint("audits", __name__, url_prefix="/api/v1")


class AuditForm(Form):
    """An audit, as it stands."""

    audit = Text(36, 36, AUDIT, required=True)
    started_at = Instant(required=True)
    ended_at = Instant(required=True, allow_none=True)
    status = Choice(STATES, required=True, metadata={"description": "could_not_check is not passed"})
    asked_by = Text(1, 300, required=True)
    position = Whole(-1, LARGEST, required=True, metadata={"description": "its entry in the ledger; -1 without one"})


class AuditListForm(Form):
    """Audits, the newest first."""

    data = Items(Part(AuditForm), 0, MOST, required=True)
    next_cursor = Text(36, 36, AUDIT, required=True, allow_none=True, metadata={"description": "null at the end"})


class AuditFoundForm(Form):
    """A rule that was found broken."""

    check = Text(1, 63, required=True)
    severity = Choice(Severity, required=True)
    subject = Text(0, 2_000, required=True)
    why = fields.String(required=True)


class AuditGapForm(Form):
    """Something that could not be judged."""

    check = Text(1, 63, required=True)
    why = fields.String(required=True)


class AuditCheckedForm(Form):
    """How one check went."""

    check = Text(1, 63, required=True)
    title = fields.String(required=True)
    checked = Whole(0, LARGEST, required=True)
    seconds = fields.Float(required=True)
    status = Choice(Status, required=True)
    since = Whole(0, LARGEST, metadata={"description": "the ledger position from which it judged what is new"})


class AuditReportForm(Form):
    """What an audit found."""

    status = Choice(Status, required=True)
    findings = Items(Part(AuditFoundForm), 0, LARGEST, required=True)
    gaps = Items(Part(AuditGapForm), 0, LARGEST, required=True)
    checks = Items(Part(AuditCheckedForm), 0, 1_000, required=True)
    seconds = fields.Float(required=True)


class FullAuditForm(AuditForm):
    """An audit with its report."""

    report = Part(AuditReportForm, required=True, allow_none=True, metadata={"description": "null while there is none"})


class AskedAuditForm(Form):
    """An audit that somebody asked for."""

    asked_at = Instant(required=True)
    asked_by = Text(1, 300, required=True)
    state = Choice((QUEUED, *STATES), required=True)
    audit = Text(36, 36, AUDIT, required=True, allow_none=True, metadata={"description": "null until it has ended"})


class AuditQuery(Form):
    """Which audits; what is left out chooses nothing."""

    status = Choice(STATES)
    limit = Whole(1, MOST, in_query=True)
    cursor = Text(36, 36, AUDIT, "is not a cursor of this list")


class ReportQuery(Form):
    """In which format."""

    format = Choice(Format, read=Format, required=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which audits are asked for."""

    status: str = ""
    limit: int = 100
    cursor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """In which format a report is asked for."""

    format: Format


AUDITS: Final = Shape(AuditQuery, Wanted)
REPORT: Final = Shape(ReportQuery, Written)


@blueprint.get("/audits")
@action("audits.show")
@contract(Contract(summary="List audits", query=AuditQuery, answer=AuditListForm))
def list_() -> Response:
    """List audits, the newest first."""
    asked = query(AUDITS)
    deployment = here().deployment
    at = deployment.clock()
    with deployment.store.read() as work:
        found = reading.newest(work, at=at, most=asked.limit + 1, after=asked.cursor, status=asked.status)
    listed = found[: asked.limit]
    following = listed[-1].audit if len(found) > asked.limit else None
    return answer(AuditListForm, {"data": [_past(each) for each in listed], "next_cursor": following})


@blueprint.post("/audits")
@action("audits.run")
@contract(Contract(summary="Ask for an audit; the worker runs it", answer=AskedAuditForm, status=202))
def ask() -> Response:
    """Queue a full audit, unless one waits already: `Location` is where it can be asked what became of it."""
    no_query()
    deployment = here().deployment
    at = deployment.clock()
    with deployment.store.write() as work:
        slot = asking.ask(work, actor=actor.current().name, at=at)
    return answer(AskedAuditForm, _asked(slot), 202, {"Location": f"/api/v1/audits/asked/{to_ms(slot.scheduled_for)}"})


@blueprint.get("/audits/asked/<asked>")
@action("audits.show")
@contract(Contract(summary="Say what became of an audit that was asked for", answer=AskedAuditForm, errors=(404,)))
def asked_audit(asked: str) -> Response:
    """Show whether it waits, runs or has ended, and which audit it was."""
    no_query()
    if not (asked.isascii() and asked.isdigit() and len(asked) < 16):  # noqa: PLR2004 -- milliseconds of our time
        raise NotFound
    deployment = here().deployment
    with deployment.store.read() as work:
        slot = asking.one(work, int(asked))
    return answer(AskedAuditForm, _asked(slot))


@blueprint.get("/audits/<audit>")
@action("audits.show")
@contract(Contract(summary="Show an audit and its report", answer=FullAuditForm, errors=(404,)))
def show(audit: str) -> Response:
    """Show one audit, with all that it found."""
    no_query()
    deployment = here().deployment
    with deployment.store.read() as work:
        past, report = reading.one(work, audit, at=deployment.clock())
    return answer(FullAuditForm, {**_past(past), "report": report})


@blueprint.get("/reports/<audit>")
@action("audits.show")
@contract(
    Contract(summary="Write the report of an audit", query=ReportQuery, files=tuple(MEDIA.values()), errors=(404, 409))
)
def report(audit: str) -> Response:
    """Write the report of an audit, to be handed over."""
    asked = query(REPORT)
    deployment = here().deployment
    at = deployment.clock()
    with deployment.store.read() as work:
        made = making.make(work, audit, asked.format, explained=EXPLAINED, at=at)
    return Response(
        made.body, mimetype=made.media, headers={"Content-Disposition": f'attachment; filename="{made.name}"'}
    )


def _past(past: PastAudit) -> dict[str, Any]:
    return {
        "audit": past.audit, "started_at": past.started_at, "ended_at": past.ended_at, "status": past.status,
        "asked_by": past.asked_by, "position": past.position,
    }  # fmt: skip


def _asked(slot: Slot) -> dict[str, Any]:
    return {
        "asked_at": rfc3339(slot.scheduled_for), "asked_by": slot.holder, "audit": slot.detail or None,
        "state": QUEUED if slot.state == jobs.RELEASED else slot.state,
    }  # fmt: skip
