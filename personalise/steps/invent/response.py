"""The response model: how likely the outcome is with each treatment, and how much of that would have come anyway.

One logistic regression a treatment and one for customers who got nothing; `fitting` fits them with scikit-learn. The
difference of the two is the uplift (a T-learner). Where features are unknown, the same on fewer features stands in, if
one was fitted on these. What decides is not scikit-learn but a few fixed numbers: weights in double precision, summed
feature by feature in a fixed order, and the logistic function from a table. So a row alone and a row in a batch give
the same bits, on every machine.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

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
    draws: tuple[int, ...] = ()
    """For Thompson sampling: equally likely chances in billionths, rising."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A fitted model: its features in order, and its arms by treatment key (`NOTHING` for no treatment)."""

    features: tuple[str, ...]
    outcome: str
    arms: Mapping[str, Arm]
    subsets: tuple["Response", ...] = ()
    """Models of the same outcome and arms on some of the features, those with more features first."""

    def body(self) -> str:
        """Return the model as JSON; its floats read back to the same bits."""
        return json.dumps(_table(self), sort_keys=True)

    @property
    def samples(self) -> bool:
        """Whether its arms are for Thompson sampling."""
        return all(arm.draws for arm in self.arms.values())

    @property
    def digest(self) -> bytes:
        """SHA-256 of `body`."""
        return hashlib.sha256(self.body().encode()).digest()


def _table(model: Response) -> dict[str, Any]:
    arms: dict[str, dict[str, Any]] = {}
    for key, arm in sorted(model.arms.items()):
        arms[key] = {"intercept": arm.intercept, "weights": list(arm.weights), "rows": arm.rows, "rate": arm.rate}
        if arm.draws:
            arms[key]["draws"] = list(arm.draws)
    table: dict[str, Any] = {"features": list(model.features), "outcome": model.outcome, "arms": arms}
    if model.subsets:
        table["subsets"] = [_table(each) for each in model.subsets]
    return table


def from_body(text: str) -> Response:
    """Return the model that `Response.body` wrote."""
    return _of(json.loads(text))


def _of(table: Mapping[str, Any]) -> Response:
    arms = {
        key: Arm(
            intercept=arm["intercept"],
            weights=tuple(arm["weights"]),
            rows=arm["rows"],
            rate=arm["rate"],
            draws=tuple(arm.get("draws", ())),
        )
        for key, arm in table["arms"].items()
    }
    subsets = tuple(_of(each) for each in table.get("subsets", ()))
    return Response(features=tuple(table["features"]), outcome=table["outcome"], arms=arms, subsets=subsets)


Columns: TypeAlias = Mapping[str, tuple[Floats, Known]]
PRIOR: Final = 255
"""What `scored_by` says where no model fits what is known."""


def scored_by(model: Response, columns: Columns, *, rows: int) -> NDArray[np.uint8]:
    """Return which model scores each customer: 0 the whole, i the i-th on fewer features, `PRIOR` none.

    It is the first of them all of whose features are known.
    """
    found = np.full(rows, PRIOR, dtype=np.uint8)
    for number, each in reversed(list(enumerate((model, *model.subsets)))):
        found = np.where(_complete(each, columns, rows), np.uint8(number), found)
    return found


def chance(model: Response, treatment: str, columns: Columns, *, rows: int, more: bool) -> tuple[Floats, Known]:
    """Return how likely the outcome is with a treatment (`more`: how much likelier than without), for each customer.

    As `extra`; where not all features are known, by the first of the models on fewer features all of whose are.
    """
    prior = model.arms[treatment].rate - (model.arms[NOTHING].rate if more else 0.0)
    likely, known = np.full(rows, prior), np.zeros(rows, dtype=np.bool_)
    for each in reversed((model, *model.subsets)):
        value, here = _likely(each, treatment, columns, rows=rows, more=more)
        likely, known = np.where(here, value, likely), known | here
    return likely, known


def _complete(model: Response, columns: Columns, rows: int) -> Known:
    known = np.ones(rows, dtype=np.bool_)
    for name in model.features:
        known &= columns[name][1]
    return known


def extra(model: Response, treatment: str, columns: Columns, *, rows: int) -> tuple[Floats, Known]:
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
    return chance(model, treatment, columns, rows=rows, more=True)


def _likely(model: Response, treatment: str, columns: Columns, *, rows: int, more: bool) -> tuple[Floats, Known]:
    """Return the chances by this model alone, and where it says any."""
    known = _complete(model, columns, rows)
    arms = (model.arms[treatment], model.arms[NOTHING]) if more else (model.arms[treatment],)
    with np.errstate(all="ignore"):
        sums = [_sum(model, arm, columns, rows) for arm in arms]
    for total in sums:
        known = known & ~np.isnan(total)  # two infinite terms against each other
    likely, *anyway = (_probability(np.where(known, total, 0.0)) for total in sums)
    return likely - anyway[0] if anyway else likely, known


def _sum(model: Response, arm: Arm, columns: Columns, rows: int) -> Floats:
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
