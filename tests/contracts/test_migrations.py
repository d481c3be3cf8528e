"""Migrations: numbered, one after the other, there and back, and without a trace on what was written before."""

import ast
import re
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.schema import CreateIndex

import migrations
from consent.base import schema
from consent.base.database import Row
from consent.base.store import Store
from consent.register import proving
from tests import reference
from tests.world import founded, migrated, opened

FOLDER = Path(migrations.__file__).parent
FILES = sorted((FOLDER / "versions").glob("*.py"))
REVISIONS = [path.name[:4] for path in FILES]
LEDGER = ("ledger_log", "ledger_head", "ledger_entry", "ledger_node", "ledger_checkpoint", "ledger_payload")
REST = ("customer", "identity", "data_key", "standing", "memory", "catalogue_version", "scope_bit", "idempotency")


@pytest.fixture
def fresh(maker):
    """Return a store on a database without tables."""
    url = maker.empty("fresh")
    with closing(Store(url)) as store:
        yield store
    maker.dropped(url)


SQLITE_SHAPE = """
    SELECT type, name, tbl_name, sql FROM sqlite_master WHERE tbl_name NOT LIKE 'alembic%' ORDER BY 1, 2
"""
POSTGRESQL_SHAPE = """
    SELECT table_name, column_name, data_type, is_nullable, collation_name, column_default,
        row_number() OVER (PARTITION BY table_name ORDER BY ordinal_position)
    FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'alembic_version' ORDER BY 1, 2;
    SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace AND conname NOT LIKE 'alembic%' ORDER BY 1;
    SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'alembic_version' ORDER BY 1;
    SELECT tgname, tgenabled, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1;
    SELECT proname, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace ORDER BY 1;
    SELECT relname, obj_description(oid) FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> 'alembic_version' ORDER BY 1
"""


def shape(store):
    """Return all that a database says of its tables, columns, keys, indexes, triggers and functions."""
    queries = SQLITE_SHAPE if store.dialect == "sqlite" else POSTGRESQL_SHAPE
    with store.engines.read.connect() as connection:
        return [reference.rows(connection, query) for query in queries.split(";")]


def test_migrations_are_numbered_from_one_without_gaps():
    numbers = [f"{number:04}" for number in range(1, len(FILES) + 1)]
    assert numbers == REVISIONS
    assert [path.name for path in FILES if not re.fullmatch(r"\d{4}_[a-z_]+\.py", path.name)] == []


def test_migrations_follow_one_another():
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    walked = [(each.revision, each.down_revision) for each in ScriptDirectory.from_config(config).walk_revisions()]

    assert walked[::-1] == list(zip(REVISIONS, [None, *REVISIONS[:-1]], strict=True))
    assert schema.newest() == REVISIONS[-1]


def test_migrations_and_what_they_stand_on_import_nothing_that_can_change():
    imported = {
        name.partition(".")[0]
        for path in [*FILES, FOLDER / "insert_only.py"]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        for name in (
            [each.name for each in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported - {"alembic", "sqlalchemy", "migrations", "collections"} == set()


def test_a_migration_says_what_it_is_for_and_how_to_go_back():
    undone = []
    for path in FILES:
        module = ast.parse(path.read_text(encoding="utf-8"))
        functions = {node.name: node for node in module.body if isinstance(node, ast.FunctionDef)}
        documented = ast.get_docstring(module) and all(ast.get_docstring(each) for each in functions.values())
        if not documented or len(functions["downgrade"].body) < 2:
            undone.append(path.name)
    assert undone == []


@pytest.mark.filterwarnings("ignore:.*expression-based index")  # SQLite can't tell them: the next test compares those
def test_the_newest_schema_is_what_the_models_say(fresh):
    schema.upgrade(fresh)
    schema.assert_models_match(fresh)
    with fresh.engines.read.connect() as connection:
        assert set(sa.inspect(connection).get_table_names()) == {*Row.metadata.tables, "alembic_version"}


def test_indexes_over_expressions_are_what_the_models_say(fresh):
    """Of these nothing can be read back on SQLite but the text that made them."""
    schema.upgrade(fresh)
    several = [each for table in Row.metadata.tables.values() for each in table.indexes]
    over = [each for each in several if any(not isinstance(one, sa.Column) for one in each.expressions)]
    texts = {
        "sqlite": "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL",
        "postgresql": "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    }
    with fresh.engines.read.connect() as connection:
        there = dict(tuple(row) for row in connection.execute(sa.text(texts[fresh.dialect])))
        meant = {each.name: str(CreateIndex(each).compile(connection)) for each in over}

    assert [each.name for each in over] == ["ix__contact__customer_counted_at"]
    for name, text in meant.items():
        asked = there[name].lower().replace(" using btree", "").replace("public.", "")
        assert asked == text.lower()


def test_up_down_and_up_again_give_the_same_schema(fresh):
    assert schema.current(fresh) is None
    schema.upgrade(fresh)
    first = shape(fresh), schema.current(fresh)
    schema.downgrade(fresh, "base")
    nothing = [shape(fresh), schema.current(fresh)]
    schema.upgrade(fresh)

    assert nothing == [[[] for _ in first[0]], None]
    assert (shape(fresh), schema.current(fresh)) == first


def test_each_migration_goes_there_and_back(fresh):
    shapes = []
    for revision, before in zip(REVISIONS, ["base", *REVISIONS[:-1]], strict=True):
        shapes.append(shape(fresh))
        schema.upgrade(fresh, revision)
        there = shape(fresh)
        schema.downgrade(fresh, before)
        assert shape(fresh) == shapes[-1]
        schema.upgrade(fresh, revision)
        assert shape(fresh) == there
    assert schema.current(fresh) == REVISIONS[-1]


def test_upgrading_what_is_newest_changes_nothing(fresh):
    schema.upgrade(fresh)
    before = shape(fresh)
    schema.upgrade(fresh)
    assert shape(fresh) == before


@contextmanager
def populated(maker, clock, tmp_path):
    """Open a deployment of the first revision, with a ledger that has been in use: today's code, taken back to it."""
    newest = migrated(maker, tmp_path, name="first")
    template = founded(newest)
    world = opened(template, clock, tmp_path)
    try:
        world.remember(world.ann, spend_past_year=12.5)
        world.say(world.statement(world.bo, "grant", "use:purchases:recommendations"), key="1")
        world.withdraw(world.ann, "contact:email:recommendations")
        with world.store.write() as work:
            proving.sign_checkpoint(world.deployment.desk, work, at=clock())
        schema.downgrade(world.store, REVISIONS[0])
        yield world
    finally:
        world.store.close()
        for url in (world.url, template.url, newest.url):
            maker.dropped(url)


def columns(world):
    """Return the columns of the consent side's tables as they are now."""
    with world.store.engines.read.connect() as connection:
        inspected = sa.inspect(connection)
        return {name: [each["name"] for each in inspected.get_columns(name)] for name in (*LEDGER, *REST)}


def held(world, known):
    """Return every row of the consent side in the columns of its first revision, and the triggers that guard it."""
    tables = {
        name: sorted(world.rows(f"SELECT {', '.join(known[name])} FROM {name}"), key=repr)  # noqa: S608 -- our own tables
        for name in (*LEDGER, *REST)
    }
    triggers = world.rows(
        "SELECT tbl_name, name, sql FROM sqlite_master WHERE type = 'trigger' ORDER BY 1, 2"
        if world.dialect == "sqlite"
        else "SELECT tgrelid::regclass::text, tgname, tgenabled FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1, 2"
    )
    return tables, [trigger for trigger in triggers if trigger[0] in tables]


def test_an_upgrade_leaves_bytes_roots_and_triggers_as_they_were_and_a_downgrade_too(maker, clock, tmp_path):
    with populated(maker, clock, tmp_path) as world:
        known = columns(world)
        before = held(world, known)
        assert min(len(rows) for rows in (*before[0].values(), before[1])) > 0
        for revision in REVISIONS[1:]:
            schema.upgrade(world.store, revision)
            assert held(world, known) == before
        world.check_ledger()
        for revision in REVISIONS[-2::-1]:
            schema.downgrade(world.store, revision)
            assert held(world, known) == before


def test_the_ledger_goes_on_after_an_upgrade(maker, clock, tmp_path):
    with populated(maker, clock, tmp_path) as world:
        size = world.size()
        schema.upgrade(world.store)
        world.grant(world.bo, "use:interests:recommendations")

        assert world.size() == size + 1
        assert world.recall([world.ann], ["spend_past_year"], purpose="recommendations") == [{"spend_past_year": 12.5}]
        world.check_ledger()


def test_the_code_of_the_version_before_still_writes_what_stands(maker, clock, tmp_path):
    """It knows nothing of ages and opt-outs: it leaves them out of a new row, and as they are in one that is there."""
    with populated(maker, clock, tmp_path) as world:
        known = [name for name in columns(world)["standing"] if name != "customer"]
        schema.upgrade(world.store)
        world.tamper("INSERT INTO customer (id, enrolled_at) VALUES ('cus_old', 0)")
        world.tamper("UPDATE standing SET gpc = 7 WHERE customer = :ann", ann=world.ann)
        listed, kept = ", ".join(known), ", ".join(f"{name} = excluded.{name}" for name in known)
        for whose in ("cus_old", world.ann):
            world.tamper(
                f"INSERT INTO standing (customer, {listed}) SELECT '{whose}', {listed} FROM standing "  # noqa: S608 -- our own columns
                f"WHERE customer = :bo ON CONFLICT (customer) DO UPDATE SET {kept}",
                bo=world.bo,
            )
        query = "SELECT born_by, gpc FROM standing WHERE customer = :who"

        assert world.rows(query, who="cus_old") == [(2**63 - 1, 0)]
        assert world.rows(query, who=world.ann) == [(2**63 - 1, 7)]
