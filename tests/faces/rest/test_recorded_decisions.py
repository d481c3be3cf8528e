"""`GET /api/v1/decisions/{id}` and its replay: what was decided, as it was logged, and again."""

import pytest

from api.roles import KeyScope
from personalise import engine
from tests.campaigns import publish, willing


@pytest.fixture
def made(sqlite_world):
    publish(sqlite_world, campaign={"holdout": {"share": 0, "salt": "s"}})
    [who] = willing(sqlite_world, 1)
    return engine.decide_one(sqlite_world.deployment, who, campaign="spring", actor="mia")


def test_a_decision_is_shown_with_the_whole_of_its_funnel(caller, made):
    shown = caller([KeyScope.DECISIONS_WRITE]).get(f"/api/v1/decisions/{made.id}")

    assert (shown.status_code, shown.json) == (200, {**made.as_json(), "personalised": True})


def test_the_customers_sentence_comes_in_his_language(caller, made):
    asked = caller([KeyScope.DECISIONS_WRITE])
    german = asked.get(f"/api/v1/decisions/{made.id}?language=de").json["explanation"]

    assert german == (
        "Sie bekommen dies, weil Sie die Nutzung von „Was Sie gekauft haben“ und den Kontakt per „E-Mail“ erlaubt "
        "haben; der Zweck ist „Empfehlungen für Sie“."
    )
    assert asked.get(f"/api/v1/decisions/{made.id}?lang=de").status_code == 400


def test_a_decision_is_replayed(caller, made, sqlite_world):
    auditor = caller([KeyScope.AUDITS_RUN])
    replayed = auditor.post(f"/api/v1/decisions/{made.id}:replay")

    assert (replayed.status_code, replayed.json["outcome"], replayed.json["columns"]) == (200, "same", [])
    assert len(replayed.json["replay"]) == 64
    reasons = sqlite_world.rows("SELECT reason FROM data_use WHERE decision = ''")
    assert reasons == [(f"replay of {made.id.partition('.')[0]}",)]


def test_who_decides_may_not_open_what_was_decided_from(caller, made):
    assert caller([KeyScope.DECISIONS_WRITE]).post(f"/api/v1/decisions/{made.id}:replay").status_code == 403


@pytest.mark.parametrize("name", ["dec_0.0", "nothing", "dec_" + "0" * 32 + ".0"])
def test_no_such_decision(caller, name):
    assert caller([KeyScope.DECISIONS_WRITE]).get(f"/api/v1/decisions/{name}").status_code == 404
    assert caller([KeyScope.AUDITS_RUN]).post(f"/api/v1/decisions/{name}:replay").status_code == 404
