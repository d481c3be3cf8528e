"""`/api/v1/campaigns`: a campaign's file, checked and published over HTTP."""

import json

import pytest

from api.roles import KeyScope, Role
from personalise.life.events import Did
from tests.campaigns import fill, ready
from tests.faces.rest.conftest import house_of
from tests.serving import served

PATH = "/api/v1/campaigns"


def written(**changes):
    return {"format": "json", "body": json.dumps(ready(**changes))}


@pytest.fixture
def app(sqlite_world):
    fill(sqlite_world, 5)
    return served(house_of(sqlite_world, four_eyes=True))


@pytest.fixture
def marketer(caller):
    return caller((KeyScope.CAMPAIGNS_RUN,), Role.MARKETER)


def put(who, file, tag):
    return who.call("POST", PATH, headers={"If-Match": tag}, json=file)


def test_a_file_is_published_version_by_version_and_nobody_is_contacted(sqlite_world, marketer):
    first = put(marketer, written(), '"v0"')
    told = first.get_json()
    assert (first.status_code, told["campaign"], told["version"], told["state"]) == (201, "spring", 1, "draft")
    assert first.headers["Location"] == f"{PATH}/spring"
    shown = marketer.get(f"{PATH}/spring")
    assert (shown.headers["ETag"], shown.get_json()["published_by"]) == (first.headers["ETag"], told["published_by"])

    second = put(marketer, written(campaign={"name": "Another"}), first.headers["ETag"])
    assert (second.status_code, second.get_json()["version"]) == (201, 2)
    assert [each["event"] for each in marketer.get(f"{PATH}/spring").get_json()["history"]] == [Did.PUBLISHED] * 2
    assert sqlite_world.rows("SELECT * FROM contact") == []
    sqlite_world.check_ledger()


def test_what_somebody_else_published_meanwhile_is_not_published_over(sqlite_world, marketer):
    tag = put(marketer, written(), '"v0"').headers["ETag"]
    size, other = sqlite_world.size(), written(campaign={"name": "Another"})
    answers = [put(marketer, other, '"v0"'), marketer.post(PATH, other), put(marketer, written(), tag)]
    assert [(each.status_code, each.get_json()["code"]) for each in answers] == [
        (412, "version_moved"), (428, "version_missing"), (409, "state_conflict"),
    ]  # fmt: skip
    assert sqlite_world.size() == size


def test_every_place_that_is_wrong_is_named_and_nothing_is_kept(sqlite_world, marketer):
    size = sqlite_world.size()
    bad = written(campaign={"audience": "shoe_size > 3", "purpose": "fun"})
    for refused in (put(marketer, bad, '"v0"'), marketer.post(f"{PATH}:check", bad)):
        told = refused.get_json()
        assert (refused.status_code, told["code"]) == (422, "campaign_invalid")
        assert {each["place"] for each in told["errors"]} == {"campaign.audience, line 1, column 1", "campaign.purpose"}
    torn = put(marketer, {"format": "toml", "body": "[campaign"}, '"v0"')
    assert (torn.status_code, torn.get_json()["code"]) == (422, "campaign_invalid")
    assert sqlite_world.size() == size


def test_a_check_says_what_a_customer_would_have_against_it(sqlite_world, marketer):
    size = sqlite_world.size()
    good = marketer.post(f"{PATH}:check", written()).get_json()
    assert (good["campaign"], good["version"], good["ok"]) == ("spring", None, True)
    poor = marketer.post(f"{PATH}:check", written(campaign={"benefit": "tbd"})).get_json()
    assert (poor["ok"], [each["rule"] for each in poor["advice"] if each["must"]]) == (False, ["benefit"])
    assert sqlite_world.size() == size

    put(marketer, written(), '"v0"')
    assert marketer.post(f"{PATH}:check", written()).get_json()["version"] == 1


def test_whoever_lets_it_run_does_not_publish_it(caller):
    for role in (Role.APPROVER, Role.INTEGRATOR):
        assert put(caller((KeyScope.CAMPAIGNS_RUN,), role), written(), '"v0"').status_code == 403
