"""What a database's driver reports, in our own words: nobody above the store knows which driver it is."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psycopg
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from consent.base.errors import ByleaveError, DatabaseDown, Invalid, StateConflict

TAKEN: Final = psycopg.errors.UniqueViolation
"""Another transaction has written the same key."""
UNSTORABLE: Final = "a value that can't be stored: half of a surrogate pair, a NUL character, or a number too large"

_LOST: Final = (sqlite3.OperationalError, psycopg.OperationalError, psycopg.errors.UndefinedTable, sa.exc.TimeoutError)
_FAULTS: Final = (DBAPIError, sa.exc.TimeoutError, sqlite3.DatabaseError, psycopg.Error, UnicodeEncodeError)
_BARE: Final = "its tables are missing: `byleave db restore` brings back a backup, `byleave db upgrade` adds new ones"
_RACED: Final = "somebody else wrote the same at this moment: nothing was recorded, try again"


def was_cut(fault: BaseException | None) -> bool:
    """Say whether PostgreSQL's answer was lost, or it was told to stop: without one, a commit may have happened."""
    return isinstance(fault, psycopg.OperationalError) and (fault.sqlstate is None or fault.sqlstate[:2] == "57")


@contextmanager
def named() -> Iterator[None]:
    """Turn the drivers' operational errors and lost races into ours, without their text: it can hold values."""
    try:
        yield
    except _FAULTS as fault:
        ours = _ours(fault.orig if isinstance(fault, DBAPIError) else fault)
        if ours is None:
            raise
        raise ours from (None if isinstance(ours, Invalid) else fault)  # the cause would quote the value


def _ours(fault: BaseException | None) -> ByleaveError | None:
    # SQLite has no class of its own for a file that is damaged, or is no database.
    if isinstance(fault, _LOST) or type(fault) is sqlite3.DatabaseError:
        return DatabaseDown(_plain(fault))
    if isinstance(fault, TAKEN):
        return StateConflict(_RACED)
    return Invalid(UNSTORABLE) if isinstance(fault, (UnicodeEncodeError, psycopg.DataError)) else None


def _plain(lost: BaseException) -> str:
    text = str(lost).lower()
    for sign, said in (
        ("locked", "it stayed locked by another writer"),
        ("lock timeout", "it stayed locked by another writer"),
        ("no such table", _BARE),
        ("relation", _BARE),
        ("not a database", "its file is damaged, or is no database"),
        ("malformed", "its file is damaged"),
        ("full", "its disk is full"),
        ("unable to open", "its file can't be opened"),
        ("disk i/o", "its disk reports an error"),
    ):
        if sign in text:
            return said
    return "the connection failed"
