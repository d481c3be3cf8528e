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
"""What it takes a second person for."""

ENDING = ("/erasure",)
"""After which a customer can say nothing any more: it is tried on another than all the rest."""

LONG = 1_000
"""From how many signs on a text's form is left to those of shorter texts: form and length are compiled into one
expression, which grows with the length and took two thirds of all the time."""

LARGEST_INTEGER = 2**53 - 1
CUSTOMER = re.compile(r"cus_[0-9a-f]{32}")
CONTROLS = re.compile(r"[\x00-\x1f\x7f]")


def about(customer, value):
    """Return JSON in which every customer is this one, and whole numbers are written as such.

    To JSON Schema 1.0 is an integer too. We refuse it on purpose: a reader that takes 1.0 soon takes 1.9. Where we take
    any JSON, a schema can't say that it must be read the same by everybody: no great integers, no NUL. The other signs
    that control devices stand in no text at all.
    """
    if isinstance(value, dict):
        return {without_controls(key): about(customer, each) for key, each in value.items()}
    if isinstance(value, list):
        return [about(customer, each) for each in value]
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return max(-LARGEST_INTEGER, min(value, LARGEST_INTEGER))
    return customer if isinstance(value, str) and CUSTOMER.fullmatch(value) else without_controls(value)


def without_controls(value):
    return CONTROLS.sub("", value) if isinstance(value, str) else value


def lighten(part, forms):
    """Of long texts that are sent, let go of the form."""
    if isinstance(part, list):
        part = dict(enumerate(part))
    if not isinstance(part, dict):
        return
    if isinstance(part.get("pattern"), str) and part.get("maxLength", 0) > LONG:
        del part["pattern"]
    for name, each in part.items():
        lighten(forms[each.rpartition("/")[2]] if name == "$ref" else each, forms)


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
            lighten(written.get("requestBody"), described.raw_schema["components"]["schemas"])
    answers = []
    officer, approver = caller(role=Role.OFFICER), caller(role=Role.APPROVER)

    for found in described.get_all_operations():
        assert isinstance(found, Ok), found
        operation = found.ok()
        written = described.raw_schema["paths"][operation.path][operation.method.lower()]
        if mode is GenerationMode.NEGATIVE and not (written.get("parameters") or "requestBody" in written):
            continue  # nothing comes in that could be wrong

        who = officer if operation.path.endswith(OFFICERS) else shop
        who = approver if operation.path.endswith(APPROVERS) else who
        customer = sqlite_world.bo if operation.path.endswith(ENDING) else sqlite_world.ann

        answers += called(operation, mode, who, customer)

    assert len(answers) >= 8 * EXAMPLES
    if mode is GenerationMode.POSITIVE:
        assert {200, 201} <= set(answers)
    sqlite_world.check_ledger()
