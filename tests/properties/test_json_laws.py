"""What reads JSON fast is what reads it strictly, or it leaves it to that."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from consent.base import strict_json
from consent.base.errors import Invalid

_TEXTS = st.text(
    st.sampled_from(["a", "b", ":", '"', " ", "{", "}", ",", "ä", "\\", "\n", "\x00", "\ud800"]), max_size=3
)
_SINGLES = (
    st.none() | st.booleans() | st.floats() | _TEXTS | st.integers(-9, 9)
    | st.integers(2**53 - 3, 2**53 + 1) | st.integers(2**64 - 2, 2**64 + 2)
)  # fmt: skip


class Pairs(list[Any]):
    """An object that may have a key twice."""


_VALUES = st.recursive(
    _SINGLES,
    lambda inner: st.lists(inner, max_size=3) | st.lists(st.tuples(_TEXTS, inner), max_size=3).map(Pairs),
    max_leaves=8,
)


def written(value, draw):
    """Write a value down, with blanks where JSON lets them be."""
    gap = lambda: draw.choice(["", "", " ", "\t", "\n "])  # noqa: E731 -- one expression
    if isinstance(value, Pairs):
        inside = (f"{gap()}{one(key, draw)}{gap()}:{gap()}{written(each, draw)}{gap()}" for key, each in value)
        return "{" + ",".join(inside) + "}"
    if isinstance(value, list):
        return "[" + ",".join(f"{gap()}{written(each, draw)}{gap()}" for each in value) + "]"
    return one(value, draw)


def one(value, draw):
    return json.dumps(value, ensure_ascii=draw.choice([True, False]))


@given(_VALUES, st.randoms(), st.integers(0, 3))
def test_what_is_read_at_once_is_what_is_read_slowly(value, draw, broken):
    raw = written(value, draw).encode("utf-8", "surrogatepass")
    if broken == 1 and raw:
        spot = draw.randrange(len(raw))
        raw = raw[:spot] + raw[spot + 1 :]
    plain = strict_json.at_once(raw)
    if plain is None:
        return
    slow = strict_json.slowly(raw)
    assert (plain, repr(plain)) == (slow, repr(slow))


@given(_VALUES, st.randoms())
def test_what_is_refused_slowly_is_never_read_at_once(value, draw):
    raw = written(value, draw).encode("utf-8", "surrogatepass")
    try:
        strict_json.slowly(raw)
    except Invalid:
        assert strict_json.at_once(raw) is None


def test_what_programs_write_is_read_at_once_and_a_key_that_stands_twice_is_not():
    assert strict_json.at_once(b'{"a": [1, true, null], "b" : {"c":"d:"}}') == {"a": [1, True, None], "b": {"c": "d:"}}
    for unsure in (
        b'{"a": 1, "a": 2}', b'{"a" :1,"a":2}', b'{"a": ":b", "a": 1}', b'{"a": {"b": 1, "b": 1}}', b'{"a": ":b"}',
        b'{"a": 1.5}', b'{"a": 9007199254740992}', rb'{"a": "\n"}', b"1", b"[" * 33 + b"]" * 33,
    ):  # fmt: skip
        assert strict_json.at_once(unsure) is None
    assert strict_json.at_once(b"[" * 32 + b"]" * 32) is not None
