"""The published JCS pairs: they hold for the oracle, and the profile refuses those outside it at the right place."""

import json

import pytest
import rfc8785

from consent.base.canonical import NotCanonical, encode, is_canonical, parse

# Why each published input lies outside the closed profile, and where. None of the six lies within.
OUTSIDE = {
    "arrays.json": ("/1", "a key is not of the form [a-z_]+"),
    "french.json": ("", "a key is not of the form [a-z_]+"),
    "structures.json": ("", "a key is not of the form [a-z_]+"),
    "unicode.json": ("", "a key is not of the form [a-z_]+"),
    "values.json": ("/numbers/0", "not an integer within ±(2^53−1)"),
    "weird.json": ("", "a key is not of the form [a-z_]+"),
}


def test_the_oracle_gives_every_published_output(published):
    inputs = sorted((published / "jcs" / "input").iterdir())

    given = {file.name: rfc8785.dumps(json.loads(file.read_bytes())) for file in inputs}

    assert given == {file.name: file.read_bytes() for file in (published / "jcs" / "output").iterdir()}
    assert {name.replace(".json", ".txt"): each for name, each in given.items()} == {
        file.name: bytes.fromhex(file.read_text("ascii")) for file in (published / "jcs" / "outhex").iterdir()
    }


def test_every_published_input_is_refused_where_it_leaves_the_profile(published):
    files = (published / "jcs" / "input").iterdir()

    assert {file.name: _place(file.read_bytes()) for file in files} == OUTSIDE


def test_every_published_output_is_refused_too(published):
    files = sorted((published / "jcs" / "output").iterdir())

    assert [file.name for file in files if is_canonical(file.read_bytes())] == []
    assert [file.name for file in files] == sorted(OUTSIDE)


def test_every_published_string_within_the_profile_is_written_as_published(published):
    inputs = [json.loads(file.read_bytes()) for file in (published / "jcs" / "input").iterdir()]
    strings = [text for value in inputs for text in _strings(value)]
    outputs = b"".join(file.read_bytes() for file in (published / "jcs" / "output").iterdir())
    within = [text for text in strings if _is_within(text)]

    missing = [text for text in within if encode(text) not in outputs]

    assert (len(strings), len(within), missing) == (19, 18, [])  # all but the one that isn't NFC


def _place(data):
    with pytest.raises(NotCanonical) as refused:
        parse(data)
    (place,) = refused.value.places
    return tuple(place)


def _strings(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _strings(item)


def _is_within(text):
    try:
        encode(text)
    except NotCanonical:
        return False
    return True
