"""Sealing: AES-256-GCM under a key made for one use of one owner's data key."""

import hashlib
import os
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from consent.base.errors import KeyLost

NONCE_BYTES: Final = 12
DATA_KEY_BYTES: Final = 32

_READABLE: Final = str.maketrans("", "", " -./()\u00a0\u2007\u2010\u2011\u202f")
_ENCODED: Final = "xn--"
_DOTS: Final = str.maketrans("\u3002\uff0e\uff61", "...")
_BLOCK_BYTES: Final = 64
_INNER: Final = bytes(byte ^ 0x36 for byte in range(256))
_OUTER: Final = bytes(byte ^ 0x5C for byte in range(256))


def use_key(data_key: bytes, use: str) -> bytes:
    """Return the key for one use: a single block of HKDF-Expand, so one HMAC.

    Source:
        RFC 5869 section 2.3, with L = 32 and N = 1.
    """
    return _hmac(data_key, use.encode() + b"\x01")


def use_keys(data_keys: Sequence[bytes], use: str) -> list[bytes]:
    """Return the keys of many owners for one use, each as `use_key` makes it, in less time.

    >>> use_keys([bytes(32), bytes(range(32))], "a") == [use_key(bytes(32), "a"), use_key(bytes(range(32)), "a")]
    True
    """
    text = use.encode() + b"\x01"
    padded = map(_padded, data_keys)
    sha256 = hashlib.sha256
    return [sha256(outer + sha256(inner + text).digest()).digest() for outer, inner in padded]


def mark(key: bytes, text: bytes) -> bytes:
    """Return a keyed hash of a text, 32 bytes: it says nothing to whoever hasn't the key, which is that for one use.

    Source:
        BLAKE2b with a key, RFC 7693 section 2.9: one pass, where HMAC takes two.
    """
    return hashlib.blake2b(text, key=key, digest_size=32, person=b"byleave/mark/v1").digest()


def seal(data_key: bytes, use: str, plaintext: bytes, *, bound: str) -> bytes:
    """Seal `plaintext`: nonce, then ciphertext and tag.

    Args:
        data_key: the owner's, 32 random bytes.
        use: what the key is for, such as `memory/purchases`.
        plaintext: what to seal.
        bound: the place it stands in (table, owner, …): moved elsewhere, it no longer opens.
    """
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(use_key(data_key, use)).encrypt(nonce, plaintext, bound.encode())


def seal_under(keys: Sequence[bytes], plaintexts: Sequence[bytes], bounds: Sequence[str]) -> list[bytes]:
    """Seal many, each as `seal` does, under the keys for one use that `use_keys` has derived."""
    drawn = os.urandom(NONCE_BYTES * len(keys))
    nonces = [drawn[spot : spot + NONCE_BYTES] for spot in range(0, len(drawn), NONCE_BYTES)]
    return [
        nonce + AESGCM(key).encrypt(nonce, plaintext, bound.encode())
        for nonce, key, plaintext, bound in zip(nonces, keys, plaintexts, bounds, strict=True)
    ]


def unseal(data_key: bytes, use: str, sealed: bytes, *, bound: str) -> bytes:
    """Open what `seal` made.

    Raises:
        KeyLost: another key, another place, or changed bytes. The message holds nothing of them.
    """
    return Opener(data_key, use, bound=bound)(sealed)


def unseal_all(data_keys: Sequence[bytes], use: str, sealed: Sequence[bytes], bounds: Sequence[str]) -> list[bytes]:
    """Open what `seal` made of many owners for one use.

    Raises:
        KeyLost: one of them doesn't open; as `unseal`.
    """
    keys = use_keys(data_keys, use)
    try:
        return [
            AESGCM(key).decrypt(blob[:NONCE_BYTES], blob[NONCE_BYTES:], bound.encode())
            for key, blob, bound in zip(keys, sealed, bounds, strict=True)
        ]
    except (InvalidTag, ValueError) as wrong:
        raise _lost(use) from wrong


def _lost(use: str) -> KeyLost:
    return KeyLost(f"a record sealed for {use} does not open")


class Opener:
    """Opens what was sealed in one place for one use of one owner, many times over: its key is made once."""

    __slots__ = ("_bound", "_decrypt", "_use")

    def __init__(self, data_key: bytes, use: str, *, bound: str) -> None:
        """Take what `unseal` takes, but for the record."""
        self._decrypt = AESGCM(use_key(data_key, use)).decrypt
        self._use = use
        self._bound = bound.encode()

    def __call__(self, sealed: bytes) -> bytes:
        """Return the plaintext of one record.

        Raises:
            KeyLost: as `unseal`.
        """
        try:
            return self._decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], self._bound)
        except (InvalidTag, ValueError) as wrong:
            raise _lost(self._use) from wrong


def blind(index_key: bytes, kind: str, value: str) -> bytes:
    """Return the blind index of an address or a reference: a keyed hash (HMAC-SHA256) of its normalised form.

    E-mail addresses are compared without case and by the letters of their domain, however those are encoded; telephone
    numbers without what only makes them readable; everything else as it is, but for white space around it.
    """
    begun, end = (each.copy() for each in _begun(index_key, kind))
    begun.update(normalised(kind, value).encode())
    end.update(begun.digest())
    return end.digest()


def normalised(kind: str, value: str) -> str:
    """Return an address or a reference as it is compared.

    >>> normalised("phone", "+49 (30) 1234-5678"), normalised("email", " Ann@Shop.example ")
    ('+493012345678', 'ann@shop.example')
    >>> normalised("email", "Ann@B\u00dcCHER.example") == normalised("email", "ann@xn--bcher-kva.example")
    True
    """
    value = value.strip()
    if kind == "email":
        return _mailbox(value)
    return value.translate(_READABLE) if kind == "phone" else value


def _mailbox(value: str) -> str:
    """Return an e-mail address in one of the ways in which it may be written: a domain of other letters has two.

    Source:
        RFC 3492 (Punycode) and UTS #46 section 4 for the domain, RFC 6532 section 3.1 for what stands before it.
    """
    if value.isascii() and _ENCODED not in value.lower():
        return value.lower()
    before, at, domain = unicodedata.normalize("NFC", value.casefold()).rpartition("@")
    labels = unicodedata.normalize("NFKC", domain.translate(_DOTS)).split(".")
    return before + at + ".".join(map(_label, labels))


def _label(label: str) -> str:
    """Return a domain's label in its own letters; one that isn't what it says stays as it is."""
    if not label.startswith(_ENCODED):
        return label
    try:
        letters = unicodedata.normalize("NFC", label[len(_ENCODED) :].encode("ascii").decode("punycode").casefold())
        letters.encode()  # it may stand for half of a surrogate pair, which no text can hold
    except UnicodeError:
        return label
    return letters or label


@lru_cache(maxsize=64)
def _begun(index_key: bytes, kind: str) -> tuple["hashlib._Hash", "hashlib._Hash"]:
    """Return the two hashes of an HMAC, up to where the value comes in: imports ask for millions."""
    outer, inner = _padded(index_key)
    return hashlib.sha256(inner + f"byleave/blind/v1\x00{kind}\x00".encode()), hashlib.sha256(outer)


def _hmac(key: bytes, text: bytes) -> bytes:
    outer, inner = _padded(key)
    return hashlib.sha256(outer + hashlib.sha256(inner + text).digest()).digest()


def _padded(key: bytes) -> tuple[bytes, bytes]:
    """Return an HMAC's outer and inner padded key. Two plain hashes take half the time of `hmac.digest`.

    Source:
        RFC 2104 section 2, for keys no longer than a block.
    """
    if len(key) > _BLOCK_BYTES:
        raise ValueError("a key longer than a block of SHA-256")
    rest = _BLOCK_BYTES - len(key)
    return key.translate(_OUTER) + b"\x5c" * rest, key.translate(_INNER) + b"\x36" * rest
