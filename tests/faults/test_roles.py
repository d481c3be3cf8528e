# ruff: noqa: S608 -- every statement here names our own tables and columns, from the schema
"""PostgreSQL's roles, tried by signing in as each: the application can't rewrite the ledger, the auditor only reads.

They are made by the very statements that `byleave db roles` prints, on a server on which everybody may sign in.
"""

import secrets
from contextlib import ExitStack

import psycopg
import pytest
import sqlalchemy as sa

from consent.audit import run as audits
from consent.audit.checks import CHECKS
from consent.base import grants, schema
from consent.base.errors import SettingsInvalid, StateConflict
from consent.base.grants import Roles
from consent.base.store import Store
from consent.deployment import open_deployment
from consent.register import proving
from tests.campaigns import fill, publish
from tests.erasing import erase, suppress, verify
from tests.world import World

pytestmark = pytest.mark.postgresql
MAIL = "contact:email:recommendations"
RIGHTS = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE")


@pytest.fixture
def postgresql_world(_open):
    return _open("postgresql", True)  # noqa: FBT003 -- a founded one


@pytest.fixture
def roles(postgresql_world):
    """Return the names of two roles, which have their rights by now; they are gone after the test."""
    mark = secrets.token_hex(4)
    named = Roles(application=f"app_{mark}", auditor=f"auditor_{mark}")
    grants.apply(postgresql_world.store, named)
    yield named
    with postgresql_world.store.engines.write.begin() as connection:
        for role in (named.application, named.auditor):
            connection.execute(sa.text(f"DROP OWNED BY {role}"))
            connection.execute(sa.text(f"DROP ROLE {role}"))


@pytest.fixture
def as_role(postgresql_world, roles):
    """Return a function that opens the world as the application or as the auditor."""
    with ExitStack() as stack:

        def opened(which):
            url = sa.make_url(postgresql_world.url).set(username=getattr(roles, which), password=None)
            deployment = open_deployment(
                database_url=url.render_as_string(hide_password=False), keyring=postgresql_world.keyring,
                clock=postgresql_world.clock,
            )  # fmt: skip
            stack.callback(deployment.close)
            world = postgresql_world
            return World(
                deployment=deployment, clock=world.clock, url=deployment.store.url, keyring=world.keyring,
                ann=world.ann, bo=world.bo,
            )  # fmt: skip

        yield opened


WRITING = "SET default_transaction_read_only = off"


def said(world, *statements):
    """Return what the database says to statements of one session: nothing, or why not."""
    engine = sa.create_engine(sa.make_url(world.url).set(drivername="postgresql+psycopg"))
    try:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)
    except sa.exc.DBAPIError as refused:
        return type(refused.orig)
    finally:
        engine.dispose()
    return None


def attempts(table, column):
    return [
        f'UPDATE {table} SET "{column}" = "{column}"',
        f"DELETE FROM {table}",
        f"TRUNCATE {table} CASCADE",
        f"ALTER TABLE {table} DISABLE TRIGGER ALL",
        f"DROP TABLE {table}",
        f"ALTER TABLE {table} OWNER TO CURRENT_USER",
    ]


def columns(world):
    inspected = sa.inspect(world.store.engines.read)
    return {table: inspected.get_columns(table)[-1]["name"] for table in inspected.get_table_names()}


def test_the_application_does_its_whole_work(postgresql_world, as_role):
    """What the service does from day to day goes with the application's rights: nothing of it needs the owner."""
    app = as_role("application")
    fill(app, 20)
    publish(app)
    app.grant(app.bo, MAIL)
    app.remember(app.ann, spend_past_year=12.5)
    recalled = app.recall([app.ann], ["spend_past_year"], purpose="recommendations")
    with app.store.write() as work:
        proving.sign_checkpoint(app.deployment.desk, work, at=app.clock())
    report = audits.run(app.deployment, CHECKS, asked_by="cy")
    suppress(app, "n@shop.example")
    erase(app, app.ann, suppress=True)

    assert recalled == [{"spend_past_year": 12.5}]
    assert report.all_gaps == []
    assert verify(app).proved == (app.ann,)
    assert schema.current(app.store) == schema.newest()
    postgresql_world.check_ledger()


def test_the_application_can_change_or_delete_nothing_that_is_insert_only(postgresql_world, as_role):
    app, known = as_role("application"), columns(postgresql_world)
    guarded = sorted(schema.insert_only())
    answers = {(table, each): said(app, each) for table in guarded for each in attempts(table, known[table])}

    assert len(guarded) >= 12
    assert {each: why for each, why in answers.items() if why is not psycopg.errors.InsufficientPrivilege} == {}
    postgresql_world.check_ledger()


def test_the_triggers_still_refuse_the_owner(postgresql_world, roles):
    known = columns(postgresql_world)
    answers = {
        table: [said(postgresql_world, each) for each in attempts(table, known[table])[:3]]
        for table in ("ledger_entry", "ledger_log", "catalogue_version", "scope_bit")
    }
    assert answers == dict.fromkeys(answers, [psycopg.errors.RestrictViolation] * 3)
    assert roles.application != roles.auditor


def test_the_auditor_reads_what_proves_something_and_nothing_of_the_vault(postgresql_world, as_role):
    auditor, known = as_role("auditor"), columns(postgresql_world)
    refused = {table for table in known if said(auditor, f"SELECT * FROM {table}") is not None}
    assert refused == set(grants.CLOSED_TO_AUDITORS)
    assert {"data_key", "memory", "identity"} - grants.CLOSED_TO_AUDITORS == set()


def test_the_auditor_can_write_nothing_at_all(postgresql_world, as_role):
    auditor, known = as_role("auditor"), columns(postgresql_world)
    answers = {
        (table, each): said(auditor, WRITING, each)
        for table in sorted(known)
        for each in (*attempts(table, known[table]), f"INSERT INTO {table} DEFAULT VALUES")
    }
    assert {each: why for each, why in answers.items() if why is not psycopg.errors.InsufficientPrivilege} == {}
    assert said(auditor, "CREATE TABLE x (y int)") is psycopg.errors.ReadOnlySqlTransaction
    assert said(auditor, WRITING, "CREATE TABLE x (y int)") is psycopg.errors.InsufficientPrivilege


def test_neither_can_make_tables_or_roles(as_role):
    app = as_role("application")
    for statement in ("CREATE TABLE x (y int)", "CREATE ROLE z", "ALTER TABLE customer ADD COLUMN x int"):
        assert said(app, statement) is psycopg.errors.InsufficientPrivilege


def test_each_has_exactly_its_rights_in_every_table(postgresql_world, roles):
    """Read back from the server, table by table and right by right."""
    insert_only = schema.insert_only()
    for role, rights in (
        (roles.application, lambda table: grants.rights_of_application(table, insert_only)),
        (roles.auditor, grants.rights_of_auditor),
    ):
        asked = "SELECT has_table_privilege(:r, :t, :p)"
        held = {
            table: tuple(
                right for right in RIGHTS if postgresql_world.rows(asked, r=role, t=table, p=right) == [(True,)]
            )
            for table in columns(postgresql_world)
        }
        assert held == {table: rights(table) for table in held}


def test_rights_are_given_anew_and_taken_where_they_are_too_many(postgresql_world, roles, as_role):
    postgresql_world.tamper(f"GRANT ALL ON ledger_entry, data_key TO {roles.auditor}")
    postgresql_world.tamper(f"GRANT UPDATE ON ledger_entry TO {roles.application}")
    app = as_role("application")
    before = grants.excess(app.store)
    grants.apply(postgresql_world.store, roles)

    assert (before, grants.excess(app.store)) == (["UPDATE on ledger_entry"], [])
    assert said(as_role("auditor"), "SELECT * FROM data_key") is psycopg.errors.InsufficientPrivilege


def test_a_service_that_runs_as_the_owner_is_seen(postgresql_world):
    found = grants.excess(postgresql_world.store)
    assert {"DELETE on ledger_entry", "TRUNCATE on ledger_entry", "UPDATE on ledger_entry"} - set(found) == set()


def test_only_the_owner_gives_rights(roles, as_role):
    with pytest.raises(StateConflict, match="only the owner of the tables can give rights"):
        grants.apply(as_role("application").store, roles)


def test_the_statements_that_are_printed_are_the_ones_that_are_run(postgresql_world, roles):
    script = grants.script(postgresql_world.store, roles)
    assert [each for each in script if each.startswith("CREATE ROLE")] == []
    fresh = grants.script(postgresql_world.store, Roles(application="a_new_one", auditor="another_one"))
    assert fresh[:2] == [
        f"CREATE ROLE {role} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS"
        for role in ("a_new_one", "another_one")
    ]
    assert 'GRANT SELECT, INSERT ON "ledger_entry" TO a_new_one' in fresh
    assert [each for each in fresh if '"memory" TO another_one' in each] == []


@pytest.mark.parametrize("name", ["App", "a b", "a;drop", "", "é", "a" * 64, '"x"'])
def test_a_role_that_would_have_to_be_quoted_is_refused(name):
    with pytest.raises(SettingsInvalid):
        Roles(application=name)


def test_two_roles_can_not_be_one():
    with pytest.raises(SettingsInvalid):
        Roles(application="same", auditor="same")


def test_sqlite_has_no_roles(sqlite_world):
    with pytest.raises(StateConflict, match="SQLite has no roles"):
        grants.script(sqlite_world.store, Roles())
    assert grants.excess(sqlite_world.store) == []


def test_a_database_without_tables_has_nothing_to_give_rights_in(databases):
    maker = databases("postgresql")
    url = maker.empty("bare")
    store = Store(url)
    try:
        with pytest.raises(StateConflict, match="has no tables yet"):
            grants.script(store, Roles())
    finally:
        store.close()
        maker.dropped(url)
