"""The one pattern that decides an entry's form decides as the slow way does: parse, check, write again."""

import json
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from consent.base import canonical
from consent.base.clock import parse_time, rfc3339
from consent.base.errors import Invalid
from consent.ledger.entry import ORIGIN, Entry, Kind, read, write

unhurried = settings(max_examples=150)

times = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31, 23), timezones=st.just(UTC)).map(rfc3339)  # noqa: DTZ001 -- bounds take their zone from the strategy
entries = st.fixed_dictionaries(
    {
        "at": times,
        "commitment": st.binary(min_size=32, max_size=32),
        "catalogue_version": st.integers(0, 10**10 - 1),
        "digest": st.binary(min_size=32, max_size=32),
        "log": st.from_regex(ORIGIN, fullmatch=True),
        "seq": st.integers(0, 10**15 - 1),
        "kind": st.sampled_from(list(Kind)),
    }
)


def is_whole(most):
    return lambda value: type(value) is int and 0 <= value < most


def is_hash(value):
    return type(value) is str and len(canonical.b64u_bytes(value)) == 32


_FIELDS = {
    "at": lambda value: type(value) is str and rfc3339(parse_time(value)) == value,
    "c": is_hash,
    "cv": is_whole(10**10),
    "h": is_hash,
    "log": lambda value: type(value) is str and ORIGIN.fullmatch(value) is not None,
    "seq": is_whole(10**15),
    "t": lambda value: type(value) is str and value in set(Kind),
    "v": lambda value: type(value) is int and value == 1,
}


def is_entry(body):
    """Say the slow way whether bytes are an entry."""
    try:
        said = canonical.parse(body)
        if not isinstance(said, dict) or canonical.encode(said) != body or sorted(said) != sorted(_FIELDS):
            return False
        return all(_FIELDS[key](value) for key, value in said.items())
    except Invalid:
        return False


@unhurried
@given(entries)
def test_what_is_written_is_an_entry_and_reads_back(said):
    body = write(**said)
    assert (is_entry(body), read(body)) == (True, Entry(**said))


@unhurried
@given(entries, st.data())
def test_a_changed_byte_is_judged_the_same_both_ways(said, data):
    body = bytearray(write(**said))
    for _ in range(data.draw(st.integers(1, 3))):
        spot = data.draw(st.integers(0, len(body) - 1))
        change = data.draw(st.sampled_from(["replace", "insert", "remove", "double"]))
        if change == "replace":
            body[spot] = data.draw(st.one_of(st.integers(0, 255), st.sampled_from(b'09-_A"{}:,.zZ/ ')))
        elif change == "insert":
            body.insert(spot, data.draw(st.sampled_from(b'019 -"A\\/\n,')))
        elif change == "double":
            body.insert(spot, body[spot])
        else:
            del body[spot]
    assert (read(bytes(body)) is not None) == is_entry(bytes(body))


plausible = st.one_of(
    st.integers(-1, 2),
    st.sampled_from([10**10, 10**15, 2**53 - 1, 2**53, 10**16, True, False, None, 1.0, "", "1", [], {}]),
    times,
    st.text(max_size=5),
    st.sampled_from(
        [*Kind, "statements", "A" * 43, "A" * 42 + "B", "_" * 42 + "8", "shop.example/", "0000-01-01T00:00:00.000Z"]
    ),
    st.builds("{:04}-{:02}-{:02}T{:02}:00:{:02}.000Z".format, *(st.integers(0, top) for top in (9999, 13, 32, 25, 61))),
)


@unhurried
@given(entries, st.dictionaries(st.sampled_from([*_FIELDS, "x", "V"]), plausible, max_size=3), st.booleans(), st.data())
def test_another_value_or_way_of_writing_is_judged_the_same_both_ways(said, changes, in_order, data):
    changed = {**json.loads(write(**said)), **changes}
    for key in data.draw(st.sets(st.sampled_from(sorted(changed)), max_size=1)):
        del changed[key]
    separators = data.draw(st.sampled_from([(",", ":"), (", ", ": ")]))
    body = json.dumps(changed, sort_keys=in_order, separators=separators, ensure_ascii=data.draw(st.booleans()))
    raw = body.encode("utf-8", "surrogatepass")

    assert (read(raw) is not None) == is_entry(raw)


@unhurried
@given(st.binary(max_size=300))
def test_any_bytes_are_judged_without_an_error(body):
    assert (read(body) is not None) == is_entry(body)
