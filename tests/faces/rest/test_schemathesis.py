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

EXAMPLES = 20
"""Calls made for each operation, in each of the two ways."""

WELL_FORMED = ["2xx", 404, 409, 422]
"""What a well-formed call may get: an answer, no such thing, not as things stand, or not what the catalogue knows."""

CONFIG = {
    "generation": {"with-security-parameters": False},  # who may is shown in tests/contracts/test_roles.py
    "checks": {
        "positive_data_acceptance": {"expected-statuses": WELL_FORMED},
        "negative_data_rejection": {"expected-statuses": [400, 404, 413, 415, 422]},
        "missing_required_header": {"expected-statuses": [400, 401]},
        "not_a_server_error": {"expected-statuses": ["2xx", "4xx"]},
    },
}
CUSTOMER = re.compile(r"cus_[0-9a-f]{32}")


def about(customer, value):
    """Return JSON in which every customer is this one, and whole numbers are written as such.

    To JSON Schema 1.0 is an integer too. We refuse it on purpose: a reader that takes 1.0 soon takes 1.9.
    """
    if isinstance(value, dict):
        return {key: about(customer, each) for key, each in value.items()}
    if isinstance(value, list):
        return [about(customer, each) for each in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return customer if isinstance(value, str) and CUSTOMER.fullmatch(value) else value


@pytest.mark.timeout(300)
@pytest.mark.parametrize("mode", GenerationMode)
def test_the_api_does_what_its_description_says(app, shop, sqlite_world, mode):
    described = schemathesis.openapi.from_wsgi("/openapi.json", app, config=SchemathesisConfig.from_dict(CONFIG))
    answers = []

    for found in described.get_all_operations():
        assert isinstance(found, Ok), found
        operation = found.ok()
        written = described.raw_schema["paths"][operation.path][operation.method.lower()]
        if mode is GenerationMode.NEGATIVE and not (written.get("parameters") or "requestBody" in written):
            continue  # nothing comes in that could be wrong

        @settings(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None,
                  suppress_health_check=list(HealthCheck))  # fmt: skip
        @given(case=operation.as_strategy(mode))
        def call(case):
            if mode is GenerationMode.POSITIVE:
                case.body = about(sqlite_world.ann, case.body)
                case.path_parameters = about(sqlite_world.ann, dict(case.path_parameters))
            answer = case.call_and_validate(headers={"Authorization": f"Bearer {shop.token}"})
            answers.append(answer.status_code)

        call()

    assert len(answers) >= 8 * EXAMPLES
    if mode is GenerationMode.POSITIVE:
        assert {200, 201} <= set(answers)
    sqlite_world.check_ledger()
