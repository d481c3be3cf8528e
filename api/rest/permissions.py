"""`/api/v1/permissions:check` and `/api/v1/customers/{id}/permissions`: what stands, now or at a past time."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from flask import Blueprint, Response, request

from api.rest.contract import Contract, answer, answer_ready, contract
from api.rest.incoming import body, past, query
from api.rest.past import AS_OF, AsOfForm
from api.rest.shapes import CUSTOMER, SCOPE, Flag, Form, Instant, Items, Part, Shape, Text, Whole
from api.rest.verdicts import LARGEST, CustomerVerdict, Judged, ScopeVerdict, judged
from api.roles import action
from api.wiring import House, here
from consent import gate
from consent.base.errors import CustomerUnknown, Place
from consent.base.ids import CustomerId, is_id
from consent.base.store import Work
from consent.deployment import Deployment
from consent.permission.verdict import Verdict
from consent.signals import gpc

MOST: Final = 1_000
"""Checks that one call may bring."""

blueprint: Final = Blueprint("permissions", __name__, url_prefix="/api/v1")


class CheckForm(Form):
    """One question: does this customer permit this?"""

    customer = Text(36, 36, CUSTOMER, "is not a customer's id", required=True)
    scope = Text(3, 145, SCOPE, "is not a scope", required=True)
    remembered = Flag(metadata={"description": "remembered data are to be used: `remember` has to stand too"})


class ChecksForm(Form):
    """Questions, all judged at one time."""

    checks = Items(Part(CheckForm), 1, MOST, required=True)
    as_of = Instant(metadata={"description": "a past time to judge at; now, where left out"})


class VerdictsForm(Form):
    """Answers, in the order of the questions."""

    data = Items(Part(CustomerVerdict), 1, MOST, required=True)


class PermissionsForm(Form):
    """What stands for a customer: one verdict for every scope of the catalogue, in the order of presentation."""

    customer = Text(36, 36, CUSTOMER, required=True)
    at = Instant(required=True)
    position = Whole(0, LARGEST, required=True, metadata={"description": "size of the ledger at that time"})
    data = Items(Part(ScopeVerdict), 0, 10_000, required=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checks:
    """The questions of one call."""

    checks: list[dict[str, Any]]
    """Each in its form."""
    as_of: datetime | None = None


CHECKS: Final = Shape(ChecksForm, Checks)


@blueprint.post("/permissions:check")
@action("permissions.check")
@contract(
    Contract(
        summary="Check permissions, up to a thousand in one call",
        body=ChecksForm,
        answer=VerdictsForm,
        signal=True,
        errors=(404,),
    )
)
def check() -> Response:
    """Judge each question, now or as of a past time; a denial is an answer, an unknown customer an error.

    A permit says under which entry of the ledger it stands and until when; a denial says why, and where the customer
    may be asked (`ask`), or that he is to be left alone.

    `Sec-GPC: 1`, handed on from a browser, is heeded for this call and recorded nowhere.
    """
    return answer_ready(judge(here(), body(CHECKS), signal=_signal()))


def judge(house: House, asked: Checks, *, signal: bool) -> dict[str, list[Judged]]:
    """Judge each question.

    Args:
        house: whose customers.
        asked: the questions.
        signal: the browser of this moment opts out.

    Raises:
        RequestInvalid: the time asked for is yet to come.
        CustomerUnknown: with the place of each of them.
    """
    deployment, base_url = house.deployment, house.settings.base_url
    at = past(asked.as_of, deployment.clock(), "/as_of")
    with deployment.store.live() as work:
        verdicts = _verdicts(deployment, work, asked, at, signal=signal)
    return {"data": [judged(verdict, base_url) for verdict in verdicts]}


@blueprint.get("/customers/<customer>/permissions")
@action("permissions.show")
@contract(
    Contract(
        summary="Show what stands for a customer",
        query=AsOfForm,
        answer=PermissionsForm,
        signal=True,
        errors=(404, 422),
    )
)
def show(customer: str) -> Response:
    """Judge every scope of the catalogue that was in force at that time."""
    if not is_id(customer, "cus"):
        raise CustomerUnknown
    deployment = here().deployment
    asked = query(AS_OF).as_of
    at = past(asked, deployment.clock(), "?as_of")
    with deployment.store.read() as work:
        verdicts = gate.check_all(
            deployment.desk, work, CustomerId(customer), at=at, as_of=asked is not None, gpc=_signal()
        )
    position = verdicts[0].position if verdicts else 0
    data = [judged(verdict, here().settings.base_url) for verdict in verdicts]
    return answer(PermissionsForm, {"customer": customer, "at": at, "position": position, "data": data})


def _signal() -> bool:
    return gpc.asked(request.headers.get(gpc.HEADER))


def _verdicts(deployment: Deployment, work: Work, asked: Checks, at: datetime, *, signal: bool) -> list[Verdict]:
    """Judge each question; all unknown customers are named at once.

    Raises:
        CustomerUnknown: with the place of each of them.
    """
    every = [(CustomerId(one["customer"]), one["scope"], one.get("remembered", False)) for one in asked.checks]
    if asked.as_of is None:
        found = gate.check_each(deployment.desk, work, every, at=at, gpc=signal)
    else:
        found = [_as_of(deployment, work, one, at, signal=signal) for one in every]
    unknown = [
        Place(f"/checks/{spot}/customer", "nobody of this id is enrolled")
        for spot, verdict in enumerate(found)
        if verdict is None
    ]
    if unknown:
        raise CustomerUnknown(places=unknown)
    return [verdict for verdict in found if verdict]


def _as_of(
    deployment: Deployment, work: Work, one: tuple[CustomerId, str, bool], at: datetime, *, signal: bool
) -> Verdict | None:
    who, scope, remembered = one
    try:
        return gate.check_as_of(deployment.desk, work, who, scope, at=at, remembered=remembered, gpc=signal)
    except CustomerUnknown:
        return None
