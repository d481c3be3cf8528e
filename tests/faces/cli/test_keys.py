"""`key` and `user`: keys are shown once and can be taken back; staff come by a link."""

import pytest

from api.actors import keys, links
from api.actors.actor import Actor
from api.roles import KeyScope, Role
from consent.base.clock import system_clock
from consent.base.errors import NotSignedIn
from tests.faces.cli.conftest import Shell

CREATED = ["id", "name", "role", "scopes", "expires_at", "key"]
LISTED = ["id", "prefix", "name", "role", "scopes", "created_at", "expires_at", "revoked_at", "last_used_at"]


def bearer(shell: Shell, token: str) -> Actor:
    with shell.house() as house:
        return keys.bearer(house.deployment.store, f"Bearer {token}", at=system_clock())


def test_a_key_opens_what_it_was_made_for_until_it_is_revoked(shell: Shell):
    made = shell("key", "create", "webshop", "--scope", "consent:read", "--json")
    assert (made.code, list(made.json)) == (0, CREATED)
    assert bearer(shell, made.json["key"]).scopes == frozenset({KeyScope.CONSENT_READ})
    revoked = shell("key", "revoke", "webshop", "--json")
    assert (revoked.code, revoked.json["id"]) == (0, made.json["id"])
    with pytest.raises(NotSignedIn):
        bearer(shell, made.json["key"])
    assert shell("key", "revoke", made.json["id"]).code == 2


def test_a_key_acts_in_somebodys_place_where_an_integrator_may_not(shell: Shell):
    typed = [
        "key",
        "create",
        "desk",
        "--scope",
        "rights:read",
        "--scope",
        "rights:write",
        "--role",
        "officer",
        "--json",
    ]
    made = shell(*typed)
    assert (made.code, made.json["role"]) == (0, "officer")
    acts = bearer(shell, made.json["key"])
    assert [acts.may(does) for does in ("customers.export", "customers.erase", "statements.record")] == [
        True,
        True,
        False,
    ]


def test_a_key_alone_is_on_stdout(shell: Shell):
    ran = shell("key", "create", "webshop", "--scope", "consent:read")
    assert (ran.code, bool(keys.TOKEN.fullmatch(ran.out.strip())), ran.err.count("\n")) == (0, True, 1)


def test_keys_are_listed_without_their_secret(shell: Shell):
    assert shell("key", "list").out == "There is no key yet: make one with `byleave key create NAME --scope SCOPE`.\n"
    made = shell("key", "create", "webshop", "--scope", "ledger:read", "--expires", "2090-01-01T00:00:00Z", "--json")
    ran = shell("key", "list", "--json")
    [listed] = ran.json["data"]
    assert (list(listed), listed["id"], made.json["key"].rpartition("_")[2] in ran.out) == (
        LISTED,
        made.json["id"],
        False,
    )
    assert len(shell("key", "list").out.splitlines()) == 2


def test_two_keys_of_one_name_are_revoked_by_id(shell: Shell):
    for _ in range(2):
        shell("key", "create", "webshop", "--scope", "ledger:read")
    ran = shell("key", "revoke", "webshop")
    assert (ran.code, ran.out, "give the id" in ran.err) == (2, "", True)


@pytest.mark.parametrize(
    "typed",
    [
        ["key", "create", "webshop"],
        ["key", "create", "webshop", "--scope", "everything"],
        ["key", "create", "webshop", "--scope", "ledger:read", "--expires", "2020-01-01T00:00:00Z"],
        ["key", "create", "webshop", "--scope", "audits:run", "--role", "marketer"],
        ["key", "create", "webshop", "--scope", "ledger:read", "--role", "admin"],
        ["key", "revoke", "key_none"],
        ["user", "invite", "anna"],
        ["user", "invite", "anna", "--role", "customer"],
        ["user", "invite", "", "--role", "officer"],
    ],
)
def test_wrong_wishes_make_nothing(shell: Shell, typed):
    ran = shell(*typed)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert shell("key", "list", "--json").json["data"] == []


def test_an_invitation_signs_in_once_in_its_role(shell: Shell):
    ran = shell("user", "invite", "anna", "--role", "officer", "--json")
    assert (ran.code, list(ran.json)) == (0, ["name", "role", "link", "expires_at"])
    with shell.house() as house, house.deployment.store.write() as work:
        signed = links.taken(work, ran.json["link"].rpartition("/")[2], at=system_clock())
    assert (signed.subject, signed.role) == ("anna", Role.OFFICER)
