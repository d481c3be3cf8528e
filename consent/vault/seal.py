"""Sealing: AES-256-GCM under a key made for one use of one owner's data key."""

import hashlib
import hmac
import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from consent.base.errors import KeyLost

NONCE_BYTES: Final = 12
DATA_KEY_BYTES: Final = 32


def use_key(data_key: bytes, use: str) -> bytes:
    """Return the key for one use: a single block of HKDF-Expand, so one HMAC.

    Source:
        RFC 5869 section 2.3, with L = 32 and N = 1.
    """
    return hmac.digest(data_key, use.encode() + b"\x01", "sha256")


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


def unseal(data_key: bytes, use: str, sealed: bytes, *, bound: str) -> bytes:
    """Open what `seal` made.

    Raises:
        KeyLost: another key, another place, or changed bytes. The message holds nothing of them.
    """
    try:
        opener = AESGCM(use_key(data_key, use))
        return opener.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], bound.encode())
    except (InvalidTag, ValueError) as wrong:
        msg = f"a record sealed for {use} does not open"
        raise KeyLost(msg) from wrong


def blind(index_key: bytes, kind: str, value: str) -> bytes:
    """Return the blind index of an address or a reference: a keyed hash of its normalised form.

    E-mail addresses are compared without case; everything else as it is, but for white space around it.
    """
    normal = value.strip()
    if kind == "email":
        normal = normal.casefold()
    return hmac.digest(index_key, f"byleave/blind/v1\x00{kind}\x00{normal}".encode(), hashlib.sha256)
