"""`/api/v1/customers`: enrol customers by the names they have in the company's own system, or by their addresses."""

from dataclasses import dataclass, field
from typing import Final

from flask import Blueprint, Response

from api.rest.contract import Contract, answer, contract
from api.rest.incoming import body
from api.rest.shapes import CUSTOMER, Form, Part, Shape, Text
from api.roles import action
from api.wiring import here
from consent.register import customers, naming

EMAIL: Final = r"^[^\u0000-\u0020@\u007f]{1,64}@[^\u0000-\u0020@\u007f]{1,255}$"
PHONE: Final = r"^\+[1-9][0-9]{6,14}$"

blueprint: Final = Blueprint("customers", __name__, url_prefix="/api/v1")


class AddressesForm(Form):
    """Where a customer can be reached. Kept as keyed hashes, to be recognised by; never as they are."""

    least = 1
    email = Text(3, 320, EMAIL, "is not an e-mail address")
    phone = Text(8, 16, PHONE, "is not a telephone number like +4930123456")


class CustomerForm(Form):
    """Somebody, by at least one name."""

    least = 1
    reference = Text(1, naming.LONGEST, metadata={"description": "his name in the company's own system"})
    addresses = Part(AddressesForm)


class EnrolledForm(Form):
    """Who it is from now on."""

    customer = Text(36, 36, CUSTOMER, required=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """Somebody, as he is named."""

    reference: str = ""
    addresses: dict[str, str] = field(default_factory=dict)

    def identities(self) -> dict[str, str]:
        """Return kind → value of every name."""
        return {**({customers.REFERENCE: self.reference} if self.reference else {}), **self.addresses}


CUSTOMER_NAMED: Final = Shape(CustomerForm, Named)


@blueprint.post("/customers")
@action("customers.enrol")
@contract(
    Contract(
        summary="Enrol a customer; one who is known keeps his id",
        body=CustomerForm,
        answer=EnrolledForm,
        wrong={409: "`identity_taken`: what is pointed at is another customer's; nobody was enrolled"},
    )
)
def enrol() -> Response:
    """Enrol one customer, or find him again; names that are two customers' are refused, and change nothing.

    Who was enrolled by an address alone is the same customer once a reference comes with it.
    """
    names = body(CUSTOMER_NAMED).identities()
    deployment = here().deployment
    with deployment.store.write() as work:
        customer = customers.enrol_apart(deployment.desk, work, names, at=deployment.clock())
    return answer(EnrolledForm, {"customer": customer})
