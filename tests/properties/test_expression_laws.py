"""Laws of the expression language, against a slow and obvious evaluator: one row at a time, None for unknown."""

import math
import pickle
import re

import numpy as np
import pyarrow as pa
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from consent.base.errors import ExpressionInvalid
from personalise.language.columns import Frame, holds, value
from personalise.language.expressions import condition, number
from tests.properties.meant import AT, ATTRIBUTES, CONDITIONS, NUMBERS, chunks, columns, table, widths

LAW = settings(max_examples=60)  # machines are shared: time is measured in benchmarks, not here


def answers(meant, columns):
    truth = holds(condition(meant.text, ATTRIBUTES), columns, at=AT)
    return list(zip(truth.true.tolist(), truth.false.tolist(), strict=True))


def bits(meant, columns):
    values, is_known = value(number(meant.text, ATTRIBUTES), columns, at=AT)
    return list(zip(np.ascontiguousarray(values).view(np.int64).tolist(), is_known.tolist(), strict=True))


def bits_of(found):
    """Return the bits of a number and whether it is known; zero has no sign."""
    if found is None:
        return int(np.array([math.nan]).view(np.int64)[0]), False
    return int(np.array([float(found) + 0.0]).view(np.int64)[0]), True


@LAW
@given(CONDITIONS, chunks, widths)
def test_a_condition_holds_exactly_where_the_obvious_evaluator_says_so(meant, chunk, types):
    expected = [(meant.of(row) is True, meant.of(row) is False) for row in chunk]

    assert answers(meant, table(chunk, types)) == expected


@LAW
@given(NUMBERS, chunks, widths)
def test_a_number_has_the_bits_that_the_obvious_evaluator_gives(meant, chunk, types):
    assert bits(meant, table(chunk, types)) == [bits_of(meant.of(row)) for row in chunk]


@LAW
@given(CONDITIONS, NUMBERS, chunks, widths)
def test_a_customer_alone_gets_the_bits_he_gets_in_a_batch(asked, counted, chunk, types):
    whole = table(chunk, types)
    alone = [whole.slice(index, 1) for index in range(len(chunk))]

    assert [answers(asked, one)[0] for one in alone] == answers(asked, whole)
    assert [bits(counted, one)[0] for one in alone] == bits(counted, whole)


@LAW
@given(CONDITIONS, NUMBERS, chunks, chunks, widths, st.binary(min_size=8, max_size=8))
def test_what_lies_under_a_null_never_matters(asked, counted, chunk, other, types, junk):
    clean = columns(chunk, types)
    garbage = columns([other[index % len(other)] for index in range(len(chunk))], types)

    dirty = {name: over(clean[name], garbage[name], junk) for name in ATTRIBUTES}

    assert [dirty[name].is_null() for name in dirty] == [clean[name].is_null() for name in clean]
    assert answers(asked, dirty) == answers(asked, clean)
    assert bits(counted, dirty) == bits(counted, clean)


def over(clean, garbage, junk):
    """Return `clean` with something else in the buffers below its nulls: junk bytes, or the garbage's cells."""
    if pa.types.is_dictionary(clean.type):
        return pa.DictionaryArray.from_arrays(over(clean.indices, garbage.indices, junk[:1]), clean.dictionary)
    valid = pa.array(clean.is_valid().to_pylist()).buffers()[1]
    if clean.type in {pa.bool_(), pa.string(), pa.large_string()}:
        pairs = zip(clean.to_pylist(), garbage.to_pylist(), strict=True)
        filled = pa.array([right if left is None else left for left, right in pairs], type=clean.type)
        return pa.Array.from_buffers(clean.type, len(clean), [valid, *filled.buffers()[1:]])
    width = clean.type.bit_width // 8
    cells = np.frombuffer(clean.buffers()[1], dtype=f"V{width}", count=len(clean)).copy()
    cells[clean.is_null().to_numpy(zero_copy_only=False)] = np.void(junk[:width])
    return pa.Array.from_buffers(clean.type, len(clean), [valid, pa.py_buffer(cells.tobytes())])


@LAW
@given(CONDITIONS, NUMBERS, chunks, widths, st.sets(st.sampled_from(list(ATTRIBUTES))))
def test_nothing_tells_a_column_that_is_absent_from_one_that_is_all_null(asked, counted, chunk, types, hidden):
    known_part = {name: column for name, column in columns(chunk, types).items() if name not in hidden}
    assume(known_part)
    nulls = known_part | {name: pa.nulls(len(chunk), types[name]) for name in hidden}
    untyped = known_part | {name: pa.nulls(len(chunk)) for name in hidden}

    assert answers(asked, nulls) == answers(asked, untyped) == answers(asked, known_part)
    assert bits(counted, nulls) == bits(counted, untyped) == bits(counted, known_part)


@LAW
@given(CONDITIONS, NUMBERS, chunks, widths, st.data())
def test_knowing_less_only_ever_turns_an_answer_into_unknown(asked, counted, chunk, types, data):
    hide = st.fixed_dictionaries({name: st.booleans() for name in ATTRIBUTES})
    hidden = data.draw(st.lists(hide, min_size=len(chunk), max_size=len(chunk)))
    less = [
        {name: None if hides[name] else seen for name, seen in row.items()}
        for row, hides in zip(chunk, hidden, strict=True)
    ]

    for before, after in zip(answers(asked, table(chunk, types)), answers(asked, table(less, types)), strict=True):
        assert after in {before, (False, False)}
    for before, after in zip(bits(counted, table(chunk, types)), bits(counted, table(less, types)), strict=True):
        assert after in {before, bits_of(None)}


@LAW
@given(st.lists(CONDITIONS, min_size=1, max_size=4), NUMBERS, chunks, widths)
def test_a_frame_that_has_answered_others_answers_as_a_fresh_one(several, counted, chunk, types):
    frame = Frame(table(chunk, types), at=AT)
    asked = [condition(meant.text, ATTRIBUTES) for meant in several]
    scored = number(counted.text, ATTRIBUTES)

    shared = [frame.holds(one) for one in asked] + [frame.holds(one) for one in asked]
    shown = frame.value(scored)

    for one, truth in zip(asked + asked, shared, strict=True):
        fresh = holds(one, table(chunk, types), at=AT)
        assert (truth.true.tolist(), truth.false.tolist()) == (fresh.true.tolist(), fresh.false.tolist())
    assert shown.known.tolist() == value(scored, table(chunk, types), at=AT).known.tolist()


@LAW
@given(CONDITIONS, NUMBERS)
def test_the_canonical_text_reads_back_to_the_same_tree(asked, counted):
    for read, text in ((condition, asked.text), (number, counted.text)):
        first = read(text, ATTRIBUTES)
        again = read(first.text, ATTRIBUTES)
        assert again == first
        assert hash(again) == hash(first)
        assert pickle.loads(pickle.dumps(first)) == first  # noqa: S301 -- our own bytes, as worker processes get them


# ---------------------------------------------------------------------------------------------------------- any text

WORDS = [
    *("visits", "spend", "gold", "city", '"end"', "seen", "nobody", "1", "2.5", "'a'", "'%'", "TRUE", "NULL", "IS"),
    *("AND", "OR", "NOT", "(", ")", ",", "=", "<", "<=", "<>", "+", "-", "*", "/", "BETWEEN", "IN", "LIKE"),
    *(
        "CASE",
        "WHEN",
        "THEN",
        "ELSE",
        "END",
        "ABS(",
        "LEAST(",
        "LOWER(",
        "DAYS_SINCE(",
        "COUNT(",
        "::",
        ";",
        "--",
        "/*",
    ),
    *("SELECT", "EXISTS", "ANY", "INTERVAL", "$1", "{{", "\\", "'", '"', ".", "\n", "ESCAPE", "SYMMETRIC", "OVER"),
]
soup = st.lists(st.sampled_from(WORDS), max_size=40).map(" ".join)


@st.composite
def damaged(draw):
    """Draw a right expression, then put a word of the soup into it, or leave one out."""
    words = draw(CONDITIONS | NUMBERS).text.split(" ")
    index = draw(st.integers(0, len(words) - 1))
    return " ".join(words[:index] + draw(st.sampled_from([[], [draw(st.sampled_from(WORDS))]])) + words[index + 1 :])


@settings(LAW, max_examples=300)
@given(st.text() | soup | damaged() | st.text("()-'*/. \n\\a1=", max_size=60))
def test_any_text_is_an_expression_or_an_error_with_places(text):
    for read in (condition, number):
        found = outcome(read, text)
        if isinstance(found, ExpressionInvalid):
            assert found.places
            assert all(re.fullmatch(r"line \d+, column \d+", place.where) for place in found.places)
        else:
            assert read(found.text, ATTRIBUTES) == found


def outcome(read, text):
    try:
        return read(text, ATTRIBUTES)
    except ExpressionInvalid as refused:
        return refused


@LAW
@given(
    st.sampled_from(
        ["(", "NOT ", "- ", "ABS(", "NOT (", "-(", "CASE WHEN gold THEN ", "gold = NOT ", "1 BETWEEN 1 AND NOT "]
    )
)
def test_any_depth_is_an_expression_or_an_error(opening):
    for depth in range(0, 200, 7):
        closing = ")" * opening.count("(") + " ELSE 0 END" * opening.count("CASE")
        found = outcome(condition, opening * depth + "visits" + closing * depth + " = 1")
        assert not isinstance(found, ExpressionInvalid) or found.places
