"""USE CASE: decide again for whom something held back for now, once its time has come.

Nothing of the earlier decision is reused but whom it was about and by which version of the campaign: permissions,
facts, history, contact policy and catalogue are what they are now, and a decision of its own is logged. A batch is one
transaction: a worker that is killed in it leaves everything waiting, and two workers decide for nobody twice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from consent.base.clock import to_ms
from consent.base.errors import CampaignInvalid, CampaignUnknown
from consent.base.ids import CustomerId, new_id
from consent.base.store import Work
from consent.deployment import Deployment
from consent.register import mergers
from consent.uses import Use
from personalise import deferrals, halts
from personalise.deferrals import Group, State
from personalise.life import approving, events
from personalise.runs import chunk, log
from personalise.runs.chunk import Carried
from personalise.runs.dry_run import load_policy
from personalise.steps.personalise.policy import Policy

MOST: Final = 1_000
"""Deferrals settled in one transaction."""


def decide_again(deployment: Deployment, *, actor: str, four_eyes: bool, most: int = MOST) -> int:
    """Settle one batch of deferrals that are due: of one version of a campaign, on one channel.

    What expired meanwhile ends as that, and so does what waited for a campaign that was stopped, or for a version that
    holds no more. Who was joined with another record is decided about as the customer that he goes on as.

    Args:
        deployment: where.
        actor: who decides: the worker.
        four_eyes: whether a second person has to have approved the version.
        most: how many.

    Returns:
        How many deferrals were looked at; 0 where nothing is due.

    Raises:
        ContactPolicyInvalid: the contact policy no longer holds under the catalogue in force; nothing was decided.
    """
    at = deployment.clock()
    with deployment.store.write() as work:
        found = deferrals.next_due(work, at, most)
        if found is None:
            return 0
        group, rows = found
        survivors = mergers.survivors(work, [CustomerId(row.customer) for row in rows])
        chunk.locked(work, sorted({survivors.get(row.customer, row.customer) for row in rows}), at=at)
        waiting = deferrals.still_waiting(work, rows)
        deferrals.end(work, (row for row in waiting if row.expires_at <= at), State.EXPIRED, at=at)
        alive = [row for row in waiting if row.expires_at > at]
        alive = _not_stopped(work, group, alive, at=at)
        policy = _policy(deployment, work, group, four_eyes=four_eyes) if alive else None
        if isinstance(policy, State):
            deferrals.end(work, alive, policy, at=at)
        elif policy is not None:
            _decide(deployment, work, policy, alive, survivors, channel=group.channel, actor=actor, at=at)
    return len(rows)


def _not_stopped(work: Work, group: Group, rows: list[Any], *, at: datetime) -> list[Any]:
    """End those that were kept before their version was stopped, and return the others."""
    halted = halts.of(work, group.campaign)
    if not halted.stops:
        return rows
    kept = log.committed(work, (row.decision.partition(".")[0] for row in rows))
    over = [row for row in rows if halted.stopped(group.version, kept.get(row.decision.partition(".")[0], -1))]
    deferrals.end(work, over, State.STOPPED, at=at)
    ended = {row.decision for row in over}
    return [row for row in rows if row.decision not in ended]


def _policy(deployment: Deployment, work: Work, group: Group, *, four_eyes: bool) -> Policy | State:
    """Return what decides now, or why nothing does any more."""
    try:
        policy, _ = load_policy(deployment, work, group.campaign, version=group.version, model=group.model)
        given = events.standing(work, group.campaign).approval_of(group.version)
    except (CampaignInvalid, CampaignUnknown):
        return State.LAPSED
    if four_eyes and not approving.holds(deployment.desk, work, given, four_eyes=True):
        return State.LAPSED
    on_it = tuple(one for one in policy.candidates if group.channel in ("", one.treatment.channel))
    return replace(policy, candidates=on_it) if on_it else State.LAPSED


def _decide(
    deployment: Deployment, work: Work, policy: Policy, rows: Sequence[Any], survivors: Mapping[CustomerId, CustomerId],
    *, channel: str, actor: str, at: datetime,
) -> None:  # fmt: skip
    """Decide for the customers behind some deferrals, in one chunk; who waited twice is decided about once."""
    waited: dict[CustomerId, list[Any]] = {}
    for row in rows:
        waited.setdefault(survivors.get(row.customer, row.customer), []).append(row)
    who = sorted(waited)
    identity = new_id("dec", at)
    use = Use(actor=actor, purpose=policy.campaign.purpose, decision=identity)
    made = chunk.decided(deployment.desk, work, who, policy, use=use, at=at, now=at)
    for spot, customer in enumerate(who):
        deferrals.end(work, waited[customer], State.DECIDED, at=at, again=f"{identity}.{spot}")
    until: dict[str, int] = {customer: min(to_ms(row.expires_at) for row in waited[customer]) for customer in who}
    chunk.keep(
        deployment.desk, work, made, policy, chunk_id=identity, at=at,
        carried=Carried(channel=channel, until=until),
    )  # fmt: skip
