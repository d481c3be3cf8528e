"""Entry bytes: one form, and a commitment that opens to one payload."""

import base64
import hashlib
import hmac
import json
from datetime import date
from typing import Any

import pytest

from consent.base import canonical
from consent.ledger.entry import COMMIT_DOMAIN, FORM, ORIGIN, Entry, Kind, committed, digest_of, opens, read, write

SAID: dict[str, Any] = {
    "at": "2026-11-21T17:00:00.000Z",
    "commitment": bytes(range(32)),
    "catalogue_version": 3,
    "digest": bytes(range(32, 64)),
    "log": "shop.example/consent/2026h2",
    "seq": 41,
    "kind": Kind.STATEMENT,
}
BODY = write(**SAID)


def changed(key, value):
    return canonical.encode({**json.loads(BODY), key: value})


def test_an_entry_is_canonical_json_of_exactly_eight_keys():
    assert json.loads(BODY) == {
        "v": 1,
        "log": "shop.example/consent/2026h2",
        "seq": 41,
        "at": "2026-11-21T17:00:00.000Z",
        "t": "statement",
        "c": base64.urlsafe_b64encode(bytes(range(32))).decode().rstrip("="),
        "h": base64.urlsafe_b64encode(bytes(range(32, 64))).decode().rstrip("="),
        "cv": 3,
    }
    assert canonical.is_canonical(BODY)


def test_an_entry_reads_back():
    assert read(BODY) == Entry(**SAID)


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_reads_back(kind):
    found = read(write(**{**SAID, "kind": kind}))
    assert found is not None
    assert found.kind is kind


def test_the_form_admits_the_largest_numbers_that_are_written():
    largest = write(**{**SAID, "seq": 10**15 - 1, "catalogue_version": 10**10 - 1})
    assert (FORM.fullmatch(largest) is not None, canonical.is_canonical(largest)) == (True, True)


def test_the_form_admits_exactly_the_days_of_the_calendar():
    days = [
        f"{year}-{month:02}-{day:02}" for year in (1600, 1900, 2024, 2026) for month in range(14) for day in range(33)
    ]
    told = {day: read(write(**{**SAID, "at": f"{day}T17:00:00.000Z"})) is not None for day in days}

    assert told == {day: on_the_calendar(day) for day in days}


def on_the_calendar(day):
    try:
        date.fromisoformat(day)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        BODY + b"\n",
        b" " + BODY,
        BODY.replace(b":41", b": 41"),
        BODY.replace(b'"seq":41', b'"seq":041'),
        BODY.replace(b'"seq":41', b'"seq":41.0'),
        BODY.replace(b'"seq":41', b'"seq":-1'),
        BODY.replace(b'"seq":41', b'"seq":"41"'),
        BODY.replace(b'"seq":41', b'"seq":9999999999999999'),
        BODY.replace(b'"seq":41,', b""),
        BODY.replace(b'"v":1', b'"v":2'),
        BODY.replace(b'"v":1', b'"v":1,"x":1'),
        BODY.replace(b'"t":"statement"', b'"t":"statements"'),
        BODY.replace(b'"t":"statement"', b'"t":"catalogue_published"'),
        BODY.replace(b".000Z", b".00Z"),
        BODY.replace(b".000Z", b"Z"),
        BODY.replace(b".000Z", b".000+00:00"),
        BODY.replace(b"T17:", b" 17:"),
        BODY.replace(b"T17:", b"T24:"),
        BODY.replace(b"-11-21", b"-13-21"),
        BODY.replace(b"-11-21", b"-11-31"),
        BODY.replace(b"-11-21", b"-12-32"),
        BODY.replace(b"-11-21", b"-02-29"),
        BODY.replace(b"2026-11-21", b"2028-02-30"),
        BODY.replace(b"2026-11-21", b"2100-02-29"),
        BODY.replace(b"2026-11-21", b"0000-11-21"),
        BODY.replace(b"-11-21", b"-00-21"),
        BODY.replace(b"shop.example", b"Shop.example"),
        BODY.replace(b"shop.example", b'shop".example'),
        BODY.replace(b"shop.example", b"shop\\u002eexample"),
        BODY.replace(b"shop.example", "shöp.example".encode()),
        changed("c", "A" * 42),
        changed("c", "A" * 42 + "B"),
        changed("c", "A" * 43 + "="),
        changed("h", "A" * 42 + "+"),
        changed("h", 7),
        canonical.encode(dict.fromkeys(json.loads(BODY), 1)),
        BODY[:-1],
        b"\xff" + BODY,
    ],
)
def test_bytes_of_another_form_are_no_entry(body):
    assert (body == BODY, read(body)) == (False, None)


@pytest.mark.parametrize("origin", ["shop.example/consent/2026h2", "a", "0", "a-b.c/d", "a" * 120])
def test_an_origin_is_a_host_and_a_path(origin):
    assert ORIGIN.fullmatch(origin) is not None


@pytest.mark.parametrize("origin", ["", "A", "-a", "a/", ".a", "a b", "a+b", "a\n", "ä", "a_b", "a" * 121])
def test_what_json_or_a_signed_note_would_have_to_escape_is_no_origin(origin):
    assert ORIGIN.fullmatch(origin) is None


def test_a_commitment_is_an_hmac_over_the_payloads_canonical_bytes():
    salt = bytes(range(32))
    plain, commitment = committed({"b": 1, "a": "x"}, salt)

    assert plain == salt + b'{"a":"x","b":1}'
    assert commitment == hmac.new(salt, COMMIT_DOMAIN + b'{"a":"x","b":1}', hashlib.sha256).digest()
    assert opens(plain, commitment)


def test_a_commitment_opens_to_nothing_else():
    plain, commitment = committed({"a": "x"}, bytes(32))
    others = [plain[:spot] + bytes([plain[spot] ^ 1]) + plain[spot + 1 :] for spot in range(len(plain))]

    assert [other for other in [*others, plain[:-1], plain + b" ", b""] if opens(other, commitment)] == []


def test_payloads_outside_the_profile_cannot_be_committed_to():
    with pytest.raises(canonical.NotCanonical):
        committed({"price": 2.5}, bytes(32))


def test_a_payload_is_named_by_its_hash():
    assert digest_of(b"sealed") == hashlib.sha256(b"sealed").digest()
