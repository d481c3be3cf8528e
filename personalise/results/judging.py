"""USE CASE: what a campaign did, by its holdout: effect, opt-outs, complaints, and goodwill spent for each outcome.

The arms are those whom the campaign contacted and those whom it left out by chance, each from his first contact (or the
one he would have had) on, whatever happened later. Outcomes are read through the gate, for the campaign's purpose of
measuring; whoever doesn't permit that counts in the sizes of the arms alone. Who was erased is in neither arm.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa
from numpy.typing import NDArray

from consent import gate
from consent.base.clock import to_ms
from consent.base.errors import Place, RequestUnfit
from consent.base.store import Work
from consent.catalogue.model import Catalogue
from consent.deployment import Deployment
from consent.register import customers
from consent.uses import Use
from personalise import shelf
from personalise.campaigns.model import Campaign
from personalise.contact_policy.model import THOUSANDTHS
from personalise.measure import effects, holdout
from personalise.measure.cuped import Adjusted, Uneven, adjusted
from personalise.measure.effects import Effect, SampleRatio, TooFew, two_proportions
from personalise.measure.holdout import Withheld
from personalise.results.gathering import Asked, Gathered, gather
from personalise.results.model import Arm, Goodwill, Judgement, Results
from personalise.steps.invent.response import numeric
from personalise.steps.personalise.policy import policy
from personalise.tables import RunRow

CHUNK: Final = 5_000

MISPLACED_AT_MOST: Final = 0.01
"""The share of customers who may be in another arm than their ids say: records that were joined explain a few."""

_ONE_IN: Final = 10_000
_NUMBERS: Final = ("number", "integer", "boolean")


def results(
    deployment: Deployment, key: str, *, actor: str, covariate: str = "", together: bool = False, most: int = CHUNK
) -> Results:
    """Measure a campaign by its holdout, over every customer whom it contacted or left out.

    Whom the company held out of all campaigns is in neither arm of one: as it did when the campaign was run last.

    Args:
        deployment: where.
        key: the campaign's; its newest version that was run counts, or the newest at all.
        actor: who asks.
        covariate: a number or flag that was known before the contact: it makes the interval narrower.
        together: by what the campaign measures, all campaigns together are judged by the company's own holdout, from
            when on that has held out whom it holds out now.
        most: customers looked at in one transaction. What is found doesn't depend on it.

    Raises:
        CampaignUnknown: no campaign by that key.
        CampaignInvalid: it was never run, and the catalogue has changed, so that it no longer holds.
        RequestUnfit: the covariate is not a number or flag that may be used for measuring; or the company holds out
            nobody.
    """
    asked, version, changed = _question(deployment, key, actor=actor, covariate=covariate, together=together)
    found, after = Gathered(), ""
    while True:
        with deployment.store.write() as work:
            ids = customers.after(work, after, most)
            gather(work, asked, ids, found)
        if not ids:
            return _judged(asked, version, found, changed=changed)
        after = ids[-1]


def _question(
    deployment: Deployment, key: str, *, actor: str, covariate: str, together: bool
) -> tuple[Asked, int, bool]:
    """Return what is asked, by which version, and whether it held out others meanwhile."""
    with deployment.store.read() as work:
        ran = _ran(work, key)
        version, pinned = max(ran, default=(0, 0))
        catalogues = deployment.desk.catalogues
        in_force = catalogues.current(work)
        read_under = catalogues.version(work, pinned) if pinned else in_force
        campaign, version = shelf.load(work, key, read_under, version=version)
        holdouts = {_holdout(deployment, work, key, *each) for each in ran}
        under = [shelf.NEWEST] if together else _under(work, key)
        companies = [shelf.company_holdout(work, number) for number in under]
        since = _since(work) if together else None
    _check(in_force, campaign, covariate)
    of_all = [scope for scope in in_force.scopes if scope.startswith("contact:")]
    scopes = of_all if together else policy(campaign, version, read_under).scopes
    what = "all campaigns by the company's holdout" if together else f"{key} by its holdout"
    use = Use(actor=actor, purpose=campaign.measurement, reason=f"measuring {what}")
    asked = _asked(deployment, campaign, (read_under, in_force), use, covariate=covariate, scopes=scopes)
    changed = len(set(companies)) > 1 or (len(holdouts) > 1 and not together)
    return replace(asked, company=companies[-1], since=since), version, changed


def _asked(
    deployment: Deployment, campaign: Campaign, catalogues: tuple[Catalogue, Catalogue], use: Use,
    *, covariate: str, scopes: Sequence[str],
) -> Asked:  # fmt: skip
    """Return what is read for it: as the catalogue in force has it, else as the campaign knew it."""
    read_under, in_force = catalogues
    known = {**read_under.attributes, **in_force.attributes}
    names = [campaign.objective.measure, *([covariate] if covariate else [])]
    return Asked(
        deployment=deployment,
        campaign=campaign,
        kinds={name: gate.ARROW[known[name].type] for name in names},
        scopes=tuple(f"use:{known[name].category}:{campaign.measurement}" for name in names),
        covariate=covariate,
        use=use,
        bits=frozenset(in_force.scopes[scope].bit for scope in scopes if scope in in_force.scopes),
    )


def _ran(work: Work, key: str) -> Sequence[tuple[int, int]]:
    """Return the versions that were run, each with a catalogue that it was read under."""
    query = sa.select(RunRow.version, sa.func.max(RunRow.catalogue)).where(RunRow.campaign == key)
    return [(version, catalogue) for version, catalogue in work.connection.execute(query.group_by(RunRow.version))]


def _under(work: Work, key: str) -> Sequence[int]:
    """Return the contact policies that a campaign was run under, in their order; of one that never was, the newest."""
    query = sa.select(RunRow.contact_policy).where(RunRow.campaign == key).distinct()
    return work.connection.execute(query.order_by(RunRow.contact_policy)).scalars().all() or [shelf.NEWEST]


def _since(work: Work) -> int:
    since = shelf.company_holdout_since(work)
    if since is None:
        raise RequestUnfit(places=[Place("/together", "the contact policy in force holds nobody out of all campaigns")])
    return to_ms(since)


def _holdout(deployment: Deployment, work: Work, key: str, version: int, catalogue: int) -> tuple[int, str]:
    read_under = deployment.desk.catalogues.version(work, catalogue)
    held = shelf.load(work, key, read_under, version=version)[0].holdout
    return held.share, held.salt


def _check(catalogue: Catalogue, campaign: Campaign, covariate: str) -> None:
    """Refuse a covariate that can't be calculated with, or that nobody could permit to measure by."""
    if not covariate:
        return
    known = catalogue.attributes.get(covariate)
    why = ""
    if known is None:
        why = "no attribute of that name is in the catalogue"
    elif known.type not in _NUMBERS:
        why = f"is a {known.type}: only a number or a flag can adjust"
    elif covariate in (campaign.objective.measure, campaign.received):
        why = "comes after the contact: only what was known before can adjust"
    elif f"use:{known.category}:{campaign.measurement}" not in catalogue.scopes:
        why = f"the catalogue has no scope use:{known.category}:{campaign.measurement}, so nobody permits it"
    if why:
        raise RequestUnfit(places=[Place("/covariate", why)])


def _judged(asked: Asked, version: int, found: Gathered, *, changed: bool) -> Results:
    objective, together = asked.campaign.objective, asked.since is not None
    share = (asked.company.share if together else asked.campaign.holdout.share) / _ONE_IN
    sides = _sides(asked, found)
    addressed, held_out = (_arm(sides, who) for who in (sides.treated, ~sides.treated))
    assigned, measured = (
        holdout.ratio(a, b, share=share) if 0 < share < 1 else None
        for a, b in ((addressed.customers, held_out.customers), (addressed.known, held_out.known))
    )
    withheld = _withheld(found, assigned, measured, changed=changed)
    goodwill = Goodwill(
        contacts=found.contacts / THOUSANDTHS,
        taken=found.taken / THOUSANDTHS,
        given=found.given / THOUSANDTHS,
        budget=None if together else asked.campaign.goodwill_budget or None,
    )
    return Results(
        campaign=asked.campaign.key,
        together=together,
        version=version,
        outcome=objective.measure,
        flag=pa.types.is_boolean(sides.outcome.type),
        share=share,
        addressed=addressed,
        held_out=held_out,
        misplaced=found.misplaced,
        early=found.early,
        late=found.late,
        untimed=found.untimed,
        sample_ratio=assigned,
        known_ratio=measured,
        withheld=withheld,
        covariate=asked.covariate,
        goodwill=goodwill,
        target=objective.target,
        judgement=Judgement()
        if measured is None or withheld
        else _judgement(asked, sides, (addressed, held_out), goodwill, measured),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sides:
    """Both arms as columns, a row a customer; values are 0 where they aren't known."""

    treated: NDArray[np.bool_]
    opted_out: NDArray[np.bool_]
    complained: NDArray[np.bool_]
    outcome: pa.ChunkedArray
    values: NDArray[np.float64]
    known: NDArray[np.bool_]
    covariate: NDArray[np.float64]
    covariate_known: NDArray[np.bool_]


def _sides(asked: Asked, found: Gathered) -> _Sides:
    facts = pa.concat_tables(found.facts) if found.facts else pa.schema(asked.kinds.items()).empty_table()
    values, known = numeric(facts[asked.campaign.objective.measure])
    covariate, given = numeric(facts[asked.covariate or asked.campaign.objective.measure])
    return _Sides(
        treated=np.array(found.treated, dtype=np.bool_),
        opted_out=np.array(found.opted_out, dtype=np.bool_),
        complained=np.array(found.complained, dtype=np.bool_),
        outcome=facts[asked.campaign.objective.measure],
        values=values,
        known=known,
        covariate=covariate,
        covariate_known=given,
    )


def _arm(sides: _Sides, who: NDArray[np.bool_]) -> Arm:
    known = who & sides.known
    return Arm(
        customers=int(who.sum()),
        known=int(known.sum()),
        mean=float(sides.values[known].mean()) if known.any() else None,
        opted_out=int((who & sides.opted_out).sum()),
        complained=int((who & sides.complained).sum()),
    )


def _withheld(
    found: Gathered, assigned: SampleRatio | TooFew | None, measured: SampleRatio | TooFew | None, *, changed: bool
) -> tuple[Withheld, ...]:
    """Return every reason for which nothing may be concluded."""
    misplaced = found.misplaced > MISPLACED_AT_MOST * (len(found.treated) + found.misplaced)
    faults = (
        (Withheld.HOLDOUT_CHANGED, changed),
        (Withheld.MISPLACED, misplaced),
        (Withheld.SAMPLE_RATIO, isinstance(assigned, SampleRatio) and not assigned.ok),
        (Withheld.KNOWN_RATIO, isinstance(measured, SampleRatio) and not measured.ok),
    )
    return tuple(why for why, faulty in faults if faulty)


def _judgement(
    asked: Asked, sides: _Sides, arms: tuple[Arm, Arm], goodwill: Goodwill, measured: SampleRatio | TooFew
) -> Judgement:
    """Conclude what can be concluded from arms that are sound; of too small ones, nothing."""
    addressed, held_out = arms
    opt_outs = _more(addressed, held_out, addressed.opted_out, held_out.opted_out)
    complaints = _more(addressed, held_out, addressed.complained, held_out.complained)
    effect = measured if isinstance(measured, TooFew) else _effect(sides)
    if isinstance(effect, TooFew):
        return Judgement(effect=effect, opt_outs=opt_outs, complaints=complaints)
    target = asked.campaign.objective.target
    better = holdout.towards(effect, rises=target >= 0)
    return Judgement(
        effect=effect,
        adjusted=_narrowed(sides) if asked.covariate else None,
        opt_outs=opt_outs,
        complaints=complaints,
        per_outcome=holdout.price(goodwill.spent / addressed.customers, better),
        reached=holdout.reached(abs(target), better) if asked.since is None else None,
    )


def _narrowed(sides: _Sides) -> Adjusted | Uneven | TooFew:
    known = sides.known
    return adjusted(sides.treated[known], sides.values[known], sides.covariate[known], sides.covariate_known[known])


def _effect(sides: _Sides) -> Effect | TooFew:
    arms = pa.array(np.where(sides.treated, holdout.ADDRESSED, holdout.HELD_OUT).tolist(), type=pa.string())
    outcome = pc.if_else(pa.array(sides.known), sides.outcome, None)
    [found] = effects.effects(arms, {"outcome": outcome}, control=holdout.HELD_OUT)
    return found.effect


def _more(addressed: Arm, held_out: Arm, these: int, those: int) -> Effect | TooFew:
    return two_proportions(these, addressed.customers, successes_b=those, n_b=held_out.customers)
