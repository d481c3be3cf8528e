"""The decision log: a chunk's decisions as one compressed columnar record, whose Merkle root goes into the ledger.

A decision's leaf is its own salt, the hash of what all of its chunk is about (policy, candidates, rules, catalogue, the
names and types of the columns), and its numbers: without the names its numbers say nothing.
"""

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import sqlalchemy as sa
from numpy.typing import NDArray

from consent.base.canonical import b64u
from consent.base.clock import rfc3339, to_ms
from consent.base.database import Hot, among, table_of
from consent.base.errors import DecisionUnknown, LedgerBroken
from consent.base.ids import CustomerId
from consent.base.store import Work
from consent.gate import Permits
from consent.ledger import merkle
from consent.ledger.entry import Kind
from consent.ledger.position import position
from consent.register import publishing
from consent.register.desk import Desk
from personalise.steps.personalise.policy import Policy
from personalise.tables import DecisionChunkRow, DecisionKeyRow

SALT_BYTES: Final = 32
_OWN_SALT_BYTES: Final = 16
_SALTS: Final = "salts"
REPLAY: Final = "replay"
"""The column of each decision's hash over policy, instant and what it was made from; empty where nothing was kept."""

GHOSTS: Final = "ghosts"
BESIDE: Final = "beside_contacts"
"""What counts for a control: his ghosts beside what really reached him. Before this was told, his ghosts alone did."""

COUNTED_FROM: Final = "counted_from"
HANDED_OUT: Final = "handed_out"
"""Since when a contact counts: since it was handed out. Before this was told, since it was reserved."""

_ABOUT: Final = b"byleave"
_SIZED: Final = ("mask", REPLAY)
_COMPRESSED: Final = pa.ipc.IpcWriteOptions(compression="zstd")
_PLAIN: Final = pa.ipc.IpcWriteOptions()
_FEW: Final = 16
"""Rows up to which a record is shorter, and much quicker written and read, as it is."""

_COLUMNS: Final = (
    "id", "run", "chunk", "campaign", "at", "first", "last", "customers", "position", "root", "log", "seq", "columns",
)  # fmt: skip
_INSERT: Final = Hot(sa.insert(table_of(DecisionChunkRow)), *_COLUMNS)
_key: Final = table_of(DecisionKeyRow)
_KEY: Final = Hot(sa.insert(_key), "key", "decision")
_KEYED: Final = Hot(
    lambda dialect: sa.select(_key.c.key, _key.c.decision).where(among(_key.c.key, "keys")(dialect)), "keys"
)


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """A chunk's decisions, read back: the columns that `decide` gave, each customer's mask, and what they are about."""

    id: str
    run: str
    number: int
    campaign: str
    at: datetime
    position: int
    root: bytes
    log: int
    seq: int
    table: pa.Table
    about: Mapping[str, Any]

    @cached_property
    def customers(self) -> list[CustomerId]:
        """Whose decisions these are, in order."""
        return [CustomerId(customer) for customer in self.table["customer"].to_pylist()]

    def row(self, spot: int, rules: Sequence[str]) -> dict[str, Any]:
        """Return one decision, with its rules in the numbers that they have in `rules`.

        The chunk's own numbers are those of the release that logged it; another one may know more rules, in between.

        Raises:
            LedgerBroken: it left by a rule that is not among them.
        """
        [row] = self.table.slice(spot, 1).to_pylist()
        logged: list[str] = self.about["rules"]
        if logged == list(rules):
            return dict(row)
        numbers = {name: number for number, name in enumerate(rules)}
        for key in self.about["candidates"]:
            name = logged[row[f"rule:{key}"]]
            if name not in numbers:
                msg = f"decision {spot} of chunk {self.id} was refused by {name}, which its policy does not know"
                raise LedgerBroken(msg)
            row[f"rule:{key}"] = numbers[name]
        return dict(row)


class Span(NamedTuple):
    """A chunk's id, and the first and last of its customers, as its row says."""

    first: str
    id: str
    last: str


class Unlogged(NamedTuple):
    """A chunk that the ledger doesn't know yet, and its columns as they are stored."""

    chunk: Chunk
    packed: bytes


def made(  # noqa: PLR0913 -- a decision is recorded with all that it follows from
    decided: pa.Table, policy: Policy, permitted: Permits,
    *, chunk_id: str, run: str, number: int, salt: bytes, at: datetime, marks: Sequence[bytes], carried: bool = False,
) -> Unlogged:  # fmt: skip
    """Return a chunk's decisions as they are to be logged.

    Args:
        decided: what `decide` returned.
        policy: what decided.
        permitted: what the customers permitted, and at which ledger position.
        chunk_id: its id; decision i of it is `<chunk_id>.<i>`.
        run: the run's id, or "" for a decision asked for live.
        number: the chunk's number in its run.
        salt: 32 random bytes, from which each decision's own salt is made.
        at: the instant that was decided at; permissions may have been judged later.
        marks: each decision's replay hash.
        carried: whether what was chosen is carried out by the product, later.
    """
    table = decided.append_column("mask", pa.array(permitted.masks, type=pa.binary()))
    table = table.append_column(REPLAY, pa.array(marks, type=pa.binary()))
    about = _about(policy, permitted, salt) | {"decided_at": to_ms(at)} | ({"carried": True} if carried else {})
    table = table.replace_schema_metadata({_ABOUT: json.dumps(about).encode()})
    chunk = Chunk(
        id=chunk_id, run=run, number=number, campaign=policy.campaign.key, at=permitted.at,
        position=permitted.position, root=root_of(table, salt), log=0, seq=-1, table=table, about=_read_about(table),
    )  # fmt: skip
    return Unlogged(chunk, _packed(table))


def write(desk: Desk, work: Work, unlogged: Unlogged, *, at: datetime) -> Chunk:
    """Commit a chunk's root to the ledger and store its decisions, in the caller's transaction; return the chunk.

    From here on nobody else can append before the transaction ends: it comes last.

    Args:
        desk: keys and catalogues.
        work: the transaction that also reserves the contacts.
        unlogged: what `made` returned.
        at: now.
    """
    chunk, table = unlogged.chunk, unlogged.chunk.table
    entry = publishing.note(desk, work, Kind.DECISIONS_COMMITTED, commitment(chunk, chunk.root), at=at)
    work.run(
        _INSERT, chunk.id, chunk.run, chunk.number, chunk.campaign, to_ms(chunk.at), table["customer"][0].as_py(),
        table["customer"][-1].as_py(), table.num_rows, chunk.position, chunk.root, entry.log, entry.seq,
        unlogged.packed,
    )  # fmt: skip
    return replace(chunk, log=entry.log, seq=entry.seq)


def _about(policy: Policy, permitted: Permits, salt: bytes) -> dict[str, Any]:
    """Return what the decisions of a chunk have in common.

    `catalogue` is the one that permissions were judged under, which need not be the one that the campaign was read
    under; `needs` are the scopes that choosing a candidate takes.
    """
    return {
        "campaign": policy.campaign.key,
        "candidates": [one.key for one in policy.candidates],
        "catalogue": permitted.catalogue.version,
        "categories": list(policy.categories),
        "contact_policy": policy.contact_policy.version,
        "model": policy.model_version,
        "model_digest": policy.model.digest.hex() if policy.model else "",
        "needs": [[one.contact, *one.uses] for one in policy.candidates],
        "policy": policy.digest.hex(),
        COUNTED_FROM: HANDED_OUT,
        GHOSTS: BESIDE,
        "purpose": policy.campaign.purpose,
        "read_under": policy.catalogue.version,
        "rules": list(policy.rules),
        "salt": salt.hex(),
        _SALTS: "shake256",
        "scorer": policy.campaign.scorer if policy.model else "rule",
        "version": policy.version,
    }


def pins(about: Mapping[str, Any]) -> dict[str, int]:
    """Return the versions that a chunk was decided by, as `load_policy` takes them."""
    return {
        "version": about["version"],
        "model": about["model"],
        "catalogue": about["read_under"],
        "contact_policy": about["contact_policy"],
    }


def commitment(chunk: Chunk, root: bytes) -> dict[str, Any]:
    """Return what the ledger says of a chunk whose decisions have this root."""
    return {
        "at": rfc3339(chunk.at),
        "campaign": chunk.campaign,
        "chunk": chunk.id,
        "count": chunk.table.num_rows,
        "number": chunk.number,
        "policy": b64u(bytes.fromhex(chunk.about["policy"])),
        "position": chunk.position,
        "root": b64u(root),
        "run": chunk.run,
    }


def root_of(table: pa.Table, salt: bytes) -> bytes:
    """Return the Merkle root over a chunk's decisions, each leaf salted by its own 16 bytes, drawn from the chunk's.

    They are drawn by SHAKE256, of all at once; in chunks from before that, each by an HMAC of its number.

    Args:
        table: the decisions, with what they are about in the schema's metadata.
        salt: the chunk's.
    """
    rows = table.num_rows
    own = _salts(salt, rows) if _SALTS in _read_about(table) else _older_salts(salt, rows)
    leaves = zip(own, [_head(table)] * rows, *_parts(table), strict=True)
    return merkle.root(merkle.leaf_hashes(map(b"".join, leaves)))


def _salts(salt: bytes, count: int) -> list[bytes]:
    drawn = hashlib.shake_256(salt).digest(count * _OWN_SALT_BYTES)
    return [drawn[spot : spot + _OWN_SALT_BYTES] for spot in range(0, len(drawn), _OWN_SALT_BYTES)]


def _older_salts(salt: bytes, count: int) -> list[bytes]:
    return [hmac.digest(salt, number.to_bytes(8), "sha256")[:_OWN_SALT_BYTES] for number in range(count)]


def _head(table: pa.Table) -> bytes:
    """Return the hash of what the chunk is about, and of its columns' names and types in their order."""
    columns = [[field.name, str(field.type)] for field in table.schema]
    return hashlib.sha256(table.schema.metadata[_ABOUT] + b"\x00" + json.dumps(columns).encode()).digest()


def _parts(table: pa.Table) -> list[list[bytes]]:
    """Return what each decision's bytes are joined of, in columns.

    Customer, mask and replay hash come each behind its length, then the numbers, little-endian. Decisions from before
    there were replays have no such hash.
    """
    sized = [name for name in _SIZED if name in table.column_names]
    numbers = [name for name in table.column_names if name not in ("customer", *sized)]
    fixed = np.concatenate([_bytes(table[name], table.num_rows) for name in numbers], axis=1)
    width = fixed.shape[1]
    flat = fixed.tobytes()
    texts = [table["customer"].cast(pa.binary()), *(table[name] for name in sized)]
    return [
        *(part for column in texts for part in _sized(column.to_numpy().tolist())),
        [flat[spot : spot + width] for spot in range(0, len(flat), width)],
    ]


def _sized(texts: list[bytes]) -> tuple[list[bytes], list[bytes]]:
    sizes = list(map(len, texts))
    prefixes = {size: size.to_bytes(2) for size in set(sizes)}
    return [prefixes[size] for size in sizes], texts


def _bytes(column: pa.ChunkedArray, rows: int) -> NDArray[np.uint8]:
    array = column.to_numpy()
    plain = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    return plain.view(np.uint8).reshape(rows, -1)


def _packed(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    options = _PLAIN if table.num_rows <= _FEW else _COMPRESSED
    with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def _read_about(table: pa.Table) -> dict[str, Any]:
    about: dict[str, Any] = json.loads(table.schema.metadata[_ABOUT])
    return about


def _chunk(row: Any) -> Chunk:  # noqa: ANN401 -- a row of decision_chunk
    try:
        table = pa.ipc.open_stream(bytes(row.columns)).read_all()
        table.validate(full=True)
        about = _read_about(table)
        if any(column.null_count for column in table.columns):
            raise ValueError  # noqa: TRY301 -- as damaged as bytes that are no table
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as damaged:
        msg = f"the decisions of chunk {row.id} can't be read"
        raise LedgerBroken(msg) from damaged
    return Chunk(
        id=row.id, run=row.run, number=row.chunk, campaign=row.campaign, at=row.at, position=row.position,
        root=bytes(row.root), log=row.log, seq=row.seq, table=table, about=about,
    )  # fmt: skip


def key(work: Work, answered: Mapping[str, str]) -> None:
    """Write down which decisions blinded idempotency keys were answered by, in the transaction that logs them."""
    work.run_many(_KEY, list(answered.items()))


def keyed(work: Work, keys: Sequence[str]) -> dict[str, str]:
    """Return which decisions blinded idempotency keys were answered by, of those that were."""
    return dict(work.run(_KEYED, work.listed(keys)).fetchall()) if keys else {}


def read(work: Work, chunk_id: str) -> Chunk:
    """Return a chunk's decisions.

    Raises:
        DecisionUnknown: there is no such chunk.
        LedgerBroken: its columns are damaged.
    """
    found = find(work, chunk_id)
    if found is None:
        raise DecisionUnknown
    return found


def place(work: Work, decision: str) -> tuple[Chunk, int]:
    """Return the chunk that a decision is in, and its place there.

    Raises:
        DecisionUnknown: there is no such decision.
        LedgerBroken: the chunk's columns are damaged.
    """
    chunk_id, _, number = decision.partition(".")
    found = find(work, chunk_id) if number.isascii() and number.isdecimal() else None
    if found is None or str(int(number)) != number or int(number) >= found.table.num_rows:
        msg = f"{decision[:80]!r}: its id, like dec_9f2c….0, stands in the answer that it was given out with"
        raise DecisionUnknown(msg)
    return found, int(number)


def find(work: Work, chunk_id: str) -> Chunk | None:
    """Return a chunk's decisions; None where there is no such chunk."""
    row = work.connection.execute(sa.select(table_of(DecisionChunkRow)).where(DecisionChunkRow.id == chunk_id)).first()
    return _chunk(row) if row else None


def places(work: Work, run: str | None = None) -> dict[str, tuple[int, int]]:
    """Return the ids of all chunks (or of one run's) in the ledger's order, with the log and entry of each."""
    row = DecisionChunkRow
    query = sa.select(row.id, row.log, row.seq).order_by(row.log, row.seq)
    if run is not None:
        query = query.where(row.run == run)
    return {identity: (number, seq) for identity, number, seq in work.connection.execute(query)}


def committed(work: Work, chunk_ids: Iterable[str]) -> dict[str, int]:
    """Return the positions at which the ledger commits to some chunks."""
    row = DecisionChunkRow
    query = sa.select(row.id, row.log, row.seq).where(row.id.in_(sorted(set(chunk_ids))))
    return {identity: position(number, seq) for identity, number, seq in work.connection.execute(query)}


def chunk_ids(work: Work, run: str | None = None) -> list[str]:
    """Return the ids of all chunks, or of one run's, in the order of the ledger."""
    query = sa.select(DecisionChunkRow.id).order_by(DecisionChunkRow.log, DecisionChunkRow.seq)
    if run is not None:
        query = query.where(DecisionChunkRow.run == run)
    return [row[0] for row in work.connection.execute(query)]


def spans(work: Work, beyond: str, after: Span | None, most: int) -> list[Span]:
    """Return chunks by their first customers, the last of them first: so that they can be taken off the end.

    Args:
        work: a transaction.
        beyond: only those with a customer whose id comes after this one; "" for all.
        after: the chunk behind which to go on; None to begin.
        most: how many.
    """
    row = DecisionChunkRow
    query = sa.select(row.first, row.id, row.last).where(row.last > beyond).order_by(row.first, row.id).limit(most)
    if after is not None:
        query = query.where(sa.tuple_(row.first, row.id) > sa.tuple_(after.first, after.id))
    return [Span(*each) for each in work.connection.execute(query)][::-1]
