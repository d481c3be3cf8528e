"""PURE: refusals as columns of small numbers, put together without a branch a cell.

Inside the funnel a refusal is the rule's number less one, and the type's largest number stands for none. So of two
stages the one that refuses first is the smaller number, and `np.minimum` finds it; adding one gives the numbers of
`policy.rules`, where 0 is none. `np.where` would say the same: on masks without order, which permissions are, its
branches are guessed wrong every other time, and it takes fifty times as long.
"""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Refusals: TypeAlias = NDArray[np.uint8] | NDArray[np.uint16]
"""The rule that refuses each customer, counted from 0; `Numbering.none` where none does."""

Mask: TypeAlias = NDArray[np.bool_]


class Numbering:
    """The numbers that refusals by a policy's rules have, in the smallest type that holds them."""

    __slots__ = ("_number", "kind", "none")

    def __init__(self, rules: Sequence[str]) -> None:
        """Number the rules; the first of them is the name of no rule."""
        self.kind: Any = np.uint8 if len(rules) <= np.iinfo(np.uint8).max else np.uint16
        self.none = int(np.iinfo(self.kind).max)
        self._number = {rule: number - 1 for number, rule in enumerate(rules) if number}

    def by(self, rule: str, mask: Mask) -> Refusals:
        """Return a refusal by a rule where the mask is set, and none elsewhere.

        >>> Numbering(["", "audience", "eligibility"]).by("eligibility", np.array([True, False])).tolist()
        [1, 255]
        """
        # All bits are set where the mask isn't; 0 elsewhere takes the bits of the number.
        bits: Any = mask.astype(self.kind)
        bits -= 1
        bits |= self._number[rule]
        refused: Refusals = bits
        return refused

    def numbers(self, refusals: Refusals) -> Refusals:
        """Return the rules' numbers in `policy.rules`, 0 where none refuses."""
        numbers: Refusals = refusals + 1  # the largest number goes over to 0
        return numbers


def first(*refusals: Refusals, none: int) -> Refusals:
    """Return, for each customer, the first of several refusals that need not be in the order of their numbers.

    >>> first(np.array([255, 7], np.uint8), np.array([3, 3], np.uint8), none=255).tolist()
    [3, 7]
    """
    found = refusals[-1]
    for earlier in reversed(refusals[:-1]):
        found = np.where(earlier != none, earlier, found)
    return found


def zero_unless(mask: Mask, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the values where the mask is set, and 0.0 elsewhere, whatever stands there.

    >>> zero_unless(np.array([True, False]), np.array([0.5, np.nan])).tolist()
    [0.5, 0.0]
    """
    kept = mask.astype(np.int64)
    np.negative(kept, out=kept)  # all bits where it is set, none elsewhere
    kept &= values.view(np.int64)
    return kept.view(np.float64)
