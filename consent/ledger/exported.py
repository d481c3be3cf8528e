"""Verify exported logs from their directory alone: no database, no keyring, nothing but the files and a verifier key.

The same as for the stored log is held against each other: the bytes of entries against their form, their leaves against
the tiles, the tiles of every level against the tree, the tree against the signed checkpoint. What entries about the log
itself say is held against their commitments, and logs that lie side by side against what they say of each other.

Source:
    c2sp.org/tlog-tiles; RFC 9162 section 2.1.1.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from consent.base import canonical
from consent.base.counting import counted
from consent.base.errors import Invalid, LedgerBroken
from consent.ledger import checkpoint, entry, merkle, note, opening, period, tiles
from consent.ledger.checkpoint import Checkpoint
from consent.ledger.export import CHECKPOINT, OPENINGS
from consent.ledger.leaves import Edge, Entries, Form, judged
from consent.ledger.merkle import Frontier
from consent.ledger.note import NoteRefused
from consent.ledger.opening import Cause, Ended
from consent.ledger.period import Period
from consent.ledger.tiles import ENTRIES, HEIGHT, WIDTH, Tile, TileRefused
from consent.ledger.trust import Trust, trusted
from consent.ledger.verify import Verified, VerifiedLog
from consent.ledger.walk import MOST_NAMED, Bad

_STEP: Final = 1 << 13
"""Entries judged at a time: 32 bundles."""


@dataclass(slots=True)
class _Log:
    """A log in its directory, on its way through verification."""

    folder: Path
    name: str
    note: str
    state: Checkpoint
    openings: Mapping[int, bytes]
    bad: list[Bad] = field(default_factory=list)
    checked: int = 0
    root: bytes = merkle.EMPTY_ROOT
    frontier: Frontier = field(default_factory=Frontier)
    eighth: list[bytes] = field(default_factory=list)
    """The nodes of level 8: what tiles of level 1 hold."""
    unread: set[int] = field(default_factory=set)
    """Entries that can't be judged, for a tile that was named is missing or holds too little."""

    def wrong(self, seq: int, where: str, why: str) -> None:
        if len(self.bad) < MOST_NAMED:
            self.bad.append(Bad(seq, self.name + where, why))


def verify_exported(folder: Path, *, vkey: str) -> Verified:
    """Verify the log in a directory, and those before it that lie in directories below.

    Args:
        folder: as `byleave ledger export` wrote it.
        vkey: the verifier key of any of its logs, from somewhere else than the directory.

    Raises:
        LedgerBroken: there is no checkpoint that can be read: nothing can be said of the directory.
        Invalid: the key is another ledger's.
    """
    anchor = note.verifier_of(vkey)
    logs = [*_older(folder), _log(folder, "")]
    if anchor.name not in {each.state.origin for each in logs}:
        raise Invalid(f"the verifier key is that of {anchor.name}, and this is {logs[-1].state.origin}")
    rotations = (
        (number, opening.rotation(plain)) for number, log in enumerate(logs, 1) for plain in log.openings.values()
    )
    trust = trusted([anchor.public_key], [(number, each) for number, each in rotations if each])
    edge = Edge()
    for number, log in enumerate(logs, 1):
        _judge_signature(log, trust, number)
        edge = _walk(log, edge)
        _judge_openings(log)
    for before, log in pairwise(logs):
        _judge_beginning(before, log)
    return _verified(logs)


def _older(folder: Path) -> list[_Log]:
    """Return the logs that lie in directories below, the oldest first: each says from which it goes on."""
    found = [
        _log(each.parent, f"{each.parent.name}/") for each in folder.glob(f"*/{CHECKPOINT}") if each.parent.is_dir()
    ]
    return sorted(found, key=lambda log: period.read(log.state.origin) or (log.state.origin, Period(0, 0)))


def _log(folder: Path, name: str) -> _Log:
    try:
        signed = (folder / CHECKPOINT).read_text("utf-8")
        return _Log(folder, name, signed, checkpoint.parse(note.split(signed)[0]), _openings(folder))
    except (OSError, UnicodeDecodeError, NoteRefused) as refused:
        msg = f"there is no checkpoint in {folder} that can be read"
        raise LedgerBroken(msg) from refused


def _openings(folder: Path) -> dict[int, bytes]:
    """Return what stands in clear beside the log; what isn't of the form says nothing."""
    try:
        told: Any = canonical.parse((folder / OPENINGS).read_bytes())
        return {each["seq"]: canonical.b64u_bytes(each["salt"]) + each["payload"].encode() for each in told["openings"]}
    except FileNotFoundError:
        return {}
    except (canonical.NotCanonical, KeyError, TypeError, AttributeError):
        return {-1: b""}  # which no entry commits to


def _judge_signature(log: _Log, trust: Trust, number: int) -> None:
    try:
        checkpoint.open_checkpoint(log.note, *trust.verifiers(log.state.origin, number, log.state.size))
    except NoteRefused as refused:
        log.wrong(log.state.size, CHECKPOINT, f"the checkpoint does not hold: {refused.detail}")


def _walk(log: _Log, edge: Edge) -> Edge:
    """Judge the entries and the tiles of a log; return time and catalogue version at its end."""
    form = Form(log.state.origin)
    for first in range(0, log.state.size, _STEP):
        last = min(first + _STEP, log.state.size)
        entries = _read(log, first, last)
        if first == 0 and not edge.at:
            edge = _first_edge(entries)
        leaves = judged(entries, first=first, last=last, form=form, edge=edge)
        edge = leaves.edge
        log.checked += len(entries.seqs)
        for seq, why in leaves.wrong.items():
            if seq in log.unread:
                continue
            start = seq // WIDTH * WIDTH
            log.wrong(seq, Tile(ENTRIES, seq // WIDTH, min(WIDTH, log.state.size - start)).path, why)
        log.frontier, nodes = merkle.append_all(log.frontier, leaves.hashes)
        log.eighth += [node for level, _, node in nodes if level == HEIGHT]
    log.root = merkle.root_of(log.frontier)
    _judge_upper(log)
    if log.root != log.state.root and not log.bad:
        log.wrong(log.state.size, CHECKPOINT, "the entries have another root than the checkpoint")
    return edge


def _first_edge(entries: Entries) -> Edge:
    """Begin with the catalogue version of the first entry, where the log before isn't there."""
    read = entry.read(entries.bodies[0]) if entries.bodies else None
    if read is None:
        return Edge()
    return Edge(version=read.catalogue_version - (read.kind is entry.Kind.CATALOGUE_PUBLISHED))


def _read(log: _Log, first: int, last: int) -> Entries:
    """Return the entries `[first, last)` out of their bundles, and their leaves out of the tiles of level 0."""
    seqs, bodies, leaves = [], [], []
    for start in range(first, last, WIDTH):
        width = min(WIDTH, last - start)
        there = _bundle(log, Tile(ENTRIES, start // WIDTH, width))
        hashes = _hashes(log, Tile(0, start // WIDTH, width))
        log.unread.update(range(start + min(len(there), len(hashes)), start + width))
        for spot in range(min(width, len(there))):
            seqs.append(start + spot)
            bodies.append(there[spot])
            leaves.append(hashes[spot] if spot < len(hashes) else b"")
    return Entries(seqs, bodies, leaves)


def _bundle(log: _Log, tile: Tile) -> list[bytes]:
    content = _content(log, tile)
    try:
        found = tiles.unbundled(content)
    except TileRefused as refused:
        log.wrong(tile.first, tile.path, refused.detail)
        return []
    if content and len(found) != tile.width:
        log.wrong(
            tile.first, tile.path, f"it has {counted(len(found), 'entry', 'entries')}, and should have {tile.width}"
        )
    return found


def _hashes(log: _Log, tile: Tile) -> list[bytes]:
    content = _content(log, tile)
    if content and len(content) != tile.width * merkle.HASH_BYTES:
        log.wrong(tile.first, tile.path, f"it has {len(content)} bytes, and should have {tile.width} hashes")
        return []
    return tiles.hashes_of(content) if content else []


def _content(log: _Log, tile: Tile) -> bytes:
    """Return the bytes of a tile, nothing where it is missing; a wider one serves for a partial one."""
    for width in (tile.width, WIDTH, *range(tile.width + 1, WIDTH)):
        try:
            content = (log.folder / Tile(tile.level, tile.number, width).path).read_bytes()
        except OSError:
            continue
        return content if width == tile.width else _narrowed(content, tile)
    log.wrong(tile.first << HEIGHT * max(tile.level, 0), tile.path, "it is missing")
    return b""


def _narrowed(content: bytes, tile: Tile) -> bytes:
    if tile.level == ENTRIES:
        return tiles.bundled(tiles.unbundled(content)[: tile.width])
    return content[: tile.width * merkle.HASH_BYTES]


def _judge_upper(log: _Log) -> None:
    """Hold the tiles above level 0 against the tree; what lies over a wrong entry is not named again."""
    row, level = log.eighth, 1
    wrong = [bad.seq for bad in log.bad]
    while row:
        for number in range(-(-len(row) // WIDTH)):
            part = row[number * WIDTH : (number + 1) * WIDTH]
            tile = Tile(level, number, len(part))
            found = _hashes(log, tile)
            start, end = tile.first << HEIGHT * level, tile.first + tile.width << HEIGHT * level
            if found and found != part and not any(start <= seq < end for seq in wrong):
                log.wrong(tile.first << HEIGHT * level, tile.path, "it holds other hashes than the tree")
        row = [merkle.root(row[spot : spot + WIDTH]) for spot in range(0, len(row) // WIDTH * WIDTH, WIDTH)]
        level += 1


def _judge_openings(log: _Log) -> None:
    for seq, plain in sorted(log.openings.items()):
        if seq in log.unread:
            continue
        body = _entry(log, seq) if 0 <= seq < log.state.size else b""
        read = entry.read(body)
        if read is None or not entry.opens(plain, read.commitment):
            log.wrong(max(seq, 0), OPENINGS, "it is not what its entry commits to")


def _entry(log: _Log, seq: int) -> bytes:
    first = seq // WIDTH * WIDTH
    found = _read(log, first, min(first + WIDTH, log.state.size)).bodies
    return found[seq - first] if seq - first < len(found) else b""


def _judge_beginning(before: _Log, log: _Log) -> None:
    """Hold what a log says of the one before it against that one, as it lies there."""
    ended: Ended | None = opening.ended(log.openings.get(0, b""))
    if ended is None:
        log.wrong(0, OPENINGS, "its first entry does not say how the log before it ended")
    elif ended.cause is not Cause.PERIOD and (ended.origin, before.state.size < ended.size) == (
        before.state.origin,
        True,
    ):
        return  # what it had beyond its last checkpoint was never signed in its name, and isn't exported
    elif (ended.origin, ended.size, ended.root) != (before.state.origin, before.state.size, before.root):
        log.wrong(
            0,
            OPENINGS,
            f"it goes on from {ended.origin} with {counted(ended.size, 'entry', 'entries')}, "
            "and not from what lies there",
        )


def _verified(logs: Sequence[_Log]) -> Verified:
    newest = logs[-1]
    bad = tuple(each for log in logs for each in sorted(log.bad))
    return Verified(
        ok=not bad,
        size=newest.state.size,
        root=newest.root,
        checked=sum(log.checked for log in logs),
        checkpoints=len(logs),
        anchored=newest.state.size if not newest.bad else 0,
        erased=0,
        bad=bad,
        logs=tuple(
            VerifiedLog(number, each.state.origin, each.state.size, each.root, 0, each.state.size)
            for number, each in enumerate(logs, 1)
        ),
    )
