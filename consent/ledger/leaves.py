"""From stored entries to leaf hashes, a chunk at a time: everything that can be judged of an entry by its bytes.

`judged` looks at a chunk as columns: what all its entries have in common is compared once for all. Where anything is
amiss, the same chunk is walked entry by entry, to say which it is and why.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from hashlib import sha256
from itertools import islice, pairwise
from operator import le
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np

from consent.ledger.entry import FORM, HASH_LAST_SIGN, HASH_SIGN, ORIGIN, Kind
from consent.ledger.merkle import HASH_BYTES

Matcher: TypeAlias = Callable[[bytes], re.Match[bytes] | None]


class Entries(NamedTuple):
    """Stored entries, as columns: what should be bytes need not be, where somebody else wrote it."""

    seqs: list[int]
    bodies: list[Any]
    leaves: list[Any]


_AT, _COMMITMENT, _VERSION, _DIGEST, _SEQ, _KIND = 1, 2, 3, 4, 6, 7
_ANY_LOG: Final = f"({ORIGIN.pattern})".encode()
_PUBLISHED: Final = Kind.CATALOGUE_PUBLISHED.encode()
_PUBLISHES: Final = b'"t":"%b","v":1}' % _PUBLISHED
_ERASED: Final = Kind.CUSTOMER_ERASED.encode()
_OF_ITSELF: Final = frozenset({Kind.LOG_SEALED.encode(), Kind.KEY_ROTATED.encode()})
_ABSENT: Final = bytes(HASH_BYTES)
"""Stands in the tree for an entry that isn't there, so that the others keep their places."""
_ALIKE: Final = 1024
"""Entries held against one at once: more are slower, since their bytes no longer lie close to the processor."""
_ANY, _LAST = 1, 2
_SIGNS: Final = bytes(
    (_ANY if re.fullmatch(HASH_SIGN, chr(sign)) else 0) | (_LAST if re.fullmatch(HASH_LAST_SIGN, chr(sign)) else 0)
    for sign in range(256)
)
"""What each byte may be in a hash: any of its signs, its last one."""


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

    __slots__ = ("one",)

    def __init__(self, origin: str) -> None:
        """Compile the pattern.

        >>> Form("shop.example/consent/2026h2").one(b"{}") is None
        True
        """
        self.one: Matcher = re.compile(FORM.pattern.replace(_ANY_LOG, f"({re.escape(origin)})".encode())).fullmatch


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
    return (
        _as_columns(entries, first, last, form, edge)
        or _in_pieces(entries, first, last, form, edge)
        or _Walk(form, edge).over(entries, first, last)
    )


def _in_pieces(entries: Entries, first: int, last: int, form: Form, edge: Edge) -> Leaves | None:
    """Judge the chunk if it is flawless, and catalogues were published in it; else None.

    Each such entry is judged by itself, and what lies between two as columns.
    """
    if {*map(type, entries.bodies)} != {bytes} or len(entries.bodies) != last - first:
        return None
    cuts = {place for place, body in enumerate(entries.bodies) if body.endswith(_PUBLISHES)}
    if not cuts:
        return None
    found: list[Leaves] = []
    for start, end in pairwise(sorted({0, *cuts, *(place + 1 for place in cuts), last - first})):
        piece = Entries(*(column[start:end] for column in entries))
        judge = _Walk(form, edge).over if start in cuts else partial(_as_columns, form=form, edge=edge)
        leaves = judge(piece, first + start, first + end)
        if leaves is None or leaves.wrong:
            return None
        found.append(leaves)
        edge = leaves.edge
    return Leaves(
        hashes=[each for leaves in found for each in leaves.hashes],
        digests=[each for leaves in found for each in leaves.digests],
        edge=edge,
        wrong={},
        published={seq: version for leaves in found for seq, version in leaves.published.items()},
        erased=max(leaves.erased for leaves in found),
        of_itself={seq: kind for leaves in found for seq, kind in leaves.of_itself.items()},
    )


def _as_columns(entries: Entries, first: int, last: int, form: Form, edge: Edge) -> Leaves | None:
    """Judge the chunk if it is flawless and under one catalogue version; else None.

    Then what stands before the `seq` is of one width in all its entries.
    """
    seqs, bodies, stored = entries
    if seqs != [*range(first, last)] or {*map(type, bodies)} != {bytes}:
        return None
    model = form.one(bodies[0])
    if model is None or int(model[_VERSION]) != edge.version:
        return None
    (at, at_end), (digest, digest_end), seq = model.span(_AT), model.span(_DIGEST), model.start(_SEQ)
    ats = [body[at:at_end] for body in bodies]
    # One entry of each instant is matched whole, and each that ends unusually; the rest is held against the first.
    alike = all(_alike(bodies[start : start + _ALIKE], model) for start in range(0, last - first, _ALIKE))
    if not alike or not all(map(form.one, dict(zip(ats, bodies, strict=True)).values())):
        return None
    hashes = [sha256(b"\x00" + body).digest() for body in bodies]
    if hashes != stored or ats[0] < edge.at or not all(map(le, ats, islice(ats, 1, None))):
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


def _alike(bodies: Sequence[bytes], model: re.Match[bytes]) -> bool:
    """Say whether entries are as the model is up to the `seq`, but for their times, and hashes where it has hashes."""
    width = model.start(_SEQ)
    joined = b"".join([body[:width] for body in bodies])
    if len(joined) != len(bodies) * width:
        return False
    signs = np.frombuffer(joined, np.uint8).reshape(-1, width)
    said = np.frombuffer(model.string, np.uint8, width)
    same = (np.bitwise_and.reduce(signs) == said) & (np.bitwise_or.reduce(signs) == said)
    fits = np.bitwise_and.reduce(np.frombuffer(joined.translate(_SIGNS), np.uint8).reshape(-1, width))
    for start, end in (model.span(_COMMITMENT), model.span(_DIGEST)):
        same[start : end - 1] = fits[start : end - 1] & _ANY
        same[end - 1] = fits[end - 1] & _LAST
    same[slice(*model.span(_AT))] = True
    return bool(same.all())


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
