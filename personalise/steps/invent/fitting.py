"""Fit the response model with scikit-learn, on rows whose use the customers permit."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from personalise.campaigns.model import NOTHING
from personalise.steps.invent.response import Arm, Floats, Known, Response

FEWEST_ROWS: Final = 200
"""An arm with fewer rows, or fewer than `FEWEST_OF_EACH` of either outcome, is not fitted."""

FEWEST_OF_EACH: Final = 20


@dataclass(frozen=True, slots=True)
class TooFew:
    """Not enough rows to fit on: which arm, and how many there are."""

    arm: str
    rows: int


def fit(
    features: Mapping[str, Floats],
    received: NDArray[np.str_],
    outcome: Known,
    *,
    named: str,
    treatments: Sequence[str],
) -> Response | TooFew:
    """Fit one arm a treatment, and one for nothing.

    Args:
        features: name → values, shape (n_rows,), without gaps.
        received: the treatment each row's customer received, or `NOTHING`; shape (n_rows,).
        outcome: whether the outcome came, shape (n_rows,).
        named: the outcome's attribute.
        treatments: the keys to fit arms for.
    """
    names = tuple(features)
    matrix = np.column_stack([features[name] for name in names]) if names else np.zeros((len(outcome), 0))
    arms = {}
    for key in (*treatments, NOTHING):
        rows = received == key
        hits = int(outcome[rows].sum())
        if rows.sum() < FEWEST_ROWS or min(hits, rows.sum() - hits) < FEWEST_OF_EACH:
            return TooFew(key, int(rows.sum()))
        arms[key] = _arm(matrix[rows], outcome[rows])
    return Response(features=names, outcome=named, arms=arms)


def _arm(matrix: Floats, outcome: Known) -> Arm:
    rate = float(outcome.mean())
    if not matrix.shape[1]:
        return Arm(intercept=math.log(rate / (1 - rate)), weights=(), rows=len(outcome), rate=rate)
    middle, spread = matrix.mean(axis=0), matrix.std(axis=0)
    spread[spread == 0] = 1.0
    model = LogisticRegression(C=1.0, max_iter=500).fit((matrix - middle) / spread, outcome)
    weights = model.coef_[0] / spread
    intercept = float(model.intercept_[0] - (weights * middle).sum())
    return Arm(intercept=intercept, weights=tuple(map(float, weights)), rows=len(outcome), rate=rate)
