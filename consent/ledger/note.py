"""Signed notes: a text, an empty line, and signature lines, in the C2SP form with Ed25519 keys.

A note is read in one way only. What a laxer reader would forgive (base64 with slack, control characters, a known
key whose signature fails among others that hold) refuses the note.

Source:
    c2sp.org/signed-note (format, key ids, Ed25519 type 0x01); golang.org/x/mod/sumdb/note (verifier keys).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, NamedTuple, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from consent.base.canonical import NotCanonical, b64, b64_bytes
from consent.base.errors import Invalid

ED25519: Final = b"\x01"
KEY_BYTES: Final = 32
MOST_SIGNATURES: Final = 16
LONGEST: Final = 1 << 18

_ID_BYTES = 4
_DASH = "\N{EM DASH} "
_CONTROL = re.compile("[\x00-\x09\x0b-\x1f\ud800-\udfff]")


class NoteRefused(Invalid):
    """A note, or a verifier key, isn't of the one form, or isn't signed as it must be."""

    code = "note_refused"
    title = "The signed note does not hold"


class Known(Protocol):
    """A public key that is trusted under a name, of whatever kind of signature."""

    @property
    def name(self) -> str:
        """The name that it signs under."""

    @property
    def key_id(self) -> bytes:
        """The 4 bytes by which signature lines name it."""

    def holds(self, signature: bytes, text: str) -> bool:
        """Say whether this key made that signature over that text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verifier:
    """A public key that is trusted under a name.

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
        _require_name(self.name)
        if len(self.public_key) != KEY_BYTES:
            raise NoteRefused("an Ed25519 public key has 32 bytes")

    @property
    def key_id(self) -> bytes:
        """The 4 bytes by which signature lines name the key; no proof of anything."""
        return sha256(self.name.encode() + b"\n" + ED25519 + self.public_key).digest()[:_ID_BYTES]

    def holds(self, signature: bytes, text: str) -> bool:
        """Say whether this key made that signature over that text."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, text.encode())
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """A private key, and the name it signs under."""

    name: str
    key: Ed25519PrivateKey = field(repr=False)

    @property
    def verifier(self) -> Verifier:
        """The public half."""
        return Verifier(name=self.name, public_key=self.key.public_key().public_bytes_raw())


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A note whose text may be believed.

    Attributes:
        text: ends with a newline.
        signed_by: the names of the known keys whose signatures hold, at least one; two keys of one name stand twice.
        unverified: how many signature lines are by unknown keys.
    """

    text: str
    signed_by: tuple[str, ...]
    unverified: int


class Signature(NamedTuple):
    """A signature line, read; it need not hold."""

    name: str
    key_id: bytes
    signature: bytes

    @property
    def line(self) -> str:
        """The line, with its end."""
        return f"{_DASH}{self.name} {b64(self.key_id + self.signature)}\n"


def vkey(name: str, public_key: bytes) -> str:
    """Return the verifier key, a public key as one line of text: name, key id, type and key.

    Raises:
        NoteRefused: the name or the key isn't of the form that a note can carry.

    >>> vkey("example.com/log", bytes(32))
    'example.com/log+a3ad76db+AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'
    """
    key_id = Verifier(name=name, public_key=public_key).key_id
    return f"{name}+{key_id.hex()}+{b64(ED25519 + public_key)}"


def verifier_of(line: str) -> Verifier:
    """Read a verifier key.

    Raises:
        NoteRefused: not of the form, not Ed25519, or the key id is another key's.

    >>> verifier_of(vkey("example.com/log", bytes(32))).name
    'example.com/log'
    """
    name, _, rest = line.partition("+")
    key_id, _, encoded = rest.partition("+")
    key = _base64(encoded)
    if key[:1] != ED25519:
        raise NoteRefused("not an Ed25519 verifier key: name+id+base64")
    verifier = Verifier(name=name, public_key=key[1:])
    if verifier.key_id.hex() != key_id:
        raise NoteRefused("the verifier key's id is not its own")
    return verifier


def sign(text: str, signers: Iterable[Signer]) -> str:
    r"""Return the note: the text and one signature line for each signer.

    Args:
        text: ends with a newline, and has no other control characters.
        signers: 1 to 16.

    Raises:
        NoteRefused: the text can't stand in a note, there are too few or too many signers, or the note is too long.

    >>> key = Ed25519PrivateKey.from_private_bytes(bytes(32))
    >>> sign("hello\n", [Signer(name="example.com/log", key=key)]).splitlines()[2][:25]
    '— example.com/log Hd5FMb0'
    """
    if not text.endswith("\n"):
        raise NoteRefused("the text of a note ends with a newline")
    lines = [Signature(each.name, each.verifier.key_id, each.key.sign(_utf8(text))).line for each in signers]
    if not 1 <= len(lines) <= MOST_SIGNATURES:
        raise NoteRefused(f"a note has 1 to {MOST_SIGNATURES} signatures")
    note_text = f"{text}\n{''.join(lines)}"
    _require_length(note_text)
    return note_text


def open_note(note_text: str, verifiers: Iterable[Known]) -> Note:
    r"""Read a note and check every signature by a known key.

    Args:
        note_text: the whole note.
        verifiers: the known keys; lines by others are counted and ignored.

    Raises:
        NoteRefused: not a note, a known key's signature fails, or no known key has signed.

    >>> key = Ed25519PrivateKey.from_private_bytes(bytes(32))
    >>> signer = Signer(name="example.com/log", key=key)
    >>> open_note(sign("hello\n", [signer]), [signer.verifier])
    Note(text='hello\n', signed_by=('example.com/log',), unverified=0)
    """
    known: dict[tuple[str, bytes], Known] = {}
    for verifier in verifiers:
        if known.setdefault((verifier.name, verifier.key_id), verifier) != verifier:
            raise NoteRefused("two of the known keys have one name and id")
    text, signatures = split(note_text)
    signed_by: dict[tuple[str, bytes], str] = {}
    unverified = 0
    for each in signatures:
        by = known.get((each.name, each.key_id))
        if by is None:
            unverified += 1
        elif by.holds(each.signature, text):
            signed_by[each.name, each.key_id] = each.name
        else:
            raise NoteRefused("the signature of a known key does not fit the text")
    if not signed_by:
        raise NoteRefused("no known key has signed")
    return Note(text=text, signed_by=tuple(signed_by.values()), unverified=unverified)


def split(note_text: str) -> tuple[str, list[Signature]]:
    r"""Return the text, with its last newline, and the signature lines after the last empty line; nothing is verified.

    Raises:
        NoteRefused: not a note.

    >>> key = Ed25519PrivateKey.from_private_bytes(bytes(32))
    >>> [line.name for line in split(sign("hello\n", [Signer(name="example.com/log", key=key)]))[1]]
    ['example.com/log']
    """
    _require_length(note_text)
    _utf8(note_text)
    body, separator, tail = note_text.rpartition("\n\n")
    if not separator or not tail.endswith("\n"):
        raise NoteRefused("a note is a text, an empty line, and signature lines")
    lines = tail[:-1].split("\n")
    if len(lines) > MOST_SIGNATURES:
        raise NoteRefused(f"a note has 1 to {MOST_SIGNATURES} signatures")
    return body + "\n", [_signature(line) for line in lines]


def signatures(lines: str) -> list[Signature]:
    """Read signature lines that come without their note, as a witness answers them.

    Raises:
        NoteRefused: there are none, or one isn't of the form.
    """
    _require_length(lines)
    _utf8(lines)
    if not lines.endswith("\n"):
        raise NoteRefused("a signature line ends with a newline")
    found = lines[:-1].split("\n")
    if len(found) > MOST_SIGNATURES:
        raise NoteRefused(f"a note has 1 to {MOST_SIGNATURES} signatures")
    return [_signature(line) for line in found]


def _signature(line: str) -> Signature:
    if not line.startswith(_DASH):
        raise NoteRefused("a signature line begins with a dash and a space")
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    _require_name(name)
    signature = _base64(encoded)
    if len(signature) <= _ID_BYTES:
        raise NoteRefused("a signature line without a signature")
    return Signature(name, signature[:_ID_BYTES], signature[_ID_BYTES:])


def _require_name(name: str) -> None:
    _utf8(name)
    if not name or "+" in name or any(letter.isspace() for letter in name):
        raise NoteRefused("a key's name is not empty and has neither spaces nor +")


def _require_length(note_text: str) -> None:
    if len(note_text) > LONGEST:
        raise NoteRefused(f"a note has at most {LONGEST} letters")


def _utf8(text: str) -> bytes:
    if _CONTROL.search(text):
        raise NoteRefused("a control character, or half of a surrogate pair")
    return text.encode()


def _base64(text: str) -> bytes:
    try:
        return b64_bytes(text)
    except NotCanonical:
        raise NoteRefused("not standard base64 in its one form") from None
