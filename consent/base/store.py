"""The store: the only place where transactions begin and end.

A face (or a chunk of a run) opens `Store.read()` or `Store.write()`, calls use cases inside, and leaves; leaving a
write commits, an error rolls everything back. `Store.live()` has no transaction: each statement sees the newest
commit, which is what a permission check needs to be true at once.
"""

import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from types import TracebackType
from typing import Any, Final, TypeVar

import orjson
import psycopg
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry
from typing_extensions import override

from consent.base import faults
from consent.base.arrays import columns
from consent.base.database import SPANS, WRITING, Bounds, Engines, Hot, arranged, drop_journal, open_engines
from consent.base.errors import CommitUnknown, DatabaseDown, Invalid
from consent.base.recent import Recent
from consent.base.turns import Turns

_PATIENCE_S: Final = 5.0
"""How long a writer of a SQLite file waits for his turn before he tries without."""
_RECENT: Final = "recent"
_TRIES: Final = 10
"""Times that a transaction looks again for what others may have written meanwhile."""

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

    __slots__ = ("_connection", "_driver", "_engine", "_lend", "_recent", "dialect", "doubtful", "writing")

    def __init__(
        self,
        engine: sa.Engine,
        lend: Callable[[], sa.PoolProxiedConnection],
        connection: sa.Connection | None = None,
        *,
        writing: bool = False,
        doubtful: bool = False,
        recent: Recent | None = None,
    ) -> None:
        """Keep what lends the pool's connection, asked when it is first needed, and SQLAlchemy's above it.

        Without that, the caller ends himself what he has begun. `doubtful` says that the disk failed, and that nobody
        has looked since at what it kept of the ledger's head. `recent` is what a live reader needn't read again.
        """
        self._engine = engine
        self._lend = lend
        self._connection = connection
        self._driver: Any = None
        self._recent = recent
        self.doubtful = doubtful
        self.dialect: str = engine.dialect.name
        self.writing = writing

    @property
    def driver(self) -> Any:  # noqa: ANN401 -- psycopg's, or the one of `sqlite3`
        """The driver's own connection, for hot statements."""
        if self._driver is None:
            self._driver = self._lend().driver_connection
        return self._driver

    @property
    def connection(self) -> sa.Connection:
        """The transaction as SQLAlchemy sees it: made when first asked for, since hot statements need none."""
        if self._connection is None:
            self._connection = sa.Connection(self._engine, self._lend())
            self._connection.begin()
        return self._connection

    def run(self, hot: Hot, *values: Any) -> Any:  # noqa: ANN401 -- a driver's cursor; both drivers' have fetchone, fetchall, rowcount
        """Run a hot statement once and return the driver's cursor."""
        compiled = hot.compiled(self.dialect)
        if hot.varies and any(type(value) is Bounds for value in values):
            compiled = hot.compiled(SPANS)
            values = tuple(each for value in values for each in (value if type(value) is Bounds else (value,)))
        return self.driver.execute(compiled.sql, values if compiled.order is None else arranged(compiled, values))

    def first(self, hot: Hot, value: str) -> Any:  # noqa: ANN401 -- a row of the driver's: a tuple, or None
        """Return the first row of a hot statement of one parameter, which depends on that and the database alone.

        A live reader of a SQLite file has it from memory, if it was read since anything was last committed.
        """
        key = (hot, value)
        known = self._recent.known(key) if self._recent else None
        if known is not None:
            return known
        cursor = self.run(hot, value)
        own = self._recent = self._lend().info.get(_RECENT)  # of the file that this very connection has open
        return own.keep(key, cursor) if own else cursor.fetchone()

    def first_of_each(self, one: Hot, each: Hot, values: Collection[str]) -> dict[str, Any]:
        """Return of each value the row that `first` finds by `one`; those without a row are left out.

        All are as they stood at one moment. `each` is the same statement for a list of them, with the value first in
        its rows: it is run where one of them isn't known.
        """
        if len(values) == 1:
            return {value: row for value in values if (row := self.first(one, value)) is not None}
        known = self._recent.known_each([(one, value) for value in values]) if self._recent else None
        if known is not None:
            return {row[0]: row for row in known}
        cursor = self.run(each, self.listed(values))
        own = self._recent = self._lend().info.get(_RECENT)
        rows = own.keep_each(one, cursor) if own else cursor.fetchall()
        return {row[0]: row for row in rows}

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
            self.driver.execute(compiled.of_columns, columns(compiled.kinds, rows))
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
            except faults.TAKEN:
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
            raise Invalid(faults.UNSTORABLE) from None  # the cause would quote the value


class Store:
    """One database. Everything durable goes through `write`, everything else through `read` or `live`."""

    def __init__(self, url: str) -> None:
        """Open the engines; nothing connects before the first use."""
        self.url = url
        self.engines: Engines = open_engines(url)
        self._turns = Turns(self.file, patience=_PATIENCE_S) if self.dialect == "sqlite" else None
        self._doubtful = False
        self._recent: Recent | None = None
        self._watched: set[Recent] = set()
        if self.dialect == "sqlite":
            sa.event.listen(self.engines.live, "connect", self._watch)

    def _watch(self, _connection: object, record: ConnectionPoolEntry) -> None:
        """Have live readers know what was read lately of the file that a new connection of theirs has opened.

        All of it is held for as long as the store is: to let go sooner could give up the locks of other connections.
        """
        self._recent = record.info[_RECENT] = Recent.of(self.file)
        if self._recent is not None:
            self._watched.add(self._recent)

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
        with self._turn(), faults.named():
            try:
                with _pooled(self.engines.write) as pooled:
                    work = Work(self.engines.write, lambda: pooled, writing=True, doubtful=self._doubtful)
                    if self.dialect == "sqlite":
                        work.driver.execute(WRITING)
                    yield work
                    committing = True
                    work.driver.commit()
            except (DBAPIError, sqlite3.OperationalError, psycopg.OperationalError) as fault:
                cause = fault.orig if isinstance(fault, DBAPIError) else fault
                failed = self._doubt(cause)
                if committing and (failed or faults.was_cut(cause)):
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
        with faults.named(), self.engines.read.begin() as connection:
            yield Work(self.engines.read, lambda: connection.connection, connection)

    def live(self) -> AbstractContextManager[Work]:
        """Open a reader on which each statement sees the newest commit of any process.

        Raises:
            DatabaseDown: the database is away.
        """
        return _Live(self.engines.live, self._recent)

    def drop_journal(self) -> None:
        """Have SQLite let go of the pages as they were before the last transactions: what was deleted is on them.

        A write-ahead log is written back and emptied; a rollback journal that stays between transactions is removed.
        PostgreSQL has neither: there, old rows wait for VACUUM, and old segments for the archive's end.

        Raises:
            DatabaseDown: somebody kept it busy for too long; nothing is lost by trying again.
        """
        if self.dialect != "sqlite":
            return
        with self._turn(), faults.named():
            pooled = self.engines.write.raw_connection()
            try:
                driver: Any = pooled.driver_connection
                dropped = drop_journal(driver, self.file)
            finally:
                pooled.close()
        if not dropped:
            raise DatabaseDown("others kept its journal busy")

    def close(self) -> None:
        """Close all pooled connections; those that follow may find another file of the name."""
        self._recent = None
        for engine in self.engines:
            engine.dispose()


class _Live(AbstractContextManager[Work]):
    """A live reader, who borrows a connection when he first needs one: he may know already what he asks for."""

    __slots__ = ("_borrowed", "_engine", "_pooled", "_recent")

    def __init__(self, engine: sa.Engine, recent: Recent | None) -> None:
        self._engine, self._recent = engine, recent
        self._borrowed: AbstractContextManager[sa.PoolProxiedConnection] | None = None
        self._pooled: sa.PoolProxiedConnection | None = None

    @override
    def __enter__(self) -> Work:
        return Work(self._engine, self._lend, recent=self._recent)

    def _lend(self) -> sa.PoolProxiedConnection:
        if self._pooled is None:
            borrowed = _borrowed(self._engine)
            self._pooled = borrowed.__enter__()
            self._borrowed = borrowed
        return self._pooled

    @override
    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return self._borrowed.__exit__(kind, fault, trace) if self._borrowed else None


@contextmanager
def _borrowed(engine: sa.Engine) -> Iterator[sa.PoolProxiedConnection]:
    with faults.named(), _pooled(engine) as pooled:
        yield pooled


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
