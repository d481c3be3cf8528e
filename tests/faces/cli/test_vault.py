"""`byleave vault`: the key-encryption key rotated by one person, destroyed by two; in a file, or in a Vault."""

from datetime import timedelta

import pytest

from api.actors.actor import shell as shell_user
from api.wiring import open_house
from consent.base.clock import system_clock
from tests.faces.cli.conftest import HOME, SOMEBODY, Shell
from tests.vaults import KEY, TOKEN, FakeVault, serving


def as_user(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr("api.cli.vault.caller", lambda: shell_user(name))


def later(monkeypatch: pytest.MonkeyPatch, **by: float) -> None:
    """Move the clock that commands read."""
    monkeypatch.setattr("api.cli.frame.open_house", _opened_later(timedelta(**by)))


def _opened_later(by: timedelta):
    return lambda settings: open_house(settings, clock=lambda: system_clock() + by)


def test_a_rotation_leaves_everything_as_it_was_under_a_new_version(shell: Shell):
    before = shell("customer", "show", SOMEBODY, "--json").json
    ran = shell("vault", "rotate", "--json")
    state = shell("vault", "status", "--json").json
    after = shell("customer", "show", SOMEBODY, "--json").json

    assert (ran.code, ran.json["version"], ran.json["lost"]) == (0, 2, 0)
    assert ran.json["done"] == ran.json["total"] > 300
    assert (state["versions"], state["in_use"]) == ([1, 2], {"2": ran.json["total"]})
    assert (state["unknown"], state["horizon_days"], state["horizon_too_far"]) == ([], 14, "")
    assert {**before, "at": ""} == {**after, "at": ""}
    assert shell("ledger", "verify").code == 0
    shell.check_ledger()


def test_status_tells_people_what_there_is(shell: Shell):
    shell("vault", "rotate")
    ran = shell("vault", "status")
    names = [line.split("  ")[0] for line in ran.out.splitlines()]
    assert (ran.code, names) == (0, ["versions", "data keys", "rotation", "to destroy", "shred horizon"])
    assert "to version 2, finished at" in ran.out


def test_destroying_takes_two_users_of_this_machine_and_the_end_of_backups(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
):
    shell("vault", "rotate")
    as_user(monkeypatch, "cy")
    asked = shell("vault", "destroy", "1", "--json")
    alone = shell("vault", "destroy", "1", "--confirm")
    as_user(monkeypatch, "mia")
    early = shell("vault", "destroy", "1", "--confirm")
    later(monkeypatch, days=15)
    done = shell("vault", "destroy", "1", "--confirm", "--json")

    assert (asked.code, asked.json["asked_by"], asked.json["destroyed_at"]) == (0, "shell:cy", None)
    assert (alone.code, "takes two people" in alone.err) == (1, True)
    assert (early.code, "a backup may still need version 1" in early.err) == (1, True)
    assert (done.code, done.json["confirmed_by"], done.json["destroyed_at"] is None) == (0, "shell:mia", False)
    assert shell("vault", "status", "--json").json["versions"] == [2]
    assert '"1":' not in (shell.folder / HOME / "keyring.json").read_text(encoding="utf-8")


def test_what_wraps_data_keys_can_not_be_destroyed(shell: Shell):
    ran = shell("vault", "destroy", "1")
    assert (ran.code, "version 1 is the newest" in ran.err) == (1, True)
    none = shell("vault", "destroy", "9")
    assert (none.code, none.err) == (1, "byleave: Not in this state: there is no version 9: the newest is 1\n")
    assert shell("vault", "destroy", "0").code == 2
    assert shell("vault", "destroy", "1", "--at-once").code == 1


def test_a_horizon_that_lies_too_far_away_is_said(shell: Shell, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("BYLEAVE_BACKUP_RETENTION_DAYS", "28")
    monkeypatch.setenv("BYLEAVE_KMS_WAIT_DAYS", "7")
    ran = shell("vault", "status", "--json")
    said = {each["check"]: each for each in shell("doctor", "--json").json["checks"]}
    why = "backups are kept for 28 days and a destroyed key for 7: 35 days, 5 more than the 30 that are allowed"
    assert (ran.code, ran.json["horizon_days"], ran.json["horizon_too_far"]) == (1, 35, why)
    assert (said["horizon"]["state"], said["horizon"]["detail"].startswith(why)) == ("attention", True)


def test_a_data_key_under_a_version_that_is_gone_is_said(shell: Shell):
    with shell.house() as house, house.deployment.store.write() as work:
        work.connection.exec_driver_sql("UPDATE data_key SET kek = 9 WHERE owner <> 'log'")
    ran = shell("vault", "status", "--json")
    said = {each["check"]: each for each in shell("doctor", "--json").json["checks"]}
    assert (ran.code, ran.json["unknown"]) == (1, [9])
    assert (said["keys"]["state"], "nobody can open them" in said["keys"]["detail"]) == ("attention", True)


# ----------------------------------------------------------------------------------------------------------- in a Vault


@pytest.fixture
def vault(tmp_path, monkeypatch):
    token = tmp_path / "vault-token"
    token.touch(mode=0o600)
    token.write_text(TOKEN, encoding="ascii")
    with serving(FakeVault()) as served:
        monkeypatch.setenv("BYLEAVE_VAULT_ADDRESS", served.address)
        monkeypatch.setenv("BYLEAVE_VAULT_TOKEN_FILE", str(token))
        yield served


def test_a_deployment_is_founded_worked_with_and_rotated_with_its_key_in_a_vault(nowhere: Shell, vault: FakeVault):
    founded = nowhere("init", "--name", "shop.example")
    state = nowhere("vault", "status", "--json").json
    rotated = nowhere("vault", "rotate", "--json")
    said = {each["check"]: each for each in nowhere("doctor", "--json").json["checks"]}
    keyring = (nowhere.folder / HOME / "keyring.json").read_text(encoding="utf-8")

    assert (founded.code, state["in_use"], rotated.code, rotated.json["version"]) == (0, {"1": 1}, 0, 2)
    assert sorted(vault.keys) == [1, 2]
    assert (said["keyring"]["state"], vault.address in said["keyring"]["detail"]) == ("ok", True)
    assert ("vault:v2:" in keyring, "vault:v1:" in keyring) == (True, False)
    assert nowhere("ledger", "verify").code == 0


def test_without_its_vault_nothing_of_the_deployment_opens(nowhere: Shell, vault: FakeVault, monkeypatch):
    nowhere("init", "--name", "shop.example")
    vault.sealed = True
    sealed = nowhere("vault", "status")
    looked = {each["check"]: each for each in nowhere("doctor", "--json").json["checks"]}
    vault.sealed = False
    monkeypatch.delenv("BYLEAVE_VAULT_ADDRESS")
    without = nowhere("vault", "status")

    assert (sealed.code, "is sealed, or under maintenance" in sealed.err) == (3, True)
    assert looked["keyring"]["state"] == "unknown"
    assert (without.code, "set BYLEAVE_VAULT_ADDRESS" in without.err) == (2, True)


def test_a_vault_whose_key_is_of_the_wrong_kind_founds_nothing(nowhere: Shell, vault: FakeVault):
    vault.settings["derived"] = False
    ran = nowhere("init", "--name", "shop.example")
    assert (ran.code, f"vault write -f transit/keys/{KEY} derived=true" in ran.err) == (2, True)
    assert (nowhere.folder / HOME / "keyring.json").exists() is False
    vault.settings["derived"] = True
    assert nowhere("init", "--name", "shop.example").code == 0
