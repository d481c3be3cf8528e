"""Rows that were read a moment ago, and still are what the database holds: for a SQLite file, known without a lock.

Every commit changes the file's change counter, and it is by that counter (the sixteen bytes at offset 24, of which it
is the first) that SQLite itself knows whether the pages it has cached are still good. Reading it costs a twentieth of a
`SELECT`, most of which is locks. A row is kept with the counter that was read while SQLite's lock was held for the row,
and given again only while the counter is the same: a commit in any process, of anything, ends all of them at once.

Source:
    SQLite's "Database File Format", section 1.3.7 (file change counter) and 1.3.3 (file format version numbers).
"""

import os
import sqlite3
import stat
import threading
import weakref
from collections.abc import Hashable, Iterable
from pathlib import Path
from typing import Any, ClassVar, Final

MOST: Final = 16_384
"""Rows kept at most, all of them dropped when there would be more."""

_FORMAT: Final = 18
_ROLLBACK: Final = b"\x01\x01"
"""The file format of a database with a rollback journal: with a write-ahead log the counter needn't move."""
_STAMP_BYTES: Final = 22
"""Both format numbers, four bytes that never change, and SQLite's own sixteen."""


class Recent:
    """What was read of one database file, by the statement and the value that it was asked with.

    To close any descriptor of a file gives up the locks that the process holds on it, SQLite's too (POSIX): so there is
    one a file and process, closed when the last who holds on to this is gone, and all his connections with him.
    """

    _known: ClassVar[weakref.WeakValueDictionary[tuple[int, int], "Recent"]] = weakref.WeakValueDictionary()
    _guard: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, descriptor: int) -> None:
        """Start with nothing. Callers use `of`."""
        self._descriptor: Final = descriptor
        self._kept: tuple[bytes, dict[Hashable, tuple[Any, ...]]] = (b"", {})
        weakref.finalize(self, os.close, descriptor)

    @classmethod
    def of(cls, file: Path) -> "Recent | None":
        """Return what is known of the file that has this name now; None where it is no file, or not to be read."""
        with cls._guard:
            try:
                at = file.stat()
                known = cls._known.get((at.st_dev, at.st_ino))
                if known is None and stat.S_ISREG(at.st_mode):
                    known = cls._known[at.st_dev, at.st_ino] = cls(os.open(file, os.O_RDONLY | os.O_CLOEXEC))
            except OSError:
                return None
        return known

    def known(self, key: Hashable) -> tuple[Any, ...] | None:
        """Return what was kept of this name, if nothing was committed since."""
        stamp, rows = self._kept
        row = rows.get(key)
        return row if row is not None and stamp == self._stamp() else None

    def known_each(self, keys: Iterable[Hashable]) -> list[tuple[Any, ...]] | None:
        """Return what was kept of these names, if it was of all of them, and nothing was committed since."""
        stamp, rows = self._kept
        try:
            found = [rows[key] for key in keys]
        except KeyError:
            return None
        return found if stamp == self._stamp() else None

    def keep(self, key: Hashable, cursor: sqlite3.Cursor) -> tuple[Any, ...] | None:
        """Fetch the first row of a statement that was run outside of any transaction, and keep it under a name.

        Until the row is fetched the statement holds SQLite's lock, under which nobody can write: the counter that is
        read first is the row's.
        """
        now = self._stamp()
        row: tuple[Any, ...] | None = cursor.fetchone()
        if row is not None:
            self._keep(now, {key: row})
        return row

    def keep_each(self, name: Hashable, cursor: sqlite3.Cursor) -> list[tuple[Any, ...]]:
        """Fetch all rows of a statement, as `keep` does, and keep each under a name with the first of its values."""
        now = self._stamp()
        found: list[tuple[Any, ...]] = cursor.fetchall()
        if found:  # without a row the statement held no lock any more
            self._keep(now, {(name, row[0]): row for row in found})
        return found

    def _keep(self, now: bytes, more: dict[Hashable, tuple[Any, ...]]) -> None:
        if now.startswith(_ROLLBACK):
            stamp, rows = self._kept
            if now != stamp or len(rows) + len(more) > MOST:
                rows = {}
                self._kept = (now, rows)
            rows.update(more)

    def _stamp(self) -> bytes:
        return os.pread(self._descriptor, _STAMP_BYTES, _FORMAT)
