"""Verify the newest log from its stored bytes alone: entries, nodes, head, checkpoints, payloads, catalogues.

Nothing is taken from a projection, and nothing is repaired. The log is walked in aligned chunks of 2^13 entries up to
the size that it has at the start, each chunk in a short read transaction of its own: appends go on meanwhile. Entries
are held against their leaf hashes, these against the stored tree, the tree against the checkpoints, whose signatures
need a key that is not in the database. What was cut off behind the newest checkpoint only somebody can show who
remembers it.

Source:
    RFC 9162 section 2.1.1 (the tree); c2sp.org/tlog-checkpoint.
"""

from binascii import b2a_base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from hashlib import sha256
from typing import Final, NamedTuple

from consent.base.canonical import b64
from consent.base.clock import parse_time, to_ms
from consent.base.errors import Invalid, LedgerBroken
from consent.base.store import Store, Work
from consent.ledger import checkpoint, entry, merkle, note, stored
from consent.ledger.leaves import Edge, Form, Leaves, judged
from consent.ledger.merkle import EMPTY_ROOT, Frontier, Node, frontier_positions, node_hash
from consent.ledger.note import NoteRefused, Verifier
from consent.ledger.stored import Keyed, StoredCatalogue, StoredChunk, StoredLog

CHUNK: Final = 1 << 13
MOST_NAMED: Final = 100
"""How many wrong spots are named; a log with more of them is no more broken."""

_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")

TABLES: Final = (
    "ledger_entry", "ledger_node", "ledger_head", "ledger_checkpoint", "ledger_payload", "catalogue_version",
)  # fmt: skip


class Bad(NamedTuple):
    """A wrong spot.

    `seq` is the entry's; of a node that of the first entry under it; of the head or a checkpoint its size; of a
    catalogue that of its entry.
    """

    seq: int
    table: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What verification found.

    What only follows from a wrong entry (the nodes above it, the head, the checkpoints over it) isn't named again.

    Attributes:
        ok: nothing is wrong.
        size: entries, when verification began.
        root: over the entries found, 32 bytes.
        checked: entries judged.
        checkpoints: checkpoints judged.
        anchored: the size of the largest checkpoint whose signature and root hold; 0 where there is none.
        erased: entries whose payload is gone with its customer.
        bad: the wrong spots, lowest `seq` first, then in the order of `TABLES`; at most 100.
    """

    ok: bool
    size: int
    root: bytes
    checked: int
    checkpoints: int
    anchored: int
    erased: int
    bad: tuple[Bad, ...]

    @property
    def first_bad(self) -> Bad | None:
        """The wrong spot with the lowest `seq`."""
        return self.bad[0] if self.bad else None

    def as_json(self) -> dict[str, object]:
        """Return what other programs read: `ok`, `size`, `root` (base64), `checked`, `first_bad`."""
        return {
            "ok": self.ok,
            "size": self.size,
            "root": b64(self.root),
            "checked": self.checked,
            "first_bad": self.first_bad._asdict() if self.first_bad else None,
        }


def verify(store: Store, *, vkey: str, chunk: int = CHUNK) -> Verified:
    """Verify the newest log.

    Args:
        store: read in many short transactions.
        vkey: the log's verifier key, from somewhere else than the database.
        chunk: entries a transaction; a power of two.

    Raises:
        DatabaseDown: the store can't be read. Then nothing is said of the log.
        LedgerBroken: there is no log.
        Invalid: the key is another log's.
    """
    _require_aligned(0, chunk)
    with store.read() as work:
        log = stored.newest(work)
    verifier = note.verifier_of(vkey)
    if verifier.name != log.origin:
        msg = f"the verifier key is that of {verifier.name}, and the newest log is {log.origin}"
        raise Invalid(msg)
    walk = _Walk(log, verifier, chunk)
    for first in range(0, max(log.size, 1), chunk):
        last = min(first + chunk, log.size)
        with store.read() as work:
            found = stored.chunk(work, log.log, first, last)
        walk.take(found, first, last)
        if last > first and not found.entries.seqs:
            break  # a hole as wide as a chunk: there is no tree to go on with
    with store.read() as work:
        walk.end(work)
    return walk.verified()


def root_of_entries(work: Work, log: int, first: int, last: int) -> bytes:
    """Return the root over the entries `[first, last)`, all of whose bytes were judged: bytes, leaves, root.

    Pieces of a log can be judged by several processes: the root over their roots is that of the whole, where all
    pieces are of one size, a power of two, but for the last, which may be shorter.

    Args:
        work: a transaction.
        log: its number.
        first: a multiple of 2^13.
        last: one past the last entry.

    Raises:
        LedgerBroken: an entry is wrong; the first such is named.
        Invalid: the piece isn't aligned.
    """
    _require_aligned(first, CHUNK)
    form = Form(stored.origin_of(work, log))
    edge = _edge_before(work, log, first)
    roots = []
    for start in range(first, last, CHUNK):
        end = min(start + CHUNK, last)
        leaves = judged(stored.entries(work, log, start, end), first=start, last=end, form=form, edge=edge)
        for seq, why in leaves.wrong.items():
            msg = f"entry {seq}: {why}"
            raise LedgerBroken(msg)
        edge = leaves.edge
        roots.append(merkle.root(leaves.hashes))
    return merkle.root(roots)


def _require_aligned(first: int, chunk: int) -> None:
    if chunk < 1 or chunk & (chunk - 1) or first % chunk:
        msg = "a chunk has a power of two of entries, and begins at a multiple of it"
        raise Invalid(msg)


def _edge_before(work: Work, log: int, first: int) -> Edge:
    for body in stored.entries(work, log, first - 1, first).bodies:
        read = entry.read(body)
        if read:
            return Edge(read.at.encode(), read.catalogue_version)
    return Edge()


class _Walk:
    """A log on its way through verification: the tree so far, and what was found wrong."""

    def __init__(self, log: StoredLog, verifier: Verifier, chunk: int) -> None:
        self._log = log
        self._verifier = verifier
        self._chunk = chunk
        self._form = Form(log.origin)
        self._edge = Edge()
        self._published: dict[int, int] = {}
        self._bad: list[Bad] = []
        self._checked = 0
        self._root = EMPTY_ROOT
        self._frontier: list[bytes] = []
        # Whole chunks are the leaves of the upper tree. What lies under a wrong spot is not named again.
        self._tops = Frontier()
        self._upper: list[Node] = []
        self._spoilt_tops: set[int] = set()
        self._wrong: set[int] = set()
        self._wrong_from = log.size + 1
        # Checkpoints: how many, the last whose root held, and whether one did not.
        self._checkpoints = 0
        self._anchored = 0
        self._diverged = False
        # Payloads that are missing; and those of them that no later erasure explains (yet).
        self._missing = 0
        self._unexplained: list[int] = []

    def take(self, found: StoredChunk, first: int, last: int) -> None:
        """Judge one chunk, the next one in order."""
        leaves = judged(found.entries, first=first, last=last, form=self._form, edge=self._edge)
        self._edge = leaves.edge
        self._published.update(leaves.published)
        self._checked += len(found.entries.seqs)
        self._wrong.update(leaves.wrong)
        for seq, why in leaves.wrong.items():
            self._name(seq, "ledger_entry", why)
            self._wrong_from = min(self._wrong_from, seq)
        rows = _rows_of(leaves.hashes)
        self._judge_nodes(rows, found.nodes, first, set(leaves.wrong))
        for size, signed in found.checkpoints:
            self._judge_checkpoint(size, signed, self._root_at(size - first, rows))
        self._judge_payloads(found.payloads, leaves, first, last)
        self._root = self._root_at(last - first, rows)
        self._grow(rows, last - first)

    def end(self, work: Work) -> None:
        """Judge the upper tree, the head, the catalogues, and what should not be there at all."""
        self._judge_upper(work)
        self._judge_head()
        for stray in stored.strays(work, self._log.log):
            self._name(stray.seq, stray.table, stray.what)
        self._judge_catalogues(stored.catalogues(work, self._log.log))
        for seq in self._unexplained:
            self._name(seq, "ledger_payload", "its payload is missing, and no customer was erased since")

    def verified(self) -> Verified:
        """Return what was found."""
        return Verified(
            ok=not self._bad,
            size=self._log.size,
            root=self._root,
            checked=self._checked,
            checkpoints=self._checkpoints,
            anchored=self._anchored,
            erased=self._missing - len(self._unexplained),
            bad=tuple(sorted(self._bad, key=lambda bad: (bad.seq, TABLES.index(bad.table)))),
        )

    def _name(self, seq: int, table: str, why: str) -> None:
        if len(self._bad) < MOST_NAMED:
            self._bad.append(Bad(seq, table, why))

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
                self._name(idx << level, "ledger_node", f"the node ({level}, {idx}) over {under} {what}")
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
        by_level: dict[int, list[bytes]] = {}
        for level, _, node in sorted(self._upper):
            by_level.setdefault(level, []).append(node)
        spoilt = self._spoilt_tops
        for above, row in by_level.items():
            level = above + bottom
            nodes = stored.nodes(work, self._log.log, level, 0, len(row))
            spoilt = self._judge_level(level, 0, row, nodes, spoilt)

    # ------------------------------------------------------------------------------------------- head and checkpoints

    def _judge_head(self) -> None:
        head, size = self._log.head, self._log.size
        if head is None:
            self._name(0, "ledger_head", "the log has no head")
            return
        if self._wrong_from <= size:
            return
        if head.size < 0:
            self._name(0, "ledger_head", f"its size is {head.size}")
        if head.frontier != b"".join(self._frontier):
            self._name(size, "ledger_head", "its frontier is not the edge of the tree over the entries")
        if size and head.last_at != _milliseconds(self._edge.at):
            self._name(size, "ledger_head", "its time is not that of the last entry")
        if head.catalogue_version != self._edge.version:
            self._name(size, "ledger_head", "its catalogue version is not that of the last entry")

    def _judge_checkpoint(self, size: int, signed: bytes, root: bytes) -> None:
        self._checkpoints += 1
        try:
            opened = checkpoint.open_checkpoint(signed.decode(errors="replace"), self._verifier)
        except NoteRefused as refused:
            self._name(size, "ledger_checkpoint", f"the checkpoint at size {size} does not hold: {refused.detail}")
            return
        if opened.size != size:
            self._name(size, "ledger_checkpoint", f"it stands at size {size}, and was signed at size {opened.size}")
        elif size > self._wrong_from or self._diverged:
            return
        elif opened.root != root:
            self._diverged = True
            changed = f"an entry from {self._anchored} to {size - 1} was changed after it was signed"
            self._name(size, "ledger_checkpoint", f"the checkpoint at size {size} signs another root: {changed}")
        else:
            self._anchored = size

    # ---------------------------------------------------------------------------------------- payloads and catalogues

    def _judge_payloads(self, payloads: Keyed, leaves: Leaves, first: int, last: int) -> None:
        sealed = [sha256(each).digest() if isinstance(each, bytes) else b"" for each in payloads.values]
        whole = payloads.places == [*range(first, last)]
        if not whole or _b64u_joined(sealed) != b"A".join([*leaves.digests, b""]):
            self._name_payloads(dict(zip(payloads.places, sealed, strict=True)), leaves, first)
        if leaves.erased >= 0:
            self._unexplained = [seq for seq in self._unexplained if seq > leaves.erased]

    def _name_payloads(self, there: Mapping[int, bytes], leaves: Leaves, first: int) -> None:
        for seq, said in enumerate(leaves.digests, first):
            if seq not in there:
                self._missing += 1
                self._unexplained.append(seq)
            elif said and _b64u_joined([there[seq]]) != said + b"A":
                self._name(seq, "ledger_payload", "its payload is not the one that its entry names")

    def _judge_catalogues(self, catalogues: Iterable[StoredCatalogue]) -> None:
        unseen = dict(self._published)
        for each in catalogues:
            if sha256(each.body).digest() != each.hash:
                self._name(
                    each.seq, "catalogue_version", f"the bytes of version {each.version} do not hash to its hash"
                )
            if (
                0 <= each.seq < self._log.size
                and each.seq not in self._wrong
                and unseen.pop(each.seq, None) != each.version
            ):
                why = f"version {each.version} names entry {each.seq}, which published no such version"
                self._name(each.seq, "catalogue_version", why)
        for seq, version in unseen.items():
            self._name(seq, "catalogue_version", f"version {version} was published, and is not there")


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
