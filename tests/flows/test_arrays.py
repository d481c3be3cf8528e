"""Columns of values come to PostgreSQL as they are; what no text can hold is refused."""

from typing import Any

import pytest

from consent.base.arrays import BY_TYPE, columns
from consent.base.errors import Invalid
from consent.base.faults import UNSTORABLE

COLUMNS: dict[str, list[Any]] = {
    "TEXT": ["", "a", None, "ä„“𝄞", 'with "quotes", {braces} and \\', "NULL", " ", "x" * 100_000],
    "BYTEA": [b"", b"\x00\xff", None, bytes(range(256)), memoryview(b"seen"), b"\\x00", b"y" * 100_000, b"\x00"],
    "BIGINT": [0, -1, None, 1 << 62, -(1 << 63), (1 << 63) - 1, True, 7],
    "BOOLEAN": [True, False, None, True, True, False, None, False],
}


def sent(world, *kinds_and_values):
    """Send columns to PostgreSQL, and return the rows that it has of them."""
    names = [name for name, _ in kinds_and_values]
    rows = list(zip(*(values for _, values in kinds_and_values), strict=True))
    lists = ", ".join(f"%b::{name}[]" for name in names)
    query = f"SELECT * FROM unnest({lists})"  # noqa: S608 -- names of types
    with world.store.write() as work:
        found = work.driver.execute(query, columns([BY_TYPE[name] for name in names], rows)).fetchall()
    return rows, found


def test_every_value_of_every_type_comes_as_it_is(postgresql_world):
    rows, found = sent(postgresql_world, *COLUMNS.items())
    assert set(COLUMNS) == set(BY_TYPE)
    assert [tuple(bytes(each) if isinstance(each, memoryview) else each for each in row) for row in rows] == found


@pytest.mark.parametrize("name", BY_TYPE)
def test_a_column_of_one_value_of_none_and_of_nothing(postgresql_world, name):
    one = COLUMNS[name][1]
    assert sent(postgresql_world, (name, [one]))[1] == [(one,)]
    assert sent(postgresql_world, (name, [None]))[1] == [(None,)]
    with postgresql_world.store.write() as work:
        query = f"SELECT cardinality(%b::{name}[])"
        assert work.driver.execute(query, [BY_TYPE[name]()]).fetchone() == (0,)


@pytest.mark.parametrize("text", ["\ud800", "a\x00b"])
def test_what_no_text_can_hold_is_refused_and_the_message_does_not_hold_it(postgresql_world, text):
    with pytest.raises(Invalid) as refused:
        sent(postgresql_world, ("TEXT", ["fine", text]))
    assert UNSTORABLE in str(refused.value)


def test_a_number_that_is_too_large_for_its_column_is_refused(postgresql_world):
    for column in ([1, 1 << 63], [None, -(1 << 63) - 1]):
        with pytest.raises(Invalid):
            sent(postgresql_world, ("BIGINT", column))
