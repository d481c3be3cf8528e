"""How small an effect two groups can show: against simulated experiments, published numbers, and its own laws."""

import numpy as np
import pytest

from personalise.measure.power import least_effect, power

SIZES = [(2_000, 100), (900, 900), (300, 60)]


@pytest.mark.parametrize(("treated", "held_out"), SIZES)
@pytest.mark.parametrize(("base", "effect"), [(0.1, 0.05), (0.5, -0.1), (0.3, 0.0)])
def test_power_is_how_often_simulated_experiments_find_the_effect(base, effect, treated, held_out):
    drawn = np.random.default_rng(11)
    tries = 40_000
    ours = drawn.binomial(treated, base + effect, tries) / treated
    none = drawn.binomial(held_out, base, tries) / held_out
    mean = (ours * treated + none * held_out) / (treated + held_out)
    z = (ours - none) / np.sqrt(mean * (1 - mean) * (1 / treated + 1 / held_out))
    assert power(base, effect, treated, held_out) == pytest.approx(np.mean(np.abs(z) > 1.959964), abs=0.015)


def test_the_textbook_example_of_fleiss_comes_out():
    # 0.60 against 0.70, 356 in each group for 80 % (Fleiss, table A.4, without the continuity correction: 356).
    assert power(0.60, 0.10, 356, 356) == pytest.approx(0.80, abs=0.002)


@pytest.mark.parametrize(("treated", "held_out"), SIZES)
@pytest.mark.parametrize("rises", [True, False])
def test_the_least_effect_is_found_exactly_as_often_as_was_asked(treated, held_out, rises):
    least = least_effect(0.4, treated, held_out, rises=rises)
    assert least is not None
    assert power(0.4, least if rises else -least, treated, held_out) == pytest.approx(0.8, abs=1e-6)


def test_more_customers_show_smaller_effects():
    few, more, many = (least_effect(0.1, size, size // 10) or 0 for size in (1_000, 10_000, 100_000))
    assert few > more > many > 0


@pytest.mark.parametrize(("treated", "held_out", "rises"), [(0, 50, True), (50, 0, True), (5, 5, False)])
def test_groups_too_small_to_show_anything_say_so(treated, held_out, rises):
    assert least_effect(0.1, treated, held_out, rises=rises) is None
