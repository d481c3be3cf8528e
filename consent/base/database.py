"""Engines for both databases, column types that refuse what would lie, and statements compiled once.

SQLite is driven by our own BEGIN (Python's `sqlite3` begins too late, and a deferred transaction that reads and
then writes fails at once); PostgreSQL by psycopg 3. Hot paths run Core statements that were compiled once, on the
driver's own cursor: building and compiling a statement for each call costs several times what the query does.
"""

import math
import re
import sqlite3
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

import psycopg
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import psycopg as psycopg_dialect
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.types import TypeDecorator
from typing_extensions import override

from consent.base import arrays
from consent.base.arrays import Column
from consent.base.clock import from_ms, to_ms
from consent.base.errors import SettingsInvalid

BUSY_MS: Final = 10_000
"""How long a SQLite connection waits for a lock, in milliseconds."""

_KEPT: Final = {"sqlite": 64, "postgresql": 8}
"""How many connections of each kind stay open once they were needed at the same time.

To open one takes longer than what it is mostly for. Of PostgreSQL's there are only so many, for all processes together.
"""

_JOURNAL_BYTES: Final = 4_194_304
"""What of the journal stays on the disk after a large transaction."""

_TRIES: Final = (0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
"""How long to wait, in seconds, from one try to be rid of the journal to the next."""

_RESTED_S: Final = 0.5
"""After how many seconds unused a connection is asked whether it is still there, before it is lent again."""
_SINCE: Final = "since"

_WAL_RESET_FIXED: Final = ((3, 51, 3), (3, 50, 7), (3, 44, 6))
_NAMING: Final = {
    "ix": "ix__%(table_name)s__%(column_0_N_name)s",
    "uq": "uq__%(table_name)s__%(column_0_N_name)s",
    "ck": "ck__%(table_name)s__%(constraint_name)s",
    "fk": "fk__%(table_name)s__%(column_0_N_name)s__%(referred_table_name)s",
    "pk": "pk__%(table_name)s",
}

Ident = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
"""Text that sorts by its bytes on both databases: ids are walked in ranges."""


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC instant as milliseconds since the epoch; a time without a zone is refused."""

    impl = sa.BigInteger
    cache_ok = True

    @override
    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else to_ms(value)

    @override
    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        return None if value is None else from_ms(value)


class Row(DeclarativeBase):
    """What all tables share. Rows have columns and no methods, and stay in the package that owns them."""

    metadata = sa.MetaData(naming_convention=_NAMING)
    type_annotation_map = {  # noqa: RUF012 -- SQLAlchemy reads it once, at class creation
        datetime: UtcDateTime(),
        str: Ident,
        bytes: sa.LargeBinary(),
        int: sa.BigInteger(),
    }


_PLAIN_VALUES: Final = re.compile(
    r"(?P<begin>INSERT INTO [^()]+ \([^()]+\)) VALUES \((?P<values>%s[^,()]*(?:, %s[^,()]*)*)\)(?P<end>.*)", re.DOTALL
)
"""An insert of one row of parameters, and of nothing else."""

_POSTGRESQL: Final[Any] = psycopg_dialect.dialect  # untyped in SQLAlchemy


def table_of(row: type[Row]) -> sa.Table:
    """Return the table of a row class, for Core statements."""
    return cast("sa.Table", row.__table__)


class _Compiled(NamedTuple):
    sql: str
    order: tuple[int, ...] | None
    fixed: tuple[tuple[int, Any], ...]
    of_columns: str
    """On PostgreSQL, the insert of many rows that takes a list a column; empty where there is none."""
    kinds: tuple[type[Column], ...] = ()
    """How each of these columns is written."""


SPANS: Final = "sqlite, a span"
"""What statements are built for where the list that they take is a span: as on SQLite, but for `among`."""


class Bounds(NamedTuple):
    """The first and the last value of a list in order, of all there is between them."""

    first: str
    last: str


class Hot:
    """A statement compiled once a dialect and run on the driver's cursor, with plain values in and out.

    `names` are the bind parameters in the order in which callers give them. Column types convert nothing here:
    times are milliseconds, ids are text, binary is bytes.
    """

    __slots__ = ("_build", "_compiled", "_names", "_once", "varies")

    def __init__(self, build: sa.Executable | Callable[[str], sa.Executable], *names: str, once: bool = False) -> None:
        """Keep the statement, or the function that builds it for a dialect's name.

        `once` says of an insert that changes rows which are there that it never gets two rows of one key in a call.
        """
        self._build = build
        self._names = names
        self._once = once
        self.varies = callable(build)
        self._compiled: dict[str, _Compiled] = {}

    def compiled(self, dialect: str) -> _Compiled:
        """Return the SQL text and how to order the parameters for `dialect`."""
        known = self._compiled.get(dialect)
        if known is None:
            known = self._compiled[dialect] = self._compile(dialect)
        return known

    def _compile(self, dialect: str) -> _Compiled:
        target: Dialect = (
            _POSTGRESQL(paramstyle="format") if dialect == "postgresql" else sqlite.dialect(paramstyle="qmark")
        )
        statement: Any = self._build(dialect) if callable(self._build) else self._build
        keys = [name for name in self._names if name in statement.table.c] if statement.is_insert else None
        compiled: Any = statement.compile(dialect=target, column_keys=keys)
        places: list[str] = list(compiled.positiontup or ())
        names = [each for name in self._names for each in (_ends(name) if _ends(name)[0] in places else (name,))]
        fixed = tuple((spot, compiled.params[name]) for spot, name in enumerate(places) if name not in names)
        wanted = tuple(names.index(name) for name in places if name in names)
        plain = not fixed and wanted == tuple(range(len(names)))
        columns, kinds = _of_columns(statement, compiled, once=self._once) if keys and not fixed and places else _NONE
        return _Compiled(str(compiled), None if plain else wanted, fixed, columns, kinds)


_NONE: Final[tuple[str, tuple[type[Column], ...]]] = ("", ())


def _of_columns(statement: Any, compiled: Any, *, once: bool) -> tuple[str, tuple[type[Column], ...]]:  # noqa: ANN401 -- an insert, and what it became
    """Return PostgreSQL's insert out of one list a column: one statement to send and to answer, however many rows."""
    if compiled.dialect.name != "postgresql":
        return _NONE
    on_conflict = statement._post_values_clause  # noqa: SLF001 -- no public name tells whether there is one
    if isinstance(on_conflict, postgresql.dml.OnConflictDoUpdate) and not once:
        return _NONE  # row by row, a row may change one that came before it; in one statement it may not
    plain = _PLAIN_VALUES.fullmatch(compiled.string)
    if not plain or plain["values"].count("%s") != len(compiled.positiontup):
        return _NONE  # something is worked out in it
    types = [statement.table.c[name].type for name in compiled.positiontup]
    names = [each.compile(compiled.dialect).partition(" COLLATE")[0] for each in types]
    if not arrays.BY_TYPE.keys() >= set(names):
        return _NONE
    rows = f"SELECT * FROM unnest({', '.join(f'%b::{each}[]' for each in names)})"  # noqa: S608 -- types of our own columns
    return f"{plain['begin']} {rows}{plain['end']}", tuple(arrays.BY_TYPE[each] for each in names)


def arranged(compiled: _Compiled, values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Put `values` in the order that the compiled text wants, with its fixed values among them."""
    if compiled.order is None:
        return values
    row = [values[spot] for spot in compiled.order]
    for spot, value in compiled.fixed:
        row.insert(spot, value)
    return tuple(row)


def _ends(name: str) -> tuple[str, str]:
    return f"{name}_first", f"{name}_last"


def among(column: sa.SQLColumnExpression[Any], name: str) -> Callable[[str], sa.ColumnElement[bool]]:
    """Return a condition `column in (the list bound to name)` for a dialect: one parameter, whatever its length.

    Of a span only its bounds are bound.
    """

    def condition(dialect: str) -> sa.ColumnElement[bool]:
        if dialect == SPANS:
            return sa.and_(
                column >= sa.bindparam(_ends(name)[0], type_=sa.Text()),
                column <= sa.bindparam(_ends(name)[1], type_=sa.Text()),
            )
        if dialect == "postgresql":
            return column == sa.any_(sa.bindparam(name, type_=postgresql.ARRAY(sa.Text())))
        listed = sa.func.json_each(sa.bindparam(name, type_=sa.Text())).table_valued("value")
        return column.in_(sa.select(listed.c.value))

    return condition


def wal_is_safe(version: tuple[int, ...] = sqlite3.sqlite_version_info) -> bool:
    """Say whether this SQLite is free of the WAL-reset fault (3.7.0 to 3.51.2, with two backports).

    Source:
        SQLite's release notes of 3.51.3.

    >>> wal_is_safe((3, 40, 1)), wal_is_safe((3, 44, 6)), wal_is_safe((3, 53, 0))
    (False, True, True)
    """
    newest, *backports = _WAL_RESET_FIXED
    return version >= newest or any(version[:2] == fixed[:2] and version >= fixed for fixed in backports)


def _pragmas() -> Iterable[str]:
    wal = wal_is_safe()
    yield f"PRAGMA busy_timeout={BUSY_MS}"
    # A journal that stays is overwritten in place: as durable as one that is truncated, at a third of the cost.
    yield "PRAGMA journal_mode=WAL" if wal else "PRAGMA journal_mode=PERSIST"
    yield f"PRAGMA journal_size_limit={_JOURNAL_BYTES}"
    yield "PRAGMA synchronous=FULL" if wal else "PRAGMA synchronous=EXTRA"
    yield "PRAGMA foreign_keys=ON"
    # INSERT OR REPLACE deletes without firing DELETE triggers unless triggers are recursive.
    yield "PRAGMA recursive_triggers=ON"
    yield "PRAGMA trusted_schema=OFF"
    yield "PRAGMA secure_delete=ON"
    yield "PRAGMA temp_store=MEMORY"
    yield "PRAGMA cache_size=-65536"


def drop_journal(connection: sqlite3.Connection, file: Path) -> bool:
    """Let go of the journal of a SQLite database: nothing of the pages as they were before stays in a file.

    Args:
        connection: outside of any transaction.
        file: the database's.

    Returns:
        Whether it is gone; where others keep writing, it may take another try.
    """
    [[mode]] = connection.execute("PRAGMA journal_mode").fetchall()
    if mode == "wal":
        [[busy, _, _]] = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return not busy
    journal = file.with_name(file.name + "-journal")
    for wait in _TRIES:
        # To remove it SQLite needs a lock, and where a writer holds that, it says nothing and leaves the file.
        connection.execute("PRAGMA journal_mode=DELETE").fetchall()
        gone = not journal.exists()
        connection.execute(f"PRAGMA journal_mode={mode}").fetchall()
        if gone:
            return True
        time.sleep(wait)
    return False


WRITING: Final = "BEGIN IMMEDIATE"
"""Takes SQLite's lock before anything is read: what is read stays true until it is written."""


def _prepare_sqlite(engine: sa.Engine, begin: str | None) -> sa.Engine:
    @sa.event.listens_for(engine, "connect")
    def _on_connect(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None
        for pragma in _pragmas():
            connection.execute(pragma)
        if begin != WRITING:
            connection.execute("PRAGMA query_only=ON")

    if begin is not None:

        @sa.event.listens_for(engine, "begin")
        def _on_begin(connection: sa.Connection) -> None:
            driver: Any = connection.connection.driver_connection
            if not driver.in_transaction:  # the store begins by itself where it writes
                driver.execute(begin)  # a result of SQLAlchemy's takes longer to make than an empty transaction

    return engine


class Engines(NamedTuple):
    """One database, opened three ways."""

    write: sa.Engine
    """Takes the write lock at BEGIN (SQLite) or row locks as it goes (PostgreSQL)."""
    read: sa.Engine
    """One snapshot a transaction, read only."""
    live: sa.Engine
    """No transaction: each statement sees the newest commit; read only. There is nothing to reset after one."""


def open_engines(url: str) -> Engines:
    """Open `url` (`sqlite:///file` or `postgresql://…`) for writing, for snapshots and for live reads.

    Raises:
        SettingsInvalid: neither SQLite nor PostgreSQL.
    """
    address = sa.make_url(url)
    if address.get_backend_name() == "sqlite":
        return _sqlite_engines(address)
    if address.get_backend_name() == "postgresql":
        return _postgresql_engines(address.set(drivername="postgresql+psycopg"))
    msg = f"{address.get_backend_name()!r} is not a database Byleave runs on: use sqlite:///FILE or postgresql://HOST/NAME"
    raise SettingsInvalid(msg)


def _sqlite_engines(address: sa.URL) -> Engines:
    options: dict[str, Any] = {
        "connect_args": {"check_same_thread": False, "timeout": BUSY_MS / 1000},
        "poolclass": sa.QueuePool, "pool_size": _KEPT["sqlite"], "max_overflow": -1,
    }  # fmt: skip
    return Engines(
        write=_prepare_sqlite(sa.create_engine(address, **options), WRITING),
        read=_prepare_sqlite(sa.create_engine(address, **options), "BEGIN"),
        live=_prepare_sqlite(sa.create_engine(address, **options, pool_reset_on_return=None), None),
    )


def _asked_after_rest(engine: sa.Engine) -> sa.Engine:
    """Ask a connection that has rested whether it is still there, as `pool_pre_ping` does of each that is lent.

    That takes as long as what most of them are lent for.
    """

    @sa.event.listens_for(engine, "checkin")
    def _rests(_connection: object, record: ConnectionPoolEntry) -> None:
        record.info[_SINCE] = time.monotonic()

    @sa.event.listens_for(engine, "checkout")
    def _is_lent(connection: Any, record: ConnectionPoolEntry, _lent: object) -> None:  # noqa: ANN401 -- a driver's own
        if time.monotonic() - record.info.get(_SINCE, math.inf) < _RESTED_S:
            return
        try:
            engine.dialect.do_ping(connection)
        except psycopg.OperationalError as gone:
            raise sa.exc.DisconnectionError from gone  # then the pool tries another

    return engine


def _postgresql_engines(address: sa.URL) -> Engines:
    settings = f"-c lock_timeout={BUSY_MS} -c idle_in_transaction_session_timeout=600000 -c timezone=UTC"
    # The driver's own read-only flag goes with BEGIN, which a live reader never sends: the server has to know.
    reading = f"{settings} -c default_transaction_read_only=on"

    def engine(settings: str, **options: Any) -> sa.Engine:  # noqa: ANN401 -- SQLAlchemy's options of many kinds
        return _asked_after_rest(
            sa.create_engine(
                address,
                connect_args={"options": settings, "connect_timeout": 5},
                pool_size=_KEPT["postgresql"],
                max_overflow=-1,
                **options,
            )
        )

    snapshot = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    return Engines(
        write=engine(settings),
        read=engine(reading, execution_options=snapshot),
        live=engine(reading, isolation_level="AUTOCOMMIT", pool_reset_on_return=None),
    )
