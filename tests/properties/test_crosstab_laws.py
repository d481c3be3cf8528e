"""Laws of comparing two policies: against itself nobody changes, swapping transposes, and every count adds up."""

from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from personalise.decide import decide
from personalise.runs.crosstab import between
from personalise.runs.totals import Side
from personalise.steps.personalise.funnel import Funnel
from tests.properties.deciding import chunk, customers, meanings
from tests.properties.meant import AT

LAW = settings(max_examples=25)
cases = meanings().flatmap(
    lambda meaning: st.tuples(st.just(meaning.policy), customers(meaning.policy), st.integers(0, 2**32 - 1))
)


def side(policy, rows):
    table = chunk(policy, rows)
    funnel = Funnel(table, policy, AT)
    chances = {one.key: funnel.chance(one) for one in policy.candidates}
    return Side(policy=policy, table=decide(table, policy, AT), chances=chances)


def shuffled(one, seed):
    """Return the same customers with each other's decisions: what another policy might have decided."""
    order = np.random.default_rng(seed).permutation(one.table.num_rows)
    table = one.table.take(order).set_column(0, "customer", one.table["customer"])
    return Side(policy=one.policy, table=table, chances={key: values[order] for key, values in one.chances.items()})


def crosstab(a, b):
    made = between(a.policy, b.policy)
    made.add(a, b)
    return made


@LAW
@given(cases)
def test_a_policy_against_itself_changes_nobody(case):
    policy, rows, _ = case
    one = side(policy, rows)
    found = crosstab(one, one)

    assert (found.changed, found.gain.customers, found.lose.customers) == (0, 0, 0)
    assert found.a.as_json() == found.b.as_json()


@LAW
@given(cases)
def test_swapping_transposes(case):
    policy, rows, seed = case
    a = side(policy, rows)
    b = shuffled(a, seed)
    one, other = crosstab(a, b), crosstab(b, a)

    assert other.moves == Counter({(after, before): count for (before, after), count in one.moves.items()})
    assert (other.gain, other.lose) == (one.lose, one.gain)
    assert (other.a.as_json(), other.b.as_json()) == (one.b.as_json(), one.a.as_json())


@LAW
@given(cases)
def test_every_customer_is_counted_once_and_whoever_gains_or_loses_adds_up(case):
    policy, rows, seed = case
    a = side(policy, rows)
    b = shuffled(a, seed)
    found = crosstab(a, b)
    keys = {one.key for one in policy.candidates}

    assert sum(found.moves.values()) == found.a.counts.customers == found.b.counts.customers == len(rows)
    for totals, spot in ((found.a, 0), (found.b, 1)):
        addressed: Counter[str] = Counter()
        for move, count in found.moves.items():
            addressed[move[spot]] += count
        assert {key: count for key, count in addressed.items() if key in keys} == dict(totals.counts.chosen)
        assert totals.channels.total() == totals.counts.chosen.total()
    for counts, gained in ((found.gain, 1), (found.lose, 0)):
        met = (move for move in found.moves if move[gained] in keys and move[1 - gained] not in keys)
        assert counts.customers == sum(found.moves[move] for move in met) == counts.stages.total()
        assert counts.reasons.total() == counts.customers


@LAW
@given(cases)
def test_what_a_chunk_holds_does_not_matter(case):
    policy, rows, seed = case
    a = side(policy, rows)
    b = shuffled(a, seed)
    whole, parts = crosstab(a, b), between(a.policy, b.policy)
    for spot in range(len(rows)):
        cut = [
            Side(
                policy=each.policy,
                table=each.table.slice(spot, 1),
                chances={key: values[spot : spot + 1] for key, values in each.chances.items()},
            )
            for each in (a, b)
        ]
        parts.add(*cut)

    assert (parts.moves, parts.gain, parts.lose) == (whole.moves, whole.gain, whole.lose)
    assert (parts.a.counts, parts.a.goodwill, parts.a.below_floor, parts.a.near_floor) == (
        whole.a.counts, whole.a.goodwill, whole.a.below_floor, whole.a.near_floor,
    )  # fmt: skip
