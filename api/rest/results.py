"""`/api/v1/campaigns`: what a campaign would do, what another policy would, and what came of it.

All three are posts, for each of them is recorded: that somebody looked at whom a campaign would reach, or that outcomes
were read. What is counted is told as lists, each count beside what it counts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from flask import Blueprint, Response
from marshmallow import fields

from api.actors import actor
from api.rest.contract import Contract, answer, contract
from api.rest.incoming import body, no_query
from api.rest.shapes import Choice, Flag, Form, Items, Part, Shape, Text, Whole
from api.rest.verdicts import LARGEST
from api.roles import action
from api.wiring import here
from personalise import learning
from personalise.measure.holdout import Target, Withheld
from personalise.results import judging
from personalise.runs import comparing, dry_run
from personalise.runs.comparing import Named

KEY: Final = r"^[a-z][a-z0-9_-]{0,62}$"

blueprint: Final = Blueprint("results", __name__, url_prefix="/api/v1")


def _number(**more: Any) -> fields.Float:  # noqa: ANN401 -- a field's own options
    return fields.Float(required=True, **more)


class CountForm(Form):
    """How many customers, of what."""

    name = Text(1, 200, required=True)
    customers = Whole(0, LARGEST, required=True)


class LeftForm(Form):
    """How many customers there are, and where some of them leave the funnel, by the rule."""

    customers = Whole(0, LARGEST, required=True)
    stages = Items(Part(CountForm), 0, LARGEST, required=True)
    reasons = Items(Part(CountForm), 0, LARGEST, required=True)


class CountsForm(LeftForm):
    """What becomes of all customers: chosen for a treatment, or gone at one stage. The numbers add up."""

    chosen = Items(Part(CountForm), 0, LARGEST, required=True, metadata={"description": "by treatment"})
    left_alone = Whole(0, LARGEST, required=True)
    holdout = Whole(
        0, LARGEST, required=True, metadata={"description": "held out by chance, by the campaign or the company"}
    )
    ghosts = Whole(
        0, LARGEST, required=True,
        metadata={
            "description": "of those whom the campaign holds out: whom it would otherwise address. They are the arm "
            "`held_out` of its results"
        },
    )  # fmt: skip
    company_ghosts = Whole(
        0, LARGEST, required=True,
        metadata={
            "description": "likewise of those whom the company holds out: in no arm of one campaign's results"
        },
    )  # fmt: skip


class DryRunForm(CountsForm):
    """What a campaign's newest version would do."""

    campaign = Text(1, 63, KEY, required=True)


class ComparedPolicyForm(Form):
    """A policy, by what it is made of."""

    campaign = Text(1, 63, KEY, "is not a campaign's key", required=True)
    version = Whole(1, LARGEST, metadata={"description": "of the campaign; the newest, where left out"})
    contact_policy = Whole(0, LARGEST, metadata={"description": "its version; the newest, where left out; 0 is none"})


class CompareForm(Form):
    """Two policies to decide by."""

    a = Part(ComparedPolicyForm, required=True)
    b = Part(ComparedPolicyForm, required=True)


class TotalsForm(CountsForm):
    """What one policy comes to."""

    campaign = Text(1, 63, KEY, required=True)
    version = Whole(1, LARGEST, required=True)
    contact_policy = Whole(0, LARGEST, required=True)
    outcome = Text(1, 63, required=True)
    contacts = Items(Part(CountForm), 0, LARGEST, required=True, metadata={"description": "by channel"})
    expected_outcomes = _number(allow_none=True)
    expected_value = _number(allow_none=True)
    worth = _number(allow_none=True)
    goodwill = _number(allow_none=True, metadata={"description": "that contacts would cost; null: nothing is priced"})
    below_floor = Whole(0, LARGEST, required=True, allow_none=True)


class MoveForm(Form):
    """How many customers go from what under A to what under B."""

    from_ = Text(1, 200, required=True, data_key="from")
    to = Text(1, 200, required=True)
    customers = Whole(0, LARGEST, required=True)


class ComparisonForm(Form):
    """What becomes of the same customers under two policies."""

    a = Part(TotalsForm, required=True)
    b = Part(TotalsForm, required=True)
    changed = Whole(0, LARGEST, required=True)
    moves = Items(Part(MoveForm), 0, LARGEST, required=True)
    gain = Part(LeftForm, required=True, metadata={"description": "whom B addresses and A loses, by where"})
    lose = Part(LeftForm, required=True, metadata={"description": "whom A addresses and B loses, by where"})


class MeasureForm(Form):
    """By what to adjust, and whether all campaigns are judged together."""

    covariate = Text(1, 63, metadata={"description": "a number or flag, known before the contact: a narrower interval"})
    together = Flag(
        metadata={"description": "all campaigns, by the company's own holdout, in place of this one by its own"}
    )


class FewForm(Form):
    """What there was too little of."""

    what = Text(1, 200, required=True)
    had = Whole(0, LARGEST, required=True)
    needed = Whole(0, LARGEST, required=True)


class DifferenceForm(Form):
    """A difference with its interval; where there are too few to judge, only `too_few`."""

    difference = fields.Float()
    lower = fields.Float()
    upper = fields.Float()
    level = fields.Float(metadata={"description": "of the interval, such as 0.95"})
    too_few = Part(FewForm)


class AdjustedForm(Form):
    """The effect, adjusted by the covariate; or `uneven`, as it differs between the arms; or `too_few`."""

    effect = Part(DifferenceForm)
    theta = fields.Float()
    variance_reduction = fields.Float()
    known = Whole(0, LARGEST)
    uneven = Part(DifferenceForm)
    too_few = Part(FewForm)


class RatioForm(Form):
    """Whether the arms have the sizes that the plan gives them; or `too_few`."""

    p_value = fields.Float()
    ok = Flag()
    too_few = Part(FewForm)


class ArmForm(Form):
    """One arm of the holdout's experiment."""

    customers = Whole(
        0, LARGEST, required=True,
        metadata={
            "description": "each once, by whatever run or live decision: contacted, or held out of a contact (`ghosts`)"
        },
    )  # fmt: skip
    known = Whole(0, LARGEST, required=True, metadata={"description": "of whom the outcome is known"})
    mean = _number(allow_none=True)
    opted_out = Whole(0, LARGEST, required=True)
    complained = Whole(0, LARGEST, required=True)


class SpentForm(Form):
    """Goodwill that a campaign took and gave, in points."""

    contacts = _number()
    taken = _number()
    given = _number()
    budget = _number(allow_none=True)
    spent = _number()


class PriceForm(Form):
    """What one outcome more cost; `each` is null where that can't be said."""

    each = _number(allow_none=True)
    at_least = _number(allow_none=True)
    at_most = _number(allow_none=True)


class HoldoutForm(Form):
    """What a campaign did, by its holdout. Where something is `withheld`, nothing is concluded."""

    together = Flag(required=True, metadata={"description": "all campaigns were judged, by the company's own holdout"})
    version = Whole(1, LARGEST, required=True)
    outcome = Text(1, 63, required=True)
    flag = Flag(required=True, metadata={"description": "the outcome is a yes or no, so that its mean is a share"})
    share = _number()
    addressed = Part(ArmForm, required=True)
    held_out = Part(ArmForm, required=True)
    misplaced = Whole(0, LARGEST, required=True)
    early = Whole(0, LARGEST, required=True)
    late = Whole(0, LARGEST, required=True)
    untimed = Whole(0, LARGEST, required=True)
    sample_ratio = Part(RatioForm, required=True, allow_none=True)
    known_ratio = Part(RatioForm, required=True, allow_none=True)
    withheld = Items(Choice(Withheld), 0, len(Withheld), required=True)
    effect = Part(DifferenceForm, required=True, allow_none=True)
    covariate = Text(1, 63, required=True, allow_none=True)
    adjusted = Part(AdjustedForm, required=True, allow_none=True)
    opt_outs = Part(DifferenceForm, required=True, allow_none=True)
    complaints = Part(DifferenceForm, required=True, allow_none=True)
    goodwill = Part(SpentForm, required=True)
    goodwill_per_outcome = Part(PriceForm, required=True, allow_none=True)
    target = _number()
    reached = Choice(Target, required=True, allow_none=True)


class RateForm(Form):
    """How often the outcome came with one treatment, among those of whom it is known."""

    arm = Text(1, 63, required=True)
    n = Whole(0, LARGEST, required=True)
    successes = Whole(0, LARGEST, required=True)
    rate = _number(allow_none=True)
    lower = _number()
    upper = _number()


class MeanForm(Form):
    """What the number came to with one treatment, on average, among those of whom it is known."""

    arm = Text(1, 63, required=True)
    n = Whole(0, LARGEST, required=True)
    mean = _number(allow_none=True)
    lower = _number(allow_none=True)
    upper = _number(allow_none=True)


class ArmEffectForm(Form):
    """What one treatment did against none; one of `effect` and `too_few` is null."""

    outcome = Text(1, 63, required=True)
    arm = Text(1, 63, required=True)
    n = Whole(0, LARGEST, required=True)
    n_control = Whole(0, LARGEST, required=True)
    effect = Part(DifferenceForm, required=True, allow_none=True)
    too_few = Part(FewForm, required=True, allow_none=True)


class ResultsForm(Form):
    """What came of a campaign."""

    campaign = Text(1, 63, KEY, required=True)
    rates = Items(Part(RateForm), 0, LARGEST, required=True, metadata={"description": "of a flag"})
    means = Items(Part(MeanForm), 0, LARGEST, required=True, metadata={"description": "of a number"})
    effects = Items(Part(ArmEffectForm), 0, LARGEST, required=True)
    holdout = Part(HoldoutForm, required=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Two policies to be compared."""

    a: Mapping[str, Any]
    b: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """By what the effect is to be adjusted, and of what: of the campaign, or of all together."""

    covariate: str = ""
    together: bool = False


COMPARE: Final = Shape(CompareForm, Asked)
MEASURE: Final = Shape(MeasureForm, Measured)


@blueprint.post("/campaigns/<campaign>:dry-run")
@action("campaigns.dry_run")
@contract(
    Contract(
        summary="Decide for everybody by a campaign's newest version, and keep nothing",
        answer=DryRunForm,
        errors=(404,),
        wrong={422: "`campaign_invalid`: the catalogue has changed so that the campaign no longer holds"},
    )
)
def try_out(campaign: str) -> Response:
    """Count who would be addressed, who not, and why; that somebody looked is written down.

    Each customer is counted once, at the first rule that his last candidate left the funnel by. No contact is reserved,
    no decision logged, and no goodwill, volume or budget taken.
    """
    no_query()
    counts = dry_run.dry_run(here().deployment, campaign, actor=actor.current().name)
    return answer(DryRunForm, {"campaign": campaign, **_listed(counts.as_json())})


@blueprint.post("/campaigns:compare")
@action("campaigns.dry_run")
@contract(
    Contract(
        summary="Decide for everybody by two policies, and tell who changes",
        body=CompareForm,
        answer=ComparisonForm,
        wrong={
            404: "`campaign_unknown` or `contact_policy_unknown`: no such key or version",
            422: "`campaign_invalid`: the catalogue has changed so that one of them no longer holds",
        },
    )
)
def compare() -> Response:
    """Compare two policies over the same customers, as of now; nothing is kept but that data were read.

    A policy is a version of a campaign under a version of the contact policy; the newest of each where none is named.
    Told are how many customers go from what to what, whom only one of them addresses and by which rule the other loses
    them, and of each the contacts, outcomes and value to be expected, and goodwill spent.
    """
    given = body(COMPARE)
    found = comparing.compare(here().deployment, Named(**given.a), Named(**given.b), actor=actor.current().name)
    told = found.as_json()
    a, b = (_listed(told[name]) for name in ("a", "b"))
    moves = [{**move, "from_": move["from"]} for move in told["moves"]]
    gain, lose = _listed(told["gain"]), _listed(told["lose"])
    return answer(ComparisonForm, {**told, "a": a, "b": b, "moves": moves, "gain": gain, "lose": lose})


@blueprint.post("/campaigns/<campaign>:measure")
@action("campaigns.measure")
@contract(
    Contract(
        summary="Measure what came of a campaign, against no message and by its holdout",
        body=MeasureForm,
        answer=ResultsForm,
        errors=(404,),
        wrong={
            422: "`request_unfit`: the covariate is no number or flag, comes after the contact, or nobody could permit "
            "to measure by it; `campaign_invalid`: the catalogue has changed so that the campaign no longer holds"
        },
    )
)
def measure(campaign: str) -> Response:
    """Measure a campaign over all its versions; that outcomes were read for it is written down.

    `holdout` compares those whom it contacted with those whom it left out by chance: the effect with a 95 % interval,
    opt-outs and complaints by arm, goodwill and goodwill for each outcome more, and whether the target is reached.
    Where a fault of the arms is likelier than chance (a sample-ratio mismatch), nothing is concluded, and `withheld`
    says why. `effects` tell each treatment against no message, `rates` what each came to, of a number `means`. Outcomes
    are read as far as their customers permit measuring.
    """
    given, deployment, by = body(MEASURE), here().deployment, actor.current().name
    found = learning.effects(deployment, campaign, actor=by)
    held = judging.results(deployment, campaign, actor=by, covariate=given.covariate, together=given.together)
    return answer(ResultsForm, {"campaign": campaign, **found.as_json(), "holdout": held.as_json()})


def _listed(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return counts with each table of names as a list."""
    return {name: _counts(value) if isinstance(value, Mapping) else value for name, value in told.items()}


def _counts(table: Mapping[str, int]) -> list[dict[str, Any]]:
    return [{"name": name, "customers": count} for name, count in table.items()]
