"""The response model: how likely the outcome is with each treatment, and how much of that would have come anyway.

One logistic regression a treatment and one for customers who got nothing; `fitting` fits them with scikit-learn. What
decides is not scikit-learn but a few fixed numbers: weights in double precision, summed
feature by feature in a fixed order, and the logistic function from a table. So a row alone and a row in a batch give
the same bits, on every machine.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from personalise.campaigns.model import NOTHING
from personalise.language.terms import EXACT

Floats: TypeAlias = NDArray[np.float64]
Known: TypeAlias = NDArray[np.bool_]

_STEPS: Final = 1024
_LIMIT: Final = 16
_LOGISTIC: Final = np.array(
    [1.0 / (1.0 + math.exp(-step / _STEPS)) for step in range(-_LIMIT * _STEPS, _LIMIT * _STEPS + 1)]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """The weights of one treatment (or of nothing): an intercept, and one weight a feature, on raw feature values."""

    intercept: float
    weights: tuple[float, ...]
    rows: int
    rate: float
    """The share of this arm's rows with the outcome."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A fitted model: its features in order, and its arms by treatment key (`NOTHING` for no treatment)."""

    features: tuple[str, ...]
    outcome: str
    arms: Mapping[str, Arm]

    def body(self) -> str:
        """Return the model as JSON; its floats read back to the same bits."""
        arms = {
            key: {"intercept": arm.intercept, "weights": list(arm.weights), "rows": arm.rows, "rate": arm.rate}
            for key, arm in sorted(self.arms.items())
        }
        return json.dumps({"features": list(self.features), "outcome": self.outcome, "arms": arms}, sort_keys=True)

    @property
    def digest(self) -> bytes:
        """SHA-256 of `body`."""
        return hashlib.sha256(self.body().encode()).digest()


def from_body(text: str) -> Response:
    """Return the model that `Response.body` wrote."""
    table = json.loads(text)
    arms = {
        key: Arm(intercept=arm["intercept"], weights=tuple(arm["weights"]), rows=arm["rows"], rate=arm["rate"])
        for key, arm in table["arms"].items()
    }
    return Response(features=tuple(table["features"]), outcome=table["outcome"], arms=arms)


def extra(
    model: Response, treatment: str, columns: Mapping[str, tuple[Floats, Known]], *, rows: int
) -> tuple[Floats, Known]:
    """Return by how much a treatment raises the probability of the outcome, for each customer.

    Args:
        model: fitted.
        treatment: one of its arms.
        columns: feature → (values, known), each of shape (n_customers,).
        rows: n_customers.

    Returns:
        Differences of probabilities in [-1, 1], and where they are the customer's own, both of shape (n_customers,).
        Where a feature is unknown the arms' plain rates stand in: a prior that knows nothing of the customer.
    """
    with_it, without = model.arms[treatment], model.arms[NOTHING]
    known = np.ones(rows, dtype=np.bool_)
    for name in model.features:
        known &= columns[name][1]
    with np.errstate(all="ignore"):
        sums = [_sum(model, arm, columns, rows) for arm in (with_it, without)]
    for total in sums:
        known &= ~np.isnan(total)  # two infinite terms against each other
    likely, anyway = (_probability(np.where(known, total, 0.0)) for total in sums)
    return np.where(known, likely - anyway, with_it.rate - without.rate), known


def _sum(model: Response, arm: Arm, columns: Mapping[str, tuple[Floats, Known]], rows: int) -> Floats:
    total: Floats = np.full(rows, arm.intercept)
    for name, weight in zip(model.features, arm.weights, strict=True):
        values, known = columns[name]
        total = total + weight * np.where(known, values, 0.0)
    return total


def _probability(total: Floats) -> Floats:
    step = np.rint(np.clip(total, -_LIMIT, _LIMIT) * _STEPS).astype(np.int64) + _LIMIT * _STEPS
    likely: Floats = _LOGISTIC[step]
    return likely


def numeric(column: pa.Array | pa.ChunkedArray) -> tuple[Floats, Known]:
    """Return a number, integer or flag column as (values, known); unknown values are 0.

    What is not finite, and an integer that double precision can't tell from its neighbours, is not known: the language
    of conditions says the same.

    >>> numeric(pa.array([1, None, 2**53 + 1]))[0].tolist(), numeric(pa.array([True, None]))[1].tolist()
    ([1.0, 0.0, 0.0], [True, False])
    """
    values = np.asarray(column.cast(pa.float64(), safe=False).fill_null(0.0), dtype=np.float64)
    known = np.asarray(column.is_valid()) & np.isfinite(values)
    if pa.types.is_integer(column.type):
        integers = np.asarray(column.fill_null(0))
        known &= (integers >= -EXACT) & (integers <= EXACT)
    return np.where(known, values, 0.0), known
