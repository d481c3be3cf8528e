"""USE CASE: bring in outcomes: which treatment each customer received, and what he did then, and when."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import cast

from consent import gate
from consent.base.clock import to_ms
from consent.base.errors import ImportInvalid
from consent.base.ids import CustomerId
from consent.base.store import Work
from consent.imports.cells import ColumnReader, instant, milliseconds
from consent.imports.facts import FactReader, Told, would_keep
from consent.imports.faults import Details, Faults
from consent.imports.mapping import FileMapping
from consent.imports.passes import Deployed, Options, Passes, Trail, opened
from consent.imports.rows import Chunk
from consent.register import customers
from consent.register.desk import Desk


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """What a chunk brought: each fact that was stored (whose, which attribute, whether it was another before)."""

    at: datetime
    times: Mapping[CustomerId, int | None]
    """When each customer's outcome happened (ms); None where the file doesn't say."""
    facts: list[tuple[CustomerId, str, bool]] = field(default_factory=list)


Stored = Callable[[Work, Brought], None]
"""Called in the transaction of each chunk, with its customers locked."""


class _Reader(FactReader):
    """Reads the times of outcomes beside what they were."""

    def __init__(self, mapping: FileMapping, *, now: datetime) -> None:
        super().__init__(mapping.outcomes, named=dict([next(iter(mapping.named.items()))]))
        came_at = mapping.came_at
        self._times = ColumnReader(came_at, milliseconds(instant(came_at))) if came_at else None
        self._now = to_ms(now)

    def read_timed(self, chunk: Chunk, faults: Faults) -> tuple[Told, list[int | None]]:
        """Turn cells into values and times, noting those that are none, and times to come."""
        told = self.read(chunk, faults)
        if self._times is None:
            return told, [None] * len(chunk.rows)
        found = cast("list[int | None]", self._times.values(chunk, faults))
        for ms, line in zip(found, chunk.lines, strict=True):
            if ms is not None and ms > self._now:
                faults.cell(line, self._times.name, "is a time to come")
        return told, found


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
    reader = _Reader(mapping, now=began)
    passes = Passes(opened(path, mapping), mapping, reader.read_timed, how)
    passes.check(lambda chunk, read, _: reader.see(chunk, read[0]), reader.note_twice)
    trail = Trail()
    counts = {"refused": 0, "stored": 0, "unknown": 0}
    for chunk, read in passes.again():
        at = deployment.clock()
        with store.read() if how.dry_run else store.write() as work:
            enrolled, kept = _kept(desk, work, read, at=at, chunk=chunk, details=passes.details, stored=stored)
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
    desk: Desk, work: Work, read: tuple[Told, Sequence[int | None]],
    *, at: datetime, chunk: Chunk, details: Details | None, stored: Stored | None,
) -> tuple[int, gate.Kept]:  # fmt: skip
    """Store a chunk, or in a transaction that can't write say what would be stored: customers, and facts."""
    told, times = read
    found = customers.known(desk, work, told.identities)
    known = [customer is not None for customer in found]
    there = told.of(known)
    enrolled = [customer for customer in found if customer is not None]
    if not work.writing:
        weighed = would_keep(desk, work, there, enrolled, at=at)
        if details:
            weighed.tell(chunk.of(known), enrolled, details)
        return len(enrolled), weighed.counts
    customers.lock(work, enrolled)  # what was remembered is read, and then written over
    brought = Brought(at=at, times={who: when for who, when in zip(found, times, strict=True) if who is not None})

    def note(customer: CustomerId, attribute: str, changed: bool) -> None:  # noqa: FBT001 -- as the gate calls it
        brought.facts.append((customer, attribute, changed))

    kept = gate.remember_columns(desk, work, enrolled, there.values, at=at, noting=note if stored else None)
    if stored:
        stored(work, brought)
    return len(enrolled), kept
