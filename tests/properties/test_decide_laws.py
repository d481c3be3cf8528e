"""Laws of `decide`, over random policies and customers."""

import struct

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from personalise.decide import decide
from personalise.runs.counts import Counts
from personalise.steps.personalise.explanation import explanation, verdicts
from tests.campaigns import same_bits
from tests.properties.deciding import chunk, customers, decision, meanings
from tests.properties.meant import AT, CELLS, KINDS

LAW = settings(max_examples=40)
cases = meanings().flatmap(lambda meaning: st.tuples(st.just(meaning), customers(meaning.policy)))


def exactly(row, chosen):
    """Return a decision with its rules by their names, and floats as their bits."""
    named = {
        key: chosen.rules[cell] if key.startswith("rule:") and isinstance(cell, int) else cell
        for key, cell in row.items()
    }
    return {key: struct.pack("<d", cell) if isinstance(cell, float) else cell for key, cell in named.items()}


@LAW
@given(cases)
def test_a_decision_is_what_a_plain_loop_says_bit_for_bit(case):
    meaning, rows = case
    found = decide(chunk(meaning.policy, rows), meaning.policy, AT).to_pylist()

    assert [exactly(row, meaning.policy) for row in found] == [
        exactly(decision(meaning, row), meaning.policy) for row in rows
    ]


@LAW
@given(cases)
def test_many_at_once_are_decided_like_one_by_one(case):
    meaning, rows = case
    table = chunk(meaning.policy, rows)
    alone = [decide(table.slice(spot, 1), meaning.policy, AT) for spot in range(len(rows))]

    assert same_bits(pa.concat_tables(alone), decide(table, meaning.policy, AT))


def dirty(column, junk):
    """Return a column with something else in its buffers below the nulls."""
    valid = pa.array(column.is_valid().to_pylist()).buffers()[1]
    cells = [junk if cell is None else cell for cell in column.to_pylist()]
    return pa.Array.from_buffers(column.type, len(cells), [valid, *pa.array(cells, type=column.type).buffers()[1:]])


@LAW
@given(cases, st.fixed_dictionaries({name: CELLS[kind] for name, kind in KINDS.items()}))
def test_what_lies_under_a_null_never_matters(case, junk):
    meaning, rows = case
    clean = chunk(meaning.policy, rows)
    other = pa.table(
        {
            name: dirty(clean[name].combine_chunks(), junk[name]) if name in junk else clean[name]
            for name in clean.column_names
        }
    )

    assert [column.is_null() for column in other.columns] == [column.is_null() for column in clean.columns]
    assert same_bits(decide(other, meaning.policy, AT), decide(clean, meaning.policy, AT))


@LAW
@given(cases, st.randoms(use_true_random=False))
def test_the_order_of_customers_never_matters(case, shuffled):
    meaning, rows = case
    order = shuffled.sample(range(len(rows)), len(rows))
    table = chunk(meaning.policy, rows)

    assert same_bits(decide(table.take(order), meaning.policy, AT), decide(table, meaning.policy, AT).take(order))


@LAW
@given(cases)
def test_nobody_is_chosen_for_without_every_permission_that_it_takes(case):
    meaning, rows = case
    found = decide(chunk(meaning.policy, rows), meaning.policy, AT).to_pylist()

    for row, told in zip(rows, found, strict=True):
        for spot in (told["chosen"], told["ghost"]):
            one = meaning.policy.candidates[spot] if spot >= 0 else None
            assert (
                [row[f"permit:{scope}"] for scope in (one.contact, *one.uses)] == [0] * (1 + len(one.uses))
                if one
                else True
            )


@LAW
@given(cases)
def test_counts_add_up_and_every_decision_can_be_explained(case):
    meaning, rows = case
    table = decide(chunk(meaning.policy, rows), meaning.policy, AT)
    counts = Counts()
    counts.add(table, meaning.policy)

    assert sum(counts.stages.values()) + sum(counts.chosen.values()) == counts.customers == len(rows)
    for row in table.to_pylist():
        told = verdicts(row, meaning.policy)
        assert [each.stage for each in told].count("chosen") == 1
        assert explanation(row, meaning.policy)[-1] == "."
