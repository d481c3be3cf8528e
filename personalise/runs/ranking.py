"""The ranking: a pass over all customers that reserves nothing and finds where each quota of a campaign ends.

What a run will give out is set aside for it when it is ranked, and the cuts are kept with the run: its chunks go by
them, in whatever order and however often it was killed. Where meanwhile somebody else came to claim, a chunk's cuts are
tighter, so that no more is given out than was set aside.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import pyarrow as pa

from consent.base.store import Work
from consent.deployment import Deployment
from consent.register import customers
from consent.register.desk import Desk
from consent.uses import Use
from personalise import households, moment, quotas
from personalise.steps.personalise.claiming import CUT
from personalise.steps.personalise.funnel import Funnel
from personalise.steps.personalise.policy import Policy
from personalise.steps.personalise.quotas import OPEN, Claims, Cut, Ranking, Room, tightened


class Aside(NamedTuple):
    """One quota in a run: what is left of what was set aside, what was taken then, and the cut."""

    key: str
    version: int
    left: int
    taken: int
    cut: Cut | None


def stored(room: Room, policy: Policy) -> str:
    """Return a run's room as text for its row; "" where there are no quotas."""
    several = [
        Aside(each.key, each.version, room.left[each.key], room.taken[each.key], room.cuts.get(each.key))
        for each in policy.quotas
    ]
    return json.dumps(several) if several else ""


def set_aside(text: str) -> list[Aside]:
    """Return what `stored` wrote; nothing for a run that has no quotas, or isn't ranked yet."""
    several = json.loads(text or "[]")
    return [Aside(key, version, left, taken, cut and Cut(*cut)) for key, version, left, taken, cut in several]


def from_stored(text: str) -> Room:
    """Return the room that `stored` wrote."""
    several = set_aside(text)
    return Room(
        left={each.key: each.left for each in several},
        taken={each.key: each.taken for each in several},
        cuts={each.key: each.cut for each in several if each.cut},
    )


def given_back(work: Work, campaign: str, text: str) -> None:
    """Give back what a run had set aside and didn't use."""
    quotas.take(work, campaign, {each: -each.left for each in set_aside(text) if each.left})


def emptied(text: str) -> str:
    """Return the same with nothing left."""
    return json.dumps([each._replace(left=0) for each in set_aside(text)]) if text else ""


@dataclass(slots=True, kw_only=True)
class Pass:
    """A pass over all customers for one policy; `step` goes on until it says that there is nobody left."""

    policy: Policy
    use: Use
    at: datetime
    ranking: Ranking | None = None
    after: str = ""

    def step(self, desk: Desk, work: Work, *, most: int, now: datetime) -> bool:
        """Rank the next customers, in a transaction that can record the use; False where there are none."""
        if self.ranking is None:
            self.ranking = Ranking(self.policy.kinds, quotas.room(work, self.policy, now).left)
        ids = customers.after(work, self.after, most)
        if not ids:
            return False
        permitted = moment.permits(desk, work, ids, self.policy, at=max(self.at, now))
        sharing = households.read(work, permitted, self.policy, at=self.at, lock=False)
        columns = moment.gather(desk, work, permitted, self.policy, use=self.use, at=self.at, sharing=sharing)
        self.ranking.add(Funnel(columns, self.policy, self.at).claims(controls=False))
        self.after = ids[-1]
        return True

    def room(self, work: Work, *, now: datetime | None = None) -> Room:
        """Return what those who were ranked get of what there is left: locked, to be set aside; or looked at `now`."""
        stands = quotas.room(work, self.policy, now) if now else quotas.locked_room(work, self.policy)
        ranking = self.ranking or Ranking(self.policy.kinds, stands.left)
        return ranking.room(stands.left, stands.taken)


def ranked(deployment: Deployment, policy: Policy, *, use: Use, at: datetime, most: int) -> Room | None:
    """Rank everybody and set nothing aside, for who looks and doesn't decide; None where there are no quotas."""
    if not policy.quotas:
        return None
    ranking = Pass(policy=policy, use=use, at=at)
    going = True
    while going:
        with deployment.store.write() as work:
            going = ranking.step(deployment.desk, work, most=most, now=deployment.clock())
            if not going:
                return ranking.room(work, now=deployment.clock())
    raise AssertionError  # pragma: no cover -- the loop returns


def with_cuts(columns: pa.Table, policy: Policy, room: Room, claims: Claims) -> pa.Table:
    """Return a chunk's columns with what is taken of each quota, and where its cut is for these customers."""
    cuts = tightened(claims, policy.kinds, room)
    made: dict[str, pa.Array] = {}
    for each in policy.quotas:
        values: Mapping[str, object] = dict(zip(CUT, cuts.get(each.key, OPEN), strict=True))
        for name, value in (("taken", room.taken[each.key]), *values.items()):
            kind = {float: pa.float64(), int: pa.int64(), str: pa.string()}[type(value)]
            made[f"{name}:{each.key}"] = pa.repeat(pa.scalar(value, kind), columns.num_rows)
    for name, column in made.items():
        columns = columns.append_column(name, column)
    return columns
