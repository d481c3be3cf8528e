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


class Entries(NamedTuple):
    """Stored entries, as columns: what should be bytes need not be, where somebody else wrote it."""

    seqs: list[int]
    bodies: list[Any]
    leaves: list[Any]


class Form(NamedTuple):
    """What entries of one log look like."""

    one: Callable[[bytes], re.Match[bytes] | None]
    """Matches one entry; the groups are those of `entry.FORM`."""

    pattern: bytes
    """Of which the same is compiled for many lines of one catalogue version."""


_AT, _VERSION, _DIGEST, _SEQ, _KIND = 1, 3, 4, 6, 7
_STATEMENT: Final = Kind.STATEMENT.encode()
_PUBLISHED: Final = Kind.CATALOGUE_PUBLISHED.encode()
_ERASED: Final = Kind.CUSTOMER_ERASED.encode()
_GROUP: Final = re.compile(rb"(?<!\\)\((?!\?)")
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


def form_of(origin: str) -> Form:
    """Return the form of one log's entries: `entry.FORM`, with the log's own name in the place of any name.

    >>> form_of("shop.example/consent/2026h2").one(b"{}") is None
    True
    """
    any_log, this_log = f"({ORIGIN.pattern})".encode(), f"({re.escape(origin)})".encode()
    pattern = FORM.pattern.replace(any_log, this_log)
    return Form(re.compile(pattern).fullmatch, re.compile(b"^%b$" % pattern, re.MULTILINE).findall)


def judged(rows: Sequence[Row], *, first: int, last: int, form: Form, edge: Edge) -> Leaves:
    """Judge the entries `[first, last)`: form, log, place, time, catalogue version, and stored leaf hash.

    Args:
        rows: as stored, in the order of `seq`.
        first: the first `seq` of the chunk.
        last: one past its last.
        form: of the log, from `form_of`.
        edge: what the chunk before ended with.

    >>> judged([], first=0, last=1, form=form_of("a"), edge=Edge()).wrong
    {0: 'there is no such entry'}
    """
    return _as_columns(rows, first, last, form, edge) or _Walk(form, edge).over(rows, first, last)


def _as_columns(rows: Sequence[Row], first: int, last: int, form: Form, edge: Edge) -> Leaves | None:
    """Judge the chunk if it is flawless and holds one catalogue version; else None."""
    if len(rows) != last - first or not rows:
        return None
    _, bodies, stored = zip(*rows, strict=True)
    if {*map(type, bodies)} != {bytes}:
        return None
    lines = b"\n".join(bodies)
    if lines.count(b"\n") != len(rows) - 1:  # else two lines could pass for one another's entry
        return None
    found = form.many(lines)
    if len(found) != len(rows):
        return None
    ats, _, versions, digests, _, seqs, kinds = zip(*found, strict=True)
    hashes = [sha256(b"\x00" + body).digest() for body in bodies]
    flawless = (
        tuple(hashes) == stored
        and versions.count(b"%d" % edge.version) == len(rows)
        and [*map(int, seqs)] == [*range(first, last)]
        and edge.at <= ats[0]
        and [*ats] == sorted(ats)
    )
    if not flawless or _PUBLISHED in kinds:
        return None
    erased = max((spot for spot, kind in enumerate(kinds) if kind == _ERASED), default=-1) if _ERASED in kinds else -1
    return Leaves(hashes, digests, Edge(ats[-1], edge.version), {}, {}, first + erased if erased >= 0 else -1)


class _Walk:
    """The same judgement, entry by entry, naming each that is wrong."""

    def __init__(self, form: Form, edge: Edge) -> None:
        self._form = form
        self._edge = edge
        self._published: dict[int, int] = {}
        self._erased = -1

    def over(self, rows: Sequence[Row], first: int, last: int) -> Leaves:
        # SQLite's columns take values of any type: what is no bytes is no entry.
        there = {seq: (body if isinstance(body, bytes) else b"", leaf) for seq, body, leaf in rows}
        hashes, digests, wrong = [], [], {}
        for seq in range(first, last):
            body, leaf = there.get(seq, (b"", b""))
            why, digest = self._judge(seq, body, leaf) if seq in there else ("there is no such entry", b"")
            if why:
                wrong[seq] = why
            hashes.append(sha256(b"\x00" + body).digest() if seq in there else _ABSENT)
            digests.append(digest)
        if len(there) < len(rows):
            wrong.setdefault(first, f"{len(rows) - len(there)} entries of this chunk stand twice")
        return Leaves(hashes, digests, self._edge, wrong, self._published, self._erased)

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
        if int(version) != edge.version + (kind == _PUBLISHED):
            return f"it names catalogue version {int(version)}, but version {edge.version} was in force", digest
        self._edge = Edge(at, int(version))
        if kind == _PUBLISHED:
            self._published[seq] = int(version)
        if kind == _ERASED:
            self._erased = seq
        return "", digest
