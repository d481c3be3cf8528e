"""Backups of the database: taken while it is in use, checked before they are trusted, put in place as a whole.

A SQLite database is copied page by page within one read transaction. PostgreSQL's own `pg_dump` and `pg_restore` do it
there, called with the password in their environment and not on their command line, which everybody can read.

A backup holds what the database held: sealed data, and the wrapped keys to them. How long it is kept is what the shred
horizon counts.
"""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from consent.base import turns
from consent.base.errors import DatabaseDown, Invalid, StateConflict
from consent.base.store import Store

_SUFFIXES: Final = ("-journal", "-wal", "-shm")
_PROCESSES: Final = Path("/proc")


def back_up(store: Store, target: Path) -> int:
    """Write a backup into a new file that only its owner can read; return its size in bytes.

    The backup is whole, or there is none.

    Raises:
        StateConflict: the file is there already.
        DatabaseDown: the database can't be read, or the file not be written.
    """
    draft = target.with_name(target.name + ".part")
    try:
        if target.exists():
            msg = f"{target} is there already: a backup is never written over another"
            raise StateConflict(msg)
        draft.unlink(missing_ok=True)  # of a process that was killed
        os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        if store.dialect == "sqlite":
            _copied(store.file, draft)
        else:
            _run("pg_dump", ["--format=custom", "--no-owner", "--no-privileges", "--file", str(draft)], store)
        _synced(draft)
        draft.rename(target)
        _synced(target.parent)
        return target.stat().st_size
    except OSError as refused:
        msg = f"the backup {target} can't be written: {refused.strerror or refused}"
        raise DatabaseDown(msg) from refused
    finally:
        draft.unlink(missing_ok=True)


def unpack(backup: Path, store: Store) -> None:
    """Fill a database that has no tables yet from a backup.

    Raises:
        StateConflict: it has tables.
        Invalid: the file is no backup of such a database, or is damaged.
        DatabaseDown: the database can't be written.
    """
    if not backup.is_file():
        msg = f"there is no backup at {backup}"
        raise Invalid(msg)
    if store.dialect == "sqlite":
        _check_sqlite(backup)
        if store.file.exists():
            msg = f"{store.file} is there already"
            raise StateConflict(msg)
        os.close(os.open(store.file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        _copied(backup, store.file)
        return
    with store.read() as work:
        tables = sa.inspect(work.connection).get_table_names()
    if tables:
        msg = "the database has tables: make an empty one, and name it in BYLEAVE_DATABASE_URL"
        raise StateConflict(msg)
    _run("pg_restore", ["--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction", str(backup)], store)


def put_in_place(restored: Path, target: Path, aside: Path) -> bool:
    """Move a restored SQLite database to its place; what stood there goes aside, with its journal.

    Returns:
        Whether something stood there.

    Raises:
        DatabaseDown: a file can't be moved.
    """
    try:
        there = target.exists()
        if there:
            for suffix in ("", *_SUFFIXES):  # a journal belongs to its database: left behind it would undo the new one
                part = target.with_name(target.name + suffix)
                if part.exists():
                    part.rename(aside.with_name(aside.name + suffix))
        restored.rename(target)
        _synced(target.parent)
    except OSError as refused:
        msg = f"{target} can't be replaced: {refused.strerror}"
        raise DatabaseDown(msg) from refused
    return there


def drop(file: Path) -> None:
    """Delete a SQLite database that isn't needed, with its journals and the queue of its writers."""
    for suffix in ("", *_SUFFIXES, *turns.SUFFIXES):
        file.with_name(file.name + suffix).unlink(missing_ok=True)


def opened_by(file: Path) -> list[int]:
    """Return which other processes have a file open, as far as the system lets us see; none where it doesn't tell."""
    try:
        sought = file.stat()
    except OSError:
        return []
    found = []
    for process in _PROCESSES.glob("[0-9]*"):
        if int(process.name) == os.getpid():
            continue
        try:
            handles = [handle.stat() for handle in (process / "fd").iterdir()]
        except OSError:
            continue  # it is somebody else's, or has ended meanwhile
        if any((one.st_dev, one.st_ino) == (sought.st_dev, sought.st_ino) for one in handles):
            found.append(int(process.name))
    return sorted(found)


def faults(store: Store, *, most: int = 20) -> list[str]:
    """Return what SQLite finds wrong with its file; PostgreSQL checks its pages as it reads them (data checksums)."""
    if store.dialect != "sqlite":
        return []
    with store.read() as work:
        rows = work.connection.execute(sa.text(f"PRAGMA integrity_check({most})")).scalars().all()
        broken = work.connection.execute(sa.text("PRAGMA foreign_key_check")).all()
    found = [] if rows == ["ok"] else [str(row) for row in rows]
    return found + sorted({f"a row of {row[0]} points to no row of {row[2]}" for row in broken})


def _check_sqlite(file: Path) -> None:
    """Refuse what is no database of ours, or a damaged one.

    Raises:
        Invalid: with why.
    """
    try:
        with closing(sqlite3.connect(f"file:{file}?mode=ro&immutable=1", uri=True)) as connection:
            found = connection.execute("PRAGMA integrity_check(1)").fetchall()
            [[ours]] = connection.execute(
                "SELECT COUNT(*) FROM sqlite_master WHERE name IN ('ledger_head', 'alembic_version')"
            ).fetchall()
    except sqlite3.DatabaseError as damaged:
        msg = f"{file} is no SQLite database, or is damaged"
        raise Invalid(msg) from damaged
    if found != [("ok",)]:
        msg = f"{file} is damaged: {found[0][0]}"
        raise Invalid(msg)
    if ours != 2:  # noqa: PLR2004 -- both of the tables
        msg = f"{file} is a database, but none of Byleave's"
        raise Invalid(msg)


def _copied(source: Path, target: Path) -> None:
    try:
        with closing(sqlite3.connect(source)) as reader, closing(sqlite3.connect(target)) as writer:
            reader.execute("PRAGMA busy_timeout=10000")
            reader.backup(writer)
    except sqlite3.Error as refused:
        msg = "it can't be copied: it is locked, damaged, or the disk is full"
        raise DatabaseDown(msg) from refused


def _run(program: str, options: Sequence[str], store: Store) -> None:
    """Run one of PostgreSQL's own programs on a store's database.

    Raises:
        DatabaseDown: it isn't installed, or failed; what it said is shown, for it names no row.
    """
    path = shutil.which(program)
    if path is None:
        msg = f"{program} is not installed here: install PostgreSQL's client programs, of the server's version or newer"
        raise DatabaseDown(msg)
    address = sa.make_url(store.url)
    password = address.password
    where = address.set(drivername="postgresql", password=None).render_as_string(hide_password=False)
    environment: Mapping[str, str] = {**os.environ, **({"PGPASSWORD": str(password)} if password else {})}  # noqa: TID251 -- handed on as it is, for the programs' own settings
    done = subprocess.run(  # noqa: S603 -- our own options, and a path that was looked up
        [path, "--dbname", where, "--no-password", *options],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = done.stderr.strip().splitlines()
        msg = f"{program} failed: {said[0] if said else f'exit code {done.returncode}'}"
        raise DatabaseDown(msg)


def _synced(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
