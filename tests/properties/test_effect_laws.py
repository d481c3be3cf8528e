"""Laws of intervals: whatever the counts, these hold."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from personalise.measure.effects import (
    Effect,
    Sample,
    SampleRatio,
    arm_rates,
    effects,
    mean_difference,
    sample_ratio,
    two_proportions,
    wilson,
)

levels = st.floats(0.5, 0.999)
counts = st.integers(1, 1_000_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
samples = st.builds(Sample, n=st.integers(2, 1_000_000), mean=st.floats(-1e6, 1e6), variance=st.floats(1e-6, 1e9))
arms = st.lists(st.tuples(st.sampled_from(["mail", "none", "text", None]), st.sampled_from([True, False, None])))


def proportions(a: tuple[int, int], b: tuple[int, int], level: float) -> Effect:
    effect = two_proportions(*a, successes_b=b[0], n_b=b[1], level=level)
    assert isinstance(effect, Effect)
    return effect


def means(a: Sample, b: Sample, level: float) -> Effect:
    effect = mean_difference(a, b, level=level, fewest=2)
    assert isinstance(effect, Effect)
    return effect


@given(counts, counts, levels)
def test_the_interval_contains_the_difference_and_stays_in_bounds(
    a: tuple[int, int], b: tuple[int, int], level: float
) -> None:
    effect = proportions(a, b, level)
    assert -1 <= effect.lower <= effect.difference <= effect.upper <= 1


@given(counts, counts, levels)
def test_swapping_the_arms_mirrors_the_interval_exactly(a: tuple[int, int], b: tuple[int, int], level: float) -> None:
    one, other = proportions(a, b, level), proportions(b, a, level)
    assert (other.difference, other.lower, other.upper) == (-one.difference, -one.upper, -one.lower)


@given(counts, counts, st.integers(2, 50), levels)
def test_more_customers_at_the_same_rates_narrow_the_interval(
    a: tuple[int, int], b: tuple[int, int], times: int, level: float
) -> None:
    few = proportions(a, b, level)
    many = proportions((a[0] * times, a[1] * times), (b[0] * times, b[1] * times), level)
    assert many.upper - many.lower < few.upper - few.lower


@given(counts, levels)
def test_a_proportion_lies_in_its_own_interval(a: tuple[int, int], level: float) -> None:
    lower, upper = wilson(*a, level=level)
    assert 0 <= lower <= a[0] / a[1] <= upper <= 1


@given(samples, samples, levels)
def test_a_mean_difference_lies_in_the_middle_of_its_interval(a: Sample, b: Sample, level: float) -> None:
    effect = means(a, b, level)
    assert effect.lower <= effect.difference <= effect.upper


@given(samples, samples, levels)
def test_swapping_the_arms_mirrors_a_mean_difference(a: Sample, b: Sample, level: float) -> None:
    one, other = means(a, b, level), means(b, a, level)
    width = one.upper - one.lower
    assert other.difference == -one.difference
    assert abs((other.upper - other.lower) - width) <= 1e-9 * width + 1e-9


@given(samples, samples, st.integers(2, 50), levels)
def test_more_customers_narrow_a_mean_difference(a: Sample, b: Sample, times: int, level: float) -> None:
    many_a, many_b = (Sample(n=s.n * times, mean=0.0, variance=s.variance) for s in (a, b))
    few_a, few_b = (Sample(n=s.n, mean=0.0, variance=s.variance) for s in (a, b))
    few, many = means(few_a, few_b, level), means(many_a, many_b, level)
    assert many.upper - many.lower < few.upper - few.lower


@given(st.dictionaries(st.sampled_from("abcdef"), st.integers(50, 100_000), min_size=2))
def test_a_ratio_is_a_probability_and_the_planned_sizes_pass_fully(observed: dict[str, int]) -> None:
    total = sum(observed.values())
    as_planned = sample_ratio(observed, {arm: n / total for arm, n in observed.items()})
    in_equal_parts = sample_ratio(observed, dict.fromkeys(observed, 1 / len(observed)))
    assert isinstance(as_planned, SampleRatio)
    assert isinstance(in_equal_parts, SampleRatio)
    assert round(as_planned.p_value, 6) == 1.0
    assert 0 <= in_equal_parts.p_value <= 1


@given(arms)
def test_columns_give_what_counting_gives(pairs: list[tuple[str | None, bool | None]]) -> None:
    treatments = pa.array([arm for arm, _ in pairs], pa.string())
    visited = pa.array([answer for _, answer in pairs], pa.bool_())
    counted = {
        arm: [answer for one, answer in pairs if one == arm and answer is not None]
        for arm in sorted({arm for arm, _ in pairs if arm})
    }
    base = counted.get("none", [])

    assert [(r.arm, r.n, r.successes) for r in arm_rates(treatments, visited)] == [
        (arm, len(answers), sum(answers)) for arm, answers in counted.items()
    ]
    assert [e.effect for e in effects(treatments, {"visited": visited}, control="none")] == [
        two_proportions(sum(answers), len(answers), successes_b=sum(base), n_b=len(base))
        for arm, answers in counted.items()
        if arm != "none"
    ]
