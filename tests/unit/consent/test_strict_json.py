"""JSON from outside: what a laxer reader would drop, round or replace is refused with its place."""

import pytest

from consent.base.errors import Invalid
from consent.base.strict_json import DEEPEST, parse


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b"null", None),
        (b'{"a": [1, true, null, 2.5, "x"]}', {"a": [1, True, None, 2.5, "x"]}),
        (b'"\\ud83d\\ude00"', "\N{GRINNING FACE}"),
        ('"é"'.encode(), "é"),
        (b"9007199254740991", 2**53 - 1),
        (b"-9007199254740991", -(2**53) + 1),
        (b'{"": {"a~/b": 1}}', {"": {"a~/b": 1}}),
        (b"[" * DEEPEST + b"]" * DEEPEST, eval("[" * DEEPEST + "]" * DEEPEST)),  # noqa: S307 -- brackets, written here
    ],
)
def test_json_is_read(raw, value):
    assert parse(raw) == value


@pytest.mark.parametrize(
    ("raw", "places"),
    [
        (b'{"a": 1, "a": 2}', [("/a", "stands twice in one object")]),
        (b'[{"x": {"b": 1, "b": 1}}]', [("/0/x/b", "stands twice in one object")]),
        (b'{"\\ud800": 1, "\\ud800": 2}', [("", "has half a surrogate pair")]),
        (b'{"a": 9007199254740992}', [("/a", "is beyond ±(2^53 − 1), where JSON readers start to round")]),
        (b'{"a": [0, -9007199254740993]}', [("/a/1", "is beyond ±(2^53 − 1), where JSON readers start to round")]),
        (b"1" * 5_000, [("", "has a number with too many digits")]),
        (b"NaN", [("", "NaN is not a number in JSON")]),
        (b'{"a": Infinity}', [("/a", "Infinity is not a number in JSON")]),
        (b'{"a": -Infinity}', [("/a", "-Infinity is not a number in JSON")]),
        (b'{"a": 1e999}', [("/a", "is too large a number")]),
        (b'["a\\u0000b"]', [("/0", "has a NUL character")]),
        (b'{"a\\u0000b": 1}', [("", "has a NUL character")]),
        (b'{"a": {"b": "\\ud800"}}', [("/a/b", "has half a surrogate pair")]),
        (b'{"a/b": {"c~d": "\\udfff"}}', [("/a~1b/c~0d", "has half a surrogate pair")]),
        (b'"caf\xe9"', [("byte 4", "is not UTF-8")]),
        (b"\xff\xfe[\x00]\x00", [("byte 0", "is not UTF-8")]),
        (b'"\xed\xa0\x80"', [("byte 1", "is not UTF-8")]),
        (b'"\xc0\xaf"', [("byte 1", "is not UTF-8")]),
        (b"", [("line 1, column 1", "Expecting value")]),
        (b'{"a":\n 1,}', [("line 2, column 4", "Expecting property name enclosed in double quotes")]),
        (b"{'a': 1}", [("line 1, column 2", "Expecting property name enclosed in double quotes")]),
        (b"01", [("line 1, column 2", "Extra data")]),
        (b'"a\nb"', [("line 1, column 3", "Invalid control character at")]),
        (b"[" * 100_000, [("", "is nested deeper than 32")]),
    ],
)
def test_what_others_would_let_pass_is_refused_at_its_place(raw, places):
    with pytest.raises(Invalid) as refused:
        parse(raw)
    assert list(refused.value.places) == places


@pytest.mark.parametrize("wrong", ["9007199254740992", "1e999", "NaN", '{"b": 1, "b": 1}'])
@pytest.mark.parametrize("depth", [1, DEEPEST - 2, DEEPEST - 1])
@pytest.mark.parametrize("sign", ["[%s]", '{"a": %s}'])
def test_nothing_is_overlooked_however_deep(wrong, depth, sign):
    whole = wrong
    for _ in range(depth):
        whole = sign % whole
    with pytest.raises(Invalid) as refused:
        parse(whole.encode())
    [place] = refused.value.places
    assert place.where.removesuffix("/b") == ("/0" if sign == "[%s]" else "/a") * depth


def test_nesting_is_refused_at_the_first_level_too_many():
    deep = DEEPEST + 1
    with pytest.raises(Invalid) as refused:
        parse(b"[" * deep + b"1" + b"]" * deep)
    assert list(refused.value.places) == [("/0" * deep, "is nested deeper than 32")]


def test_a_byte_order_mark_is_refused():
    with pytest.raises(Invalid):
        parse(b"\xef\xbb\xbf{}")
