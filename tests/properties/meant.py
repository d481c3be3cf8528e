"""Expressions for property tests, each with a slow and obvious meaning: one row at a time, None for unknown."""

import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

import pyarrow as pa
from hypothesis import strategies as st

from consent.catalogue.model import Attribute, AttributeType

AT = datetime(2026, 11, 21, 10, 30, tzinfo=UTC)
ROW = Mapping[str, object]


KINDS: dict[str, AttributeType] = {
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
}
ATTRIBUTES = {name: Attribute(name=name, category=f"category_of_{name}", type=kind) for name, kind in KINDS.items()}
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


NUMERALS = st.sampled_from([0.0, 1.0, 2.0, 0.5, 0.1, 1e308, 30.0]) | st.floats(0, 1e9).filter(
    lambda x: x == 0 or x > 1e-300
)
literals = NUMERALS.map(lambda x: Meant(str(int(x)) if x in {0, 1, 2} else repr(x), lambda _: x))
writings = CELLS["text"].map(lambda text: Meant(quoted(text), lambda _: text))
texts = (
    facts("text") | writings | facts("text").map(lambda of: Meant(f"lower({of.text})", lambda row: lowered(of, row)))
)


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
        st.builds(lambda a, b: function("LEAST", min, a, b), below, below),
        st.builds(lambda a, b: function("GREATEST", max, a, b), below, below),
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
