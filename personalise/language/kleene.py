"""Three-valued logic over columns: true, false, and UNKNOWN, which is neither.

Source:
    S. C. Kleene, "On notation for ordinal numbers", Journal of Symbolic Logic 3 (1938): strong three-valued logic.
    ISO/IEC 9075-2 (SQL), boolean values: the same tables.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from personalise.language.cells import Bits, Mask, both


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Truth:
    """A condition's answer for each customer: two arrays, (n_customers,), never both set; neither is UNKNOWN."""

    true: Mask
    false: Mask

    @property
    def unknown(self) -> Mask:
        """Where the answer is neither."""
        return ~(self.true | self.false)


def settled(asked: Bits) -> Truth:
    """Return true and false where the answer is known."""
    # known > values is `known & ~values` in one pass
    return Truth(true=both(asked.values, asked.known), false=np.greater(asked.known, asked.values))


def negated(of: Truth) -> Truth:
    """Return NOT: unknown stays unknown."""
    return Truth(true=of.false, false=of.true)


def conjunction(parts: Sequence[Truth]) -> Truth:
    """Return AND: false where one part is false, whatever the others are.

    >>> yes, unknown = (Truth(true=np.array([it]), false=np.array([False])) for it in (True, False))
    >>> [conjunction(pair).false.tolist() for pair in ([unknown, negated(yes)], [unknown, yes])]
    [[True], [False]]
    """
    true, false = parts[0].true, parts[0].false
    for part in parts[1:]:
        true = both(true, part.true)
        false = false | part.false
    return Truth(true=true, false=false)


def same(left: Truth, right: Truth) -> Truth:
    """Return where both are known and equal, and where both are known and not."""
    return Truth(
        true=(left.true & right.true) | (left.false & right.false),
        false=(left.true & right.false) | (left.false & right.true),
    )
