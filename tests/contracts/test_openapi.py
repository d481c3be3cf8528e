"""The description of the API: valid, complete, and as strict as the API is."""

import pytest
from marshmallow import fields
from openapi_spec_validator import OpenAPIV31SpecValidator

from api.problems import for_programs
from api.rest.contract import contract_of
from api.rest.shapes import MISSING
from api.roles import ACTIONS, action_of
from api.settings import Settings
from api.wiring import House
from tests.serving import served

METHODS = ("get", "post", "put", "patch", "delete")


@pytest.fixture
def app(sqlite_world):
    settings = Settings(database_url=sqlite_world.url, keyring=sqlite_world.keyring)
    return served(House(settings=settings, deployment=sqlite_world.deployment))


@pytest.fixture
def described(app):
    return app.test_client().get("/openapi.json").get_json()


def operations(described):
    return {
        (path, method): operation
        for path, item in described["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    }


def inside(value):
    yield value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from inside(each)


def test_the_description_is_valid_openapi_3_1(described):
    assert described["openapi"] == "3.1.0"
    assert [str(error) for error in OpenAPIV31SpecValidator(described).iter_errors()] == []


def test_every_route_for_programs_is_described(app, described):
    routes = {
        (rule.rule.replace("<", "{").replace(">", "}"), method.lower())
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if for_programs(rule.rule) and rule.rule != "/openapi.json"
    }
    assert set(operations(described)) == routes


def test_who_may_is_described_as_it_is(app, described):
    by_operation = {each["operationId"]: each["security"] for each in operations(described).values()}
    promised = {
        endpoint.replace(".", "_"): ACTIONS[action_of(view) or ""]
        for endpoint, view in app.view_functions.items()
        if contract_of(view)
    }
    assert by_operation == {name: [] if who.public else [{"key": [str(who.scope)]}] for name, who in promised.items()}


def test_every_operation_has_an_id_and_a_summary_of_its_own(described):
    every = operations(described).values()
    for name in ("operationId", "summary"):
        assert len({each[name] for each in every}) == len(every)


def test_every_operation_says_what_it_does_beyond_its_summary_and_who_may_call_it(described):
    for operation in operations(described).values():
        *told, who = operation["description"].split("\n\n")
        scopes = [scope for needed in operation["security"] for scope in needed["key"]]
        by = f"by a key that was made for `{scopes[0]}`" if scopes else "by everybody, without a key"
        assert (bool("".join(told)), who.partition(", as ")[0].rstrip(".")) == (True, f"May be called {by}")
        assert operation["summary"] not in told
        assert "Raises:" not in operation["description"]


def test_an_operation_says_as_whom_a_key_has_to_act_where_an_integrator_may_not(described):
    paths = ("/api/v1/contact-policy", "/api/v1/customers/{customer}/export", "/api/v1/statements")
    said = [described["paths"][path]["post"]["description"].rpartition("`")[2] for path in paths]
    assert said == [", as approver.", ", as agent or officer.", "."]


def test_an_operation_says_what_its_problems_mean_there(described):
    decide, measure = (
        {status: answer["description"] for status, answer in operations(described)[path, "post"]["responses"].items()}
        for path in ("/api/v1/decisions", "/api/v1/campaigns/{campaign}:measure")
    )
    assert decide["422"].startswith("`request_unfit`: no treatment of the campaign goes by the channel;")
    assert (decide["401"], measure["404"]) == ("No key, or none that is in use", "There is no such campaign")


def test_every_error_is_a_problem(described):
    kinds = {
        (int(status) >= 400, media)
        for operation in operations(described).values()
        for status, answer in operation["responses"].items()
        for media in answer["content"]
    }
    assert kinds == {
        (False, "application/json"),
        (False, "application/ld+json"),
        (False, "application/pdf"),
        (False, "application/zip"),
        (False, "text/csv"),
        (False, "text/html"),
        (False, "text/plain"),
        (True, "application/problem+json"),
    }


def test_no_object_takes_what_it_does_not_name(described):
    objects = [each for each in inside(described) if isinstance(each, dict) and each.get("type") == "object"]
    assert objects != []
    assert [each for each in objects if each["additionalProperties"] is not False] == []


def test_every_text_list_and_number_that_comes_in_has_its_bounds(described):
    bodies = [each["requestBody"] for each in operations(described).values() if "requestBody" in each]
    names = {ref.rpartition("/")[2] for body in bodies for each in inside(body)
             if isinstance(each, dict) and (ref := each.get("$ref"))}  # fmt: skip
    seen: set[str] = set()
    while names - seen:
        name = (names - seen).pop()
        seen.add(name)
        names |= {each["$ref"].rpartition("/")[2] for each in inside(described["components"]["schemas"][name])
                  if isinstance(each, dict) and "$ref" in each}  # fmt: skip
    open_ended = [
        (name, each)
        for name in seen
        for each in inside(described["components"]["schemas"][name])
        if isinstance(each, dict) and not bounded(each)
    ]
    assert seen == {
        "Acceptance", "Addresses", "AskedAddress", "CampaignDue", "CampaignFile", "CampaignStart", "CampaignStop",
        "Check", "CheckAddress", "Checks", "Compare", "ComparedPolicy", "ContactLimit", "ContactPolicyFile", "Customer",
        "Decide", "ErasureAsked", "ExportAsked", "FindingOwner", "GoodwillReport", "Household", "Import", "Measure",
        "MoreTime", "Outcome", "QuietHours", "Receipt", "Simulate", "RequestAnswer", "RequestComing", "RequestOwner",
        "Statement", "Statements", "Stop", "Suppress", "Try", "WantedPack", "WantedSchedule", "Wishes",
    }  # fmt: skip
    assert open_ended == []


def bounded(schema):
    match schema.get("type"):
        case "string":
            return bool({"maxLength", "enum", "format"} & set(schema))
        case "array":
            return "maxItems" in schema
        case "integer" | "number":
            return {"minimum", "maximum"} <= set(schema)
        case _:
            return True


def fields_of(form, where):
    """Walk all fields of a form, those of its parts too."""
    for name, each in form().fields.items():
        found = each.inner if isinstance(each, fields.List) else each
        yield f"{where}.{name}", each
        yield f"{where}.{name}[]", found
        if isinstance(found, fields.Nested):
            yield from fields_of(type(found.schema), f"{where}.{name}")


def test_every_field_that_comes_in_says_in_the_same_words_that_it_is_missing_or_null(app):
    foreign = {
        where
        for view in app.view_functions.values()
        if (promised := contract_of(view))
        for form in (promised.body, promised.query)
        if form
        for where, each in fields_of(form, form.__name__)
        if {key: each.error_messages.get(key) for key in MISSING} != MISSING
    }
    assert foreign == set()
