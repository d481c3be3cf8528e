"""The stages of the funnel, in order."""

from enum import IntEnum
from typing import Final


class Stage(IntEnum):
    """Where a candidate leaves. The numbers are stored in decisions: they never change."""

    CHOSEN = 0
    IDENTITY = 1
    HARD_STOPS = 2
    ELIGIBILITY = 3
    PERMISSION = 4
    HOLDOUT = 5
    CONTACT_POLICY = 6
    GOODWILL = 7
    ARBITRATION = 8
    COMMITMENTS = 9
    RESERVE = 10
    DISPATCH = 11


LEAVING: Final = tuple(stage for stage in Stage if Stage.CHOSEN < stage < Stage.RESERVE)
"""The stages at which the decision itself can lose a candidate."""
