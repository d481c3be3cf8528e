"""`/api/v1/customers/{id}/goodwill`: a customer's account, and what he did or said that changes it."""

from dataclasses import dataclass
from typing import Final

from flask import Blueprint, Response
from marshmallow import fields

from api.actors import actor
from api.rest.contract import Contract, answer, contract
from api.rest.decisions import DECISION
from api.rest.incoming import body, no_query
from api.rest.shapes import CUSTOMER, Choice, Flag, Form, Instant, Items, Part, Shape, Text, Whole
from api.rest.verdicts import LARGEST
from api.roles import action
from api.wiring import here
from consent.base.errors import CustomerUnknown
from consent.base.ids import CustomerId, is_id
from personalise.goodwill import Entry
from personalise.responses import reported

POINTS: Final = {"description": "points of goodwill"}

blueprint: Final = Blueprint("goodwill", __name__, url_prefix="/api/v1")


class GoodwillReportForm(Form):
    """What a customer did or said: about a decision, or under a reference of one's own."""

    kind = Choice(reported.KINDS, read=Entry, required=True)
    decision = Text(38, 60, DECISION, "is not a decision's id")
    reference = Text(1, 200, metadata={"description": "an order, a call: the same counts once; its keyed hash is kept"})


class GoodwillReportedForm(Form):
    """What became of it."""

    customer = Text(36, 36, CUSTOMER, required=True)
    kind = Choice(reported.KINDS, required=True)
    reference = Text(1, 60, required=True)
    amount = fields.Float(required=True, metadata=POINTS)
    balance = fields.Float(required=True, metadata=POINTS)
    repeated = Flag(required=True, metadata={"description": "it was reported before, and changed nothing now"})
    suppressed = Whole(0, LARGEST, required=True, metadata={"description": "addresses left alone from now on"})


class GoodwillLineForm(Form):
    """A line of the account."""

    at = Instant(required=True)
    kind = Choice(Entry, required=True)
    amount = fields.Float(required=True, metadata=POINTS)
    balance = fields.Float(required=True, metadata={"description": "after it"})
    reference = Text(0, 60, required=True)


class GoodwillAccountForm(Form):
    """A customer's account, the first line first; nothing, where nothing was booked."""

    customer = Text(36, 36, CUSTOMER, required=True)
    balance = fields.Float(required=True, metadata=POINTS)
    data = Items(Part(GoodwillLineForm), 0, LARGEST, required=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A report, as it came in."""

    kind: Entry
    decision: str = ""
    reference: str = ""


REPORT: Final = Shape(GoodwillReportForm, Asked)


@blueprint.get("/customers/<customer>/goodwill")
@action("goodwill.show")
@contract(Contract(summary="Show a customer's account of goodwill", answer=GoodwillAccountForm, errors=(404,)))
def show(customer: str) -> Response:
    """Show what was booked, as the customer can see it."""
    no_query()
    found = reported.account(here().deployment, _id(customer))
    return answer(GoodwillAccountForm, found.as_json())


@blueprint.post("/customers/<customer>/goodwill")
@action("goodwill.report")
@contract(
    Contract(
        summary="Report a complaint, a purchase, an answer, thanks; the same once more changes nothing",
        body=GoodwillReportForm,
        answer=GoodwillReportedForm,
        wrong={
            404: "`customer_unknown`, or `decision_unknown`",
            422: "`request_unfit`: neither decision nor reference, or both, or a decision about somebody else",
        },
    )
)
def report(customer: str) -> Response:
    """Book it once; a complaint takes all the goodwill there is, and leaves the customer's addresses alone."""
    given = body(REPORT)
    done = reported.report(
        here().deployment, _id(customer), given.kind, actor=actor.current().name, decision=given.decision,
        reference=given.reference,
    )  # fmt: skip
    return answer(GoodwillReportedForm, done.as_json())


def _id(customer: str) -> CustomerId:
    if not is_id(customer, "cus"):
        raise CustomerUnknown
    return CustomerId(customer)
