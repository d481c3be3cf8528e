"""Laws of the canonical form, against an independent writer of RFC 8785."""

import json
import unicodedata

import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from consent.base.canonical import GREATEST, NotCanonical, b64, b64_bytes, b64u, b64u_bytes, encode, is_canonical, parse

KEYS = st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1, max_size=8)
STRINGS = st.text(st.characters(exclude_categories=["Cs"])).map(lambda text: unicodedata.normalize("NFC", text))
INTEGERS = st.integers(-GREATEST, GREATEST)
VALUES = st.recursive(
    st.booleans() | INTEGERS | STRINGS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=20,
)


@given(VALUES)
def test_encode_gives_what_an_independent_writer_gives(value):
    assert encode(value) == rfc8785.dumps(value)


@given(st.text(st.characters(min_codepoint=0x10000)).map(lambda text: unicodedata.normalize("NFC", text)))
def test_characters_beyond_the_basic_plane_are_written_as_themselves(text):
    assert encode([text]) == rfc8785.dumps([text]) == f'["{text}"]'.encode()


@given(VALUES)
def test_what_was_written_is_read_back_and_is_canonical(value):
    data = encode(value)

    assert parse(data) == value
    assert encode(parse(data)) == data
    assert is_canonical(data)


@given(VALUES, st.randoms(use_true_random=False))
def test_key_order_spaces_and_escapes_do_not_change_what_is_read(value, random):
    loose = json.dumps(_shuffled(value, random), indent=2, ensure_ascii=True).encode()

    assert encode(parse(loose)) == encode(value)


@given(VALUES, st.data())
def test_any_changed_byte_is_refused_or_says_something_else(value, data):
    whole = encode(value)
    at = data.draw(st.integers(0, len(whole) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != whole[at]))
    changed = whole[:at] + bytes([other]) + whole[at + 1 :]

    assert not is_canonical(changed) or encode(parse(changed)) != whole


@given(st.binary() | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_whatever_the_bytes_they_are_read_or_refused(data):
    try:
        value = parse(data)
    except NotCanonical:
        assert not is_canonical(data)
    else:
        assert parse(encode(value)) == value


@given(st.from_type(object) | st.floats() | st.none() | st.binary(min_size=1) | st.tuples(st.integers()))
def test_whatever_the_value_it_is_written_as_json_or_refused(value):
    try:
        data = encode(value)
    except NotCanonical:
        return
    assert json.loads(data) == value


@given(st.binary())
def test_base64_returns_what_it_was_given(data):
    assert b64u_bytes(b64u(data)) == data
    assert b64_bytes(b64(data)) == data
    assert "=" not in b64u(data)


@given(st.text("ABCwxyz0189+/-_= \n", max_size=12) | st.text(max_size=12))
def test_one_text_alone_stands_for_given_bytes(text):
    assert _rewritten(text, b64u_bytes, b64u) in {text, None}
    assert _rewritten(text, b64_bytes, b64) in {text, None}


def _rewritten(text, read, write):
    try:
        return write(read(text))
    except NotCanonical:
        return None


def _shuffled(value, random):
    if isinstance(value, dict):
        items = [(key, _shuffled(item, random)) for key, item in value.items()]
        random.shuffle(items)
        return dict(items)
    return [_shuffled(item, random) for item in value] if isinstance(value, list) else value
