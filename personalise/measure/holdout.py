"""A campaign judged by its holdout: whether the arms are sound, what addressing did, and what that cost in goodwill.

Pure: numbers in, numbers out. Everybody counts in the arm that chance gave him, whatever happened later.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from personalise.measure.effects import Effect, SampleRatio, TooFew, sample_ratio

ADDRESSED: Final = "addressed"
HELD_OUT: Final = "held_out"


class Withheld(StrEnum):
    """Why the results are not told: a fault is likelier than chance, so they would mislead."""

    HOLDOUT_CHANGED = "holdout_changed"
    """Versions that ran held out another share, or other customers."""
    MISPLACED = "misplaced"
    """Too many customers are in another arm than their ids say."""
    SAMPLE_RATIO = "sample_ratio"
    """The arms don't have the sizes that the planned share gives."""
    KNOWN_RATIO = "known_ratio"
    """Outcomes are known of one arm more often than of the other."""


class Target(StrEnum):
    """Whether the target was reached."""

    REACHED = "reached"
    MISSED = "missed"
    OPEN = "open"
    """The interval contains the target: can't be said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What one outcome more cost, in the unit of what was spent.

    `each` is None where it can't be said, because the interval of the effect contains 0: then it cost `at_least` that
    much, and no more can be said. Where both are None, nothing was gained at all.
    """

    each: float | None
    at_least: float | None
    at_most: float | None


def ratio(addressed: int, held_out: int, *, share: float) -> SampleRatio | TooFew:
    """Check two arms' sizes against the share that was to be held out, in (0, 1).

    Raises:
        ValueError: a count is negative, or the share is not between 0 and 1.

    >>> ratio(900, 100, share=0.1).ok, ratio(950, 50, share=0.1).ok
    (True, False)
    """
    return sample_ratio({ADDRESSED: addressed, HELD_OUT: held_out}, {ADDRESSED: 1 - share, HELD_OUT: share})


def towards(effect: Effect, *, rises: bool) -> Effect:
    """Return an effect in the direction that is wanted: above 0 is better.

    >>> towards(Effect(difference=-2.0, lower=-3.0, upper=-1.0, level=0.95), rises=False).lower
    1.0
    """
    if rises:
        return effect
    return Effect(difference=-effect.difference, lower=-effect.upper, upper=-effect.lower, level=effect.level)


def price(spent: float, effect: Effect) -> Price:
    """Return what one outcome more cost.

    Args:
        spent: on each customer addressed, on average.
        effect: outcomes more for each customer addressed, in the direction that is wanted.

    >>> price(2.0, Effect(difference=0.05, lower=0.04, upper=0.08, level=0.95))
    Price(each=40.0, at_least=25.0, at_most=50.0)
    >>> price(2.0, Effect(difference=0.05, lower=-0.01, upper=0.08, level=0.95))
    Price(each=None, at_least=25.0, at_most=None)
    """
    if effect.upper <= 0:
        return Price(each=None, at_least=None, at_most=None)
    if effect.lower <= 0:
        return Price(each=None, at_least=spent / effect.upper, at_most=None)
    return Price(each=spent / effect.difference, at_least=spent / effect.upper, at_most=spent / effect.lower)


def reached(target: float, effect: Effect) -> Target:
    """Say whether a target was reached; both in the direction that is wanted."""
    if effect.lower >= target:
        return Target.REACHED
    return Target.MISSED if effect.upper < target else Target.OPEN
