"""One policy on its way over all customers, for whoever looks and keeps nothing but the record that data were read."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from consent.base.ids import CustomerId
from consent.base.store import Work
from consent.deployment import Deployment
from consent.uses import Use
from personalise.households import Given
from personalise.runs import chunk
from personalise.runs.chunk import Decided
from personalise.runs.ranking import ranked
from personalise.runs.totals import Side
from personalise.steps.personalise.funnel import Funnel
from personalise.steps.personalise.policy import Policy
from personalise.steps.personalise.quotas import Room


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A policy on its way: why data are read, as of when, what its quotas have room for, what households got so far."""

    policy: Policy
    use: Use
    at: datetime
    room: Room | None
    given: Given = field(default_factory=Given)

    def decided(self, deployment: Deployment, work: Work, ids: Sequence[CustomerId], *, now: datetime) -> Decided:
        """Decide for the next customers in the order of their ids, as if all before them had been kept.

        Args:
            deployment: where.
            work: a transaction that can record the use.
            ids: whom.
            now: the instant that permissions are judged at.
        """
        made = chunk.decided(
            deployment.desk, work, ids, self.policy,
            use=self.use, at=self.at, now=now, room=self.room, given=self.given,
        )  # fmt: skip
        if self.room:
            self.room.spend(made.spent)
        return made

    def side(self, made: Decided) -> Side:
        """Return what was decided as totals count it; the transaction may be over."""
        funnel = Funnel(made.inputs, self.policy, self.at)
        chances = {each.key: funnel.chance(each) for each in self.policy.candidates}
        deferred = len(chunk.waits(made, self.policy, self.at)[0])
        return Side(policy=self.policy, table=made.table, chances=chances, deferred=deferred)


def look(deployment: Deployment, policy: Policy, *, use: Use, at: datetime, most: int) -> Look:
    """Begin to look; where a policy has quotas everybody is ranked first, `most` customers in a transaction."""
    return Look(policy=policy, use=use, at=at, room=ranked(deployment, policy, use=use, at=at, most=most))
