"""What an outcome cost, and whether the target was reached, from an effect with its interval."""

import pytest

from personalise.measure.effects import Effect, SampleRatio, TooFew
from personalise.measure.holdout import Price, Target, price, ratio, reached, towards


def effect(lower, difference, upper):
    return Effect(difference=difference, lower=lower, upper=upper, level=0.95)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (effect(0.02, 0.04, 0.08), Price(each=50.0, at_least=25.0, at_most=100.0)),
        (effect(0.0, 0.04, 0.08), Price(each=None, at_least=25.0, at_most=None)),
        (effect(-0.02, 0.04, 0.08), Price(each=None, at_least=25.0, at_most=None)),
        (effect(-0.08, -0.04, 0.0), Price(each=None, at_least=None, at_most=None)),
        (effect(-0.08, -0.04, -0.02), Price(each=None, at_least=None, at_most=None)),
    ],
)
def test_a_price_is_said_only_where_the_effect_is_above_nothing(found, expected):
    assert price(2.0, found) == expected


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (effect(0.02, 0.04, 0.08), Target.REACHED),
        (effect(0.019, 0.04, 0.08), Target.OPEN),
        (effect(0.0, 0.01, 0.02), Target.OPEN),
        (effect(0.0, 0.01, 0.0199), Target.MISSED),
    ],
)
def test_a_target_is_reached_or_missed_only_where_the_interval_says_so(found, expected):
    assert reached(0.02, found) is expected


def test_where_less_is_wanted_a_fall_is_what_is_counted():
    assert towards(effect(-0.08, -0.04, -0.02), rises=False) == effect(0.02, 0.04, 0.08)
    assert towards(effect(0.02, 0.04, 0.08), rises=True) == effect(0.02, 0.04, 0.08)


@pytest.mark.parametrize(
    ("addressed", "held_out", "ok"), [(9_000, 1_000, True), (9_100, 900, False), (8_900, 1_100, False), (0, 90, False)]
)
def test_arms_of_other_sizes_than_planned_are_a_fault(addressed, held_out, ok):
    found = ratio(addressed, held_out, share=0.1)

    assert isinstance(found, SampleRatio)
    assert found.ok is ok


def test_arms_too_small_for_the_check_are_too_few():
    assert ratio(36, 4, share=0.1) == TooFew(what="expected customers in an arm", had=4, needed=5)
