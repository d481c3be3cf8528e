"""Checks over HTTP: many in one call, now or at a past time."""

import pytest

from tests.world import FOUNDING

NEWSLETTER = "contact:email:newsletter"
PURCHASES = "use:purchases:recommendations"
CHECK = "/api/v1/permissions:check"
NOBODY = "cus_" + "0" * 32
NO_TIME = "is not a time; write it like 2026-11-21T17:00:00Z"


def question(customer, scope, **more):
    return {"customer": customer, "scope": scope, **more}


def reasons(answer):
    return [each["reason"] for each in answer.get_json()["data"]]


def test_checks_are_answered_in_their_order(shop, sqlite_world):
    answer = shop.post(
        CHECK, {"checks": [question(sqlite_world.ann, NEWSLETTER), question(sqlite_world.bo, NEWSLETTER)]}
    )

    assert answer.status_code == 200
    judged = {"scope": NEWSLETTER, "at": "2026-11-21T10:00:00.000Z", "position": FOUNDING}
    assert answer.get_json() == {
        "data": [
            {**judged, "customer": sqlite_world.ann, "permit": True, "reason": "PERMIT", "positions": [FOUNDING - 1],
             "may_be_asked": False, "ask": None},
            {**judged, "customer": sqlite_world.bo, "permit": False, "reason": "NO_RECORD", "positions": [],
             "may_be_asked": True, "ask": "http://127.0.0.1:8000/p/choices#contact-email-newsletter"},
        ]
    }  # fmt: skip


def test_where_a_customer_may_be_asked_his_page_has_the_question(shop, sqlite_world):
    """What would change a denial: a place to answer, or none where he is to be left alone."""
    asked = {"checks": [question(sqlite_world.bo, NEWSLETTER)]}
    [open_] = shop.post(CHECK, asked).json["data"]
    sqlite_world.say(sqlite_world.statement(sqlite_world.bo, "refuse", NEWSLETTER))
    [refused] = shop.post(CHECK, asked).json["data"]

    assert open_["ask"].partition("/p/")[2] == "choices#contact-email-newsletter"
    assert (refused["reason"], refused["may_be_asked"], refused["ask"]) == ("REFUSED", False, None)


def test_the_next_check_after_a_withdrawal_is_a_denial(shop, sqlite_world):
    asked = {"checks": [question(sqlite_world.ann, NEWSLETTER)]}
    before = reasons(shop.post(CHECK, asked))
    sqlite_world.withdraw(sqlite_world.ann, NEWSLETTER)

    assert (before, reasons(shop.post(CHECK, asked))) == (["PERMIT"], ["WITHDRAWN"])


def test_a_scope_that_nobody_declared_is_denied(shop, sqlite_world):
    assert reasons(shop.post(CHECK, {"checks": [question(sqlite_world.ann, "use:dreams:profit")]})) == ["UNKNOWN_SCOPE"]


def test_remembered_data_need_two_permissions(shop, sqlite_world):
    sqlite_world.withdraw(sqlite_world.ann, "remember:purchases")
    asked = [question(sqlite_world.ann, PURCHASES, remembered=flag) for flag in (False, True)]

    assert reasons(shop.post(CHECK, {"checks": asked})) == ["PERMIT", "REMEMBER_MISSING"]


def test_a_past_time_is_judged_as_it_stood_then(shop, sqlite_world):
    sqlite_world.clock.advance(hours=1)
    sqlite_world.withdraw(sqlite_world.ann, NEWSLETTER, "remember:purchases")
    sqlite_world.clock.advance(hours=1)
    asked = [question(sqlite_world.ann, NEWSLETTER), question(sqlite_world.ann, PURCHASES, remembered=True)]

    def at(time):
        return reasons(shop.post(CHECK, {"checks": asked, "as_of": time}))

    assert at("2026-11-21T10:59:59.999Z") == ["PERMIT", "PERMIT"]
    assert at("2026-11-21T12:00:00+01:00") == ["WITHDRAWN", "REMEMBER_MISSING"]
    assert at("2026-11-01T00:00:00Z") == ["UNKNOWN_SCOPE", "UNKNOWN_SCOPE"]


def test_customers_who_are_not_enrolled_are_named_together(shop, sqlite_world):
    asked = [question(NOBODY, NEWSLETTER), question(sqlite_world.ann, NEWSLETTER), question(NOBODY, PURCHASES)]
    answer = shop.post(CHECK, {"checks": asked})

    assert (answer.status_code, answer.get_json()["code"]) == (404, "customer_unknown")
    assert [each["pointer"] for each in answer.get_json()["errors"]] == ["/checks/0/customer", "/checks/2/customer"]


def test_a_thousand_checks_fit_into_one_call_and_no_more(shop, sqlite_world):
    one = question(sqlite_world.ann, NEWSLETTER)
    answer = shop.post(CHECK, {"checks": [one] * 1_001})

    assert reasons(shop.post(CHECK, {"checks": [one] * 1_000})) == ["PERMIT"] * 1_000
    assert answer.status_code == 400
    assert answer.get_json()["errors"] == [{"pointer": "/checks", "detail": "must have at most 1,000 items"}]


def test_the_future_is_not_known(shop, sqlite_world):
    late = "2026-11-21T10:00:00.001Z"
    asked = shop.post(CHECK, {"checks": [question(sqlite_world.ann, NEWSLETTER)], "as_of": late})
    shown = shop.get(f"/api/v1/customers/{sqlite_world.ann}/permissions?as_of={late}")

    why = "lies in the future: what will stand then is not known yet"
    assert (asked.status_code, asked.get_json()["errors"]) == (422, [{"pointer": "/as_of", "detail": why}])
    assert (shown.status_code, shown.get_json()["errors"]) == (422, [{"parameter": "as_of", "detail": why}])


# ------------------------------------------------------------------------------------------- all of one customer


def shown(answer):
    return {each["scope"]: each["reason"] for each in answer.get_json()["data"]}


def test_every_scope_of_the_catalogue_is_shown(shop, sqlite_world):
    answer = shop.get(f"/api/v1/customers/{sqlite_world.bo}/permissions")
    with sqlite_world.store.read() as work:
        catalogue = sqlite_world.deployment.desk.catalogues.current(work)

    assert answer.status_code == 200
    assert [each["scope"] for each in answer.get_json()["data"]] == [rule.scope for rule in catalogue.in_order]
    assert shown(answer) == {scope: sqlite_world.reason(sqlite_world.bo, scope) for scope in catalogue.scopes}
    assert {key: answer.get_json()[key] for key in ("customer", "at", "position")} == {
        "customer": sqlite_world.bo, "at": "2026-11-21T10:00:00.000Z", "position": FOUNDING,
    }  # fmt: skip


def test_what_stood_at_a_past_time_is_shown(shop, sqlite_world):
    sqlite_world.clock.advance(hours=1)
    sqlite_world.withdraw(sqlite_world.ann, NEWSLETTER)
    path = f"/api/v1/customers/{sqlite_world.ann}/permissions"

    now, then = shop.get(path), shop.get(f"{path}?as_of=2026-11-21T10:00:00Z")

    assert (shown(now)[NEWSLETTER], now.get_json()["position"]) == ("WITHDRAWN", FOUNDING + 1)
    assert (shown(then)[NEWSLETTER], then.get_json()["position"]) == ("PERMIT", FOUNDING)
    assert shown(shop.get(f"{path}?as_of=2026-11-01T00:00:00Z")) == {}


def without_id(answer):
    return {key: value for key, value in answer.get_json().items() if key != "request_id"}


@pytest.mark.parametrize("query", ["", "?as_of=2026-11-21T10:00:00Z", "?as_of=2026-01-01T00:00:00Z"])
def test_an_unknown_customer_and_a_wrong_id_are_answered_alike(shop, sqlite_world, query):
    wrong = [NOBODY, "ANN", "cus_1", sqlite_world.ann.upper(), "cus_" + "\N{FULLWIDTH DIGIT ZERO}" * 32, "%00", "..%2e"]
    answers = [shop.get(f"/api/v1/customers/{each}/permissions{query}") for each in wrong]

    assert {answer.status_code for answer in answers} == {404}
    assert [without_id(answer) for answer in answers] == [without_id(answers[0])] * len(wrong)
    assert answers[0].get_json()["code"] == "customer_unknown"


@pytest.mark.parametrize(("query", "errors"), [
    ("as_of=yesterday", [("as_of", f"'yesterday' {NO_TIME}")]),
    ("as_of=2026-11-21T10:00:00", [("as_of", f"'2026-11-21T10:00:00' {NO_TIME}")]),
    ("as_of=2026-11-21T10:00:00+01:00", [("as_of", f"'2026-11-21T10:00:00 01:00' {NO_TIME}")]),
    ("as_of=", [("as_of", f"'' {NO_TIME}")]),
    ("at=2026-11-21T10:00:00Z", [("at", "is not known here")]),
    ("as_of=2026-11-20T10:00:00Z&as_of=2026-11-21T10:00:00Z", [("as_of", "stands twice")]),
])  # fmt: skip
def test_a_wrong_parameter_is_named(shop, sqlite_world, query, errors):
    answer = shop.get(f"/api/v1/customers/{sqlite_world.ann}/permissions?{query}")

    assert answer.status_code == 400
    assert [(each["parameter"], each["detail"]) for each in answer.get_json()["errors"]] == errors
