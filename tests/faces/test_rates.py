"""Rate limits, as programs and people meet them: headers on each answer, 429 where it is too much."""

import sqlite3
from contextlib import closing

import pytest

from api.actors import keys, links
from api.rates.shared import SUFFIX
from api.roles import KeyScope
from consent.base.ids import Scope
from consent.register import links as withdrawing
from tests.faces.rest.conftest import house_of
from tests.serving import served

NEWSLETTER = "contact:email:newsletter"
CHECK = "/api/v1/permissions:check"
OWN = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def asking(sqlite_world):
    """Return a function that makes the application with some limits, and a browser or a program to ask it."""

    def made(**limits):
        return served(house_of(sqlite_world, **limits)).test_client()

    return made


def key(world, *scopes):
    with world.store.write() as work:
        return keys.make(work, "a shop", scopes=scopes or tuple(KeyScope), at=world.clock()).token


def check(client, world, token):
    body = {"checks": [{"customer": world.ann, "scope": NEWSLETTER}]}
    return client.post(CHECK, json=body, headers={"Authorization": f"Bearer {token}"})


def told(answer):
    return answer.status_code, answer.headers.get("RateLimit-Policy"), answer.headers.get("RateLimit")


def test_a_key_is_told_what_is_left_and_refused_when_nothing_is(asking, sqlite_world):
    client, mine, others = asking(rate_per_key=6), key(sqlite_world), key(sqlite_world)
    answers = [check(client, sqlite_world, mine) for _ in range(6)]
    refused = check(client, sqlite_world, mine)

    assert [told(each) for each in answers] == [
        (200, '"key";q=6;w=60', f'"key";r={left};t={60 - 10 * left}') for left in (5, 4, 3, 2, 1, 0)
    ]
    assert told(refused) == (429, '"key";q=6;w=60', '"key";r=0;t=60')
    assert (refused.headers["Retry-After"], refused.mimetype) == ("10", "application/problem+json")
    assert refused.get_json()["code"] == "too_many_requests"
    assert "6 requests a minute for one key" in refused.get_json()["detail"]
    assert check(client, sqlite_world, others).status_code == 200
    sqlite_world.clock.advance(seconds=10)
    assert [check(client, sqlite_world, mine).status_code for _ in range(2)] == [200, 429]


def test_flask_and_what_stands_before_it_count_together_and_each_request_once(asking, sqlite_world):
    client, mine = asking(rate_per_key=10), key(sqlite_world)
    assert told(check(client, sqlite_world, mine))[2].startswith('"key";r=9;')
    wrong = client.post(CHECK, json={"checks": []}, headers={"Authorization": f"Bearer {mine}"})
    assert (wrong.status_code, told(wrong)[2].partition(";t")[0]) == (400, '"key";r=8')
    other = client.get(f"/api/v1/customers/{sqlite_world.ann}/permissions", headers={"Authorization": f"Bearer {mine}"})
    assert told(other)[2].startswith('"key";r=7;')


def test_keys_that_are_none_are_counted_by_address(asking, sqlite_world):
    client, mine = asking(rate_per_address=3), key(sqlite_world)
    answers = [check(client, sqlite_world, "bl_00000000_" + "A" * 43) for _ in range(4)]
    assert [told(each)[:2] for each in answers] == [(401, '"address";q=3;w=60')] * 3 + [(429, '"address";q=3;w=60')]
    assert check(client, sqlite_world, mine).status_code == 200  # a key that is one is not its address
    assert client.get("/api/v1/nothing").status_code == 429
    elsewhere = {"REMOTE_ADDR": "203.0.113.9"}
    assert client.get("/api/v1/nothing", environ_overrides=elsewhere).status_code == 404


def test_behind_a_proxy_the_client_is_counted_and_not_what_it_claims(asking):
    client = asking(rate_per_address=2, proxy_hops=1)
    for claimed in ("6.6.6.6, 198.51.100.1", "7.7.7.7, 198.51.100.1"):
        assert client.get("/nothing", headers={"X-Forwarded-For": claimed}).status_code == 404
    assert client.get("/nothing", headers={"X-Forwarded-For": "8.8.8.8, 198.51.100.1"}).status_code == 429
    assert client.get("/nothing", headers={"X-Forwarded-For": "198.51.100.2"}).status_code == 404


def test_people_get_a_page_that_says_when_to_come_back(asking):
    client = asking(rate_per_address=1)
    client.get("/nothing")
    refused = client.get("/nothing")
    assert (refused.status_code, refused.mimetype, refused.headers["Retry-After"]) == (429, "text/html", "60")
    assert "Too many requests" in refused.text


def test_a_customer_is_counted_wherever_he_comes_from(asking, sqlite_world):
    client = asking(rate_per_customer=3)
    with sqlite_world.store.write() as work:
        link = links.for_customer(work, sqlite_world.ann, at=sqlite_world.clock())
    assert client.post(f"/p/l/{link}", headers=OWN).status_code == 303
    seen = [client.get("/p/choices", environ_overrides={"REMOTE_ADDR": f"203.0.113.{n}"}) for n in range(4)]
    assert [each.status_code for each in seen] == [200, 200, 200, 429]
    assert seen[0].headers["RateLimit-Policy"] == '"address";q=6000;w=60, "customer";q=3;w=60'


def test_a_no_is_never_too_many(asking, sqlite_world):
    client = asking(rate_per_address=1, rate_per_customer=1)
    client.get("/nothing")
    assert client.get("/nothing").status_code == 429
    desk = sqlite_world.deployment.desk
    for who in (sqlite_world.ann, sqlite_world.bo):
        token = withdrawing.sign(desk, who, [Scope(NEWSLETTER)], at=sqlite_world.clock())
        assert client.get(f"/w/{token}").status_code == 200
        pressed = client.post(f"/w/{token}", data={"List-Unsubscribe": "One-Click"})
        assert (pressed.status_code, "RateLimit" in pressed.headers) == (200, False)
    assert client.get("/healthz").status_code == 200


def test_zero_is_no_limit(asking, sqlite_world):
    client, mine = asking(rate_per_key=0, rate_per_address=0, rate_per_customer=0), key(sqlite_world)
    assert told(check(client, sqlite_world, mine)) == (200, None, None)
    assert told(client.get("/nothing")) == (404, None, None)


def test_what_cannot_be_counted_is_not_answered(asking, sqlite_world):
    client, mine = asking(), key(sqlite_world)
    file = sqlite_world.store.file
    with closing(sqlite3.connect(file.with_name(file.name + SUFFIX), isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        refused = check(client, sqlite_world, mine)
        assert (refused.status_code, refused.get_json()["code"]) == (503, "database_down")
        other.execute("ROLLBACK")
    assert check(client, sqlite_world, mine).status_code == 200


def test_nothing_of_it_is_written_where_the_ledger_is(asking, sqlite_world):
    client, mine = asking(), key(sqlite_world)
    check(client, sqlite_world, mine)
    before = sqlite_world.store.file.read_bytes()
    for _ in range(20):
        check(client, sqlite_world, mine)
        client.get("/nothing")
    assert sqlite_world.store.file.read_bytes() == before
