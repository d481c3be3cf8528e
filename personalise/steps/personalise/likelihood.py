"""PURE: how likely each customer's winner was to win, where chances are drawn: an exact sum, no simulation."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from personalise.steps.invent import bandit
from personalise.steps.invent.drawing import drawable
from personalise.steps.invent.response import Response
from personalise.steps.personalise.funnel import Funnel
from personalise.steps.personalise.refusals import Refusals

Floats = NDArray[np.float64]


def likelihood(funnel: Funnel, refused: Refusals, winner: NDArray[np.int16]) -> Floats:
    """Return how likely each customer's winner was to win, leaving alone included: 1, unless chances are drawn.

    Customers who are alike in all that bears on it, which are most, are gone through once.
    """
    model = funnel.policy.model
    likely = np.ones(funnel.rows)
    if not (model and model.samples):
        return likely
    free = funnel.open_to(refused)
    bears = [funnel.column("goodwill"), funnel.pressure] if funnel.policy.charges else []
    bears += funnel.quotas.ties
    groups, whose = np.unique(np.stack([*free, *bears], axis=1).astype(np.int64), axis=0, return_inverse=True)
    for number in range(len(groups)):
        who = np.flatnonzero(whose.ravel() == number)
        chances = _winning(funnel, model, [spot for spot, row in enumerate(free) if row[who[0]]], who[0])
        likely[who] = chances[winner[who]]
    return likely


def _winning(funnel: Funnel, model: Response, contenders: list[int], who: Any) -> Floats:  # noqa: ANN401 -- an index
    """Return how likely each candidate wins with a customer, and, last, that none does: (n_candidates + 1,)."""
    worths = []
    for spot in contenders:
        one = funnel.policy.candidates[spot]
        gained = drawable(model, one.key) * one.offer.value * one.treatment.lever
        worths.append(funnel.quotas.with_room(spot, funnel.less_costs(one, gained, who), who))
    found = np.zeros(len(funnel.policy.candidates) + 1)
    found[[*contenders, -1]] = bandit.winning(worths)
    return found
