"""Two policies decided over the same customers, in one pass: what would change, for whom, and what it would cost.

Nothing is kept but the record that data were read, once for each policy and chunk.
"""

from dataclasses import dataclass
from typing import Any

from consent.base.store import Work
from consent.deployment import Deployment
from consent.register import customers
from consent.uses import Use
from personalise.runs.crosstab import Crosstab, between
from personalise.runs.dry_run import CHUNK, Progress, load_policy
from personalise.runs.looking import look
from personalise.runs.totals import made_of
from personalise.steps.personalise.policy import Policy


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
        return {**told, "a": {**made_of(self.a), **told["a"]}, "b": {**made_of(self.b), **told["b"]}}


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
    looks = [look(deployment, each, use=_use(each, actor), at=at, most=most) for each in (first, second)]
    table, after = between(first, second), ""
    while True:
        with deployment.store.write() as work:
            ids = customers.after(work, after, most)
            if not ids:
                return Compared(a=first, b=second, table=table)
            now = deployment.clock()
            made = [each.decided(deployment, work, ids, now=now) for each in looks]
        a_side, b_side = (each.side(one) for each, one in zip(looks, made, strict=True))
        table.add(a_side, b_side)
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
