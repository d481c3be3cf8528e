"""Which answers a condition can have at all: never fewer than it has."""

import random

import pyarrow as pa
import pytest

from consent.catalogue.model import Attribute
from personalise.language.columns import Frame
from personalise.language.expressions import condition
from personalise.language.possible import Possible, possible
from personalise.language.terms import AttributeType
from tests.builders import START

TYPES: dict[str, AttributeType] = {
    "n": "integer",
    "x": "number",
    "t": "text",
    "u": "text",
    "b": "boolean",
    "at": "time",
}
NAMED = {name: Attribute(name=name, category="c", type=kind) for name, kind in TYPES.items()}
NEVER, ALWAYS, EITHER = (
    Possible(true=False, false=True),
    Possible(true=True, false=False),
    Possible(true=True, false=True),
)


def of(text):
    return possible(condition(text, NAMED), at=START)


@pytest.mark.parametrize(
    "text",
    [
        "1 = 2", "1 + 1 > 3", "FALSE", "t = 'a' AND t = 'b'", "t = 'a' AND t <> 'a'", "t IN ('a', 'b') AND t = 'c'",
        "n > 3 AND n < 4", "x > 3 AND x < 3", "x BETWEEN 5 AND 4", "b = TRUE AND NOT b = TRUE",
        "n <= 2 AND (n > 5 OR n = 4)",
        "n > 3 AND u = 'z' AND n < 2", "t = u AND NOT t = u", "DAYS_SINCE(at) > 9 AND DAYS_SINCE(at) < 3",
        "4 < n AND 3 > n",
        "(x > 1 OR b = TRUE) AND x < 0 AND b = FALSE",
    ],
)  # fmt: skip
def test_what_can_never_hold_is_found(text):
    assert of(text) == NEVER


@pytest.mark.parametrize(
    "text",
    [
        "1 = 1", "2 > 1 OR n = 3", "n > 3 OR n < 9", "t = 'a' OR t <> 'a'", "NOT (x > 3 AND x < 3)",
        "b = TRUE OR b = FALSE",
    ],
)  # fmt: skip
def test_what_always_holds_where_it_is_known_is_found(text):
    assert of(text) == ALWAYS


@pytest.mark.parametrize(
    "text",
    [
        "n > 3", "x > 3 AND x < 4", "t = 'a' OR t = 'b'", "t < 'b' AND t > 'a'", "n + x > 3", "t LIKE 'a%'",
        "n = 3 AND x = 4",
        "b = TRUE", "t <> 'a' AND t <> 'b'", "at < at OR n = 1", "LOWER(t) = 'a'", "n IN (1, 2) AND n >= 2",
    ],
)  # fmt: skip
def test_what_tells_customers_apart_is_let_be(text):
    assert of(text) == EITHER


def test_too_many_combinations_are_not_tried():
    parts = [f"(n = {spot} OR x = {spot} OR t = '{spot}' OR u = '{spot}')" for spot in range(9)]
    assert of(" AND ".join(parts)) is None


def test_no_answer_that_anybody_has_is_held_to_be_impossible():
    drawn = random.Random(3)  # noqa: S311 -- made-up customers
    asks = ["n > {0}", "n <= {0}", "n = {0}", "x < {0}", "x BETWEEN {0} AND {1}", "t = '{0}'", "t <> '{1}'",
            "t IN ('{0}', '{1}')",
            "t = u", "u < '{0}'", "b = TRUE", "n + x > {0}", "NOT n > {1}", "{0} = {1}", "x > n"]  # fmt: skip
    rows = 200
    table = pa.table({
        "n": pa.array([drawn.randrange(5) for _ in range(rows)], type=pa.int64()),
        "x": [drawn.randrange(9) / 2 for _ in range(rows)],
        "t": [str(drawn.randrange(4)) for _ in range(rows)], "u": [str(drawn.randrange(4)) for _ in range(rows)],
        "b": [drawn.random() < 0.5 for _ in range(rows)],
        "at": pa.array([0] * rows, type=pa.timestamp("ms", "UTC")),
    })  # fmt: skip
    seen = set()
    for _ in range(600):
        words = [
            drawn.choice(asks).format(drawn.randrange(4), drawn.randrange(4)) for _ in range(drawn.randrange(1, 5))
        ]
        text = f" {drawn.choice(['AND', 'OR'])} ".join(words)
        truth, found = Frame(table, at=START).holds(condition(text, NAMED)), of(text)
        assert found is not None
        assert (truth.true.any() <= found.true, truth.false.any() <= found.false) == (True, True), text
        seen.add(found)
    assert seen == {NEVER, ALWAYS, EITHER}
