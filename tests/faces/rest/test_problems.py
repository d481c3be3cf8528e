"""How errors are answered: programs get problem details, people a page, nobody a look inside."""

import logging
import re
from datetime import timedelta

import pytest

from api.app import create_app
from api.problems import STATUSES, meanings, status_of
from api.roles import action
from api.settings import Settings
from api.wiring import open_house
from consent.base import errors
from consent.base.errors import ByleaveError
from tests.builders import FOUNDED
from tests.faces.rest.conftest import Caller

REQUEST_ID = re.compile(r"req_[0-9a-f]{32}")
SECRET = "ann@shop.example"


def kinds(kind=ByleaveError):
    yield kind
    for each in kind.__subclasses__():
        yield from kinds(each)


def test_an_unknown_address_is_a_problem_for_programs_and_a_page_for_people(stranger):
    program, person = stranger.get("/api/v1/nothing"), stranger.get("/nothing")

    assert (program.status_code, program.mimetype) == (404, "application/problem+json")
    assert program.get_json() == {
        "type": "http://127.0.0.1:8000/problems/not_found",
        "title": "There is nothing here",
        "status": 404,
        "detail": "No page or resource has this address.",
        "code": "not_found",
        "request_id": program.headers["X-Request-Id"],
    }
    assert (person.status_code, person.mimetype) == (404, "text/html")
    assert person.headers["X-Request-Id"] in person.text


def test_every_answer_has_a_request_id_of_its_own(stranger):
    ids = [stranger.get("/healthz").headers["X-Request-Id"] for _ in range(20)]
    assert [each for each in ids if not REQUEST_ID.fullmatch(each)] == []
    assert len(set(ids)) == 20


def test_a_request_id_from_outside_is_not_taken_over(stranger):
    answer = stranger.call("GET", "/healthz", headers={"X-Request-Id": "req_" + "0" * 32})
    assert answer.headers["X-Request-Id"] != "req_" + "0" * 32


@pytest.mark.parametrize(("method", "path", "allowed"), [
    ("GET", "/api/v1/statements", "POST"),
    ("DELETE", "/api/v1/ledger/entries/1", "GET, HEAD"),
    ("OPTIONS", "/api/v1/permissions:check", "POST"),
    ("TRACE", "/healthz", "GET, HEAD"),
    ("POST", "/problems/not_found", "GET, HEAD"),
])  # fmt: skip
def test_a_wrong_method_says_which_are_right(stranger, method, path, allowed):
    answer = stranger.call(method, path)
    assert (answer.status_code, answer.headers["Allow"]) == (405, allowed)


def test_what_fails_inside_is_told_to_nobody(house, caplog):
    app = create_app(house)
    stranger = Caller(client=app.test_client())

    @app.get("/api/v1/broken")
    @action("health.show")
    def broken():
        raise RuntimeError(SECRET)

    @app.get("/broken")
    @action("health.show")
    def broken_page():
        raise RuntimeError(SECRET)

    with caplog.at_level(logging.DEBUG):
        program, person = stranger.get("/api/v1/broken"), stranger.get("/broken")

    assert program.get_json() == {
        "type": "http://127.0.0.1:8000/problems/internal",
        "title": "Something went wrong here",
        "status": 500,
        "detail": "It is our fault. Nothing of the request was kept.",
        "code": "internal",
        "request_id": program.headers["X-Request-Id"],
    }
    assert (person.status_code, person.mimetype) == (500, "text/html")
    assert person.headers["X-Request-Id"] in person.text
    assert SECRET not in caplog.text + person.text
    assert [record.getMessage().split()[0] for record in caplog.records] == [
        program.headers["X-Request-Id"], person.headers["X-Request-Id"],
    ]  # fmt: skip
    assert "RuntimeError at " in caplog.records[0].getMessage()


def test_a_broken_ledger_is_our_fault_and_stays_inside(shop, sqlite_world):
    sqlite_world.tamper("DELETE FROM ledger_head")
    answer = shop.get("/api/v1/ledger/checkpoint")

    assert (answer.status_code, answer.get_json()["code"]) == (500, "internal")


def test_a_database_that_is_away_is_said_to_be_away(sqlite_world, tmp_path):
    away = tmp_path / "away"
    settings = Settings(database_url=f"sqlite:///{away / 'byleave.db'}", keyring=sqlite_world.keyring)
    house = open_house(settings, clock=sqlite_world.clock)
    caller = Caller(client=create_app(house).test_client(), token="bl_00000000_" + "A" * 43)
    body = {"customer": sqlite_world.ann, "act": "withdraw", "method": "phone", "scopes": ["remember:purchases"]}

    alive, ready, recorded = caller.get("/healthz"), caller.get("/readyz"), caller.post("/api/v1/statements", body)
    house.close()

    assert (alive.status_code, ready.status_code, recorded.status_code) == (200, 503, 503)
    assert recorded.get_json()["title"] == "Not recorded: the database does not answer"
    assert recorded.headers["Retry-After"] == "5"


def test_a_house_is_ready_when_it_can_do_its_work(stranger, sqlite_world):
    sqlite_world.clock.set(FOUNDED + timedelta(minutes=1))  # nothing can have been missed yet
    before = stranger.get("/readyz")
    sqlite_world.tamper("UPDATE alembic_version SET version_num = '0001'")
    behind = stranger.get("/readyz")

    assert (before.status_code, before.get_json()) == (200, {"status": "ok", "alarms": []})
    assert (behind.status_code, behind.get_json()["code"]) == (503, "unavailable")


def test_a_house_without_a_ledger_is_not_ready(stranger, sqlite_world):
    sqlite_world.tamper("DELETE FROM ledger_head")
    assert stranger.get("/readyz").status_code == 503


def test_every_type_of_problem_has_its_page(stranger):
    answers = {code: stranger.get(f"/problems/{code}") for code in meanings()}

    assert {code: answer.status_code for code, answer in answers.items()} == dict.fromkeys(meanings(), 200)
    assert [code for code, answer in answers.items() if code not in answer.text] == []
    assert stranger.get("/problems/nonsense").status_code == 404


def test_every_error_has_a_status_and_every_code_one_title():
    codes: dict[str, set[str]] = {}
    for kind in kinds():
        assert status_of(kind) in STATUSES.values()
        codes.setdefault(kind.code, set()).add(kind.title)
    assert {code: titles for code, titles in codes.items() if len(titles) > 1} == {}


@pytest.mark.parametrize(("kind", "status"), [
    (errors.RequestInvalid, 400), (errors.StatementInvalid, 422), (errors.CampaignInvalid, 422),
    (errors.NotSignedIn, 401), (errors.NotAllowed, 403), (errors.RunUnknown, 404), (errors.HeadMoved, 409),
    (errors.ClockBehind, 503), (errors.LedgerBroken, 500), (errors.KeyLost, 500), (errors.SettingsInvalid, 500),
])  # fmt: skip
def test_an_error_has_the_status_of_its_branch(kind, status):
    assert status_of(kind) == status
