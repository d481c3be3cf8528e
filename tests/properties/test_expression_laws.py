"""Laws of the expression language, against a slow and obvious evaluator: one row at a time, None for unknown."""

import math
import operator
import pickle
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import pyarrow as pa
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from consent.base.errors import ExpressionInvalid
from personalise.steps.invent.columns import Frame, holds, value
from personalise.steps.invent.expressions import condition, number

LAW = settings(deadline=None, max_examples=60)  # machines are shared: time is measured in benchmarks, not here
AT = datetime(2026, 11, 21, 10, 30, tzinfo=UTC)
ROW = Mapping[str, object]


@dataclass(frozen=True)
class Attribute:
    name: str
    category: str
    type: str


ATTRIBUTES = {
    name: Attribute(name, f"category_of_{name}", kind)
    for name, kind in {
        "visits": "integer",
        "age": "integer",
        "spend": "number",
        "ratio": "number",
        "gold": "boolean",
        "paused": "boolean",
        "city": "text",
        "end": "text",  # a keyword: written in double quotes
        "seen": "time",
        "bought": "time",
    }.items()
}
ARROW = {
    "integer": [pa.int64(), pa.int32(), pa.int16()],
    "number": [pa.float64()],
    "boolean": [pa.bool_()],
    "text": [pa.string(), pa.large_string(), pa.dictionary(pa.int8(), pa.string())],
    "time": [pa.timestamp("ms", "UTC"), pa.timestamp("us"), pa.timestamp("ns", "UTC")],
}
CELLS = {
    "integer": st.integers(-3, 3) | st.integers(-(2**15), 2**15 - 1),
    "number": st.sampled_from([0.0, -0.0, 0.5, -0.5, 1.5, 2.5, 1e308, 5e-324, math.nan, math.inf]) | st.floats(),
    "boolean": st.booleans(),
    "text": st.sampled_from(["", "a", "b", "ab", "aé", "A%", "a\nb", "it's", "É"]) | st.text("abÉé%_'\n", max_size=4),
    "time": st.datetimes(datetime(1970, 2, 1), datetime(2100, 1, 1)).map(  # noqa: DTZ001 -- made aware below
        lambda naive: naive.replace(tzinfo=UTC, microsecond=naive.microsecond // 1000 * 1000)
    )
    | st.sampled_from([AT, AT - timedelta(days=1), AT - timedelta(days=31), AT + timedelta(milliseconds=1)]),
}

# -------------------------------------------------------------------------- expressions, each with its obvious meaning


@dataclass(frozen=True)
class Meant:
    """An expression's text and what it means for one row."""

    text: str
    of: Callable[[ROW], object]


def known(row, *parts):
    """Return the parts' values, or None if one of them is unknown."""
    values = [part.of(row) for part in parts]
    return None if None in values else values


def cell(name):
    def of(row):
        found = row[name]
        return None if isinstance(found, float) and not math.isfinite(found) else found

    return Meant('"end"' if name == "end" else name, of)


def facts(kind):
    return st.sampled_from([cell(name) for name, attribute in ATTRIBUTES.items() if attribute.type == kind])


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


NUMERALS = st.sampled_from([0.0, 1.0, 2.0, 0.5, 0.1, 1e308, 30.0]) | st.floats(0, 1e9).filter(lambda x: x == 0 or x > 1e-300)
literals = NUMERALS.map(lambda x: Meant(str(int(x)) if x in {0, 1, 2} else repr(x), lambda _: x))
writings = CELLS["text"].map(lambda text: Meant(quoted(text), lambda _: text))
texts = facts("text") | writings | facts("text").map(lambda of: Meant(f"lower({of.text})", lambda row: lowered(of, row)))


def lowered(of, row):
    found = of.of(row)
    return None if found is None else found.lower()


def finite(found):
    return found if found is not None and math.isfinite(found) else None


def divided(left, right):
    return left / right if right else None


ARITHMETIC = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": divided}
COMPARED = {
    "=": operator.eq,
    "<>": operator.ne,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def calculated(left, sign, right):
    def of(row):
        values = known(row, left, right)
        return values and finite(ARITHMETIC[sign](float(values[0]), float(values[1])))

    return Meant(f"({left.text}) {sign} ({right.text})", of)


def function(name, does, *parts):
    def of(row):
        values = known(row, *parts)
        return None if values is None else does(*values)

    return Meant(f"{name}({', '.join(part.text for part in parts)})", of)


def rounded(found):
    return float(Decimal(found).to_integral_value(ROUND_HALF_UP))


def months(then):
    whole = (AT.year - then.year) * 12 + AT.month - then.month
    rest = (AT.day, AT.time()) < (then.day, then.time())
    return whole - rest


def chosen(test, then, otherwise):
    def of(row):
        taken = test.of(row)
        return None if taken is None else (then if taken else otherwise).of(row)

    return Meant(f"CASE WHEN {test.text} THEN {then.text} ELSE {otherwise.text} END", of)


def compared(left, sign, right):
    def of(row):
        values = known(row, left, right)
        return None if values is None else COMPARED[sign](*values)

    return Meant(f"({left.text}) {sign} ({right.text})", of)


def between(found, low, high):
    def of(row):
        return all_of([compared(found, ">=", low).of(row), compared(found, "<=", high).of(row)])

    return Meant(f"({found.text}) BETWEEN ({low.text}) AND ({high.text})", of)


def one_of(found, options, spelled):
    def of(row):
        seen = found.of(row)
        return None if seen is None else seen in options

    return Meant(f"({found.text}) IN ({', '.join(map(spelled, options))})", of)


def like(found, pattern):
    fits = re.compile("".join({"%": ".*", "_": "."}.get(letter, re.escape(letter)) for letter in pattern), re.DOTALL)

    def of(row):
        seen = found.of(row)
        return None if seen is None else fits.fullmatch(seen) is not None

    return Meant(f"({found.text}) like {quoted(pattern)}", of)


def all_of(answers):
    return False if False in answers else None if None in answers else True


def negated(answer):
    return None if answer is None else not answer


def both(left, right):
    return Meant(f"({left.text}) AND ({right.text})", lambda row: all_of([left.of(row), right.of(row)]))


def either(left, right):
    def of(row):
        return negated(all_of([negated(left.of(row)), negated(right.of(row))]))

    return Meant(f"({left.text}) OR ({right.text})", of)


def numbers(depth):
    leaves = literals | facts("integer") | facts("number")
    since = st.one_of(
        facts("time").map(lambda of: function("DAYS_SINCE", lambda then: (AT - then) // timedelta(days=1), of)),
        facts("time").map(lambda of: function("months_since", months, of)),
    )
    if depth == 0:
        return leaves | since
    below = numbers(depth - 1)
    return st.one_of(
        leaves,
        st.builds(calculated, below, st.sampled_from("+-*/"), below),
        below.map(lambda of: Meant(f"-({of.text})", lambda row: negative(of, row))),
        below.map(lambda of: function("ABS", abs, of)),
        below.map(lambda of: function("round", rounded, of)),
        st.builds(lambda a, b: function("LEAST", lambda x, y: x if x <= y else y, a, b), below, below),
        st.builds(lambda a, b: function("GREATEST", lambda x, y: x if x >= y else y, a, b), below, below),
        st.builds(chosen, conditions(depth - 1), below, below),
    )


def negative(of, row):
    found = of.of(row)
    return None if found is None else -found


def conditions(depth):
    signs = st.sampled_from(list(COMPARED))
    quantity = numbers(max(depth - 1, 0))
    leaves = st.one_of(
        facts("boolean"),
        st.sampled_from([Meant("TRUE", lambda _: True), Meant("false", lambda _: False)]),
        st.builds(compared, quantity, signs, quantity),
        st.builds(compared, texts, signs, texts),
        st.builds(compared, facts("time"), signs, facts("time")),
        st.builds(compared, facts("boolean"), st.sampled_from(["=", "<>"]), facts("boolean")),
        st.builds(between, quantity, quantity, quantity),
        st.builds(between, texts, texts, texts),
        st.builds(one_of, quantity, st.lists(NUMERALS, min_size=1, max_size=12), st.just(repr)),
        st.builds(one_of, texts, st.lists(CELLS["text"], min_size=1, max_size=4), st.just(quoted)),
        st.builds(like, texts, st.text("ab%_é'.*", max_size=5).filter(lambda pattern: pattern.count("%") <= 8)),
    )
    if depth == 0:
        return leaves
    below = conditions(depth - 1)
    return st.one_of(
        leaves,
        st.builds(both, below, below),
        st.builds(either, below, below),
        below.map(lambda of: Meant(f"NOT ({of.text})", lambda row: negated(of.of(row)))),
    )


CONDITIONS = conditions(2)
NUMBERS = numbers(2)

# -------------------------------------------------------------------------------------------------------------- chunks

rows = st.fixed_dictionaries({name: st.none() | CELLS[of.type] for name, of in ATTRIBUTES.items()})
chunks = st.lists(rows, min_size=1, max_size=9)
widths = st.fixed_dictionaries({name: st.sampled_from(ARROW[of.type]) for name, of in ATTRIBUTES.items()})


def columns(chunk, types):
    def column(name):
        plain = pa.string() if pa.types.is_dictionary(types[name]) else types[name]
        return pa.array([row[name] for row in chunk], type=plain).cast(types[name])

    return {name: column(name) for name in ATTRIBUTES}


def table(chunk, types):
    return pa.table(columns(chunk, types))


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
    *("CASE", "WHEN", "THEN", "ELSE", "END", "ABS(", "LEAST(", "LOWER(", "DAYS_SINCE(", "COUNT(", "::", ";", "--", "/*"),
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
        try:
            found = read(text, ATTRIBUTES)
        except ExpressionInvalid as refused:
            assert refused.places
            assert all(re.fullmatch(r"line \d+, column \d+", place.where) for place in refused.places)
        else:
            assert read(found.text, ATTRIBUTES) == found


@LAW
@given(st.sampled_from(["(", "NOT ", "- ", "ABS(", "NOT (", "-(", "CASE WHEN gold THEN ", "gold = NOT ", "1 BETWEEN 1 AND NOT "]))
def test_any_depth_is_an_expression_or_an_error(opening):
    for depth in range(0, 200, 7):
        closing = ")" * opening.count("(") + " ELSE 0 END" * opening.count("CASE")
        try:
            condition(opening * depth + "visits" + closing * depth + " = 1", ATTRIBUTES)
        except ExpressionInvalid as refused:
            assert refused.places
