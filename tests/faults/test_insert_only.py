# ruff: noqa: S608 -- every query here names our own tables and columns, from the models
"""What was written into an insert-only table can't be changed, removed or replaced: tried in every way there is."""

import pytest
import sqlalchemy as sa

import personalise.tables  # noqa: F401 -- registers its tables
from consent.base.database import Row
from consent.register import sealing
from consent.tables import INSERT_ONLY

GUARDED = (
    "campaign_dry_run",
    "campaign_event",
    "campaign_version",
    "catalogue_version",
    "contact_policy_version",
    "cosignature",
    "decision_chunk",
    "decision_key",
    "finding_event",
    "ledger_checkpoint",
    "ledger_entry",
    "ledger_log",
    "ledger_node",
    "ledger_opening",
    "model_version",
    "notice",
    "scope_bit",
)
KEPT = ("finding_state",)
"""Tables whose rows change, and never go."""

VALUES = {sa.BigInteger: "1", sa.Boolean: "TRUE", sa.LargeBinary: "'x'", sa.Text: "'x'"}


def table(name):
    return Row.metadata.tables[name]


def key(name):
    return [column.name for column in table(name).primary_key]


def other(name):
    """Return a column outside the key, by which a change would show."""
    return next(column.name for column in table(name).c if not column.primary_key)


def alternative_keys(name):
    return [
        [column.name for column in each.columns]
        for each in table(name).constraints
        if isinstance(each, sa.UniqueConstraint)
    ]


@pytest.fixture
def filled(world):
    """Return a world that has at least one row in each of these tables, and a second log."""
    at = world.clock.advance(days=60)
    with world.store.write() as work:
        sealing.seal(world.deployment.desk, work, at=at)
    for name in GUARDED:
        if world.rows(f"SELECT COUNT(*) FROM {name}") == [(0,)]:
            columns = [f'"{column.name}"' for column in table(name).c]
            values = [value(column) for column in table(name).c]
            world.tamper(f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({', '.join(values)})")
    return world


def value(column):
    return next(value for kind, value in VALUES.items() if isinstance(column.type, (kind, sa.types.TypeDecorator)))


def held(world, name):
    return sorted(world.rows(f"SELECT * FROM {name}"), key=repr)


def sqlite_attempts(name):
    columns = ", ".join(f'"{column.name}"' for column in table(name).c)
    yield f'UPDATE {name} SET "{other(name)}" = "{other(name)}"'
    yield f'UPDATE OR REPLACE {name} SET "{other(name)}" = NULL'
    yield f'UPDATE {name} SET "{key(name)[-1]}" = "{key(name)[-1]}"'
    yield f"DELETE FROM {name}"
    yield f"REPLACE INTO {name} SELECT * FROM {name}"
    yield f"INSERT OR REPLACE INTO {name} SELECT * FROM {name} LIMIT 1"
    yield f"INSERT OR FAIL INTO {name} SELECT * FROM {name} LIMIT 1"
    yield (
        f"INSERT INTO {name} ({columns}) SELECT {columns} FROM {name} WHERE TRUE "
        f'ON CONFLICT DO UPDATE SET "{other(name)}" = NULL'
    )
    for unique in alternative_keys(name):
        # A new key, and a unique column of an old row: replacing removes that row.
        kept = {f'"{column}"' for column in unique}
        taken = ", ".join(
            column if column in kept else "'new'" if "id" not in column else "999" for column in columns.split(", ")
        )
        yield f"INSERT OR REPLACE INTO {name} ({columns}) SELECT {taken} FROM {name} LIMIT 1"


def postgresql_attempts(name):
    keys = ", ".join(f'"{column}"' for column in key(name))
    same = " AND ".join(f't."{column}" = s."{column}"' for column in key(name))
    yield f'UPDATE {name} SET "{other(name)}" = "{other(name)}"'
    yield f'UPDATE {name} SET "{key(name)[-1]}" = "{key(name)[-1]}"'
    yield f"DELETE FROM {name}"
    yield f"TRUNCATE {name} CASCADE"
    yield f"TRUNCATE ONLY {name} RESTART IDENTITY CASCADE"
    yield (
        f'INSERT INTO {name} SELECT * FROM {name} ON CONFLICT ({keys}) DO UPDATE SET "{other(name)}" = '
        f'EXCLUDED."{other(name)}"'
    )
    yield f"MERGE INTO {name} t USING {name} s ON {same} WHEN MATCHED THEN DELETE"
    yield f'MERGE INTO {name} t USING {name} s ON {same} WHEN MATCHED THEN UPDATE SET "{other(name)}" = NULL'
    yield f"WITH gone AS (DELETE FROM {name} RETURNING *) SELECT * FROM gone"


SESSIONS = {
    "sqlite": {
        "as the product opens it": ["PRAGMA recursive_triggers=ON", "PRAGMA foreign_keys=ON"],
        "without recursive triggers": ["PRAGMA recursive_triggers=OFF", "PRAGMA foreign_keys=ON"],
        "without foreign keys": ["PRAGMA recursive_triggers=OFF", "PRAGMA foreign_keys=OFF"],
        "with all checks off": [
            "PRAGMA recursive_triggers=OFF",
            "PRAGMA foreign_keys=OFF",
            "PRAGMA ignore_check_constraints=ON",
            "PRAGMA writable_schema=ON",
        ],
    },
    "postgresql": {
        "as the product opens it": [],
        "as a replica": ["SET session_replication_role = replica"],
    },
}


def tried(world, setup, attempts):
    """Return what the database says to each attempt in one session, by table and attempt."""
    engine = sa.create_engine(world.store.engines.write.url)
    said = {}
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for each in setup:
            connection.exec_driver_sql(each)
        for name in GUARDED:
            for attempt in attempts(name):
                try:
                    connection.exec_driver_sql(attempt)
                    said[name, attempt] = "nothing"
                except sa.exc.DBAPIError as refused:
                    said[name, attempt] = str(refused.orig).splitlines()[0]
    engine.dispose()
    return said


ATTEMPTS = {"sqlite": sqlite_attempts, "postgresql": postgresql_attempts}


def test_no_row_can_be_changed_removed_or_replaced(filled):
    before = {name: held(filled, name) for name in GUARDED}
    sessions = SESSIONS[filled.dialect]
    said = {session: tried(filled, setup, ATTEMPTS[filled.dialect]) for session, setup in sessions.items()}

    assert [
        (session, attempt, why)
        for session, answers in said.items()
        for (name, attempt), why in answers.items()
        if why != f"{name} is insert-only"
    ] == []
    assert {len(answers) for answers in said.values()} == {138 if filled.dialect == "sqlite" else 153}
    assert {name: held(filled, name) for name in GUARDED} == before
    assert filled.faults() == []


def test_what_is_new_can_still_be_inserted(filled):
    before = filled.size()
    filled.grant(filled.bo, "use:purchases:recommendations")
    assert filled.size() == before + 1
    filled.check_ledger()


def test_exactly_these_tables_are_guarded_by_exactly_these_triggers(world):
    if world.dialect == "sqlite":
        found = world.rows("SELECT tbl_name, name, 'A' FROM sqlite_master WHERE type = 'trigger' ORDER BY 1, 2")
        guards, keepers = ["delete", "replace", "update"], ["delete", "replace"]
    else:
        found = world.rows(
            "SELECT c.relname, t.tgname, t.tgenabled FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid "
            "WHERE NOT t.tgisinternal ORDER BY 1, 2"
        )
        guards, keepers = ["change", "truncate"], ["delete", "truncate"]
    # "A": ENABLE ALWAYS, in a replica's session too.
    expected = [(name, f"{name}__{what}", "A") for name in GUARDED for what in guards]
    expected += [(name, f"{name}__{what}", "A") for name in KEPT for what in keepers]
    assert found == sorted(expected)


def test_the_ledgers_own_tables_are_among_them():
    assert set(INSERT_ONLY) - set(GUARDED) == set()


def test_a_reader_of_the_product_cannot_even_try(world):
    for opened in (world.store.engines.read, world.store.engines.live):
        for name in GUARDED:
            with opened.connect() as connection, pytest.raises(sa.exc.DBAPIError, match=r"readonly|read-only"):
                connection.exec_driver_sql(f"DELETE FROM {name}")
