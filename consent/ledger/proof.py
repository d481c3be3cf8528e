"""A proof that leaves the house: the way from an entry to a signed checkpoint, as one text.

Whoever has the text, the entry and the log's verifier key needs nothing else: `verify` opens the checkpoint with that
key, and follows the path to its root.

Source:
    c2sp.org/tlog-proof.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from consent.base.canonical import NotCanonical, b64, b64_bytes
from consent.ledger.checkpoint import Checkpoint, open_checkpoint
from consent.ledger.cosignature import CosignerKey, cosigned_at
from consent.ledger.merkle import GREATEST_SIZE, HASH_BYTES, ProofRefused, verify_inclusion
from consent.ledger.note import NoteRefused, Verifier

FIRST_LINE: Final = "c2sp.org/tlog-proof@v1"
LONGEST: Final = 1 << 20

_INDEX = re.compile("0|[1-9][0-9]{0,18}")
_MOST_HASHES = GREATEST_SIZE.bit_length()


@dataclass(frozen=True, slots=True, kw_only=True)
class TlogProof:
    """What a proof says; nothing of it is verified yet.

    Attributes:
        index: the entry's position, from 0.
        path: up to 63 hashes of 32 bytes, the leaf's sibling first.
        checkpoint_note: the signed checkpoint, verbatim.
        extra: bytes that no signature covers, if any.

    Raises:
        ProofRefused: no proof can say that.
    """

    index: int
    path: tuple[bytes, ...]
    checkpoint_note: str
    extra: bytes | None = None

    def __post_init__(self) -> None:
        """Refuse what the text can't carry."""
        if not 0 <= self.index <= GREATEST_SIZE:
            raise ProofRefused("a position is a whole number from 0 to 2^63−1")
        if len(self.path) > _MOST_HASHES or any(len(each) != HASH_BYTES for each in self.path):
            raise ProofRefused(f"a path is at most {_MOST_HASHES} hashes of 32 bytes")
        if not self.checkpoint_note:
            raise ProofRefused("a proof without a checkpoint")


def write(index: int, path: Sequence[bytes], *, checkpoint_note: str, extra: bytes | None = None) -> str:
    r"""Return the proof as text.

    Args:
        index: the entry's position, from 0.
        path: of `merkle.inclusion_proof`, against the checkpoint's size.
        checkpoint_note: the signed checkpoint.
        extra: bytes to send along; nobody may trust them.

    Raises:
        ProofRefused: a position, hash or checkpoint isn't of the form.

    >>> write(0, [], checkpoint_note="(a signed checkpoint)\n", extra=b"hello")
    'c2sp.org/tlog-proof@v1\nextra aGVsbG8=\nindex 0\n\n(a signed checkpoint)\n'
    """
    proof = TlogProof(index=index, path=tuple(path), checkpoint_note=checkpoint_note, extra=extra)
    lines = [FIRST_LINE]
    if proof.extra is not None:
        lines.append(f"extra {b64(proof.extra)}")
    lines.append(f"index {proof.index}")
    lines.extend(b64(each) for each in proof.path)
    return "\n".join([*lines, "", proof.checkpoint_note])


def read(text: str) -> TlogProof:
    r"""Read a proof, in the one way that `write` writes it.

    Raises:
        ProofRefused: another first line, leading zeros, lax base64, a hash that isn't 32 bytes, or no checkpoint.

    >>> read("c2sp.org/tlog-proof@v1\nindex 0\n\n(a signed checkpoint)\n").index
    0
    """
    if len(text) > LONGEST:
        raise ProofRefused("the proof is too long")
    head, _, checkpoint_note = text.partition("\n\n")
    first, *lines = head.split("\n")
    extra = None
    if lines and lines[0].startswith("extra "):
        extra = _base64(lines.pop(0).removeprefix("extra "))
    index = lines.pop(0).removeprefix("index ") if lines and lines[0].startswith("index ") else ""
    if first != FIRST_LINE or not _INDEX.fullmatch(index):
        raise ProofRefused(f"a proof begins with {FIRST_LINE} and an index")
    path = tuple(_base64(line) for line in lines)
    return TlogProof(index=int(index), path=path, checkpoint_note=checkpoint_note, extra=extra)


def verify(
    text: str, *, leaf: bytes, verifiers: Sequence[Verifier], witnesses: Sequence[CosignerKey] = ()
) -> Checkpoint:
    """Accept only a proof that an entry with this leaf hash is in the log whose key this is; return the checkpoint.

    Args:
        text: the proof.
        leaf: the hash of the entry's bytes, 32 bytes.
        verifiers: the log's key; several, where it was rotated.
        witnesses: each of these must have cosigned the checkpoint.

    Raises:
        ProofRefused: it isn't a proof, or not of that.
        NoteRefused: its checkpoint isn't signed by the log, or not cosigned by a witness.
    """
    read_proof = read(text)
    known = open_checkpoint(read_proof.checkpoint_note, *verifiers)
    for witness in witnesses:
        if cosigned_at(read_proof.checkpoint_note, witness) is None:
            raise NoteRefused(f"{witness.name} has not cosigned it")
    verify_inclusion(leaf, index=read_proof.index, size=known.size, proof=list(read_proof.path), root=known.root)
    return known


def _base64(text: str) -> bytes:
    try:
        return b64_bytes(text)
    except NotCanonical:
        raise ProofRefused("not standard base64 in its one form") from None
