"""Column types that refuse what would lie, hot statements, and how each database is opened."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import StatementError

from consent.base import arrays, database
from consent.base.database import Hot, Row, UtcDateTime, among, arranged, open_engines, table_of, wal_is_safe
from consent.base.errors import DatabaseDown, Invalid, SettingsInvalid
from consent.base.store import Store
from consent.tables import CustomerRow, DataKeyRow
from tests.databases import AS_SHIPPED

NAIVE = datetime(2026, 11, 21, 10, 0)  # noqa: DTZ001 -- a time without a zone is what is refused here
AT = datetime(2026, 11, 21, 10, 0, 0, 123_000, tzinfo=UTC)
DIALECTS = [sqlite.dialect(), postgresql.dialect()]

table = sa.Table(
    "t", sa.MetaData(), sa.Column("a", sa.Text), sa.Column("b", sa.Integer), sa.Column("at", UtcDateTime())
)


@pytest.fixture
def engine():
    engine = sa.create_engine("sqlite://")
    table.metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_a_time_without_a_zone_is_refused_on_both_databases(dialect):
    with pytest.raises(Invalid, match="without a zone"):
        UtcDateTime().process_bind_param(NAIVE, dialect)


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_a_time_is_stored_as_milliseconds_and_comes_back_in_utc(dialect):
    there = AT.astimezone(timezone(timedelta(hours=9)))
    stored = UtcDateTime().process_bind_param(there, dialect)

    assert stored == 1795255200123
    assert repr(UtcDateTime().process_result_value(stored, dialect)) == repr(AT)
    assert (UtcDateTime().process_bind_param(None, dialect), UtcDateTime().process_result_value(None, dialect)) == (
        None,
        None,
    )


def test_nothing_is_stored_of_a_row_with_a_time_without_a_zone(engine):
    with pytest.raises(StatementError) as refused, engine.begin() as connection:
        connection.execute(sa.insert(table).values(a="x", b=1, at=NAIVE))

    assert isinstance(refused.value.orig, Invalid)
    with engine.connect() as connection:
        assert connection.execute(sa.select(table)).all() == []


def test_every_time_of_the_models_is_of_the_type_that_refuses():
    times = [
        column for each in Row.metadata.tables.values() for column in each.c if isinstance(column.type, sa.DateTime)
    ]
    assert times == []


INSERT = Hot(sa.insert(table), "b", "a")
SELECT = Hot(
    sa.select(table.c.a).where(table.c.b == sa.bindparam("b"), table.c.a > sa.bindparam("a"), table.c.b < 7), "a", "b"
)


SIGNS = [("sqlite", "?", "?"), ("postgresql", "%s::VARCHAR", "%s::INTEGER")]


@pytest.mark.parametrize(("dialect", "text", "number"), SIGNS)
def test_a_hot_statement_is_compiled_for_its_dialects_driver(dialect, text, number):
    compiled = SELECT.compiled(dialect)

    assert compiled.sql == f"SELECT t.a \nFROM t \nWHERE t.b = {number} AND t.a > {text} AND t.b < {number}"
    assert arranged(compiled, ("x", 5)) == (5, "x", 7)


@pytest.mark.parametrize(("dialect", "text", "number"), SIGNS)
def test_a_hot_insert_names_the_columns_that_are_given_and_takes_them_in_the_callers_order(dialect, text, number):
    compiled = INSERT.compiled(dialect)

    assert compiled.sql == f"INSERT INTO t (a, b) VALUES ({text}, {number})"  # noqa: S608 -- what is expected, never run
    assert arranged(compiled, (5, "x")) == ("x", 5)


def listed(kind, changing=None, **how):
    """Return PostgreSQL's insert out of a list a column, of a table whose second column is of some type."""
    wide = sa.Table("t", sa.MetaData(), sa.Column("a", sa.Text, primary_key=True), sa.Column("b", kind))
    hot = Hot(lambda dialect: changing(dialect, wide) if changing else sa.insert(wide), "a", "b", **how)
    return [hot.compiled(dialect).of_columns for dialect in ("sqlite", "postgresql")]


def test_postgresql_takes_many_rows_as_lists_and_sqlite_row_by_row():
    lists = "INSERT INTO t (a, b) SELECT * FROM unnest(%b::TEXT[], %b::BIGINT[])"
    assert listed(sa.BigInteger) == ["", lists]


def test_rows_that_may_change_each_other_go_one_by_one_unless_none_comes_twice():
    def changing(dialect, wide):
        insert = (postgresql if dialect == "postgresql" else sqlite).insert(wide)
        return insert.on_conflict_do_update(index_elements=["a"], set_={"b": insert.excluded.b})

    lists = (
        "INSERT INTO t (a, b) SELECT * FROM unnest(%b::TEXT[], %b::BYTEA[]) "
        "ON CONFLICT (a) DO UPDATE SET b = excluded.b"
    )
    assert listed(sa.LargeBinary, changing) == ["", ""]
    assert listed(sa.LargeBinary, changing, once=True) == ["", lists]


@pytest.mark.parametrize("kind", [postgresql.ARRAY(sa.Text), sa.Integer, sa.Float, sa.JSON])
def test_a_column_that_we_do_not_write_as_a_list_goes_row_by_row(kind):
    assert listed(kind) == ["", ""]


def test_every_column_of_the_models_is_one_that_is_written_as_a_list():
    dialect = postgresql.dialect()
    columns = [column for each in Row.metadata.tables.values() for column in each.c]
    names = {str(column.type.compile(dialect)).partition(" COLLATE")[0] for column in columns}
    assert names == set(arrays.BY_TYPE)


def test_many_rows_of_every_length_are_the_same_on_either_database(world):
    people = table_of(CustomerRow)
    keys = Hot(sa.insert(table_of(DataKeyRow)), "wrapped", "owner", "kek")
    rows = [(b"\x00\xff" * number, f"own{number:02}", 1 << number) for number in range(1, 40)]
    with world.store.write() as work:
        work.run_many(Hot(sa.insert(people), "id", "enrolled_at"), [("one", 1), ("two", 1 << 40)])
        work.run_many(keys, rows)

    assert world.rows("SELECT wrapped, owner, kek FROM data_key WHERE owner LIKE 'own%' ORDER BY owner") == rows
    found = world.rows("SELECT id, enrolled_at FROM customer WHERE id IN ('one', 'two') ORDER BY id")
    assert found == [("one", 1), ("two", 1 << 40)]


def test_a_statement_is_compiled_once_a_dialect():
    built = []

    def build(dialect):
        built.append(dialect)
        return sa.select(table.c.a)

    hot = Hot(build)
    assert [hot.compiled(name).sql for name in ("sqlite", "postgresql", "sqlite")] == ["SELECT t.a \nFROM t"] * 3
    assert built == ["sqlite", "postgresql"]


def test_a_percent_sign_is_escaped_for_the_driver_that_would_read_it():
    hot = Hot(sa.select(table.c.b % 7))
    assert ["%%" in hot.compiled(name).sql for name in ("sqlite", "postgresql")] == [False, True]


@pytest.mark.parametrize(
    ("dialect", "sql"),
    [("sqlite", "IN (SELECT anon_1.value"), ("postgresql", "= ANY (")],
)
def test_a_list_is_one_parameter_whatever_its_length(dialect, sql):
    hot = Hot(lambda name: sa.select(table.c.b).where(among(table.c.a, "names")(name)), "names")
    compiled = hot.compiled(dialect)

    assert sql in compiled.sql
    assert compiled.sql.count("?") + compiled.sql.count("%s") == 1


def test_hot_statements_find_the_same_rows_on_either_database(world):
    inside = "SELECT id FROM customer ORDER BY id"
    both = [customer for (customer,) in world.rows(inside)]
    people = Row.metadata.tables["customer"]
    hot = Hot(lambda name: sa.select(people.c.id).where(among(people.c.id, "who")(name)).order_by(people.c.id), "who")

    with world.store.live() as work:
        asked = [[], both, [*reversed(both), "nobody"], ["O'Hara", '"', "%s", "?"], ["x"] * 40_000]
        found = [[row[0] for row in work.run(hot, work.listed(who)).fetchall()] for who in asked]

    assert found == [[], both, both, [], []]


@pytest.mark.parametrize(
    ("version", "safe"),
    [
        ((3, 40, 1), False),
        ((3, 44, 5), False),
        ((3, 44, 6), True),
        ((3, 44, 7), True),
        ((3, 45, 0), False),
        ((3, 50, 6), False),
        ((3, 50, 7), True),
        ((3, 51, 2), False),
        ((3, 51, 3), True),
        ((3, 52, 0), True),
        ((4, 0, 0), True),
    ],
)
def test_the_write_ahead_log_is_used_only_where_it_cannot_lose_a_commit(version, safe):
    assert wal_is_safe(version) is safe


@pytest.mark.parametrize("name", ["write", "read", "live"])
def test_a_sqlite_connection_is_set_up_as_the_ledger_needs_it(tmp_path, name, monkeypatch):
    monkeypatch.setattr(database, "_pragmas", AS_SHIPPED)
    engines = open_engines(f"sqlite:///{tmp_path / 'x.db'}")
    with getattr(engines, name).connect() as connection:
        asked = ("journal_mode", "synchronous", "foreign_keys", "recursive_triggers", "trusted_schema", "query_only")
        held = {pragma: connection.exec_driver_sql(f"PRAGMA {pragma}").scalar() for pragma in asked}
    for engine in engines:
        engine.dispose()

    assert held == {
        "journal_mode": "wal" if wal_is_safe() else "persist",
        "synchronous": 2 if wal_is_safe() else 3,
        "foreign_keys": 1,
        "recursive_triggers": 1,
        "trusted_schema": 0,
        "query_only": int(name != "write"),
    }


def test_readers_cannot_write_on_either_database(world):
    for opened in (world.store.engines.read, world.store.engines.live):
        with opened.connect() as connection, pytest.raises(sa.exc.DBAPIError, match=r"readonly|read-only"):
            connection.exec_driver_sql("DELETE FROM memory")


def test_a_snapshot_stays_as_it_was_and_a_live_reader_sees_each_commit(tmp_path):
    store = Store(f"sqlite:///{tmp_path / 'x.db'}")
    count = "SELECT COUNT(*) FROM t"
    with store.write() as work:
        work.connection.exec_driver_sql("CREATE TABLE t (a INTEGER)")
    with store.live() as live:
        before = live.connection.exec_driver_sql(count).scalar()
        with store.write() as work:
            work.connection.exec_driver_sql("INSERT INTO t VALUES (1)")
        after = live.connection.exec_driver_sql(count).scalar()
    store.close()

    assert (before, after) == (0, 1)


def test_an_error_rolls_everything_back(world):
    def delete_and_fail():
        with world.store.write() as work:
            work.connection.exec_driver_sql("DELETE FROM identity")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        delete_and_fail()

    assert world.rows("SELECT COUNT(*) FROM identity") == [(3,)]


@pytest.mark.parametrize("url", ["mysql://localhost/x", "oracle://localhost/x", "mssql://localhost/x"])
def test_other_databases_are_refused_by_name(url):
    with pytest.raises(
        SettingsInvalid, match=r"is not a database Byleave runs on: use sqlite:///FILE or postgresql://"
    ):
        open_engines(url)


def test_a_database_that_cannot_be_opened_is_down(tmp_path):
    store = Store(f"sqlite:///{tmp_path / 'none' / 'x.db'}")
    with pytest.raises(DatabaseDown, match="its file can't be opened"), store.read():
        pass
    store.close()


def test_a_server_that_is_away_is_down(tmp_path):
    store = Store(f"postgresql://byleave:hunter2@/byleave?host={tmp_path}")
    with pytest.raises(DatabaseDown) as down, store.read():
        pass
    store.close()

    assert str(down.value) == "Not recorded: the database does not answer: the connection failed"


def test_a_database_without_tables_says_what_to_run(tmp_path):
    store = Store(f"sqlite:///{tmp_path / 'x.db'}")
    with (
        pytest.raises(DatabaseDown, match="its tables are missing: `byleave db restore` brings back"),
        store.read() as work,
    ):
        work.connection.exec_driver_sql("SELECT 1 FROM ledger_head")
    store.close()
