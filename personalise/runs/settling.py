"""PURE: a chunk's columns completed by what its customers take from one another: room in quotas, turns of a household.

Members of one household are decided about in the chunk's order, each as if those before him had been reached already;
so many at once are decided as one by one. Where quotas end has to be known for that, and depends in turn on who claims
something: it is looked for until nothing changes. Each look ends some quota sooner than the one before, so there is a
last one, and by it whoever counted in his household is really reached, and nothing is given out beyond what is left.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from personalise.decide import decide
from personalise.households import Sharing
from personalise.runs.ranking import with_cuts
from personalise.steps.personalise.funnel import Funnel
from personalise.steps.personalise.policy import Policy
from personalise.steps.personalise.quotas import Claims, Room, tightened


def settled(
    columns: pa.Table, policy: Policy, at: datetime,
    *, claims: Claims | None, room: Room | None, sharing: Sharing | None, controls: bool,
) -> pa.Table:  # fmt: skip
    """Return the columns that a chunk is decided by.

    Args:
        columns: as they were gathered.
        policy: what decides.
        at: the instant of the decision.
        claims: what the customers would get of the policy's quotas, were there no others; None where it has none.
        room: what the quotas have room for; the same.
        sharing: the households of the chunk; None where no rule counts by them.
        controls: whether what controls would get is among the claims.
    """
    turns = sharing.turns() if sharing else []
    if sharing is None or not turns:
        return columns if claims is None or room is None else with_cuts(columns, policy, room, claims)
    if claims is None or room is None:
        return _in_turn(columns, policy, at, sharing, turns)
    nobody = claims.take(np.empty(0, np.int64))
    while True:
        ready = _in_turn(with_cuts(columns, policy, room, nobody), policy, at, sharing, turns)
        cuts = tightened(Funnel(ready, policy, at).claims(controls=controls), policy.kinds, room)
        if cuts == room.cuts:
            return ready
        room = replace(room, cuts=cuts)


def _in_turn(
    columns: pa.Table, policy: Policy, at: datetime, sharing: Sharing, turns: Sequence[NDArray[np.int64]]
) -> pa.Table:
    reached: list[tuple[int, int]] = []
    for rows in turns:
        now = _with(columns, sharing.columns(reached))
        reached += sharing.reached(rows, np.asarray(decide(now.take(rows), policy, at)["chosen"]))
    return _with(columns, sharing.columns(reached))


def _with(columns: pa.Table, changed: Mapping[str, pa.Array]) -> pa.Table:
    for name, column in changed.items():
        columns = columns.set_column(columns.column_names.index(name), name, column)
    return columns
