"""USE CASE: bring in customers: who they are, and what is known of them."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from consent import gate
from consent.base.ids import CustomerId
from consent.base.store import Work
from consent.imports.facts import FactReader, Told, would_keep
from consent.imports.faults import Details, Faults
from consent.imports.households import HouseholdReader
from consent.imports.mapping import FileMapping
from consent.imports.passes import Deployed, Options, Passes, Trail, opened, wrong_owners
from consent.imports.rows import Chunk
from consent.register import customers, households
from consent.register.desk import Desk


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What came in. Facts are cells of the file; `refused` are those that their customer doesn't allow to remember."""

    rows: int
    new: int
    stored: int
    refused: int
    households: int
    """Customers who came into a household, or into another one."""
    left_out: int
    """Rows that didn't come in, since something is wrong with them."""
    seconds: float
    dry_run: bool
    seq: int | None
    """The position of the ledger's entry; None after a dry run."""

    @property
    def customers(self) -> int:
        """How many customers the file names: one a row."""
        return self.rows


def bring_in_customers(
    deployment: Deployed, source: Path | Iterable[Mapping[str, str]], mapping: FileMapping, how: Options
) -> Imported:
    """Enrol the customers of a file (or of rows at hand); remember of them what they allow to be remembered by now.

    Raises:
        ImportInvalid: with the first hundred wrong places; then nothing was stored.
    """
    began = deployment.clock()
    desk, store = deployment.desk, deployment.store
    reader = FactReader(mapping.attributes, named=mapping.named)
    homes = HouseholdReader(mapping.household)
    passes = Passes(opened(source, mapping), mapping, reader.read, how)

    def look(chunk: Chunk, told: Told, faults: Faults) -> None:
        reader.see(chunk, told)
        homes.see(chunk, faults)
        if len(mapping.named) > 1:
            with store.read() as work:
                wrong_owners(desk, work, mapping, told.identities, chunk=chunk, faults=faults)

    def last(faults: Faults) -> None:
        reader.note_twice(faults)
        homes.note_crowded(faults)

    passes.check(look, last)
    counts, trail = _stored(deployment, passes, homes, how)
    noted = {key: count for key, count in counts.items() if key != "households" or mapping.household}
    noted |= passes.counted()
    seq = None if how.dry_run else trail.note(deployment, "customers", noted, mapping=mapping, actor=how.actor)
    return Imported(
        rows=passes.rows,
        left_out=passes.left_out,
        seconds=(deployment.clock() - began).total_seconds(),
        dry_run=how.dry_run,
        seq=seq,
        **counts,
    )


def _stored(
    deployment: Deployed, passes: Passes[Told], homes: HouseholdReader, how: Options
) -> tuple[Counter[str], Trail]:
    """Go over the file the second time: store it, or in a dry run say what would be stored."""
    trail = Trail()
    counts: Counter[str] = Counter(new=0, refused=0, stored=0, households=0)
    desk, store = deployment.desk, deployment.store
    for chunk, told in passes.again():
        at = deployment.clock()
        with store.read() if how.dry_run else store.write() as work:
            counts.update(_kept(desk, work, told, homes.names(chunk), at=at, chunk=chunk, details=passes.details))
        trail.add(chunk)
    return counts, trail


def _kept(
    desk: Desk, work: Work, told: Told, named: Sequence[str], *, at: datetime, chunk: Chunk, details: Details | None
) -> Mapping[str, int]:
    """Store a chunk, or in a transaction that can't write say what would be stored; return how much of what."""
    if not work.writing:
        known = customers.known(desk, work, told.identities)
        weighed = would_keep(desk, work, told, known, at=at)
        if details:
            weighed.tell(chunk, known, details)
        pairs = list(zip(known, named, strict=True))
        moving = households.differing(desk, work, {one: name for one, name in pairs if one and name})
        coming = len(moving) + sum(bool(name) for one, name in pairs if one is None)
        return _counts(known.count(None), weighed.counts, coming)
    enrolled = customers.enrol_counted(desk, work, told.identities, at=at)
    homes = _homes(enrolled.customers, named)
    coming = households.assign(desk, work, homes, at=at) if homes else 0
    return _counts(enrolled.new, gate.remember_columns(desk, work, enrolled.customers, told.values, at=at), coming)


def _homes(whose: Sequence[CustomerId], named: Sequence[str]) -> dict[CustomerId, str]:
    """Return the households that are named; where nothing is said, whatever stands goes on."""
    return {customer: name for customer, name in zip(whose, named, strict=True) if name}


def _counts(new: int, kept: gate.Kept, coming: int) -> Mapping[str, int]:
    return {"new": new, "stored": kept.stored, "refused": kept.refused, "households": coming}
