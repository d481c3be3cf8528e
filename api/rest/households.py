"""`/api/v1/customers/{id}/household`: with whom a customer lives, for caps that count a household together."""

from dataclasses import dataclass
from typing import Final

from flask import Blueprint, Response

from api.rest.contract import Contract, answer, contract
from api.rest.incoming import body, no_query
from api.rest.shapes import CUSTOMER, Flag, Form, Shape, Text
from api.roles import action
from api.wiring import here
from consent.base.errors import CustomerUnknown, Place, RequestUnfit
from consent.base.ids import is_id
from consent.register import customers, households
from consent.register.households import LONGEST_NAME

_BLANK: Final = "is blank: it names no household; DELETE takes the customer out of his"

blueprint: Final = Blueprint("households", __name__, url_prefix="/api/v1")


class HouseholdForm(Form):
    """The household that a customer is in."""

    name = Text(
        1, LONGEST_NAME, required=True,
        metadata={"description": "a number or an address: whoever has the same lives together; kept as a keyed hash"},
    )  # fmt: skip


class CustomerHouseholdForm(Form):
    """Whether a customer is in a household now. In which one, nobody can read."""

    customer = Text(36, 36, CUSTOMER, required=True)
    household = Flag(required=True)
    changed = Flag(required=True, metadata={"description": "false where that stood already"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A household as it came in."""

    name: str


NAMED: Final = Shape(HouseholdForm, Named)


@blueprint.put("/customers/<customer>/household")
@action("households.change")
@contract(
    Contract(
        summary="Say which household a customer is in", body=HouseholdForm, answer=CustomerHouseholdForm,
        errors=(404, 409),
    )
)  # fmt: skip
def put(customer: str) -> Response:
    """Note which household he is in, in place of the one before: caps by household go by it from the next decision."""
    name = body(NAMED).name
    if not name.strip():
        raise RequestUnfit(places=[Place("/name", _BLANK)])
    return _changed(customer, name)


@blueprint.delete("/customers/<customer>/household")
@action("households.change")
@contract(Contract(summary="Say that a customer is in no household", answer=CustomerHouseholdForm, errors=(404, 409)))
def delete(customer: str) -> Response:
    """Note that he is in none: he counts alone."""
    no_query()
    return _changed(customer, "")


def _changed(customer: str, name: str) -> Response:
    if not is_id(customer, "cus"):
        raise CustomerUnknown
    deployment = here().deployment
    with deployment.store.write() as work:
        who = customers.find(deployment.desk, work, customer)
        done = households.put(deployment.desk, work, who, name, at=deployment.clock())
    return answer(CustomerHouseholdForm, {"customer": who, "household": bool(name.strip()), "changed": done})
