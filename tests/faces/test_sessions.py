"""Sessions of people: begun by a link that is good once, ended by time or by hand, and their forms."""

import re
from datetime import timedelta

import pytest
from flask import Response, request

from api.actors import actor, links, sessions
from api.app import create_app, csrf_token
from api.roles import Role, action
from api.security import HEADERS
from api.settings import Settings
from api.wiring import House
from consent.base.errors import Invalid

FIELD = "csrf_token"
OWN = {"Sec-Fetch-Site": "same-origin", "Origin": "null"}


def house_of(world, **settings):
    made = Settings(database_url=world.url, keyring=world.keyring, **settings)
    return House(settings=made, deployment=world.deployment)


def app_of(house):
    """Return the application, with a page to look at and a form to send."""
    app = create_app(house)

    @app.get("/look")
    @action("choices.show")
    def look():
        return csrf_token(house)

    @app.post("/save")
    @action("choices.save")
    def save():
        return f"{actor.current().name} {actor.current().subject} saved {request.form['choice']}"

    @app.post("/enter")
    @action("session.enter")
    def enter():
        with house.deployment.store.write() as work:
            at = house.deployment.clock()
            link = links.taken(work, request.form["link"], at=at)
            token = sessions.start(work, link, at=at, settings=house.settings)
        response = Response("welcome")
        sessions.give_cookie(response, token, house.settings)
        return response

    @app.post("/leave")
    @action("session.leave")
    def leave():
        with house.deployment.store.write() as work:
            sessions.end(work, actor.current(), at=house.deployment.clock())
        response = Response("goodbye")
        sessions.take_cookie(response, house.settings)
        return response

    return app


@pytest.fixture
def house(sqlite_world):
    return house_of(sqlite_world)


@pytest.fixture
def browser(house):
    return app_of(house).test_client()


def link_for(world, **more):
    with world.store.write() as work:
        return links.for_customer(work, world.ann, at=world.clock(), **more)


def enter(browser, link, **more):
    return browser.post("/enter", data={"link": link}, headers=OWN, **more)


def save(browser, token, headers=None):
    return browser.post("/save", data={"choice": "yes", FIELD: token}, headers=OWN if headers is None else headers)


# ------------------------------------------------------------------------------------------------------------ links


def test_a_customer_comes_in_by_a_link_and_is_known(browser, sqlite_world):
    before = browser.get("/look").status_code
    entered = enter(browser, link_for(sqlite_world))
    token = browser.get("/look").text

    assert (before, entered.status_code) == (401, 200)
    assert save(browser, token).text == f"customer {sqlite_world.ann} saved yes"


def test_a_link_is_good_once(browser, sqlite_world):
    link = link_for(sqlite_world)
    answers = [enter(browser, link), enter(browser, link)]

    assert [answer.status_code for answer in answers] == [200, 401]
    assert "This link is no longer good" in answers[1].text


def test_looking_at_a_link_does_not_spend_it(browser, sqlite_world):
    link = link_for(sqlite_world)
    for _ in range(3):
        with sqlite_world.store.read() as work:
            assert links.shown(work, link, at=sqlite_world.clock()).subject == sqlite_world.ann

    assert enter(browser, link).status_code == 200


def test_a_link_is_good_for_ten_minutes(browser, sqlite_world):
    young, old = link_for(sqlite_world), link_for(sqlite_world)
    sqlite_world.clock.advance(minutes=9, seconds=59)
    assert enter(browser, young).status_code == 200
    sqlite_world.clock.advance(seconds=1)
    assert enter(browser, old).status_code == 401


@pytest.mark.parametrize("link", ["", "x", "A" * 43, "A" * 44, "\N{FULLWIDTH DIGIT ONE}" * 43])
def test_a_made_up_link_opens_nothing(browser, sqlite_world, link):
    assert enter(browser, link).status_code == 401
    with sqlite_world.store.read() as work, pytest.raises(links.LinkSpent):
        links.shown(work, link, at=sqlite_world.clock())


def test_a_link_is_kept_as_a_digest_only(sqlite_world):
    link = link_for(sqlite_world)
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", link)
    assert link not in repr(sqlite_world.rows("SELECT * FROM link"))


def test_staff_comes_in_by_invitation_in_its_role(browser, sqlite_world):
    with sqlite_world.store.write() as work:
        link = links.for_staff(work, "mia", Role.MARKETER, at=sqlite_world.clock())
    enter(browser, link)

    assert browser.get("/look").status_code == 403
    assert sqlite_world.rows("SELECT kind, subject, role FROM web_session") == [("staff", "mia", "marketer")]


@pytest.mark.parametrize("role", [Role.CUSTOMER, Role.INTEGRATOR])
def test_nobody_is_invited_to_be_no_staff(sqlite_world, role):
    with sqlite_world.store.write() as work, pytest.raises(Invalid):
        links.for_staff(work, "mia", role, at=sqlite_world.clock())
    assert sqlite_world.rows("SELECT * FROM link") == []


# --------------------------------------------------------------------------------------------------------- sessions


def test_a_session_ends_when_it_was_idle_too_long(browser, sqlite_world):
    enter(browser, link_for(sqlite_world))
    statuses = []
    for minutes in (29, 29, 30):
        sqlite_world.clock.advance(minutes=minutes)
        statuses.append(browser.get("/look").status_code)
    assert statuses == [200, 200, 401]


def test_a_session_ends_however_busy_it_is(sqlite_world):
    browser = app_of(house_of(sqlite_world, session_absolute_minutes=60)).test_client()
    enter(browser, link_for(sqlite_world))
    statuses = []
    for _ in range(3):
        sqlite_world.clock.advance(minutes=20)
        statuses.append(browser.get("/look").status_code)
    assert statuses == [200, 200, 401]


def test_whoever_leaves_is_gone_also_with_the_old_cookie(browser, sqlite_world):
    enter(browser, link_for(sqlite_world))
    cookie = browser.get_cookie("byleave").value
    left = browser.post("/leave", data={FIELD: browser.get("/look").text}, headers=OWN)

    assert (left.text, browser.get_cookie("byleave")) == ("goodbye", None)
    browser.set_cookie("byleave", cookie)
    assert browser.get("/look").status_code == 401


def test_all_sessions_of_somebody_can_be_ended(house, sqlite_world):
    browsers = [app_of(house).test_client() for _ in range(2)]
    for each in browsers:
        enter(each, link_for(sqlite_world))
    assert [each.get("/look").status_code for each in browsers] == [200, 200]

    with sqlite_world.store.write() as work:
        sessions.end_all(work, sqlite_world.ann, at=sqlite_world.clock())

    assert [each.get("/look").status_code for each in browsers] == [401, 401]


def test_each_sign_in_makes_a_new_session(browser, sqlite_world):
    enter(browser, link_for(sqlite_world))
    first = browser.get_cookie("byleave").value
    enter(browser, link_for(sqlite_world))
    assert browser.get_cookie("byleave").value != first


def test_a_session_is_kept_as_a_digest_only(browser, sqlite_world):
    enter(browser, link_for(sqlite_world))
    assert browser.get_cookie("byleave").value not in repr(sqlite_world.rows("SELECT * FROM web_session"))


def test_a_cookie_is_out_of_reach_of_scripts_and_other_sites(browser, sqlite_world):
    answer = enter(browser, link_for(sqlite_world))
    assert sorted(re.sub(r"=[A-Za-z0-9_-]{43}", "=…", answer.headers["Set-Cookie"]).split("; ")) == [
        "HttpOnly", "Max-Age=43200", "Path=/", "SameSite=Lax", "byleave=…",
    ] or "Expires" in answer.headers["Set-Cookie"]  # fmt: skip


def test_over_tls_the_cookie_belongs_to_this_host_alone(sqlite_world):
    house = house_of(sqlite_world, base_url="https://shop.example")
    browser = app_of(house).test_client()
    answer = enter(browser, link_for(sqlite_world), base_url="https://shop.example")

    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-byleave=")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= set(cookie.split("; "))
    assert "Domain" not in cookie
    assert answer.headers["Strict-Transport-Security"] == "max-age=63072000; includeSubDomains"


def test_a_session_opens_no_api_and_a_key_no_page(browser, sqlite_world):
    enter(browser, link_for(sqlite_world))
    assert browser.get("/look").status_code == 200
    assert browser.post("/api/v1/permissions:check", json={}).status_code == 401


# ------------------------------------------------------------------------------------------------------------ forms


@pytest.mark.parametrize("token", ["", "x", "A" * 43, "\N{LATIN SMALL LETTER U WITH DIAERESIS}"])
def test_a_form_without_its_sessions_token_saves_nothing(browser, sqlite_world, token):
    enter(browser, link_for(sqlite_world))
    answer = save(browser, token)

    assert answer.status_code == 403
    assert "This form is no longer good" in answer.text
    assert "Nothing was saved" in answer.text
    assert save(browser, browser.get("/look").text).status_code == 200


def test_the_token_of_another_session_saves_nothing(house, sqlite_world):
    mine, other = app_of(house).test_client(), app_of(house).test_client()
    enter(mine, link_for(sqlite_world))
    enter(other, link_for(sqlite_world))

    assert save(mine, other.get("/look").text).status_code == 403


@pytest.mark.parametrize(("headers", "status"), [
    ({"Sec-Fetch-Site": "same-origin", "Origin": "null"}, 200),
    ({"Sec-Fetch-Site": "none"}, 200),
    ({"Origin": "http://127.0.0.1:8000"}, 200),
    ({}, 200),
    ({"Sec-Fetch-Site": "cross-site"}, 403),
    ({"Sec-Fetch-Site": "same-site"}, 403),
    ({"Origin": "https://evil.example"}, 403),
    ({"Origin": "http://127.0.0.1:8001"}, 403),
    ({"Sec-Fetch-Site": "cross-site", "Origin": "http://127.0.0.1:8000"}, 403),
])  # fmt: skip
def test_a_form_of_another_site_saves_nothing(browser, sqlite_world, headers, status):
    enter(browser, link_for(sqlite_world))
    assert save(browser, browser.get("/look").text, headers).status_code == status


def test_nobody_is_signed_in_by_a_form_of_another_site(browser, sqlite_world):
    link = link_for(sqlite_world)
    answer = browser.post("/enter", data={"link": link}, headers={"Sec-Fetch-Site": "cross-site"})

    assert (answer.status_code, browser.get("/look").status_code) == (403, 401)
    assert enter(browser, link).status_code == 200


def test_a_form_that_is_too_large_is_not_read(browser, sqlite_world):
    enter(browser, link_for(sqlite_world))
    answer = browser.post("/save", data={FIELD: "x" * 1_100_000}, headers=OWN)
    assert answer.status_code == 413
    unannounced = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    answer = browser.post("/save", data={FIELD: "x" * 1_100_000}, headers=OWN, environ_overrides=unannounced)
    assert answer.status_code == 413


# ---------------------------------------------------------------------------------------------------------- headers


@pytest.mark.parametrize("path", ["/look", "/nothing", "/problems/not_found", "/healthz", "/api/v1/nothing"])
def test_every_answer_keeps_others_out(browser, path):
    answer = browser.get(path)
    assert {name: answer.headers[name] for name in HEADERS} == dict(HEADERS)
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Strict-Transport-Security" not in answer.headers


def test_nothing_inline_and_nothing_from_elsewhere_runs(browser):
    policy = dict(part.split(" ", 1) for part in browser.get("/look").headers["Content-Security-Policy"].split("; "))
    assert policy == {
        "default-src": "'none'", "script-src": "'self'", "style-src": "'self'", "img-src": "'self'",
        "connect-src": "'self'", "form-action": "'self'", "frame-ancestors": "'none'", "base-uri": "'none'",
    }  # fmt: skip


@pytest.mark.parametrize(("host", "status"), [
    ("localhost", 200), ("127.0.0.1:8000", 200), ("evil.example", 400), ("localhost.evil.example", 400), ("", 400),
])  # fmt: skip
def test_only_our_own_hosts_are_served(browser, host, status):
    assert browser.get("/healthz", headers={"Host": host}).status_code == status


def test_a_view_that_does_not_say_who_may_is_served_to_nobody(house):
    app = create_app(house)
    app.add_url_rule("/forgotten", view_func=lambda: "secret", endpoint="forgotten")
    answer = app.test_client().get("/forgotten")
    assert (answer.status_code, "secret" in answer.text) == (403, False)


def test_a_link_may_live_longer_where_it_is_handed_over_by_hand(browser, sqlite_world):
    link = link_for(sqlite_world, good_for=timedelta(days=1))
    sqlite_world.clock.advance(hours=23)
    assert enter(browser, link).status_code == 200
