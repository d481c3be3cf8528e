"""Standing rows: what stands, read and written as projections."""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from consent.base.database import Hot, among, table_of
from consent.base.ids import CustomerId
from consent.base.store import Work
from consent.permission.standing import EMPTY, ERASED, Standing, StoredStanding, from_stored, stored
from consent.tables import CustomerRow, DataKeyRow, StandingRow

_row = table_of(StandingRow)
_COLUMNS: Final = StoredStanding._fields
_SELECTED: Final = tuple(_row.c[name] for name in _COLUMNS)
NOBODY: Final = stored(EMPTY)
"""The row of somebody who isn't enrolled: nothing stands."""

CHUNK: Final = 2_000
"""Rows that are walked in one transaction."""

NO_LEAF: Final = b""
"""The previous leaf of a customer who has said nothing yet."""


class Asked(NamedTuple):
    """What of a standing row says whether something is permitted, as it is stored, in columns of customers."""

    mask: Sequence[bytes]
    scopes: Sequence[bytes]
    states: Sequence[int]
    paused_until: Sequence[int]
    born_by: Sequence[int]
    gpc: Sequence[int]


class Held(NamedTuple):
    """A customer as the register needs him: his wrapped data key, what stands, and his last leaf."""

    kek: int
    wrapped: bytes
    standing: Standing
    last_leaf: bytes


def _locked(where: Any) -> sa.Select[Any]:  # noqa: ANN401 -- a Core condition
    return (
        sa.select(CustomerRow.id, DataKeyRow.kek, DataKeyRow.wrapped, _row.c.last_leaf, *_SELECTED)
        .join(_row, _row.c.customer == CustomerRow.id)
        .outerjoin(DataKeyRow, DataKeyRow.owner == CustomerRow.id)  # who was erased has none
        .where(where)
        .order_by(CustomerRow.id)
        # Both rows: whoever waited for the customer would read the standing as it was when he began to wait.
        .with_for_update(of=[table_of(CustomerRow), _row])
    )


def _some(dialect: str) -> sa.ColumnElement[bool]:
    """Select customers of a list; PostgreSQL is told of both tables, or it may read all that stands for a few."""
    whose = among(CustomerRow.id, "customers")(dialect)
    return sa.and_(whose, among(_row.c.customer, "customers")(dialect)) if dialect == "postgresql" else whose


def _upsert(dialect: str) -> Any:  # noqa: ANN401 -- two dialects' inserts
    insert: Any = (postgresql if dialect == "postgresql" else sqlite).insert(_row)
    names = ("last_leaf", *_COLUMNS)
    return insert.on_conflict_do_update(
        index_elements=["customer"], set_={name: insert.excluded[name] for name in names}
    )


_ONE: Final = Hot(_locked(CustomerRow.id == sa.bindparam("customer")), "customer")
_MANY: Final = Hot(lambda dialect: _locked(_some(dialect)), "customers")
_SAVE: Final = Hot(_upsert, "customer", "last_leaf", *_COLUMNS, once=True)
_READ: Final = Hot(
    lambda dialect: sa.select(_row.c.customer, *_SELECTED).where(among(_row.c.customer, "customers")(dialect)),
    "customers",
)


_ASKED: Final = Hot(
    lambda dialect: sa.select(_row.c.customer, *(_row.c[name] for name in Asked._fields)).where(
        among(_row.c.customer, "customers")(dialect)
    ),
    "customers",
)


def _after(where: sa.ColumnElement[bool] | None) -> sa.Select[Any]:
    first = sa.select(_row.c.customer).where(_row.c.customer > sa.bindparam("after")).order_by(_row.c.customer)
    # The last id of the chunk, whoever of it is wanted: so that no query walks on for long to find somebody.
    chunk = first.limit(sa.literal_column(str(CHUNK))).subquery()
    last = sa.select(sa.func.max(chunk.c.customer)).scalar_subquery()
    found = sa.select(_row.c.customer, *_SELECTED).where(
        _row.c.customer > sa.bindparam("after"), _row.c.customer <= last
    )
    return (found if where is None else found.where(where)).order_by(_row.c.customer)


_ALL_AFTER: Final = Hot(_after(None), "after")
_ENDING_AFTER: Final = Hot(_after(_row.c.next_expiry <= sa.bindparam("until")), "after", "until")
_LAST: Final = Hot(
    sa.select(sa.func.max(sa.column("customer"))).select_from(
        sa.select(_row.c.customer)
        .where(_row.c.customer > sa.bindparam("after"))
        .order_by(_row.c.customer)
        .limit(sa.literal_column(str(CHUNK)))
        .subquery()
    ),
    "after",
)


def locked(work: Work, customers: Sequence[CustomerId]) -> dict[str, Held]:
    """Lock customers in the order of their ids (then nobody waits in a ring) and return what the register needs.

    Who isn't enrolled is left out; who was erased is held without a key.
    """
    # One has a statement of his own: it is planned once, where a list is planned anew each time.
    found = work.run(_ONE, *customers) if len(customers) == 1 else work.run(_MANY, work.listed(customers))
    held = ((row[0], row[1], row[2], row[3], from_stored(_stored(row[4:]))) for row in found.fetchall())
    return {
        customer: Held(kek or 0, bytes(wrapped or b""), standing, bytes(leaf))
        for customer, kek, wrapped, leaf, standing in held
        if wrapped is not None or standing.states & ERASED
    }


def _stored(values: Sequence[Any]) -> StoredStanding:
    mask, next_expiry, states, paused_until, last_said, counter, scopes, born_by, gpc = values
    return StoredStanding._make(  # half the time of a call by fields
        (bytes(mask), next_expiry, states, paused_until, last_said, counter, bytes(scopes), born_by, gpc)
    )


def saving(rows: Iterable[tuple[str, Standing, bytes]]) -> tuple[Hot, list[tuple[Any, ...]]]:
    """Return what writes (customer, standing, last leaf) rows over what was there: a statement, and its rows."""
    return _SAVE, [(customer, leaf, *stored(standing)) for customer, standing, leaf in rows]


def save(work: Work, rows: Iterable[tuple[str, Standing, bytes]]) -> None:
    """Write (customer, standing, last leaf) rows over what was there."""
    work.run_many(*saving(rows))


def save_empty(work: Work, customers: Iterable[str]) -> None:
    """Write the row of customers who have said nothing: then a check finds a row for everybody enrolled."""
    work.run_many(_SAVE, [(customer, NO_LEAF, *NOBODY) for customer in customers])


def read(work: Work, customers: Sequence[CustomerId]) -> dict[str, StoredStanding]:
    """Return the stored rows of these customers; who isn't enrolled is left out."""
    return {row[0]: _stored(row[1:]) for row in work.run(_READ, work.listed(customers)).fetchall()}


def asked(work: Work, customers: Sequence[CustomerId]) -> tuple[Asked, list[bool]]:
    """Return the columns that a chunk of customers is judged by, in their order, and which of them are enrolled.

    Of who isn't, nothing stands.
    """
    rows = {row[0]: row for row in work.run(_ASKED, work.listed(customers)).fetchall()}
    nothing = ("", *(getattr(NOBODY, name) for name in Asked._fields))
    columns = list(zip(*(rows.get(customer, nothing) for customer in customers), strict=True))
    return Asked(*columns[1:] or [()] * len(nothing[1:])), [customer in rows for customer in customers]


def chunk(work: Work, after: str) -> tuple[list[tuple[CustomerId, StoredStanding]], str]:
    """Return the rows of the customers whose ids come after `after`, in order, and the last of these ids.

    At most `CHUNK` at a time; the last id is "" where nobody comes after.
    """
    rows = work.run(_ALL_AFTER, after).fetchall()
    return [(CustomerId(row[0]), _stored(row[1:])) for row in rows], rows[-1][0] if rows else ""


def ending(work: Work, after: str, until_ms: int) -> tuple[list[tuple[CustomerId, StoredStanding]], str]:
    """Return of such a chunk the rows in which a permission ends by `until_ms`, and the last id of the whole chunk."""
    [last] = work.run(_LAST, after).fetchone()
    if last is None:
        return [], ""
    rows = work.run(_ENDING_AFTER, after, until_ms).fetchall()
    return [(CustomerId(row[0]), _stored(row[1:])) for row in rows], str(last)
