"""CUPED against a plain implementation, and over many made-up experiments: no bias, and a narrower interval."""

import random
import statistics

import numpy as np
import pytest

from personalise.measure.cuped import Adjusted, Uneven, adjusted
from personalise.measure.effects import Effect, TooFew, mean_difference
from personalise.measure.effects import Sample as Arm


def drawn(seed, n=400, *, effect=0.3, known=1.0):
    """Draw an experiment: who is treated, what he did, what was known of him before, and whether it was."""
    draw = np.random.default_rng(seed)
    before = draw.normal(5, 2, n)
    treated = draw.random(n) < 0.8
    outcome = 0.7 * before + draw.normal(0, 1, n) + effect * treated
    return treated, outcome, before, draw.random(n) < known


def plainly(treated, outcome, before, known):
    """CUPED by the formulas of its paper, row by row."""
    rows = list(zip(treated.tolist(), outcome.tolist(), before.tolist(), known.tolist(), strict=True))
    x = [row[2] for row in rows if row[3]]
    y = [row[1] for row in rows if row[3]]
    theta = statistics.covariance(x, y) / statistics.variance(x)
    mean = statistics.fmean(x)
    after = [(arm, value - theta * (was - mean) if is_known else value) for arm, value, was, is_known in rows]
    arms = [[value for arm, value in after if arm is which] for which in (True, False)]
    raw = [[row[1] for row in rows if row[0] is which] for which in (True, False)]
    variances = [sum(statistics.variance(arm) / len(arm) for arm in each) for each in (arms, raw)]
    return theta, arms, 1 - variances[0] / variances[1]


@pytest.mark.parametrize("known", [1.0, 0.6])
def test_it_is_what_the_paper_says(known):
    experiment = drawn(1, known=known)
    theta, arms, reduction = plainly(*experiment)
    samples = [Arm(n=len(arm), mean=statistics.fmean(arm), variance=statistics.variance(arm)) for arm in arms]
    expected = mean_difference(*samples)
    found = adjusted(*experiment)

    assert isinstance(found, Adjusted)
    assert isinstance(expected, Effect)
    assert (found.theta, found.variance_reduction) == pytest.approx((theta, reduction))
    assert found.known == experiment[3].sum()
    assert (found.effect.difference, found.effect.lower, found.effect.upper) == pytest.approx(
        (expected.difference, expected.lower, expected.upper)
    )


def test_over_many_experiments_it_is_unbiased_narrower_and_covers_the_truth():
    found = [adjusted(*drawn(seed, effect=0.3)) for seed in range(600)]
    judged = [each for each in found if isinstance(each, Adjusted)]
    differences = [each.effect.difference for each in judged]
    off = statistics.fmean(differences) - 0.3
    covered = sum(each.effect.lower <= 0.3 <= each.effect.upper for each in judged) / len(judged)

    assert len(judged) >= 590  # the others' covariates differ by chance, one in a thousand
    assert abs(off) < 4 * statistics.stdev(differences) / len(differences) ** 0.5
    assert 0.92 < covered < 0.98
    # 0.7 of a standard deviation of 2 against noise of 1: two thirds of the variance are foretold.
    assert statistics.fmean(each.variance_reduction for each in judged) == pytest.approx(0.66, abs=0.03)


def test_a_covariate_that_foretells_nothing_changes_next_to_nothing():
    treated, outcome, _, known = drawn(2)
    found = adjusted(treated, outcome, np.random.default_rng(9).normal(0, 1, len(outcome)), known)

    assert isinstance(found, Adjusted)
    assert abs(found.variance_reduction) < 0.02


def test_what_came_after_the_treatment_is_refused():
    treated, outcome, before, known = drawn(3)

    assert isinstance(adjusted(treated, outcome, before + 2 * treated, known), Uneven)


def test_a_flag_adjusts_a_flag():
    rows = random.Random(4)  # noqa: S311 -- made-up customers
    was = np.array([rows.random() < 0.5 for _ in range(2_000)])
    treated = np.array([rows.random() < 0.5 for _ in was])
    came = np.array([rows.random() < (0.7 if before else 0.1) for before in was])
    found = adjusted(treated, came.astype(float), was.astype(float), np.ones(2_000, dtype=bool))

    assert isinstance(found, Adjusted)
    assert found.variance_reduction == pytest.approx(0.36, abs=0.06)


@pytest.mark.parametrize(
    ("treated", "outcome", "before"),
    [
        ([True] * 29 + [False] * 40, range(69), range(69)),
        ([True] * 40 + [False] * 40, range(80), [1] * 80),
        ([True] * 40 + [False] * 40, [1] * 80, range(80)),
        ([], [], []),
    ],
)
def test_too_few_to_judge_is_an_answer(treated, outcome, before):
    columns = np.array(treated, dtype=bool), np.array(outcome, dtype=float), np.array(before, dtype=float)

    assert isinstance(adjusted(*columns, np.ones(len(treated), dtype=bool)), TooFew)
