"""USE CASES: what came of it. Outcomes read back under their permission; a response model fitted; effects measured."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa

from consent import gate
from consent.base.store import Work
from consent.deployment import Deployment
from consent.gate import Permits
from consent.register import customers
from consent.register.desk import Desk
from consent.uses import Use
from personalise import shelf
from personalise.campaigns.model import Campaign
from personalise.measure import effects as measure
from personalise.measure.effects import ArmEffect, ArmRate
from personalise.steps.invent import response
from personalise.steps.invent.response import NOTHING, Response, TooFew, numeric

CHUNK = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """A model that was fitted and kept: its number, and how many permitted rows it learned from."""

    campaign: str
    version: int
    rows: int
    model: Response


def learn(deployment: Deployment, key: str, *, actor: str) -> Learned | TooFew:
    """Fit the campaign's response model on every customer who permits it, and keep it as the next version.

    A row counts where the customer permits the use of every feature's category for the campaign's purpose, and of the
    outcomes for its measurement; a missing fact leaves the row out.

    Raises:
        CampaignUnknown: no campaign by that key.
    """
    at = deployment.clock()
    with deployment.store.read() as work:
        campaign, _ = shelf.load(work, key, deployment.desk.catalogues.current(work))
    use = Use(actor=actor, purpose=campaign.purpose, reason=f"learning the response model of {key}")
    rows = pa.concat_tables(_rows(deployment, campaign, use, at))
    treatments = [treatment.key for treatment in campaign.treatments]
    model = response.fit(
        {name: numeric(rows[name])[0] for name in campaign.features},
        np.asarray(rows[campaign.received].to_pylist(), dtype=np.str_),
        numeric(rows[campaign.objective.measure])[0] > 0,
        named=campaign.objective.measure,
        treatments=treatments,
    )
    if isinstance(model, TooFew):
        return model
    with deployment.store.write() as work:
        version = shelf.save_model(work, key, model, rows=rows.num_rows, at=at)
    return Learned(campaign=key, version=version, rows=rows.num_rows, model=model)


def _rows(deployment: Deployment, campaign: Campaign, use: Use, at: datetime) -> Iterator[pa.Table]:
    outcomes = (campaign.received, campaign.objective.measure)
    names = (*campaign.features, *outcomes)
    for work, permitted in _chunks(deployment, campaign, names, at):
        facts = _recalled(deployment.desk, work, permitted, campaign, use=use)
        known = np.ones(facts.num_rows, dtype=np.bool_)
        for name in names:
            known &= np.asarray(facts[name].is_valid())
        yield facts.select(list(names)).filter(pa.array(known))


def _chunks(
    deployment: Deployment, campaign: Campaign, names: tuple[str, ...], at: datetime
) -> Iterator[tuple[Work, Permits]]:
    after = ""
    while True:
        with deployment.store.write() as work:
            ids = customers.after(work, after, CHUNK)
            if not ids:
                return
            known = deployment.desk.catalogues.current(work).attributes
            categories = {known[name].category for name in names}
            purposes = (campaign.purpose, campaign.measurement)
            scopes = [f"use:{category}:{purpose}" for category in sorted(categories) for purpose in purposes]
            yield work, gate.permits(deployment.desk, work, ids, scopes, at=at)
            after = ids[-1]


def _recalled(desk: Desk, work: Work, permitted: Permits, campaign: Campaign, *, use: Use) -> pa.Table:
    """Recall features for the campaign's purpose and outcomes for its measurement: two uses, each written down."""
    facts = gate.recall(desk, work, permitted, attributes=campaign.features, use=use)
    measured = Use(actor=use.actor, purpose=campaign.measurement, reason=use.reason)
    outcomes = (campaign.received, campaign.objective.measure)
    told = gate.recall(desk, work, permitted, attributes=outcomes, use=measured)
    for name in outcomes:
        facts = facts.append_column(name, told[name])
    return facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """What treatments did, by the outcomes that came in: rates per arm, and differences to no treatment."""

    outcome: str
    rates: tuple[ArmRate, ...]
    effects: tuple[ArmEffect, ...]


def effects(deployment: Deployment, key: str, *, actor: str) -> Effects:
    """Measure outcomes by the treatment received, over every customer who permits measuring.

    Raises:
        CampaignUnknown: no campaign by that key.
    """
    at = deployment.clock()
    with deployment.store.read() as work:
        campaign, _ = shelf.load(work, key, deployment.desk.catalogues.current(work))
    names = (campaign.received, campaign.objective.measure)
    use = Use(actor=actor, purpose=campaign.measurement, reason=f"measuring the effects of {key}")
    told = []
    for work, permitted in _chunks(deployment, campaign, names, at):
        told.append(gate.recall(deployment.desk, work, permitted, attributes=names, use=use))
    table = pa.concat_tables(told)
    received, outcome = table[campaign.received], table[campaign.objective.measure]
    return Effects(
        outcome=campaign.objective.measure,
        rates=measure.arm_rates(received, outcome),
        effects=measure.effects(received, {campaign.objective.measure: outcome}, control=NOTHING),
    )
