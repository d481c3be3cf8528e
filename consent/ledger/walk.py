"""A log on its way through verification, a chunk of 2^13 entries at a time: the tree so far, and what was found wrong.

Entries are held against their leaf hashes, these against the stored tree, the tree against the checkpoints. Whole
chunks are the leaves of an upper tree, which is held against the stored nodes at the end. What lies over a wrong spot
is not named again.
"""

from binascii import b2a_base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from hashlib import sha256
from typing import Final, NamedTuple

from consent.base.clock import parse_time, to_ms
from consent.base.errors import Invalid, LedgerBroken
from consent.base.store import Work
from consent.ledger import checkpoint, entry, merkle, note, stored
from consent.ledger.leaves import Edge, Form, Leaves, judged
from consent.ledger.merkle import EMPTY_ROOT, HASH_BYTES, Frontier, Node, frontier_positions, node_hash
from consent.ledger.note import NoteRefused
from consent.ledger.position import position
from consent.ledger.stored import Keyed, StoredCatalogue, StoredChunk, StoredLog
from consent.ledger.trust import Trust

MOST_NAMED: Final = 100
"""How many wrong spots of a log are named; one with more of them is no more broken."""

_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")


class Bad(NamedTuple):
    """A wrong spot.

    `seq` is a position: the entry's; of a node that of the first entry under it; of the head or a checkpoint that of
    its size; of a catalogue or an opening that of its entry.
    """

    seq: int
    table: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """From where a log is verified, where its beginning was before: a size that was signed, and the root then."""

    size: int
    root: bytes


class Walk:
    """One log."""

    def __init__(self, log: StoredLog, trust: Trust, chunk: int, edge: Edge) -> None:
        """Begin at the first entry.

        Args:
            log: which, and how long it is said to be.
            trust: the keys that sign it.
            chunk: entries a step; a power of two.
            edge: time and catalogue version at the end of the log before.
        """
        self.log = log
        self.edge = edge
        self.bad: list[Bad] = []
        self.checked = 0
        self.checkpoints = 0
        self.anchored = 0
        """The size of the largest checkpoint whose signature and root hold."""
        self.root = EMPTY_ROOT
        self.of_itself: dict[int, bytes] = {}
        """The kinds of entries about the log itself, by `seq`."""
        self.first = 0
        """The first entry that is judged."""
        self._trust = trust
        self._chunk = chunk
        self._form = Form(log.origin)
        self._published: dict[int, int] = {}
        self._frontier: list[bytes] = []
        # Whole chunks are the leaves of the upper tree. What lies under a wrong spot is not named again.
        self._tops = Frontier()
        self._upper: list[Node] = []
        self._spoilt_tops: set[int] = set()
        self._wrong: set[int] = set()
        self._wrong_from = log.size + 1
        self._start: Start | None = None
        self.diverged = False
        """A checkpoint that was signed has another root."""
        # Payloads that are missing; and those of them that no later erasure explains (yet).
        self._missing = 0
        self._unexplained: list[int] = []
        self._erases = False
        self._head_fits = self._judge_size()

    @property
    def erased(self) -> int:
        """How many payloads are gone with their customers."""
        return self._missing - len(self._unexplained)

    @property
    def whole(self) -> bool:
        """Every entry that it is said to have is there, and of the right form."""
        return self._wrong_from > self.log.size

    def begin_at(self, work: Work, start: Start) -> None:
        """Leave out what lies before a size that was verified: the tree up to there is taken as it is stored.

        It is held against the root that was signed then, as soon as the walk comes by that size.
        """
        self._start = start
        self.first = start.size // self._chunk * self._chunk
        bottom = self._chunk.bit_length() - 1
        places = frontier_positions(self.first >> bottom)
        hashes = [_stored_hash(work, self.log.log, level + bottom, idx) for level, idx in places]
        try:
            self._tops = Frontier(size=self.first >> bottom, hashes=tuple(hashes))
        except LedgerBroken:
            self.name(start.size, "ledger_node", f"the tree over the first {self.first} entries is not all there")
            self._tops = Frontier(size=self.first >> bottom, hashes=tuple(bytes(32) for _ in hashes))
            self._start = None
            self._wrong_from = self.first
        self._frontier = list(self._tops.hashes)
        self.root = self._root_at(0, [[]])
        self.edge = edge_before(work, self.log.log, self.first) or self.edge
        if start.size == self.first:
            self._judge_start(self.root)

    def take(self, found: StoredChunk, first: int, last: int) -> None:
        """Judge one chunk, the next one in order."""
        leaves = judged(found.entries, first=first, last=last, form=self._form, edge=self.edge)
        self.edge = leaves.edge
        self._published.update(leaves.published)
        self.of_itself.update(leaves.of_itself)
        self.checked += len(found.entries.seqs)
        self._wrong.update(leaves.wrong)
        for seq, why in leaves.wrong.items():
            self.name(seq, "ledger_entry", why)
            self._wrong_from = min(self._wrong_from, seq)
        rows = _rows_of(leaves.hashes)
        self._judge_nodes(rows, found.nodes, first, set(leaves.wrong))
        if self._start and first < self._start.size <= last:
            self._judge_start(self._root_at(self._start.size - first, rows))
        for size, signed in found.checkpoints:
            self._judge_checkpoint(size, signed, self._root_at(size - first, rows))
        self._judge_cosigned(found)
        self._judge_payloads(found.payloads, leaves, first, last)
        self.root = self._root_at(last - first, rows)
        self._grow(rows, last - first)

    def end(self, work: Work) -> None:
        """Judge the upper tree, the head, the catalogues, and what should not be there at all."""
        self._judge_upper(work)
        if self.log.is_newest:
            self._judge_head()
        for stray in stored.strays(work, self.log.log):
            self.name(stray.seq, stray.table, stray.what)
        self._judge_catalogues(stored.catalogues(work, self.log.log))

    def explain(self, *, later: bool) -> bool:
        """Name payloads that are missing and that no erasure explains; say whether one does in this log or a later one.

        Args:
            later: a customer was erased in a later log, and his payloads in this one went with him.
        """
        if later:
            self._unexplained = []
        for seq in self._unexplained:
            self.name(seq, "ledger_payload", "its payload is missing, and no customer was erased since")
        return later or self._erases

    def name(self, seq: int, table: str, why: str) -> None:
        """Name a wrong spot."""
        if len(self.bad) < MOST_NAMED:
            self.bad.append(Bad(position(self.log.log, seq), table, why))

    # ------------------------------------------------------------------------------------------------------ the tree

    def _judge_nodes(
        self, rows: Sequence[Sequence[bytes]], nodes: Mapping[int, Keyed], first: int, spoilt: set[int]
    ) -> None:
        for level, row in enumerate(rows[1:], 1):
            spoilt = self._judge_level(level, first >> level, row, nodes[level], spoilt)
        if len(rows[0]) == self._chunk and spoilt:
            self._spoilt_tops.add(first // self._chunk)

    def _judge_level(self, level: int, first: int, row: Sequence[bytes], nodes: Keyed, spoilt: set[int]) -> set[int]:
        """Compare one level of the tree with what is stored; return which of its nodes are wrong, or lie over one."""
        spoilt = {idx >> 1 for idx in spoilt}
        if nodes.values == row and nodes.places == [*range(first, first + len(row))]:
            return spoilt
        there = dict(zip(*nodes, strict=True))
        for idx, node in enumerate(row, first):
            if there.get(idx) != node and idx not in spoilt:
                spoilt.add(idx)
                what = "is missing" if idx not in there else "is not the hash of what lies under it"
                under = f"entries {idx << level} to {((idx + 1) << level) - 1}"
                self.name(idx << level, "ledger_node", f"the node ({level}, {idx}) over {under} {what}")
        return spoilt

    def _grow(self, rows: Sequence[Sequence[bytes]], count: int) -> None:
        """Add a judged chunk to the tree: a whole one as a leaf of the upper tree, the last one as its edge."""
        if count == self._chunk:
            self._tops, nodes = merkle.append_all(self._tops, rows[-1])
            self._upper += nodes
            self._frontier = list(self._tops.hashes)
        else:
            self._frontier = [*self._tops.hashes, *_edge_of(rows, count)]

    def _root_at(self, count: int, rows: Sequence[Sequence[bytes]]) -> bytes:
        """Return the root of all chunks before and the first `count` entries of this one."""
        hashes = [*self._tops.hashes, *_edge_of(rows, count)]
        return reduce(lambda right, left: node_hash(left, right), reversed(hashes)) if hashes else EMPTY_ROOT

    def _judge_upper(self, work: Work) -> None:
        bottom = self._chunk.bit_length() - 1
        by_level: dict[int, dict[int, bytes]] = {}
        for level, idx, node in self._upper:
            by_level.setdefault(level, {})[idx] = node
        spoilt = self._spoilt_tops
        for above, row in sorted(by_level.items()):
            level, first = above + bottom, min(row)
            nodes = stored.nodes(work, self.log.log, level, first, first + len(row))
            spoilt = self._judge_level(level, first, [row[idx] for idx in sorted(row)], nodes, spoilt)

    # ------------------------------------------------------------------------------------------- head and checkpoints

    def _judge_size(self) -> bool:
        """Say whether the head's frontier is as long as its size asks for; where it isn't, that comes before all else.

        By such a size entries seem to be missing that never were, or to stand where none should.
        """
        head = self.log.head
        if head is None or head.size < 0 or len(head.frontier) == HASH_BYTES * head.size.bit_count():
            return True
        self.name(0, "ledger_head", f"its frontier is no edge of a tree of its size, which is {head.size}")
        return False

    def _judge_head(self) -> None:
        head, size = self.log.head, self.log.size
        if head is None:
            self.name(0, "ledger_head", "the log has no head")
            return
        if self._wrong_from <= size:
            return
        if head.size < 0:
            self.name(0, "ledger_head", f"its size is {head.size}")
        if self._head_fits and head.frontier != b"".join(self._frontier):
            self.name(size, "ledger_head", "its frontier is not the edge of the tree over the entries")
        if size and head.last_at != _milliseconds(self.edge.at):
            self.name(size, "ledger_head", "its time is not that of the last entry")
        if head.catalogue_version != self.edge.version:
            self.name(size, "ledger_head", "its catalogue version is not that of the last entry")

    def _judge_start(self, root: bytes) -> None:
        start, self._start = self._start, None
        if start and self._wrong_from >= start.size and root != start.root:
            self._wrong_from = start.size
            why = f"its first {start.size} entries are not those that were verified before: verify all of it"
            self.name(start.size, "ledger_node", why)

    def _judge_checkpoint(self, size: int, signed: bytes, root: bytes) -> None:
        self.checkpoints += 1
        verifiers = self._trust.verifiers(self.log.origin, self.log.log, size)
        try:
            opened = checkpoint.open_checkpoint(signed.decode(errors="replace"), *verifiers)
        except NoteRefused as refused:
            self.name(size, "ledger_checkpoint", f"the checkpoint at size {size} does not hold: {refused.detail}")
            return
        if opened.size != size:
            self.name(size, "ledger_checkpoint", f"it stands at size {size}, and was signed at size {opened.size}")
        elif size > self._wrong_from or self.diverged:
            return
        elif opened.root != root:
            self.diverged = True
            changed = f"an entry from {self.anchored} to {size - 1} was changed after it was signed"
            self.name(size, "ledger_checkpoint", f"the checkpoint at size {size} signs another root: {changed}")
        else:
            self.anchored = size

    def _judge_cosigned(self, found: StoredChunk) -> None:
        signed = dict(found.checkpoints)
        for size, cosigned in found.cosigned:
            if size not in signed or _text_of(cosigned) != _text_of(signed[size]):
                why = f"what was cosigned at size {size} is not the checkpoint that was signed"
                self.name(size, "cosignature", why)

    # ---------------------------------------------------------------------------------------- payloads and catalogues

    def _judge_payloads(self, payloads: Keyed, leaves: Leaves, first: int, last: int) -> None:
        sealed = [sha256(each).digest() if isinstance(each, bytes) else b"" for each in payloads.values]
        whole = payloads.places == [*range(first, last)]
        if not whole or _b64u_joined(sealed) != b"A".join([*leaves.digests, b""]):
            self._name_payloads(dict(zip(payloads.places, sealed, strict=True)), leaves, first)
        if leaves.erased >= 0:
            self._erases = True
            self._unexplained = [seq for seq in self._unexplained if seq > leaves.erased]

    def _name_payloads(self, there: Mapping[int, bytes], leaves: Leaves, first: int) -> None:
        for seq, said in enumerate(leaves.digests, first):
            if seq not in there:
                self._missing += 1
                self._unexplained.append(seq)
            elif said and _b64u_joined([there[seq]]) != said + b"A":
                self.name(seq, "ledger_payload", "its payload is not the one that its entry names")

    def _judge_catalogues(self, catalogues: Iterable[StoredCatalogue]) -> None:
        unseen = dict(self._published)
        for each in catalogues:
            if sha256(each.body).digest() != each.hash:
                self.name(each.seq, "catalogue_version", f"the bytes of version {each.version} do not hash to its hash")
            if (
                self.first <= each.seq < self.log.size
                and each.seq not in self._wrong
                and unseen.pop(each.seq, None) != each.version
            ):
                why = f"version {each.version} names entry {each.seq}, which published no such version"
                self.name(each.seq, "catalogue_version", why)
        for seq, version in unseen.items():
            self.name(seq, "catalogue_version", f"version {version} was published, and is not there")


def _stored_hash(work: Work, log: int, level: int, idx: int) -> bytes:
    """Return the hash that is stored of a perfect subtree, or of a leaf; nothing, where there is none."""
    there = (
        stored.nodes(work, log, level, idx, idx + 1).values if level else stored.entries(work, log, idx, idx + 1).leaves
    )
    return there[0] if there and isinstance(there[0], bytes) else b""


def edge_before(work: Work, log: int, first: int) -> Edge | None:
    """Return the time and the catalogue version of the entry before `first`; None where none says them."""
    for body in stored.entries(work, log, first - 1, first).bodies:
        read = entry.read(body) if isinstance(body, bytes) else None
        if read:
            return Edge(read.at.encode(), read.catalogue_version)
    return None


def _text_of(signed: bytes) -> str:
    try:
        return note.split(signed.decode(errors="replace"))[0]
    except NoteRefused:
        return ""


def _milliseconds(at: bytes) -> int | None:
    try:
        return to_ms(parse_time(at.decode()))
    except Invalid:  # of the form, but not on the calendar
        return None


def _rows_of(hashes: Sequence[bytes]) -> list[list[bytes]]:
    """Return the perfect subtrees over leaves, level by level from the leaves up."""
    rows = [list(hashes)]
    while len(rows[-1]) > 1:
        row = rows[-1]
        # node_hash, written out: the call would cost a third of the time
        rows.append([sha256(b"\x01" + left + right).digest() for left, right in zip(row[::2], row[1::2], strict=False)])
    return rows


def _edge_of(rows: Sequence[Sequence[bytes]], count: int) -> list[bytes]:
    """Return the perfect subtrees that the first `count` leaves of `rows` make up, left to right."""
    return [rows[level][index] for level, index in frontier_positions(count)]


def _b64u_joined(digests: Sequence[bytes]) -> bytes:
    """Return digests in base64url, each with an `A` behind it: 32 bytes and a zero are 44 letters without padding."""
    return b2a_base64(b"".join([each + b"\x00" for each in digests]), newline=False).translate(_URL_SAFE)
