"""Verify the ledger from its stored bytes alone: every log of it, and the chain from each to the next.

Nothing is taken from a projection, and nothing is repaired. A log is walked in aligned chunks of 2^13 entries up to the
size that it has at the start, each chunk in a short read transaction of its own: appends go on meanwhile. Signatures
are held against a key that is not in the database, and against the keys that rotations lead to from it. What was cut
off behind the newest checkpoint only somebody can show who remembers it.

With a checkpoint that was verified before, the walk begins there: the signature proves what the ledger was, the stored
tree that it still begins so, and only what came since is read.

Source:
    RFC 9162 section 2.1.1 (the tree); c2sp.org/tlog-checkpoint.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from consent.base.canonical import b64
from consent.base.counting import counted
from consent.base.errors import Invalid, LedgerBroken
from consent.base.store import Store, Work
from consent.ledger import checkpoint, merkle, note, opening, stored
from consent.ledger.entry import Kind
from consent.ledger.leaves import Edge, Form, judged
from consent.ledger.opening import Cause
from consent.ledger.position import position
from consent.ledger.stored import StoredLog
from consent.ledger.trust import Trust, trusted
from consent.ledger.walk import MOST_NAMED, Bad, Start, Walk, edge_before

__all__ = ["CHUNK", "MOST_NAMED", "TABLES", "Bad", "Verified", "VerifiedLog", "root_of_entries", "trust_in", "verify"]

CHUNK: Final = 1 << 13
TABLES: Final = (
    "ledger_entry", "ledger_node", "ledger_head", "ledger_checkpoint", "cosignature", "ledger_payload",
    "catalogue_version", "ledger_opening", "ledger_log",
)  # fmt: skip

_SEALED: Final = Kind.LOG_SEALED.encode()
_ROTATED: Final = Kind.KEY_ROTATED.encode()


class VerifiedLog(NamedTuple):
    """One log of those that were verified.

    `first` is the first entry that was read: 0, or where an earlier verification had ended.
    """

    log: int
    origin: str
    size: int
    root: bytes
    first: int
    anchored: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What verification found.

    What only follows from a wrong entry (the nodes above it, the head, the checkpoints over it) isn't named again.

    Attributes:
        ok: nothing is wrong.
        size: entries of the newest log, when verification began.
        root: over the entries found of it, 32 bytes.
        checked: entries judged, of all logs.
        checkpoints: checkpoints judged.
        anchored: the size of the newest log's largest checkpoint whose signature and root hold; 0 where there is none.
        erased: entries whose payload is gone with its customer.
        bad: the wrong spots, lowest position first, then in the order of `TABLES`; at most 100 a log.
        logs: the logs that were verified, the oldest first.
    """

    ok: bool
    size: int
    root: bytes
    checked: int
    checkpoints: int
    anchored: int
    erased: int
    bad: tuple[Bad, ...]
    logs: tuple[VerifiedLog, ...] = ()

    @property
    def first_bad(self) -> Bad | None:
        """The wrong spot with the lowest position."""
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


def verify(store: Store, *, vkey: str, since: str = "", chunk: int = CHUNK) -> Verified:
    """Verify every log, or what came after a checkpoint that was verified before.

    Args:
        store: read in many short transactions.
        vkey: the verifier key of any of the logs, from somewhere else than the database.
        since: a signed checkpoint up to which all was verified; "" to verify everything.
        chunk: entries a transaction; a power of two.

    Raises:
        DatabaseDown: the store can't be read. Then nothing is said of the ledger.
        LedgerBroken: there is no log.
        NoteRefused: the checkpoint `since` isn't signed by a key that follows from `vkey`.
        Invalid: the key is another ledger's, or `since` is a checkpoint of another one.
    """
    _require_aligned(0, chunk)
    with store.read() as work:
        logs = stored.logs(work)
        openings = stored.openings(work)
    trust = trust_in(vkey, logs, openings)
    number, start = _start(since, trust, logs)
    said: dict[int, dict[int, bytes]] = {}
    for in_log, seq, plain in openings:
        said.setdefault(in_log, {})[seq] = plain
    walks: list[Walk] = []
    edge = _edge_of(store, logs, number)
    for log in logs[number - logs[0].log :]:
        walk = Walk(log, trust, chunk, walks[-1].edge if walks else edge)
        _walk(store, walk, chunk, start if log.log == number else None, said.get(log.log, {}))
        walks.append(walk)
    _judge_chain(walks, said, logs)
    later = False
    for walk in reversed(walks):
        later = walk.explain(later=later)
    return _verified(walks)


def trust_in(vkey: str, logs: Sequence[StoredLog], openings: Sequence[tuple[int, int, bytes]]) -> Trust:
    """Return the keys that sign these logs, as they follow from one verifier key.

    Args:
        vkey: the verifier key of any of the logs, from somewhere else than the database.
        logs: all logs.
        openings: of `stored.openings`.

    Raises:
        Invalid: the key is another ledger's.
    """
    verifier = note.verifier_of(vkey)
    if verifier.name not in {log.origin for log in logs}:
        msg = f"the verifier key is that of {verifier.name}, and the newest log is {logs[-1].origin}"
        raise Invalid(msg)
    rotations = ((log, opening.rotation(plain)) for log, _, plain in openings)
    return trusted([verifier.public_key], [(log, each) for log, each in rotations if each])


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
    edge = edge_before(work, log, first) or Edge()
    roots = []
    for start in range(first, last, CHUNK):
        end = min(start + CHUNK, last)
        leaves = judged(stored.entries(work, log, start, end), first=start, last=end, form=form, edge=edge)
        for seq, why in leaves.wrong.items():
            msg = f"entry {position(log, seq)}: {why}"
            raise LedgerBroken(msg)
        edge = leaves.edge
        roots.append(merkle.root(leaves.hashes))
    return merkle.root(roots)


def _require_aligned(first: int, chunk: int) -> None:
    if chunk < 1 or chunk & (chunk - 1) or first % chunk:
        msg = "a chunk has a power of two of entries, and begins at a multiple of it"
        raise Invalid(msg)


def _start(since: str, trust: Trust, logs: Sequence[StoredLog]) -> tuple[int, Start | None]:
    """Return the number of the log to begin with, and where in it."""
    if not since:
        return logs[0].log, None
    said = checkpoint.parse(note.split(since)[0])
    log = next((each.log for each in logs if each.origin == said.origin), None)
    if log is None:
        msg = f"the checkpoint is of {said.origin}, and the newest log is {logs[-1].origin}"
        raise Invalid(msg)
    known = checkpoint.open_checkpoint(since, *trust.verifiers(said.origin, log, said.size))
    return log, Start(size=known.size, root=known.root)


def _edge_of(store: Store, logs: Sequence[StoredLog], number: int) -> Edge:
    """Return what the first entry of a log may not fall behind: the last one of the log before it."""
    if number == logs[0].log:
        return Edge()
    before = logs[number - logs[0].log - 1]
    with store.read() as work:
        return edge_before(work, before.log, before.size) or Edge()


def _walk(store: Store, walk: Walk, chunk: int, start: Start | None, said: Mapping[int, bytes]) -> None:
    log = walk.log
    if start and start.size > log.size:
        why = f"{counted(start.size, 'entry was', 'entries were')} verified before, and it has {log.size}"
        walk.name(log.size, "ledger_head", f"the log was rolled back: {why}")
    elif start:
        with store.read() as work:
            walk.begin_at(work, start)
    for first in range(walk.first, max(log.size, 1), chunk):
        last = min(first + chunk, log.size)
        with store.read() as work:
            found = stored.chunk(work, log.log, first, last)
        walk.take(found, first, last)
        if last > first and not found.entries.seqs:
            break  # a hole as wide as a chunk: there is no tree to go on with
    with store.read() as work:
        walk.end(work)
        for seq, why in _astray(work, walk, said):
            walk.name(seq, "ledger_opening", why)


def _verified(walks: Sequence[Walk]) -> Verified:
    bad = [each for walk in walks for each in walk.bad]
    newest = walks[-1]
    return Verified(
        ok=not bad,
        size=newest.log.size,
        root=newest.root,
        checked=sum(walk.checked for walk in walks),
        checkpoints=sum(walk.checkpoints for walk in walks),
        anchored=newest.anchored,
        erased=sum(walk.erased for walk in walks),
        bad=tuple(sorted(bad, key=lambda bad: (bad.seq, TABLES.index(bad.table)))),
        logs=tuple(
            VerifiedLog(each.log.log, each.log.origin, each.log.size, each.root, each.first, each.anchored)
            for each in walks
        ),
    )


# ------------------------------------------------------------------------------------------------------------ the chain


def _judge_chain(walks: Sequence[Walk], said: Mapping[int, Mapping[int, bytes]], logs: Sequence[StoredLog]) -> None:
    """Judge whether each log goes on where the one before ended, and its keys one from the other."""
    for before, walk in zip([None, *walks], walks, strict=False):
        here = said.get(walk.log.log, {})
        for seq, why in _misplaced(walk, here):
            walk.name(seq, "ledger_entry", why)
        if walk.first == 0 and walk.log.log > 1:
            _judge_beginning(before, walk, here.get(0, b""))
    if logs[0].log > 1 and walks[0].log is logs[0]:
        walks[0].name(0, "ledger_log", "the log before it is not there")


def _astray(work: Work, walk: Walk, said: Mapping[int, bytes]) -> Iterator[tuple[int, str]]:
    """Hold openings against the entries whose payloads they show."""
    for seq, kind in sorted(walk.of_itself.items()):
        if seq not in said:
            yield seq, f"what the entry says of the log ({kind.decode()}) is not there in clear"
    for seq, plain in said.items():
        if walk.first <= seq < walk.log.size and not stored.opens(work, walk.log.log, seq, plain):
            yield seq, "it is not what its entry commits to"


def _misplaced(walk: Walk, said: Mapping[int, bytes]) -> Iterator[tuple[int, str]]:
    """Judge where a log is sealed (by its last entry, if another follows) and where it goes on (by its first)."""
    log, last = walk.log, walk.log.size - 1
    for seq, kind in sorted(walk.of_itself.items()):
        beginning, ending = seq == 0 and log.log > 1, seq == last and not log.is_newest
        if kind == _SEALED and not (beginning or ending):
            yield seq, "the log was sealed here, and goes on"
        told = said.get(seq, b"")
        if kind == _ROTATED and opening.rotation(told) is None and not opening.of_encryption_key(told):
            yield seq, "the key was rotated here, and the note of both keys does not hold"
    if walk.first == 0 and log.log > 1 and walk.of_itself.get(0) != _SEALED:
        yield 0, "the log does not say which log it goes on from"
    if log.ended and log.ended.cause is Cause.PERIOD and walk.of_itself.get(last) != _SEALED and walk.first <= last:
        yield last, "the log ends here, and was not sealed"


def _judge_beginning(before: Walk | None, walk: Walk, plain: bytes) -> None:
    """Hold what a log says of the one before it against that one: its name, its size, its root."""
    ended = opening.ended(plain)
    if ended is None or opening.payload(plain).get("log") != walk.log.origin:
        walk.name(0, "ledger_log", "its first entry does not say how the log before it ended")
        return
    if before is None:
        return  # it lies before what is verified this time
    if not before.whole:
        return  # what its root would have been, nobody knows
    if (ended.origin, ended.size, ended.root) != (before.log.origin, before.log.size, before.root):
        entries = counted(ended.size, "entry", "entries")
        why = f"it goes on from {ended.origin} with {entries}, and that is not what stands there"
        walk.name(0, "ledger_log", why)
    sealed = ended.cause is Cause.PERIOD and before.of_itself.get(before.log.size - 1) == _SEALED
    if sealed and before.anchored != before.log.size and not before.diverged:
        before.name(before.log.size, "ledger_checkpoint", "the log was sealed, and no checkpoint covers all of it")
