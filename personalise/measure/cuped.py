"""CUPED: the same effect with a narrower interval, by what was known of each customer before.

Pure: numbers in, numbers out. What a covariate foretells of an outcome is taken off it, in both arms alike. As chance
made the arms, that moves no mean but by chance, and the covariate's part of the variance is gone.

Source:
    A. Deng, Y. Xu, R. Kohavi, T. Walker, "Improving the Sensitivity of Online Controlled Experiments by Utilizing
    Pre-Experiment Data", WSDM 2013: theta is cov(outcome, covariate) / var(covariate), pooled over the arms.
"""

from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from personalise.measure.effects import Effect, Sample, TooFew, mean_difference

Floats: TypeAlias = NDArray[np.float64]
Mask: TypeAlias = NDArray[np.bool_]

BALANCED_LEVEL: Final = 0.999
"""Where even this interval of the covariate's difference excludes 0, it isn't from before the arms were made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjusted:
    """An effect after adjustment, in the outcome's unit.

    `variance_reduction` is the share of the difference's variance that the covariate took away; below 0 where it added
    some. `known` is of how many customers the covariate was known.
    """

    effect: Effect
    theta: float
    variance_reduction: float
    known: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Uneven:
    """The covariate differs between the arms more than chance makes it: what comes after can't adjust."""

    difference: Effect


def adjusted(
    treated: Mask, outcome: Floats, covariate: Floats, known: Mask, *, level: float = 0.95
) -> Adjusted | Uneven | TooFew:
    """Difference of the mean outcomes, treated minus control, adjusted by a covariate from before.

    A customer whose covariate isn't known keeps his outcome as it is.

    Args:
        treated: (n,) whom the treatment was meant for.
        outcome: (n,) finite.
        covariate: (n,) finite where `known`.
        known: (n,) of whom the covariate is known.
        level: how often the interval covers the truth.

    Raises:
        ValueError: level is not between 0 and 1.

    >>> before = np.arange(80.0)
    >>> treated = np.arange(80) % 2 == 0
    >>> found = adjusted(treated, 2 * before + np.where(treated, 1.0, 0.0) + before % 3, before, before >= 0)
    >>> round(found.effect.difference, 1), found.variance_reduction > 0.99
    (1.0, True)
    """
    arms = treated, ~treated
    uneven = mean_difference(*(_sample(covariate[arm & known]) for arm in arms), level=BALANCED_LEVEL)
    plain = mean_difference(*(_sample(outcome[arm]) for arm in arms), level=level)
    for each in (uneven, plain):
        if isinstance(each, TooFew):
            return each
    if isinstance(uneven, Effect) and not uneven.lower <= 0 <= uneven.upper:
        return Uneven(difference=uneven)
    x, y = covariate[known], outcome[known]
    apart = x - x.mean()
    theta = float((apart * (y - y.mean())).sum() / (apart * apart).sum())
    after = outcome - theta * np.where(known, covariate - x.mean(), 0.0)
    effect = mean_difference(*(_sample(after[arm]) for arm in arms), level=level)
    if isinstance(effect, TooFew):
        return effect
    left = sum(_of_mean(after[arm]) for arm in arms) / sum(_of_mean(outcome[arm]) for arm in arms)
    return Adjusted(effect=effect, theta=theta, variance_reduction=1 - left, known=int(known.sum()))


def _sample(values: Floats) -> Sample:
    n = len(values)
    if n <= 1:
        return Sample(n=n, mean=float(values.sum()), variance=0.0)
    return Sample(n=n, mean=float(values.mean()), variance=float(values.var(ddof=1)))


def _of_mean(values: Floats) -> float:
    return float(values.var(ddof=1)) / len(values)
