"""Effects and intervals against published figures, hand-made ones, and the real experiment."""

from math import exp, isclose

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pyarrow import csv

from personalise.measure.effects import (
    Effect,
    Sample,
    SampleRatio,
    TooFew,
    arm_means,
    arm_rates,
    effects,
    mean_difference,
    sample_ratio,
    two_proportions,
    wilson,
)
from tests.shared import shared

NOBODY = Sample(n=0, mean=0.0, variance=0.0)


def rounded(effect: Effect | TooFew, digits: int = 4) -> tuple[float, float]:
    assert isinstance(effect, Effect)
    return round(effect.lower, digits), round(effect.upper, digits)


@pytest.fixture(scope="module")
def hillstrom() -> pa.Table:
    table = csv.read_csv(shared("data", "hillstrom.csv"))
    return table.set_column(table.schema.get_field_index("visit"), "visit", table["visit"].cast(pa.bool_()))


@pytest.mark.parametrize(
    ("successes", "n", "lower", "upper"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_gives_the_intervals_that_newcombe_published(successes: int, n: int, lower: float, upper: float) -> None:
    """Newcombe, Two-sided confidence intervals for the single proportion, 1998, table I, method 3."""
    low, high = wilson(successes, n)
    assert (round(low, 4), round(high, 4)) == (lower, upper)


@pytest.mark.parametrize(
    ("a", "n_a", "b", "n_b", "lower", "upper"),
    [
        (56, 70, 48, 80, 0.0524, 0.3339),
        (9, 10, 3, 10, 0.1705, 0.8090),
        (6, 7, 2, 7, 0.0582, 0.8062),
        (5, 56, 0, 29, -0.0381, 0.1926),
        (0, 10, 0, 20, -0.1611, 0.2775),
        (0, 10, 0, 10, -0.2775, 0.2775),
        (10, 10, 0, 20, 0.6791, 1.0),
        (10, 10, 0, 10, 0.6075, 1.0),
    ],
)
def test_two_proportions_give_the_intervals_that_newcombe_published(
    a: int, n_a: int, b: int, n_b: int, lower: float, upper: float
) -> None:
    """Newcombe, Interval estimation for the difference between independent proportions, 1998, table II, method 10."""
    assert rounded(two_proportions(a, n_a, successes_b=b, n_b=n_b)) == (lower, upper)


def test_a_higher_level_gives_a_wider_interval() -> None:
    usual = two_proportions(56, 70, successes_b=48, n_b=80)
    wider = two_proportions(56, 70, successes_b=48, n_b=80, level=0.99)
    assert isinstance(usual, Effect)
    assert isinstance(wider, Effect)
    assert wider.lower < usual.lower < usual.upper < wider.upper


def test_an_arm_without_customers_is_too_few_to_judge() -> None:
    nothing = TooFew(what="customers in an arm", had=0, needed=1)
    assert two_proportions(0, 0, successes_b=3, n_b=10) == nothing
    assert two_proportions(3, 10, successes_b=0, n_b=0) == nothing


@pytest.mark.parametrize(("successes", "n", "level"), [(-1, 5, 0.95), (6, 5, 0.95), (1, 5, 0.0), (1, 5, 1.0)])
def test_impossible_counts_and_levels_are_refused(successes: int, n: int, level: float) -> None:
    with pytest.raises(ValueError, match=r"successes of|level"):
        two_proportions(successes, n, successes_b=1, n_b=5, level=level)


def test_welch_gives_the_interval_of_students_sleep_data() -> None:
    """Student (1908); the interval is what R's t.test(extra ~ group, data = sleep) documents."""
    first = np.array([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0])
    second = np.array([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4])
    a, b = (Sample(n=10, mean=float(x.mean()), variance=float(x.var(ddof=1))) for x in (first, second))
    assert rounded(mean_difference(a, b, fewest=2), 5) == (-3.36548, 0.20548)


def test_few_customers_are_too_few_to_judge_a_mean() -> None:
    few, many = Sample(n=29, mean=1.0, variance=4.0), Sample(n=500, mean=1.0, variance=4.0)
    assert mean_difference(few, many) == TooFew(what="customers in an arm", had=29, needed=30)
    assert mean_difference(many, NOBODY) == TooFew(what="customers in an arm", had=0, needed=30)


def test_an_arm_where_nobody_spent_says_nothing_of_how_spend_varies() -> None:
    spent, none = Sample(n=40, mean=1.0, variance=4.0), Sample(n=40, mean=0.0, variance=0.0)
    assert mean_difference(spent, none) == TooFew(what="arms with differing values", had=1, needed=2)
    assert mean_difference(none, none) == TooFew(what="arms with differing values", had=0, needed=2)


def test_a_mean_difference_refuses_what_has_no_variance() -> None:
    fair = Sample(n=40, mean=1.0, variance=4.0)
    with pytest.raises(ValueError, match="two customers"):
        mean_difference(fair, fair, fewest=1)
    with pytest.raises(ValueError, match="negative"):
        mean_difference(fair, Sample(n=40, mean=1.0, variance=-1.0))


def test_the_sample_ratio_of_two_degrees_of_freedom_is_an_exponential() -> None:
    """Counts 110, 100, 90 against thirds: chi-square is (100 + 0 + 100) / 100 = 2, and p is exp(-2 / 2)."""
    thirds = {"a": 1 / 3, "b": 1 / 3, "c": 1 / 3}
    ratio = sample_ratio({"a": 110, "b": 100, "c": 90}, thirds)
    assert isinstance(ratio, SampleRatio)
    assert isclose(ratio.p_value, exp(-1), rel_tol=1e-12)
    assert ratio.ok


def test_the_sample_ratio_withholds_the_published_mismatch() -> None:
    """Kohavi, Tang, Xu 2020: 821,588 against 815,482 users of a half-half split, p = 1.8e-6."""
    ratio = sample_ratio({"treatment": 821_588, "control": 815_482}, {"treatment": 0.5, "control": 0.5})
    assert isinstance(ratio, SampleRatio)
    assert round(ratio.p_value, 7) == 1.8e-6
    assert not ratio.ok


def test_a_small_sample_is_too_few_for_a_ratio() -> None:
    ratio = sample_ratio({"all": 40, "held": 2}, {"all": 0.9, "held": 0.1})
    assert ratio == TooFew(what="expected customers in an arm", had=4, needed=5)


@pytest.mark.parametrize(
    ("observed", "shares"),
    [
        ({"a": 1, "b": 1}, {"a": 0.5, "c": 0.5}),
        ({"a": 1}, {"a": 1.0}),
        ({"a": -1, "b": 1}, {"a": 0.5, "b": 0.5}),
        ({"a": 1, "b": 1}, {"a": 1.0, "b": 0.0}),
        ({"a": 1, "b": 1}, {"a": 0.5, "b": 0.6}),
    ],
)
def test_a_sample_ratio_of_a_plan_that_does_not_fit_is_refused(
    observed: dict[str, int], shares: dict[str, float]
) -> None:
    with pytest.raises(ValueError, match=r"arms|negative|sum to 1"):
        sample_ratio(observed, shares)


def test_rates_count_only_customers_whose_arm_and_outcome_are_known() -> None:
    treatments = pa.chunked_array([["mail", "mail", None, "none"], ["mail", "none", "text"]])
    visited = pa.array([True, False, True, True, None, False, None])
    rates = arm_rates(treatments, visited)
    assert [(r.arm, r.n, r.successes, r.rate) for r in rates] == [
        ("mail", 2, 1, 0.5),
        ("none", 2, 1, 0.5),
        ("text", 0, 0, None),
    ]
    assert (rates[2].lower, rates[2].upper) == (0.0, 1.0)


def test_a_rate_of_something_not_boolean_is_refused() -> None:
    with pytest.raises(ValueError, match="boolean"):
        arm_rates(pa.array(["a"]), pa.array([1]))


def test_means_come_with_students_interval() -> None:
    """NIST/SEMATECH e-Handbook 1.3.5.2, ZARR13.DAT: 195 values of mean 9.261460, deviation 0.022789: ±0.003219."""
    values = 9.261460 + np.repeat([0.022789, -0.022789, 0.0], [97, 97, 1])
    [mean] = arm_means(np.array(["zarr"] * 195), values)
    assert (mean.arm, mean.n) == ("zarr", 195)
    assert [mean.mean, mean.lower, mean.upper] == pytest.approx([9.261460, 9.258242, 9.264679], abs=2e-6)


def test_without_enough_values_that_differ_a_mean_has_no_interval() -> None:
    treatments = np.array(["alike"] * 40 + ["few"] * 2 + ["nobody"])
    means = arm_means(treatments, np.array([2.0] * 40 + [1.0, 4.0] + [np.nan]))
    assert [(each.arm, each.n, each.mean, each.lower, each.upper) for each in means] == [
        ("alike", 40, 2.0, None, None), ("few", 2, 2.5, None, None), ("nobody", 0, None, None, None),
    ]  # fmt: skip


def test_effects_from_columns_equal_effects_from_counts() -> None:
    generator = np.random.default_rng(3)
    treatments = generator.choice(["mail", "none", "text"], size=900)
    visited = generator.random(900) < np.where(treatments == "mail", 0.3, 0.2)
    spent = np.where(visited, generator.lognormal(3.0, 0.5, size=900), 0.0)

    found = effects(treatments, {"visited": visited, "spent": spent}, control="none")

    assert [(e.outcome, e.arm) for e in found] == [
        ("visited", "mail"),
        ("visited", "text"),
        ("spent", "mail"),
        ("spent", "text"),
    ]
    mail, none = treatments == "mail", treatments == "none"
    assert found[0].effect == two_proportions(
        int(visited[mail].sum()), int(mail.sum()), successes_b=int(visited[none].sum()), n_b=int(none.sum())
    )
    a, b = (Sample(n=int(m.sum()), mean=spent[m].mean(), variance=spent[m].var(ddof=1)) for m in (mail, none))
    assert rounded(found[2].effect, 9) == rounded(mean_difference(a, b), 9)


def test_null_outcomes_are_left_out_and_not_counted_as_failures() -> None:
    treatments = pa.array(["mail", "mail", "mail", "none", "none"])
    known = pa.array([True, None, None, False, True])
    [one] = effects(treatments, {"visited": known}, control="none")
    assert (one.n, one.n_control) == (1, 2)
    assert one.effect == two_proportions(1, 1, successes_b=1, n_b=2)


def test_effects_without_a_control_are_too_few_to_judge() -> None:
    [one] = effects(pa.array(["mail", "mail"]), {"visited": pa.array([True, False])}, control="none")
    assert (one.n_control, one.effect) == (0, TooFew(what="customers in an arm", had=0, needed=1))


def test_effects_of_no_customers_are_no_effects() -> None:
    assert effects(pa.array([], pa.string()), {"visited": pa.array([], pa.bool_())}, control="none") == ()


def test_columns_that_do_not_pair_are_refused() -> None:
    with pytest.raises(ValueError, match="1 outcomes for 2 treatments"):
        effects(pa.array(["a", "b"]), {"visited": pa.array([True])}, control="a")


def test_an_infinite_amount_is_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        effects(pa.array(["a", "b"]), {"spent": pa.array([1.0, float("inf")])}, control="a")


def test_a_missing_number_of_numpy_is_not_known() -> None:
    [one] = effects(np.array(["mail", "mail", "none"]), {"spent": np.array([1.0, np.nan, 2.0])}, control="none")
    assert (one.n, one.n_control) == (1, 1)


def test_the_real_mails_did_on_this_half_what_they_did_on_the_whole(hillstrom: pa.Table) -> None:
    """Known on all 64,000: men's +7.66 points [7.00, 8.32], women's +4.52 [3.89, 5.16] visits a customer."""
    found = effects(hillstrom["segment"], {"visited": hillstrom["visit"]}, control="No E-Mail")
    men, women = (one.effect for one in found)
    assert [one.arm for one in found] == ["Mens E-Mail", "Womens E-Mail"]
    assert isinstance(men, Effect)
    assert isinstance(women, Effect)
    assert men.lower < 0.0766 < men.upper
    assert women.lower < 0.0452 < women.upper


def test_the_real_arms_have_the_sizes_they_were_drawn_with(hillstrom: pa.Table) -> None:
    counts = {item["values"]: item["counts"] for item in pc.value_counts(hillstrom["segment"]).to_pylist()}
    ratio = sample_ratio(counts, dict.fromkeys(counts, 1 / 3))
    assert isinstance(ratio, SampleRatio)
    assert ratio.ok
