"""Who may do what: every route and command says so, and every role is tried on every route."""

import hashlib
import re

import click
import pytest
from flask import Flask

from api.actors import keys, links, sessions
from api.problems import for_programs
from api.roles import ACTIONS, STAFF, KeyScope, Role, action, action_of, allows, undeclared
from api.security import csrf_token
from api.settings import Settings
from api.wiring import House
from consent.register import links as register_links
from tests.serving import served

AUDITS = KeyScope.AUDITS_RUN
READ, WRITE, LEDGER = KeyScope.CONSENT_READ, KeyScope.CONSENT_WRITE, KeyScope.LEDGER_READ
DECIDE, RUN, RESULTS = KeyScope.DECISIONS_WRITE, KeyScope.CAMPAIGNS_RUN, KeyScope.RESULTS_READ
RIGHTS, RIGHTS_WRITE = KeyScope.RIGHTS_READ, KeyScope.RIGHTS_WRITE
EVERYBODY = None
KNOWN = {"admin", "agent", "approver", "integrator", "marketer", "officer"}

# Method and route → the roles that may, and the scope that a key needs: what api/roles.py has to say, said again.
MATRIX = {
    ("GET", "/healthz"): EVERYBODY,
    ("GET", "/readyz"): EVERYBODY,
    ("GET", "/openapi.json"): EVERYBODY,
    ("GET", "/api/v1/ledger/checkpoint"): EVERYBODY,
    ("POST", "/api/v1/customers"): ({"agent", "integrator"}, WRITE),
    ("POST", "/api/v1/imports"): ({"integrator"}, WRITE),
    ("GET", "/api/v1/customers/<customer>/permissions"): ({"agent", "integrator", "officer"}, READ),
    ("GET", "/api/v1/customers/<customer>/statements"): ({"agent", "integrator", "officer"}, READ),
    ("GET", "/api/v1/receipts/<seq>"): ({"agent", "integrator", "officer"}, READ),
    ("POST", "/api/v1/receipts:verify"): EVERYBODY,
    ("POST", "/api/v1/receipts/<seq>:verify"): EVERYBODY,
    ("POST", "/api/v1/decisions"): ({"agent", "integrator"}, DECIDE),
    ("GET", "/api/v1/decisions/<decision>"): ({"agent", "integrator", "officer"}, DECIDE),
    ("POST", "/api/v1/decisions:simulate"): ({"approver", "integrator", "marketer"}, RUN),
    ("POST", "/api/v1/decisions/<decision>/outcome"): ({"agent", "integrator"}, DECIDE),
    ("POST", "/api/v1/decisions/<decision>:turn-down"): ({"agent", "integrator"}, DECIDE),
    ("POST", "/api/v1/customers/<customer>/goodwill"): ({"agent", "integrator"}, DECIDE),
    ("POST", "/api/v1/decisions/<decision>:replay"): ({"integrator", "officer"}, AUDITS),
    ("POST", "/api/v1/permissions:check"): ({"agent", "integrator", "officer"}, READ),
    ("POST", "/api/v1/statements"): ({"agent", "integrator"}, WRITE),
    ("POST", "/api/v1/statements:batch"): ({"agent", "integrator"}, WRITE),
    ("POST", "/api/v1/statements:stop-all"): ({"agent", "integrator"}, WRITE),
    ("GET", "/api/v1/catalogue"): (KNOWN, READ),
    ("GET", "/api/v1/catalogue/versions"): (KNOWN, READ),
    ("GET", "/api/v1/catalogue/versions/<version>"): (KNOWN, READ),
    ("GET", "/api/v1/notices"): (KNOWN, READ),
    ("GET", "/api/v1/notices/<notice>/<version>"): (KNOWN, READ),
    ("PUT", "/api/v1/customers/<customer>/household"): ({"agent", "integrator"}, WRITE),
    ("DELETE", "/api/v1/customers/<customer>/household"): ({"agent", "integrator"}, WRITE),
    ("GET", "/api/v1/customers/<customer>/wishes"): ({"agent", "integrator", "officer"}, READ),
    ("PUT", "/api/v1/customers/<customer>/wishes"): ({"agent", "integrator"}, WRITE),
    ("DELETE", "/api/v1/customers/<customer>/wishes"): ({"agent", "integrator"}, WRITE),
    ("GET", "/api/v1/customers/<customer>/goodwill"): ({"agent", "integrator", "officer"}, READ),
    ("GET", "/api/v1/contact-policy"): ({"approver", "integrator", "marketer", "officer"}, RUN),
    ("GET", "/api/v1/contact-policy/draft"): ({"approver", "integrator", "marketer", "officer"}, RUN),
    ("GET", "/api/v1/contact-policy/versions/<version>"): ({"approver", "integrator", "marketer", "officer"}, RUN),
    ("GET", "/api/v1/contact-policy/versions/<version>/changes"): (
        {"approver", "integrator", "marketer", "officer"},
        RUN,
    ),
    ("POST", "/api/v1/contact-policy:check"): ({"approver", "integrator", "marketer", "officer"}, RUN),
    ("POST", "/api/v1/contact-policy"): ({"approver"}, RUN),
    ("POST", "/api/v1/campaigns/<campaign>:dry-run"): ({"approver", "integrator", "marketer"}, RUN),
    ("POST", "/api/v1/campaigns:compare"): ({"approver", "integrator", "marketer"}, RUN),
    ("POST", "/api/v1/campaigns:check"): ({"approver", "integrator", "marketer"}, RUN),
    ("POST", "/api/v1/campaigns"): ({"marketer"}, RUN),
    ("POST", "/api/v1/campaigns/<campaign>:measure"): ({"approver", "integrator", "marketer", "officer"}, RESULTS),
    ("GET", "/api/v1/requests"): ({"agent", "integrator", "officer"}, RIGHTS),
    ("GET", "/api/v1/requests/<request>"): ({"agent", "integrator", "officer"}, RIGHTS),
    ("POST", "/api/v1/requests"): ({"agent", "integrator", "officer"}, RIGHTS_WRITE),
    ("POST", "/api/v1/requests/<request>:assign"): ({"integrator", "officer"}, RIGHTS_WRITE),
    ("POST", "/api/v1/requests/<request>:close"): ({"integrator", "officer"}, RIGHTS_WRITE),
    ("POST", "/api/v1/requests/<request>:extend"): ({"integrator", "officer"}, RIGHTS_WRITE),
    ("POST", "/api/v1/customers/<customer>/export"): ({"agent", "officer"}, RIGHTS),
    ("POST", "/api/v1/customers/<customer>/erasure"): ({"officer"}, RIGHTS_WRITE),
    ("GET", "/api/v1/suppressions"): ({"agent", "integrator", "officer"}, READ),
    ("POST", "/api/v1/suppressions"): ({"agent", "integrator", "officer"}, WRITE),
    ("POST", "/api/v1/suppressions:check"): ({"agent", "integrator", "officer"}, READ),
    ("POST", "/api/v1/suppressions:lift"): ({"integrator", "officer"}, RIGHTS_WRITE),
    ("GET", "/api/v1/audits"): ({"integrator", "officer"}, AUDITS),
    ("POST", "/api/v1/audits"): ({"integrator", "officer"}, AUDITS),
    ("GET", "/api/v1/audits/asked/<asked>"): ({"integrator", "officer"}, AUDITS),
    ("GET", "/api/v1/audits/<audit>"): ({"integrator", "officer"}, AUDITS),
    ("GET", "/api/v1/reports/<audit>"): ({"integrator", "officer"}, AUDITS),
    ("GET", "/api/v1/findings"): ({"integrator", "officer"}, AUDITS),
    ("GET", "/api/v1/findings/<finding>"): ({"integrator", "officer"}, AUDITS),
    ("POST", "/api/v1/findings/<finding>:assign"): ({"integrator", "officer"}, AUDITS),
    ("POST", "/api/v1/findings/<finding>:accept"): ({"integrator", "officer"}, AUDITS),
    ("POST", "/api/v1/findings/<finding>:resolve"): ({"integrator", "officer"}, AUDITS),
    ("GET", "/api/v1/schedules"): ({"integrator", "officer"}, AUDITS),
    ("GET", "/api/v1/schedules/<schedule>"): ({"integrator", "officer"}, AUDITS),
    ("PUT", "/api/v1/schedules/<schedule>"): ({"integrator", "officer"}, AUDITS),
    ("GET", "/api/v1/evidence-packs"): ({"integrator", "officer"}, AUDITS),
    ("POST", "/api/v1/evidence-packs"): ({"integrator", "officer"}, AUDITS),
    ("GET", "/api/v1/evidence-packs/<pack>"): ({"integrator", "officer"}, AUDITS),
    ("GET", "/api/v1/evidence-packs/<pack>/file"): ({"integrator", "officer"}, AUDITS),
    ("GET", "/api/v1/ledger/entries"): ({"integrator", "officer"}, LEDGER),
    ("GET", "/api/v1/ledger/entries/<seq>"): ({"integrator", "officer"}, LEDGER),
    ("GET", "/api/v1/ledger/logs"): ({"integrator", "officer"}, LEDGER),
    ("GET", "/api/v1/ledger/proofs/consistency"): ({"integrator", "officer"}, LEDGER),
    ("GET", "/api/v1/ledger/proofs/inclusion"): ({"integrator", "officer"}, LEDGER),
    ("GET", "/api/v1/campaigns"): ({"approver", "integrator", "marketer", "officer"}, RUN),
    ("GET", "/api/v1/campaigns/<campaign>"): ({"approver", "integrator", "marketer", "officer"}, RUN),
    ("POST", "/api/v1/campaigns/<campaign>:check"): ({"approver", "integrator", "marketer"}, RUN),
    ("POST", "/api/v1/campaigns/<campaign>:approve"): ({"approver"}, RUN),
    ("POST", "/api/v1/campaigns/<campaign>:schedule"): ({"approver", "integrator"}, RUN),
    ("POST", "/api/v1/campaigns/<campaign>:start"): ({"approver", "integrator"}, RUN),
    ("POST", "/api/v1/campaigns/<campaign>:pause"): ({"approver", "integrator"}, RUN),
    ("POST", "/api/v1/campaigns/<campaign>:resume"): ({"approver", "integrator"}, RUN),
    ("POST", "/api/v1/campaigns/<campaign>:stop"): ({"approver", "integrator"}, RUN),
}

CUSTOMER, STAFF_ALL = {"customer"}, {"admin", "agent", "approver", "marketer", "officer"}
CAMPAIGNS = {"approver", "marketer", "officer"}

# The same for pages, where people come with a session.
PAGES = {
    ("GET", "/"): EVERYBODY,
    ("GET", "/static/<name>"): EVERYBODY,
    ("GET", "/ledger/checkpoint"): EVERYBODY,
    ("GET", "/ledger/tile/<path:tile>"): EVERYBODY,
    ("GET", "/ledger/<period>/checkpoint"): EVERYBODY,
    ("GET", "/ledger/<period>/tile/<path:tile>"): EVERYBODY,
    ("GET", "/problems/<code>"): EVERYBODY,
    ("GET", "/verify"): EVERYBODY,
    ("GET", "/p/l/<token>"): EVERYBODY,
    ("POST", "/p/l/<token>"): EVERYBODY,
    ("GET", "/s/<token>"): EVERYBODY,
    ("POST", "/s/<token>"): EVERYBODY,
    ("GET", "/w/<token>"): EVERYBODY,
    ("POST", "/w/<token>"): EVERYBODY,
    ("GET", "/p"): CUSTOMER,
    ("GET", "/p/choices"): CUSTOMER,
    ("POST", "/p/choices"): CUSTOMER,
    ("GET", "/p/history"): CUSTOMER,
    ("GET", "/p/receipts/<position>"): CUSTOMER,
    ("GET", "/p/saved"): CUSTOMER,
    ("POST", "/p/undo"): CUSTOMER,
    ("POST", "/p/pause"): CUSTOMER,
    ("POST", "/p/resume"): CUSTOMER,
    ("POST", "/p/stop"): CUSTOMER,
    ("GET", "/p/confirm/<token>"): EVERYBODY,
    ("POST", "/p/confirm/<token>"): EVERYBODY,
    ("GET", "/.well-known/gpc.json"): EVERYBODY,
    ("GET", "/console"): STAFF_ALL,
    ("GET", "/console/campaigns/<key>"): CAMPAIGNS,
    ("GET", "/console/campaigns/<key>/mails/<treatment>/<which>"): CAMPAIGNS,
    ("POST", "/console/campaigns/<key>/dry-run"): {"approver", "marketer"},
    ("POST", "/console/campaigns/<key>/results"): CAMPAIGNS,
    ("POST", "/console/campaigns/<key>/start"): {"approver"},
    ("POST", "/console/campaigns/<key>/check"): {"approver", "marketer"},
    ("POST", "/console/campaigns/<key>/approve"): {"approver"},
    ("POST", "/console/campaigns/<key>/schedule"): {"approver"},
    ("POST", "/console/campaigns/<key>/cancel"): {"approver"},
    ("POST", "/console/campaigns/<key>/pause"): {"approver"},
    ("POST", "/console/campaigns/<key>/resume"): {"approver"},
    ("POST", "/console/campaigns/<key>/stop"): {"approver"},
    ("GET", "/console/contact-policy"): CAMPAIGNS,
    ("GET", "/console/contact-policy/new"): CAMPAIGNS,
    ("GET", "/console/contact-policy/versions.csv"): CAMPAIGNS,
    ("GET", "/console/contact-policy/versions.json"): CAMPAIGNS,
    ("GET", "/console/contact-policy/versions/<version>"): CAMPAIGNS,
    ("GET", "/console/contact-policy/versions/<version>/file"): CAMPAIGNS,
    ("POST", "/console/contact-policy/check"): CAMPAIGNS,
    ("POST", "/console/contact-policy/publish"): {"approver"},
    ("GET", "/console/compare"): {"approver", "marketer"},
    ("POST", "/console/compare"): {"approver", "marketer"},
    ("GET", "/console/runs/<run>"): CAMPAIGNS,
    ("POST", "/console/runs/<run>/pause"): {"approver"},
    ("POST", "/console/runs/<run>/resume"): {"approver"},
    ("POST", "/console/runs/<run>/stop"): {"approver"},
    ("GET", "/p/wishes"): CUSTOMER,
    ("POST", "/p/wishes"): CUSTOMER,
    ("POST", "/p/wishes/clear"): CUSTOMER,
    ("POST", "/p/wishes/undo"): CUSTOMER,
    ("GET", "/p/why"): CUSTOMER,
    ("GET", "/p/goodwill"): CUSTOMER,
    ("GET", "/p/remembered"): CUSTOMER,
    ("POST", "/p/remembered/show"): CUSTOMER,
    ("POST", "/p/remembered/correct"): CUSTOMER,
    ("POST", "/p/remembered/remove"): CUSTOMER,
    ("POST", "/p/download"): CUSTOMER,
    ("GET", "/p/requests"): CUSTOMER,
    ("POST", "/p/requests/ask"): CUSTOMER,
    ("POST", "/p/requests/restrict"): CUSTOMER,
    ("POST", "/p/requests/lift"): CUSTOMER,
    ("POST", "/p/requests/object"): CUSTOMER,
    ("GET", "/p/erase"): CUSTOMER,
    ("POST", "/p/erase"): CUSTOMER,
    ("GET", "/audit/requests"): {"agent", "officer"},
    ("POST", "/audit/requests"): {"agent", "officer"},
    ("GET", "/audit/requests.csv"): {"agent", "officer"},
    ("GET", "/audit/requests.json"): {"agent", "officer"},
    ("GET", "/audit/requests/<number>"): {"agent", "officer"},
    ("POST", "/audit/requests/<number>/read"): {"agent", "officer"},
    ("POST", "/audit/requests/<number>/assign"): {"officer"},
    ("POST", "/audit/requests/<number>/extend"): {"officer"},
    ("POST", "/audit/requests/<number>/close"): {"officer"},
    ("POST", "/audit/requests/<number>/export"): {"agent", "officer"},
    ("POST", "/audit/requests/<number>/correct"): {"agent", "officer"},
    ("POST", "/audit/requests/<number>/restrict"): {"officer"},
    ("POST", "/audit/requests/<number>/object"): {"officer"},
    ("POST", "/audit/requests/<number>/erase"): {"officer"},
    ("GET", "/audit/file"): {"officer"},
    ("POST", "/audit/file"): {"officer"},
    ("GET", "/audit/file/<look>"): {"officer"},
    ("GET", "/audit/file/<look>/json"): {"officer"},
    ("GET", "/audit/processing"): {"officer"},
    ("GET", "/audit/processing.csv"): {"officer"},
    ("GET", "/audit/processing.json"): {"officer"},
    ("GET", "/audit/uses"): {"officer"},
    ("GET", "/audit/uses.csv"): {"officer"},
    ("GET", "/audit/uses.json"): {"officer"},
    ("GET", "/audit"): {"officer"},
    ("GET", "/audit/audits"): {"officer"},
    ("GET", "/audit/audits.csv"): {"officer"},
    ("GET", "/audit/audits.json"): {"officer"},
    ("GET", "/audit/audits/<audit>"): {"officer"},
    ("GET", "/audit/audits/<audit>/report.<format_>"): {"officer"},
    ("GET", "/audit/findings"): {"officer"},
    ("GET", "/audit/findings.csv"): {"officer"},
    ("GET", "/audit/findings.json"): {"officer"},
    ("GET", "/audit/findings/<finding>"): {"officer"},
    ("POST", "/audit/findings/<finding>/assign"): {"officer"},
    ("POST", "/audit/findings/<finding>/accept"): {"officer"},
    ("POST", "/audit/findings/<finding>/resolve"): {"officer"},
    ("GET", "/audit/schedules"): {"officer"},
    ("GET", "/audit/schedules/<schedule>"): {"officer"},
    ("POST", "/audit/schedules"): {"officer"},
    ("GET", "/audit/packs"): {"officer"},
    ("POST", "/audit/packs"): {"officer"},
    ("GET", "/audit/packs/<pack>"): {"officer"},
    ("GET", "/audit/packs/<pack>/file"): {"officer"},
    ("POST", "/audit/run"): {"officer"},
    ("POST", "/sign-out"): STAFF_ALL | CUSTOMER,
}


@pytest.fixture
def app(sqlite_world):
    settings = Settings(database_url=sqlite_world.url, keyring=sqlite_world.keyring)
    return served(House(settings=settings, deployment=sqlite_world.deployment))


@pytest.fixture
def key(sqlite_world):
    def make(role, scopes):
        with sqlite_world.store.write() as work:
            return keys.make(work, "a key", scopes=scopes, role=role, at=sqlite_world.clock()).token

    return make


def status(app, method, route, token=None):
    """Call a route with a key; whatever it says of the request, 401 and 403 are said before."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    path = route.replace("<customer>", "x").replace("<seq>", "x")
    return app.test_client().open(path, method=method, headers=headers).status_code


def begun(world, role):
    """Return the cookie's value of a new session in a role."""
    kind: links.LinkKind = "customer" if role is Role.CUSTOMER else "staff"
    link = links.SignInLink(kind=kind, subject=world.ann if kind == "customer" else "mia", role=role)
    with world.store.write() as work:
        return sessions.start(work, link, at=world.clock(), settings=Settings())


def visited(app, world, method, route, cookie):
    """Visit a page with a session, and with the token that its forms carry."""
    path = re.sub("<[a-z]+>", "x", route)
    browser = app.test_client()
    browser.set_cookie("byleave", cookie)
    key = register_links.derived_key(world.deployment.desk, "csrf/v1")
    form = {"csrf_token": csrf_token(key, hashlib.sha256(cookie.encode()).digest())}
    return browser.open(path, method=method, data=form if method == "POST" else None).status_code


def test_every_route_says_who_may(app):
    assert undeclared(app) == []


def test_the_matrices_name_every_route(app):
    routes = {
        (method, rule.rule)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert {route for route in routes if for_programs(route[1])} == set(MATRIX)
    assert {route for route in routes if not for_programs(route[1])} == set(PAGES)


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.INTEGRATOR])
def test_a_session_may_what_the_matrix_says_and_nothing_else(app, sqlite_world, role):
    may = {route: visited(app, sqlite_world, *route, begun(sqlite_world, role)) not in (401, 403) for route in PAGES}
    may.update({route: True for route, who in PAGES.items() if who is EVERYBODY})  # a made-up link is 401 to everybody
    assert may == {route: who is EVERYBODY or role in who for route, who in PAGES.items()}


def test_without_a_session_everything_else_is_refused(app, sqlite_world):
    statuses = {
        route: visited(app, sqlite_world, *route, "A" * 43) for route, who in PAGES.items() if who is not EVERYBODY
    }
    assert statuses == dict.fromkeys(statuses, 401)


@pytest.mark.parametrize("role", Role)
def test_a_role_may_what_the_matrix_says_and_nothing_else(app, key, role):
    token = key(role, list(KeyScope))
    may = {route: status(app, *route, token) not in (401, 403) for route in MATRIX}
    assert may == {route: who is EVERYBODY or role in who[0] for route, who in MATRIX.items()}


@pytest.mark.parametrize("scope", KeyScope)
def test_a_key_may_what_its_scope_says_and_nothing_else(app, key, scope):
    token = key(Role.INTEGRATOR, [scope])
    statuses = {route: status(app, *route, token) for route in MATRIX}

    refused = {
        route
        for route, who in MATRIX.items()
        if who is not EVERYBODY and (who[1] is not scope or "integrator" not in who[0])
    }
    assert {route for route, answer in statuses.items() if answer == 403} == refused
    assert 401 not in statuses.values()


def test_a_key_without_a_scope_opens_what_is_everybodys(app, key):
    token = key(Role.INTEGRATOR, [])
    assert {route for route in MATRIX if status(app, *route, token) != 403} == {
        route for route, who in MATRIX.items() if who is EVERYBODY
    }


def test_without_a_key_everything_else_is_refused(app):
    assert {route for route in MATRIX if status(app, *route) != 401} == {
        route for route, who in MATRIX.items() if who is EVERYBODY
    }


def test_a_refused_call_is_not_read(app, key):
    token = key(Role.MARKETER, list(KeyScope))
    answer = app.test_client().post("/api/v1/statements", data=b"\xff", headers={"Authorization": f"Bearer {token}"})
    assert (answer.status_code, "errors" in answer.get_json()) == (403, False)


# -------------------------------------------------------------------------------------------------------- the table


def test_duties_are_separated():
    def who(name):
        return ACTIONS[name].roles

    assert who("campaigns.publish") & who("campaigns.run") == set()
    assert Role.ADMIN not in who("statements.record") | who("campaigns.run") | who("audits.run")
    assert {name for name, may in ACTIONS.items() if Role.CUSTOMER in may.roles} == {
        "choices.show", "choices.save", "session.leave", "remembered.show", "remembered.change", "rights.ask",
        "own_wishes.show", "own_wishes.change", "own_dealings.show",
    }  # fmt: skip


def test_a_customer_and_a_program_are_no_staff():
    assert set(Role) - STAFF == {Role.CUSTOMER, Role.INTEGRATOR}


def test_the_shell_may_nothing_in_a_customers_name():
    assert {name for name in ACTIONS if not allows(name, role=None, at_shell=True)} == {
        "choices.show", "choices.save", "session.leave", "remembered.show", "remembered.change", "rights.ask",
        "own_wishes.show", "own_wishes.change", "own_dealings.show",
    }  # fmt: skip


def test_a_key_never_does_what_no_scope_is_for():
    closed = [name for name, who in ACTIONS.items() if who.scope is None and not who.public]
    allowed = [name for name in closed for role in Role if allows(name, role=role, scopes=frozenset(KeyScope))]
    assert allowed == []


def test_an_action_that_is_not_in_the_table_does_not_start():
    with pytest.raises(KeyError):
        action("statements.forge")


def test_a_route_and_a_command_that_say_nothing_are_found():
    app = Flask("app", static_folder=None)
    app.add_url_rule("/said", "said", action("health.show")(lambda: "yes"))
    app.add_url_rule("/forgotten", "forgotten", lambda: "oops")

    @click.group()
    def cli():
        pass

    @cli.group()
    def ledger():
        pass

    @ledger.command()
    @click.option("--json", "as_json", is_flag=True)
    @click.pass_context
    @action("ledger.verify")
    def verify(_context, *, as_json):
        return as_json

    @ledger.command()
    def rewrite():
        pass

    assert action_of(app.view_functions["said"]) == "health.show"
    assert action_of(verify.callback) == "ledger.verify"
    assert undeclared(app, cli) == ["cli ledger rewrite", "forgotten"]
