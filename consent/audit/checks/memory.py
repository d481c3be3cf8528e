"""The check `kept_without_use`: nothing is remembered against a customer's word, or for nothing."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from consent.audit.findings import Evidence, Finding, Gap, Judged, Reader, Severity, Yielded
from consent.audit.pages import Customer
from consent.base.clock import to_ms
from consent.base.counting import counted
from consent.catalogue.model import Catalogue
from consent.permission import many
from consent.permission.standing import StoredStanding
from consent.permission.verdict import Reason

KEY: Final = "kept_without_use"
_MOST_NAMED: Final = 20
NO_USE: Final = "no use of it is permitted"
_TOGETHER: Final = 1_000
"""Customers judged in one go."""

_Kept = tuple[str, Sequence[str], StoredStanding]
"""A customer, the categories in which something is kept of him, and what stands."""


class _Spot(NamedTuple):
    """A category, and what is wrong with keeping it."""

    category: str
    why: str
    severity: Severity


@dataclass(slots=True)
class _Named:
    """Of how many customers, and the first of them."""

    count: int = 0
    first: list[str] = field(default_factory=list)

    def add(self, customers: Sequence[str]) -> None:
        self.count += len(customers)
        self.first += customers[: _MOST_NAMED - len(self.first)]

    def join(self, other: "_Named") -> None:
        self.count += other.count
        self.first += other.first[: _MOST_NAMED - len(self.first)]


class Kept(Reader):
    """Look at each category that something is kept in: does the customer permit keeping it, and any use of it?

    What stands is folded from what he said, not read from his standing row. Pauses and restrictions are left out of
    account: they end, and data under restriction must be kept.
    """

    def __init__(self, evidence: Evidence) -> None:
        """Take the catalogue in force, and the time to judge at."""
        with evidence.store.read() as work:
            self._catalogue = evidence.desk.catalogues.current(work)
        self._at = to_ms(evidence.at)
        self._found: dict[_Spot, _Named] = {}
        self._unread = 0
        self._waiting: list[_Kept] = []

    @override
    def customer(self, one: Customer) -> Iterable[Yielded]:
        if not one.memory:
            return ()
        if one.standing is None:
            self._unread += 1
        else:
            self._waiting.append((one.id, one.memory, one.standing))
            if len(self._waiting) == _TOGETHER:
                self._judge()
        return (Judged(len(one.memory)),)

    def _judge(self) -> None:
        """Judge those who wait: verdicts are given in columns."""
        for spot, customers in _judged(self._waiting, self._catalogue, self._at):
            self._found.setdefault(spot, _Named()).add(customers)
        self._waiting = []

    @override
    def kept(self) -> tuple[int, dict[_Spot, _Named]]:
        self._judge()
        return self._unread, self._found

    @override
    def join(self, kept: tuple[int, dict[_Spot, _Named]]) -> None:
        unread, found = kept
        self._unread += unread
        for spot, named in found.items():
            self._found.setdefault(spot, _Named()).join(named)

    @override
    def end(self) -> Iterator[Yielded]:
        self._judge()
        for spot, named in sorted(self._found.items()):
            more = f" and {named.count - len(named.first)} more" if named.count > len(named.first) else ""
            why = f"kept of {counted(named.count, 'customer')}, though {spot.why}: {', '.join(named.first)}{more}"
            yield Finding(check=KEY, severity=spot.severity, subject=spot.category, why=why)
        if self._unread:
            why = f"of {counted(self._unread, 'customer')} of whom something is kept, what they said can't be read"
            yield Gap(check=KEY, why=why)


def _judged(waiting: Sequence[_Kept], catalogue: Catalogue, at_ms: int) -> Iterator[tuple[_Spot, list[str]]]:
    """Yield what is wrong, with the customers of whom it is so."""
    by_category: dict[str, list[tuple[str, StoredStanding]]] = {}
    for customer, memory, standing in waiting:
        for category in memory:
            by_category.setdefault(category, []).append((customer, standing))
    for category, told in by_category.items():
        customers = [customer for customer, _ in told]
        remember, use = _reasons([standing for _, standing in told], category, catalogue, at_ms)
        for number in np.unique(remember[remember != Reason.PERMIT]):
            why = f"remembering it is not permitted ({Reason(number).name})"
            yield _Spot(category, why, Severity.HIGH), _chosen(customers, remember == number)
        idle = (remember == Reason.PERMIT) & ~use
        if idle.any():
            yield _Spot(category, NO_USE, Severity.MEDIUM), _chosen(customers, idle)


def _reasons(
    rows: Sequence[StoredStanding], category: str, catalogue: Catalogue, at_ms: int
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Return, for each customer, the verdict on remembering a category, and whether any use of it is permitted."""
    uses = [rule for rule in catalogue.scopes.values() if rule.operation == "use" and rule.target == category]
    rules = [catalogue.scopes.get(f"remember:{category}"), *uses]
    standings = many.of_rows([row._replace(states=0, paused_until=0) for row in rows])
    verdicts = many.reasons(standings, rules, [None] * len(rules), at_ms)
    return verdicts[:, 0], (verdicts[:, 1:] == Reason.PERMIT).any(axis=1)


def _chosen(customers: Sequence[str], which: NDArray[np.bool_]) -> list[str]:
    return [customer for customer, chosen in zip(customers, which.tolist(), strict=True) if chosen]
