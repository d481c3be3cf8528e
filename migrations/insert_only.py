"""Triggers that make a table insert-only. Frozen: migrations that have run rely on what it wrote.

SQLite takes three a table: one for UPDATE, one for DELETE, and one for an INSERT over an existing key, because
`INSERT OR REPLACE` deletes without firing the delete trigger of a connection whose triggers aren't recursive.
PostgreSQL takes a row trigger and one for TRUNCATE, both ENABLE ALWAYS, so that a replica session doesn't skip them.
"""

from collections.abc import Iterator, Sequence

_FUNCTION = """
CREATE OR REPLACE FUNCTION byleave_insert_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is insert-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$
"""


def guard(dialect: str, table: str, key: Sequence[str], *, unique: Sequence[str] = ()) -> Iterator[str]:
    """Return the statements that guard `table` with the primary key `key`; `unique` are columns unique on their own."""
    if dialect == "postgresql":
        yield _FUNCTION
        for name, when in (("change", "UPDATE OR DELETE"), ("truncate", "TRUNCATE")):
            level = "STATEMENT" if name == "truncate" else "ROW"
            yield (
                f"CREATE TRIGGER {table}__{name} BEFORE {when} ON {table} "
                f"FOR EACH {level} EXECUTE FUNCTION byleave_insert_only()"
            )
            yield f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}__{name}"
        return
    refuse = f"SELECT RAISE(ABORT, '{table} is insert-only')"
    keys = [key, *([column] for column in unique)]  # replacing removes whatever row has any of them
    same = " OR ".join(" AND ".join(f"{column} = NEW.{column}" for column in each) for each in keys)
    there = f"EXISTS (SELECT 1 FROM {table} WHERE {same})"  # noqa: S608 -- names of our own tables, from migrations only
    yield f"CREATE TRIGGER {table}__update BEFORE UPDATE ON {table} BEGIN {refuse}; END"
    yield f"CREATE TRIGGER {table}__delete BEFORE DELETE ON {table} BEGIN {refuse}; END"
    yield f"CREATE TRIGGER {table}__replace BEFORE INSERT ON {table} WHEN {there} BEGIN {refuse}; END"
