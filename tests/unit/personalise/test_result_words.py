"""Results in sentences: each thing that can be found is said in words, and nothing that can't."""

from dataclasses import replace

import pytest

from personalise.measure.cuped import Adjusted, Uneven
from personalise.measure.effects import Effect, SampleRatio, TooFew
from personalise.measure.holdout import Price, Target, Withheld
from personalise.results.model import Arm, Goodwill, Judgement, Results
from personalise.results.words import sentences

RISE = Effect(difference=0.05, lower=0.02, upper=0.08, level=0.95)
ARM = Arm(customers=900, known=890, mean=0.2, opted_out=9, complained=1)
SOUND = Results(
    together=False,
    campaign="spring", version=1, outcome="visited", flag=True, share=0.1, addressed=ARM, held_out=ARM, misplaced=0,
    early=0, late=0, untimed=0, sample_ratio=SampleRatio(p_value=0.4, ok=True),
    known_ratio=SampleRatio(p_value=0.4, ok=True),
    withheld=(), covariate="", goodwill=Goodwill(contacts=1_800.0, taken=2.5, given=0.0), target=0.02,
    judgement=Judgement(
        effect=RISE, opt_outs=RISE, complaints=TooFew(what="customers in an arm", had=0, needed=1),
        per_outcome=Price(each=40.0, at_least=25.0, at_most=100.0), reached=Target.REACHED,
    ),
)  # fmt: skip


def test_what_was_found_is_said():
    assert sentences(SOUND) == [
        "Goodwill spent: 1,802 points; given back: 0.",
        "Addressed against held out, visited: +5.0 points, 95 % interval +2.0 to +8.0.",
        "Opted out: +5.0 points, 95 % interval +2.0 to +8.0.",
        "Complained: too few to judge (customers in an arm: 0 of 1).",
        "Goodwill for each “visited” more: 40 points, 25 to 100.",
        "The target (+2.0 points): reached.",
    ]


def test_what_contacts_cost_is_held_against_the_budget():
    budgeted = replace(SOUND, goodwill=replace(SOUND.goodwill, budget=2_000.0))
    assert sentences(budgeted)[1] == "Of the goodwill budget of 2,000 points its contacts cost 1,800."


@pytest.mark.parametrize(
    ("price", "said"),
    [
        (Price(each=None, at_least=25.0, at_most=None), "can't be said; 25 points at least."),
        (Price(each=None, at_least=None, at_most=None), "none was gained."),
    ],
)
def test_a_cost_that_cannot_be_said_is_not_said(price, said):
    found = sentences(replace(SOUND, judgement=replace(SOUND.judgement, per_outcome=price)))
    assert found[4] == f"Goodwill for each “visited” more: {said}"


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (Adjusted(effect=RISE, theta=1.0, variance_reduction=0.25, known=9),
         "Adjusted by age: +5.0 points, 95 % interval +2.0 to +8.0; 25.0 % less variance."),
        (Uneven(difference=RISE),
         "Not adjusted: age differs between the arms, so it isn't from before the contact."),
        (TooFew(what="customers in an arm", had=3, needed=30),
         "Not adjusted by age: too few to judge (customers in an arm: 3 of 30)."),
    ],
)  # fmt: skip
def test_whether_a_covariate_helped_is_said(found, said):
    told = replace(SOUND, covariate="age", judgement=replace(SOUND.judgement, adjusted=found))
    assert sentences(told)[4] == said


def test_withheld_results_say_why_and_nothing_else():
    ratio = SampleRatio(p_value=0.00012, ok=False)
    found = replace(
        SOUND, sample_ratio=ratio, withheld=(Withheld.HOLDOUT_CHANGED, Withheld.SAMPLE_RATIO), judgement=Judgement()
    )
    assert sentences(found)[1:] == [
        "Results are withheld: versions that ran held out another share, or other customers.",
        (
            "Results are withheld: the arms don't have the sizes that the planned share gives "
            "(10.0 % were to be held out; p = 0.00012)."
        ),
    ]


def test_what_is_in_doubt_is_said():
    found = sentences(replace(SOUND, share=0.0, misplaced=2, early=3, untimed=4, judgement=Judgement()))
    assert found[1:] == [
        "2 customers are in another arm than their ids say, and in neither here.",
        "Not counted: 3 outcomes that came in before the first contact.",
        "Nobody knows when 4 outcomes came: it may have been before the contact.",
        "Nobody was held out, so nobody can say what it did.",
    ]
