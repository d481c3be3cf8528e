"""`POST` to `/api/v1/decisions/{id}/outcome`, to its `:turn-down`, to a customer's `/goodwill`: what comes back."""

import pytest

from api.roles import KeyScope, Role
from consent.base.clock import rfc3339
from personalise import engine
from tests.campaigns import publish, willing


@pytest.fixture
def made(sqlite_world):
    publish(sqlite_world, campaign={"holdout": {"share": 0, "salt": "s"}})
    [who] = willing(sqlite_world, 1)
    return engine.decide_one(sqlite_world.deployment, who, campaign="spring", actor="mia")


@pytest.fixture
def shop(caller):
    return caller([KeyScope.DECISIONS_WRITE])


def test_an_outcome_is_recorded_once(shop, made, sqlite_world):
    told = {"value": True, "came_at": rfc3339(sqlite_world.clock())}
    first, again = (shop.post(f"/api/v1/decisions/{made.id}/outcome", told) for _ in range(2))

    assert first.json == {
        "decision": made.id, "customer": made.customer, "measure": "visited", "came_at": told["came_at"],
        "outcome": "stored",
    }  # fmt: skip
    assert (first.status_code, again.status_code, again.json["outcome"]) == (200, 200, "repeated")
    assert sqlite_world.recall([made.customer], ["visited"], purpose="measurement") == [{"visited": True}]


def test_what_was_offered_is_turned_down_once_and_its_family_rests(shop, made, sqlite_world):
    at = rfc3339(sqlite_world.clock())
    first = shop.post(f"/api/v1/decisions/{made.id}:turn-down")
    sqlite_world.clock.advance(days=1)
    again = shop.post(f"/api/v1/decisions/{made.id}:turn-down")

    told = {"decision": made.id, "customer": made.customer, "family": "spring", "turned_down_at": at}
    assert (first.status_code, first.json) == (200, {**told, "repeated": False})
    assert (again.status_code, again.json) == (200, {**told, "repeated": True})


def test_what_is_no_decision_can_not_be_turned_down(shop, made):
    for name in ("dec_" + "0" * 32 + ".0", "dec_1.0", f"{made.id}1"):
        assert shop.post(f"/api/v1/decisions/{name}:turn-down").status_code == 404


@pytest.mark.parametrize("value", [3, "true", None, [True], {"a": 1}])
def test_a_value_of_another_kind_is_refused_and_named(shop, made, sqlite_world, value):
    told = {"value": value, "came_at": rfc3339(sqlite_world.clock())}
    refused = shop.post(f"/api/v1/decisions/{made.id}/outcome", told)

    assert (refused.status_code, refused.json["errors"][0]["pointer"]) in ((422, "/value"), (400, "/value"))
    assert sqlite_world.rows("SELECT * FROM outcome") == []


def test_a_complaint_is_reported_by_an_agent_and_stands_in_the_account(caller, sqlite_world):
    agent = caller([KeyScope.DECISIONS_WRITE, KeyScope.CONSENT_READ], Role.AGENT)
    path = f"/api/v1/customers/{sqlite_world.ann}/goodwill"
    before = agent.get(path)
    done = agent.post(path, {"kind": "complaint", "reference": "call 7"})
    after = agent.get(path)

    assert before.json == {"customer": sqlite_world.ann, "balance": 100.0, "data": []}
    assert {**done.json, "reference": ""} == {
        "customer": sqlite_world.ann, "kind": "complaint", "reference": "", "amount": -100.0, "balance": 0.0,
        "repeated": False, "suppressed": 1,
    }  # fmt: skip
    assert [(line["kind"], line["amount"], line["balance"]) for line in after.json["data"]] == [
        ("opening", 100.0, 100.0), ("complaint", -100.0, 0.0),
    ]  # fmt: skip
    assert sqlite_world.reason(sqlite_world.ann, "contact:email:newsletter") == "SUPPRESSED"


@pytest.mark.parametrize(
    "body", [{"kind": "complaint"}, {"kind": "complaint", "reference": "a", "decision": "dec_" + "0" * 32 + ".0"}]
)
def test_a_report_about_nothing_or_two_things_is_refused(shop, sqlite_world, body):
    refused = shop.post(f"/api/v1/customers/{sqlite_world.ann}/goodwill", body)

    assert (refused.status_code, refused.json["code"]) == (422, "request_unfit")


@pytest.mark.parametrize("customer", ["nobody", "cus_" + "0" * 32])
def test_nobody_has_an_account(caller, customer):
    path = f"/api/v1/customers/{customer}/goodwill"
    agent = caller([KeyScope.DECISIONS_WRITE, KeyScope.CONSENT_READ], Role.AGENT)

    assert agent.get(path).status_code == agent.post(path, {"kind": "thanks", "reference": "x"}).status_code == 404
