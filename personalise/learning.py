"""USE CASES: what came of it. Outcomes read back under their permission; a response model fitted; effects measured."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypedDict

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from consent import gate
from consent.base.store import Work
from consent.catalogue.model import Catalogue
from consent.deployment import Deployment
from consent.gate import Permits
from consent.register import customers
from consent.uses import Use
from personalise import shelf
from personalise.campaigns.model import NOTHING, Campaign
from personalise.measure import effects as measure
from personalise.measure.effects import ArmEffect, ArmMean, ArmRate
from personalise.steps.invent import fitting
from personalise.steps.invent.fitting import TooFew
from personalise.steps.invent.response import Response, numeric

CHUNK = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """A model that was fitted and kept: its number, and how many permitted rows it learned from."""

    campaign: str
    version: int
    rows: int
    model: Response


def learn(deployment: Deployment, key: str, *, actor: str, most: int = CHUNK) -> Learned | TooFew:
    """Fit what the campaign's scorer needs on every customer who permits it, and keep it as the next version.

    A row counts where the customer permits the use of the outcomes for the campaign's measurement, and of every
    feature's category for its purpose; a missing fact leaves the row out of the whole model. Models on fewer features
    learn from whoever permits those. Thompson sampling needs nothing but outcomes by arm.

    Raises:
        CampaignUnknown: no campaign by that key.
    """
    at = deployment.clock()
    with deployment.store.read() as work:
        campaign, _ = shelf.load(work, key, deployment.desk.catalogues.current(work))
    use = Use(actor=actor, purpose=campaign.purpose, reason=f"learning the response model of {key}")
    desk, outcomes = deployment.desk, (campaign.received, campaign.objective.measure)
    measured = Use(actor=actor, purpose=campaign.measurement, reason=use.reason)

    def recalled(work: Work, permitted: Permits) -> pa.Table:
        """Recall features for the campaign's purpose, outcomes for its measurement: two uses, each written down."""
        facts = gate.recall(desk, work, permitted, attributes=features, use=use)
        told = gate.recall(desk, work, permitted, attributes=outcomes, use=measured)
        for name in outcomes:
            facts = facts.append_column(name, told[name])
        return _with_outcome(facts, campaign)

    features = () if campaign.scorer == "thompson" else campaign.features
    rows = _gathered(deployment, campaign, features, at=at, most=most, recalled=recalled)
    model, count = _fitted(campaign, rows)
    if isinstance(model, TooFew):
        return model
    with deployment.store.write() as work:
        version = shelf.save_model(work, key, model, rows=count, at=at)
    return Learned(campaign=key, version=version, rows=count, model=model)


def _fitted(campaign: Campaign, rows: pa.Table) -> tuple[Response | TooFew, int]:
    """Return what the campaign's scorer needs, and on how many rows it was fitted."""
    received = np.asarray(rows[campaign.received].to_pylist(), dtype=np.str_)
    outcome = numeric(rows[campaign.objective.measure])[0] > 0
    about: _About = {
        "named": campaign.objective.measure, "treatments": [treatment.key for treatment in campaign.treatments],
    }  # fmt: skip
    if campaign.scorer == "thompson":
        return fitting.counted(received, outcome, **about), rows.num_rows
    features = {name: numeric(rows[name]) for name in campaign.features}
    whole = np.ones(rows.num_rows, dtype=np.bool_)
    for _, known in features.values():
        whole &= known
    complete = {name: values[whole] for name, (values, _) in features.items()}
    model = fitting.fit(complete, received[whole], outcome[whole], **about)
    if isinstance(model, Response):
        model = replace(model, subsets=fitting.fit_subsets(features, received, outcome, **about))
    return model, int(whole.sum())


class _About(TypedDict):
    named: str
    treatments: list[str]


def _with_outcome(facts: pa.Table, campaign: Campaign) -> pa.Table:
    """Keep the rows whose outcome and arm are known; a number that can't be calculated with is not."""
    known = np.asarray(facts[campaign.received].is_valid()) & numeric(facts[campaign.objective.measure])[1]
    return facts.filter(pa.array(known))


def _gathered(
    deployment: Deployment,
    campaign: Campaign,
    features: Sequence[str],
    *,
    at: datetime,
    most: int,
    recalled: Callable[[Work, Permits], pa.Table],
) -> pa.Table:
    """Gather what `recalled` gives of every customer, chunks of `most`, each in a transaction of its own."""
    tables: list[pa.Table] = []
    after = ""
    while True:
        with deployment.store.write() as work:
            ids = customers.after(work, after, most)
            if not ids and tables:
                return pa.concat_tables(tables)
            scopes = _scopes(deployment.desk.catalogues.current(work), campaign, features)
            tables.append(recalled(work, gate.permits(deployment.desk, work, ids, scopes, at=at)))
        if not ids:  # nobody is enrolled: a table without rows
            return tables[0]
        after = ids[-1]


def _scopes(catalogue: Catalogue, campaign: Campaign, features: Sequence[str]) -> list[str]:
    outcomes = (campaign.received, campaign.objective.measure)
    known = catalogue.attributes
    asked = [(name, campaign.purpose) for name in features] + [(name, campaign.measurement) for name in outcomes]
    return [f"use:{known[name].category}:{purpose}" for name, purpose in asked if name in known]


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """What a campaign's treatments did, by the outcomes that came in: what each came to, and differences to none.

    What an arm comes to is a rate of a flag, and of a number a mean.
    """

    outcome: str
    flag: bool
    rates: tuple[ArmRate, ...]
    means: tuple[ArmMean, ...]
    effects: tuple[ArmEffect, ...]

    def as_json(self) -> dict[str, Any]:
        """Return them as the faces show them."""
        return {
            "rates": [each.as_json() for each in self.rates],
            "means": [each.as_json() for each in self.means],
            "effects": [each.as_json() for each in self.effects],
        }


def effects(deployment: Deployment, key: str, *, actor: str, most: int = CHUNK) -> Effects:
    """Measure outcomes by the treatment received, over every customer who permits measuring.

    Who received what another campaign gave, and what the newest version doesn't have any more, is left out.

    Raises:
        CampaignUnknown: no campaign by that key.
    """
    at = deployment.clock()
    with deployment.store.read() as work:
        campaign, _ = shelf.load(work, key, deployment.desk.catalogues.current(work))
    names = (campaign.received, campaign.objective.measure)
    use = Use(actor=actor, purpose=campaign.measurement, reason=f"measuring the effects of {key}")

    def recalled(work: Work, permitted: Permits) -> pa.Table:
        return gate.recall(deployment.desk, work, permitted, attributes=names, use=use)

    table = _gathered(deployment, campaign, (), at=at, most=most, recalled=recalled)
    arms = pa.array([NOTHING, *(each.key for each in campaign.treatments)])
    table = table.filter(pc.is_in(table[campaign.received], value_set=arms))
    received, outcome = table[campaign.received], table[campaign.objective.measure]
    flag = pa.types.is_boolean(outcome.type)
    return Effects(
        outcome=campaign.objective.measure,
        flag=flag,
        rates=measure.arm_rates(received, outcome) if flag else (),
        means=() if flag else measure.arm_means(received, outcome),
        effects=measure.effects(received, {campaign.objective.measure: outcome}, control=NOTHING),
    )
