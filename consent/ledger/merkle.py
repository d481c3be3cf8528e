"""The Merkle tree of RFC 6962 and RFC 9162, with SHA-256: roots, appending, proofs, and their verification.

A node is named by its position `(level, index)`: it is the perfect subtree over the leaves
`[index << level, (index + 1) << level)`, and level 0 are the leaf hashes. Only perfect subtrees are ever
stored, each once: they never change. Whatever lies at the ragged right edge of a tree is folded from them.

Building a proof takes two steps, so that a store can fetch in one query: `…_nodes` names the positions,
`…_proof` folds what was fetched. The verifiers take nothing on trust: any input at all gives either silence
or `ProofRefused`.

Source:
    RFC 9162 sections 2.1.1 to 2.1.4 (same tree as RFC 6962 section 2.1).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import repeat
from typing import Final, TypeAlias

from consent.base.errors import EntryUnknown, Invalid, LedgerBroken

Position: TypeAlias = tuple[int, int]
Node: TypeAlias = tuple[int, int, bytes]
Range: TypeAlias = tuple[int, int]

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = sha256(b"").digest()
GREATEST_SIZE: Final = 2**63 - 1


class ProofRefused(Invalid):
    """A proof doesn't prove what it is said to prove, or isn't in the form of a proof."""

    code = "proof_refused"
    title = "The proof does not hold"


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of a leaf, SHA-256 over 0x00 and the entry's bytes.

    >>> leaf_hash(b"").hex()[:16]
    '6e340b9cffb37a98'
    """
    return sha256(b"\x00" + data).digest()


def leaf_hashes(leaves: Iterable[bytes]) -> list[bytes]:
    """Return the hashes of many leaves, each as `leaf_hash` makes it.

    >>> leaf_hashes([b"", b"a"]) == [leaf_hash(b""), leaf_hash(b"a")]
    True
    """
    return [sha256(b"\x00" + data).digest() for data in leaves]


def node_hash(left: bytes, right: bytes) -> bytes:
    r"""Return the hash of an inner node, SHA-256 over 0x01 and both children.

    >>> node_hash(leaf_hash(b""), leaf_hash(b"\x00")).hex()[:16]
    'fac54203e7cc696c'
    """
    return sha256(b"\x01" + left + right).digest()


def root(leaf_hashes: Sequence[bytes]) -> bytes:
    r"""Return the root of a whole tree.

    >>> root([leaf_hash(b""), leaf_hash(b"\x00")]).hex()[:16]
    'fac54203e7cc696c'
    >>> root([]) == EMPTY_ROOT
    True
    """
    row = list(leaf_hashes)
    while len(row) > 1:
        alone = row[-1:] if len(row) & 1 else []  # the odd one out moves up as it is
        row = _parents(row) + alone
    return row[0] if row else EMPTY_ROOT


@dataclass(frozen=True, slots=True, kw_only=True)
class Frontier:
    """The right edge of a tree: all that appending needs to know of what came before.

    Attributes:
        size: leaves in the tree.
        hashes: its perfect subtrees left to right, at `frontier_positions(size)`.

    Raises:
        LedgerBroken: not as many hashes as a tree of that size has perfect subtrees, or of another length.
    """

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        """Refuse an edge that can't be of that size."""
        if not 0 <= self.size <= GREATEST_SIZE or len(self.hashes) != self.size.bit_count():
            raise LedgerBroken(f"{len(self.hashes)} hashes are no edge of a tree of {self.size} leaves")
        if any(len(each) != HASH_BYTES for each in self.hashes):
            raise LedgerBroken("a hash at the edge of the tree is not 32 bytes long")


def frontier_positions(size: int) -> list[Position]:
    """Return the perfect subtrees that make up a tree, left to right, so largest first.

    >>> frontier_positions(7)
    [(2, 0), (1, 2), (0, 6)]
    """
    levels = range(size.bit_length() - 1, -1, -1)
    return [(level, (size >> level) - 1) for level in levels if size >> level & 1]


def append_all(frontier: Frontier, leaf_hashes: Iterable[bytes]) -> tuple[Frontier, list[Node]]:
    r"""Append leaves; many at once give the same as one by one.

    Returns:
        The new frontier, and each perfect subtree that these leaves completed, level 1 and up, as
        `(level, index, hash)`: n leaves complete about n of them.

    >>> frontier, nodes = append_all(Frontier(), [leaf_hash(b""), leaf_hash(b"\x00"), leaf_hash(b"\x10")])
    >>> frontier.size, [(level, index) for level, index, _ in nodes]
    (3, [(1, 0)])
    """
    row = list(leaf_hashes)
    start, end = frontier.size, frontier.size + len(row)
    edge = {level: each for (level, _), each in zip(frontier_positions(start), frontier.hashes, strict=True)}
    nodes: list[Node] = []
    level = 0
    while row:
        if start >> level & 1:  # its left neighbour has been waiting at the edge
            row.insert(0, edge.pop(level))
        if end >> level & 1:  # the last one starts to wait
            edge[level] = row[-1]
        row = _parents(row)
        level += 1
        nodes.extend(zip(repeat(level), range(start >> level, end >> level), row, strict=False))
    return Frontier(size=end, hashes=tuple(edge[each] for each in sorted(edge, reverse=True))), nodes


def root_of(frontier: Frontier) -> bytes:
    """Return the root of the tree that ends at this edge.

    >>> root_of(Frontier()) == EMPTY_ROOT
    True
    """
    return _fold(frontier.hashes) if frontier.hashes else EMPTY_ROOT


def inclusion_path(index: int, size: int) -> list[Range]:
    """Return the leaf ranges `[first, end)` whose roots prove that leaf `index` is in the tree, leaf upwards.

    Raises:
        EntryUnknown: no such leaf in a tree of that size.

    Source:
        RFC 9162 section 2.1.3.1.

    >>> inclusion_path(4, 7)
    [(5, 6), (6, 7), (0, 4)]
    """
    if not 0 <= index < size:
        raise EntryUnknown(f"there is no entry {index} among {size}")
    first, end = 0, size
    path = []
    while end - first > 1:
        middle = first + _left_half(end - first)
        if index < middle:
            path.append((middle, end))
            end = middle
        else:
            path.append((first, middle))
            first = middle
    return path[::-1]


def consistency_path(old: int, new: int) -> list[Range]:
    """Return the leaf ranges whose roots prove that a tree of `new` leaves begins with the one of `old`.

    Raises:
        EntryUnknown: not 0 < `old` <= `new`. Nothing can be proven of an empty tree.

    Source:
        RFC 9162 section 2.1.4.1.

    >>> consistency_path(3, 7)
    [(2, 3), (3, 4), (0, 2), (4, 7)]
    """
    if not 0 < old <= new:
        raise EntryUnknown(f"a tree of {new} entries has no beginning of {old}")
    first, end = 0, new
    path = []
    while end != old:
        middle = first + _left_half(end - first)
        if old <= middle:
            path.append((middle, end))
            end = middle
        else:
            path.append((first, middle))
            first = middle
    if first:  # else the old tree is itself a subtree here, and the verifier has its root
        path.append((first, end))
    return path[::-1]


def inclusion_nodes(index: int, size: int) -> list[Position]:
    """Return the stored nodes that `inclusion_proof` needs; those at level 0 are leaf hashes.

    >>> inclusion_nodes(0, 7)
    [(0, 1), (1, 1), (1, 2), (0, 6)]
    """
    return [position for span in inclusion_path(index, size) for position in _positions(span)]


def consistency_nodes(old: int, new: int) -> list[Position]:
    """Return the stored nodes that `consistency_proof` needs; those at level 0 are leaf hashes.

    >>> consistency_nodes(4, 7)
    [(1, 2), (0, 6)]
    """
    return [position for span in consistency_path(old, new) for position in _positions(span)]


def inclusion_proof(index: int, size: int, *, nodes: Mapping[Position, bytes]) -> list[bytes]:
    """Return the proof that leaf `index` is in the tree of `size` leaves, the leaf's sibling first.

    Args:
        index: from 0.
        size: of the tree proven against, at most the log's.
        nodes: at least those of `inclusion_nodes(index, size)`.

    Raises:
        EntryUnknown: no such leaf in a tree of that size.
        LedgerBroken: a node is missing.

    >>> inclusion_proof(1, 2, nodes={(0, 0): leaf_hash(b"first")}) == [leaf_hash(b"first")]
    True
    """
    return _folded(inclusion_path(index, size), nodes)


def consistency_proof(old: int, new: int, *, nodes: Mapping[Position, bytes]) -> list[bytes]:
    """Return the proof that the tree of `new` leaves begins with the one of `old`.

    Args:
        old: leaves of the earlier tree, at least 1.
        new: leaves of the later tree.
        nodes: at least those of `consistency_nodes(old, new)`.

    Raises:
        EntryUnknown: not 0 < `old` <= `new`.
        LedgerBroken: a node is missing.

    >>> consistency_proof(1, 2, nodes={(0, 1): leaf_hash(b"second")}) == [leaf_hash(b"second")]
    True
    """
    return _folded(consistency_path(old, new), nodes)


def verify_inclusion(leaf: bytes, *, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Accept only a proof that the leaf with this hash is entry `index` of the tree with this root.

    The size is as good as the checkpoint that it comes from: trees of other sizes can give a proof of the same
    shape.

    Raises:
        ProofRefused: it isn't, or the input isn't of the form that a proof has. Nothing else is ever raised.

    Source:
        RFC 9162 section 2.1.3.2.

    >>> verify_inclusion(leaf_hash(b""), index=0, size=1, proof=[], root=leaf_hash(b""))
    """
    _require_form(sizes=(index, size), hashes=(leaf, root), proof=proof)
    if index >= size:
        raise ProofRefused("the tree has no such entry")
    reached = leaf
    for sibling, left in _climb(index, size - 1, proof):
        reached = node_hash(sibling, reached) if left else node_hash(reached, sibling)
    if reached != root:
        raise ProofRefused("the entry leads to another root")


def verify_consistency(
    old_size: int, new_size: int, *, proof: Sequence[bytes], old_root: bytes, new_root: bytes
) -> None:
    """Accept only a proof that the new tree begins with the whole of the old one.

    Raises:
        ProofRefused: it doesn't; the old tree is empty, of which nothing can be proven; or the input isn't of
            the form that a proof has. Nothing else is ever raised.

    Source:
        RFC 9162 section 2.1.4.2.

    >>> first, second = leaf_hash(b"first"), leaf_hash(b"second")
    >>> verify_consistency(1, 2, proof=[second], old_root=first, new_root=node_hash(first, second))
    """
    _require_form(sizes=(old_size, new_size), hashes=(), proof=proof)
    if not 0 < old_size <= new_size:
        raise ProofRefused("the old tree is empty, or larger than the new one")
    if old_size == new_size:
        if proof or not _same(old_root, new_root):
            raise ProofRefused("trees of one size need one root and no proof")
        return
    _require_form(sizes=(), hashes=(old_root, new_root), proof=proof)
    if old_size & (old_size - 1) == 0:  # the old tree is one of the new one's subtrees
        proof = [old_root, *proof]
    if _both_roots(old_size, new_size, proof) != (old_root, new_root):
        raise ProofRefused("the proof leads to other roots")


def _both_roots(old_size: int, new_size: int, proof: Sequence[bytes]) -> tuple[bytes, bytes]:
    """Return the roots of the old and of the new tree that a consistency proof leads to."""
    if not proof:
        raise ProofRefused("the proof is too short")
    skipped = (old_size & -old_size).bit_length() - 1
    old = new = proof[0]
    for sibling, left in _climb((old_size - 1) >> skipped, (new_size - 1) >> skipped, proof[1:]):
        new = node_hash(sibling, new) if left else node_hash(new, sibling)
        old = node_hash(sibling, old) if left else old
    return old, new


def _climb(inner: int, last: int, proof: Sequence[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Yield each sibling on the way up, and whether it lies on the left; refuse a way that isn't the tree's."""
    for sibling in proof:
        if last == 0:
            raise ProofRefused("the proof is too long")
        left = inner & 1 == 1 or inner == last
        while left and inner and not inner & 1:  # the ragged edge: levels without a sibling
            inner, last = inner >> 1, last >> 1
        yield sibling, left
        inner, last = inner >> 1, last >> 1
    if last:
        raise ProofRefused("the proof is too short")


def _require_form(*, sizes: tuple[object, ...], hashes: tuple[object, ...], proof: object) -> None:
    if not all(type(size) is int and 0 <= size <= GREATEST_SIZE for size in sizes):
        raise ProofRefused("a size or position is not a whole number from 0 to 2^63−1")
    if not isinstance(proof, list | tuple):
        raise ProofRefused("the proof is not a list")
    if len(proof) > GREATEST_SIZE.bit_length() + 1:
        raise ProofRefused("the proof is too long")
    if not all(isinstance(each, bytes) and len(each) == HASH_BYTES for each in (*hashes, *proof)):
        raise ProofRefused("a hash is not 32 bytes long")


def _same(one: object, other: object) -> bool:
    return isinstance(one, bytes) and isinstance(other, bytes) and one == other


def _parents(row: list[bytes]) -> list[bytes]:
    # node_hash, written out: the call would cost a third of the time
    return [sha256(b"\x01" + left + right).digest() for left, right in zip(row[::2], row[1::2], strict=False)]


def _left_half(width: int) -> int:
    """Return the largest power of two below `width` (at least 2): how many leaves go left."""
    return 1 << (width - 1).bit_length() - 1


def _positions(span: Range) -> list[Position]:
    """Return the perfect subtrees that make up a range which begins where a subtree of its width may."""
    first, end = span
    return [(level, index + (first >> level)) for level, index in frontier_positions(end - first)]


def _folded(path: list[Range], nodes: Mapping[Position, bytes]) -> list[bytes]:
    try:
        return [_fold([nodes[position] for position in _positions(span)]) for span in path]
    except KeyError as missing:
        raise LedgerBroken(f"the tree's node {missing} is missing") from None


def _fold(hashes: Sequence[bytes]) -> bytes:
    *others, reached = hashes
    for left in reversed(others):
        reached = node_hash(left, reached)
    return reached
