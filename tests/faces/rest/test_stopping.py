"""Stop-all, ages, guardians and browsers' opt-outs, for programs."""

import pytest

from tests.builders import scope_table, tables, toml

SHARE, PROFILE, POST, MAIL = "share:courier:offers", "use:replies:offers", "contact:post:offers", "contact:email:offers"
STOP = "/api/v1/statements:stop-all"


@pytest.fixture
def selling(sqlite_world):
    given = tables()
    given["scope"] += [scope_table(SHARE, gpc=True), scope_table(PROFILE, "legitimate_interest", gpc=True)]
    next(each for each in given["scope"] if each["scope"] == POST)["minimum_age"] = 16
    sqlite_world.publish(toml(given))
    return sqlite_world


def checked(shop, customer, *scopes, **headers):
    body = {"checks": [{"customer": customer, "scope": scope} for scope in scopes]}
    answer = shop.call("POST", "/api/v1/permissions:check", headers=headers, json=body).get_json()
    return [each["reason"] for each in answer["data"]]


def test_one_call_stops_everything(sqlite_world, shop):
    """Rule 13: for whoever answers the phone."""
    body = {"customer": sqlite_world.ann, "method": "phone", "evidence": "call 7"}
    first = shop.post(STOP, body, key="k")
    again = shop.post(STOP, body, key="k")
    other = shop.post(STOP, {**body, "evidence": "call 8"}, key="k")

    assert [each["act"] for each in first.get_json()["data"]] == ["withdraw", "object"]
    assert [each["seq"] for each in again.get_json()["data"]] == [each["seq"] for each in first.get_json()["data"]]
    assert ({each["repeated"] for each in again.get_json()["data"]}, other.status_code) == ({True}, 409)
    assert checked(shop, sqlite_world.ann, "contact:email:newsletter", "use:responses:measurement") == [
        "WITHDRAWN",
        "OBJECTED",
    ]
    sqlite_world.check_ledger()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"customer": "cus_" + "0" * 32, "method": "phone"}, 404),
        ({"customer": "x", "method": "phone"}, 400),
        ({"method": "phone"}, 400),
        ({"customer": "cus_" + "0" * 32, "method": "confirmation"}, 400),
        ({"customer": "cus_" + "0" * 32, "method": "phone", "scopes": []}, 400),
    ],
)
def test_what_stops_nothing_is_named(shop, stored, body, status):
    before = stored()
    assert (shop.post(STOP, body, key="k").status_code, stored()) == (status, before)


def test_a_browsers_header_that_is_handed_on_is_heeded_and_recorded_nowhere(selling, shop, stored):
    """Rule 8: for this device, also of a customer whom nobody knows to opt out."""
    selling.grant(selling.bo, SHARE, "use:purchases:offers")
    before = stored()
    scopes = [SHARE, PROFILE, "use:purchases:offers", "share:courier:service"]

    assert checked(shop, selling.bo, *scopes) == ["PERMIT"] * 4
    assert checked(shop, selling.bo, *scopes, **{"Sec-GPC": "1"}) == ["GPC", "GPC", "PERMIT", "PERMIT"]
    assert checked(shop, selling.bo, *scopes, **{"Sec-GPC": "0"}) == ["PERMIT"] * 4
    shown = shop.call("GET", f"/api/v1/customers/{selling.bo}/permissions", headers={"Sec-GPC": "1"}).get_json()
    assert {each["reason"] for each in shown["data"] if each["scope"] in (SHARE, PROFILE)} == {"GPC"}
    assert stored() == before


def test_an_opt_out_can_be_recorded_by_the_shop_that_heard_it(selling, shop):
    """Rule 8: a refusal of no one scope, by a signal."""
    said = {"customer": selling.bo, "act": "refuse", "method": "signal", "evidence": "Sec-GPC: 1"}
    answer = shop.post("/api/v1/statements", said, key="1")

    assert (answer.status_code, answer.get_json()["scopes"]) == (201, [])
    assert checked(shop, selling.bo, PROFILE) == ["GPC"]
    assert shop.post("/api/v1/statements", {**said, "method": "phone"}, key="2").status_code == 422


def test_ages_and_guardians_are_attested(selling, shop):
    """Rule 9, for programs."""

    def said(number, **more):
        body = {"customer": selling.bo, "act": "grant", "method": "web_form", "scopes": [POST], **more}
        return shop.post("/api/v1/statements", body, key=str(number)).get_json()["permissions"][0]["reason"]

    reasons = [said(1), said(2, age=15), said(3, age=15, guardian=True)]
    selling.clock.advance(seconds=1)
    assert [*reasons, said(4, age=16)] == ["MINOR", "MINOR", "PERMIT", "PERMIT"]


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"age": 0}, "/age"),
        ({"age": 151}, "/age"),
        ({"age": 1.5}, "/age"),
        ({"guardian": "yes"}, "/guardian"),
        ({"method": "confirmation"}, "/method"),
        ({"method": "merged"}, "/method"),
        ({"awaiting": []}, "/awaiting"),
        ({"material": [1]}, "/material"),
    ],
)
def test_what_cannot_be_said_is_named_and_nothing_is_recorded(selling, shop, stored, wrong, pointer):
    """Rule 5: among it, that something was confirmed."""
    before = stored()
    body = {"customer": selling.bo, "act": "grant", "method": "phone", "scopes": [MAIL], **wrong}
    answer = shop.post("/api/v1/statements", body, key="1")
    assert (answer.status_code, [each["pointer"] for each in answer.get_json()["errors"]]) == (400, [pointer])
    assert stored() == before


def test_no_answer_holds_the_token_that_confirms(selling, shop):
    """Rule 5: no staff API returns it."""
    body = {"customer": selling.bo, "act": "grant", "method": "web_form", "scopes": [MAIL]}
    answer = shop.post("/api/v1/statements", body, key="1")
    [(digest,)] = selling.rows("SELECT digest FROM confirmation")
    listed = shop.get(f"/api/v1/customers/{selling.bo}/statements")

    assert answer.get_json()["permissions"][0]["reason"] == "PENDING_CONFIRMATION"
    for text in (answer.text, listed.text):
        assert ("confirm/" in text, digest.hex() in text) == (False, False)
