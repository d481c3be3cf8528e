"""PURE: a few customers of each end that a dry run counts, drawn by a hash of their ids, with why they came there.

They are in the answer alone, and are stored nowhere: who is erased afterwards survives in no table.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from consent.base.ids import CustomerId
from consent.permission.verdict import Reason
from personalise.runs.counts import left, reason_of
from personalise.runs.totals import Side
from personalise.steps.personalise.explanation import CandidateVerdict, explanation, verdicts
from personalise.steps.personalise.policy import HARD_STOP, Policy

MOST: Final = 10
"""Customers that can be asked for of each end."""
_REASONS: Final = 5
"""For how many reasons, the most frequent ones, those who are lost are shown."""

How: TypeAlias = Literal["addressed", "held_out", "lost"]
_ORDER: Final[tuple[How, ...]] = ("addressed", "held_out", "lost")


class _End(NamedTuple):
    how: How
    name: str


_ERASED: Final = _End("lost", f"{HARD_STOP} {Reason.CUSTOMER_ERASED.name}")
"""Who was erased is counted, and shown to nobody."""


class _Drawn(NamedTuple):
    """A customer, by his hash, then his id; and his row of `decide`."""

    rank: int
    customer: str
    row: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One customer: the sentence that he would be told, and what became of each candidate."""

    customer: CustomerId
    explanation: str
    verdicts: tuple[CandidateVerdict, ...]

    def as_json(self, *, named: bool) -> dict[str, Any]:
        """Return him as the faces show him; by his id only where `named`."""
        return {
            "customer": self.customer if named else None,
            "explanation": self.explanation,
            "verdicts": [each.as_json() for each in self.verdicts],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """An end that customers came to, how many did, and some of them.

    `name` is the treatment of those addressed, whose holdout it is of those held out who would otherwise be addressed,
    and of those lost why, as a key of `Counts.reasons`.
    """

    how: How
    name: str
    customers: int
    samples: tuple[Sample, ...]

    def as_json(self, *, named: bool) -> dict[str, Any]:
        """Return it as the faces show it; the customers by their ids only where `named`."""
        return {
            "how": self.how, "name": self.name, "customers": self.customers,
            "samples": [each.as_json(named=named) for each in self.samples],
        }  # fmt: skip


@dataclass(slots=True, kw_only=True)
class Drawing:
    """Draws up to `each` customers of every end while chunks go by; it holds no more of them than that.

    Whom it draws follows from the ids and the campaign's key alone, in whatever chunks they come: so one sees what
    becomes of the same customers under the next version.
    """

    policy: Policy
    each: int
    _kept: dict[_End, list[_Drawn]] = field(default_factory=dict)
    _many: Counter[_End] = field(default_factory=Counter)

    def add(self, side: Side) -> None:
        """Look at a chunk."""
        if not self.each or not side.table.num_rows:
            return
        ranks = _ranks(side.table["customer"].to_pylist(), campaign=self.policy.campaign.key)
        numbers, ends = self._ends(side)
        for number, end in enumerate(ends):
            self._draw(side, end, np.flatnonzero(numbers == number), ranks)

    def _ends(self, side: Side) -> tuple[NDArray[np.int64], list[_End]]:
        """Return each customer's end, as places in a list of ends."""
        policy, gone = self.policy, left(side.table, self.policy)
        numbers = side.column("chosen").astype(np.int64)
        ends = [_End("addressed", one.key) for one in policy.candidates]
        kinds, which = np.unique(
            np.column_stack([~gone.ghosts, gone.rules, np.where(gone.ghosts, 0, gone.reasons)]),
            axis=0, return_inverse=True,
        )  # fmt: skip
        numbers[gone.spots] = which.reshape(-1) + len(ends)
        for lost, rule, reason in kinds.tolist():
            ends.append(_End("lost" if lost else "held_out", reason_of(policy, rule, reason)))
        return numbers, ends

    def _draw(self, side: Side, end: _End, spots: NDArray[np.int64], ranks: NDArray[np.uint64]) -> None:
        """Keep those of an end whose hashes are the lowest so far: few rows of a chunk are ever looked at."""
        self._many[end] += len(spots)
        if end == _ERASED:
            return
        kept = self._kept.setdefault(end, [])
        best = spots[np.argsort(ranks[spots], kind="stable")[: self.each]]
        if len(kept) == self.each:
            best = best[ranks[best] <= kept[-1].rank]
        rows = side.table.take(best).to_pylist() if len(best) else []
        found = [_Drawn(int(rank), row["customer"], row) for rank, row in zip(ranks[best], rows, strict=True)]
        self._kept[end] = sorted([*kept, *found], key=lambda one: (one.rank, one.customer))[: self.each]

    def drawn(self) -> tuple[End, ...]:
        """Return who was drawn: of every treatment that is chosen, of who is held out, of the most frequent losses."""
        there = sorted(
            (end for end in self._many if self._many[end]),
            key=lambda end: (_ORDER.index(end.how), -self._many[end], end.name),
        )
        lost = [end for end in there if end.how == "lost"]
        return tuple(self._told(end) for end in there if end not in lost[_REASONS:])

    def _told(self, end: _End) -> End:
        samples = tuple(_sample(one.row, self.policy) for one in self._kept.get(end, ()))
        return End(how=end.how, name=end.name, customers=self._many[end], samples=samples)


def _sample(row: dict[str, Any], policy: Policy) -> Sample:
    return Sample(
        customer=CustomerId(row["customer"]),
        explanation=explanation(row, policy),
        verdicts=tuple(verdicts(row, policy)),
    )


def _ranks(customers: Sequence[str], *, campaign: str) -> NDArray[np.uint64]:
    """Return a hash of each id, (n_customers,): whoever has the lowest is drawn first."""
    start, sha256 = f"sample|{campaign}|", hashlib.sha256
    # A loop over customers: there is no hash of columns.
    firsts = b"".join([sha256((start + customer).encode()).digest()[:8] for customer in customers])
    return np.frombuffer(firsts, dtype=">u8").astype(np.uint64)
