"""A dry run: who would be addressed, who is lost and why. Nothing changes but the record of having looked."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, Protocol

import sqlalchemy as sa

from consent.base.ids import new_id
from consent.base.store import Work
from consent.catalogue.model import Catalogue
from consent.deployment import Deployment
from consent.register import customers
from consent.register.desk import Desk
from consent.uses import Use
from personalise import shelf
from personalise.campaigns.judging import Foreseen
from personalise.campaigns.model import Campaign
from personalise.contact_policy.model import ContactPolicy
from personalise.runs.counts import Counts
from personalise.runs.looking import look
from personalise.runs.samples import MOST, Drawing, End
from personalise.runs.totals import Totals, from_stored, made_of, nothing
from personalise.steps.invent.response import Response
from personalise.steps.personalise.policy import Policy, policy
from personalise.tables import CampaignDryRunRow

CHUNK: Final = 5_000
"""Customers decided in one transaction, unless somebody asks for fewer."""

Progress = Callable[[int, int], None]


class Desked(Protocol):
    """Whatever has the keys and catalogues at hand."""

    @property
    def desk(self) -> Desk:
        """Keys and catalogues."""


def load_policy(
    deployment: Desked,
    work: Work,
    key: str,
    *,
    version: int = 0,
    model: int | None = None,
    catalogue: int = 0,
    contact_policy: int | None = None,
) -> tuple[Policy, int]:
    """Return the policy of a campaign, with its model's number (0: its rules score).

    What isn't pinned is the newest: the campaign's version, its model, the catalogue (0: the one in force), the
    contact policy.

    Raises:
        CampaignUnknown: no campaign by that key.
        CampaignInvalid, ContactPolicyInvalid: the catalogue has changed, so that it no longer holds.
    """
    catalogues = deployment.desk.catalogues
    read_under = catalogues.version(work, catalogue) if catalogue else catalogues.current(work)
    campaign, number = shelf.load(work, key, read_under, version=version)
    fitted, model_number = shelf.load_model(work, key, version=model)
    rules = shelf.load_contact_policy(work, read_under, version=contact_policy)
    compiled = _compiled(_Parts(
        campaign.digest, number, read_under.version, read_under.digest, model_number, fitted.digest if fitted else b"",
        rules.version, rules.body, (campaign, read_under, fitted, rules),
    ))  # fmt: skip
    return compiled, compiled.model_version


@dataclass(frozen=True, slots=True)
class _Parts:
    """What a policy is made of, as a cache's key: the bytes and numbers of its parts, and beside them the parts."""

    campaign: bytes
    version: int
    catalogue: int
    catalogue_digest: bytes
    model: int
    model_digest: bytes
    contact_policy: int
    contact_policy_body: str
    parts: tuple[Campaign, Catalogue, Response | None, ContactPolicy] = field(compare=False, repr=False)


@lru_cache(maxsize=64)
def _compiled(made_of: _Parts) -> Policy:
    campaign, catalogue, model, rules = made_of.parts
    return policy(campaign, made_of.version, catalogue, model, model_version=made_of.model, contact_policy=rules)


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRun:
    """What a campaign's newest version would do: what it comes to, and of each end a few customers, if asked for."""

    policy: Policy
    totals: Totals
    ends: tuple[End, ...] = ()

    @property
    def counts(self) -> Counts:
        """Who would be addressed, who is lost and why."""
        return self.totals.counts

    def as_json(self, *, named: bool) -> dict[str, Any]:
        """Return the dry run as the faces show it; its samples by the customers' ids only where `named`."""
        ends = [each.as_json(named=named) for each in self.ends]
        return {**made_of(self.policy), **self.totals.as_json(), "samples": ends}


def dry_run(
    deployment: Deployment, key: str, *, actor: str, samples: int = 0, progress: Progress | None = None,
    most: int = CHUNK,
) -> DryRun:  # fmt: skip
    """Decide for everybody and keep nothing: no contact, no decision, no cursor.

    That the data were read is written down all the same (`data_use`): looking is a use. And so is what was counted,
    for whoever is to approve the version; customers of the samples are in the answer alone.

    Args:
        deployment: where.
        key: the campaign's.
        actor: who asks.
        samples: customers to show of each end, with why; at most `personalise.runs.samples.MOST`.
        progress: called after each chunk with how many customers are done, and how many there are.
        most: customers in a chunk. What is found doesn't depend on it, but for the last digits of expected amounts.

    Raises:
        CampaignUnknown: no campaign by that key.
    """
    at = deployment.clock()
    with deployment.store.read() as work:
        chosen, _ = load_policy(deployment, work, key)
        total = customers.count(work)
    totals, drawing, after = nothing(chosen), Drawing(policy=chosen, each=min(samples, MOST)), ""
    use = Use(actor=actor, purpose=chosen.campaign.purpose, reason=f"dry run of {key}")
    looks = look(deployment, chosen, use=use, at=at, most=most)
    while True:
        with deployment.store.write() as work:
            ids = customers.after(work, after, most)
            if not ids:
                _keep(work, chosen, totals, actor=actor, at=at)
                return DryRun(policy=chosen, totals=totals, ends=drawing.drawn())
            made = looks.decided(deployment, work, ids, now=deployment.clock())
        side = looks.side(made)
        totals.add(side)
        drawing.add(side)
        after = ids[-1]
        if progress:
            progress(totals.counts.customers, total)


def _keep(work: Work, chosen: Policy, totals: Totals, *, actor: str, at: datetime) -> None:
    """Keep that somebody looked, and what he saw: whoever approves the version asks for it."""
    row = {
        "campaign": chosen.campaign.key, "id": new_id("dry", at), "version": chosen.version,
        "catalogue": chosen.catalogue.version, "policy": chosen.digest, "at": at, "actor": actor,
        "counts": totals.stored(),
    }  # fmt: skip
    work.connection.execute(sa.insert(CampaignDryRunRow).values(**row))


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """That somebody looked at a version, and what he saw."""

    version: int
    catalogue: int
    at: datetime
    actor: str
    counts: Counts
    totals: Totals | None
    """None of before they were kept."""


def last(work: Work, key: str, version: int, *, before: datetime | None = None) -> Looked | None:
    """Return the last dry run of a version (the last until a time); None where nobody has looked."""
    row = CampaignDryRunRow
    query = sa.select(row.catalogue, row.at, row.actor, row.counts).where(row.campaign == key, row.version == version)
    if before is not None:
        query = query.where(row.at <= before)
    found = work.connection.execute(query.order_by(row.at.desc(), row.catalogue.desc(), row.id.desc()).limit(1)).first()
    if found is None:
        return None
    counts, totals = from_stored(found.counts)
    return Looked(
        version=version, catalogue=found.catalogue, at=found.at, actor=found.actor, counts=counts, totals=totals
    )  # fmt: skip


def foreseen(work: Work, key: str, version: int, *, before: datetime | None = None) -> Foreseen | None:
    """Return what the check asks of the last dry run of a version; None where nobody has looked."""
    seen = last(work, key, version, before=before)
    if seen is None:
        return None
    return Foreseen(
        version=version, catalogue=seen.catalogue, at=seen.at, addressed=seen.counts.chosen.total(),
        held_out=seen.counts.arm,
    )  # fmt: skip
