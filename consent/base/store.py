"""The store: the only place where transactions begin and end.

A face (or a chunk of a run) opens `Store.read()` or `Store.write()`, calls use cases inside, and leaves; leaving a
write commits, an error rolls everything back. `Store.live()` has no transaction: each statement sees the newest
commit, which is what a permission check needs to be true at once.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Final, TypeVar

import orjson
import psycopg
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from consent.base.database import SPANS, WRITING, Bounds, Engines, Hot, arranged, drop_journal, open_engines
from consent.base.errors import ByleaveError, CommitUnknown, DatabaseDown, Invalid, StateConflict
from consent.base.turns import Turns

_LOST = (sqlite3.OperationalError, psycopg.OperationalError, psycopg.errors.UndefinedTable, sa.exc.TimeoutError)
_TAKEN = psycopg.errors.UniqueViolation
_FAULTS = (DBAPIError, sa.exc.TimeoutError, sqlite3.DatabaseError, psycopg.Error, UnicodeEncodeError)
_PATIENCE_S: Final = 5.0
"""How long a writer of a SQLite file waits for his turn before he tries without."""
_RACED = "somebody else wrote the same at this moment: nothing was recorded, try again"
_TRIES: Final = 10
"""Times that a transaction looks again for what others may have written meanwhile."""
_UNSTORABLE = "a value that can't be stored: half of a surrogate pair, a NUL character, or a number too large"

T = TypeVar("T")
S = TypeVar("S", bound=str)


class Span(tuple[S, ...]):  # noqa: SLOT001 -- nothing that is a tuple can have slots of its own
    """Values in order, all that there are between the first and the last, as the transaction saw that read them.

    In that one they are found by their bounds where the whole database holds still, as it does on SQLite: sooner than
    each is looked up.
    """

    seen_by: "Work"


def span(work: "Work", values: Iterable[S]) -> Span[S]:
    """Return values that a transaction read as a span."""
    found = Span(values)
    found.seen_by = work
    return found


class Work:
    """One open transaction (or one live reader): where statements run."""

    __slots__ = ("_connection", "_engine", "_pooled", "dialect", "doubtful", "driver", "writing")

    def __init__(
        self,
        engine: sa.Engine,
        pooled: sa.PoolProxiedConnection,
        connection: sa.Connection | None = None,
        *,
        writing: bool = False,
        doubtful: bool = False,
    ) -> None:
        """Keep the driver's own connection, for hot statements, and SQLAlchemy's above it.

        Without that, the caller ends himself what he has begun. `doubtful` says that the disk failed, and that nobody
        has looked since at what it kept of the ledger's head.
        """
        self._engine = engine
        self._pooled = pooled
        self._connection = connection
        self.doubtful = doubtful
        self.dialect: str = engine.dialect.name
        self.writing = writing
        self.driver: Any = pooled.driver_connection

    @property
    def connection(self) -> sa.Connection:
        """The transaction as SQLAlchemy sees it: made when first asked for, since hot statements need none."""
        if self._connection is None:
            self._connection = sa.Connection(self._engine, self._pooled)
            self._connection.begin()
        return self._connection

    def run(self, hot: Hot, *values: Any) -> Any:  # noqa: ANN401 -- a driver's cursor; both drivers' have fetchone, fetchall, rowcount
        """Run a hot statement once and return the driver's cursor."""
        compiled = hot.compiled(self.dialect)
        if hot.varies and any(type(value) is Bounds for value in values):
            compiled = hot.compiled(SPANS)
            values = tuple(each for value in values for each in (value if type(value) is Bounds else (value,)))
        return self.driver.execute(compiled.sql, values if compiled.order is None else arranged(compiled, values))

    def run_many(self, hot: Hot, rows: Sequence[tuple[Any, ...]]) -> None:
        """Run a hot statement for each row of parameters, in one round trip where the driver can."""
        if not rows:
            return
        compiled = hot.compiled(self.dialect)
        if compiled.order is not None:
            rows = [arranged(compiled, row) for row in rows]
        if len(rows) == 1:
            self.driver.execute(compiled.sql, rows[0])
            return
        if compiled.of_columns:
            self.driver.execute(compiled.of_columns, [list(column) for column in zip(*rows, strict=True)])
            return
        cursor = self.driver.cursor()
        try:
            cursor.executemany(compiled.sql, rows)
        finally:
            cursor.close()

    def together(self) -> AbstractContextManager[object]:
        """Send the hot statements of a block in one round trip where the driver can; results are there after it."""
        return self.driver.pipeline() if self.dialect == "postgresql" else nullcontext()

    def again_where_taken(self, write: Callable[[], T]) -> T:
        """Run what looks for keys and writes those that are missing, until nobody else wrote one of them meanwhile.

        SQLite lets one writer in at a time. On PostgreSQL another transaction may commit the same key between the look
        and the write: then what was written is undone, up to here, and the next look finds what the other wrote.

        Raises:
            UniqueViolation: somebody was ahead `_TRIES` times (the store names it a StateConflict).
        """
        for _ in range(_TRIES - 1 if self.dialect == "postgresql" else 0):
            savepoint = self.connection.begin_nested()
            try:
                written = write()
            except _TAKEN:
                savepoint.rollback()
            except BaseException:
                savepoint.rollback()
                raise
            else:
                savepoint.commit()
                return written
        return write()

    def listed(self, values: Iterable[str]) -> Any:  # noqa: ANN401 -- bounds or text on SQLite, a list on PostgreSQL
        """Return a list as the one parameter that `database.among` binds.

        Of a span that this transaction has read SQLite is told the bounds alone: of rows that belong to nobody who is
        enrolled, what was asked may be there as well.

        Raises:
            Invalid: a value that no text can hold: half of a surrogate pair.
        """
        if self.dialect == "postgresql":
            return list(values)
        if isinstance(values, Span) and values and values.seen_by is self:
            return Bounds(values[0], values[-1])
        try:
            return orjson.dumps(list(values)).decode()
        except orjson.JSONEncodeError:
            raise Invalid(_UNSTORABLE) from None  # the cause would quote the value


class Store:
    """One database. Everything durable goes through `write`, everything else through `read` or `live`."""

    def __init__(self, url: str) -> None:
        """Open the engines; nothing connects before the first use."""
        self.url = url
        self.engines: Engines = open_engines(url)
        self._turns = Turns(self.file, patience=_PATIENCE_S) if self.dialect == "sqlite" else None
        self._doubtful = False

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self.engines.write.dialect.name

    @property
    def file(self) -> Path:
        """Where a SQLite database lies."""
        return Path(self.engines.write.url.database or "")

    @contextmanager
    def write(self) -> Iterator[Work]:
        """Open a transaction that commits when the block is left and rolls back when it raises.

        Raises:
            DatabaseDown: the database is away, locked for too long, or full; nothing was recorded.
            CommitUnknown: it broke off while it was committed (the connection, the disk); it may have been recorded.
            StateConflict: somebody else wrote the same key at the same moment; nothing was recorded.
        """
        committing = False
        with self._turn(), _named_faults():
            try:
                with _pooled(self.engines.write) as pooled:
                    work = Work(self.engines.write, pooled, writing=True, doubtful=self._doubtful)
                    if self.dialect == "sqlite":
                        work.driver.execute(WRITING)
                    yield work
                    committing = True
                    work.driver.commit()
            except (DBAPIError, sqlite3.OperationalError, psycopg.OperationalError) as fault:
                cause = fault.orig if isinstance(fault, DBAPIError) else fault
                failed = self._doubt(cause)
                if committing and (failed or _was_cut(cause)):
                    what = "its disk reported an error" if failed else "the connection was lost"
                    raise CommitUnknown(f"{what} while it was committed") from fault
                raise
            self._doubtful = work.doubtful

    def _turn(self) -> AbstractContextManager[object]:
        return self._turns.taken() if self._turns else nullcontext()

    def _doubt(self, fault: BaseException | None) -> bool:
        """After the disk failed, forget every connection and the pages it holds: what is on the disk has to tell.

        Returns:
            Whether it did. SQLite's last sync of a commit comes when its journal is gone: then it stands all the same.
        """
        failed = isinstance(fault, sqlite3.OperationalError) and fault.sqlite_errorcode & 0xFF == sqlite3.SQLITE_IOERR
        if failed:
            self._doubtful = True
            self.close()
        return failed

    @contextmanager
    def read(self) -> Iterator[Work]:
        """Open one snapshot to read from.

        Raises:
            DatabaseDown: the database is away.
        """
        with _named_faults(), self.engines.read.begin() as connection:
            yield Work(self.engines.read, connection.connection, connection)

    @contextmanager
    def live(self) -> Iterator[Work]:
        """Open a reader on which each statement sees the newest commit of any process.

        Raises:
            DatabaseDown: the database is away.
        """
        with _named_faults(), _pooled(self.engines.live) as pooled:
            yield Work(self.engines.live, pooled)

    def drop_journal(self) -> None:
        """Have SQLite let go of the pages as they were before the last transactions: what was deleted is on them.

        A write-ahead log is written back and emptied; a rollback journal that stays between transactions is removed.
        PostgreSQL has neither: there, old rows wait for VACUUM, and old segments for the archive's end.

        Raises:
            DatabaseDown: somebody kept it busy for too long; nothing is lost by trying again.
        """
        if self.dialect != "sqlite":
            return
        with self._turn(), _named_faults():
            pooled = self.engines.write.raw_connection()
            try:
                driver: Any = pooled.driver_connection
                dropped = drop_journal(driver, self.file)
            finally:
                pooled.close()
        if not dropped:
            raise DatabaseDown("others kept its journal busy")

    def close(self) -> None:
        """Close all pooled connections."""
        for engine in self.engines:
            engine.dispose()


@contextmanager
def _pooled(engine: sa.Engine) -> Iterator[sa.PoolProxiedConnection]:
    """Lend a connection; what is not committed when the block is left is rolled back, and what is broken not kept."""
    pooled = engine.raw_connection()
    try:
        yield pooled
    except BaseException:
        try:
            if pooled.is_valid:
                pooled.rollback()
        except (sqlite3.Error, psycopg.Error):
            pooled.invalidate()  # then nothing of it was kept: the server rolls back when the connection is gone
        raise
    finally:
        pooled.close()


def _was_cut(fault: BaseException | None) -> bool:
    """Say whether PostgreSQL's answer was lost, or it was told to stop: without one, a commit may have happened."""
    return isinstance(fault, psycopg.OperationalError) and (fault.sqlstate is None or fault.sqlstate[:2] == "57")


@contextmanager
def _named_faults() -> Iterator[None]:
    """Turn the drivers' operational errors and lost races into ours, without their text: it can hold values."""
    try:
        yield
    except _FAULTS as fault:
        named = _named(fault.orig if isinstance(fault, DBAPIError) else fault)
        if named is None:
            raise
        raise named from (None if isinstance(named, Invalid) else fault)  # the cause would quote the value


def _named(fault: BaseException | None) -> ByleaveError | None:
    # SQLite has no class of its own for a file that is damaged, or is no database.
    if isinstance(fault, _LOST) or type(fault) is sqlite3.DatabaseError:
        return DatabaseDown(_plain(fault))
    if isinstance(fault, _TAKEN):
        return StateConflict(_RACED)
    return Invalid(_UNSTORABLE) if isinstance(fault, (UnicodeEncodeError, psycopg.DataError)) else None


def _plain(lost: BaseException) -> str:
    text = str(lost).lower()
    for sign, said in (
        ("locked", "it stayed locked by another writer"),
        ("lock timeout", "it stayed locked by another writer"),
        ("no such table", "its tables are missing: run `byleave init`, or `byleave db upgrade`"),
        ("relation", "its tables are missing: run `byleave init`, or `byleave db upgrade`"),
        ("not a database", "its file is damaged, or is no database"),
        ("malformed", "its file is damaged"),
        ("full", "its disk is full"),
        ("unable to open", "its file can't be opened"),
        ("disk i/o", "its disk reports an error"),
    ):
        if sign in text:
            return said
    return "the connection failed"
