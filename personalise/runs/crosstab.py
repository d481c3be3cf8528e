"""PURE: two policies over the same customers: who goes from what to what, and what each comes to. Counts only."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from personalise.campaigns.model import LEAVE_ALONE
from personalise.contact_policy.model import THOUSANDTHS
from personalise.decide import LEFT_ALONE
from personalise.runs.counts import Counts
from personalise.steps.personalise.policy import Policy

HOLDOUT: Final = "holdout:"
"""Before the treatment that whoever is held out would have had."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One policy and what it decided for a chunk: `decide`'s columns, and each candidate's chance, (n_customers,)."""

    policy: Policy
    table: pa.Table
    chances: Mapping[str, NDArray[np.float64]]
    deferred: int = 0
    """How many of them wait to be decided about again."""

    def column(self, name: str) -> NDArray[Any]:
        """Return a column of what was decided."""
        return np.asarray(self.table[name])


@dataclass(slots=True)
class Totals:
    """What one policy comes to.

    `outcomes` are expected; `value` is what they are worth to the company, less what the offers cost; `worth` is that
    as the policy weighs it, with the customer's benefit and the price of goodwill. `goodwill` is what contacts would
    cost (thousandths), `below_floor` how many accounts they would push below the floor: None where nobody says.
    """

    counts: Counts = field(default_factory=Counts)
    channels: Counter[str] = field(default_factory=Counter)
    outcomes: float = 0.0
    value: float = 0.0
    worth: float = 0.0
    goodwill: int | None = None
    below_floor: int | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the totals as the faces show them; goodwill in points."""
        return {
            **self.counts.as_json(),
            "contacts": dict(sorted(self.channels.items())),
            "expected_outcomes": _finite(self.outcomes),
            "expected_value": _finite(self.value),
            "worth": _finite(self.worth),
            "goodwill": None if self.goodwill is None else self.goodwill / THOUSANDTHS,
            "below_floor": self.below_floor,
        }


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
        _total(self.a, a, b)
        _total(self.b, b, a)
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


def _total(totals: Totals, side: Side, other: Side) -> None:
    totals.counts.add(side.table, side.policy)
    totals.counts.deferred += side.deferred
    chosen = side.column("chosen")
    costs = _costs(side, other)
    if costs is not None:
        totals.goodwill = totals.goodwill or 0
        if costs.floor is not None:
            totals.below_floor = totals.below_floor or 0
    for number, one in enumerate(side.policy.candidates):
        who = chosen == number
        count = int(who.sum())
        if not count:
            continue
        expected = _sum(side.chances[one.key][who])
        totals.channels[one.treatment.channel] += count
        totals.outcomes += expected
        totals.value += expected * one.offer.value - count * one.offer.cost
        totals.worth += _sum(side.column(f"worth:{one.key}")[who])
        if costs is not None:
            costs.add(totals, one.treatment.channel, who)


def _sum(values: NDArray[np.float64]) -> float:
    with np.errstate(over="ignore", invalid="ignore"):
        return float(values.sum())


def _finite(amount: float) -> float | None:
    """Return an amount; None for one beyond all numbers, as absurd scores give it."""
    return amount if isfinite(amount) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Costs:
    """What contacts cost each customer's goodwill: (n_customers,), thousandths; `times` a channel's price."""

    prices: Mapping[str, float]
    floor: int | None
    balance: NDArray[np.int64]
    times: NDArray[np.int64]

    def add(self, totals: Totals, channel: str, who: NDArray[np.bool_]) -> None:
        """Add what contacts on a channel cost some customers."""
        cost = round(self.prices.get(channel, 0) * THOUSANDTHS) * self.times[who]
        totals.goodwill = (totals.goodwill or 0) + int(cost.sum())
        if self.floor is not None:
            below = int((self.balance[who] - cost < self.floor).sum())
            totals.below_floor = (totals.below_floor or 0) + below


def _costs(side: Side, other: Side) -> _Costs | None:
    """Return what a side's contacts cost by its own contact policy.

    Where that prices nothing the other's prices count, if it is the same campaign: so it is seen what a policy without
    prices does to the accounts.
    """
    alike = side.policy.held_back and side.policy.campaign.key == other.policy.campaign.key
    source = side if side.policy.charges or not alike else other
    if not source.policy.charges:
        return None
    terms = source.policy.contact_policy.goodwill
    priced = next((one for one in source.policy.candidates if one.price), None)
    balance = source.column("goodwill")
    return _Costs(
        prices=terms.prices,
        floor=None if terms.floor is None else round(terms.floor * THOUSANDTHS),
        balance=balance,
        times=source.column(f"charge:{priced.key}") // priced.price if priced else np.zeros_like(balance),
    )
