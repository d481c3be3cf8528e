"""`/api/v1/findings`: what audits found, and what is being done about it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from flask import Blueprint, Response
from marshmallow import fields

from api.actors import actor
from api.checks import CHECKS
from api.rest.audits import AUDIT
from api.rest.contract import Contract, answer, contract
from api.rest.incoming import body, if_match, no_query, query
from api.rest.shapes import Choice, Form, Instant, Items, Part, Shape, Text, Whole
from api.rest.verdicts import LARGEST
from api.roles import action
from api.wiring import here
from consent.audit import handling, life
from consent.audit.findings import Severity
from consent.audit.handling import Rerun
from consent.audit.life import Event, Filter, Followed, Happened, State

FINDING: Final = r"^fnd_[0-9a-f]{32}$"
MOST: Final = 1_000

blueprint: Final = Blueprint("findings", __name__, url_prefix="/api/v1")


class FindingForm(Form):
    """A finding over all audits: one check, one subject."""

    finding = Text(36, 36, FINDING, required=True)
    check = Text(1, 63, required=True)
    subject = Text(1, 2_000, required=True)
    severity = Choice(Severity, required=True)
    why = fields.String(required=True)
    state = Choice(State, required=True)
    owner = Text(0, handling.LONGEST_OWNER, required=True)
    accepted_until = Instant(required=True, allow_none=True)
    opened_at = Instant(required=True)
    seen_at = Instant(required=True)
    audit = Text(36, 36, AUDIT, required=True, metadata={"description": "the last that judged its check over it"})
    version = Whole(1, LARGEST, required=True)


class FindingStepForm(Form):
    """One step of a finding's history."""

    version = Whole(1, LARGEST, required=True)
    at = Instant(required=True)
    actor = Text(1, 300, required=True)
    event = Choice(Event, required=True)
    owner = Text(0, handling.LONGEST_OWNER, required=True)
    until = Instant(required=True, allow_none=True)
    reason = fields.String(required=True)
    audit = Text(0, 36, required=True)


class FullFindingForm(FindingForm):
    """A finding with its history."""

    history = Items(Part(FindingStepForm), 1, LARGEST, required=True)


class RerunForm(FindingForm):
    """A finding after its check was run again."""

    came = Choice(Rerun, required=True, metadata={"description": "what came of it"})
    rerun = Text(36, 36, AUDIT, required=True, allow_none=True, metadata={"description": "the audit of that one check"})


class FindingListForm(Form):
    """Findings, the newest first."""

    data = Items(Part(FindingForm), 0, MOST, required=True)
    next_cursor = Text(36, 36, FINDING, required=True, allow_none=True, metadata={"description": "null at the end"})


class FindingQuery(Form):
    """Which findings; what is left out chooses nothing."""

    state = Choice(State, read=State)
    check = Choice([each.key for each in CHECKS])
    severity = Choice(Severity)
    owner = Text(1, handling.LONGEST_OWNER)
    audit = Text(36, 36, AUDIT, "is not an audit's id")
    limit = Whole(1, MOST, in_query=True)
    cursor = Text(36, 36, FINDING, "is not a cursor of this list")


class FindingOwnerForm(Form):
    """Who is to see to it."""

    owner = Text(1, handling.LONGEST_OWNER, required=True)


class AcceptanceForm(Form):
    """Until when it can be borne, and why."""

    until = Instant(required=True, metadata={"description": "it is open again by itself then; within a year"})
    reason = Text(1, handling.LONGEST_REASON, required=True, metadata={"description": "stays, so it may name nobody"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which findings are asked for."""

    state: State | None = None
    check: str = ""
    severity: str = ""
    owner: str = ""
    audit: str = ""
    limit: int = 100
    cursor: str = ""

    @property
    def filter(self) -> Filter:
        """Return it as the use case takes it."""
        states = (self.state,) if self.state else ()
        return Filter(states=states, check=self.check, severity=self.severity, owner=self.owner, audit=self.audit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """Who is to see to it."""

    owner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """Until when it can be borne, and why."""

    until: datetime
    reason: str


FINDINGS: Final = Shape(FindingQuery, Wanted)
OWNER: Final = Shape(FindingOwnerForm, Given)
ACCEPTANCE: Final = Shape(AcceptanceForm, Acceptance)


@blueprint.get("/findings")
@action("findings.show")
@contract(Contract(summary="List findings", query=FindingQuery, answer=FindingListForm))
def list_() -> Response:
    """List findings, the newest first."""
    asked = query(FINDINGS)
    deployment = here().deployment
    at = deployment.clock()
    with deployment.store.read() as work:
        found = life.listed(work, asked.filter, at=at, after=asked.cursor, most=asked.limit + 1)
    listed = found[: asked.limit]
    following = listed[-1].id if len(found) > asked.limit else None
    return answer(FindingListForm, {"data": [each.as_json() for each in listed], "next_cursor": following})


@blueprint.get("/findings/<finding>")
@action("findings.show")
@contract(Contract(summary="Show a finding and its history", answer=FullFindingForm, errors=(404,)))
def show(finding: str) -> Response:
    """Show one finding."""
    no_query()
    deployment = here().deployment
    at = deployment.clock()
    with deployment.store.read() as work:
        one, steps = life.one(work, finding, at=at), life.history(work, finding)
    return _tagged(FullFindingForm, one, {"history": [_step(each) for each in steps]})


@blueprint.post("/findings/<finding>:assign")
@action("findings.change")
@contract(
    Contract(
        summary="Give a finding to somebody",
        body=FindingOwnerForm,
        answer=FindingForm,
        if_match=True,
        errors=(404, 409),
    )
)
def assign(finding: str) -> Response:
    """Give a finding to somebody, who is to see to it."""
    tag, given = if_match(), body(OWNER)
    deployment = here().deployment
    at = deployment.clock()
    with deployment.store.write() as work:
        one = handling.assign(work, finding, owner=given.owner, actor=actor.current().name, at=at, tag=tag)
    return _tagged(FindingForm, one)


@blueprint.post("/findings/<finding>:accept")
@action("findings.change")
@contract(
    Contract(
        summary="Accept a finding until a time",
        body=AcceptanceForm,
        answer=FindingForm,
        if_match=True,
        errors=(404, 409),
    )
)
def accept(finding: str) -> Response:
    """Accept a finding until a time, for a reason."""
    tag, given = if_match(), body(ACCEPTANCE)
    deployment = here().deployment
    at = deployment.clock()
    with deployment.store.write() as work:
        one = handling.accept(
            work, finding, until=given.until, reason=given.reason, actor=actor.current().name, at=at, tag=tag
        )  # fmt: skip
    return _tagged(FindingForm, one)


@blueprint.post("/findings/<finding>:resolve")
@action("findings.change")
@contract(
    Contract(
        summary="Run a finding's check again, and say what came of it",
        answer=RerunForm,
        if_match=True,
        errors=(404, 409),
    )
)
def resolve(finding: str) -> Response:
    """Run the check again: only a passing rerun resolves a finding."""
    no_query()
    tag = if_match()
    outcome = handling.resolve(here().deployment, CHECKS, finding, actor=actor.current().name, tag=tag)
    rerun = outcome.report.audit if outcome.report else None
    return _tagged(RerunForm, outcome.finding, {"came": outcome.came, "rerun": rerun})


def _tagged(form: type[Form], one: Followed, more: dict[str, Any] | None = None) -> Response:
    return answer(form, {**one.as_json(), **(more or {})}, headers={"ETag": f'"{one.tag}"'})


def _step(step: Happened) -> dict[str, Any]:
    return {
        "version": step.version, "at": step.at, "actor": step.actor, "event": step.event, "owner": step.owner,
        "until": step.until, "reason": step.reason, "audit": step.audit,
    }  # fmt: skip
