"""What is sealed opens with its key, for its use, in its place; nowhere else, and in one form only."""

import hashlib
import hmac

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from consent.base.errors import KeyLost
from consent.vault.seal import (
    NONCE_BYTES,
    blind,
    mark,
    normalised,
    seal,
    seal_under,
    unseal,
    unseal_all,
    use_key,
    use_keys,
)

KEY, OTHER = bytes(range(32)), bytes(range(1, 33))
TEXT = b'{"spent": 12.5}'
SEALED = seal(KEY, "memory/v1/purchases", TEXT, bound="place")


def test_what_is_sealed_opens_where_it_was_sealed_for():
    assert unseal(KEY, "memory/v1/purchases", SEALED, bound="place") == TEXT


@pytest.mark.parametrize(
    ("key", "use", "bound"),
    [
        (OTHER, "memory/v1/purchases", "place"),
        (KEY, "memory/v1/health", "place"),
        (KEY, "memory/v1/purchases", "another place"),
        (KEY, "memory/v1/purchases", ""),
    ],
)
def test_what_is_sealed_opens_nowhere_else(key, use, bound):
    with pytest.raises(KeyLost) as lost:
        unseal(key, use, SEALED, bound=bound)
    assert str(lost.value) == f"A sealed record does not open: a record sealed for {use} does not open"


def test_any_changed_byte_and_any_cut_is_refused():
    changed = [SEALED[:spot] + bytes([SEALED[spot] ^ 0x80]) + SEALED[spot + 1 :] for spot in range(len(SEALED))]
    cut = [SEALED[:length] for length in range(len(SEALED))]

    for each in [*changed, *cut, SEALED + b"\x00"]:
        with pytest.raises(KeyLost):
            unseal(KEY, "memory/v1/purchases", each, bound="place")


def test_the_same_text_is_sealed_differently_each_time():
    again = {seal(KEY, "memory/v1/purchases", TEXT, bound="place")[:NONCE_BYTES] for _ in range(1_000)}
    assert len(again) == 1_000


def test_nothing_of_the_text_is_in_what_is_sealed():
    assert TEXT[2:7] not in SEALED
    assert len(SEALED) == NONCE_BYTES + len(TEXT) + 16


def test_an_empty_text_can_be_sealed():
    assert unseal(KEY, "use", seal(KEY, "use", b"", bound="b"), bound="b") == b""


@pytest.mark.parametrize("use", ["memory/v1/purchases", "ledger/v1"])
def test_a_use_key_is_what_hkdf_expands_to(use):
    assert use_key(KEY, use) == HKDFExpand(algorithm=SHA256(), length=32, info=use.encode()).derive(KEY)


def test_a_mark_tells_keys_and_texts_apart_and_says_nothing_without_the_key():
    marks = {
        mark(KEY, TEXT),
        mark(OTHER, TEXT),
        mark(KEY, TEXT + b"\x00"),
        hashlib.blake2b(TEXT, digest_size=32).digest(),
    }
    assert mark(KEY, TEXT) == mark(KEY, TEXT)
    assert [len(each) for each in marks] == [32] * 4


def test_a_blind_index_is_a_keyed_hash_of_kind_and_value():
    expected = hmac.new(KEY, b"byleave/blind/v1\x00reference\x00H000002", hashlib.sha256).digest()
    assert blind(KEY, "reference", "H000002") == expected


@pytest.mark.parametrize(
    ("kind", "one", "other", "same"),
    [
        ("email", "Ann@Shop.example", " ann@shop.EXAMPLE\n", True),
        ("email", "straße@shop.example", "STRASSE@shop.example", True),
        ("reference", "h1", "H1", False),
        ("reference", " h1 ", "h1", True),
        ("reference", "h1", "h2", False),
    ],
)
def test_addresses_are_compared_as_people_write_them(kind, one, other, same):
    assert (blind(KEY, kind, one) == blind(KEY, kind, other)) is same


def test_neither_kinds_nor_keys_share_an_index():
    assert len({blind(KEY, "email", "a"), blind(KEY, "phone", "a"), blind(OTHER, "email", "a")}) == 3


def test_many_are_sealed_and_opened_as_one_by_one():
    keys, texts, places = [bytes([number]) * 32 for number in range(3)], [b"", b"a", b"b" * 70], ["x", "y", "y"]
    sealed = seal_under(use_keys(keys, "u"), texts, places)

    assert [unseal(key, "u", blob, bound=place) for key, blob, place in zip(keys, sealed, places, strict=True)] == texts
    assert unseal_all(keys, "u", sealed, places) == texts
    assert len({blob[:NONCE_BYTES] for blob in sealed}) == len(sealed)


@pytest.mark.parametrize(
    "spoil",
    [lambda blob: blob[:-1] + bytes([blob[-1] ^ 1]), lambda _: b"", lambda blob: blob[:5]],
    ids=["changed", "nothing", "cut"],
)
def test_one_of_many_that_does_not_open_is_told(spoil):
    keys, places = [bytes(32), bytes(range(32))], ["x", "y"]
    first, second = seal_under(use_keys(keys, "u"), [b"kept", b"secret"], places)

    with pytest.raises(KeyLost, match="sealed for u does not open") as lost:
        unseal_all(keys, "u", [first, spoil(second)], places)
    assert "secret" not in str(lost.value)


@pytest.mark.parametrize(
    "domain", ["xn--", "xn--zz!!", "xn--99999999999", "xn--\xfc", "xn--ib9b89l", "XN--BCHER-KVA..example", "@"]
)
def test_what_only_looks_like_an_encoded_domain_is_still_told_apart_and_can_be_stored(domain):
    found = normalised("email", f"ann@{domain}")
    assert found.encode()
    assert found == normalised("email", found)
    assert found not in {normalised("email", "ann@"), normalised("email", "ann@shop.example")}
