"""The way from entries to signed checkpoints, for a pack: one checkpoint a log, a path an entry, the log's growth.

Read from what is stored, and handed on as it stands: whether it holds is for the verifier in the pack to say.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import sqlalchemy as sa

from consent.base.canonical import b64, encode
from consent.base.errors import EntryUnknown
from consent.base.store import Work
from consent.ledger import log, merkle, note, opening
from consent.ledger.nodes import nodes_at
from consent.register import proving
from consent.register.desk import Desk
from consent.tables import LedgerCheckpointRow, LedgerEntryRow, LedgerOpeningRow

MOST_EARLIER: Final = 100
"""Earlier checkpoints of a log that go into a pack."""

_CHUNK: Final = 500
_signed: Final = LedgerCheckpointRow
_entry: Final = LedgerEntryRow


class Place(NamedTuple):
    """An entry: the number of its log, and its sequence number there."""

    log: int
    seq: int


class Signed(NamedTuple):
    """A checkpoint of a log."""

    log: int
    origin: str
    size: int
    note: str

    @property
    def name(self) -> str:
        """What it is called in a pack."""
        return f"checkpoints/{self.log}-{self.size}.txt"


def newest(work: Work, number: int) -> Signed:
    """Return the largest checkpoint of a log.

    Raises:
        EntryUnknown: it has none.
    """
    largest = log.size_of(work, number)
    query = sa.select(_signed.size, _signed.note).where(_signed.log == number, _signed.size.between(1, largest))
    row = work.connection.execute(query.order_by(_signed.size.desc()).limit(1)).first()
    if row is None:
        msg = f"no checkpoint of log {number} is signed yet"
        raise EntryUnknown(msg)
    return Signed(number, log.origin_of(work, number), row.size, row.note)


def bodies(work: Work, number: int, seqs: Sequence[int]) -> list[bytes]:
    """Return the exact bytes of entries, in the order asked.

    Raises:
        EntryUnknown: one of them is not there.
    """
    found: dict[int, bytes] = {}
    for first in range(0, len(seqs), _CHUNK):
        chosen = _entry.seq.in_(seqs[first : first + _CHUNK])
        query = sa.select(_entry.seq, _entry.body).where(_entry.log == number, chosen)
        found |= {row.seq: bytes(row.body) for row in work.connection.execute(query)}
    missing = [seq for seq in seqs if seq not in found]
    if missing:
        msg = f"log {number} has no entry {missing[0]}"
        raise EntryUnknown(msg)
    return [found[seq] for seq in seqs]


def paths(work: Work, under: Signed, seqs: Sequence[int]) -> Iterator[list[bytes]]:
    """Yield the inclusion path of each entry, many of them with one query.

    Raises:
        EntryUnknown: the checkpoint does not cover an entry.
        LedgerBroken: a node of the tree is missing.
    """
    for first in range(0, len(seqs), _CHUNK):
        chunk = seqs[first : first + _CHUNK]
        wanted = {position for seq in chunk for position in merkle.inclusion_nodes(seq, under.size)}
        nodes = nodes_at(work, under.log, sorted(wanted))
        yield from (merkle.inclusion_proof(seq, under.size, nodes=nodes) for seq in chunk)


def earlier(work: Work, under: Signed, seqs: Sequence[int]) -> list[Signed]:
    """Return the first checkpoint over each entry, a hundred of them at most, evenly chosen."""
    query = sa.select(_signed.size).where(_signed.log == under.log, _signed.size.between(1, under.size - 1))
    sizes = list(work.connection.execute(query.order_by(_signed.size)).scalars())
    covering = sorted({sizes[spot] for seq in seqs if (spot := bisect_right(sizes, seq)) < len(sizes)})
    step = max(1, -(-len(covering) // MOST_EARLIER))
    chosen = sorted({*covering[::step], *covering[-1:]})
    found = sa.select(_signed.size, _signed.note).where(_signed.log == under.log, _signed.size.in_(chosen))
    rows = work.connection.execute(found.order_by(_signed.size))
    return [Signed(under.log, under.origin, row.size, row.note) for row in rows]


def growth(work: Work, under: Signed, before: Sequence[Signed]) -> Iterator[bytes]:
    """Yield a line for each earlier checkpoint: the proof that the log grew out of it."""
    for each in before:
        wanted = merkle.consistency_nodes(each.size, under.size)
        nodes = nodes_at(work, under.log, wanted)
        path = merkle.consistency_proof(each.size, under.size, nodes=nodes)
        told = {
            "checkpoint": each.name, "log": under.log, "new": under.size, "old": each.size,
            "path": [b64(step) for step in path],
        }  # fmt: skip
        yield encode(told) + b"\n"


def keys(desk: Desk, work: Work, origins: Sequence[str]) -> tuple[bytes, bytes]:
    """Return the verifier keys of logs as lines, and the notes by which keys handed over to others as JSON lines."""
    rows = work.connection.execute(
        sa.select(LedgerOpeningRow.log, LedgerOpeningRow.plain).order_by(LedgerOpeningRow.log, LedgerOpeningRow.seq)
    )
    told = [(row.log, bytes(row.plain), opening.rotation(bytes(row.plain))) for row in rows]
    rotations = [(number, plain, each) for number, plain, each in told if each is not None]
    known = {proving.in_force(desk, work, origins[-1]).verifier.public_key}
    known |= {key for _, _, each in rotations for key in (each.old, each.new)}
    vkeys = [note.vkey(origin, key) for origin in origins for key in sorted(known)]
    handed = [encode({"log": number, "note": str(opening.payload(plain)["note"])}) for number, plain, _ in rotations]
    return "".join(f"{line}\n" for line in vkeys).encode(), b"".join(line + b"\n" for line in handed)
