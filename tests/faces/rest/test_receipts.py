"""`/receipts` and a customer's statements: handed out by position, verified for anybody, kept nowhere."""

import json

import pytest

from api.roles import KeyScope
from consent.base.clock import rfc3339
from consent.ledger import note
from consent.receipts import checking
from consent.receipts.checking import Holds
from consent.register import proving

MAIL, NEWS = "contact:email:recommendations", "contact:email:newsletter"


@pytest.fixture
def granted(sqlite_world):
    return sqlite_world.grant(sqlite_world.bo, MAIL, language="de").seq


def test_a_receipt_is_json_ld_that_holds_offline(shop, sqlite_world, granted):
    answer = shop.get(f"/api/v1/receipts/{granted}")
    assert (answer.status_code, answer.mimetype) == (200, "application/ld+json")
    with sqlite_world.store.read() as work:
        key = note.verifier_of(proving.verifier_key(sqlite_world.deployment.desk, work))
    assert isinstance(checking.verdict(answer.data, [key]), Holds)
    assert shop.get(f"/api/v1/receipts/{granted}").data == answer.data
    sqlite_world.check_ledger()


def test_rule_14_the_same_key_twice_gives_the_same_receipt(shop, sqlite_world):
    """Rule 14: the same idempotency key twice gives one event and the same receipt."""
    body = {"customer": sqlite_world.bo, "act": "grant", "method": "web_form", "scopes": [MAIL]}
    answers = [shop.post("/api/v1/statements", body, key="k").get_json() for _ in range(2)]
    assert [each["repeated"] for each in answers] == [False, True]
    receipts = [shop.get(f"/api/v1/receipts/{each['seq']}").data for each in answers]
    assert receipts[0] == receipts[1]


@pytest.mark.parametrize("position", ["0", "999999", "01", "-1", "x", "9007199254740992", "9" * 16])
def test_what_is_no_statement_has_no_receipt(shop, position):
    answer = shop.get(f"/api/v1/receipts/{position}")
    assert (answer.status_code, answer.get_json()["code"]) == (404, "entry_unknown")


def test_a_receipt_needs_a_key_that_may_read_consent(caller, stranger, granted):
    assert stranger.get(f"/api/v1/receipts/{granted}").status_code == 401
    assert caller([KeyScope.LEDGER_READ]).get(f"/api/v1/receipts/{granted}").status_code == 403


def test_anybody_verifies_a_receipt_and_nothing_is_kept(shop, stranger, stored, granted):
    receipt = shop.get(f"/api/v1/receipts/{granted}").get_json()
    before = stored()
    paths = ("/api/v1/receipts:verify", f"/api/v1/receipts/{granted}:verify")
    assert [stranger.post(path, receipt).get_json() for path in paths] == [{"ok": True, "why": ""}] * 2
    receipt["dct:created"]["@value"] = "2020-01-01T00:00:00.000Z"
    answers = [stranger.post(path, receipt) for path in paths]
    assert [each.get_json() for each in answers] == [
        {"ok": False, "why": "the readable part doesn't say what was recorded"}
    ] * 2
    assert stored() == before


def test_a_receipt_of_another_statement_is_not_that_of_this_one(shop, stranger, sqlite_world, granted):
    other = sqlite_world.refuse(sqlite_world.bo, NEWS).seq
    receipt = shop.get(f"/api/v1/receipts/{granted}").get_json()
    assert stranger.post(f"/api/v1/receipts/{other}:verify", receipt).get_json() == {
        "ok": False, "why": "it is the receipt of another statement",
    }  # fmt: skip
    assert stranger.post("/api/v1/receipts/x:verify", receipt).status_code == 404


def test_a_receipt_of_another_deployment_is_refused(shop, stranger, granted):
    receipt = shop.get(f"/api/v1/receipts/{granted}").get_json()
    entry = json.loads(receipt["byleave:proof"]["byleave:entry"])
    receipt["byleave:proof"]["byleave:entry"] = json.dumps({**entry, "log": "other.example/consent/2026h2"})
    answer = stranger.post("/api/v1/receipts:verify", receipt)
    assert (answer.status_code, answer.get_json()["ok"]) == (200, False)


def test_what_is_not_of_the_form_of_a_receipt_is_refused(shop, stranger, granted):
    raw = shop.get(f"/api/v1/receipts/{granted}").data
    twice = raw.replace(b'"@type": "dpv:ConsentReceipt"', b'"@type": "x", "@type": "dpv:ConsentReceipt"')
    assert stranger.raw("/api/v1/receipts:verify", raw).get_json() == {"ok": True, "why": ""}
    two_readings = (twice, raw.replace(b": 1", b": 9007199254740993", 1), b'{"a":' * 50, b"\xff")
    for body in (b"{}", b"[]", raw[:-10], raw.replace(b'"dct:created"', b'"dct:made"'), *two_readings):
        assert stranger.raw("/api/v1/receipts:verify", body).status_code == 400
    assert stranger.raw("/api/v1/receipts:verify", raw, "text/plain").status_code == 415


# -------------------------------------------------------------------------------------------- a customer's statements


def test_a_customers_statements_are_listed_page_by_page(shop, sqlite_world):
    world = sqlite_world
    done = [
        world.grant(world.bo, MAIL, NEWS, language="de"),
        world.withdraw(world.bo, MAIL),
        world.refuse(world.bo, NEWS),
    ]
    path = f"/api/v1/customers/{world.bo}/statements"
    first = shop.get(f"{path}?limit=2").get_json()
    second = shop.get(f"{path}?limit=2&cursor={first['next_cursor']}").get_json()
    assert [each["seq"] for each in first["data"] + second["data"]] == [one.seq for one in done]
    assert (first["next_cursor"], second["next_cursor"]) == (str(done[1].seq), None)
    assert shop.get(path).get_json() == {"data": first["data"] + second["data"], "next_cursor": None}
    assert first["data"][0] == {
        "seq": done[0].seq,
        "recorded_at": "2026-11-21T10:00:00.000Z",
        "said_at": "2026-11-21T10:00:00.000Z",
        "act": "grant",
        "method": "web_form",
        "actor": "customer",
        "language": "de",
        "scopes": [
            {"scope": scope, "notice_version": 1, "awaiting": False, "valid_until": "2028-11-21T10:00:00.000Z"}
            for scope in (MAIL, NEWS)
        ],
        "receipt": f"/api/v1/receipts/{done[0].seq}",
    }
    assert shop.get(first["data"][0]["receipt"]).status_code == 200


def test_what_had_been_said_by_a_past_time_can_be_asked_for(shop, sqlite_world):
    """Rule 16."""
    world = sqlite_world
    path, done, times = f"/api/v1/customers/{world.bo}/statements", [], []
    for say in (world.grant, world.withdraw, world.refuse):
        done.append(say(world.bo, MAIL).seq)
        times.append(rfc3339(world.clock()))
        world.clock.advance(hours=1)
    for many, at in enumerate(times, 1):
        told = shop.get(f"{path}?as_of={at}").get_json()
        assert ([each["seq"] for each in told["data"]], told["next_cursor"]) == (done[:many], None)
    first = shop.get(f"{path}?as_of={times[1]}&limit=1").get_json()
    rest = shop.get(f"{path}?as_of={times[1]}&limit=1&cursor={first['next_cursor']}").get_json()
    assert ([each["seq"] for each in first["data"] + rest["data"]], rest["next_cursor"]) == (done[:2], None)
    ahead = shop.get(f"{path}?as_of=2999-01-01T00:00:00Z")
    assert (ahead.status_code, ahead.get_json()["errors"][0]["parameter"]) == (422, "as_of")


def test_what_was_recorded_by_a_clock_that_is_ahead_is_listed_all_the_same(shop, sqlite_world):
    said = sqlite_world.refuse(sqlite_world.bo, MAIL).seq
    sqlite_world.clock.advance(seconds=-3)
    told = shop.get(f"/api/v1/customers/{sqlite_world.bo}/statements").get_json()["data"]
    assert [each["seq"] for each in told] == [said]


def test_who_has_said_nothing_has_an_empty_list_and_a_stranger_none(shop, sqlite_world):
    assert shop.get(f"/api/v1/customers/{sqlite_world.bo}/statements").get_json() == {"data": [], "next_cursor": None}
    for nobody in ("cus_" + "0" * 32, "ANN"):
        answer = shop.get(f"/api/v1/customers/{nobody}/statements")
        assert (answer.status_code, answer.get_json()["code"]) == (404, "customer_unknown")


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "cursor=x", "cursor=-1", "page=2"])
def test_a_page_that_cannot_be_is_refused(shop, sqlite_world, query):
    assert shop.get(f"/api/v1/customers/{sqlite_world.ann}/statements?{query}").status_code == 400
