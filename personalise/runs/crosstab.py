"""PURE: two policies over the same customers: who goes from what to what, and what each comes to. Counts only."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from personalise.campaigns.model import LEAVE_ALONE
from personalise.decide import LEFT_ALONE
from personalise.runs.counts import Counts
from personalise.runs.totals import Side, Totals, nothing
from personalise.steps.personalise.policy import Policy

HOLDOUT: Final = "holdout:"
"""Before the treatment that whoever is held out would have had."""


@dataclass(slots=True)
class Crosstab:
    """What becomes of the same customers under policy A and under policy B.

    `gain` are those whom B addresses and A doesn't, by where A loses them; `lose` those whom A addresses and B doesn't,
    by where B loses them.
    """

    moves: Counter[tuple[str, str]] = field(default_factory=Counter)
    a: Totals = field(default_factory=Totals)
    b: Totals = field(default_factory=Totals)
    gain: Counts = field(default_factory=Counts)
    lose: Counts = field(default_factory=Counts)

    @property
    def changed(self) -> int:
        """For how many customers the two do something else."""
        return sum(count for (before, after), count in self.moves.items() if before != after)

    def add(self, a: Side, b: Side) -> None:
        """Count a chunk that both decided.

        Raises:
            ValueError: the chunks are not of the same customers.
        """
        if not a.table["customer"].equals(b.table["customer"]):
            raise ValueError("the two decided for other customers")
        self._move(a, b)
        self.a.add(a, b)
        self.b.add(b, a)
        in_a, in_b = a.column("chosen") != LEFT_ALONE, b.column("chosen") != LEFT_ALONE
        for counts, side, who in ((self.gain, a, in_b & ~in_a), (self.lose, b, in_a & ~in_b)):
            if who.any():
                counts.add(side.table.filter(pa.array(who)), side.policy)

    def _move(self, a: Side, b: Side) -> None:
        (before, froms), (after, tos) = _actions(a), _actions(b)
        pairs, counts = np.unique(before * len(tos) + after, return_counts=True)
        for pair, count in zip(pairs.tolist(), counts.tolist(), strict=True):
            self.moves[froms[pair // len(tos)], tos[pair % len(tos)]] += count

    def as_json(self) -> dict[str, Any]:
        """Return the comparison as the faces show it."""
        moves = sorted(self.moves.items(), key=lambda move: (-move[1], move[0]))
        return {
            "a": self.a.as_json(),
            "b": self.b.as_json(),
            "changed": self.changed,
            "moves": [{"from": before, "to": after, "customers": count} for (before, after), count in moves],
            "gain": _where(self.gain),
            "lose": _where(self.lose),
        }


def _where(counts: Counts) -> dict[str, Any]:
    told = counts.as_json()
    return {name: told[name] for name in ("customers", "stages", "reasons")}


def _actions(side: Side) -> tuple[NDArray[np.int64], list[str]]:
    """Return what is done with each customer, as places in a list of names."""
    keys = [one.key for one in side.policy.candidates]
    chosen, ghost = (side.column(name).astype(np.int64) for name in ("chosen", "ghost"))
    alone = 2 * len(keys)
    places = np.where(chosen >= 0, chosen, np.where(ghost >= 0, ghost + len(keys), alone))
    return places, [*keys, *(f"{HOLDOUT}{key}" for key in keys), LEAVE_ALONE]


def between(a: Policy, b: Policy) -> Crosstab:
    """Return the table of two policies before anybody was decided for."""
    return Crosstab(a=nothing(a, b), b=nothing(b, a))
