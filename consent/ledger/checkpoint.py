"""Checkpoints: what the log says of itself at one size, as a signed note of exactly three lines.

Origin, size, root; no extension lines, which no auditor could check.

Source:
    c2sp.org/tlog-checkpoint.
"""

import re
from dataclasses import dataclass

from consent.base.canonical import NotCanonical, b64, b64_bytes
from consent.ledger.merkle import EMPTY_ROOT, GREATEST_SIZE, HASH_BYTES
from consent.ledger.note import NoteRefused, Signer, Verifier, open_note, split
from consent.ledger.note import sign as sign_note

_SIZE = re.compile("0|[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A size of the log and the root of its tree at that size.

    Attributes:
        origin: the log's name, which is its key's name too.
        size: entries, 0 to 2^63−1.
        root: 32 bytes; of an empty log the empty root.

    Raises:
        NoteRefused: no checkpoint can say that.
    """

    origin: str
    size: int
    root: bytes

    def __post_init__(self) -> None:
        """Refuse what the three lines can't carry."""
        if not self.origin or "\n" in self.origin:
            raise NoteRefused("a checkpoint's origin is one line, not empty")
        if not 0 <= self.size <= GREATEST_SIZE:
            raise NoteRefused("a checkpoint's size is a whole number from 0 to 2^63−1")
        if len(self.root) != HASH_BYTES or (self.size == 0 and self.root != EMPTY_ROOT):
            raise NoteRefused("a checkpoint's root has 32 bytes, and is the empty root at size 0")


def text(checkpoint: Checkpoint) -> str:
    r"""Return the three lines that are signed.

    >>> text(Checkpoint(origin="example.com/log", size=0, root=EMPTY_ROOT))
    'example.com/log\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n'
    """
    return f"{checkpoint.origin}\n{checkpoint.size}\n{b64(checkpoint.root)}\n"


def parse(lines: str) -> Checkpoint:
    r"""Read the three lines, in the one way that `text` writes them.

    Raises:
        NoteRefused: more or fewer lines, leading zeros, lax base64, or a root that isn't 32 bytes.

    >>> parse("example.com/log\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n").size
    0
    """
    match lines.split("\n"):
        case [origin, size, root, ""] if _SIZE.fullmatch(size):
            try:
                return Checkpoint(origin=origin, size=int(size), root=b64_bytes(root))
            except NotCanonical:
                raise NoteRefused("a checkpoint's root is not standard base64 in its one form") from None
        case _:
            raise NoteRefused("a checkpoint has three lines: origin, size and root")


def sign(checkpoint: Checkpoint, *signers: Signer) -> str:
    """Return the checkpoint as a signed note.

    Args:
        checkpoint: what is signed.
        signers: the log's key; two, where one takes over from the other.

    Raises:
        NoteRefused: a signer's name isn't the origin.
    """
    if any(signer.name != checkpoint.origin for signer in signers):
        raise NoteRefused("a checkpoint is signed under its origin's name")
    return sign_note(text(checkpoint), signers)


def open_checkpoint(note_text: str, *verifiers: Verifier) -> Checkpoint:
    """Read a signed checkpoint of the log whose key this is; lines by other keys, such as witnesses, are ignored.

    Of several keys of one log one is enough; but a line of any of them has to hold.

    Raises:
        NoteRefused: not signed by that key, not three lines, or of another log.
    """
    checkpoint = parse(open_note(note_text, verifiers).text)
    if any(checkpoint.origin != verifier.name for verifier in verifiers):
        raise NoteRefused("the checkpoint is of another log")
    return checkpoint


def by_its_log(note_text: str) -> str:
    """Return a signed checkpoint with the lines of its own log alone: what it was before anybody else cosigned it.

    Raises:
        NoteRefused: not a note.
    """
    body, lines = split(note_text)
    own = body.partition("\n")[0]
    return "".join([body, "\n", *(each.line for each in lines if each.name == own)])
