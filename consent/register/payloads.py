"""Payloads: what an entry says, sealed under its owner's data key."""

import os
from collections.abc import Mapping
from typing import Any, Final

from consent.base import canonical
from consent.base.errors import LedgerBroken
from consent.ledger import entry
from consent.vault import seal

USE: Final = "ledger/v1"
LOG_OWNER: Final = "log"
"""The owner of payloads that concern no customer: the deployment itself."""


def sealed_payload(data_key: bytes, owner: str, payload: Mapping[str, Any]) -> tuple[bytes, bytes]:
    """Seal a payload: the stored bytes, and the commitment that goes into the entry."""
    sealed, commitment, _ = opening_payload(data_key, owner, payload)
    return sealed, commitment


def opening_payload(data_key: bytes, owner: str, payload: Mapping[str, Any]) -> tuple[bytes, bytes, bytes]:
    """Seal a payload that everybody may read: the stored bytes, the commitment, and what opens it, in clear."""
    plain, commitment = entry.committed(dict(payload), os.urandom(seal.DATA_KEY_BYTES))
    return seal.seal(data_key, USE, plain, bound=_bound(owner)), commitment, plain


def opened_payload(data_key: bytes, owner: str, sealed: bytes) -> tuple[dict[str, Any], bytes]:
    """Open a payload: what it says, and the plaintext that `entry.opens` holds against the commitment.

    Raises:
        KeyLost: it does not open for this owner.
        LedgerBroken: what opens is no payload.
    """
    plain = unsealed(data_key, owner, sealed)
    payload = canonical.parse(plain[32:])
    if not isinstance(payload, dict):
        msg = "a payload opens, but holds no object"
        raise LedgerBroken(msg)
    return payload, plain


def unsealed(data_key: bytes, owner: str, sealed: bytes) -> bytes:
    """Return the plaintext of a payload: its salt, then its canonical bytes.

    Raises:
        KeyLost: it does not open for this owner.
    """
    return opener(data_key, owner)(sealed)


def opener(data_key: bytes, owner: str) -> seal.Opener:
    """Return what opens one owner's payloads, as `unsealed` does, however many they are."""
    return seal.Opener(data_key, USE, bound=_bound(owner))


def _bound(owner: str) -> str:
    return f"byleave/ledger_payload/v1\x00{owner}"
