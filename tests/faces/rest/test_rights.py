"""`requests`, `customers/{id}/export` and `/erasure`: asked for, answered in time, and recorded before it happens."""

import json
import logging
from datetime import timedelta

import pytest

from api.roles import KeyScope, Role
from consent.base.clock import rfc3339
from consent.rights.asked import Outcome

NOBODY = "cus_" + "0" * 32
CANARY = "canary-eulalia-7431"


@pytest.fixture
def officer(caller):
    return caller(role=Role.OFFICER)


@pytest.fixture
def agent(caller):
    return caller(role=Role.AGENT)


def opened(caller, who, kind="access", key="k", **more):
    answer = caller.post("/api/v1/requests", {"customer": who, "kind": kind, **more}, key=key)
    assert answer.status_code == 201, answer.get_json()
    return answer.get_json()


def exported(caller, who, **more):
    return caller.post(f"/api/v1/customers/{who}/export", {"reason": "he asked", **more})


# ---------------------------------------------------------------------------------------------------------- requests


def test_a_request_is_opened_assigned_extended_and_closed(sqlite_world, officer):
    made = opened(officer, sqlite_world.ann, received_at="2026-11-20T09:00:00Z", wish="all of it")
    assert (made["due_at"], made["state"], made["days_left"]) == ("2026-12-20T09:00:00.000Z", "received", 28)
    at = f"/api/v1/requests/{made['request']}"
    assert officer.post(f"{at}:assign", {"owner": "staff:anna"}).get_json()["state"] == "in_hand"
    longer = officer.post(f"{at}:extend", {"reason": "forty letters\nand more"}).get_json()
    assert longer["due_at"] == "2027-02-20T09:00:00.000Z"
    early = officer.post(f"{at}:close", {"outcome": "fulfilled"})
    assert (early.status_code, early.get_json()["code"]) == (409, "state_conflict")
    assert exported(officer, sqlite_world.ann).status_code == 200
    closed = officer.post(f"{at}:close", {"outcome": "fulfilled", "answer": "Here it is."}).get_json()
    assert (closed["state"], closed["outcome"], closed["days_left"]) == ("closed", "fulfilled", None)
    shown = officer.get(at)
    assert [(step["event"], step["detail"]) for step in shown.get_json()["steps"]] == [
        ("received", "program"), ("assigned", "staff:anna"), ("extended", "2027-02-20T09:00:00.000Z"),
        ("closed", "fulfilled"),
    ]  # fmt: skip
    assert (shown.get_json()["extended_because"], shown.get_json()["answer"]) == (
        "forty letters\nand more", "Here it is.",
    )  # fmt: skip
    assert b"all of it" not in shown.data
    sqlite_world.check_ledger()


def test_requests_are_shown_as_they_stood_at_a_past_time(sqlite_world, officer):
    """Rule 16."""
    made = opened(officer, sqlite_world.ann)
    path, during = f"/api/v1/requests/{made['request']}", rfc3339(sqlite_world.clock())
    before, listed = officer.get(path).get_json(), officer.get("/api/v1/requests").get_json()
    sqlite_world.clock.advance(days=1)
    officer.post(f"{path}:assign", {"owner": "staff:anna"})
    officer.post(f"{path}:close", {"outcome": "refused", "answer": "It was asked twice."})

    assert officer.get(f"{path}?as_of={during}").get_json() == before
    assert officer.get(f"/api/v1/requests?open=true&as_of={during}").get_json() == listed
    assert officer.get("/api/v1/requests?open=true").get_json()["data"] == []
    assert officer.get(f"{path}?as_of=2020-01-01T00:00:00Z").status_code == 404
    for asked in (path, "/api/v1/requests"):
        ahead = officer.get(f"{asked}?as_of=2999-01-01T00:00:00Z")
        assert (ahead.status_code, ahead.get_json()["errors"][0]["parameter"]) == (422, "as_of")


def test_requests_are_listed_with_a_filter_and_a_cursor(sqlite_world, shop):
    first = opened(shop, sqlite_world.ann, key="1", received_at="2026-10-01T09:00:00Z")["request"]
    second = opened(shop, sqlite_world.bo, "erasure", key="2")["request"]
    listed = shop.get("/api/v1/requests").get_json()
    assert ([each["request"] for each in listed["data"]], listed["next_cursor"]) == ([first, second], None)
    assert (listed["open"], listed["overdue"]) == (2, 1)
    page = shop.get("/api/v1/requests?limit=1").get_json()
    rest = shop.get(f"/api/v1/requests?limit=1&cursor={page['next_cursor']}").get_json()
    assert [each["request"] for part in (page, rest) for each in part["data"]] == [first, second]

    def chosen(query):
        return [each["request"] for each in shop.get(f"/api/v1/requests?{query}").get_json()["data"]]

    assert chosen("overdue=true") == chosen(f"customer={sqlite_world.ann}") == chosen("kind=access") == [first]
    assert chosen("state=in_hand") == chosen("owner=x") == []
    assert chosen("open=true&overdue=false") == [first, second]


@pytest.mark.parametrize("query", ["limit=0", "cursor=x", "kind=all", "open=1", "owner=", "strange=1"])
def test_a_wrong_filter_is_refused_by_name(shop, query):
    answer = shop.get(f"/api/v1/requests?{query}")
    assert (answer.status_code, answer.get_json()["errors"][0]["parameter"]) == (400, query.partition("=")[0])


def test_the_same_key_opens_a_request_once(sqlite_world, shop):
    first = opened(shop, sqlite_world.ann)
    sqlite_world.clock.advance(minutes=1)
    assert opened(shop, sqlite_world.ann)["request"] == first["request"]
    other = shop.post("/api/v1/requests", {"customer": sqlite_world.ann, "kind": "erasure"}, key="k")
    assert (other.status_code, other.get_json()["code"]) == (409, "idempotency_conflict")
    missing = shop.post("/api/v1/requests", {"customer": sqlite_world.ann, "kind": "erasure"})
    assert (missing.status_code, missing.get_json()["errors"][0]["header"]) == (400, "Idempotency-Key")


@pytest.mark.parametrize(
    ("body", "status", "where"),
    [
        ({"kind": "access"}, 400, "/customer"),
        ({"customer": NOBODY, "kind": "everything"}, 400, "/kind"),
        ({"customer": NOBODY, "kind": "access", "wish": "a\x00"}, 400, "/wish"),
        ({"customer": NOBODY, "kind": "access", "due_at": "2030-01-01T00:00:00Z"}, 400, "/due_at"),
    ],
)
def test_a_wrong_request_is_refused_by_place(shop, body, status, where):
    answer = shop.post("/api/v1/requests", body, key="k")
    assert (answer.status_code, answer.get_json()["errors"][0]["pointer"]) == (status, where)


def test_a_request_that_came_tomorrow_is_refused(sqlite_world, shop):
    tomorrow = (sqlite_world.clock() + timedelta(days=1)).isoformat()
    answer = shop.post(
        "/api/v1/requests", {"customer": sqlite_world.ann, "kind": "access", "received_at": tomorrow}, key="k"
    )
    assert (answer.status_code, answer.get_json()["errors"][0]["pointer"]) == (422, "/received_at")


def test_who_and_what_is_unknown_is_not_found(shop, officer):
    assert shop.post("/api/v1/requests", {"customer": NOBODY, "kind": "access"}, key="k").status_code == 404
    assert officer.get("/api/v1/requests/rgt_x").status_code == 404
    assert officer.post("/api/v1/requests/rgt_x:assign", {"owner": "x"}).status_code == 404


def test_a_refusal_needs_its_reasons(sqlite_world, officer):
    at = f"/api/v1/requests/{opened(officer, sqlite_world.ann)['request']}:close"
    refused = officer.post(at, {"outcome": "refused"})
    assert (refused.status_code, refused.get_json()["errors"]) == (
        422, [{"pointer": "/answer", "detail": "must not be empty"}],
    )  # fmt: skip
    assert officer.post(at, {"outcome": "refused", "answer": "No."}).get_json()["outcome"] == Outcome.REFUSED


# ------------------------------------------------------------------------------------------------------------ export


@pytest.mark.parametrize("role", [Role.AGENT, Role.OFFICER])
def test_an_export_is_streamed_to_who_gives_a_reason(sqlite_world, caller, role):
    sqlite_world.remember(sqlite_world.ann, main_interest="garden")
    answer = exported(caller(role=role), sqlite_world.ann)
    assert (answer.status_code, answer.mimetype, answer.is_streamed) == (200, "application/json", True)
    document = json.loads(answer.data)
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{sqlite_world.ann}.json"'
    assert answer.headers["Cache-Control"] == "no-store"
    assert [each["category"] for each in document["remembered"]] == ["interests"]
    [(actor, reason)] = sqlite_world.rows("SELECT actor, reason FROM data_use")
    assert (actor.partition(":")[0], reason) == ("key", "he asked")
    sqlite_world.check_ledger()


def test_an_export_in_json_ld(sqlite_world, officer):
    answer = exported(officer, sqlite_world.ann, format="jsonld")
    assert (answer.mimetype, json.loads(answer.data)["@type"]) == (
        "application/ld+json", ["dpv:RightExerciseRecord", "eu-gdpr:SARNotice"],
    )  # fmt: skip


def test_without_a_reason_nothing_is_exported(sqlite_world, officer):
    for body in ({}, {"reason": ""}, {"reason": "x", "format": "xml"}):
        assert officer.post(f"/api/v1/customers/{sqlite_world.ann}/export", body).status_code == 400
    assert sqlite_world.rows("SELECT count(*) FROM data_use") == [(0,)]


def test_who_is_not_enrolled_is_not_found(officer):
    for who in (NOBODY, "x", "rgt_" + "0" * 32):
        assert exported(officer, who).status_code == 404
        assert officer.post(f"/api/v1/customers/{who}/erasure", {"ground": "withdrawn"}).status_code == 404


@pytest.mark.parametrize(
    ("role", "scope", "may"),
    [
        (Role.AGENT, KeyScope.RIGHTS_READ, (200, 403)),
        (Role.OFFICER, KeyScope.RIGHTS_READ, (200, 403)),
        (Role.OFFICER, KeyScope.RIGHTS_WRITE, (403, 200)),
        (Role.AGENT, KeyScope.RIGHTS_WRITE, (403, 403)),
        (Role.INTEGRATOR, KeyScope.RIGHTS_READ, (403, 403)),
        (Role.INTEGRATOR, KeyScope.RIGHTS_WRITE, (403, 403)),
        (Role.OFFICER, KeyScope.CONSENT_READ, (403, 403)),
    ],
)
def test_exports_and_erasures_take_a_role_and_a_scope(sqlite_world, caller, role, scope, may):
    program = caller([scope], role)
    given = exported(program, sqlite_world.ann)
    erased = program.post(f"/api/v1/customers/{sqlite_world.ann}/erasure", {"ground": "withdrawn"})
    assert (given.status_code, erased.status_code) == may


# ----------------------------------------------------------------------------------------------------------- erasure


def test_an_erasure_closes_the_request_that_asked_for_it(sqlite_world, officer):
    waiting = opened(officer, sqlite_world.ann, "erasure", how="letter", wish="all of it")["request"]
    answer = officer.post(f"/api/v1/customers/{sqlite_world.ann}/erasure", {"ground": "withdrawn", "suppress": True})
    told = answer.get_json()
    assert (answer.status_code, told["customer"], told["request"], told["repeated"], told["suppressed"]) == (
        200, sqlite_world.ann, waiting, False, 1,
    )  # fmt: skip
    assert officer.get(f"/api/v1/requests/{waiting}").get_json()["outcome"] == "fulfilled"
    assert sqlite_world.reason(sqlite_world.ann, "contact:email:service") == "CUSTOMER_ERASED"
    assert sqlite_world.rows("SELECT words, asked FROM rights_request") == [(b"", b"")]
    sqlite_world.check_ledger()


def test_an_erasure_that_nobody_had_asked_for_yet_is_asked_for_with_it(sqlite_world, officer):
    path = f"/api/v1/customers/{sqlite_world.ann}/erasure"
    first, again = (officer.post(path, {"ground": "withdrawn"}).get_json() for _ in range(2))
    assert (first["repeated"], again["repeated"], first["position"] == again["position"]) == (False, True, True)
    shown = officer.get(f"/api/v1/requests/{first['request']}").get_json()
    assert [(step["event"], step["detail"]) for step in shown["steps"]] == [
        ("received", "program"), ("closed", "fulfilled"),
    ]  # fmt: skip


def test_after_an_erasure_an_export_has_nothing_left_to_give(sqlite_world, officer):
    sqlite_world.remember(sqlite_world.ann, main_interest=CANARY)
    assert CANARY.encode() in exported(officer, sqlite_world.ann).data
    officer.post(f"/api/v1/customers/{sqlite_world.ann}/erasure", {"ground": "withdrawn"})
    document = json.loads(exported(officer, sqlite_world.ann).data)
    assert [document[name] for name in ("identities", "remembered", "statements", "contacts")] == [[], [], [], []]
    assert [each["kind"] for each in document["requests"]] == ["erasure"]


# ------------------------------------------------------------------------------------------------------------ canary


def test_no_word_of_a_customer_reaches_a_log(sqlite_world, officer, agent, caplog):
    caplog.set_level(logging.DEBUG)
    sqlite_world.remember(sqlite_world.ann, main_interest=CANARY)
    made = opened(officer, sqlite_world.ann, "rectification", wish=f"I am {CANARY}")
    assert CANARY.encode() in exported(agent, sqlite_world.ann).data  # it could have leaked
    officer.post(f"/api/v1/requests/{made['request']}:close", {"outcome": "refused", "answer": f"no, {CANARY}"})
    officer.post(f"/api/v1/requests/{made['request']}:close", {"outcome": CANARY})
    officer.get(f"/api/v1/requests?owner={CANARY}\x00")
    assert [record.getMessage() for record in caplog.records if CANARY in record.getMessage()] == []
    stored = [
        repr(row)
        for name in ("ledger_entry", "ledger_payload", "rights_request", "rights_step", "data_use", "memory")
        for row in sqlite_world.rows(f"SELECT * FROM {name}")  # noqa: S608 -- our own tables' names
    ]
    assert [row for row in stored if CANARY in row] == []
