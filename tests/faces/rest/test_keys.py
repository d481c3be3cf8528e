"""API keys: shown once, kept as digests, narrowed to scopes, ended by time or by hand."""

from datetime import timedelta

import pytest

from api.actors import keys
from api.roles import KeyScope, Role
from consent.base.errors import NotFound
from consent.register import history

CHECK = "/api/v1/permissions:check"


def check(caller, world):
    return caller.post(CHECK, {"checks": [{"customer": world.ann, "scope": "remember:purchases"}]})


def test_a_key_opens_what_it_was_made_for(caller, sqlite_world):
    reader, writer = caller([KeyScope.CONSENT_READ]), caller([KeyScope.CONSENT_WRITE])

    assert (check(reader, sqlite_world).status_code, check(writer, sqlite_world).status_code) == (200, 403)
    assert reader.post("/api/v1/customers", {"reference": "X"}).get_json()["code"] == "not_allowed"
    assert writer.post("/api/v1/customers", {"reference": "X"}).status_code == 200


def test_a_key_is_of_its_form_and_nowhere_kept(shop, sqlite_world):
    assert keys.TOKEN.fullmatch(shop.token)
    for table in ("api_key", "web_session", "link"):
        assert shop.token[12:] not in repr(sqlite_world.rows(f"SELECT * FROM {table}"))  # noqa: S608 -- our own tables' names
    [(prefix, digest)] = sqlite_world.rows("SELECT prefix, digest FROM api_key")
    assert (prefix, len(digest)) == (shop.token[3:11], 32)


def test_a_made_key_does_not_show_its_token_in_logs(sqlite_world):
    with sqlite_world.store.write() as work:
        made = keys.make(work, "a shop", scopes=[KeyScope.CONSENT_READ], at=sqlite_world.clock())
    assert repr(made) == f"MadeKey(id='{made.id}')"


@pytest.mark.parametrize("header", [
    None, "", "Bearer", "Bearer ", "Basic bl_x", "Bearer bl_00000000_" + "A" * 43, "Bearer bl_x", "Bearer \x7f",
])  # fmt: skip
def test_without_a_key_nobody_is_told_anything(stranger, header):
    answer = stranger.call("POST", CHECK, headers={} if header is None else {"Authorization": header}, json={})

    assert (answer.status_code, answer.get_json()["code"]) == (401, "not_signed_in")
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="byleave"'
    assert "errors" not in answer.get_json()


def test_a_key_with_one_sign_changed_opens_nothing(stranger, shop):
    last = "A" if shop.token[-1] != "A" else "B"
    answer = stranger.call("POST", CHECK, headers={"Authorization": f"Bearer {shop.token[:-1]}{last}"}, json={})
    assert answer.status_code == 401


def test_a_revoked_key_opens_nothing_any_more(shop, sqlite_world):
    before = check(shop, sqlite_world).status_code
    with sqlite_world.store.write() as work:
        [known] = keys.listed(work)
        keys.revoke(work, known.id, at=sqlite_world.clock())

    assert (before, check(shop, sqlite_world).status_code) == (200, 401)
    with sqlite_world.store.write() as work, pytest.raises(NotFound):
        keys.revoke(work, known.id, at=sqlite_world.clock())


def test_a_key_ends_at_its_time(caller, sqlite_world):
    shop = caller(expires_at=sqlite_world.clock() + timedelta(hours=1))
    sqlite_world.clock.advance(minutes=59)
    before = check(shop, sqlite_world).status_code
    sqlite_world.clock.advance(minutes=1)

    assert (before, check(shop, sqlite_world).status_code) == (200, 401)


def test_when_a_key_was_used_is_noted_once_a_minute(shop, sqlite_world):
    def used():
        with sqlite_world.store.read() as work:
            return keys.listed(work)[0].last_used_at

    start = sqlite_world.clock()
    assert used() is None
    check(shop, sqlite_world)
    sqlite_world.clock.advance(seconds=59)
    check(shop, sqlite_world)
    assert used() == start
    sqlite_world.clock.advance(seconds=1)
    check(shop, sqlite_world)
    assert used() == start + timedelta(minutes=1)


def test_the_role_of_a_key_bounds_its_scopes(caller, sqlite_world):
    officer = caller(list(KeyScope), role=Role.OFFICER)

    assert check(officer, sqlite_world).status_code == 200
    assert officer.post("/api/v1/customers", {"reference": "X"}).status_code == 403


def test_the_ledger_says_which_key_brought_a_statement(shop, sqlite_world):
    body = {"customer": sqlite_world.bo, "act": "grant", "method": "phone", "scopes": ["remember:purchases"]}
    shop.post("/api/v1/statements", body, key="one")
    [(number,)] = sqlite_world.rows("SELECT id FROM api_key")

    with sqlite_world.store.read() as work:
        said = history.of_customer(sqlite_world.deployment.desk, work, sqlite_world.bo)
    assert [each.actor for each in said] == [f"key:{number}"]
