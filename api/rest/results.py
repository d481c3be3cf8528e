"""`/api/v1/campaigns/{key}:measure`: what came of a campaign. A post, for that outcomes were read is recorded."""

from dataclasses import dataclass
from typing import Any, Final

from flask import Blueprint, Response
from marshmallow import fields

from api.actors import actor
from api.rest.contract import Contract, answer, contract
from api.rest.incoming import body
from api.rest.shapes import Choice, Flag, Form, Items, Part, Shape, Text, Whole
from api.rest.verdicts import LARGEST
from api.roles import action
from api.wiring import here
from personalise import learning
from personalise.measure.holdout import Target, Withheld
from personalise.results import judging

KEY: Final = r"^[a-z][a-z0-9_-]{0,62}$"

blueprint: Final = Blueprint("results", __name__, url_prefix="/api/v1")


def _number(**more: Any) -> fields.Float:  # noqa: ANN401 -- a field's own options
    return fields.Float(required=True, **more)


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
class Measured:
    """By what the effect is to be adjusted, and of what: of the campaign, or of all together."""

    covariate: str = ""
    together: bool = False


MEASURE: Final = Shape(MeasureForm, Measured)


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
