"""What is recorded is the same, byte for byte, as it was when this was written: entries, payloads, tree and standing.

What is random is drawn from fixed streams, so that whoever makes recording faster sees whether it is still the same.
"""

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from types import SimpleNamespace

import pytest

from consent.base import ids
from consent.catalogue.reading import parse_catalogue
from consent.ledger import log
from consent.permission.statement import Method
from consent.register import customers, publishing, recording
from consent.register.recording import Request
from tests.builders import FOUNDED, START, statement

CATALOGUE = """
name = "A small shop"

[[purpose]]
key = "offers"
title = "Offers"
description = "What we suggest."
marketing = true

[[category]]
key = "purchases"
title = "Purchases"
origin = "observed"
special = false
attributes = { bought = "integer" }

[[channel]]
key = "email"
title = "E-mail"

[[notice]]
key = "words"
version = 1
material = true
[notice.wording]
en = "May we?"

[[scope]]
scope = "remember:purchases"
legal_basis = "consent"
notice = "words"
benefit = "You gain by it."
validity = "P12M"

[[scope]]
scope = "use:purchases:offers"
legal_basis = "consent"
notice = "words"
benefit = "You gain by it."
validity = "P2M10D"

[[scope]]
scope = "contact:email:offers"
legal_basis = "consent"
notice = "words"
benefit = "You gain by it."
double_opt_in = true
"""
REMEMBER, USE, EMAIL = "remember:purchases", "use:purchases:offers", "contact:email:offers"
ROOT = "4c481d74d4f7054ed7e7e35a2e90a6381602ced3888faa59ecec3056c4797f8f"
ROWS = {
    "ledger_entry": "a817649441de547e31ad937f31c149d0",
    "ledger_node": "b63eac996fd1be97e9badc5bf12ce126",
    "ledger_payload": "04bb263d9ed5fec623207e4da66eabf9",
    "standing": "cc828fad2069379c50a6af952bf6d74b",
}
TABLES = {
    "ledger_entry": "SELECT seq, body, leaf FROM ledger_entry ORDER BY seq",
    "ledger_node": "SELECT level, idx, hash FROM ledger_node ORDER BY level, idx",
    "ledger_payload": "SELECT seq, owner, sealed FROM ledger_payload ORDER BY seq",
    "standing": "SELECT customer, mask, next_expiry, counter, states, paused_until, last_said, last_leaf, scopes,"
    " born_by, gpc FROM standing ORDER BY customer",
}


def stream(name: str):
    """Return what draws from a stream of its own for each length: who draws another length disturbs nobody."""
    places: defaultdict[int, Iterator[int]] = defaultdict(count)
    return lambda length: hashlib.shake_128(f"{name} {length} {next(places[length])}".encode()).digest(length)


@pytest.fixture
def drawn(monkeypatch):
    """Draw salts, nonces and keys from one stream, and ids from another."""
    monkeypatch.setattr(os, "urandom", stream("system"))
    monkeypatch.setattr(
        ids, "secrets", SimpleNamespace(token_bytes=stream("ids"))
    )  # others draw from the module itself


def said_by(one, two):
    """Return requests of every kind of word: usual ones and rare ones, in order and late, several of one customer."""
    ago = START - timedelta(days=3, milliseconds=7)
    yield [statement(one, "grant", REMEMBER, USE, notice_version=1, language="en", evidence="Formular „7“")]
    yield [statement(two, "grant", USE), statement(two, "grant", EMAIL, language="en"), statement(one, "refuse", EMAIL)]
    yield [statement(two, "renew", USE), statement(one, "withdraw", USE), statement(two, "object", REMEMBER)]
    yield [statement(one, "grant", USE, said_at=ago, method=Method.PAPER, notice_version=1, age=15, guardian=True)]
    yield [statement(one, "pause", until=START + timedelta(days=9)), statement(two, "restrict")]
    yield [statement(two, "lift"), statement(two, "invalidate", age=44), statement(one, "resume")]
    yield [statement(two, "refuse", method=Method.SIGNAL), statement(two, "grant", USE, method=Method.PHONE)]
    yield [statement(whose, "request", REMEMBER) for whose in (one, two) * 5]


@pytest.mark.usefixtures("drawn")
def test_entries_payloads_tree_and_standing_are_what_they_were(blank):
    desk = blank.deployment.desk
    with blank.store.write() as work:
        publishing.found(desk, work, "vector.example", at=FOUNDED)
        publishing.publish(desk, work, parse_catalogue(CATALOGUE), actor="mia", at=FOUNDED)
        one, two = customers.enrol(desk, work, [{"reference": "A"}, {"reference": "B"}], at=FOUNDED)
    first, *others = said_by(one, two)
    with blank.store.write() as work:
        recording.record(desk, work, first, actor="customer", at=START)
    with blank.store.write() as work:
        requests = [Request(statements=each, actor="desk") for each in others]
        answers = recording.record_each(desk, work, requests, at=START)

    assert [type(each) for each in answers] == [list] * len(others)
    with blank.store.read() as work:
        root = log.head(work).root.hex()
    rows = {name: hashlib.sha256(repr(blank.rows(query)).encode()).hexdigest()[:32] for name, query in TABLES.items()}
    assert (root, rows) == (ROOT, ROWS)
