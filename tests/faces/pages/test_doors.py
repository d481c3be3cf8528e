"""Ways in and out, and what holds of every page: who may, what surrounds it, that looking writes nothing."""

import re
from collections.abc import Iterator

import pytest
from flask import Flask

from api.actors import links
from api.app import create_app
from api.checks import CHECKS
from api.pages import BLUEPRINTS
from api.roles import ACTIONS, Role, action_of, undeclared
from api.security import HEADERS, SILENT
from consent.audit import run as audits
from tests.campaigns import open_run, publish
from tests.faces.pages.conftest import house_of
from tests.flows.test_contact_policy import rule as publish_rules

TABLES = (
    "ledger_entry", "standing", "data_use", "run", "decision_chunk", "contact", "audit_run", "job_run", "web_session",
    "link",
)  # fmt: skip


@pytest.fixture
def world(sqlite_world):
    return sqlite_world


@pytest.fixture
def places(world):
    """Every page that can be fetched, with whoever may: None for everybody."""
    key = publish(world)
    publish_rules(world, cap=[{"key": "week", "limit": 2, "days": 7}], goodwill={"prices": {"email": 1}})
    run = open_run(world.deployment, key, actor=world.mia)
    audit = audits.run(world.deployment, CHECKS, asked_by=world.cy).audit
    return {
        "/": None,
        "/verify": None,
        "/p/choices": Role.CUSTOMER,
        "/p/choices?lang=de": Role.CUSTOMER,
        "/p/saved?entries=1": Role.CUSTOMER,
        "/p/history": Role.CUSTOMER,
        "/p/remembered": Role.CUSTOMER,
        "/p/requests": Role.CUSTOMER,
        "/p/erase": Role.CUSTOMER,
        "/console": Role.MARKETER,
        f"/console/campaigns/{key}": Role.MARKETER,
        f"/console/runs/{run}": Role.APPROVER,
        "/console/contact-policy": Role.MARKETER,
        "/console/contact-policy/new": Role.APPROVER,
        "/console/contact-policy/versions/1": Role.MARKETER,
        "/console/compare": Role.MARKETER,
        "/audit": Role.OFFICER,
        "/audit/requests": Role.OFFICER,
        "/audit/file": Role.OFFICER,
        "/audit/processing": Role.OFFICER,
        "/audit/uses": Role.OFFICER,
        f"/audit/audits/{audit}": Role.OFFICER,
    }


@pytest.fixture
def visitors(world, anybody, customer, staff):
    """Somebody for each role."""
    made = {None: anybody, Role.CUSTOMER: customer(world.ann)}

    def visitor(role):
        if role not in made:
            made[role] = staff(role)
        return made[role]

    return visitor


def rows(world):
    return {table: sorted(map(repr, world.rows(f"SELECT * FROM {table}"))) for table in TABLES}  # noqa: S608 -- our own names


# -------------------------------------------------------------------------------------------------------- every page


def test_every_page_says_who_may(app):
    assert undeclared(app=app) == []


def test_looking_at_any_page_writes_nothing(world, places, visitors):
    people = {path: visitors(role) for path, role in places.items()}
    before = rows(world)
    assert {path: who.open(path).status for path, who in people.items()} == dict.fromkeys(places, 200)
    assert rows(world) == before


def test_every_page_is_whole_and_has_nothing_inline(places, visitors):
    for path, role in places.items():
        page = visitors(role).open(path)
        tree = page.tree
        assert (path, len(tree.all("h1")), len(tree.all("main")), tree.all("a", class_="skip")[0].attrs["href"]) == (
            path, 1, 1, "#main",
        )  # fmt: skip
        assert tree.one("html").attrs["lang"] == ("de" if "lang=de" in path else "en")
        assert tree.one("title").text.count(" · ") == 1
        assert [node.tag for node in tree.walk() if "style" in node.attrs or node.tag == "style"] == []
        assert [name for node in tree.walk() for name in node.attrs if name.startswith("on")] == []
        assert [node.text for node in tree.all("script")] in ([], [""])
        ids = [node.attrs["id"] for node in tree.walk() if "id" in node.attrs]
        assert sorted(ids) == sorted(set(ids))


def test_every_page_is_kept_by_no_cache_and_loads_only_from_here(places, visitors):
    for path, role in places.items():
        page = visitors(role).open(path)
        stricter = {"Content-Security-Policy": SILENT} if path == "/verify" else {}
        assert {name: page.response.headers[name] for name in HEADERS} == {**HEADERS, **stricter}
        assert page.response.headers["Cache-Control"] == "no-store"
        loaded = [
            node.attrs.get("href", node.attrs.get("src", ""))
            for node in page.tree.walk()
            if node.tag in ("link", "script")
        ]
        assert [address for address in loaded if not re.fullmatch(r"/static/[a-z.]+\?v=[0-9a-f]{12}", address)] == []


def test_every_form_of_somebody_signed_in_carries_his_token(places, visitors):
    for path, role in places.items():
        forms = visitors(role).open(path).tree.all("form", method="post")
        tokens = {form.fields.get("csrf_token", "") for form in forms}
        assert (path, len(tokens), "" in tokens) == (path, 1 if forms else 0, False)


def test_staff_pages_name_no_customer(places, visitors):
    for path, role in places.items():
        if role not in (None, Role.CUSTOMER):
            assert (path, re.findall(r"cus_[0-9a-f]{32}", visitors(role).open(path).response.text)) == (path, [])


def pages_of(app: Flask) -> Iterator[tuple[str, str, str]]:
    """Every rule of the pages: method, path with made-up names, action."""
    ours = {blueprint.name for blueprint in BLUEPRINTS}
    for rule in app.url_map.iter_rules():
        if rule.endpoint.partition(".")[0] in ours:
            path = re.sub(r"<\w+>", "x", rule.rule)
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                yield method, path, action_of(app.view_functions[rule.endpoint]) or ""


def test_each_role_gets_to_what_the_one_table_gives_it_and_to_nothing_else(app, visitors):
    let_in, meant = {}, {}
    for role in (None, Role.CUSTOMER, Role.MARKETER, Role.APPROVER, Role.OFFICER, Role.AGENT, Role.ADMIN):
        for method, path, action in pages_of(app):
            if path == "/sign-out":
                continue  # it would sign the visitor out
            visitor = visitors(role)
            status = visitor.client.open(path, method=method, headers={"Sec-Fetch-Site": "same-origin"}).status_code
            # 403 is also what a form without its token gets: then he was let as far as the form.
            reached = status not in (401, 403) or (method == "POST" and status == 403 and role in ACTIONS[action].roles)
            let_in[str(role), method, path] = reached or path.startswith(("/p/l/", "/s/"))
            meant[str(role), method, path] = ACTIONS[action].public or role in ACTIONS[action].roles
    assert let_in == meant


def test_a_form_without_its_token_is_refused(world, customer):
    ann = customer(world.ann)
    fields = ann.open("/p/choices").form("Save my choices").fields
    del fields["csrf_token"]
    before = world.size()
    page = ann.send("/p/choices", {**fields, "all": "no"})
    assert (page.status, world.size()) == (403, before)
    assert page.main.one("div", class_="note-warn").text == (
        "Nothing was saved: whatever you had sent is as if it had not been sent."
    )


def test_a_form_sent_by_another_site_is_refused(world, customer):
    ann = customer(world.ann)
    fields = ann.open("/p/choices").form("Save my choices").fields
    before = world.size()
    page = ann.send("/p/choices", {**fields, "all": "no"}, headers={"Sec-Fetch-Site": "cross-site"})
    assert (page.status, world.size()) == (403, before)


# -------------------------------------------------------------------------------------------------------- in and out


def token_for(world, role=None):
    with world.store.write() as work:
        if role is None:
            return links.for_customer(work, world.ann, at=world.clock())
        return links.for_staff(work, "pat", role, at=world.clock())


def test_looking_at_a_link_does_not_use_it_up(world, anybody):
    path = f"/p/l/{token_for(world)}"
    assert [anybody.open(path).heading for _ in range(3)] == ["Is it you?"] * 3
    assert anybody.press(anybody.open(path), "Continue to my choices").heading == "Your choices"


def test_a_link_is_good_once(world, anybody):
    path = f"/p/l/{token_for(world)}"
    anybody.press(anybody.open(path), "Continue to my choices")
    second = anybody.open(path)
    assert (second.status, second.heading) == (401, "This link is no longer good")
    assert anybody.send(path, {}).status == 401


def test_a_link_is_good_for_ten_minutes(world, anybody):
    path = f"/s/{token_for(world, Role.OFFICER)}"
    world.clock.advance(minutes=10)
    assert anybody.open(path).status == 401


@pytest.mark.parametrize(
    ("role", "path"),
    [(Role.MARKETER, "/console"), (Role.APPROVER, "/console"), (Role.OFFICER, "/audit"), (Role.ADMIN, "/console")],
)
def test_staff_come_to_where_their_work_is(world, anybody, role, path):
    page = anybody.open(f"/s/{token_for(world, role)}")
    assert page.main.one("strong").text == "pat"
    assert anybody.press(page, "Continue as pat").path == path


def test_a_link_opens_only_the_door_that_it_was_made_for(world, anybody):
    staff, customer = token_for(world, Role.OFFICER), token_for(world)
    paths = [f"/p/l/{staff}", f"/s/{customer}"]
    assert [anybody.open(path).status for path in paths] == [401, 401]
    assert [anybody.send(path, {}).status for path in paths] == [401, 401]
    # Trying the wrong door has used neither up.
    assert anybody.open(f"/s/{staff}").status == 200


def test_signing_out_ends_the_session_here_and_in_the_browser(world, customer):
    ann = customer(world.ann)
    cookie = ann.client.get_cookie("byleave")
    assert ann.press(ann.open("/p/choices"), "Sign out").path == "/"
    assert ann.client.get_cookie("byleave") is None
    ann.client.set_cookie("byleave", cookie.value)
    assert ann.open("/p/choices").status == 401


# -------------------------------------------------------------------------------------------- errors, files, the start


def test_whoever_is_not_signed_in_is_told_the_way_in(anybody):
    page = anybody.open("/p/choices")
    assert (page.status, page.heading) == (401, "Please identify yourself")
    assert page.main.one("p", class_="lead").text == (
        "Open the link to your choices that we sent you. It is good once and for ten minutes: if it is older, ask us "
        "for a new one."
    )
    assert "byleave user invite NAME --role ROLE" in anybody.open("/audit").main.text


def test_an_error_page_has_the_same_look_and_a_number_to_ask_by(anybody):
    page = anybody.open("/nothing/here")
    assert (page.status, page.heading) == (404, "There is nothing here")
    assert page.main.one("code").text == page.response.headers["X-Request-Id"]
    assert page.tree.one("link", rel="stylesheet").attrs["href"].startswith("/static/app.css?v=")
    assert {name: page.response.headers[name] for name in HEADERS} == dict(HEADERS)


def test_what_problem_types_point_to_has_the_same_look(anybody):
    page = anybody.open("/problems/form_refused")
    assert (page.status, page.heading) == (200, "This form is no longer good")


def test_the_start_page_shows_three_doors(anybody):
    assert [link.attrs["href"] for link in anybody.open("/").main.all("a", class_="button")] == [
        "/p/choices", "/console", "/audit",
    ]  # fmt: skip


def test_a_file_is_kept_for_as_long_as_its_address_names_it(anybody, app):
    address = anybody.open("/").tree.one("link", rel="stylesheet").attrs["href"]
    assert app.test_client().get(address).headers["Cache-Control"] == "public, max-age=31536000, immutable"
    old = app.test_client().get("/static/app.css?v=000000000000")
    assert (old.status_code, old.headers["Cache-Control"]) == (200, "no-cache")
    assert app.test_client().get("/static/../shell.py").status_code == 404


def test_a_production_page_wears_no_badge(world):
    made = house_of(world, environment="production", name="shop.example", base_url="https://shop.example")
    client = create_app(made).test_client()
    with world.store.write() as work:
        token = links.for_staff(work, "pat", Role.OFFICER, at=world.clock())
    entered = client.post(f"/s/{token}", base_url="https://shop.example", headers={"Origin": "null"})
    assert entered.headers["Set-Cookie"].startswith("__Host-byleave=")
    assert "not production" not in client.get("/audit", base_url="https://shop.example").text
