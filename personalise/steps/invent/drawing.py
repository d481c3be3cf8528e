"""PURE: what the chance of a candidate can be drawn as, by a model of arms."""

import numpy as np
from numpy.typing import NDArray

from personalise.campaigns.model import NOTHING
from personalise.steps.invent import bandit
from personalise.steps.invent.response import Response


def drawable(model: Response, key: str) -> NDArray[np.float64]:
    """Return every value that a candidate's chance can be drawn as, less what would come anyway: (DRAWS,), rising."""
    nothing = model.arms[NOTHING]
    anyway = bandit.expected(round(nothing.rate * nothing.rows), nothing.rows)
    return np.asarray(model.arms[key].draws) / bandit.UNIT - anyway
