"""What entries about a log itself say: that it goes on elsewhere, that it goes on from another, that its key changed.

Their payloads are sealed as all are, and beside them stand in clear, since everybody may know what they say: an opening
is the salt and the payload that the entry's commitment stands for. So the chain from log to log, and from key to key,
can be followed without any key, by the stored bytes or an exported directory alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from consent.base.canonical import NotCanonical, b64u, b64u_bytes, parse
from consent.ledger import trust
from consent.ledger.merkle import HASH_BYTES
from consent.ledger.note import NoteRefused
from consent.ledger.trust import Rotation

SALT_BYTES: Final = 32


class Cause(StrEnum):
    """Why a log goes on under another name."""

    PERIOD = "period"
    """Its half-year is over. It ends with an entry that says so, under a checkpoint of its own."""
    ROLLED_BACK = "rolled_back"
    """It lost entries that had been signed: nothing more may be signed in its name."""
    FORKED = "forked"
    """It was signed with two contents: nothing more may be signed in its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What the first entry of a log says of the log before it."""

    origin: str
    size: int
    root: bytes
    cause: Cause


def ending(origin: str, following: str) -> dict[str, Any]:
    """Return the payload of a log's last entry: which log goes on.

    >>> ending("shop.example/consent/2026h2", "shop.example/consent/2027h1")["next"]
    'shop.example/consent/2027h1'
    """
    return {"log": origin, "next": following}


def beginning(origin: str, before: Ended) -> dict[str, Any]:
    """Return the payload of a log's first entry: which log it goes on from, and how that one ended."""
    return {
        "cause": str(before.cause), "log": origin, "root": b64u(before.root), "sealed": before.origin,
        "size": before.size,
    }  # fmt: skip


def rotating(actor: str, note: str) -> dict[str, Any]:
    """Return the payload of an entry by which the log's key is rotated.

    Args:
        actor: of what kind, such as `shell`; everybody may read it, so it names nobody.
        note: of `trust.rotation_note`.
    """
    return {"actor": actor, "note": note}


def encryption_key(actor: str, act: str, *, version: int, keys: int) -> dict[str, Any]:
    """Return the payload of an entry by which a version of the key-encryption key came or went.

    Args:
        actor: of what kind, such as `shell`; everybody may read it, so it names nobody.
        act: `rotated` or `destroyed`.
        version: of the key: the new one, or the newest that is no more.
        keys: how many data keys were wrapped anew.
    """
    return {"act": act, "actor": actor, "key": "encryption", "keys": keys, "version": version}


def payload(plain: bytes) -> Mapping[str, Any]:
    """Return what an opening says; nothing, where it can't be read.

    >>> payload(bytes(32) + b'{"log":"a","next":"b"}'), payload(b"")
    ({'log': 'a', 'next': 'b'}, {})
    """
    try:
        read = parse(plain[SALT_BYTES:])
    except NotCanonical:
        return {}
    return read if isinstance(read, dict) else {}


def following(plain: bytes) -> tuple[str, str] | None:
    """Return a log's origin and that of the log that goes on from it, as its last entry says; None if it doesn't."""
    match payload(plain):
        case {"log": str(origin), "next": str(after), **rest} if not rest:
            return origin, after
        case _:
            return None


def ended(plain: bytes) -> Ended | None:
    """Return what a log's first entry says of the log before it; None where it says nothing of the kind."""
    match payload(plain):
        case {
            "cause": ("period" | "rolled_back" | "forked") as cause,
            "log": str(),
            "root": str(root),
            "sealed": str(origin),
            "size": int(size),
        } if size >= 0:
            try:
                said = b64u_bytes(root)
            except NotCanonical:
                return None
            if len(said) != HASH_BYTES:
                return None
            return Ended(origin=origin, size=size, root=said, cause=Cause(cause))
        case _:
            return None


def rotation(plain: bytes) -> Rotation | None:
    """Return the rotation that an opening tells of; None where it tells of none, or its note doesn't hold."""
    match payload(plain):
        case {"note": str(note)}:
            try:
                return trust.read_rotation(note)
            except NoteRefused:
                return None
        case _:
            return None


def of_encryption_key(plain: bytes) -> bool:
    """Say whether an opening tells of the key-encryption key, which signs nothing.

    >>> of_encryption_key(bytes(32) + b'{"act":"rotated","actor":"shell","key":"encryption","keys":3,"version":2}')
    True
    """
    match payload(plain):
        case {
            "act": "rotated" | "destroyed", "actor": str(), "key": "encryption", "keys": int(), "version": int(),
            **rest,
        } if not rest:  # fmt: skip
            return True
        case _:
            return False
