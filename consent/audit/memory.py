"""The check `kept_without_use`: nothing is remembered against a customer's word, or for nothing."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from consent.audit import pages
from consent.audit.findings import Evidence, Finding, Gap, Judged, Severity, Yielded
from consent.base.clock import to_ms
from consent.catalogue.model import Catalogue
from consent.permission import many
from consent.permission.standing import EMPTY, Standing, stored
from consent.permission.verdict import Reason

KEY: Final = "kept_without_use"
_MOST_NAMED: Final = 20
NO_USE: Final = "no use of it is permitted"


class _Spot(NamedTuple):
    """A category, and what is wrong with keeping it."""

    category: str
    why: str
    severity: Severity


@dataclass(slots=True)
class _Kept:
    """Of how many customers, and the first of them."""

    count: int = 0
    first: list[str] = field(default_factory=list)

    def add(self, customers: Sequence[str]) -> None:
        self.count += len(customers)
        self.first += customers[: _MOST_NAMED - len(self.first)]


def kept_without_use(evidence: Evidence) -> Iterator[Yielded]:
    """Look at each category that something is kept in: does the customer permit keeping it, and any use of it?

    What stands is folded from what he said, not read from his standing row. Pauses and restrictions are left out of
    account: they end, and data under restriction must be kept.
    """
    bits = pages.bits(evidence)
    with evidence.store.read() as work:
        catalogue = evidence.desk.catalogues.current(work)
    found: dict[_Spot, _Kept] = {}
    unread = 0
    for page in pages.pages(evidence):
        told = pages.told(evidence, page, bits, owners=page.memory)
        standings = {customer: told[customer].standing if customer in told else EMPTY for customer in page.memory}
        known = {customer: one for customer, one in standings.items() if one is not None}
        unread += len(standings) - len(known)
        for spot, customers in _judged(known, page.memory, catalogue, to_ms(evidence.at)):
            found.setdefault(spot, _Kept()).add(customers)
        yield Judged(sum(map(len, page.memory.values())))
    for spot, kept in sorted(found.items()):
        more = f" and {kept.count - len(kept.first)} more" if kept.count > len(kept.first) else ""
        why = f"kept of {kept.count} customers, though {spot.why}: {', '.join(kept.first)}{more}"
        yield Finding(check=KEY, severity=spot.severity, subject=spot.category, why=why)
    if unread:
        yield Gap(check=KEY, why=f"of {unread} customers of whom something is kept, what they said can't be read")


def _judged(
    standings: Mapping[str, Standing], memory: Mapping[str, Sequence[str]], catalogue: Catalogue, at_ms: int
) -> Iterator[tuple[_Spot, list[str]]]:
    """Yield what is wrong, with the customers of whom it is so."""
    by_category: dict[str, list[str]] = {}
    for customer in sorted(standings):
        for category in memory[customer]:
            by_category.setdefault(category, []).append(customer)
    for category, customers in by_category.items():
        rows = [stored(standings[customer]).scopes for customer in customers]
        remember, use = _reasons(rows, category, catalogue, at_ms)
        for number in np.unique(remember[remember != Reason.PERMIT]):
            why = f"remembering it is not permitted ({Reason(number).name})"
            yield _Spot(category, why, Severity.HIGH), _chosen(customers, remember == number)
        idle = (remember == Reason.PERMIT) & ~use
        if idle.any():
            yield _Spot(category, NO_USE, Severity.MEDIUM), _chosen(customers, idle)


def _reasons(
    rows: Sequence[bytes], category: str, catalogue: Catalogue, at_ms: int
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Return, for each customer, the verdict on remembering a category, and whether any use of it is permitted."""
    uses = [rule for rule in catalogue.scopes.values() if rule.operation == "use" and rule.target == category]
    rules = [catalogue.scopes.get(f"remember:{category}"), *uses]
    unhindered = [0] * len(rows)
    standings = many.stacked(rows, unhindered, unhindered)
    verdicts = many.reasons(standings, rules, [None] * len(rules), at_ms)
    return verdicts[:, 0], (verdicts[:, 1:] == Reason.PERMIT).any(axis=1)


def _chosen(customers: Sequence[str], which: NDArray[np.bool_]) -> list[str]:
    return [customer for customer, chosen in zip(customers, which.tolist(), strict=True) if chosen]
