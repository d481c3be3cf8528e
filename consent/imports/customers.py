"""USE CASE: bring in customers: who they are, and what is known of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from consent import gate
from consent.base.store import Work
from consent.imports import rows
from consent.imports.facts import FactReader, Told, would_keep
from consent.imports.faults import Faults
from consent.imports.mapping import REFERENCE, FileMapping
from consent.imports.passes import Deployed, Passes, Progress, Trail
from consent.imports.rows import Chunk
from consent.register import customers
from consent.register.desk import Desk


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What came in. Facts are cells of the file; `refused` are those that their customer doesn't allow to remember."""

    rows: int
    new: int
    stored: int
    refused: int
    seconds: float
    dry_run: bool
    seq: int | None
    """The position of the ledger's entry; None after a dry run."""

    @property
    def customers(self) -> int:
        """How many customers the file names: one a row."""
        return self.rows


def bring_in_customers(
    deployment: Deployed,
    path: Path,
    mapping: FileMapping,
    *,
    actor: str,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> Imported:
    """Enrol the customers of a file, and remember of them what they allow to be remembered at this time.

    Raises:
        ImportInvalid: with the first hundred wrong places; then nothing was stored.
    """
    began = deployment.clock()
    desk, store = deployment.desk, deployment.store
    reader = FactReader(mapping, mapping.attributes, named=mapping.identities)
    passes = Passes(rows.opened(path), mapping, reader.read)

    def look(chunk: Chunk, told: Told, faults: Faults) -> None:
        reader.see(chunk, told)
        if mapping.identities:
            with store.read() as work:
                _note_strangers(desk, work, mapping.identities, chunk=chunk, told=told, faults=faults)

    passes.check(look, reader.note_twice)
    trail = Trail()
    new = stored = refused = 0
    for chunk, told in passes.again(progress):
        at = deployment.clock()
        with store.read() if dry_run else store.write() as work:
            found, kept = _kept(desk, work, told, at=at)
        new, stored, refused = new + found, stored + kept.stored, refused + kept.refused
        trail.add(chunk)
    counts = {"new": new, "refused": refused, "stored": stored}
    seq = None if dry_run else trail.note(deployment, "customers", counts, mapping=mapping, actor=actor)
    seconds = (deployment.clock() - began).total_seconds()
    return Imported(rows=passes.rows, seconds=seconds, dry_run=dry_run, seq=seq, **counts)


def _kept(desk: Desk, work: Work, told: Told, *, at: datetime) -> tuple[int, gate.Kept]:
    """Store a chunk, or in a transaction that can't write say what would be stored: new customers, and facts."""
    if not work.writing:
        known = customers.known(desk, work, told.identities)
        return known.count(None), would_keep(desk, work, told, known, at=at)
    enrolled = customers.enrol_counted(desk, work, told.identities, at=at)
    return enrolled.new, gate.remember_columns(desk, work, enrolled.customers, told.values, at=at)


def _note_strangers(
    desk: Desk, work: Work, named: Mapping[str, str], *, chunk: Chunk, told: Told, faults: Faults
) -> None:
    """Note every row that an address would make somebody else's: two people's data would become one's."""
    taken: Sequence[str] = customers.strangers(desk, work, told.identities)
    for line, kind in zip(chunk.lines, taken, strict=True):
        if kind:
            faults.cell(line, named[kind], f"belongs to another customer than the {REFERENCE}")
