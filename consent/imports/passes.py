"""What all imports share: a file is read whole before any of it is stored, and leaves an entry in the ledger.

The first pass checks every row and stores nothing; the second stores a chunk of rows a transaction. An import that
was killed between two chunks is run again: what it had stored is found there, and the rest is added.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Generic, Protocol, TypeVar

import numpy as np
import orjson
from numpy.typing import NDArray

from consent.base.canonical import b64u
from consent.base.clock import Clock
from consent.base.errors import ImportInvalid, Place
from consent.base.store import Store
from consent.imports.faults import Faults
from consent.imports.mapping import FileMapping, wrong_header
from consent.imports.rows import Chunk, Sheet
from consent.ledger import merkle
from consent.ledger.entry import Kind
from consent.ledger.merkle import Frontier
from consent.register import publishing
from consent.register.desk import Desk

Progress = Callable[[int, int], None]
"""Called with the rows done and the rows in all, first with none done."""

T = TypeVar("T")


class Deployed(Protocol):
    """What an import needs of a deployment."""

    @property
    def store(self) -> Store:
        """The database."""

    @property
    def desk(self) -> Desk:
        """Keys and catalogues."""

    @property
    def clock(self) -> Clock:
        """The time of each transaction."""


class Passes(Generic[T]):
    """The two passes over a sheet; `read` turns a chunk into values and notes every wrong cell."""

    def __init__(self, sheet: Sheet, mapping: FileMapping, read: Callable[[Chunk, Faults], T]) -> None:
        """Hold the header against the mapping.

        Raises:
            ImportInvalid: a column is missing, or neither mapped nor ignored.
        """
        places = wrong_header(mapping, sheet.header)
        if places:
            where = [Place(f"{sheet.word} 1, {place.where}", place.why) for place in places]
            raise ImportInvalid(f"{sheet.name} does not fit its mapping; nothing of it was brought in", places=where)
        self._sheet = sheet
        self._read = read
        self.rows = 0

    def check(self, look: Callable[[Chunk, T, Faults], None], last: Callable[[Faults], None]) -> None:
        """Read all rows, let `look` see each chunk and `last` the end, and store nothing.

        Raises:
            ImportInvalid: naming the first hundred wrong places.
        """
        faults = Faults(self._sheet.name, self._sheet.word)
        for chunk in self._sheet.chunks(faults):
            look(chunk, self._read(chunk, faults), faults)
            faults.settle()
            self.rows += len(chunk.rows)
        last(faults)
        faults.check()

    def again(self, progress: Progress | None) -> Iterator[tuple[Chunk, T]]:
        """Walk the checked chunks with their values; each counts as done when the next is asked for.

        Raises:
            ImportInvalid: the file is no longer the one that was checked.
        """
        report = progress or _silent
        faults = Faults(self._sheet.name, self._sheet.word)
        done = 0
        report(done, self.rows)
        for chunk in self._sheet.chunks(faults):
            values = self._read(chunk, faults)
            faults.check()
            yield chunk, values
            done += len(chunk.rows)
            report(done, self.rows)


def _silent(_done: int, _total: int) -> None:
    """Report to nobody."""


class Once:
    """Sees that nothing stands twice in a column. Keeps 16 bytes a row, not what stands there."""

    def __init__(self, column: str) -> None:
        """Begin with nothing seen."""
        self._column = column
        self._hashes: list[NDArray[np.int64]] = []
        self._lines: list[NDArray[np.int64]] = []

    def see(self, names: Sequence[str], lines: Sequence[int]) -> None:
        """Take the names on some lines; "" is no name."""
        there = np.fromiter(map(bool, names), dtype=np.bool_, count=len(names))
        # Python's hash of a text is keyed at random in each process: two names agree in one of 2^64 pairs.
        self._hashes.append(np.fromiter(map(hash, names), dtype=np.int64, count=len(names))[there])
        self._lines.append(np.asarray(lines, dtype=np.int64)[there])

    def distinct(self) -> int:
        """Return how many different names there were."""
        return len(np.unique(np.concatenate(self._hashes))) if self._hashes else 0

    def note(self, faults: Faults) -> None:
        """Note every name that stood on an earlier line."""
        if not self._hashes:
            return
        hashes, lines = np.concatenate(self._hashes), np.concatenate(self._lines)
        _, first, same = np.unique(hashes, return_index=True, return_inverse=True)
        for spot in np.flatnonzero(first[same] != np.arange(len(hashes))):
            earlier = lines[first[same[spot]]]
            faults.cell(int(lines[spot]), self._column, f"names the same customer as {faults.word} {earlier}")


class Trail:
    """The Merkle root over the rows that came in, and the entry that holds it.

    A row's leaf is the RFC 6962 leaf hash of its salt and the JSON list of its cells; its salt is the SHA-256 of the
    import's salt and the row's number, from 0, in eight bytes. The import's salt is kept sealed: nobody can try rows
    against the root, and that one row was in the file can be shown with the salt of that row alone.
    """

    def __init__(self) -> None:
        """Begin with no rows."""
        self._salt = os.urandom(32)
        self._frontier = Frontier()

    def add(self, chunk: Chunk) -> None:
        """Add the rows of a chunk, in order."""
        first, salt = self._frontier.size, self._salt
        leaves = [
            merkle.leaf_hash(sha256(salt + number.to_bytes(8)).digest() + orjson.dumps(row))
            for number, row in enumerate(chunk.rows, first)
        ]
        self._frontier, _ = merkle.append_all(self._frontier, leaves)

    def note(
        self, deployment: Deployed, what: str, counts: Mapping[str, int], *, mapping: FileMapping, actor: str
    ) -> int:
        """Append `import.made` and return its position: what came in, how much of it, and the root over its rows."""
        payload = {
            "actor": actor,
            "counts": dict(counts),
            "mapping": b64u(mapping.digest),
            "root": b64u(merkle.root_of(self._frontier)),
            "rows": self._frontier.size,
            "salt": b64u(self._salt),
            "what": what,
        }
        with deployment.store.write() as work:
            return publishing.note(deployment.desk, work, Kind.IMPORT_MADE, payload, at=deployment.clock()).seq
