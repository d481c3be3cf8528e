"""`/api/v1/contact-policy`: drafted, checked, published, shown, as the command line does it."""

import json

import pytest

from api.roles import KeyScope, Role
from personalise.life import running
from tests.campaigns import publish
from tests.flows.test_contact_policy import rule

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
    assert (good.status_code, good.get_json()["version"], good.get_json()["advice"]) == (200, None, [])
    told = who.post(f"{PATH}:check", {"format": "json", "body": json.dumps({"zones": {"country": "country"}})})
    assert [each["where"] for each in told.get_json()["advice"]] == ["zones.country"]
    bad = {"format": "toml", "body": '[[cap]]\nkey = "week"\nlimit = 2\ndays = 0\nchannels = ["fax"]\n'}
    refused = who.post(f"{PATH}:check", bad)
    assert (refused.status_code, refused.get_json()["code"]) == (422, "contact_policy_invalid")
    assert len(refused.get_json()["errors"]) == 2
    assert sqlite_world.size() == size


def test_a_check_tells_what_would_change_and_a_version_what_it_changed(caller, approver):
    first = approver.post(f"{PATH}:check", FILE).get_json()["changes"]
    assert [each["was"] for each in first if each["rule"] != "weight_of_benefit"] == [None] * len(first)
    put(approver, FILE, '"v0"')
    fewer = {**FILE, "body": TEXT.replace('"limit": 2', '"limit": 1')}
    would = approver.post(f"{PATH}:check", fewer).get_json()["changes"]
    assert would == [
        {"rule": "company:week", "was": "at most 2 contacts in 7 days", "asks": "at most 1 contact in 7 days"}
    ]
    put(approver, fewer, '"v1"')
    paths = ("2/changes", "2/changes?before=0", "2/changes?before=2", "1/changes?before=2")
    told = [approver.get(f"{PATH}/versions/{path}").get_json() for path in paths]
    assert [(each["version"], each["before"]) for each in told] == [(2, 1), (2, None), (2, 2), (1, 2)]
    assert (told[0]["changes"], told[2]["changes"]) == (would, [])
    assert told[3]["changes"] == [{**would[0], "was": would[0]["asks"], "asks": would[0]["was"]}]
    wrong = [
        caller().get(f"{PATH}/versions/{path}") for path in ("3/changes", "2/changes?before=3", "2/changes?before=x")
    ]
    assert [each.status_code for each in wrong] == [404, 404, 400]


def test_a_check_foresees_that_the_holdout_can_not_change_while_a_campaign_is_live(sqlite_world, approver):
    running.start(sqlite_world.deployment, publish(sqlite_world), actor="mia", four_eyes=False)
    held = {"format": "toml", "body": '[holdout]\nshare = 0.1\nsalt = "c"\n'}
    answers = (approver.post(f"{PATH}:check", held), put(approver, held, '"v0"'))
    assert [(each.status_code, [one["detail"] for one in each.get_json()["errors"]]) for each in answers] == [
        (422, ["can't change while version 1 of spring is running: end or stop it first"] * 2)
    ] * 2


def test_what_changes_is_not_known_where_the_policy_in_force_no_longer_fits(sqlite_world, caller):
    with sqlite_world.store.read() as work:
        text = sqlite_world.deployment.desk.catalogues.current(work).body
    sqlite_world.publish(text + '\n[[channel]]\nkey = "web"\ntitle = "Our site"\n')
    rule(sqlite_world, cap=[{"key": "web", "channels": ["web"], "limit": 1, "days": 7}])
    sqlite_world.publish(text)
    told = caller().post(f"{PATH}:check", FILE).get_json()
    assert (told["changes"], len(told["rules"])) == (None, 2)


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
