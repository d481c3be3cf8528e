"""How small an effect two groups of a size can show: what a campaign can find out at all, before it is run.

Pure: numbers in, numbers out.

Source:
    J. L. Fleiss, B. Levin, M. C. Paik, "Statistical Methods for Rates and Proportions" (3rd ed., 2003), section 4.2:
    the two-sided test of two proportions, pooled under the null hypothesis, without a continuity correction.
"""

from math import sqrt
from typing import Final

from scipy import optimize, special

LEVEL: Final = 0.05
"""How often chance alone may be taken for an effect."""

POWER: Final = 0.8
"""How often an effect that is there should be found."""

_CLOSE: Final = 1e-12


def power(base: float, effect: float, treated: int, held_out: int, *, level: float = LEVEL) -> float:
    """Return how often the two-sided test finds a difference that is there, in [0, 1].

    Args:
        base: the proportion among those held out.
        effect: how much greater it is among those treated; negative, where it is smaller.
        treated: customers in the one group.
        held_out: customers in the other.
        level: how often the test may find what isn't there.

    >>> round(power(0.10, 0.05, 686, 686), 2), round(power(0.10, 0.05, 2_000, 100), 2)
    (0.8, 0.25)
    """
    if treated < 1 or held_out < 1:
        return 0.0
    share, other = base + effect, base
    mean = (treated * share + held_out * other) / (treated + held_out)
    null = sqrt(mean * (1 - mean) * (1 / treated + 1 / held_out))
    true = sqrt(share * (1 - share) / treated + other * (1 - other) / held_out)
    z = -special.ndtri(level / 2)
    if true == 0:  # nothing varies: whatever differs is found
        return float(abs(effect) > z * null)
    above, below = special.ndtr((effect - z * null) / true), special.ndtr((-effect - z * null) / true)
    return float(above + below)


def least_effect(
    base: float, treated: int, held_out: int, *, rises: bool = True, wanted: float = POWER, level: float = LEVEL
) -> float | None:
    """Return the smallest difference that is found `wanted` of the time; None where not even the greatest is.

    Args:
        base: the proportion among those held out.
        treated: customers in the one group.
        held_out: customers in the other.
        rises: whether the proportion is meant to rise, or to fall.
        wanted: how often the difference should be found, in (0, 1).
        level: how often the test may find what isn't there.

    >>> round(least_effect(0.10, 686, 686), 3)
    0.05
    >>> least_effect(0.10, 5, 5, rises=False) is None
    True
    """
    most = 1 - base if rises else base
    sign = 1 if rises else -1

    def short(effect: float) -> float:
        return power(base, sign * effect, treated, held_out, level=level) - wanted

    if most <= _CLOSE or short(most) < 0:
        return None
    return float(optimize.brentq(short, 0.0, most, xtol=_CLOSE))
