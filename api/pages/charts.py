"""PURE: the geometry of charts, drawn as SVG by the templates: nothing runs in the browser, and all of it prints.

Lengths are in a box that is `WIDTH` wide and stretched to the page; words and numbers stand beside it as text, so that
they stay readable on a phone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

WIDTH: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar: a solid part, and what was lost since the bar before, paler."""

    label: str
    value: str
    solid: int
    lost: int
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Whisker:
    """One estimate with its interval, on an axis shared by all; `zero` is where the axis is crossed."""

    label: str
    value: str
    low: int
    mid: int
    high: int
    zero: int
    known: bool


def length(part: float, whole: float) -> int:
    """Return how long a part of a whole is drawn; what isn't nothing can be seen.

    >>> length(1, 4), length(1, 1_000_000), length(0, 5), length(3, 0)
    (250, 2, 0, 0)
    """
    if not whole or not part:
        return 0
    return max(2, round(WIDTH * part / whole))


def whiskers(
    rows: Sequence[tuple[str, str, tuple[float, float, float] | None]], *, zero: float = 0.0
) -> tuple[Whisker, ...]:
    """Return estimates on one axis that holds all their intervals and `zero`, with a little room at both ends.

    Args:
        rows: label, value in words, and (low, mid, high); None where there is too little to judge.
        zero: what is compared against.

    >>> [(each.low, each.mid, each.high) for each in whiskers([("a", "0.5", (0.0, 0.5, 1.0))])]
    [(45, 500, 955)]
    """
    spans = [span for _, _, span in rows if span is not None]
    low = min([zero, *(span[0] for span in spans)])
    high = max([zero, *(span[2] for span in spans)])
    room = (high - low) * 0.05 or 1.0

    def spot(value: float) -> int:
        return round(WIDTH * (value - low + room) / (high - low + 2 * room))

    return tuple(
        Whisker(
            label=label,
            value=value,
            low=spot(span[0]) if span else 0,
            mid=spot(span[1]) if span else 0,
            high=spot(span[2]) if span else 0,
            zero=spot(zero),
            known=span is not None,
        )
        for label, value, span in rows
    )
