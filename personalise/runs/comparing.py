"""Two policies decided over the same customers, in one pass: what would change, for whom, and what it would cost.

Nothing is kept but the record that data were read, once for each policy and chunk.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from consent.base.ids import CustomerId
from consent.base.store import Work
from consent.deployment import Deployment
from consent.register import customers
from consent.uses import Use
from personalise.households import Given
from personalise.runs import chunk
from personalise.runs.crosstab import Crosstab, Side
from personalise.runs.dry_run import CHUNK, Progress, load_policy
from personalise.runs.ranking import ranked
from personalise.steps.personalise.funnel import Funnel
from personalise.steps.personalise.policy import Policy
from personalise.steps.personalise.quotas import Room


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A policy by what it is made of: a campaign's version (0: the newest), and a contact policy's (None: the newest).

    Contact policy 0 is none at all.
    """

    campaign: str
    version: int = 0
    contact_policy: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Two policies, and what becomes of the same customers under each."""

    a: Policy
    b: Policy
    table: Crosstab

    def as_json(self) -> dict[str, Any]:
        """Return the comparison as the faces show it: of each policy what it is made of, and what it comes to."""
        told = self.table.as_json()
        return {**told, "a": {**_made_of(self.a), **told["a"]}, "b": {**_made_of(self.b), **told["b"]}}


def _made_of(policy: Policy) -> dict[str, Any]:
    return {
        "campaign": policy.campaign.key,
        "version": policy.version,
        "contact_policy": policy.contact_policy.version,
        "outcome": policy.campaign.objective.measure,
    }


def compare(
    deployment: Deployment, a: Named, b: Named, *, actor: str, progress: Progress | None = None, most: int = CHUNK
) -> Compared:
    """Decide for everybody by two policies, as of one instant, and keep nothing.

    Args:
        deployment: where.
        a: what is compared from.
        b: what is compared to.
        actor: who asks.
        progress: called after each chunk with how many customers are done, and how many there are.
        most: customers in a chunk. What is found doesn't depend on it, but for the last digits of expected amounts.

    Raises:
        CampaignUnknown: no campaign by that key, or no such version.
        CampaignInvalid, ContactPolicyInvalid: the catalogue has changed, so that one no longer holds.
        ContactPolicyUnknown: no contact policy of that number.
    """
    at = deployment.clock()
    with deployment.store.read() as work:
        first, second = (_load(deployment, work, each) for each in (a, b))
        total = customers.count(work)
    rooms = [ranked(deployment, each, use=_use(each, actor), at=at, most=most) for each in (first, second)]
    passes = [_Pass(each, _use(each, actor), room, Given()) for each, room in zip((first, second), rooms, strict=True)]
    table, after = Crosstab(), ""
    while True:
        with deployment.store.write() as work:
            ids = customers.after(work, after, most)
            if not ids:
                return Compared(a=first, b=second, table=table)
            now = deployment.clock()
            sides = [_decided(deployment, work, ids, each, at=at, now=now) for each in passes]
        table.add(*sides)
        after = ids[-1]
        if progress:
            progress(table.a.counts.customers, total)


def _load(deployment: Deployment, work: Work, named: Named) -> Policy:
    policy, _ = load_policy(
        deployment, work, named.campaign, version=named.version, contact_policy=named.contact_policy
    )
    return policy


def _use(policy: Policy, actor: str) -> Use:
    campaign = policy.campaign
    told = f"comparing {campaign.key}@{policy.version} under contact policy {policy.contact_policy.version}"
    return Use(actor=actor, purpose=campaign.purpose, reason=told)


class _Pass(NamedTuple):
    """One of the two policies on its way over all customers: what its quotas have room for, what households got."""

    policy: Policy
    use: Use
    room: Room | None
    given: Given


def _decided(
    deployment: Deployment, work: Work, ids: Sequence[CustomerId], one: _Pass, *, at: datetime, now: datetime
) -> Side:
    policy = one.policy
    made = chunk.decided(
        deployment.desk, work, ids, policy, use=one.use, at=at, now=now, room=one.room, given=one.given
    )  # fmt: skip
    if one.room:
        one.room.spend(made.spent)
    funnel = Funnel(made.inputs, policy, at)
    chances = {each.key: funnel.chance(each) for each in policy.candidates}
    deferred = len(chunk.waits(made, policy, at)[0])
    return Side(policy=policy, table=made.table, chances=chances, deferred=deferred)
