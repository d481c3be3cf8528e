"""`customer`: who is enrolled, and links that do what they say and no more."""

from urllib.parse import urlsplit

from api.actors import links as sign_in
from api.app import create_app
from consent.base.clock import system_clock
from consent.register import customers, links
from tests.faces.cli.conftest import CUSTOMERS, SOMEBODY, Shell

SCOPE = "contact:email:recommendations"


def test_show_sums_up_what_a_customer_permits(shell: Shell):
    ran = shell("customer", "show", SOMEBODY, "--json")
    assert (ran.code, list(ran.json)) == (
        0, ["customer", "at", "statements", "last_said_at", "permits", "denials"],
    )  # fmt: skip
    shown = shell("permission", "show", SOMEBODY, "--json").json["permissions"]
    assert ran.json["permits"] == [each["scope"] for each in shown if each["permit"]]
    assert sum(ran.json["denials"].values()) == len(shown) - len(ran.json["permits"])


def test_show_tells_what_stood_at_a_past_time(shell: Shell):
    """Rule 16."""
    before = shell("customer", "show", SOMEBODY, "--json").json
    shell("permission", "stop-all", SOMEBODY, "--method", "phone")
    now = shell("customer", "show", SOMEBODY, "--json").json
    then = shell("customer", "show", SOMEBODY, "--as-of", before["at"], "--json").json
    ahead = shell("customer", "show", SOMEBODY, "--as-of", "2999-01-01T00:00:00Z")

    assert then == before
    assert (now["permits"] == before["permits"], now["statements"] > before["statements"]) == (False, True)
    assert (ahead.code, "lies in the future" in ahead.err) == (2, True)


def test_list_walks_everybody_once(shell: Shell):
    first = shell("customer", "list", "--limit", 200, "--json")
    assert (first.code, list(first.json), first.json["total"]) == (0, ["data", "next_cursor", "total"], CUSTOMERS)
    second = shell("customer", "list", "--limit", 200, "--cursor", first.json["next_cursor"], "--json")
    listed = [each["customer"] for page in (first, second) for each in page.json["data"]]
    assert (len(set(listed)), len(listed), second.json["next_cursor"]) == (CUSTOMERS, CUSTOMERS, None)


def test_an_empty_list_says_what_to_do(nowhere: Shell):
    nowhere("init")
    ran = nowhere("customer", "list")
    assert (ran.code, ran.out) == (0, "Nobody is enrolled yet: see `byleave import customers --help`.\n")


def test_a_link_signs_its_customer_in_once(shell: Shell):
    ran = shell("customer", "link", SOMEBODY, "--json")
    assert (ran.code, list(ran.json)) == (0, ["customer", "link", "expires_at"])
    token = ran.json["link"].rpartition("/")[2]
    with shell.house() as house, house.deployment.store.write() as work:
        assert sign_in.taken(work, token, at=system_clock()).subject == ran.json["customer"]


def test_a_withdraw_link_withdraws_its_scopes(shell: Shell):
    shell("permission", "record", SOMEBODY, "grant", SCOPE)
    ran = shell("customer", "withdraw-link", SOMEBODY, SCOPE, "--json")
    assert (ran.code, list(ran.json), ran.json["scopes"]) == (0, ["customer", "scopes", "link", "headers"], [SCOPE])
    token = ran.json["link"].rpartition("/")[2]
    with shell.house() as house, house.deployment.store.write() as work:
        links.withdraw(house.deployment.desk, work, token, at=system_clock())
    assert shell("permission", "check", SOMEBODY, SCOPE, "--json").json["reason"] == "WITHDRAWN"


def test_nobody_unknown_gets_a_link_and_no_strange_scope_is_in_one(shell: Shell):
    for typed in (
        ["link", "NOBODY"],
        ["show", "NOBODY"],
        ["withdraw-link", SOMEBODY, "contact:pigeon:x"],
        ["withdraw-link", SOMEBODY],
    ):
        ran = shell("customer", *typed)
        assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)


def test_links_lead_to_pages_that_exist(shell: Shell):
    made = [
        shell("customer", "link", SOMEBODY).out,
        shell("customer", "withdraw-link", SOMEBODY, SCOPE).out,
        shell("user", "invite", "anna", "--role", "officer").out.splitlines()[-1],
    ]
    with shell.house() as house:
        pages = create_app(house).url_map.bind("127.0.0.1")
        found = [pages.match(urlsplit(link.strip()).path, "GET")[0] for link in made]
    assert found == ["signin.show_customer", "mailed.ask_to_stop", "signin.show_staff"]


def test_links_are_built_from_the_base_url(shell: Shell, monkeypatch):
    monkeypatch.setenv("BYLEAVE_BASE_URL", "https://shop.example")
    assert shell("customer", "link", SOMEBODY).out.startswith("https://shop.example/")
    with shell.house() as house, house.deployment.store.read() as work:
        assert customers.count(work) == CUSTOMERS


def test_a_customer_comes_into_a_household_and_leaves_it(shell: Shell):
    command = ("customer", "household", SOMEBODY)
    inside = shell(*command, "--name", "A-1009", "--json").json
    again = shell(*command, "--name", "A-1009")
    left, wrong = shell(*command, "--none"), shell(*command)

    assert (inside["household"], inside["changed"]) == (True, True)
    assert again.out == f"{inside['customer']} was in that household before; nothing changed.\n"
    assert left.out == f"{inside['customer']} is in no household from now on.\n"
    assert wrong.code == 2
