"""Effects of treatments against a control, with intervals, from columns.

Pure: numbers in, numbers out. An arm too small to judge is an answer
(`TooFew`), not an error, because every experiment begins with such arms.
Each interval stands alone: nothing here corrects for looking at many.

Sources:
    E. B. Wilson, "Probable inference, the law of succession, and statistical
    inference", JASA 22 (1927): the interval of one proportion.
    R. G. Newcombe, "Interval estimation for the difference between independent
    proportions: comparison of eleven methods", Statistics in Medicine 17
    (1998) 873-890, method 10: the interval of a difference of proportions.
    B. L. Welch, "The generalization of Student's problem when several
    different population variances are involved", Biometrika 34 (1947).
    R. Kohavi, D. Tang, Y. Xu, "Trustworthy Online Controlled Experiments"
    (2020), chapters 3 and 21: the sample-ratio check.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import isclose, sqrt
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from scipy import special

Column: TypeAlias = pa.Array | pa.ChunkedArray | npt.NDArray[np.generic]

WITHHELD_BELOW = 0.001
"""A sample-ratio p-value below this withholds the results (a fault is likelier than chance)."""

FEWEST_FOR_MEANS = 30
"""Customers an arm needs before Welch's interval of a skewed value such as spend is worth a look."""

FEWEST_EXPECTED = 5
"""Expected count an arm needs before chi-square describes it (W. G. Cochran, 1954)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """A difference, first minus second, and the interval that covers the truth `level` of the time.

    In the unit of what was compared: probability in [-1, 1] for proportions, currency for spend.
    """

    difference: float
    lower: float
    upper: float
    level: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TooFew:
    """Too few to judge: what there was too little of, how many there were, how many are needed."""

    what: str
    had: int
    needed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The values of one arm in three numbers; `variance` is the sample variance (divisor n - 1)."""

    n: int
    mean: float
    variance: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleRatio:
    """Whether the arms have the sizes the plan gave them; if not `ok`, results are withheld."""

    p_value: float
    ok: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmRate:
    """How often an outcome came in one arm, among the `n` customers whose outcome is known.

    `rate` is None where nobody's is known; the interval is then the whole of [0, 1].
    """

    arm: str
    n: int
    successes: int
    rate: float | None
    lower: float
    upper: float

    def as_json(self) -> dict[str, Any]:
        """Return the rate as the faces show it."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmMean:
    """The mean of a number in one arm, among the `n` customers of whom it is known.

    `mean` is None where nobody's is known, the interval where fewer than `FEWEST_FOR_MEANS` are, or all are the same.
    """

    arm: str
    n: int
    mean: float | None
    lower: float | None
    upper: float | None

    def as_json(self) -> dict[str, Any]:
        """Return the mean as the faces show it."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmEffect:
    """What one arm did to one outcome, against the control; both counts are of known outcomes."""

    outcome: str
    arm: str
    n: int
    n_control: int
    effect: Effect | TooFew

    def as_json(self) -> dict[str, Any]:
        """Return the effect as the faces show it: what it is, or why it can't be judged."""
        judged = isinstance(self.effect, Effect)
        found = {"effect": asdict(self.effect) if judged else None, "too_few": None if judged else asdict(self.effect)}
        return {"outcome": self.outcome, "arm": self.arm, "n": self.n, "n_control": self.n_control, **found}


def wilson(successes: int, n: int, *, level: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of one proportion; (0, 1) when nothing was tried.

    Raises:
        ValueError: the successes are not between 0 and n, or level not between 0 and 1.

    Source: Wilson 1927, without continuity correction.

    >>> low, high = wilson(81, 263)
    >>> round(low, 4), round(high, 4)
    (0.2553, 0.3662)
    """
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes of {n}")
    z = float(special.ndtri(_upper_tail(level)))
    if n == 0:
        return 0.0, 1.0
    p = successes / n
    centre = p + z * z / (2 * n)
    half = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    # At the ends the bound is exact on paper; rounding must not move it past the proportion.
    lower = 0.0 if successes == 0 else min(p, (centre - half) / scale)
    upper = 1.0 if successes == n else max(p, (centre + half) / scale)
    return lower, upper


def two_proportions(successes_a: int, n_a: int, *, successes_b: int, n_b: int, level: float = 0.95) -> Effect | TooFew:
    """Difference of two independent proportions, a minus b, by Newcombe's hybrid score interval.

    The interval contains the difference, lies in [-1, 1], and swapping a and b mirrors it exactly.

    Raises:
        ValueError: successes not between 0 and n, or level not between 0 and 1.

    Source: Newcombe 1998, method 10; his example 56/70 against 48/80:

    >>> effect = two_proportions(56, 70, successes_b=48, n_b=80)
    >>> round(effect.difference, 4), round(effect.lower, 4), round(effect.upper, 4)
    (0.2, 0.0524, 0.3339)
    """
    lower_a, upper_a = wilson(successes_a, n_a, level=level)
    lower_b, upper_b = wilson(successes_b, n_b, level=level)
    if min(n_a, n_b) == 0:
        return TooFew(what="customers in an arm", had=0, needed=1)
    a, b = successes_a / n_a, successes_b / n_b
    return Effect(
        difference=a - b,
        lower=max(-1.0, a - b - sqrt((a - lower_a) ** 2 + (upper_b - b) ** 2)),
        upper=min(1.0, a - b + sqrt((upper_a - a) ** 2 + (b - lower_b) ** 2)),
        level=level,
    )


def mean_difference(a: Sample, b: Sample, *, level: float = 0.95, fewest: int = FEWEST_FOR_MEANS) -> Effect | TooFew:
    """Difference of two means, a minus b, with Welch's interval (variances may differ).

    `fewest` is the number of customers each arm needs (2 at least, or there is no variance). An arm
    where everybody has the same value says nothing of its spread, so it is too few as well: with
    one buyer in a hundred, forty customers who spent nothing don't prove that nobody spends.

    Raises:
        ValueError: fewest is below 2, a variance is negative, or level not between 0 and 1.

    Source: Welch 1947, degrees of freedom by Welch-Satterthwaite.

    >>> a, b = Sample(n=100, mean=1.42, variance=225.0), Sample(n=100, mean=0.65, variance=64.0)
    >>> effect = mean_difference(a, b)
    >>> round(effect.lower, 3), round(effect.upper, 3)
    (-2.589, 4.129)
    """
    if fewest < 2:  # noqa: PLR2004 -- a variance takes two values
        raise ValueError(f"fewest is {fewest}; a variance takes two customers")
    if a.variance < 0 or b.variance < 0:
        raise ValueError("a variance can't be negative")
    tail = _upper_tail(level)
    if min(a.n, b.n) < fewest:
        return TooFew(what="customers in an arm", had=min(a.n, b.n), needed=fewest)
    if not (a.variance > 0 and b.variance > 0):
        varied = (a.variance > 0) + (b.variance > 0)
        return TooFew(what="arms with differing values", had=varied, needed=2)
    part_a, part_b = a.variance / a.n, b.variance / b.n
    # Shares, not squares of the parts: the same number, and tiny variances don't underflow.
    share = part_a / (part_a + part_b)
    freedom = 1 / (share**2 / (a.n - 1) + (1 - share) ** 2 / (b.n - 1))
    half = float(special.stdtrit(freedom, tail)) * sqrt(part_a + part_b)
    difference = a.mean - b.mean
    return Effect(difference=difference, lower=difference - half, upper=difference + half, level=level)


def sample_ratio(observed: Mapping[str, int], expected_shares: Mapping[str, float]) -> SampleRatio | TooFew:
    """Chi-square test that the arms' sizes came from their planned shares (which sum to 1).

    Raises:
        ValueError: the arms differ, fewer than two, a count is negative, a share isn't above 0, or
            the shares don't sum to 1.

    Source: Kohavi, Tang, Xu 2020, whose example this is (p = 1.8e-6):

    >>> sample_ratio({"on": 815_482, "off": 821_588}, {"on": 0.5, "off": 0.5}).ok
    False
    """
    if observed.keys() != expected_shares.keys() or len(observed) <= 1:
        raise ValueError(f"arms {sorted(observed)} against {sorted(expected_shares)}")
    arms = sorted(observed)
    counts = np.array([observed[arm] for arm in arms], dtype=np.float64)
    shares = np.array([expected_shares[arm] for arm in arms], dtype=np.float64)
    if (counts < 0).any():
        raise ValueError("a count is negative")
    if not ((shares > 0).all() and isclose(float(shares.sum()), 1.0, abs_tol=1e-9)):
        raise ValueError("shares must be above 0 and sum to 1")
    expected = shares * counts.sum()
    if expected.min() < FEWEST_EXPECTED:
        return TooFew(what="expected customers in an arm", had=int(expected.min()), needed=FEWEST_EXPECTED)
    distance = float(((counts - expected) ** 2 / expected).sum())
    p_value = float(special.chdtrc(len(arms) - 1, distance))
    return SampleRatio(p_value=p_value, ok=p_value >= WITHHELD_BELOW)


def arm_rates(treatment_column: Column, outcome_column: Column, *, level: float = 0.95) -> tuple[ArmRate, ...]:
    """Rate of a yes-or-no outcome in every arm, by the arm's name, with Wilson's interval.

    Shapes: both columns `(n_customers,)`; rows with a null in either are left out of the counts.

    Raises:
        ValueError: the columns differ in length, or the outcome is not boolean.

    >>> treatments = np.array(["mail", "mail", "none", "none"])
    >>> [(r.arm, r.rate) for r in arm_rates(treatments, np.array([True, False, False, False]))]
    [('mail', 0.5), ('none', 0.0)]
    """
    arms, index = _arms(treatment_column)
    column = _arrow(outcome_column)
    if not pa.types.is_boolean(column.type):
        raise ValueError(f"a rate needs a boolean outcome, not {column.type}")
    return tuple(
        _rate(arm, sample, level=level)
        for arm, sample in zip(arms, _samples(index, column, n_arms=len(arms)), strict=True)
    )


def arm_means(treatment_column: Column, outcome_column: Column, *, level: float = 0.95) -> tuple[ArmMean, ...]:
    """Mean of a number in every arm, by the arm's name, with Student's interval.

    Shapes: both columns `(n_customers,)`; rows with a null in either are left out.

    Raises:
        ValueError: the columns differ in length, or a number is not finite.

    >>> [(each.arm, each.mean, each.lower) for each in arm_means(np.array(["mail", "mail"]), np.array([1.0, 2.0]))]
    [('mail', 1.5, None)]
    """
    arms, index = _arms(treatment_column)
    samples = _samples(index, _arrow(outcome_column), n_arms=len(arms))
    return tuple(_mean(arm, sample, level=level) for arm, sample in zip(arms, samples, strict=True))


def effects(
    treatment_column: Column,
    outcome_columns: Mapping[str, Column],
    *,
    control: str,
    level: float = 0.95,
) -> tuple[ArmEffect, ...]:
    """What each arm did to each outcome against the control: outcomes as given, arms by name.

    The type of an outcome decides how it is judged: boolean as proportions (Newcombe), numbers as
    means (Welch). Rows with a null treatment or outcome (unknown, or not permitted) are left out.

    Shapes: every column `(n_customers,)`.

    Raises:
        ValueError: columns differ in length, or a number is not finite.

    >>> treatments = np.array(["mail"] * 4 + ["none"] * 4)
    >>> visited = np.array([True, True, True, False, True, False, False, False])
    >>> [one] = effects(treatments, {"visited": visited}, control="none")
    >>> one.arm, one.effect.difference
    ('mail', 0.5)
    """
    arms, index = _arms(treatment_column)
    found: list[ArmEffect] = []
    for outcome, given in outcome_columns.items():
        column = _arrow(given)
        samples = dict(zip(arms, _samples(index, column, n_arms=len(arms)), strict=True))
        base = samples.get(control, Sample(n=0, mean=0.0, variance=0.0))
        for arm in arms:
            if arm == control:
                continue
            sample = samples[arm]
            effect = (
                two_proportions(_successes(sample), sample.n, successes_b=_successes(base), n_b=base.n, level=level)
                if pa.types.is_boolean(column.type)
                else mean_difference(sample, base, level=level)
            )
            found.append(ArmEffect(outcome=outcome, arm=arm, n=sample.n, n_control=base.n, effect=effect))
    return tuple(found)


def _upper_tail(level: float) -> float:
    if not 0 < level < 1:
        raise ValueError(f"level {level} is not between 0 and 1")
    return 0.5 + level / 2


def _rate(arm: str, sample: Sample, *, level: float) -> ArmRate:
    successes = _successes(sample)
    lower, upper = wilson(successes, sample.n, level=level)
    rate = successes / sample.n if sample.n else None
    return ArmRate(arm=arm, n=sample.n, successes=successes, rate=rate, lower=lower, upper=upper)


def _mean(arm: str, sample: Sample, *, level: float) -> ArmMean:
    mean, half = sample.mean if sample.n else None, None
    if mean is not None and sample.n >= FEWEST_FOR_MEANS and sample.variance > 0:
        half = float(special.stdtrit(sample.n - 1, _upper_tail(level))) * sqrt(sample.variance / sample.n)
    lower, upper = (None, None) if mean is None or half is None else (mean - half, mean + half)
    return ArmMean(arm=arm, n=sample.n, mean=mean, lower=lower, upper=upper)


def _successes(sample: Sample) -> int:
    return round(sample.mean * sample.n)


def _arrow(column: Column) -> pa.Array:
    """One Arrow array; NaN in a NumPy column is a null, because NumPy has no other."""
    if isinstance(column, pa.ChunkedArray):
        return column.combine_chunks()
    return column if isinstance(column, pa.Array) else pa.array(column, from_pandas=True)


def _arms(treatment_column: Column) -> tuple[list[str], npt.NDArray[np.intp]]:
    """Names of the arms in order, and the arm's place for each row, -1 for a null."""
    column = _arrow(treatment_column)
    named = column.unique().drop_null()
    arms = named.take(pc.array_sort_indices(named))
    index = pc.fill_null(pc.index_in(column, arms), -1)
    return arms.to_pylist(), np.asarray(index, dtype=np.intp)


def _samples(index: npt.NDArray[np.intp], column: pa.Array, *, n_arms: int) -> list[Sample]:
    """Count, mean and variance of the known values of each arm; sums run in row order."""
    if len(column) != len(index):
        raise ValueError(f"{len(column)} outcomes for {len(index)} treatments")
    known = np.asarray(pc.is_valid(column)) & (index >= 0)
    values = np.asarray(pc.fill_null(column.cast(pa.float64()), 0.0))[known]
    if not np.isfinite(values).all():
        raise ValueError("an outcome is not a finite number")
    arm = index[known]
    n = np.bincount(arm, minlength=n_arms)
    mean = np.bincount(arm, weights=values, minlength=n_arms) / np.maximum(n, 1)
    squares = np.bincount(arm, weights=(values - mean[arm]) ** 2, minlength=n_arms)
    variance = squares / np.maximum(n - 1, 1)
    return [Sample(n=int(n[i]), mean=float(mean[i]), variance=float(variance[i])) for i in range(n_arms)]
