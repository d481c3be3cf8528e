"""`/api/v1/receipts`: what a customer takes home of a statement, and whether one holds; and the list of his statements.

A receipt is asked for by the position of its statement's entry. Who verifies one by this API believes this server; to
believe nobody there is `byleave ledger verify-receipt`, and the page `/verify`.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from flask import Blueprint, Response, g
from marshmallow import fields

from api.rest.contract import Contract, answer, contract
from api.rest.incoming import body, no_query, past, query
from api.rest.shapes import MISSING, SCOPE, Choice, Flag, Form, Instant, Items, Part, Shape, Text, Whole
from api.rest.verdicts import LARGEST
from api.roles import action
from api.wiring import here
from consent import standings
from consent.base.errors import CustomerUnknown, EntryUnknown
from consent.base.ids import CustomerId, Scope, is_id
from consent.permission.statement import Act, Method
from consent.receipts import document, issuing
from consent.receipts.checking import Holds
from consent.register import history
from consent.register.history import Said

MOST: Final = 1_000
"""Statements that one answer lists."""

_SEQ: Final = re.compile("0|[1-9][0-9]{0,15}", re.ASCII)

blueprint: Final = Blueprint("receipts", __name__, url_prefix="/api/v1")


class Anything(fields.Raw):
    """JSON of whatever form: judged by what it proves."""

    default_error_messages = {**MISSING}  # noqa: RUF012 -- as marshmallow has it

    def __init__(self, name: str) -> None:
        """Take the name that JSON-LD has for it."""
        super().__init__(required=True, allow_none=True, data_key=name)


class ReceiptForm(Form):
    """A receipt: JSON-LD of ISO/IEC TS 27560 and DPV 2.3, and the proof."""

    context = Anything("@context")
    id = Anything("@id")
    type = Anything("@type")
    conforms_to = Anything("dct:conformsTo")
    identifier = Anything("dct:identifier")
    has_identifier = Anything("dpv:hasIdentifier")
    created = Anything("dct:created")
    publisher = Anything("dct:publisher")
    record = Anything("dpv:hasRecordOfActivity")
    proof = Anything("byleave:proof")


class HeldForm(Form):
    """Whether a receipt holds, and if not, why not."""

    ok = Flag(required=True)
    why = Text(0, 1_000, required=True)


class PageQuery(Form):
    """Which part of a list."""

    limit = Whole(1, MOST, in_query=True)
    cursor = Text(1, 16, "^(0|[1-9][0-9]{0,15})$", "is not a cursor of this list")
    as_of = Instant(metadata={"description": "a past time: what was recorded by then; now, where left out"})


class SaidScopeForm(Form):
    """One scope of a statement."""

    scope = Text(3, 145, SCOPE, required=True)
    notice_version = Whole(0, 65_535, required=True, metadata={"description": "of the wording shown; 0 for none"})
    awaiting = Flag(required=True, metadata={"description": "a yes that is still to be confirmed"})
    valid_until = Instant()


class SaidForm(Form):
    """A statement as it stands in the ledger."""

    seq = Whole(0, LARGEST, required=True, metadata={"description": "position of its entry in the ledger"})
    recorded_at = Instant(required=True)
    said_at = Instant(required=True)
    act = Choice(Act, required=True)
    method = Choice(Method, required=True)
    actor = Text(1, 300, required=True, metadata={"description": "who recorded it"})
    language = Text(0, 32, required=True)
    scopes = Items(Part(SaidScopeForm), 0, 1_000, required=True)
    until = Instant(metadata={"description": "when a pause ends"})
    receipt = Text(1, 64, required=True, metadata={"description": "where its receipt is fetched"})


class SaidListForm(Form):
    """What a customer said, the oldest first."""

    data = Items(Part(SaidForm), 0, MOST, required=True)
    next_cursor = Text(1, 16, required=True, allow_none=True, metadata={"description": "null at the end"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The part of a list that is asked for."""

    limit: int = 100
    cursor: str = ""
    as_of: datetime | None = None


def _as_it_is(**given: Any) -> dict[str, Any]:  # noqa: ANN401 -- JSON of any form
    return given


RECEIPT: Final = Shape(ReceiptForm, _as_it_is)
PAGE: Final = Shape(PageQuery, Page)


@blueprint.get("/receipts/<seq>")
@action("receipts.show")
@contract(
    Contract(summary="Give the receipt of a statement", answer=ReceiptForm, media=document.TYPE, errors=(404, 409))
)
def show(seq: str) -> Response:
    """Give the receipt of the statement at a position: the same one each time."""
    no_query()
    deployment = here().deployment
    made = issuing.issue(deployment.store, deployment.desk, _position(seq), at=deployment.clock())
    return Response(made.body, mimetype=document.TYPE)


@blueprint.post("/receipts:verify")
@action("receipts.verify")
@contract(Contract(summary="Verify a receipt of this deployment; it is not kept", body=ReceiptForm, answer=HeldForm))
def verify() -> Response:
    """Say whether the posted receipt holds."""
    no_query()
    return _verified(None)


@blueprint.post("/receipts/<seq>:verify")
@action("receipts.verify")
@contract(
    Contract(
        summary="Verify that a receipt is that of one statement; it is not kept",
        body=ReceiptForm,
        answer=HeldForm,
        errors=(404,),
    )
)
def verify_one(seq: str) -> Response:
    """Say whether the posted receipt holds, and is that of the statement at this position."""
    no_query()
    return _verified(_position(seq))


def _verified(position: int | None) -> Response:
    body(RECEIPT)
    deployment = here().deployment
    with deployment.store.read() as work:
        found = issuing.verdict(deployment.desk, work, g.body, position=position)
    why = "" if isinstance(found, Holds) else found.why
    return answer(HeldForm, {"ok": not why, "why": why})


@blueprint.get("/customers/<customer>/statements")
@action("permissions.show")
@contract(Contract(summary="List what a customer said", query=PageQuery, answer=SaidListForm, errors=(404, 422)))
def told(customer: str) -> Response:
    """List statements in the order of the ledger."""
    if not is_id(customer, "cus"):
        raise CustomerUnknown
    asked, who, deployment = query(PAGE), CustomerId(customer), here().deployment
    at = past(asked.as_of, deployment.clock(), "?as_of")
    with deployment.store.read() as work:
        if who not in standings.read(work, [who]):
            raise CustomerUnknown
        behind = int(asked.cursor) if asked.cursor else None
        said = history.after(deployment.desk, work, who, behind, asked.limit + 1)
    if asked.as_of is not None:
        said = [one for one in said if one.at <= at]  # entries are in the order of time
    shown = said[: asked.limit]
    more = str(shown[-1].seq) if len(said) > len(shown) else None
    return answer(SaidListForm, {"data": [_said(one) for one in shown], "next_cursor": more})


def _position(seq: str) -> int:
    if not _SEQ.fullmatch(seq):
        raise EntryUnknown
    return int(seq)


def _said(one: Said) -> dict[str, object]:
    said = one.statement
    written: dict[str, object] = {
        "seq": one.seq, "recorded_at": one.at, "said_at": said.said_at, "act": said.act, "method": said.method,
        "actor": one.actor, "language": said.language, "scopes": [_scope(one, scope) for scope in said.scopes],
        "receipt": f"/api/v1/receipts/{one.seq}",
    }  # fmt: skip
    return written if said.until is None else {**written, "until": said.until}


def _scope(one: Said, scope: Scope) -> dict[str, object]:
    said = one.statement
    ends = (said.valid_until or {}).get(scope)
    shown: dict[str, object] = {
        "scope": scope, "notice_version": (said.notices or {}).get(scope, 0), "awaiting": scope in said.awaiting,
    }  # fmt: skip
    return shown if ends is None else {**shown, "valid_until": ends}
