"""The decision log: a chunk's decisions as one compressed columnar record, whose Merkle root goes into the ledger."""

import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
import pyarrow as pa
import sqlalchemy as sa
from numpy.typing import NDArray

from consent.base.database import table_of
from consent.base.canonical import b64u
from consent.base.clock import rfc3339
from consent.base.errors import DecisionUnknown
from consent.base.store import Work
from consent.gate import Permits
from consent.ledger import log, merkle
from consent.ledger.entry import Kind
from consent.register import publishing
from consent.register.desk import Desk
from personalise.steps.personalise.policy import Policy
from personalise.tables import DecisionChunkRow

SALT_BYTES: Final = 32
_ABOUT: Final = b"byleave"
_COMPRESSED: Final = pa.ipc.IpcWriteOptions(compression="zstd")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A chunk's decisions, read back: the columns that `decide` gave, with each customer's mask, and what it is about."""

    id: str
    run: str
    campaign: str
    at: datetime
    position: int
    root: bytes
    log: int
    seq: int
    table: pa.Table
    about: Mapping[str, Any]


def write(
    desk: Desk, work: Work, decided: pa.Table, policy: Policy, permitted: Permits,
    *, chunk_id: str, run: str, number: int, salt: bytes,
) -> bytes:  # fmt: skip
    """Store a chunk's decisions and commit their root to the ledger, in the caller's transaction; return the root.

    Args:
        desk: keys and catalogues.
        work: the transaction that also reserves the contacts.
        decided: what `decide` returned.
        policy: what decided.
        permitted: what the customers permitted, and at which ledger position.
        chunk_id: its id; decision i of it is `<chunk_id>.<i>`.
        run: the run's id, or "" for a decision asked for live.
        number: the chunk's number in its run.
        salt: 32 random bytes, from which each decision's own salt is made.
    """
    about = {
        "campaign": policy.campaign.key, "version": policy.version, "policy": policy.digest.hex(),
        "catalogue": policy.catalogue.version, "purpose": policy.campaign.purpose,
        "candidates": [one.key for one in policy.candidates], "contacts": [one.contact for one in policy.candidates],
        "categories": list(policy.categories), "rules": list(policy.rules), "salt": salt.hex(),
        "scorer": "response" if policy.model else "rule",
    }  # fmt: skip
    table = decided.append_column("mask", pa.array(permitted.masks, type=pa.binary()))
    table = table.replace_schema_metadata({_ABOUT: json.dumps(about).encode()})
    root = root_of(table, salt)
    payload = {
        "at": rfc3339(permitted.at), "campaign": policy.campaign.key, "chunk": chunk_id, "count": decided.num_rows,
        "policy": b64u(policy.digest), "position": permitted.position, "root": b64u(root), "run": run,
    }  # fmt: skip
    log_number = log.head(work).log
    entry = publishing.note(desk, work, Kind.DECISIONS_COMMITTED, payload, at=permitted.at)
    row = {
        "id": chunk_id, "run": run, "chunk": number, "campaign": policy.campaign.key, "at": permitted.at,
        "first": permitted.customers[0], "last": permitted.customers[-1], "customers": decided.num_rows,
        "position": permitted.position, "root": root, "log": log_number, "seq": entry.seq, "columns": _packed(table),
    }  # fmt: skip
    work.connection.execute(sa.insert(DecisionChunkRow).values(**row))
    return root


def root_of(table: pa.Table, salt: bytes) -> bytes:
    """Return the Merkle root over a chunk's decisions, each leaf salted by its own HMAC of the chunk's salt."""
    rows = _rows(table)
    keyed = (hmac.digest(salt, number.to_bytes(8), "sha256")[:16] for number in range(len(rows)))
    return merkle.root([merkle.leaf_hash(own + row) for own, row in zip(keyed, rows, strict=True)])


def _rows(table: pa.Table) -> list[bytes]:
    """Return each decision's bytes: its customer and mask with their lengths, then its numbers, little-endian."""
    numbers = [name for name in table.column_names if name not in ("customer", "mask")]
    fixed = np.concatenate([_bytes(table[name], table.num_rows) for name in numbers], axis=1)
    width = fixed.shape[1]
    flat = fixed.tobytes()
    named = zip(table["customer"].to_pylist(), table["mask"].to_pylist(), strict=True)
    return [
        len(customer).to_bytes(2)
        + customer.encode()
        + len(mask).to_bytes(2)
        + mask
        + flat[spot * width : (spot + 1) * width]
        for spot, (customer, mask) in enumerate(named)
    ]


def _bytes(column: pa.ChunkedArray, rows: int) -> NDArray[np.uint8]:
    array = column.to_numpy()
    plain = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    return plain.view(np.uint8).reshape(rows, -1)


def _packed(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=_COMPRESSED) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def _chunk(row: Any) -> Chunk:  # noqa: ANN401 -- a row of decision_chunk
    table = pa.ipc.open_stream(bytes(row.columns)).read_all()
    return Chunk(
        id=row.id, run=row.run, campaign=row.campaign, at=row.at, position=row.position, root=bytes(row.root),
        log=row.log, seq=row.seq, table=table, about=json.loads(table.schema.metadata[_ABOUT]),
    )  # fmt: skip


def read(work: Work, chunk_id: str) -> Chunk:
    """Return a chunk's decisions.

    Raises:
        DecisionUnknown: there is no such chunk.
    """
    query = sa.select(table_of(DecisionChunkRow)).where(DecisionChunkRow.id == chunk_id)
    row = work.connection.execute(query).first()
    if row is None:
        raise DecisionUnknown
    return _chunk(row)


def chunk_ids(work: Work, run: str | None = None) -> list[str]:
    """Return the ids of all chunks, or of one run's, in the order of the ledger."""
    query = sa.select(DecisionChunkRow.id).order_by(DecisionChunkRow.log, DecisionChunkRow.seq)
    if run is not None:
        query = query.where(DecisionChunkRow.run == run)
    return [row[0] for row in work.connection.execute(query)]
