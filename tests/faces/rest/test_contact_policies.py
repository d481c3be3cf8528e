"""`/api/v1/contact-policy`: drafted, checked, published, shown, as the command line does it."""

import json

import pytest

from api.roles import KeyScope, Role

PATH = "/api/v1/contact-policy"
TEXT = json.dumps(
    {"cap": [{"key": "week", "limit": 2, "days": 7}], "goodwill": {"floor": 20, "prices": {"email": 1.5}}}
)
FILE = {"format": "json", "body": TEXT}


@pytest.fixture
def approver(caller):
    return caller((KeyScope.CAMPAIGNS_RUN,), Role.APPROVER)


def put(who, body, tag):
    return who.call("POST", PATH, headers={"If-Match": tag}, json=body)


def test_before_anything_is_published_there_are_no_rules(approver):
    answer = approver.get(PATH)
    told = answer.get_json()
    assert (told["version"], told["rules"], told["body"], answer.headers["ETag"]) == (None, [], "", '"v0"')


def test_a_policy_is_published_shown_and_kept_as_a_version(sqlite_world, approver):
    answer = put(approver, FILE, '"v0"')
    told = answer.get_json()
    assert (answer.status_code, answer.headers["Location"]) == (201, f"{PATH}/versions/1")
    assert told["rules"] == [
        {"rule": "company:week", "asks": "at most 2 contacts in 7 days"},
        {"rule": "goodwill", "asks": "starts at 100, never below 20; a contact costs: email 1.5"},
    ]
    assert (told["version"], told["goodwill"]["prices"], told["body"]) == (
        1, [{"channel": "email", "price": 1.5}], TEXT,
    )  # fmt: skip
    for path in (PATH, f"{PATH}/versions/1"):
        shown = approver.get(path)
        assert (shown.get_json(), shown.headers["ETag"]) == (told, '"v1"')
    sqlite_world.check_ledger()


def test_what_somebody_else_published_meanwhile_is_not_published_over(sqlite_world, approver):
    put(approver, FILE, '"v0"')
    size = sqlite_world.size()
    other = {**FILE, "body": TEXT.replace("7", "8")}
    answers = [put(approver, other, '"v0"'), approver.post(PATH, other), put(approver, FILE, '"v1"')]
    assert [(each.status_code, each.get_json()["code"]) for each in answers] == [
        (412, "version_moved"), (428, "version_missing"), (409, "state_conflict"),
    ]  # fmt: skip
    assert sqlite_world.size() == size


def test_a_check_names_every_place_and_publishes_nothing(sqlite_world, caller):
    size, who = sqlite_world.size(), caller()
    good = who.post(f"{PATH}:check", FILE)
    assert (good.status_code, good.get_json()["version"]) == (200, None)
    bad = {"format": "toml", "body": '[[cap]]\nkey = "week"\nlimit = 2\ndays = 0\nchannels = ["fax"]\n'}
    refused = who.post(f"{PATH}:check", bad)
    assert (refused.status_code, refused.get_json()["code"]) == (422, "contact_policy_invalid")
    assert len(refused.get_json()["errors"]) == 2
    assert sqlite_world.size() == size


def test_a_file_without_content_lifts_no_rule(sqlite_world, approver):
    put(approver, FILE, '"v0"')
    size = sqlite_world.size()
    for empty in ({"format": "toml", "body": "# nothing"}, {"format": "json", "body": "{}"}):
        answers = (approver.post(f"{PATH}:check", empty), put(approver, empty, '"v1"'))
        assert [each.get_json()["code"] for each in answers] == ["contact_policy_invalid"] * 2
    assert sqlite_world.size() == size


def test_the_draft_that_comes_with_it_holds(caller):
    who = caller()
    draft = who.get(f"{PATH}/draft").get_json()
    assert who.post(f"{PATH}:check", draft).status_code == 200


def test_a_version_that_is_not_there_is_not_found(caller):
    answer = caller().get(f"{PATH}/versions/7")
    assert (answer.status_code, answer.get_json()["code"]) == (404, "contact_policy_unknown")


def test_whoever_integrates_reads_and_does_not_publish(caller):
    who = caller((KeyScope.CAMPAIGNS_RUN,))
    assert (who.get(PATH).status_code, put(who, FILE, '"v0"').status_code) == (200, 403)
