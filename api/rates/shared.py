"""Where all processes keep what was asked: a table of PostgreSQL, or a file of its own beside SQLite's.

None of it is durable, and none of it is data: a subject is a keyed hash, forgotten when its quota is whole again.
PostgreSQL's table is unlogged, so a commit of it waits for no disk. SQLite's would wait, and would keep the ledger's
writers waiting, so there it is another file, which waits for none; if it is lost or damaged, all quotas are whole.
"""

import logging
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Final, Protocol

import sqlalchemy as sa

from consent.base.errors import DatabaseDown
from consent.base.store import Store

SUFFIX: Final = "-rates"
"""What the name of the file ends in, behind the database's."""

_LOGGER: Final = logging.getLogger("byleave.rates")
_PATIENCE_S: Final = 2.0
_MAKE: Final = "CREATE TABLE IF NOT EXISTS rate (subject BLOB PRIMARY KEY, full_at INTEGER NOT NULL) WITHOUT ROWID"
_TAKE: Final = """
INSERT INTO rate (subject, full_at) VALUES (:subject, :now + :cost)
ON CONFLICT (subject) DO UPDATE SET full_at = :cost + CASE
    WHEN rate.full_at BETWEEN :now AND :now + :window THEN rate.full_at ELSE :now END
WHERE rate.full_at + :cost <= :now + :window OR rate.full_at > :now + :window
RETURNING full_at"""
"""What lies further ahead than it can was noted before the clock was set back."""

_LOOK: Final = "SELECT full_at FROM rate WHERE subject = :subject"
_FORGET: Final = "DELETE FROM rate WHERE full_at < :now"


class Shared(Protocol):
    """What is kept of subjects, for all processes."""

    def take(self, subject: bytes, *, cost: int, window: int, now: int) -> tuple[bool, int]:
        """Move on when a subject's quota is whole again, unless that gets further ahead than the window is long.

        Args:
            subject: 16 bytes.
            cost: by how much, in microseconds; at most `window`.
            window: in microseconds.
            now: microseconds since 1970.

        Returns:
            Whether it was moved; and when the quota is whole again.

        Raises:
            DatabaseDown: it can't be said.
        """

    def forget(self, *, now: int) -> None:
        """Forget everybody whose quota is whole again.

        Raises:
            DatabaseDown: it can't be done.
        """


class InTable:
    """In PostgreSQL."""

    def __init__(self, store: Store) -> None:
        """Keep it in the database of `store`."""
        self._store = store
        self._take, self._look, self._forget = (sa.text(each) for each in (_TAKE, _LOOK, _FORGET))

    def take(self, subject: bytes, *, cost: int, window: int, now: int) -> tuple[bool, int]:
        """Do as `Shared` says."""
        asked = {"subject": subject, "cost": cost, "window": window, "now": now}
        with self._store.write() as work:
            moved = work.connection.execute(self._take, asked).scalar()
            if moved is not None:
                return True, int(moved)
            return False, int(work.connection.execute(self._look, {"subject": subject}).scalar_one())

    def forget(self, *, now: int) -> None:
        """Do as `Shared` says."""
        with self._store.write() as work:
            work.connection.execute(self._forget, {"now": now})


class InFile:
    """In a SQLite file of its own."""

    def __init__(self, path: Path) -> None:
        """Keep it in `path`, which is made at the first use."""
        self._path = path
        self._lock = threading.Lock()
        self._opened: sqlite3.Connection | None = None

    def take(self, subject: bytes, *, cost: int, window: int, now: int) -> tuple[bool, int]:
        """Do as `Shared` says."""
        asked = {"subject": subject, "cost": cost, "window": window, "now": now}
        moved = self._run(_TAKE, asked)
        kept = moved or self._run(_LOOK, {"subject": subject})
        return bool(moved), kept[0] if kept else now

    def forget(self, *, now: int) -> None:
        """Do as `Shared` says."""
        self._run(_FORGET, {"now": now})

    def _run(self, query: str, asked: dict[str, object]) -> list[int]:
        with self._lock:
            try:
                return self._rows(query, asked)
            except sqlite3.OperationalError as down:
                self._close()
                raise DatabaseDown(f"{self._path.name} can't be written: {down.sqlite_errorname}") from down
            except sqlite3.DatabaseError as damaged:
                _LOGGER.warning("%s is damaged (%s): it is made anew", self._path, damaged.sqlite_errorname)
                self._close()
                for each in (self._path, self._path.with_name(self._path.name + "-journal")):
                    each.unlink(missing_ok=True)  # a journal would be played back into the new file
            try:
                return self._rows(query, asked)
            except sqlite3.Error as down:
                self._close()
                raise DatabaseDown(f"{self._path.name} can't be written: {down.sqlite_errorname}") from down

    def _rows(self, query: str, asked: dict[str, object]) -> list[int]:
        if self._opened is None:
            self._opened = _open(self._path)
        with closing(self._opened.execute(query, asked)) as found:
            return [row[0] for row in found.fetchall()]

    def _close(self) -> None:
        if self._opened is not None:
            self._opened.close()
            self._opened = None


def _open(path: Path) -> sqlite3.Connection:
    opened = sqlite3.connect(path, timeout=_PATIENCE_S, isolation_level=None, check_same_thread=False)
    try:
        opened.execute("PRAGMA synchronous = OFF")
        opened.execute("PRAGMA journal_mode = TRUNCATE")
        opened.execute(_MAKE)
    except sqlite3.Error:
        opened.close()
        raise
    return opened


def shared(store: Store) -> Shared:
    """Return where the processes that have this database keep what was asked."""
    if store.dialect == "sqlite":
        return InFile(store.file.with_name(store.file.name + SUFFIX))
    return InTable(store)
