"""Interact: the moment, everything that a decision may read, gathered into the columns of one chunk."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np
import pyarrow as pa

from consent import gate
from consent.base.ids import CustomerId
from consent.base.store import Work
from consent.gate import Permits
from consent.register.desk import Desk
from consent.uses import Use
from personalise import commitments, contacts, goodwill, history, wishes
from personalise.contacts import Own
from personalise.history import Counting
from personalise.households import Sharing
from personalise.steps.personalise.holdout import COMPANY, buckets
from personalise.steps.personalise.policy import Policy


def permits(desk: Desk, work: Work, customers: Sequence[CustomerId], policy: Policy, *, at: datetime) -> Permits:
    """Ask the gate what these customers permit of all that the policy needs."""
    return gate.permits(desk, work, customers, policy.scopes, at=at)


def gather(
    desk: Desk, work: Work, permitted: Permits, policy: Policy,
    *, use: Use, at: datetime, own: Own = contacts.NONE, sharing: Sharing | None = None,
) -> pa.Table:  # fmt: skip
    """Gather the chunk that `decide` takes: permitted facts, reasons, buckets, contact counts.

    Args:
        desk: keys and catalogues.
        work: a transaction that can record the use.
        permitted: what the customers permit, of `policy.scopes`.
        policy: what will decide.
        use: why the data are read.
        at: the instant that caps are counted at.
        own: the contact that is judged, of a chunk of one: it doesn't count against itself.
        sharing: what these customers' households had; None where no rule asks for it (`households.read`).
    """
    asked = policy.catalogue.attributes
    known = permitted.catalogue.attributes
    # A newer catalogue may have dropped an attribute that this policy reads, or made another kind of thing of it.
    still = [name for name in policy.attributes if name in known and known[name].type == asked[name].type]
    facts = gate.recall(desk, work, permitted, attributes=still, use=use)
    customers = permitted.customers
    columns = {"customer": facts["customer"]}
    for name in policy.attributes:
        gone = name not in still
        columns[name] = pa.nulls(len(customers), gate.ARROW[asked[name].type]) if gone else facts[name]
    for spot, scope in enumerate(permitted.scopes):
        columns[f"permit:{scope}"] = pa.array(permitted.reasons[:, spot])
    campaign = policy.campaign
    columns["enrolled"] = pa.array(permitted.enrolled)
    columns["bucket"] = pa.array(buckets(customers, salt=campaign.holdout.salt, scope=campaign.key))
    if policy.company_share:
        salt = policy.contact_policy.holdout.salt
        columns["company_bucket"] = pa.array(buckets(customers, salt=salt, scope=COMPANY))
    counting = Counting.of(customers, policy, but=own.decision)
    columns.update(_between(work, customers, policy, at, own=own, counting=counting))
    columns.update(_less_ghosts(work, customers, policy, columns, counting))
    if sharing:
        columns.update(sharing.columns())
    return pa.table(columns)


def _less_ghosts(
    work: Work, customers: Sequence[CustomerId], policy: Policy, columns: Mapping[str, pa.Array], counting: Counting
) -> dict[str, pa.Array]:
    """Return `goodwill` as it decides, in thousandths: of controls less what their ghosts would have cost.

    Their accounts are whole: nothing reached them. But they go through the floor when the others do.
    """
    if not policy.charges or not (policy.share or policy.company_share):
        return {}
    control = np.asarray(columns["bucket"]) < policy.share
    if policy.company_share:
        control |= np.asarray(columns["company_bucket"]) < policy.company_share
    costs = history.ghost_costs(work, customers, counting=counting)
    return {"goodwill": pa.array(np.asarray(columns["goodwill"]) - np.where(control, costs, 0))}


def _between(
    work: Work, customers: Sequence[CustomerId], policy: Policy, at: datetime, *, own: Own, counting: Counting
) -> dict[str, pa.Array]:
    """Gather what was between the company and its customers so far.

    Returns:
        For each of `policy.windows` that counts customers alone `contacts:<key>` and `ghosts:<key>` with
        `contacts_free:<key>` and `ghosts_free:<key>` (ms); for each of `policy.wished` `wish:<channel>`,
        `wish_limit:<channel>` (-1 for none), `wish_free:<channel>`, and the same of each as `ghost_wish…` (what begins
        with `ghost` is what counts for a control: what reached him, and what he was left out of); `own_hours` (minutes
        of the day, `from-until`, with `@` and a time zone where he named one; null for none) where rules of hours bind;
        for each of `policy.families` `committed:<family>` (the hash of the promised terms, null for none),
        `committed_grade:<family>` and `committed_until:<family>` (ms); where
        `policy.charges`, `goodwill` (the accounts, in thousandths of a point), `pressure` and `ghost_pressure`
        (contacts lately); where `policy.quotas`, `last_contact` and `last_ghost` (ms).
    """
    terms = policy.contact_policy.goodwill
    pressure = terms.pressure_days if policy.charges else 0
    wished = wishes.read(work, customers)
    alone = [each for each in policy.windows if each.per == "customer"]
    columns = contacts.counted(
        work, customers, alone, at, counting=counting, pressure_days=pressure, wishes=wished, wished=policy.wished
    )
    if policy.hours:
        columns["own_hours"] = pa.array([wishes.of(wished, each).told for each in customers], type=pa.string())
    if policy.charges:
        balances = goodwill.balances(work, customers, terms) + own.charge
        spots = {customer: spot for spot, customer in enumerate(customers)}
        for over in contacts.lapsed(work, customers, at):  # nobody has given that back yet
            if over.customer in spots:
                balances[spots[CustomerId(over.customer)]] += over.charge
        columns["goodwill"] = pa.array(balances)
    if policy.quotas:
        columns.update(history.last(work, customers, at, counting=counting))
    columns.update(commitments.columns(work, customers, policy.families, at))
    return columns
