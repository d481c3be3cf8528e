"""`/api/v1/customers/{id}/export` and `/erasure`: what a customer is given of his data, and that they are gone.

Both are posts, for both are recorded before they happen, and the reason stands in no address. People do either right
after signing in; a key is shown with every call, and may do them if it was made for rights and for an officer (an
export: for an agent too).
"""

from dataclasses import dataclass
from typing import Final

from flask import Blueprint, Response
from marshmallow import fields

from api import rights
from api.actors import actor
from api.rest.contract import Contract, answer, contract
from api.rest.incoming import body
from api.rest.requests import PROSE, REQUEST
from api.rest.shapes import CUSTOMER, LANGUAGE, Choice, Flag, Form, Instant, Shape, Text, Whole
from api.rest.verdicts import LARGEST
from api.roles import action
from api.wiring import here
from consent.base.errors import CustomerUnknown
from consent.base.ids import CustomerId, is_id
from consent.rights import exporting
from consent.rights.asked import How
from consent.rights.erasing import Ground
from consent.rights.exporting import Form as Written

blueprint: Final = Blueprint("rights", __name__, url_prefix="/api/v1")


class ExportAskedForm(Form):
    """Why, and how it is to be written."""

    reason = Text(1, 2_000, PROSE, required=True, metadata={"description": "why; written down with who asked"})
    format = Choice(Written, read=Written, metadata={"description": "json, where left out"})
    language = Text(2, 35, LANGUAGE, "is not a language's tag", metadata={"description": "of explanations"})


class Rows(fields.List[object]):
    """Rows of a section; what they hold is described in docs/rights.md."""

    def __init__(self) -> None:
        """Take rows of whatever form."""
        super().__init__(fields.Raw(), required=True)


class Anything(fields.Raw):
    """JSON of whatever form, by the name that JSON-LD has for it."""

    def __init__(self, name: str = "") -> None:
        """Take the name, where it isn't the field's own."""
        super().__init__(required=True, data_key=name or None)


class ExportForm(Form):
    """All that is kept of a customer and known of him. Long sections are streamed."""

    format = Text(1, 40, required=True)
    export = Text(36, 36, required=True)
    made_at = Instant(required=True)
    position = Whole(0, LARGEST, required=True, metadata={"description": "of the ledger entry that tells of it"})
    catalogue = Whole(0, LARGEST, required=True)
    controller = Anything()
    rights = Rows()
    customer = Anything()
    identities = Rows()
    households = Rows()
    remembered = Rows()
    permissions = Rows()
    statements = Rows()
    notices = Rows()
    receipts = Rows()
    decisions = Rows()
    contacts = Rows()
    outcomes = Rows()
    goodwill = Rows()
    commitments = Rows()
    wishes = Rows()
    uses = Rows()
    requests = Rows()


class LinkedExportForm(Form):
    """The same as JSON-LD, in the words of DPV 2.3."""

    context = Anything("@context")
    id = Anything("@id")
    type = Anything("@type")
    conforms_to = Anything("dct:conformsTo")
    identifier = Anything("dct:identifier")
    created = Anything("dct:created")
    position = Anything("byleave:position")
    catalogue = Anything("byleave:catalogueVersion")
    law = Anything("dpv:hasApplicableLaw")
    controller = Anything("dpv:hasDataController")
    subject = Anything("dpv:hasDataSubject")
    rights = Anything("dpv:hasRight")
    data = Anything("dpv:hasPersonalData")
    processes = Anything("dpv:hasProcess")
    records = Anything("dpv:hasRecordOfActivity")
    notices = Anything("dpv:hasNotice")
    recognised_by = Anything("byleave:recognisedBy")
    households = Anything("byleave:household")
    receipts = Anything("byleave:receipt")
    commitments = Anything("byleave:commitment")
    wishes = Anything("byleave:wish")


class ErasureAskedForm(Form):
    """Why somebody is erased (GDPR Art. 17(1)), and whether his addresses are left alone for good."""

    ground = Choice(Ground, read=Ground, required=True)
    suppress = Flag()


class ErasureForm(Form):
    """An erasure. What stays are proofs without their content, and that he was erased."""

    customer = Text(36, 36, CUSTOMER, required=True)
    erased_at = Instant(required=True)
    position = Whole(0, LARGEST, required=True, metadata={"description": "of the ledger entry that says so"})
    repeated = Flag(required=True, metadata={"description": "he had been erased before"})
    suppressed = Whole(0, LARGEST, required=True, metadata={"description": "addresses that are left alone from now on"})
    request = Text(36, 36, REQUEST, required=True, metadata={"description": "the request that it fulfilled"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportAsked:
    """Why, and how."""

    reason: str
    format: Written = Written.JSON
    language: str = "en"


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureAsked:
    """Why, and whether his addresses are left alone."""

    ground: Ground
    suppress: bool = False


EXPORT: Final = Shape(ExportAskedForm, ExportAsked)
ERASURE: Final = Shape(ErasureAskedForm, ErasureAsked)


@blueprint.post("/customers/<customer>/export")
@action("customers.export")
@contract(
    Contract(
        summary="Write out all that is kept of a customer and known of him",
        body=ExportAskedForm,
        answer=ExportForm,
        others={Written.JSONLD.media_type: LinkedExportForm},
        errors=(404,),
    )
)
def export(customer: str) -> Response:
    """Record an export, and stream it."""
    given, who, house = body(EXPORT), _customer(customer), here()
    deployment = house.deployment
    with deployment.store.write() as work:
        begun = exporting.start(
            deployment.desk, work, who, given.format, actor=actor.current().name, reason=given.reason,
            at=deployment.clock(),
        )  # fmt: skip
    written = exporting.written(deployment.store, deployment.desk, begun, house.elsewhere(given.language))
    headers = {"Content-Disposition": f'attachment; filename="{begun.name}"'}
    return Response(written, headers=headers, mimetype=begun.form.media_type)


@blueprint.post("/customers/<customer>/erasure")
@action("customers.erase")
@contract(Contract(summary="Erase a customer for good", body=ErasureAskedForm, answer=ErasureForm, errors=(404, 409)))
def erase(customer: str) -> Response:
    """Erase a customer, and close the request that asked for it."""
    given, who = body(ERASURE), _customer(customer)
    done = rights.erase(
        here(), who, ground=given.ground, by=actor.current().name, how=How.PROGRAM, suppress=given.suppress
    )
    told = {
        "customer": done.erased.customer, "erased_at": done.erased.at, "position": done.erased.position,
        "repeated": done.erased.repeated, "suppressed": done.erased.suppressed, "request": done.request.id,
    }  # fmt: skip
    return answer(ErasureForm, told)


def _customer(customer: str) -> CustomerId:
    if not is_id(customer, "cus"):
        raise CustomerUnknown
    return CustomerId(customer)
