"""The request by which a log asks to be witnessed: from which size on, the proof that it only grew, the checkpoint.

Source:
    c2sp.org/tlog-witness, add-checkpoint.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from consent.base.canonical import NotCanonical, b64, b64_bytes
from consent.base.errors import Invalid
from consent.ledger.merkle import HASH_BYTES

PATH: Final = "/add-checkpoint"
SIZE_TYPE: Final = "text/x.tlog.size"
"""The type of the answer that says how far the witness has got."""

LONGEST: Final = 1 << 17
MOST_HASHES: Final = 63
_OLD: Final = re.compile(r"old (0|[1-9][0-9]{0,18})", re.ASCII)


class RequestRefused(Invalid):
    """It is not a request to be witnessed."""

    code = "witness_request_refused"
    title = "That is no request to a witness"


@dataclass(frozen=True, slots=True, kw_only=True)
class AddCheckpoint:
    """What a log sends: nothing of it is verified yet.

    Attributes:
        old: the size of the checkpoint that the witness cosigned last.
        proof: that the log of `old` entries is how the one of the checkpoint begins.
        note: the signed checkpoint.
    """

    old: int
    proof: tuple[bytes, ...]
    note: str


def write(old: int, proof: Sequence[bytes], *, note: str) -> bytes:
    r"""Return the request's bytes.

    >>> write(3, [bytes(32)], note="(a signed checkpoint)\n")[:30]
    b'old 3\nAAAAAAAAAAAAAAAAAAAAAAAA'
    """
    return "\n".join([f"old {old}", *(b64(each) for each in proof), "", note]).encode()


def read(body: bytes) -> AddCheckpoint:
    r"""Read a request, in the one way that `write` writes it.

    Raises:
        RequestRefused: too long, no size, a leading zero, lax base64, more than 63 hashes, or no checkpoint.

    >>> read(b"old 0\n\n(a signed checkpoint)\n").old
    0
    """
    if len(body) > LONGEST:
        raise RequestRefused(f"it has more than {LONGEST} bytes")
    try:
        head, separator, note = body.decode("utf-8").partition("\n\n")
    except UnicodeDecodeError:
        raise RequestRefused("it is not UTF-8") from None
    first, *lines = head.split("\n")
    size = _OLD.fullmatch(first)
    if not size or not separator or not note:
        raise RequestRefused("it begins with `old` and a size, and after an empty line comes a checkpoint")
    if len(lines) > MOST_HASHES:
        raise RequestRefused(f"a proof has at most {MOST_HASHES} hashes")
    try:
        proof = tuple(b64_bytes(line) for line in lines)
    except NotCanonical:
        raise RequestRefused("a hash is not standard base64 in its one form") from None
    if any(len(each) != HASH_BYTES for each in proof):
        raise RequestRefused("a hash is not 32 bytes long")
    return AddCheckpoint(old=int(size[1]), proof=proof, note=note)


def origin_hash(origin: str) -> str:
    """Return how a witness calls a log in the path of its newest checkpoint.

    >>> origin_hash("shop.example/consent/2026h2")[:16]
    '21c1d00eeacd1c52'
    """
    return sha256(origin.encode()).hexdigest()
