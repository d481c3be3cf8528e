"""`POST /api/v1/decisions`: one customer, one decision, reserved before the answer is out."""

from collections.abc import Callable

import pytest

from api.rest.decisions import DecisionForm, SimulatedForm
from api.roles import KeyScope, Role
from consent.base.ids import Scope
from personalise import shelf
from personalise.campaigns.reading import parse_campaign
from tests.faces.rest.conftest import Caller
from tests.world import World

CAMPAIGN = """
[objective]
key = "visits"
title = "More visits"
challenge = "Few come back."
measure = "visited"
target = 0.02
by = 2026-12-31
owner = "mia"

[campaign]
key = "spring"
name = "Spring"
purpose = "recommendations"
benefit = "You hear of what you like."
audience = "months_since_purchase <= 12"
person_to_reach = "The service desk"
way_out = "A link in every e-mail"

[campaign.holdout]
share = 0.0
salt = "s"

[[cap]]
key = "month"
channels = ["email"]
limit = 1
days = 30

[[offer]]
key = "range"
family = "spring"
terms = {}
value = 1.0

[[treatment]]
key = "mail"
offer = "range"
channel = "email"
content = "New this spring."
score = "0.1"
"""
SCOPES = ("remember:purchases", "use:purchases:recommendations", "contact:email:recommendations")


@pytest.fixture(autouse=True)
def _campaign(sqlite_world: World) -> None:
    world = sqlite_world
    with world.store.write() as work:
        catalogue = world.deployment.desk.catalogues.current(work)
        shelf.publish(work, parse_campaign(CAMPAIGN, "toml", catalogue), actor=world.mia, at=world.clock())


@pytest.fixture
def decider(caller: Callable[..., Caller]) -> Caller:
    made: Caller = caller([KeyScope.DECISIONS_WRITE])
    return made


def ask(decider: Caller, customer: str, key: str, **more: object):
    return decider.post("/api/v1/decisions", {"customer": customer, "campaign": "spring", **more}, key=key)


def permit_all(world: World) -> None:
    world.grant(world.ann, *(Scope(scope) for scope in SCOPES))
    world.remember(world.ann, months_since_purchase=3)


def test_a_customer_who_permits_it_is_chosen_for_and_his_contact_is_reserved(sqlite_world, decider):
    permit_all(sqlite_world)

    answered = ask(decider, sqlite_world.ann, "one")

    told = answered.get_json()
    assert (answered.status_code, told["chosen"], told["categories_used"]) == (200, "mail", ["purchases"])
    assert sqlite_world.rows("SELECT customer, treatment, status FROM contact") == [
        (sqlite_world.ann, "mail", "reserved")
    ]
    sqlite_world.check_ledger()


def test_an_answer_is_in_the_form_that_it_has_when_it_is_shown_later(sqlite_world, decider):
    permit_all(sqlite_world)
    for who in (sqlite_world.ann, sqlite_world.bo):
        told = ask(decider, who, who).get_json()
        assert told == DecisionForm().dump(told)
        assert list(told) == list(DecisionForm().fields)
        assert DecisionForm().load(told) == told


def test_the_same_key_gives_the_same_decision_and_reserves_nothing_more(sqlite_world, decider):
    permit_all(sqlite_world)

    first, again = ask(decider, sqlite_world.ann, "one"), ask(decider, sqlite_world.ann, "one")

    assert again.get_json() == first.get_json()
    assert sqlite_world.rows("SELECT count(*) FROM contact") == [(1,)]


def test_the_same_key_for_somebody_else_is_a_conflict(sqlite_world, decider):
    permit_all(sqlite_world)
    ask(decider, sqlite_world.ann, "one")

    refused = ask(decider, sqlite_world.bo, "one")

    assert (refused.status_code, refused.get_json()["code"]) == (409, "idempotency_conflict")


def test_a_cap_that_is_reached_says_when_it_frees(sqlite_world, decider):
    permit_all(sqlite_world)
    ask(decider, sqlite_world.ann, "one")

    told = ask(decider, sqlite_world.ann, "two").get_json()

    assert told["chosen"] is None
    assert told["verdicts"][0] == {
        "candidate": "mail", "stage": "contact_policy", "rule": "cap:month", "observed": 1, "limit": 1,
        "allowed_from": "2026-12-21T10:00:00.000Z",
    }  # fmt: skip


def test_a_denial_is_an_answer_and_says_what_stood_in_the_way(sqlite_world, decider):
    told = ask(decider, sqlite_world.bo, "one").get_json()

    assert (told["chosen"], told["personalised"]) == (None, False)
    assert (told["verdicts"][0]["stage"], told["verdicts"][0]["observed"]) == ("permission", "NO_RECORD")
    assert told["explanation"] == "You get nothing of this, because you have not allowed contact by E-mail."


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"campaign": "autumn"}, 404, "campaign_unknown"),
        ({"channel": "post"}, 422, "request_unfit"),
        ({"customer": "cus_" + "0" * 32}, 404, "customer_unknown"),
        ({"colour": "red"}, 400, "request_invalid"),
    ],
)
def test_bad_input_is_named_and_nothing_is_stored(sqlite_world, decider, change, status, code):
    body = {"customer": sqlite_world.ann, "campaign": "spring", **change}

    refused = decider.post("/api/v1/decisions", body, key="one")

    assert (refused.status_code, refused.get_json()["code"]) == (status, code)
    if code == "customer_unknown":
        assert [each["pointer"] for each in refused.get_json()["errors"]] == ["/customer"]
    assert sqlite_world.rows("SELECT (SELECT count(*) FROM contact) + (SELECT count(*) FROM decision_chunk)") == [(0,)]


@pytest.mark.parametrize(("more", "lives_for"), [({}, None), ({"carried": True}, 7 * 86_400_000)])
def test_what_is_carried_out_here_has_a_time_to_live_and_what_is_not_has_none(sqlite_world, decider, more, lives_for):
    permit_all(sqlite_world)
    ask(decider, sqlite_world.ann, "one", **more)
    assert sqlite_world.rows("SELECT expires_at - reserved_at FROM contact") == [(lives_for,)]


def test_a_visitor_whom_nobody_knows_is_told_in_general(sqlite_world, decider):
    with sqlite_world.store.read() as work:
        body = sqlite_world.deployment.desk.catalogues.current(work).body
    sqlite_world.publish(body + '\n[[channel]]\nkey = "web"\ntitle = "Our site"\n')
    banner = CAMPAIGN.replace('channel = "email"', 'channel = "web"').replace("months_since_purchase <= 12", "TRUE")
    with sqlite_world.store.write() as work:
        catalogue = sqlite_world.deployment.desk.catalogues.current(work)
        shelf.publish(work, parse_campaign(banner, "toml", catalogue), actor="mia", at=sqlite_world.clock())

    answered = decider.post("/api/v1/decisions", {"campaign": "spring", "channel": "web"}, key="one")
    told = answered.get_json()
    assert (answered.status_code, told["decision"], told["customer"], told["chosen"]) == (200, None, None, "mail")
    assert (told["content"], told["subject"], told["wording"]) == ("New this spring.", None, "general")
    assert (told["personalised"], sqlite_world.rows("SELECT id FROM data_use")) == (False, [])

    refused = decider.post("/api/v1/decisions", {"campaign": "spring"}, key="two")
    assert (refused.status_code, refused.get_json()["errors"][0]["pointer"]) == (422, "/channel")


def test_a_decision_has_its_html_mail_beside_the_text(sqlite_world, decider):
    page = "<mjml><mj-body><mj-section><mj-column><mj-text>News</mj-text></mj-column></mj-section></mj-body></mjml>"
    permit_all(sqlite_world)
    with sqlite_world.store.write() as work:
        catalogue = sqlite_world.deployment.desk.catalogues.current(work)
        mailed = CAMPAIGN.replace('channel = "email"', f'channel = "email"\nmjml = "{page}"')
        shelf.publish(work, parse_campaign(mailed, "toml", catalogue), actor="mia", at=sqlite_world.clock())
    told = ask(decider, sqlite_world.ann, "one").get_json()
    assert (told["content"], told["wording"]) == ("New this spring.", "general")
    assert (told["html"].startswith("<!doctype html>"), "News" in told["html"]) == (True, True)


def test_a_channel_that_the_campaign_has_not_is_the_requests_fault(sqlite_world, decider):
    refused = ask(decider, sqlite_world.ann, "one", channel="fax")

    told = refused.get_json()
    assert (refused.status_code, told["code"]) == (422, "request_unfit")
    why = "no treatment of spring goes by 'fax': they go by email"
    assert told["errors"] == [{"pointer": "/channel", "detail": why}]


# --------------------------------------------------------------------------------------------------------- simulations


def test_a_simulation_tells_what_would_be_decided_and_writes_down_why_it_was_asked(sqlite_world, caller):
    permit_all(sqlite_world)
    asked = {"customer": sqlite_world.ann, "campaign": "spring", "version": 1, "reason": "she asked why"}
    answer = caller([KeyScope.CAMPAIGNS_RUN], Role.MARKETER).post("/api/v1/decisions:simulate", asked)
    told = answer.get_json()

    assert (answer.status_code, sorted(told)) == (200, sorted(SimulatedForm().fields))
    assert (told["decision"], told["customer"], told["chosen"]) == (None, sqlite_world.ann, "mail")
    assert (told["version"], told["contact_policy"], told["content"]) == (1, 0, "New this spring.")
    assert sqlite_world.rows("SELECT count(*) FROM contact") == [(0,)]
    assert sqlite_world.rows("SELECT customer, reason FROM data_use") == [
        (sqlite_world.ann, "simulating spring@1: she asked why")
    ]


@pytest.mark.parametrize(
    ("changed", "status", "pointer"),
    [
        ({"reason": ""}, 400, "/reason"),
        ({"version": 0}, 400, "/version"),
        ({"customer": "cus_" + "0" * 32}, 404, "/customer"),
        ({"channel": "sms"}, 422, "/channel"),
    ],
)
def test_a_simulation_of_what_is_not_there_is_refused_with_its_place(sqlite_world, caller, changed, status, pointer):
    asked = {"customer": sqlite_world.ann, "campaign": "spring", "reason": "she asked why", **changed}
    answer = caller([KeyScope.CAMPAIGNS_RUN]).post("/api/v1/decisions:simulate", asked)

    assert (answer.status_code, [each["pointer"] for each in answer.get_json()["errors"]]) == (status, [pointer])


def test_who_decides_may_not_simulate_for_that_alone(sqlite_world, decider):
    asked = {"customer": sqlite_world.ann, "campaign": "spring", "reason": "she asked why"}
    assert decider.post("/api/v1/decisions:simulate", asked).status_code == 403
