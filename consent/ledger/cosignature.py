"""Cosignatures: that somebody else saw a checkpoint, and that it goes on from all he saw of the log before.

A witness signs a checkpoint and the time at which it did, with an Ed25519 key of its own, and its line stands in the
note beside the log's.

Source:
    c2sp.org/tlog-cosignature (Ed25519, signature type 0x04).
"""

import struct
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from consent.base.canonical import NotCanonical, b64, b64_bytes
from consent.ledger import note
from consent.ledger.note import NoteRefused, Signature, Verifier

COSIGNATURE: Final = b"\x04"
LATEST: Final = 2**63 - 1
"""The greatest time that a cosignature may name, in seconds since the epoch."""

_TIME: Final = struct.Struct(">Q")
_ID_BYTES: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class CosignerKey:
    """The public key of a witness, trusted under a name.

    Attributes:
        name: not empty, no spaces, no "+".
        public_key: 32 bytes, RFC 8032.

    Raises:
        NoteRefused: the name or the key isn't of that form.
    """

    name: str
    public_key: bytes

    def __post_init__(self) -> None:
        """Refuse a name or key that no note could carry."""
        self._plain()

    def _plain(self) -> Verifier:
        return Verifier(name=self.name, public_key=self.public_key)

    @property
    def key_id(self) -> bytes:
        """The 4 bytes by which signature lines name the key: others than those of a log with the same key."""
        return sha256(self.name.encode() + b"\n" + COSIGNATURE + self.public_key).digest()[:_ID_BYTES]

    def holds(self, signature: bytes, text: str) -> bool:
        """Say whether this key cosigned that text, at the time that the signature names."""
        at = time_of(signature)
        return at is not None and self._plain().holds(signature[_TIME.size :], _message(text, at))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cosigner:
    """A witness's private key, and the name it signs under."""

    name: str
    key: Ed25519PrivateKey = field(repr=False)

    @property
    def verifier(self) -> CosignerKey:
        """The public half."""
        return CosignerKey(name=self.name, public_key=self.key.public_key().public_bytes_raw())


def cosign(text: str, cosigner: Cosigner, *, at: int) -> str:
    r"""Return the signature line of a witness over a checkpoint's text.

    Args:
        text: the three lines of a checkpoint.
        cosigner: who signs.
        at: now, in whole seconds since the epoch.

    Raises:
        NoteRefused: no cosignature can name that time.

    >>> key = Ed25519PrivateKey.from_private_bytes(bytes(32))
    >>> cosign("example.com/log\n0\n\n", Cosigner(name="witness.example/w1", key=key), at=1)[:25]
    '— witness.example/w1 5Csv'
    """
    if not 0 < at <= LATEST:
        raise NoteRefused("a cosignature names a time after the epoch, in seconds")
    signed = _TIME.pack(at) + cosigner.key.sign(_message(text, at).encode())
    return Signature(cosigner.name, cosigner.verifier.key_id, signed).line


def time_of(signature: bytes) -> int | None:
    r"""Return the time that a cosignature names, in seconds since the epoch; None where it is none.

    >>> time_of(bytes(7) + b"\x05" + bytes(64)), time_of(bytes(64))
    (5, None)
    """
    if len(signature) != _TIME.size + 64:
        return None
    at: int = _TIME.unpack_from(signature)[0]
    return at if at <= LATEST else None


def cosigned_at(note_text: str, key: CosignerKey) -> int | None:
    """Return when a witness cosigned a note, in seconds since the epoch; None where it did not.

    Raises:
        NoteRefused: not a note, or a line in the witness's name does not hold.
    """
    text, lines = note.split(note_text)
    for each in lines:
        if (each.name, each.key_id) == (key.name, key.key_id):
            if not key.holds(each.signature, text):
                raise NoteRefused("the witness's signature does not fit the text")
            return time_of(each.signature)
    return None


def vkey(key: CosignerKey) -> str:
    """Return a witness's verifier key as one line of text: name, key id, type and key.

    >>> vkey(CosignerKey(name="witness.example/w1", public_key=bytes(32)))
    'witness.example/w1+490ca8b1+BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'
    """
    return f"{key.name}+{key.key_id.hex()}+{b64(COSIGNATURE + key.public_key)}"


def key_of(line: str) -> CosignerKey:
    """Read a witness's verifier key.

    Raises:
        NoteRefused: not of the form, not of a witness, or the key id is another key's.

    >>> key_of(vkey(CosignerKey(name="witness.example/w1", public_key=bytes(32)))).name
    'witness.example/w1'
    """
    name, _, rest = line.partition("+")
    key_id, _, encoded = rest.partition("+")
    try:
        key = b64_bytes(encoded)
    except NotCanonical:
        raise NoteRefused("not standard base64 in its one form") from None
    if key[:1] != COSIGNATURE:
        raise NoteRefused("not the verifier key of a witness (Ed25519, type 0x04): name+id+base64")
    read = CosignerKey(name=name, public_key=key[1:])
    if read.key_id.hex() != key_id:
        raise NoteRefused("the verifier key's id is not its own")
    return read


def _message(text: str, at: int) -> str:
    return f"cosignature/v1\ntime {at}\n{text}"
