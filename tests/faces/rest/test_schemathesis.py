"""Calls made from the description, good and bad, against the application in this process.

Bounded and repeatable here; at length by hand. Every answer has a documented status and form, what is well-formed is
never refused for its form, what is malformed is always refused, and no method, header or key is overlooked.
"""

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.config import SchemathesisConfig

EXAMPLES = 25
WELL_FORMED = ["2xx", 404, 409, 422]
"""What a well-formed call may get: an answer, no such thing, not as things stand, or not what the catalogue knows."""

CONFIG = {
    "generation": {"deterministic": True, "max-examples": EXAMPLES, "database": "none"},
    "checks": {
        "positive_data_acceptance": {"expected-statuses": WELL_FORMED},
        "negative_data_rejection": {"expected-statuses": [400, 404, 413, 415, 422]},
        "missing_required_header": {"expected-statuses": [400, 401]},
        "not_a_server_error": {"expected-statuses": ["2xx", "4xx"]},
    },
}


@pytest.fixture
def described(app):
    return schemathesis.openapi.from_wsgi("/openapi.json", app, config=SchemathesisConfig.from_dict(CONFIG))


api = schemathesis.pytest.from_fixture("described")


@api.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.function_scoped_fixture],
)
def test_the_api_does_what_its_description_says(case, shop):
    case.call_and_validate(headers={"Authorization": f"Bearer {shop.token}"})
