"""The closed profile, refusal by refusal."""

from enum import StrEnum

import pytest

from consent.base.canonical import (
    DEEPEST,
    GREATEST,
    NotCanonical,
    b64,
    b64_bytes,
    b64u,
    b64u_bytes,
    check,
    encode,
    is_canonical,
    parse,
)

NOT_INTEGER = "not an integer within ±(2^53−1)"
NOT_A_VALUE = "neither object, array, string, integer nor boolean"
NOT_A_KEY = "a key is not of the form [a-z_]+"


class Act(StrEnum):
    GRANT = "grant"


@pytest.mark.parametrize(
    ("value", "pointer", "why"),
    [
        ({"at": None}, "/at", "null; what is not known is left out"),
        ({"at": 1.0}, "/at", NOT_INTEGER),
        ([1, {"deep": [True, float("nan")]}], "/1/deep/1", NOT_INTEGER),
        ({"seq": GREATEST + 1}, "/seq", NOT_INTEGER),
        ({"seq": -GREATEST - 1}, "/seq", NOT_INTEGER),
        ({"seq": 2**70}, "/seq", NOT_INTEGER),
        ({"Seq": 1}, "", NOT_A_KEY),
        ({"a": {"": 1}}, "/a", NOT_A_KEY),
        ({"a": {"b\n": 1}}, "/a", NOT_A_KEY),
        ({"a": {"ä": 1}}, "/a", NOT_A_KEY),
        ({"a": {1: 1}}, "/a", NOT_A_KEY),
        ({"name": "A\u030a"}, "/name", "not in Unicode's composed form (NFC)"),
        ({"name": "\u212b"}, "/name", "not in Unicode's composed form (NFC)"),
        ({"name": "a\ud800"}, "/name", "half of a surrogate pair"),
        ({"name": "\ud83d\ude02"}, "/name", "half of a surrogate pair"),
        ({"bytes": b"a"}, "/bytes", NOT_A_VALUE),
        ({"pair": (1, 2)}, "/pair", NOT_A_VALUE),
        ({"act": Act.GRANT}, "/act", NOT_A_VALUE),
        ({1, 2}, "", NOT_A_VALUE),
    ],
)
def test_a_value_outside_the_profile_is_refused_by_its_pointer(value, pointer, why):
    with pytest.raises(NotCanonical) as refused:
        encode(value)

    assert refused.value.places == ((pointer, why),)


@pytest.mark.parametrize(
    ("data", "pointer", "why"),
    [
        (b"", "", "not JSON at character 0"),
        (b'{"a":1', "", "not JSON at character 6"),
        (b'{"a":1}x', "", "not JSON at character 7"),
        (b"{'a':1}", "", "not JSON at character 1"),
        (b'{"a":01}', "", "not JSON at character 6"),
        (b'{"a":"\n"}', "", "not JSON at character 6"),
        (b'\xef\xbb\xbf{"a":1}', "", "not JSON at character 0"),
        (b'{"a":"\xff"}', "", "not UTF-8 at byte 6"),
        (b'"\xed\xa0\x80"', "", "not UTF-8 at byte 1"),
        (b'{"a":"\\ud800"}', "/a", "half of a surrogate pair"),
        (b'{"a":[{"b":1,"c":2,"b":1}]}', "/a/0", "a key appears twice"),
        (b'{"a":null}', "/a", "null; what is not known is left out"),
        (b'{"a":1.0}', "/a", NOT_INTEGER),
        (b'{"a":1e2}', "/a", NOT_INTEGER),
        (b'{"a":1e999}', "/a", NOT_INTEGER),
        (b'{"a":NaN}', "/a", NOT_INTEGER),
        (b'{"a":-Infinity}', "/a", NOT_INTEGER),
        (b'{"a":9007199254740992}', "/a", NOT_INTEGER),
        (b'{"a":%b}' % (b"9" * 10_000), "/a", NOT_INTEGER),
        (b"[" * 10_000, "", f"deeper than {DEEPEST} levels"),
        (b"[" * 10_000 + b"]" * 10_000, "", f"deeper than {DEEPEST} levels"),
        (b'{"A":1}', "", NOT_A_KEY),
    ],
)
def test_bytes_outside_the_profile_are_refused_by_their_pointer(data, pointer, why):
    with pytest.raises(NotCanonical) as refused:
        parse(data)

    assert refused.value.places == ((pointer, why),)


def test_the_bounds_themselves_belong_to_the_profile():
    value = {"least": -GREATEST, "most": GREATEST, "no": False, "yes": True, "zero": 0}

    assert encode(value) == b'{"least":-9007199254740991,"most":9007199254740991,"no":false,"yes":true,"zero":0}'
    assert parse(encode(value)) == value


def test_thirty_two_levels_are_read_and_written_and_the_next_is_not():
    deepest = b"[" * DEEPEST + b"]" * DEEPEST
    deeper = b"[" + deepest + b"]"

    assert encode(parse(deepest)) == deepest
    assert not is_canonical(deeper)
    with pytest.raises(NotCanonical) as refused:
        check([parse(deepest)])
    assert refused.value.places == (("/0" * DEEPEST, f"deeper than {DEEPEST} levels"),)


def test_the_size_limit_counts_bytes_on_both_ways():
    value = "é" * 10

    assert parse(encode(value, limit=22), limit=22) == value
    with pytest.raises(NotCanonical):
        encode(value, limit=21)
    with pytest.raises(NotCanonical):
        parse(encode(value), limit=21)


@pytest.mark.parametrize(
    "data",
    [
        b'{"a": 1}',
        b' {"a":1}',
        b'{"a":1}\n',
        b'{"b":1,"a":1}',
        b'{"a":-0}',
        b'{"a":"\\u0061"}',
        b'{"a":"\\/"}',
        b'{"a":"\\u001F"}',
        b'{"a":"\\u000a"}',
        b'{"a":"\\ud83d\\ude02"}',
    ],
)
def test_bytes_that_say_the_same_in_another_way_are_read_but_are_not_canonical(data):
    parse(data)

    assert not is_canonical(data)


def test_true_and_one_stay_apart():
    assert (encode({"a": True}), encode({"a": 1})) == (b'{"a":true}', b'{"a":1}')
    assert type(parse(b"true")) is bool


def test_a_refusal_quotes_no_value_and_no_key_outside_the_profile():
    with pytest.raises(NotCanonical) as of_value:
        encode({"mail": "Ame\u0301lie@example.com"})
    with pytest.raises(NotCanonical) as of_key:
        encode({"mail": {"Amélie@example.com": 1}})

    assert str(of_value.value) == "Outside the canonical form: /mail: not in Unicode's composed form (NFC)"
    assert str(of_key.value) == "Outside the canonical form: /mail: a key is not of the form [a-z_]+"


def test_base64_is_written_in_both_alphabets():
    data = bytes([251, 239, 190, 255])

    assert (b64u(data), b64(data)) == ("----_w", "++++/w==")
    assert (b64u_bytes("----_w"), b64_bytes("++++/w==")) == (data, data)
    assert (b64u_bytes(""), b64_bytes("")) == (b"", b"")


@pytest.mark.parametrize(
    "text", ["----_w==", "++++/w", "----_x", "A", "AA\n", " AA", "AA AA", "\uff21\uff21", "é", "A=A=", "="]
)
def test_lax_base64url_is_refused(text):
    with pytest.raises(NotCanonical):
        b64u_bytes(text)


@pytest.mark.parametrize(
    "text", ["++++/w", "----_w==", "++++/x==", "A", "AAA=\n", " AAA=", "A A==", "\uff21\uff21==", "é", "===="]
)
def test_lax_base64_is_refused(text):
    with pytest.raises(NotCanonical):
        b64_bytes(text)
