"""USE CASE: bring in outcomes: which treatment each customer received, and what he did then."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from consent import gate
from consent.base.errors import ImportInvalid
from consent.base.ids import CustomerId
from consent.base.store import Work
from consent.imports.facts import FactReader, Told, would_keep
from consent.imports.faults import Details
from consent.imports.mapping import FileMapping
from consent.imports.passes import Deployed, Options, Passes, Trail, opened
from consent.imports.rows import Chunk
from consent.register import customers
from consent.register.desk import Desk

Stored = Callable[[Work, Sequence[CustomerId], datetime], None]
"""Called in the transaction of each chunk with the customers of whom something was stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomesImported:
    """What came in. Facts are cells of the file; `refused` are those that their customer doesn't allow to remember."""

    rows: int
    unknown: int
    """Rows of somebody who isn't enrolled (any more): nothing of them was stored."""
    stored: int
    refused: int
    left_out: int
    """Rows that didn't come in, since something is wrong with them."""
    seconds: float
    dry_run: bool
    seq: int | None
    """The position of the ledger's entry; None after a dry run."""

    @property
    def customers(self) -> int:
        """How many customers of the file are enrolled: one a row."""
        return self.rows - self.unknown


def bring_in_outcomes(
    deployment: Deployed, path: Path, mapping: FileMapping, how: Options, *, stored: Stored | None = None
) -> OutcomesImported:
    """Remember what came of treatments, of the customers who are enrolled and allow it. Nobody is enrolled by this.

    Raises:
        ImportInvalid: with the first hundred wrong places; then nothing was stored.
    """
    if not mapping.outcomes:
        raise ImportInvalid("the mapping has no [outcomes]")
    began = deployment.clock()
    desk, store = deployment.desk, deployment.store
    first = dict([next(iter(mapping.named.items()))])
    reader = FactReader(mapping.outcomes, named=first)
    passes = Passes(opened(path, mapping), mapping, reader.read, how)
    passes.check(lambda chunk, told, _: reader.see(chunk, told), reader.note_twice)
    trail = Trail()
    counts = {"refused": 0, "stored": 0, "unknown": 0}
    for chunk, told in passes.again():
        at = deployment.clock()
        with store.read() if how.dry_run else store.write() as work:
            enrolled, kept = _kept(desk, work, told, at=at, chunk=chunk, details=passes.details)
            if stored and work.writing:
                stored(work, kept.customers, at)
        counts["unknown"] += len(chunk.rows) - enrolled
        counts["stored"] += kept.stored
        counts["refused"] += kept.refused
        trail.add(chunk)
    noted = {**counts, **passes.counted()}
    seq = None if how.dry_run else trail.note(deployment, "outcomes", noted, mapping=mapping, actor=how.actor)
    return OutcomesImported(
        rows=passes.rows,
        left_out=passes.left_out,
        seconds=(deployment.clock() - began).total_seconds(),
        dry_run=how.dry_run,
        seq=seq,
        **counts,
    )


def _kept(
    desk: Desk, work: Work, told: Told, *, at: datetime, chunk: Chunk, details: Details | None
) -> tuple[int, gate.Kept]:
    """Store a chunk, or in a transaction that can't write say what would be stored: customers, and facts."""
    found = customers.known(desk, work, told.identities)
    known = [customer is not None for customer in found]
    there = told.of(known)
    enrolled = [customer for customer in found if customer is not None]
    if not work.writing:
        weighed = would_keep(desk, work, there, enrolled, at=at)
        if details:
            weighed.tell(chunk.of(known), enrolled, details)
        return len(enrolled), weighed.counts
    return len(enrolled), gate.remember_columns(desk, work, enrolled, there.values, at=at)
