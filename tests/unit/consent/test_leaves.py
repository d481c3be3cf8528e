"""A chunk of entries judged as columns is the same chunk judged entry by entry."""

import random

import pytest

from consent.ledger import entry
from consent.ledger.entry import Kind
from consent.ledger.leaves import Edge, Entries, Form, _as_columns, _in_pieces, _Walk, judged
from consent.ledger.merkle import leaf_hash

LOG = "shop.example/consent/2026h2"
FORM = Form(LOG)
EDGE = Edge(b"2026-11-21T10:00:00.000Z", 3)
EARLY = "2026-11-21T09:59:59.999Z"
FIRST, LAST = 96, 112
KINDS = [kind for kind in Kind if kind is not Kind.CATALOGUE_PUBLISHED]


def body(seq, kind=Kind.STATEMENT, **changes):
    said = {
        "at": f"2026-11-21T10:00:{seq % 60:02}.000Z", "commitment": bytes([seq % 256] * 32), "catalogue_version": 3,
        "digest": bytes(32), "log": LOG, "seq": seq, "kind": kind,
    }  # fmt: skip
    return entry.write(**{**said, **changes})


def entries(bodies, first=FIRST):
    return Entries([*range(first, first + len(bodies))], list(bodies), [leaf_hash(each) for each in bodies])


def both(chunk, first=FIRST, last=LAST, edge=EDGE):
    """Judge in both ways: the fast one judges all that is flawless, and as the slow one does."""
    slow = _Walk(FORM, edge).over(chunk, first, last)
    fast = _as_columns(chunk, first, last, FORM, edge) or _in_pieces(chunk, first, last, FORM, edge)
    assert fast == (None if slow.wrong else slow)
    return fast, slow


def test_statements_are_judged_as_columns():
    bodies = [body(seq) for seq in range(FIRST, LAST)]

    fast, slow = both(entries(bodies))

    assert fast == slow
    assert slow.hashes == [leaf_hash(each) for each in bodies]
    assert (slow.digests, slow.edge, slow.erased) == ([b"A" * 43] * 16, Edge(b"2026-11-21T10:00:51.000Z", 3), -1)


def test_entries_of_other_kinds_among_them_are_too():
    last = FIRST + len(KINDS)
    bodies = [body(seq, KINDS[seq % len(KINDS)]) for seq in range(FIRST, last)]

    fast, _ = both(entries(bodies), last=last)

    assert fast is not None
    assert fast.erased == max(seq for seq in range(FIRST, last) if KINDS[seq % len(KINDS)] is Kind.CUSTOMER_ERASED)


def test_places_of_one_to_four_digits_are_judged_as_columns():
    bodies = [body(seq, at="2026-11-21T11:00:00.000Z") for seq in range(1_024)]

    fast, _ = both(entries(bodies, first=0), first=0, last=1_024)

    assert fast is not None


@pytest.mark.parametrize("published", [{0}, {1}, {0, 1}, {7}, {3, 8, 9}, {15}])
def test_what_lies_between_published_catalogues_is_judged_as_columns(published):
    bodies, version = [], EDGE.version
    for number in range(LAST - FIRST):
        version += number in published
        kind = Kind.CATALOGUE_PUBLISHED if number in published else KINDS[number % len(KINDS)]
        bodies.append(body(FIRST + number, kind, catalogue_version=version))

    fast, _ = both(entries(bodies))

    assert fast is not None
    assert fast.published == {FIRST + number: 3 + rank for rank, number in enumerate(sorted(published), 1)}
    assert fast.edge.version == 3 + len(published)


def test_a_catalogue_version_may_not_rise_without_being_published():
    bodies = [body(FIRST), body(FIRST + 1, catalogue_version=4), body(FIRST + 2)]

    _, slow = both(entries(bodies), last=FIRST + 3)

    assert slow.wrong == {FIRST + 1: "it names catalogue version 4, but version 3 was in force"}


def test_after_an_entry_that_cannot_be_read_any_later_version_may_be_in_force():
    bodies = [body(FIRST), b"", body(FIRST + 2, catalogue_version=4), body(FIRST + 3, catalogue_version=4)]

    _, slow = both(entries(bodies), last=FIRST + 4)

    assert slow.wrong == {FIRST + 1: "its bytes are not of the form"}


@pytest.mark.parametrize(
    ("row", "bad"),
    [
        (body(FIRST + 1).replace(b'"v":1', b'"v":2'), "its bytes are not of the form"),
        (body(FIRST + 1) + b"\n", "its bytes are not of the form"),
        (body(FIRST + 1) + b"\n" + body(FIRST + 2), "its bytes are not of the form"),
        (body(FIRST + 1, log="other.example"), "it is an entry of another log"),
        (body(FIRST + 2), "it says that it is entry 98"),
        (body(FIRST + 1, at=EARLY), f"its time {EARLY} lies before that of the entry before it"),
    ],
)
def test_one_wrong_entry_is_named_and_no_other(row, bad):
    bodies = [body(FIRST), row, *(body(seq) for seq in range(FIRST + 2, LAST))]

    fast, slow = both(entries(bodies))

    assert (fast, slow.wrong) == (None, {FIRST + 1: bad})


def test_an_entry_that_hashes_to_another_leaf_is_named():
    chunk = entries([body(seq) for seq in range(FIRST, LAST)])
    chunk.leaves[3] = bytes(32)

    fast, slow = both(chunk)

    assert (fast, slow.wrong, slow.digests[3]) == (None, {FIRST + 3: "its bytes do not hash to its leaf"}, b"")


@pytest.mark.parametrize("value", ["text", 7, 1.5, None])
def test_what_is_no_bytes_is_no_entry(value):
    chunk = entries([body(seq) for seq in range(FIRST, LAST)])
    chunk.bodies[3] = value

    fast, slow = both(chunk)

    assert (fast, slow.wrong) == (None, {FIRST + 3: "its bytes are not of the form"})


def test_an_entry_that_stands_twice_is_named():
    chunk = entries([body(seq) for seq in range(FIRST, LAST)])
    for column in chunk:
        column.append(column[-1])

    fast, slow = both(chunk)

    assert (fast, slow.wrong) == (None, {FIRST: "1 entries of this chunk stand twice"})


def test_the_form_of_a_log_is_narrower_than_that_of_any_log():
    chance = random.Random(7)  # noqa: S311 -- which byte to change is no secret
    right = body(FIRST, Kind.EXPORT_MADE)
    for _ in range(3_000):
        spot = chance.randrange(len(right))
        changed = right[:spot] + bytes([chance.randrange(256)]) + right[spot + 1 :]
        read = entry.read(changed)
        assert bool(FORM.one(changed)) == bool(read and read.log == LOG)


def test_no_changed_byte_gets_past_the_columns():
    """A byte replaced, put in or taken out anywhere in a chunk: as columns it is judged as entry by entry, or not."""
    chance = random.Random(8)  # noqa: S311 -- as above
    right = [body(FIRST, Kind.EXPORT_MADE), *(body(seq) for seq in range(FIRST + 1, LAST))]
    right[9] = body(FIRST + 9, Kind.CATALOGUE_PUBLISHED, catalogue_version=4)
    right[10:] = [body(seq, catalogue_version=4) for seq in range(FIRST + 10, LAST)]
    for _ in range(6_000):
        bodies = list(right)
        row = chance.randrange(len(bodies))
        spot = chance.randrange(len(bodies[row]))
        put = bytes(chance.choices(range(256), k=1) if chance.random() < 0.5 else chance.choices(b'0149AQw_-"', k=1))
        before, after = bodies[row][:spot], bodies[row][spot + 1 :]
        bodies[row] = chance.choice([before + put + after, before + put + bodies[row][spot:], before + after])
        both(entries(bodies))


def test_nothing_there_is_nothing_judged():
    assert judged(Entries([], [], []), first=0, last=0, form=FORM, edge=Edge()).hashes == []
