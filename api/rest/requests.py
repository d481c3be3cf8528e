"""`/api/v1/requests`: what customers ask for by right, by when it has to be answered, and what became of it.

What a customer wrote is taken in and never given out here: it is read on the page of the request, for a reason.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

from flask import Blueprint, Response

from api.actors import actor
from api.rest.contract import Contract, answer, contract
from api.rest.incoming import body, customer_in_body, idempotency_key, past, query
from api.rest.past import AS_OF, AsOfForm
from api.rest.shapes import CUSTOMER, Choice, Flag, Form, Instant, Items, Part, Shape, Text, Whole
from api.rest.verdicts import LARGEST
from api.roles import action
from api.wiring import here
from consent.base.clock import rfc3339
from consent.base.ids import CustomerId
from consent.rights import asked, asked_then, requests
from consent.rights.asked import Chosen, Event, How, Outcome, Request, Right, State, Step
from consent.rights.requests import LONGEST, Asking

REQUEST: Final = r"^rgt_[0-9a-f]{32}$"
CURSOR: Final = r"^[0-9]{14}\.rgt_[0-9a-f]{32}$"
MOST: Final = 1_000
_NAME: Final = 100
_TRUTHS: Final = ("true", "false")
# Words run over several lines: of the controls, line breaks and tabs may be in them.
PROSE: Final = r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]*$"

blueprint: Final = Blueprint("requests", __name__, url_prefix="/api/v1")


class RightsRequestForm(Form):
    """A request, as it stands."""

    request = Text(36, 36, REQUEST, required=True)
    customer = Text(36, 36, CUSTOMER, required=True)
    kind = Choice(Right, required=True)
    how = Choice(How, required=True)
    received_at = Instant(required=True)
    due_at = Instant(required=True, metadata={"description": "a month of the calendar after it came in, or three"})
    days_left = Whole(-LARGEST, LARGEST, required=True, allow_none=True, metadata={"description": "null once closed"})
    overdue = Flag(required=True)
    extended_at = Instant(required=True, allow_none=True)
    state = Choice(State, required=True)
    owner = Text(1, _NAME, required=True, allow_none=True)
    outcome = Choice(Outcome, required=True, allow_none=True)
    closed_at = Instant(required=True, allow_none=True)


class RequestStepForm(Form):
    """One step of a request, and the ledger entry that tells of it."""

    at = Instant(required=True)
    event = Choice(Event, required=True)
    detail = Text(0, _NAME, required=True, metadata={"description": "the owner, the new deadline, or the outcome"})
    actor = Text(1, 300, required=True)
    position = Whole(0, LARGEST, required=True)


class FullRequestForm(RightsRequestForm):
    """A request, with its steps."""

    extended_because = Text(1, LONGEST, PROSE, required=True, allow_none=True)
    answer = Text(1, LONGEST, PROSE, required=True, allow_none=True)
    steps = Items(Part(RequestStepForm), 1, 10_000, required=True)


class RequestListForm(Form):
    """Requests, the one that is due first first."""

    data = Items(Part(RightsRequestForm), 0, MOST, required=True)
    next_cursor = Text(51, 51, CURSOR, required=True, allow_none=True, metadata={"description": "null at the end"})
    open = Whole(0, LARGEST, required=True, metadata={"description": "of all requests"})
    overdue = Whole(0, LARGEST, required=True, metadata={"description": "of all requests"})


class RequestQuery(Form):
    """Which requests; what is left out chooses nothing."""

    state = Choice(State, read=State)
    kind = Choice(Right, read=Right)
    owner = Text(1, _NAME)
    customer = Text(36, 36, CUSTOMER, "is not a customer's id")
    open = Choice(_TRUTHS, metadata={"description": "true: only those that are still to be answered"})
    overdue = Choice(_TRUTHS, metadata={"description": "true: only those whose deadline has passed"})
    as_of = Instant(metadata={"description": "a past time: as they stood then; now, where left out"})
    limit = Whole(1, MOST, in_query=True)
    cursor = Text(51, 51, CURSOR, "is not a cursor of this list")


class RequestComingForm(Form):
    """A request as it comes in."""

    customer = Text(36, 36, CUSTOMER, "is not a customer's id", required=True)
    kind = Choice(Right, read=Right, required=True)
    how = Choice(How, read=How)
    received_at = Instant(metadata={"description": "when it came in; now, where left out. The deadline runs from it"})
    wish = Text(1, LONGEST, PROSE, metadata={"description": "what the customer wrote; sealed under his key"})


class RequestOwnerForm(Form):
    """Who is to answer."""

    owner = Text(1, _NAME, required=True)


class MoreTimeForm(Form):
    """Why it takes longer, as the customer is told."""

    reason = Text(1, LONGEST, PROSE, required=True)


class RequestAnswerForm(Form):
    """What became of it, and what the customer is told."""

    outcome = Choice(Outcome, read=Outcome, required=True)
    answer = Text(1, LONGEST, PROSE, metadata={"description": "needed where it is refused in whole or part"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which requests are asked for."""

    state: State | None = None
    kind: Right | None = None
    owner: str = ""
    customer: str = ""
    open: str = "false"
    overdue: str = "false"
    as_of: datetime | None = None
    limit: int = 100
    cursor: str = ""

    def chosen(self, at: datetime) -> Chosen:
        """Return the choice, judged at an instant."""
        return Chosen(
            state=self.state, kind=self.kind, owner=self.owner, customer=self.customer,
            still_open=self.open == "true", overdue_at=at if self.overdue == "true" else None,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Coming:
    """A request as it came in."""

    customer: str
    kind: Right
    how: How = How.PROGRAM
    received_at: datetime | None = None
    wish: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Who is to answer."""

    owner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why it takes longer."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What became of it."""

    outcome: Outcome
    answer: str = ""


QUERY: Final = Shape(RequestQuery, Asked)
COMING: Final = Shape(RequestComingForm, Coming)
OWNER: Final = Shape(RequestOwnerForm, Owner)
REASON: Final = Shape(MoreTimeForm, Reason)
ANSWERED: Final = Shape(RequestAnswerForm, Answered)


@blueprint.get("/requests")
@action("requests.show")
@contract(Contract(summary="List requests by right", query=RequestQuery, answer=RequestListForm, errors=(422,)))
def list_() -> Response:
    """List requests, the one that is due first first."""
    given = query(QUERY)
    deployment = here().deployment
    at = past(given.as_of, deployment.clock(), "?as_of")
    with deployment.store.read() as work:
        listed, following = asked_then.listed(
            work, given.chosen(at), given.as_of, cursor=given.cursor, most=given.limit
        )
        open_, late = asked_then.counts(work, at=at, as_of=given.as_of)
    data = [each.as_json(at) for each in listed]
    return answer(RequestListForm, {"data": data, "next_cursor": following or None, "open": open_, "overdue": late})


@blueprint.post("/requests")
@action("requests.open")
@contract(
    Contract(
        summary="Take a request by right in",
        body=RequestComingForm,
        answer=RightsRequestForm,
        status=201,
        idempotent=True,
        errors=(404,),
    )
)
def open_() -> Response:
    """Take a request in: from its receipt on there is a month to answer it."""
    key, given = idempotency_key(), body(COMING)
    asking = Asking(kind=given.kind, how=given.how, received_at=given.received_at, wish=given.wish)
    deployment, who = here().deployment, CustomerId(given.customer)
    at = deployment.clock()
    with customer_in_body(), deployment.store.write() as work:
        taken = requests.take_in(
            deployment.desk, work, who, asking, actor=actor.current().name, at=at, idempotency_key=key
        )
    return answer(RightsRequestForm, taken.as_json(at), 201, {"Location": f"/api/v1/requests/{taken.id}"})


@blueprint.get("/requests/<request>")
@action("requests.show")
@contract(
    Contract(
        summary="Show a request by right, and its steps", query=AsOfForm, answer=FullRequestForm, errors=(404, 422)
    )
)
def show(request: str) -> Response:
    """Show one request, as it stands or stood."""
    given, deployment = query(AS_OF).as_of, here().deployment
    at = past(given, deployment.clock(), "?as_of")
    with deployment.store.read() as work:
        one, steps = asked_then.found(work, request, given)
        words = asked_then.told(one, asked.words(deployment.desk, work, one))
    told = {"extended_because": words.extension or None, "answer": words.answer or None}
    return answer(FullRequestForm, {**one.as_json(at), **told, "steps": [_step(each) for each in steps]})


def _moving(summary: str, form: type[Form]) -> Contract:
    return Contract(summary=summary, body=form, answer=RightsRequestForm, errors=(404, 409, 422))


def _moved(request: str, move: Callable[..., Request]) -> Response:
    """Move a request on by a step, in the name of who asks, and answer how it stands."""
    deployment = here().deployment
    at = deployment.clock()
    with deployment.store.write() as work:
        moved = move(deployment.desk, work, request, actor=actor.current().name, at=at)
    return answer(RightsRequestForm, moved.as_json(at))


@blueprint.post("/requests/<request>:assign")
@action("requests.answer")
@contract(_moving("Give a request by right to somebody", RequestOwnerForm))
def assign(request: str) -> Response:
    """Give a request to somebody: from then on it is his to answer."""
    return _moved(request, partial(requests.assign, owner=body(OWNER).owner))


@blueprint.post("/requests/<request>:extend")
@action("requests.answer")
@contract(_moving("Take two more months for a request by right, once", MoreTimeForm))
def extend(request: str) -> Response:
    """Take two more months, for a reason that the customer reads on his page."""
    return _moved(request, partial(requests.extend, reason=body(REASON).reason))


@blueprint.post("/requests/<request>:close")
@action("requests.answer")
@contract(_moving("Close a request by right", RequestAnswerForm))
def close(request: str) -> Response:
    """Close a request. It is fulfilled only if what it asks for was done."""
    given = body(ANSWERED)
    return _moved(request, partial(requests.close, outcome=given.outcome, answer=given.answer))


def _step(step: Step) -> dict[str, object]:
    return {
        "at": rfc3339(step.at), "event": step.event, "detail": step.detail, "actor": step.actor,
        "position": step.position,
    }  # fmt: skip
