"""Facts of customers on their way from a file into memory: what customers and outcomes have in common."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from consent import gate
from consent.base.ids import CustomerId
from consent.base.store import Work
from consent.catalogue.model import Catalogue
from consent.imports.cells import fact_reader, names
from consent.imports.columns import Value
from consent.imports.faults import Details, Faults
from consent.imports.mapping import Fact
from consent.imports.passes import Once
from consent.imports.rows import Chunk
from consent.permission.standing import EMPTY
from consent.permission.verdict import Reason, judged
from consent.register.desk import Desk


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One chunk, read: who (by kind of identity) and what (by attribute), each a column of `(n_rows,)`."""

    names: Mapping[str, Sequence[str]]
    values: Mapping[str, Sequence[Value | None]]

    @property
    def identities(self) -> list[dict[str, str]]:
        """Who, row by row; the reference comes first."""
        kinds = tuple(self.names)
        return [dict(zip(kinds, row, strict=True)) for row in zip(*self.names.values(), strict=True)]

    def of(self, chosen: Sequence[bool]) -> "Told":
        """Return the chosen rows alone."""
        return Told(
            names={kind: list(compress(found, chosen)) for kind, found in self.names.items()},
            values={name: list(compress(found, chosen)) for name, found in self.values.items()},
        )


class FactReader:
    """Reads the names and the facts of a chunk."""

    def __init__(self, facts: Sequence[Fact], *, named: Mapping[str, str]) -> None:
        """Take the facts to read, and what names the customer: kind of identity → column; the first is needed."""
        self._named = named
        self._facts = {fact.attribute.name: fact_reader(fact) for fact in facts}
        self._once = {kind: Once(column) for kind, column in self._named.items()}

    def read(self, chunk: Chunk, faults: Faults) -> Told:
        """Turn cells into values, noting those that are none."""
        return Told(
            names={
                kind: names(chunk, column, faults, kind=kind, required=not spot)
                for spot, (kind, column) in enumerate(self._named.items())
            },
            values={name: reader.values(chunk, faults) for name, reader in self._facts.items()},
        )

    def see(self, chunk: Chunk, told: Told) -> None:
        """Remember who was named, for `note_twice`."""
        for kind, found in told.names.items():
            self._once[kind].see([name.casefold() for name in found] if kind == "email" else found, chunk.lines)

    def note_twice(self, faults: Faults) -> None:
        """Note every row that names a customer whom an earlier one named."""
        for once in self._once.values():
            once.note(faults)


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """Which facts of a chunk would be kept, and which are known at all: by attribute, `(n_rows,)` each."""

    known: Mapping[str, NDArray[np.bool_]]
    kept: Mapping[str, NDArray[np.bool_]]

    @property
    def counts(self) -> gate.Kept:
        """How many."""
        stored = sum(int(each.sum()) for each in self.kept.values())
        known = sum(int(each.sum()) for each in self.known.values())
        return gate.Kept(stored=stored, refused=known - stored, customers=())

    def tell(self, chunk: Chunk, customers: Sequence[CustomerId | None], details: Details) -> None:
        """Tell what would become of each row."""
        for spot, (line, customer) in enumerate(zip(chunk.lines, customers, strict=True)):
            stored = [name for name, kept in self.kept.items() if kept[spot]]
            refused = [name for name, known in self.known.items() if known[spot] and not self.kept[name][spot]]
            details({"line": line, "customer": "known" if customer else "new", "stored": stored, "refused": refused})


def would_keep(desk: Desk, work: Work, told: Told, customers: Sequence[CustomerId | None], *, at: datetime) -> Weighed:
    """Return what `gate.remember` would keep and refuse once those who aren't enrolled (None) are. Stores nothing."""
    catalogue = desk.catalogues.current(work)
    allowed = gate.rememberable(desk, work, [customer or CustomerId("") for customer in customers], at=at)
    new = np.fromiter((customer is None for customer in customers), dtype=np.bool_, count=len(customers))
    for category in _unasked(catalogue, at):
        allowed[category] |= new
    known: dict[str, NDArray[np.bool_]] = {}
    kept: dict[str, NDArray[np.bool_]] = {}
    for name, values in told.values.items():
        there = np.fromiter((value is not None for value in values), dtype=np.bool_, count=len(values))
        attribute = catalogue.attributes.get(name)
        known[name], kept[name] = there, there & (allowed[attribute.category] if attribute else np.False_)
    return Weighed(known=known, kept=kept)


def _unasked(catalogue: Catalogue, at: datetime) -> set[str]:
    """Return the categories that may be remembered of a customer who has said nothing."""
    return {
        rule.target
        for rule in catalogue.scopes.values()
        if rule.operation == "use"
        and judged(EMPTY, rule, catalogue.scopes.get(f"remember:{rule.target}"), at)[0] is Reason.PERMIT
    }
