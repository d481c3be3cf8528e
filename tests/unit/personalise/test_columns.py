"""Expressions over columns: three-valued answers, what counts as unknown, and what Arrow may bring."""

import math
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pyarrow as pa
import pytest

from consent.base.errors import Invalid
from consent.catalogue.model import Attribute, AttributeType
from personalise.language.columns import Frame, holds, value
from personalise.language.expressions import condition, number

AT = datetime(2026, 3, 31, 12, 0, tzinfo=UTC)


KINDS: dict[str, AttributeType] = {
    "a": "integer",
    "b": "integer",
    "x": "number",
    "y": "number",
    "p": "boolean",
    "q": "boolean",
    "s": "text",
    "u": "text",
    "t": "time",
}
ATTRIBUTES = {name: Attribute(name=name, category="any", type=kind) for name, kind in KINDS.items()}
KLEENE = {
    "p": pa.array([True, True, True, False, False, False, None, None, None]),
    "q": pa.array([True, False, None] * 3),
}


def answers(text, table, at=AT):
    """Return True, False or None for each customer."""
    truth = holds(condition(text, ATTRIBUTES), table, at=at)
    assert not (truth.true & truth.false).any()
    assert truth.unknown.tolist() == [not (yes or no) for yes, no in zip(truth.true, truth.false, strict=True)]
    return [True if yes else False if no else None for yes, no in zip(truth.true, truth.false, strict=True)]


def numbers(text, table, at=AT):
    """Return a number or None for each customer."""
    found = value(number(text, ATTRIBUTES), table, at=at)
    assert np.isnan(found.values[~found.known]).all()
    return [one if sure else None for one, sure in zip(found.values.tolist(), found.known.tolist(), strict=True)]


# ------------------------------------------------------------------------------------------------------ unknown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("p AND q", [True, False, None, False, False, False, None, False, None]),
        ("p OR q", [True, True, True, True, False, None, True, None, None]),
        ("NOT p", [False, False, False, True, True, True, None, None, None]),
        ("p = q", [True, False, None, False, True, None, None, None, None]),
        ("p <> q", [False, True, None, True, False, None, None, None, None]),
        ("p = TRUE", [True, True, True, False, False, False, None, None, None]),
        ("p OR NOT p", [True, True, True, True, True, True, None, None, None]),
        ("p AND FALSE", [False] * 9),
        ("p OR TRUE", [True] * 9),
    ],
)
def test_logic_has_three_values(text, expected):
    assert answers(text, KLEENE) == expected


def test_unknown_satisfies_neither_a_condition_nor_its_negation():
    table = {"a": pa.array([1, None, 9])}

    assert answers("a <= 6", table) == [True, None, False]
    assert answers("NOT a <= 6", table) == [False, None, True]


@pytest.mark.parametrize(
    ("text", "table", "expected"),
    [
        ("x = x", {"x": [1.0, math.nan, math.inf, -math.inf, None]}, [True, None, None, None, None]),
        ("x / y > 1", {"x": [4.0, 4.0, 0.0], "y": [2.0, 0.0, 0.0]}, [True, None, None]),
        ("x * y > 1", {"x": [1e308, 1.0], "y": [1e308, 2.0]}, [None, True]),
        ("x * y / y > 1", {"x": [1e308, 4.0], "y": [1e308, 2.0]}, [None, True]),
        ("1 / (x * y) < 1", {"x": [1e308, 4.0], "y": [1e308, 2.0]}, [None, True]),
        ("LEAST(x, 1) = 1", {"x": [2.0, None]}, [True, None]),
        ("GREATEST(1, x) = 1", {"x": [0.0, None]}, [True, None]),
        ("x BETWEEN 1 AND y", {"x": [2.0, 2.0, 0.0, 2.0], "y": [3.0, 1.0, None, None]}, [True, False, False, None]),
        ("x NOT BETWEEN 1 AND y", {"x": [2.0, 2.0, 0.0, 2.0], "y": [3.0, 1.0, None, None]}, [False, True, True, None]),
        ("a IN (1, 2)", {"a": [1, 3, None]}, [True, False, None]),
        ("a NOT IN (1, 2)", {"a": [1, 3, None]}, [False, True, None]),
        ("s IN ('a', 'b')", {"s": ["a", "c", None]}, [True, False, None]),
        ("s = u", {"s": ["a", "a", None], "u": ["a", "b", "a"]}, [True, False, None]),
        ("0 * a = 0", {"a": [1, None]}, [True, None]),
    ],
)
def test_what_can_not_be_known_is_unknown(text, table, expected):
    assert answers(text, {name: pa.array(cells) for name, cells in table.items()}) == expected


@pytest.mark.parametrize(
    "text", ["a = 1", "x > 1", "p", "s = 'a'", "s LIKE '%'", "s IN ('a')", "LOWER(s) = 'a'", "DAYS_SINCE(t) >= 0"]
)
def test_a_column_that_is_not_there_is_unknown(text):
    present = {"b": pa.array([1, 2])}

    assert answers(text, present) == [None, None]
    assert answers(f"NOT {text}", present) == [None, None]
    assert answers(f"{text} OR b = 1", present) == [True, None]


def test_a_case_is_unknown_as_soon_as_a_condition_before_its_branch_is():
    table = {"p": pa.array([True, False, None, None]), "q": pa.array([None, True, True, False])}

    assert numbers("CASE WHEN p THEN 1 WHEN q THEN 2 ELSE 3 END", table) == [1, 2, None, None]
    assert numbers("CASE WHEN p THEN 1 ELSE 1 END", table) == [1, 1, None, None]


def test_a_case_needs_to_know_the_branch_it_takes_only():
    table = {"p": pa.array([True, False]), "x": pa.array([None, 5.0])}

    assert numbers("CASE WHEN p THEN 1 ELSE x END", table) == [1, 5]
    assert numbers("CASE WHEN p THEN x ELSE 1 END", table) == [None, 1]


def test_an_integer_that_float64_can_not_tell_from_another_is_unknown():
    table = {"a": pa.array([2**53, 2**53 + 1, -(2**53), -(2**53) - 1])}

    assert answers("a > 0", table) == [True, None, False, None]
    assert answers("a + 0 > 0", table) == [True, None, False, None]


# ------------------------------------------------------------------------------------------------------- numbers


def test_a_rule_score_is_calculated_from_left_to_right():
    table = {"a": pa.array([0, 1, None]), "x": pa.array([0.1, 0.7, 0.3])}

    assert numbers("0.02 + 0.05 * a - x / 3", table) == [0.02 + 0.05 * 0 - 0.1 / 3, 0.02 + 0.05 * 1 - 0.7 / 3, None]


def test_whole_numbers_divide_into_fractions_and_do_not_wrap():
    table = {"a": pa.array([1, 127], type=pa.int8()), "b": pa.array([2, 127], type=pa.int8())}

    assert numbers("a / b", table) == [0.5, 1]
    assert numbers("a * b + a", table) == [3, 127 * 127 + 127]


def test_halves_are_rounded_away_from_zero():
    table = {"x": pa.array([0.5, 1.5, 2.5, -0.5, -2.5, 0.49999999999999994, 2.4, 4503599627370497.5, 1e300])}

    assert numbers("ROUND(x)", table) == [1, 2, 3, -1, -3, 0, 2, 4503599627370498, 1e300]


def test_zero_has_no_sign():
    found = value(number("-x", ATTRIBUTES), {"x": pa.array([0.0, -0.0])}, at=AT)

    assert np.signbit(found.values).tolist() == [False, False]


def test_least_and_greatest_take_any_count_of_numbers():
    table = {"a": pa.array([3, 1]), "x": pa.array([2.5, 9.0])}

    assert numbers("LEAST(a, x, 2)", table) == [2, 1]
    assert numbers("GREATEST(a, x, 2)", table) == [3, 9]
    assert numbers("ABS(a - x)", table) == [0.5, 8]


@pytest.mark.parametrize(
    "width", [pa.int8(), pa.int16(), pa.int64(), pa.uint8(), pa.uint32(), pa.uint64(), pa.float32()]
)
def test_numbers_of_any_width_are_compared_by_value(width):
    table = {"a": pa.array([0, 6, 7, None], type=width)}

    assert answers("a <= 6", table) == [True, True, False, None]
    assert answers("a > -1", table) == [True, True, True, None]
    assert answers("a < 1000.5", table) == [True, True, True, None]
    assert answers("6 >= a", table) == [True, True, False, None]


# ---------------------------------------------------------------------------------------------------------- text


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())]
)
def test_text_of_any_arrow_kind_is_compared_by_code_point(kind):
    table = {"s": pa.array(["a", "Z", "é", None]).cast(kind), "u": pa.array(["a", "a", "a", "a"])}

    assert answers("s = 'a'", table) == [True, False, False, None]
    assert answers("s < 'a'", table) == [False, True, False, None]
    assert answers("s >= u", table) == [True, False, True, None]
    assert answers("s IN ('é', 'Z')", table) == [False, True, True, None]
    assert answers("LOWER(s) = 'z'", table) == [False, True, False, None]
    assert answers("s LIKE '_'", table) == [True, True, True, None]


@pytest.mark.parametrize(
    ("pattern", "fitting"),
    [
        ("a%", ["a", "ab", "a\nb", "a.c", "a%"]),
        ("%b", ["ab", "a\nb"]),
        ("a_b", ["a\nb"]),
        ("a.c", ["a.c"]),
        ("%.%", ["a.c"]),
        ("_", ["a", "é"]),
        ("", [""]),
        ("a%_%", ["ab", "a\nb", "a.c", "a%"]),
        ("[a]%", []),
        ("A%", []),
    ],
)
def test_a_pattern_fits_whole_texts_and_knows_two_wildcards_only(pattern, fitting):
    cells = ["", "a", "ab", "a\nb", "a.c", "a%", "é", "xy"]

    fits = answers(f"s LIKE '{pattern}'", {"s": pa.array(cells)})

    assert [cell for cell, yes in zip(cells, fits, strict=True) if yes] == fitting


def test_literals_can_be_compared_with_each_other():
    table = {"a": pa.array([1, 2])}

    assert answers("'a' = LOWER('A') AND 'a' IN ('a') AND 'ab' LIKE 'a%' AND 1 < 2", table) == [True, True]


# ---------------------------------------------------------------------------------------------------------- time


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Asia/Tokyo"])
def test_days_are_counted_whole_in_any_unit_and_zone(unit, zone):
    moments = [AT, AT - timedelta(days=1), AT - timedelta(hours=23), AT + timedelta(hours=1), None]
    assert numbers("DAYS_SINCE(t)", {"t": pa.array(moments, type=pa.timestamp(unit, zone))}) == [0, 1, 0, -1, None]


def test_months_are_complete_when_day_and_hour_are_reached():
    moments = [
        datetime(2026, 2, 28, 12, tzinfo=UTC),
        datetime(2026, 2, 28, 12, 0, 1, tzinfo=UTC),
        datetime(2025, 3, 31, 12, tzinfo=UTC),
        datetime(2025, 3, 31, 13, tzinfo=UTC),
        datetime(1960, 3, 31, 12, tzinfo=UTC),
        datetime(2026, 4, 1, tzinfo=UTC),
        None,
    ]

    found = numbers("MONTHS_SINCE(t)", {"t": pa.array(moments, type=pa.timestamp("ms", "UTC"))})

    assert found == [1, 1, 12, 11, 66 * 12, -1, None]


def test_the_last_of_january_is_a_month_ago_in_march():
    table = {"t": pa.array([datetime(2026, 1, 31, tzinfo=UTC)], type=pa.timestamp("ms", "UTC"))}

    assert numbers("MONTHS_SINCE(t)", table, at=datetime(2026, 2, 28, tzinfo=UTC)) == [0]
    assert numbers("MONTHS_SINCE(t)", table, at=datetime(2026, 3, 1, tzinfo=UTC)) == [1]


def test_the_instant_counts_not_the_zone_it_is_written_in():
    table = {"t": pa.array([AT], type=pa.timestamp("ms", "UTC"))}
    elsewhere = AT.astimezone(timezone(timedelta(hours=9))) + timedelta(days=1)

    assert numbers("DAYS_SINCE(t)", table, at=elsewhere) == [1]


def test_an_instant_without_a_zone_is_refused():
    with pytest.raises(Invalid):
        Frame({}, at=AT.replace(tzinfo=None))


# -------------------------------------------------------------------------------------------------------- tables


def test_tables_batches_slices_and_pieces_give_the_same_answers():
    whole = pa.table({"a": [9, 1, None, 7, 3], "p": [True, None, False, True, True], "s": ["x", "y", None, "x", "x"]})
    text = "a <= 6 AND p OR s = 'y'"
    expected = answers(text, whole)
    pieces = pa.concat_tables([whole.slice(0, 2), whole.slice(2, 0), whole.slice(2)])

    assert expected == [False, True, None, False, True]
    assert answers(text, whole.to_batches()[0]) == expected
    assert answers(text, pieces) == expected
    assert answers(text, {name: whole[name] for name in whole.column_names}) == expected
    assert answers(text, whole.slice(1, 3)) == expected[1:4]


def test_nobody_is_asked_of_an_empty_table():
    empty = pa.table({"a": pa.array([], pa.int64()), "p": pa.array([], pa.bool_()), "s": pa.array([], pa.string())})

    assert answers("a = 1 AND p AND s LIKE 'a%' OR TRUE", empty) == []
    assert numbers("a / 2 + 1", empty) == []
    assert answers("TRUE", {}) == []


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("a = 1", pa.array(["1"])),
        ("x = 1", pa.array([True])),
        ("p", pa.array([1])),
        ("s = 'a'", pa.array([b"a"])),
        ("DAYS_SINCE(t) = 1", pa.array([1])),
        ("a = 1", pa.array([None], type=pa.string())),
    ],
)
def test_a_column_of_another_type_than_the_catalogue_says_is_refused(text, column):
    asked = condition(text, ATTRIBUTES)

    with pytest.raises(TypeError):
        holds(asked, {next(iter(asked.attributes)): column}, at=AT)


def test_columns_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="b has 1 cells, the first column 2"):
        holds(condition("a = 1 AND b = 1", ATTRIBUTES), {"a": pa.array([1, 2]), "b": pa.array([1])}, at=AT)


def test_answers_are_read_only_because_they_are_shared():
    frame = Frame({"a": pa.array([1, 2]), "x": pa.array([1.0, 2.0])}, at=AT)
    truth = frame.holds(condition("a = 1", ATTRIBUTES))
    found = frame.value(number("x", ATTRIBUTES))

    assert [array.flags.writeable for array in (truth.true, truth.false, *found)] == [False] * 4


def test_a_shared_part_is_worked_out_once():
    frame = Frame({"a": pa.array([1, 2, 3])}, at=AT)
    part = condition("a / 3 > 0.5", ATTRIBUTES)

    first = frame.holds(part)
    frame.holds(condition("a = 1 OR a / 3 > 0.5", ATTRIBUTES))
    second = frame.holds(condition("(a / 3 > .5)", ATTRIBUTES))

    assert first.true.base is second.true.base
