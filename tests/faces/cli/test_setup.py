"""`init` and `db`: a deployment is founded once, and whole."""

import json
import sqlite3
import stat

import pytest

from tests.faces.cli.conftest import HOME, Shell


def test_init_founds_a_deployment(nowhere: Shell):
    ran = nowhere("init", "--name", "shop.example", "--json")
    assert (ran.code, ran.err, list(ran.json)) == (0, "", ["home", "log", "vkey", "catalogue"])
    assert (ran.json["log"].partition("/")[0], ran.json["catalogue"]) == ("shop.example", 1)
    modes = {
        path.name: stat.S_IMODE(path.stat().st_mode)
        for path in (nowhere.folder / HOME, nowhere.folder / HOME / "keyring.json")
    }
    assert modes == {HOME: 0o700, "keyring.json": 0o600}
    assert nowhere("ledger", "vkey", "--json").json == {"vkey": ran.json["vkey"]}
    nowhere.check_ledger()


def test_init_says_what_to_do_next(nowhere: Shell):
    ran = nowhere("init")
    assert (ran.code, ran.out.splitlines()[0]) == (0, f"home          {HOME}")
    assert "byleave serve --with-worker" in ran.out


def test_init_refuses_to_run_twice(shell: Shell):
    before = shell.size()
    ran = shell("init")
    assert (ran.code, ran.out, ran.err) == (1, "", f"byleave: Not in this state: {HOME} was founded before\n")
    assert shell.size() == before


def test_init_that_was_cut_off_can_be_run_again(nowhere: Shell):
    assert nowhere("init").code == 0
    size = nowhere.size()
    nowhere.database.unlink()
    unbound(nowhere)
    assert (nowhere("init").code, nowhere.size()) == (0, size)
    nowhere.check_ledger()


def unbound(shell: Shell) -> str:
    """Make the keyring one that no ledger was founded with yet; return which was."""
    path = shell.folder / HOME / "keyring.json"
    keys = json.loads(path.read_text())
    ledger = str(keys.pop("ledger"))
    path.write_text(json.dumps(keys))
    return ledger


def test_no_second_ledger_is_founded_in_the_place_of_one_that_was_lost(shell: Shell):
    shell.database.rename(shell.folder / "lost.db")
    refused = shell("ledger", "verify")
    assert (refused.code, "`byleave db restore`" in refused.err, "byleave init" in refused.err) == (3, True, False)
    for emptied in (False, True):
        if emptied:
            shell.database.unlink()
        ran = shell("init")
        assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
        assert "belongs to the ledger shop.example/consent/" in ran.err
        assert "`byleave db restore`" in ran.err
    assert not shell.database.exists()
    (shell.folder / "lost.db").rename(shell.database)
    shell.check_ledger()


def test_an_older_deployments_keyring_learns_its_ledger_with_the_next_upgrade(shell: Shell):
    ledger = unbound(shell)
    assert shell("db", "upgrade").code == 0
    assert unbound(shell) == ledger


def test_without_its_keyring_a_deployment_asks_for_that_and_not_for_a_new_one(shell: Shell):
    (shell.folder / HOME / "keyring.json").rename(shell.folder / "kept.json")
    for typed in (["ledger", "verify"], ["doctor"], ["db", "check"], ["db", "restore", "x"], ["customer", "show", "x"]):
        ran = shell(*typed)
        assert (ran.code, ran.err.count("\n"), "its keyring is not at" in ran.err) == (3, 1, True), ran.err
        assert "init" not in ran.err


def test_init_makes_no_second_keyring_for_a_ledger_that_has_one(shell: Shell):
    (shell.folder / HOME / "keyring.json").rename(shell.folder / "kept.json")
    ran = shell("init")
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert (shell.folder / HOME / "keyring.json").exists() is False


@pytest.mark.parametrize("name", ["Shop.example", "shop.example/consent", "shop example", "-"])
def test_init_takes_a_host_name_and_nothing_else(nowhere: Shell, name):
    assert nowhere("init", "--name", name).code == 2
    assert list(nowhere.folder.iterdir()) == []


def test_init_with_a_wrong_catalogue_makes_nothing(nowhere: Shell):
    (nowhere.folder / "catalogue.toml").write_text('name = "A shop"\n[[purpose]]\nkey = "Service"\n')
    ran = nowhere("init", "--catalogue", "catalogue.toml")
    assert (ran.code, ran.out, ran.err.count("\n"), "purpose[0].key" in ran.err) == (2, "", 1, True)
    assert [path.name for path in nowhere.folder.iterdir()] == ["catalogue.toml"]


def test_db_check_and_upgrade_agree_on_a_new_deployment(shell: Shell):
    ran = shell("db", "check", "--json")
    assert (ran.code, ran.json["ok"], ran.json["current"] == ran.json["newest"]) == (0, True, True)
    again = shell("db", "upgrade", "--json")
    assert (again.code, again.json) == (0, {"before": ran.json["newest"], "after": ran.json["newest"]})


def test_db_check_finds_a_schema_that_is_behind(shell: Shell):
    with sqlite3.connect(shell.database) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
    connection.close()
    ran = shell("db", "check", "--json")
    assert (ran.code, ran.json["ok"], ran.json["current"]) == (1, False, "0001")
    assert shell("serve").code == 3
