"""What customers say, over HTTP: recorded once, durable when answered, refused whole."""

from datetime import timedelta

import pytest

from api.roles import Role
from consent.permission.statement import Act, Method
from consent.register import history
from tests.builders import START
from tests.world import FOUNDING

NEWSLETTER = "contact:email:newsletter"
PURCHASES = "remember:purchases"
BATCH = "/api/v1/statements:batch"
ONE = "/api/v1/statements"


def said(customer, act="grant", *scopes, **more):
    return {"customer": customer, "act": act, "method": "web_form", "scopes": list(scopes), **more}


def test_a_grant_is_in_force_when_its_answer_is_there(shop, sqlite_world):
    before = sqlite_world.reason(sqlite_world.bo, NEWSLETTER)

    answer = shop.post(ONE, said(sqlite_world.bo, "grant", NEWSLETTER), key="one")

    assert before == "NO_RECORD"
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"/api/v1/ledger/entries/{FOUNDING}"
    assert answer.get_json() == {
        "customer": sqlite_world.bo,
        "seq": FOUNDING,
        "recorded_at": "2026-11-21T10:00:00.000Z",
        "act": "grant",
        "scopes": [NEWSLETTER],
        "repeated": False,
        "receipt": f"/api/v1/receipts/{answer.get_json()['seq']}",
        "permissions": [
            {
                "scope": NEWSLETTER,
                "permit": True,
                "reason": "PERMIT",
                "positions": [FOUNDING],
                "may_be_asked": False,
                "ask": None,
            }
        ],
    }
    assert sqlite_world.reason(sqlite_world.bo, NEWSLETTER) == "PERMIT"
    sqlite_world.check_ledger()


def test_a_withdrawal_shows_what_no_longer_stands(shop, sqlite_world):
    assert sqlite_world.reason(sqlite_world.ann, NEWSLETTER) == "PERMIT"

    answer = shop.post(ONE, said(sqlite_world.ann, "withdraw", NEWSLETTER), key="one")

    assert answer.get_json()["permissions"] == [
        {
            "scope": NEWSLETTER,
            "permit": False,
            "reason": "WITHDRAWN",
            "positions": [FOUNDING],
            "may_be_asked": False,
            "ask": None,
        }
    ]
    assert sqlite_world.reason(sqlite_world.ann, NEWSLETTER) == "WITHDRAWN"


def test_everything_about_a_statement_is_kept(sqlite_world, caller):
    full = said(
        sqlite_world.bo, "grant", PURCHASES, NEWSLETTER,
        said_at="2026-11-20T18:00:00+01:00", notice_version=1, language="de-AT", evidence="Anruf 4711, Übersetzung",
    )  # fmt: skip
    answer = caller(role=Role.AGENT).post(ONE, {**full, "method": "phone"}, key="one")
    with sqlite_world.store.read() as work:
        kept = history.one(sqlite_world.deployment.desk, work, answer.get_json()["seq"]).statement

    assert (kept.customer, kept.act, kept.method, kept.scopes) == (
        sqlite_world.bo, Act.GRANT, Method.PHONE, (PURCHASES, NEWSLETTER),
    )  # fmt: skip
    assert (kept.said_at, kept.notice_version, kept.language, kept.evidence) == (
        START - timedelta(hours=17), 1, "de-AT", "Anruf 4711, Übersetzung",
    )  # fmt: skip


def test_a_pause_names_no_scope(shop, sqlite_world):
    answer = shop.post(ONE, said(sqlite_world.ann, "pause", until="2026-12-24T00:00:00Z"), key="one")

    assert (answer.status_code, answer.get_json()["permissions"]) == (201, [])
    assert sqlite_world.reason(sqlite_world.ann, NEWSLETTER) == "PAUSED"


# -------------------------------------------------------------------------------------------------------- said once


def test_the_same_key_records_once_and_answers_the_same(shop, sqlite_world):
    body = said(sqlite_world.bo, "grant", NEWSLETTER)
    first = shop.post(ONE, body, key="again").get_json()
    sqlite_world.clock.advance(minutes=3)

    second = shop.post(ONE, dict(reversed(body.items())), key="again")

    assert second.status_code == 201
    assert second.get_json() == {**first, "repeated": True}
    assert sqlite_world.size() == FOUNDING + 1


def test_the_same_key_with_another_body_is_refused(shop, sqlite_world, stored):
    shop.post(ONE, said(sqlite_world.bo, "grant", NEWSLETTER), key="again")
    before = stored()

    answer = shop.post(ONE, said(sqlite_world.bo, "withdraw", NEWSLETTER), key="again")

    assert (answer.status_code, answer.get_json()["code"]) == (409, "idempotency_conflict")
    assert stored() == before
    assert sqlite_world.reason(sqlite_world.bo, NEWSLETTER) == "PERMIT"


def test_the_same_key_of_another_program_is_another_key(shop, caller, sqlite_world):
    shop.post(ONE, said(sqlite_world.bo, "grant", NEWSLETTER), key="mine")
    answer = caller().post(ONE, said(sqlite_world.bo, "withdraw", NEWSLETTER), key="mine")

    assert (answer.status_code, answer.get_json()["seq"]) == (201, FOUNDING + 1)


@pytest.mark.parametrize("path", [ONE, BATCH])
@pytest.mark.parametrize(("key", "why"), [
    (None, "is missing: send a key of your own, and the same again when you try again"),
    ("", "must be 1 to 200 visible ASCII signs"),
    ("two words", "must be 1 to 200 visible ASCII signs"),
    ("k" * 201, "must be 1 to 200 visible ASCII signs"),
])  # fmt: skip
def test_without_a_good_key_nothing_is_recorded(shop, sqlite_world, stored, path, key, why):
    one = said(sqlite_world.bo, "grant", NEWSLETTER)
    before = stored()

    answer = shop.post(path, one if path == ONE else {"statements": [one]}, key=key)

    assert answer.status_code == 400
    assert answer.get_json()["errors"] == [{"header": "Idempotency-Key", "detail": why}]
    assert stored() == before


# ------------------------------------------------------------------------------------------------------------- many


def test_many_statements_are_recorded_in_their_order(shop, sqlite_world):
    statements = [
        said(sqlite_world.bo, "grant", NEWSLETTER, PURCHASES),
        said(sqlite_world.ann, "withdraw", PURCHASES),
        said(sqlite_world.bo, "withdraw", NEWSLETTER),
    ]
    answer = shop.post(BATCH, {"statements": statements}, key="many")

    assert answer.status_code == 201
    assert [(each["customer"], each["seq"], each["act"]) for each in answer.get_json()["data"]] == [
        (sqlite_world.bo, FOUNDING, "grant"),
        (sqlite_world.ann, FOUNDING + 1, "withdraw"),
        (sqlite_world.bo, FOUNDING + 2, "withdraw"),
    ]
    assert [sqlite_world.reason(sqlite_world.bo, scope) for scope in (NEWSLETTER, PURCHASES)] == ["WITHDRAWN", "PERMIT"]
    sqlite_world.check_ledger()


def test_one_wrong_statement_among_many_stops_them_all(shop, sqlite_world, stored):
    before = stored()
    statements = [
        said(sqlite_world.bo, "grant", NEWSLETTER),
        said(sqlite_world.bo, "grant", NEWSLETTER, "remember:dreams"),
        said(sqlite_world.bo, "grant"),
    ]
    answer = shop.post(BATCH, {"statements": statements}, key="many")

    assert (answer.status_code, answer.get_json()["code"]) == (422, "statement_invalid")
    assert answer.get_json()["errors"] == [
        {"pointer": "/statements/1/scopes/1", "detail": "'remember:dreams' is not in the catalogue (version 1)"},
        {"pointer": "/statements/2/scopes", "detail": "name at least one scope"},
    ]
    assert stored() == before


def test_a_single_statement_in_a_list_is_named_by_its_number(shop, sqlite_world):
    answer = shop.post(BATCH, {"statements": [said(sqlite_world.bo, "grant", "remember:dreams")]}, key="many")
    assert [each["pointer"] for each in answer.get_json()["errors"]] == ["/statements/0/scopes/0"]


# ---------------------------------------------------------------------------------------------- right in form, wrong


def wrong(customer):
    return [
        (said(customer, "grant", "remember:dreams"), ["/scopes/0"]),
        (said(customer, "grant", "use:identity:service"), ["/scopes/0"]),
        (said(customer, "grant"), ["/scopes"]),
        (said(customer, "pause", NEWSLETTER), ["/scopes"]),
        (said(customer, "grant", NEWSLETTER, NEWSLETTER), ["/scopes"]),
        (said(customer, "grant", NEWSLETTER, said_at="2026-11-21T10:00:00.001Z"), ["/said_at"]),
        (said(customer, "grant", NEWSLETTER, said_at="1969-12-31T23:59:59Z"), ["/said_at"]),
        (said(customer, "grant", NEWSLETTER, notice_version=7), ["/notice_version"]),
        (said(customer, "grant", NEWSLETTER, until="2027-01-01T00:00:00Z"), ["/until"]),
        (said(customer, "pause", until="0001-01-01T00:00:00Z"), ["/until"]),
        (said(customer, "pause", until="2026-11-21T10:00:00Z"), ["/until"]),
        (said(customer, "pause", until="2026-10-01T00:00:00Z", said_at="2026-10-02T00:00:00Z"), ["/until"]),
    ]


@pytest.mark.parametrize("number", range(12))
def test_what_can_not_be_is_refused_with_its_place(shop, sqlite_world, stored, number):
    body, places = wrong(sqlite_world.bo)[number]
    before = stored()

    answer = shop.post(ONE, body, key="wrong")

    assert (answer.status_code, answer.get_json()["code"]) == (422, "statement_invalid")
    assert [each["pointer"] for each in answer.get_json()["errors"]] == places
    assert stored() == before


def test_nothing_can_be_renewed_that_was_never_given(shop, sqlite_world, stored):
    before = stored()
    answer = shop.post(ONE, said(sqlite_world.bo, "renew", NEWSLETTER), key="renew")

    assert (answer.status_code, answer.get_json()["code"]) == (409, "nothing_to_renew")
    assert stored() == before


def test_a_customer_who_is_not_enrolled_says_nothing(shop, stored):
    before = stored()
    answer = shop.post(ONE, said("cus_" + "0" * 32, "grant", NEWSLETTER), key="nobody")

    assert (answer.status_code, answer.get_json()["code"]) == (404, "customer_unknown")
    assert stored() == before


def test_a_clock_behind_the_ledger_records_nothing(shop, sqlite_world, stored):
    shop.post(ONE, said(sqlite_world.bo, "grant", NEWSLETTER), key="first")
    before = stored()
    sqlite_world.clock.advance(minutes=-10)

    answer = shop.post(ONE, said(sqlite_world.bo, "withdraw", NEWSLETTER), key="second")

    assert (answer.status_code, answer.get_json()["code"]) == (503, "clock_behind")
    assert answer.headers["Retry-After"] == "5"
    assert stored() == before


def test_a_statement_without_a_time_is_said_now(shop, sqlite_world):
    answer = shop.post(ONE, said(sqlite_world.bo, "grant", NEWSLETTER), key="now")
    assert answer.get_json()["recorded_at"] == START.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@pytest.mark.parametrize(
    ("method", "act", "status", "pointer"),
    [
        ("import", "grant", 422, "evidence"), ("import", "renew", 422, "evidence"),
        ("import", "resume", 422, "evidence"), ("signal", "grant", 422, "method"),
        ("one_click", "grant", 422, "method"), ("one_click", "lift", 422, "method"),
        ("synthetic", "grant", 400, "method"), ("synthetic", "withdraw", 400, "method"),
    ],
)  # fmt: skip
def test_nobody_gives_more_by_a_method_that_can_not_say_so(shop, sqlite_world, stored, method, act, status, pointer):
    """Rules 6 and 10."""
    before = stored()
    scopes = [] if act in ("resume", "lift") else [NEWSLETTER]
    wrong = said(sqlite_world.bo, act, *scopes, method=method)
    one = shop.post(ONE, wrong, key="one")
    many = shop.post(BATCH, {"statements": [said(sqlite_world.bo, "grant", PURCHASES), wrong]}, key="two")

    assert (one.status_code, [each["pointer"] for each in one.get_json()["errors"]]) == (status, [f"/{pointer}"])
    assert [each["pointer"] for each in many.get_json()["errors"]] == [f"/statements/1/{pointer}"]
    assert stored() == before
    assert sqlite_world.reason(sqlite_world.bo, NEWSLETTER) == "NO_RECORD"


@pytest.mark.parametrize(
    ("method", "act", "pointer"),
    [
        ("one_click", "withdraw", "method"), ("one_click", "invalidate", "method"), ("signal", "refuse", "method"),
        ("import", "refuse", "evidence"), ("import", "invalidate", "evidence"),
    ],
)  # fmt: skip
def test_nobody_is_made_older_by_a_method_that_can_not_say_so(shop, sqlite_world, stored, method, act, pointer):
    """Rules 9 and 10: an age opens what is for those who are old enough."""
    before = stored()
    refused = shop.post(ONE, said(sqlite_world.bo, act, NEWSLETTER, method=method, age=40), key="one")
    assert (refused.status_code, [each["pointer"] for each in refused.get_json()["errors"]]) == (422, [f"/{pointer}"])
    assert "an age" in refused.get_json()["errors"][0]["detail"]
    assert stored() == before


@pytest.mark.parametrize(("method", "act", "more"), [
    ("import", "grant", {"evidence": "their export of May"}), ("import", "withdraw", {}),
    ("one_click", "withdraw", {}), ("signal", "refuse", {}),
])  # fmt: skip
def test_each_method_says_what_it_can(shop, sqlite_world, method, act, more):
    one = shop.post(ONE, said(sqlite_world.bo, act, NEWSLETTER, method=method, **more), key="one")
    assert one.status_code == 201


NOBODY = "cus_" + "0" * 32
UNKNOWN = "nobody of this id is enrolled"


def test_a_batch_names_each_statement_of_somebody_who_is_not_enrolled(shop, sqlite_world, stored):
    before = stored()
    every = [said(who, "grant", PURCHASES) for who in (sqlite_world.bo, NOBODY, sqlite_world.ann, NOBODY[:-1] + "1")]
    answer = shop.post(BATCH, {"statements": every}, key="one")

    assert (answer.status_code, answer.get_json()["errors"]) == (404, [
        {"pointer": "/statements/1/customer", "detail": UNKNOWN},
        {"pointer": "/statements/3/customer", "detail": UNKNOWN},
    ])  # fmt: skip
    assert stored() == before


@pytest.mark.parametrize(("path", "body"), [
    (ONE, said(NOBODY, "grant", PURCHASES)),
    (f"{ONE}:stop-all", {"customer": NOBODY, "method": "phone"}),
    ("/api/v1/requests", {"customer": NOBODY, "kind": "access", "how": "letter"}),
])  # fmt: skip
def test_an_id_in_the_body_that_nobody_has_is_pointed_at(shop, path, body):
    answer = shop.post(path, body, key="one")
    assert (answer.status_code, answer.get_json()["errors"]) == (404, [{"pointer": "/customer", "detail": UNKNOWN}])
