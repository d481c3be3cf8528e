"""Which key signs a log where: the key that a verifier was given, and those that rotations lead to from it.

A log's key is rotated by an entry of the log that names the new key, in a note that both keys signed. Whoever trusts
either of them knows the other by it. The old key signs checkpoints up to the one over that entry, the new one from it
on; what is signed by the wrong one of them is signed by nobody.

A deployment's logs follow one another under other names, and a key's name in a note is its log's: so keys are kept here
without names, by the positions from which and up to which they sign.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from consent.ledger import note
from consent.ledger.note import NoteRefused, Signer, Verifier
from consent.ledger.position import GREATEST, position

FIRST_LINE: Final = "byleave/key-rotation/v1"
_SIZE: Final = re.compile(r"[1-9][0-9]{0,12}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """That a key took another's place.

    Attributes:
        origin: of the log in which it was rotated.
        size: entries of that log with the one that says so; checkpoints from here on are signed by the new key.
        old: public key, 32 bytes.
        new: public key, 32 bytes.
    """

    origin: str
    size: int
    old: bytes
    new: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A public key, and the positions that a checkpoint may have which it signs: log and size, in one number."""

    public_key: bytes
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Trust:
    """The keys of a deployment's logs, in their order."""

    spans: tuple[Span, ...]

    def verifiers(self, origin: str, log: int, size: int) -> list[Verifier]:
        """Return the keys that may have signed the checkpoint of a log at one size: two, where one took over."""
        place = position(log, size)
        found = [span.public_key for span in self.spans if span.first <= place <= span.last]
        return [Verifier(name=origin, public_key=key) for key in found]


def rotation_note(origin: str, size: int, *, old: Signer, new: Signer) -> str:
    """Return the note in which a key hands over to another; both sign it.

    Args:
        origin: of the log.
        size: of the log with the entry that will say so.
        old: the key in force.
        new: the key from there on.

    Raises:
        NoteRefused: a name or number can't stand in a note.
    """
    text = f"{FIRST_LINE}\n{origin}\n{size}\n{note.vkey(old.name, old.verifier.public_key)}\n"
    return note.sign(f"{text}{note.vkey(new.name, new.verifier.public_key)}\n", [old, new])


def read_rotation(note_text: str) -> Rotation:
    """Read a note in which a key hands over to another, once both signatures hold.

    It proves that both keys said so; whether either is trusted is for `trusted` to find.

    Raises:
        NoteRefused: not such a note, or one of the two has not signed it.
    """
    text, _ = note.split(note_text)
    match text.split("\n"):
        case [first, origin, size, old_key, new_key, ""] if first == FIRST_LINE and _SIZE.fullmatch(size):
            old, new = note.verifier_of(old_key), note.verifier_of(new_key)
        case _:
            raise NoteRefused("not a note in which a key hands over to another")
    opened = note.open_note(note_text, [old, new])
    if old.public_key == new.public_key or len(opened.signed_by) != 2:  # noqa: PLR2004 -- the old key and the new
        raise NoteRefused("a key hands over by the signatures of both keys")
    if {old.name, new.name} != {origin}:
        raise NoteRefused("a key hands over in its own log")
    return Rotation(origin=origin, size=int(size), old=old.public_key, new=new.public_key)


def trusted(anchors: Iterable[bytes], rotations: Iterable[tuple[int, Rotation]]) -> Trust:
    """Return the keys that follow from those that are trusted already, before and after them.

    Args:
        anchors: public keys, 32 bytes each, from somewhere else than the log.
        rotations: the number of the log, and a rotation in it; of any order, and from anywhere.

    >>> [(span.first, span.last) for span in trusted([bytes(32)], []).spans]
    [(0, 9007199254740991)]
    """
    known = set(anchors)
    ordered = sorted(rotations, key=lambda each: (each[0], each[1].size))
    followed: list[tuple[int, Rotation]] = []
    waiting = list(ordered)
    while linked := [each for each in waiting if known & {each[1].old, each[1].new}]:
        known.update(key for _, each in linked for key in (each.old, each.new))
        followed += linked
        waiting = [each for each in waiting if each not in linked]
    followed.sort(key=lambda each: (each[0], each[1].size))
    return Trust(tuple(_spans(known, followed)))


def _spans(known: set[bytes], rotations: Sequence[tuple[int, Rotation]]) -> Iterable[Span]:
    for key in sorted(known):
        begun = [position(log, each.size) for log, each in rotations if each.new == key]
        ended = [position(log, each.size) for log, each in rotations if each.old == key]
        yield Span(public_key=key, first=min(begun, default=0), last=max(ended, default=GREATEST))
