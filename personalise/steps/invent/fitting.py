"""Fit the response model with scikit-learn, on rows whose use the customers permit."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from personalise.campaigns.model import NOTHING
from personalise.steps.invent import bandit
from personalise.steps.invent.response import Arm, Floats, Known, Response

FEWEST_ROWS: Final = 200
"""An arm with fewer rows, or fewer than `FEWEST_OF_EACH` of either outcome, is not fitted."""

FEWEST_OF_EACH: Final = 20
MOST_SUBSETS: Final = 15


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


def fit_subsets(
    features: Mapping[str, tuple[Floats, Known]],
    received: NDArray[np.str_],
    outcome: Known,
    *,
    named: str,
    treatments: Sequence[str],
) -> tuple[Response, ...]:
    """Fit models on fewer features, for customers of whom the others are not known, or not permitted.

    One for each set of features, short of all and of none, that is just what was known of `FEWEST_ROWS` rows or more;
    it learns from all rows of which these are known. Of many sets the commonest count; more features come first.

    Args:
        features: name → (values, known), each of shape (n_rows,).
        received: as of `fit`.
        outcome: as of `fit`.
        named: as of `fit`.
        treatments: as of `fit`.
    """
    names = tuple(features)
    if len(names) < 2:  # noqa: PLR2004 -- of one feature there is no part
        return ()
    known = np.column_stack([features[name][1] for name in names])
    patterns, counts = np.unique(known, axis=0, return_counts=True)
    common = sorted(
        (-count, tuple(name for name, here in zip(names, pattern, strict=True) if here))
        for pattern, count in zip(patterns.tolist(), counts.tolist(), strict=True)
        if count >= FEWEST_ROWS and any(pattern) and not all(pattern)
    )
    found = []
    for part in sorted((part for _, part in common[:MOST_SUBSETS]), key=lambda part: (-len(part), part)):
        rows = known[:, [names.index(name) for name in part]].all(axis=1)
        some = {name: features[name][0][rows] for name in part}
        model = fit(some, received[rows], outcome[rows], named=named, treatments=treatments)
        if isinstance(model, Response):
            found.append(model)
    return tuple(found)


def counted(received: NDArray[np.str_], outcome: Known, *, named: str, treatments: Sequence[str]) -> Response:
    """Count the outcomes of each arm, for Thompson sampling; an arm that nobody has received yet is quite unknown."""
    arms = {}
    for key in (*treatments, NOTHING):
        rows = int((received == key).sum())
        hits = int(outcome[received == key].sum())
        mean = bandit.expected(hits, rows)
        arms[key] = Arm(
            intercept=math.log(mean / (1 - mean)), weights=(), rows=rows, rate=hits / rows if rows else 0.0,
            draws=bandit.posterior(hits, rows),
        )  # fmt: skip
    return Response(features=(), outcome=named, arms=arms)


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
