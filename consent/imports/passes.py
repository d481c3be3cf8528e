"""What all imports share: a file is read whole before any of it is stored, and leaves an entry in the ledger.

The first pass checks every row and stores nothing; the second stores a chunk of rows a transaction. An import that
was killed between two chunks is run again: what it had stored is found there, and the rest is added.
"""

import gc
import os
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final, Generic, Protocol, TypeVar

import numpy as np
import orjson
from numpy.typing import NDArray

from consent.base.canonical import b64u
from consent.base.clock import Clock
from consent.base.errors import ImportInvalid, Place
from consent.base.store import Store, Work
from consent.imports import rows
from consent.imports.faults import Details, Faults
from consent.imports.json_records import JsonSheet
from consent.imports.mapping import FileMapping, wrong_header
from consent.imports.rows import Chunk, Sheet
from consent.ledger import merkle
from consent.ledger.entry import Kind
from consent.ledger.merkle import Frontier
from consent.register import customers, publishing
from consent.register.desk import Desk

_COLLECT_AFTER: Final = 200_000
"""Values made, less those let go of: a chunk makes about so many."""

_SETTLE_AFTER: Final = 20
"""Chunks whose names are put to the others at once."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a file is brought in.

    `partly` brings in the rows with nothing wrong and leaves the others out; else one wrong row refuses the file.
    `refused` is where the rows that were left out are written, to be corrected and brought in again. `details` is told
    of every wrong place, and in a dry run of every row and what it would change.
    """

    actor: str
    dry_run: bool = False
    partly: bool = False
    refused: Path | None = None
    details: Details | None = None
    progress: Progress | None = None


class Passes(Generic[T]):
    """The two passes over a sheet; `read` turns a chunk into values and notes every wrong cell."""

    def __init__(self, sheet: Sheet, mapping: FileMapping, read: Callable[[Chunk, Faults], T], how: Options) -> None:
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
        self._how = how
        self._wrong: frozenset[int] = frozenset()
        self.rows = 0
        """Rows that come in."""

    @property
    def details(self) -> Details | None:
        """Who is told of each row, by the word for its place: a line of CSV, a record of JSON, a row at hand."""
        told, word = self._how.details, self._sheet.word
        return told and (lambda row: told({word: row["line"], **{key: row[key] for key in row if key != "line"}}))

    @property
    def left_out(self) -> int:
        """Rows (in JSON: records) that are left out for something wrong with them."""
        return len(self._wrong)

    def counted(self) -> dict[str, int]:
        """Return what the ledger's entry says of rows left out: nothing, where none could be."""
        return {"left_out": self.left_out} if self._how.partly else {}

    def check(self, look: Callable[[Chunk, T, Faults], None], last: Callable[[Faults], None]) -> None:
        """Read all rows, let `look` see each chunk and `last` the end, and store nothing.

        Raises:
            ImportInvalid: naming the first hundred wrong places; or all rows are wrong.
        """
        faults = Faults(self._sheet.name, self._sheet.word, self.details)
        for chunk in self._sheet.chunks(faults):
            look(chunk, self._read(chunk, faults), faults)
            faults.settle()
            self.rows += len(chunk.rows)
        last(faults)
        faults.settle()
        if not self._how.partly:
            faults.check()
        self._wrong = frozenset(faults.lines)
        if self._wrong:
            self._leave_out(faults)

    def _leave_out(self, faults: Faults) -> None:
        """Count the rows that come in all the same, and write down those that don't."""
        self.rows = sum(len(chunk.rows) for chunk in self._good_chunks())
        if not self.rows:
            faults.check()  # nothing is left that could come in
        if self._how.refused:
            write_privately(self._how.refused, self._sheet.only(self._wrong))

    def _good_chunks(self) -> Iterator[Chunk]:
        """Walk the chunks of rows with nothing wrong."""
        for chunk in self._sheet.chunks(Faults(self._sheet.name, self._sheet.word)):
            good = [line not in self._wrong for line in chunk.lines] if self._wrong else ()
            left = chunk if all(good) else chunk.of(good)
            if left.rows:
                yield left

    def again(self) -> Iterator[tuple[Chunk, T]]:
        """Walk the checked chunks with their values; each counts as done when the next is asked for.

        Raises:
            ImportInvalid: the file is no longer the one that was checked.
        """
        report = self._how.progress or _silent
        faults = Faults(self._sheet.name, self._sheet.word)
        done = 0
        report(done, self.rows)
        with _few_collections():
            for chunk in self._good_chunks():
                values = self._read(chunk, faults)
                faults.check()
                yield chunk, values
                done += len(chunk.rows)
                report(done, self.rows)


@contextmanager
def _few_collections() -> Iterator[None]:
    """Look for cycles of values less often: an import makes millions of values and hardly a cycle among them."""
    usual = gc.get_threshold()
    gc.set_threshold(_COLLECT_AFTER, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)


def opened(source: Path | Iterable[Mapping[str, str]], mapping: FileMapping) -> Sheet:
    """Open a file of the mapping's format, or rows at hand.

    Raises:
        ImportInvalid: there is no file, or it has no header.
    """
    if isinstance(source, Path) and mapping.format.json:
        return JsonSheet(source, mapping.columns, records=mapping.records, each=mapping.each)
    return rows.opened(source)


def wrong_owners(
    desk: Desk,
    work: Work,
    mapping: FileMapping,
    identities: Sequence[Mapping[str, str]],
    *,
    chunk: Chunk,
    faults: Faults,
) -> None:
    """Note every row that an address would make somebody else's: two people's data would become one's."""
    first = next(iter(mapping.named))
    for line, kind in zip(chunk.lines, customers.strangers(desk, work, identities), strict=True):
        if kind:
            faults.cell(line, mapping.named[kind], f"belongs to another customer than the {first}")


def write_privately(path: Path, lines: Iterable[bytes]) -> None:
    """Write a new file that only its owner can read: it holds customers' data.

    Raises:
        ImportInvalid: there is such a file already, or it can't be written.
    """
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.writelines(lines)
    except OSError as refused:
        raise ImportInvalid(f"{path.name} can't be written: {refused.strerror}") from refused


def _silent(_done: int, _total: int) -> None:
    """Report to nobody."""


class Distinct:
    """Counts how many different names there are. Keeps 8 bytes of each, not the names."""

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self._hashes = np.empty(0, dtype=np.int64)
        self._fresh: list[NDArray[np.int64]] = []

    def see(self, names: Iterable[Hashable]) -> None:
        """Take names."""
        found = {hash(name) for name in names}
        self._fresh.append(np.fromiter(found, dtype=np.int64, count=len(found)))
        if len(self._fresh) == _SETTLE_AFTER:
            self.count()

    def count(self) -> int:
        """Return how many different names there were."""
        self._hashes = np.unique(np.concatenate([self._hashes, *self._fresh]))
        self._fresh.clear()
        return len(self._hashes)


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

    def note(self, faults: Faults) -> None:
        """Note every name that stood on an earlier line."""
        if not self._hashes:
            return
        hashes = np.concatenate(self._hashes)
        self._hashes = [hashes]
        ordered = np.sort(hashes)
        if not (ordered[1:] == ordered[:-1]).any():
            return  # what follows takes several times the memory
        lines = np.concatenate(self._lines)
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
            return publishing.note(deployment.desk, work, Kind.IMPORT_MADE, payload, at=deployment.clock()).position
