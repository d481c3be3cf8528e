"""Calls made from the description, good and bad, against the application in this process.

Bounded and repeatable here; more of it with a higher number of examples. Every answer has a documented status and form,
what is well-formed is never refused for its form, what is malformed is always refused, and nothing is our fault.
"""

import re

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.config import SchemathesisConfig
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode

from api.roles import Role

EXAMPLES = 20
"""Calls made for each operation, in each of the two ways."""

WELL_FORMED = ["2xx", 404, 409, 412, 422]
"""What a well-formed call may get: an answer, no such thing, not as things stand, changed since it was looked at, or
nothing that can be asked."""

CONFIG = {
    "generation": {"with-security-parameters": False},  # who may is shown in tests/contracts/test_roles.py
    "checks": {
        "positive_data_acceptance": {"expected-statuses": WELL_FORMED},
        "negative_data_rejection": {"expected-statuses": [400, 404, 412, 413, 415, 422, 428]},
        "missing_required_header": {"expected-statuses": [400, 401, 428]},
        "not_a_server_error": {"expected-statuses": ["2xx", "4xx"]},
    },
}
OFFICERS = ("/export", "/erasure")
"""What no integrator's key may."""

APPROVERS = (":approve", "/contact-policy")
PUBLISHING = ("/api/v1/campaigns", "post")
"""What it takes a second person for."""

ENDING = ("/erasure",)
"""After which a customer can say nothing any more: it is tried on another than all the rest."""

LONG = 1_000
"""Signs of the longest texts that are made up for a form: form and length are compiled into one expression, which grows
with the length, and took two thirds of all the time."""

LARGEST_INTEGER = 2**53 - 1
CUSTOMER = re.compile(r"cus_[0-9a-f]{32}")


def about(customer, value):
    """Return JSON in which every customer is this one, and whole numbers are written as such.

    To JSON Schema 1.0 is an integer too. We refuse it on purpose: a reader that takes 1.0 soon takes 1.9. Where we take
    any JSON, a schema can't say that it must be read the same by everybody: no great integers, no NUL.
    """
    if isinstance(value, dict):
        return {key.replace("\0", ""): about(customer, each) for key, each in value.items()}
    if isinstance(value, list):
        return [about(customer, each) for each in value]
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return max(-LARGEST_INTEGER, min(value, LARGEST_INTEGER))
    return customer if isinstance(value, str) and CUSTOMER.fullmatch(value) else without_nul(value)


def without_nul(value):
    return value.replace("\0", "") if isinstance(value, str) else value


def shorter(form, mode):
    """Return a text's form with less to compile: texts that are right are shorter, wrong ones are wrong elsewhere."""
    if not isinstance(form.get("pattern"), str) or form.get("maxLength", 0) <= LONG:
        return form
    if mode is GenerationMode.POSITIVE:
        return form | {"maxLength": LONG}
    return {name: each for name, each in form.items() if name != "pattern"}


def sent(part, forms, mode):
    """Return a part of what is sent with shorter texts; forms that answers share are copied, and stay as they are."""
    if isinstance(part, list):
        return [sent(each, forms, mode) for each in part]
    if not isinstance(part, dict):
        return part
    part = shorter(part, mode)
    if "$ref" not in part:
        return {name: sent(each, forms, mode) for name, each in part.items()}
    name = part["$ref"].rpartition("/")[2]
    own = f"{name}Sent"
    if own not in forms:
        forms[own] = {}  # it may speak of itself
        forms[own] |= sent(forms[name], forms, mode)
    return part | {"$ref": f"#/components/schemas/{own}"}


def called(operation, mode, who, customer):
    """Call an operation with many examples, in somebody's name and about a customer; return the statuses."""
    answers = []

    @settings(max_examples=EXAMPLES, derandomize=True, database=None,
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(case=operation.as_strategy(mode))
    def call(case):
        if mode is GenerationMode.POSITIVE:
            case.body = about(customer, case.body)
            case.path_parameters = about(customer, dict(case.path_parameters))
        answer = case.call_and_validate(headers={"Authorization": f"Bearer {who.token}"})
        answers.append(answer.status_code)

    call()
    return answers


@pytest.mark.timeout(300)
@pytest.mark.parametrize("mode", GenerationMode)
def test_the_api_does_what_its_description_says(app, shop, caller, sqlite_world, mode):
    described = schemathesis.openapi.from_wsgi("/openapi.json", app, config=SchemathesisConfig.from_dict(CONFIG))
    for path in described.raw_schema["paths"].values():
        for written in path.values():
            if "requestBody" in written:
                forms = described.raw_schema["components"]["schemas"]
                written["requestBody"] = sent(written["requestBody"], forms, mode)
    answers = []
    officer, approver, marketer = (caller(role=role) for role in (Role.OFFICER, Role.APPROVER, Role.MARKETER))

    for found in described.get_all_operations():
        assert isinstance(found, Ok), found
        operation = found.ok()
        written = described.raw_schema["paths"][operation.path][operation.method.lower()]
        if mode is GenerationMode.NEGATIVE and not (written.get("parameters") or "requestBody" in written):
            continue  # nothing comes in that could be wrong

        who = officer if operation.path.endswith(OFFICERS) else shop
        who = approver if operation.path.endswith(APPROVERS) else who
        who = marketer if (operation.path, operation.method) == PUBLISHING else who
        customer = sqlite_world.bo if operation.path.endswith(ENDING) else sqlite_world.ann

        answers += called(operation, mode, who, customer)

    assert len(answers) >= 8 * EXAMPLES
    if mode is GenerationMode.POSITIVE:
        assert {200, 201} <= set(answers)
    sqlite_world.check_ledger()
