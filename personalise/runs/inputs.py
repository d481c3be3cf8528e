"""What decisions were made from: the columns that `decide` took, kept for a while, sealed customer by customer.

A row is canonical JSON: its values in the order of the columns, nothing else. A decision's replay hash is a keyed
BLAKE2b over the policy's digest, the instant, the columns' names and types, and the row; its key is derived from the
customer's data key. So nobody can find out by trying what an erased customer's row was.
"""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from consent import gate
from consent.base.clock import to_ms
from consent.base.database import Hot, table_of
from consent.base.errors import LedgerBroken
from consent.base.ids import CustomerId
from consent.base.store import Work
from consent.gate import Permits
from consent.register.desk import Desk
from personalise.steps.personalise.policy import Policy
from personalise.tables import DecisionInputRow

_input: Final = table_of(DecisionInputRow)
_INSERT: Final = Hot(sa.insert(_input), "chunk", "at", "rows", "dropped_at")
_SIZE_BYTES: Final = 4
_AT_ONCE: Final = 200
_LEAST: Final = timedelta(days=1)
"""No setting has inputs kept for less."""

_TYPES: Final = {
    str(kind): kind
    for kind in (pa.bool_(), pa.int64(), pa.uint8(), pa.float64(), pa.string(), pa.timestamp("ms", tz="UTC"))
}

Shape = list[list[str]]
"""The name and type of each column, in order."""


class Kept(NamedTuple):
    """What is kept of a chunk's inputs: the columns' shape, and a sealed row a customer; neither once let go of."""

    shape: Shape
    rows: list[bytes]
    dropped: bool


def keep(
    desk: Desk, work: Work, permitted: Permits, columns: pa.Table, policy: Policy, *, chunk_id: str, at: datetime
) -> list[bytes]:
    """Seal and store what a chunk is decided from; return the replay hash of each decision.

    Args:
        desk: keys.
        work: the transaction that also logs the decisions.
        permitted: whose rows these are, in their order; they are kept from when that was judged.
        columns: what `decide` took.
        policy: what decides.
        chunk_id: the chunk's id.
        at: the instant that is decided at.
    """
    shape, rows = written(columns)
    sealed = gate.keep_rows(desk, work, permitted, rows, place=chunk_id, head=head(policy.digest, at, shape))
    parts = [orjson.dumps(shape), *sealed.rows]
    packed = b"".join([len(part).to_bytes(_SIZE_BYTES) + part for part in parts])
    work.run(_INSERT, chunk_id, to_ms(permitted.at), packed, None)
    return sealed.marks


def head(policy: bytes, at: datetime, shape: Shape) -> bytes:
    """Return the hash of what the rows of a chunk have in common: policy, instant (ms), the columns' shape."""
    return hashlib.sha256(policy + to_ms(at).to_bytes(8, signed=True) + orjson.dumps(shape)).digest()


def find(work: Work, chunk_id: str) -> Kept | None:
    """Return what is kept of a chunk's inputs; None where nothing ever was.

    Raises:
        LedgerBroken: the record is damaged.
    """
    row = work.connection.execute(sa.select(_input).where(_input.c.chunk == chunk_id)).first()
    if row is None:
        return None
    if row.dropped_at is not None or row.rows is None:
        return Kept([], [], dropped=row.dropped_at is not None)
    try:
        shape, *rows = _parts(bytes(row.rows))
        return Kept(_shape(shape), rows, dropped=False)
    except (ValueError, TypeError, KeyError) as damaged:
        msg = f"what chunk {chunk_id} was decided from can't be read"
        raise LedgerBroken(msg) from damaged


def kept_from(work: Work, chunks: Sequence[str]) -> dict[str, datetime]:
    """Return from when the inputs of some chunks were kept: when it was judged what their customers permit."""
    query = sa.select(_input.c.chunk, _input.c.at).where(_input.c.chunk.in_(chunks))
    return {row.chunk: row.at for row in work.connection.execute(query)}


def let_go(work: Work, *, before: datetime, at: datetime) -> int:
    """Let go of inputs that were kept from before a time, some at a time; return of how many chunks."""
    due = sa.select(_input.c.chunk).where(_input.c.dropped_at.is_(None), _input.c.at < before)
    chunks = list(work.connection.execute(due.order_by(_input.c.at).limit(_AT_ONCE)).scalars())
    if chunks:
        gone = sa.update(_input).where(_input.c.chunk.in_(chunks)).values(rows=None, dropped_at=at)
        work.connection.execute(gone)
    return len(chunks)


def dropped_early(work: Work, *, at: datetime) -> Iterator[tuple[str, str]]:
    """Walk the chunks whose inputs can't have been let go of as their rows say: (chunk, why).

    They are kept for a day at the least, whatever the settings say, and the oldest go first.
    """
    kept_from = sa.select(sa.func.min(_input.c.at)).where(_input.c.dropped_at.is_(None)).scalar_subquery()
    query = sa.select(_input.c.chunk, _input.c.at, _input.c.dropped_at, (_input.c.at > kept_from).label("newer"))
    for row in work.connection.execute(query.where(_input.c.dropped_at.is_not(None)).order_by(_input.c.chunk)):
        if row.dropped_at - row.at < _LEAST:
            yield row.chunk, f"what they were made from was let go of {row.dropped_at - row.at} after it was kept"
        elif row.dropped_at > at:
            yield row.chunk, f"what they were made from is said to be let go of in the future, at {row.dropped_at}"
        elif row.newer:
            yield row.chunk, "what they were made from was let go of, and what older ones were made from was not"


# ---------------------------------------------------------------------------------------------------------------- rows


def written(columns: pa.Table) -> tuple[Shape, list[bytes]]:
    """Return the columns' shape and each customer's row as canonical JSON; the customer himself is not in it.

    >>> written(pa.table({"customer": ["cus_1"], "visits": [3], "spend": pa.array([None], pa.float64())}))
    ([['visits', 'int64'], ['spend', 'double']], [b'[3,null]'])
    """
    names = [name for name in columns.column_names if name != "customer"]
    shape = [[name, str(columns.schema.field(name).type)] for name in names]
    return shape, list(map(orjson.dumps, zip(*(_values(columns[name]) for name in names), strict=True)))


def read(customers: Sequence[CustomerId], shape: Shape, rows: Sequence[bytes]) -> pa.Table:
    """Return customers' rows as the columns that they were written from.

    >>> read(["cus_1"], [["visits", "int64"]], [b"[3]"]).to_pylist()
    [{'customer': 'cus_1', 'visits': 3}]
    """
    values = list(zip(*map(orjson.loads, rows), strict=True)) if rows else [()] * len(shape)
    columns = {"customer": pa.array(customers, type=pa.string())}
    for (name, kind), column in zip(shape, values, strict=True):
        columns[name] = _column(column, _TYPES[kind])
    return pa.table(columns)


def _values(column: pa.ChunkedArray) -> list[Any]:
    """Return a column's values, None for null: by way of NumPy, in a fraction of what `to_pylist` takes."""
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.int64())
    if pa.types.is_string(column.type) or not column.null_count:
        found: list[Any] = column.to_numpy().tolist()
        return found
    filled = False if pa.types.is_boolean(column.type) else 0
    found = pc.fill_null(column, filled).to_numpy().tolist()
    for spot in np.flatnonzero(pc.is_null(column).to_numpy()).tolist():
        found[spot] = None
    return found


def _column(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_timestamp(kind):
        return pa.array(values, type=pa.int64()).cast(kind)
    return pa.array(values, type=kind)


def _parts(packed: bytes) -> list[bytes]:
    parts, spot = [], 0
    while spot < len(packed):
        begin = spot + _SIZE_BYTES
        spot = begin + int.from_bytes(packed[begin - _SIZE_BYTES : begin])
        parts.append(packed[begin:spot])
    if spot != len(packed):
        msg = "the last part is cut short"
        raise ValueError(msg)
    return parts


def _shape(text: bytes) -> Shape:
    shape: Shape = orjson.loads(text)
    if not all(kind in _TYPES and isinstance(name, str) for name, kind in shape):
        msg = "a column of no type that is kept"
        raise ValueError(msg)
    return shape
