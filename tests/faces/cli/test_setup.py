"""`init` and `db`: a deployment is founded once, and whole."""

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
    assert (nowhere("init").code, nowhere.size()) == (0, size)
    nowhere.check_ledger()


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
