"""PURE: what one policy comes to over all customers: contacts, outcomes, value, cost and goodwill to be expected."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from personalise.contact_policy.model import THOUSANDTHS
from personalise.runs import counts as counting
from personalise.runs.counts import Counts
from personalise.steps.personalise.policy import Policy

_FORECAST: Final = "forecast"


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
    """What one policy comes to, from `nothing` on; it adds up over chunks.

    `outcomes` are expected; `cost` is what the offers of its contacts cost the company, `value` what the outcomes are
    worth to it, less that; `worth` is the same as the policy weighs it, with the customer's benefit and the price of
    goodwill. `goodwill` is what contacts would cost (thousandths): None where nothing is priced. `below_floor` is how
    many accounts they would push below the floor, `near_floor` how many stay above it and couldn't bear as much once
    more: None where there is no floor either.
    """

    counts: Counts = field(default_factory=Counts)
    channels: Counter[str] = field(default_factory=Counter)
    outcomes: float = 0.0
    cost: float = 0.0
    value: float = 0.0
    worth: float = 0.0
    goodwill: int | None = None
    below_floor: int | None = None
    near_floor: int | None = None

    def add(self, side: Side, beside: Side | None = None) -> None:
        """Count a chunk; goodwill is priced as `nothing` says, perhaps by what was decided beside it."""
        self.counts.add(side.table, side.policy)
        self.counts.deferred += side.deferred
        chosen = side.column("chosen")
        costs = _costs(side, beside)
        for number, one in enumerate(side.policy.candidates):
            who = chosen == number
            count = int(who.sum())
            if not count:
                continue
            expected = _sum(side.chances[one.key][who])
            self.channels[one.treatment.channel] += count
            self.outcomes += expected
            self.cost += count * one.offer.cost
            self.value += expected * one.offer.value - count * one.offer.cost
            self.worth += _sum(side.column(f"worth:{one.key}")[who])
            if costs is not None:
                self._spend(costs, one.treatment.channel, who)

    def _spend(self, costs: "_Costs", channel: str, who: NDArray[np.bool_]) -> None:
        """Add what contacts on a channel cost some customers."""
        cost = round(costs.prices.get(channel, 0) * THOUSANDTHS) * costs.times[who]
        self.goodwill = (self.goodwill or 0) + int(cost.sum())
        if costs.floor is not None:
            left = costs.balance[who] - cost - costs.floor
            self.below_floor = (self.below_floor or 0) + int((left < 0).sum())
            self.near_floor = (self.near_floor or 0) + int(((left >= 0) & (left < cost)).sum())

    def as_json(self) -> dict[str, Any]:
        """Return the totals as the faces show them; goodwill in points."""
        return {
            **self.counts.as_json(),
            "contacts": dict(sorted(self.channels.items())),
            "expected_outcomes": _finite(self.outcomes),
            "cost": _finite(self.cost),
            "expected_value": _finite(self.value),
            "worth": _finite(self.worth),
            "goodwill": None if self.goodwill is None else self.goodwill / THOUSANDTHS,
            "below_floor": self.below_floor,
            "near_floor": self.near_floor,
        }

    def stored(self) -> str:
        """Return the totals as text for a dry run's row: the counts as a run's row has them, and the forecast."""
        amounts = {name: _finite(getattr(self, name)) for name in _AMOUNTS}
        whole = {name: getattr(self, name) for name in _WHOLE}
        told = {**json.loads(self.counts.stored()), _FORECAST: {"channels": self.channels, **amounts, **whole}}
        return json.dumps(told, allow_nan=False)


_AMOUNTS: Final = ("outcomes", "cost", "value", "worth")
_WHOLE: Final = ("goodwill", "below_floor", "near_floor")


def from_stored(text: str) -> tuple[Counts, Totals | None]:
    """Return what `Totals.stored` wrote; no totals of a dry run of before they were kept.

    An amount that was beyond all numbers is no number any more.

    >>> counts, totals = from_stored('{"customers": 0, "stages": {}, "reasons": {}, "chosen": {}}')
    >>> counts.customers, totals
    (0, None)
    """
    counts = counting.from_stored(text)
    told = json.loads(text).get(_FORECAST)
    if told is None:
        return counts, None
    read: dict[str, Any] = {name: float("nan") if told[name] is None else told[name] for name in _AMOUNTS}
    read |= {name: told[name] for name in _WHOLE}
    return counts, Totals(counts=counts, channels=Counter(told["channels"]), **read)


def nothing(policy: Policy, beside: Policy | None = None) -> Totals:
    """Return what a policy comes to before anybody was looked at: no goodwill spent, where its contacts are priced.

    They are priced by its own contact policy. Where that prices nothing, the prices of the policy beside it count, if
    it is of the same campaign: so it is seen what a policy without prices does to the accounts.
    """
    by = _charging(policy, beside)
    goodwill = 0 if by else None
    pushed = 0 if by and by.contact_policy.goodwill.floor is not None else None
    return Totals(goodwill=goodwill, below_floor=pushed, near_floor=pushed)


def made_of(policy: Policy) -> dict[str, Any]:
    """Return of what a policy is made, as the faces show it, and which outcome it is measured by."""
    return {
        "campaign": policy.campaign.key,
        "version": policy.version,
        "contact_policy": policy.contact_policy.version,
        "outcome": policy.campaign.objective.measure,
    }


def _charging(policy: Policy, beside: Policy | None) -> Policy | None:
    """Return the policy whose prices count; None where nothing is priced."""
    if policy.charges:
        return policy
    alike = beside is not None and policy.held_back and policy.campaign.key == beside.campaign.key
    return beside if beside is not None and alike and beside.charges else None


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


def _costs(side: Side, beside: Side | None) -> _Costs | None:
    """Return what a side's contacts cost, by the prices that count; None where there are none."""
    by = _charging(side.policy, beside.policy if beside else None)
    if by is None:
        return None
    source = side if beside is None or by is side.policy else beside
    terms = by.contact_policy.goodwill
    priced = next((one for one in by.candidates if one.price), None)
    balance = source.column("goodwill")
    return _Costs(
        prices=terms.prices,
        floor=None if terms.floor is None else round(terms.floor * THOUSANDTHS),
        balance=balance,
        times=source.column(f"charge:{priced.key}") // priced.price if priced else np.zeros_like(balance),
    )
