"""The witness's book: one SQLite file of its own, with what it cosigned last of each log, and whom it believes.

It is the only memory of the ledger that nobody can set back with the ledger. So it is made once, by `byleave witness
init`, and never by itself: a witness that found no book would begin to cosign from nothing, as if it had never seen the
log. For the same reason it lies in a folder of its own, and stays out of the ledger's backups.
"""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from consent.base.errors import SettingsInvalid, StateConflict
from consent.base.store import Store, Work
from consent.ledger import period
from consent.ledger.checkpoint import Checkpoint
from consent.ledger.note import Verifier

FILE: Final = "witness.db"
MOST_KEPT: Final = 1_000
"""Requests of one log that are kept as evidence: whoever has its key can make more, and they prove no more."""

_metadata: Final = sa.MetaData()
_seen: Final = sa.Table(
    "seen", _metadata,
    sa.Column("origin", sa.Text, primary_key=True), sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("root", sa.LargeBinary, nullable=False), sa.Column("note", sa.Text, nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False),
    comment="the newest checkpoint that was cosigned of each log", sqlite_with_rowid=False,
)  # fmt: skip
_trusted: Final = sa.Table(
    "trusted", _metadata,
    sa.Column("name", sa.Text, primary_key=True), sa.Column("public_key", sa.LargeBinary, primary_key=True),
    sa.Column("at", sa.BigInteger, nullable=False),
    comment="the keys of logs, by the name that a deployment's logs share", sqlite_with_rowid=False,
)  # fmt: skip
_evidence: Final = sa.Table(
    "evidence", _metadata,
    sa.Column("id", sa.Integer, primary_key=True), sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("origin", sa.Text, nullable=False, index=True), sa.Column("old", sa.BigInteger, nullable=False),
    sa.Column("why", sa.Text, nullable=False), sa.Column("mine", sa.Text, nullable=False),
    sa.Column("theirs", sa.Text, nullable=False),
    comment="signed checkpoints that contradict what was cosigned, both notes of each",
)  # fmt: skip


class Seen(NamedTuple):
    """A log, as the witness knows it: the newest checkpoint that it cosigned, with both signatures."""

    origin: str
    size: int
    root: bytes
    note: str
    at: int


class Contradiction(NamedTuple):
    """A signed checkpoint that does not go on from what was cosigned; both notes."""

    at: int
    origin: str
    old: int
    why: str
    mine: str
    theirs: str


def create(folder: Path) -> "Book":
    """Make an empty book.

    Raises:
        StateConflict: there is one already.
        SettingsInvalid: the folder can't be made.
    """
    path = folder / FILE
    if path.exists():
        msg = f"{folder} has a witness already"
        raise StateConflict(msg)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as refused:
        msg = f"the folder {folder} can't be made: {refused.strerror}"
        raise SettingsInvalid(msg) from refused
    book = Book(path)
    with book.writing() as work:
        _metadata.create_all(work.connection)
    path.chmod(0o600)
    return book


def open_book(folder: Path) -> "Book":
    """Open the book of a witness.

    Raises:
        SettingsInvalid: there is none.
    """
    path = folder / FILE
    if not path.exists():
        msg = f"there is no witness at {folder}: run `byleave witness init`; one whose book was lost is made anew"
        raise SettingsInvalid(msg)
    return Book(path)


class Book:
    """The file. Each request is one transaction: what is looked up in it can't change before it is written."""

    def __init__(self, path: Path) -> None:
        """Open the file."""
        self.path = path
        self._store = Store(f"sqlite:///{path}")

    def writing(self) -> AbstractContextManager[Work]:
        """Open a transaction that nobody else writes beside."""
        return self._store.write()

    def reading(self) -> AbstractContextManager[Work]:
        """Open a transaction to read in."""
        return self._store.read()

    def close(self) -> None:
        """Close the file."""
        self._store.close()


def family(origin: str) -> str:
    """Return the name that a deployment's logs share; of a log that isn't called by a period, its own.

    >>> family("shop.example/consent/2026h2"), family("example.com/log42")
    ('shop.example/consent', 'example.com/log42')
    """
    known = period.read(origin)
    return f"{known[0]}/consent" if known else origin


def trust(work: Work, key: Verifier, *, at: int) -> bool:
    """Believe a key of a log, and of the logs that follow it; say whether that is new.

    Args:
        work: a transaction that writes.
        key: named after the log.
        at: now, in seconds.
    """
    row = {"name": family(key.name), "public_key": key.public_key, "at": at}
    there = sa.select(_trusted).where(_trusted.c.name == row["name"], _trusted.c.public_key == key.public_key)
    if work.connection.execute(there).first() is not None:
        return False
    work.connection.execute(sa.insert(_trusted).values(**row))
    return True


def keys_of(work: Work, origin: str) -> list[Verifier]:
    """Return the keys that may sign a log; none, where it isn't known."""
    query = sa.select(_trusted.c.public_key).where(_trusted.c.name == family(origin)).order_by(_trusted.c.at)
    return [Verifier(name=origin, public_key=bytes(key)) for key in work.connection.execute(query).scalars()]


def families(work: Work) -> list[tuple[str, bytes]]:
    """Return whom the witness believes: the name that a deployment's logs share, and a public key."""
    query = sa.select(_trusted.c.name, _trusted.c.public_key).order_by(_trusted.c.name, _trusted.c.at)
    return [(name, bytes(key)) for name, key in work.connection.execute(query)]


def last(work: Work, origin: str) -> Seen | None:
    """Return what was cosigned last of a log; None, where nothing was."""
    row: Any = work.connection.execute(sa.select(_seen).where(_seen.c.origin == origin)).first()
    return Seen(row.origin, row.size, bytes(row.root), row.note, row.at) if row else None


def all_seen(work: Work) -> list[Seen]:
    """Return what was cosigned last of each log."""
    rows: Any = work.connection.execute(sa.select(_seen).order_by(_seen.c.origin))
    return [Seen(row.origin, row.size, bytes(row.root), row.note, row.at) for row in rows]


def keep(work: Work, state: Checkpoint, *, note: str, at: int) -> None:
    """Keep a checkpoint as the newest one of its log."""
    row = {"size": state.size, "root": state.root, "note": note, "at": at}
    changed = sa.update(_seen).where(_seen.c.origin == state.origin).values(**row)
    if work.connection.execute(changed).rowcount == 0:
        work.connection.execute(sa.insert(_seen).values(origin=state.origin, **row))


def contradict(work: Work, known: Seen, *, old: int, why: str, theirs: str, at: int) -> None:
    """Keep both notes of a log that contradicts itself."""
    count = sa.select(sa.func.count()).select_from(_evidence).where(_evidence.c.origin == known.origin)
    there = sa.select(_evidence.c.id).where(_evidence.c.origin == known.origin, _evidence.c.theirs == theirs)
    if work.connection.execute(there).first() or work.connection.execute(count).scalar_one() >= MOST_KEPT:
        return
    row = {"at": at, "origin": known.origin, "old": old, "why": why, "mine": known.note, "theirs": theirs}
    work.connection.execute(sa.insert(_evidence).values(**row))


def contradictions(work: Work) -> list[Contradiction]:
    """Return the contradictions that were kept, the oldest first."""
    columns = [_evidence.c[name] for name in Contradiction._fields]
    return [Contradiction(*row) for row in work.connection.execute(sa.select(*columns).order_by(_evidence.c.id))]
