"""From stored entries to leaf hashes, a chunk at a time: everything that can be judged of an entry by its bytes.

`judged` looks at a chunk as columns and is as fast as hashing allows. Where anything is amiss (or a catalogue was
published, which is rare), the same chunk is walked row by row, to say which entry it is and why.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Any, Final, NamedTuple, TypeAlias

from consent.ledger.entry import FORM, ORIGIN, Kind
from consent.ledger.merkle import HASH_BYTES

Matcher: TypeAlias = Callable[[bytes], re.Match[bytes] | None]


class Entries(NamedTuple):
    """Stored entries, as columns: what should be bytes need not be, where somebody else wrote it."""

    seqs: list[int]
    bodies: list[Any]
    leaves: list[Any]


_AT, _VERSION, _DIGEST, _SEQ, _KIND = 1, 3, 4, 6, 7
_ANY_LOG: Final = f"({ORIGIN.pattern})".encode()
_ANY_VERSION: Final = rb'"cv":(0|[1-9]\d{0,9})'
_GROUP: Final = re.compile(rb"(?<!\\)\((?!\?)")
_PUBLISHED: Final = Kind.CATALOGUE_PUBLISHED.encode()
_ERASED: Final = Kind.CUSTOMER_ERASED.encode()
_OF_ITSELF: Final = frozenset({Kind.LOG_SEALED.encode(), Kind.KEY_ROTATED.encode()})
_ABSENT: Final = bytes(HASH_BYTES)
"""Stands in the tree for an entry that isn't there, so that the others keep their places."""


class Edge(NamedTuple):
    """What the next entry may not fall behind: the time and the catalogue version of the one before."""

    at: bytes = b""
    version: int = 0


class Leaves(NamedTuple):
    """A chunk, judged.

    `digests[i]` is the `h` of entry `first + i`, empty where the entry can't be trusted to have one. `wrong` says
    why, by `seq`. `published` maps the `seq` of each published catalogue to its version.
    """

    hashes: list[bytes]
    digests: Sequence[bytes]
    edge: Edge
    wrong: Mapping[int, str]
    published: Mapping[int, int]
    erased: int
    """The `seq` of the chunk's last erasure; −1 where it has none."""
    of_itself: Mapping[int, bytes]
    """The kind of each entry about the log itself, by `seq`: where it goes on, and which key signs it."""


class Form:
    """What entries of one log look like: `entry.FORM`, with the log's own name in the place of any name."""

    __slots__ = ("_pattern", "_plain", "one")

    def __init__(self, origin: str) -> None:
        """Compile the pattern.

        >>> Form("shop.example/consent/2026h2").one(b"{}") is None
        True
        """
        self._pattern = FORM.pattern.replace(_ANY_LOG, f"({re.escape(origin)})".encode())
        self._plain: dict[int, Matcher] = {}
        self.one: Matcher = re.compile(self._pattern).fullmatch

    def under(self, version: int) -> Matcher:
        """Return the matcher of entries under one catalogue version; it captures nothing, which is a quarter faster."""
        known = self._plain.get(version)
        if known is None:
            narrowed = self._pattern.replace(_ANY_VERSION, b'"cv":(%d)' % version)
            known = self._plain[version] = re.compile(_GROUP.sub(b"(?:", narrowed)).fullmatch
        return known


def judged(entries: Entries, *, first: int, last: int, form: Form, edge: Edge) -> Leaves:
    """Judge the entries `[first, last)`: form, log, place, time, catalogue version, and stored leaf hash.

    Args:
        entries: as stored, in the order of `seq`.
        first: the first `seq` of the chunk.
        last: one past its last.
        form: of the log.
        edge: what the chunk before ended with.

    >>> judged(Entries([], [], []), first=0, last=1, form=Form("a"), edge=Edge()).wrong
    {0: 'there is no such entry'}
    """
    return _as_columns(entries, first, last, form, edge) or _Walk(form, edge).over(entries, first, last)


def _as_columns(entries: Entries, first: int, last: int, form: Form, edge: Edge) -> Leaves | None:
    """Judge the chunk if it is flawless and under one catalogue version; else None.

    Then what stands before the `seq` is of one width in all its entries.
    """
    seqs, bodies, stored = entries
    if (
        seqs != [*range(first, last)]
        or {*map(type, bodies)} != {bytes}
        or not all(map(form.under(edge.version), bodies))
    ):
        return None
    pattern = form.one(bodies[0])
    if pattern is None:
        return None
    (at, at_end), (digest, digest_end), seq = pattern.span(_AT), pattern.span(_DIGEST), pattern.start(_SEQ)
    ats = [body[at:at_end] for body in bodies]
    hashes = [sha256(b"\x00" + body).digest() for body in bodies]
    if hashes != stored or ats != sorted(ats) or ats[0] < edge.at:
        return None
    erased, of_itself = -1, {}
    for place, body in _unusual(bodies, seq, first):
        found = form.one(body)
        if found is None or int(found[_SEQ]) != place or found[_KIND] == _PUBLISHED:
            return None
        erased = place if found[_KIND] == _ERASED else erased
        if found[_KIND] in _OF_ITSELF:
            of_itself[place] = found[_KIND]
    digests = [body[digest:digest_end] for body in bodies]
    return Leaves(hashes, digests, Edge(ats[-1], edge.version), {}, {}, erased, of_itself)


def _unusual(bodies: Sequence[bytes], seq: int, first: int) -> list[tuple[int, bytes]]:
    """Return, with their places, the entries that are no statement, or don't name their place at the offset `seq`."""
    usual = [b'%d,"t":"statement","v":1}' % place for place in range(first, first + len(bodies))]
    ends = [body[seq:] for body in bodies]
    if ends == usual:
        return []
    return [
        (place, body)
        for place, body, end, expected in zip(range(first, first + len(bodies)), bodies, ends, usual, strict=True)
        if end != expected
    ]


class _Walk:
    """The same judgement, entry by entry, naming each that is wrong."""

    def __init__(self, form: Form, edge: Edge) -> None:
        self._form = form
        self._edge = edge
        self._torn = False  # the entry before can't be read: it may have published a catalogue
        self._published: dict[int, int] = {}
        self._erased = -1
        self._of_itself: dict[int, bytes] = {}

    def over(self, entries: Entries, first: int, last: int) -> Leaves:
        # SQLite's columns take values of any type: what is no bytes is no entry.
        there = {
            seq: (body if isinstance(body, bytes) else b"", leaf)
            for seq, body, leaf in zip(entries.seqs, entries.bodies, entries.leaves, strict=True)
        }
        hashes, digests, wrong = [], [], {}
        for seq in range(first, last):
            body, leaf = there.get(seq, (b"", b""))
            why, digest = self._judge(seq, body, leaf) if seq in there else ("there is no such entry", b"")
            if why:
                wrong[seq] = why
            self._torn = bool(why) and not digest
            hashes.append(sha256(b"\x00" + body).digest() if seq in there else _ABSENT)
            digests.append(digest)
        if len(there) < len(entries.seqs):
            wrong.setdefault(first, f"{len(entries.seqs) - len(there)} entries of this chunk stand twice")
        return Leaves(hashes, digests, self._edge, wrong, self._published, self._erased, self._of_itself)

    def _judge(self, seq: int, body: bytes, leaf: bytes) -> tuple[str, bytes]:
        """Return why the entry is wrong ("" if it isn't), and its `h`."""
        found = self._form.one(body)
        if found is None:
            return ("it is an entry of another log" if FORM.fullmatch(body) else "its bytes are not of the form"), b""
        at, version, digest, said, kind = found.group(_AT, _VERSION, _DIGEST, _SEQ, _KIND)
        edge = self._edge
        if sha256(b"\x00" + body).digest() != leaf:
            return "its bytes do not hash to its leaf", b""
        if int(said) != seq:
            return f"it says that it is entry {int(said)}", b""
        if at < edge.at:
            return f"its time {at.decode()} lies before that of the entry before it", digest
        follows = int(version) == edge.version + (kind == _PUBLISHED) or (self._torn and int(version) >= edge.version)
        if not follows:
            return f"it names catalogue version {int(version)}, but version {edge.version} was in force", digest
        self._edge = Edge(at, int(version))
        self._note(seq, kind, int(version))
        return "", digest

    def _note(self, seq: int, kind: bytes, version: int) -> None:
        """Note an entry of a kind that something else depends on."""
        if kind == _PUBLISHED:
            self._published[seq] = version
        elif kind == _ERASED:
            self._erased = seq
        elif kind in _OF_ITSELF:
            self._of_itself[seq] = kind
