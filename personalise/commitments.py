"""Interact: what was promised. Terms once shown to a customer hold on every channel until they end.

They are replaced by equal or better ones only; which are better is the offers' grade.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from consent.base.clock import to_ms
from consent.base.database import Hot, among, table_of
from consent.base.ids import CustomerId
from consent.base.store import Work
from personalise.tables import CommitmentRow

_row = table_of(CommitmentRow)
_COLUMNS: Final = ("customer", "family", "offer", "terms", "grade", "campaign", "decision", "made_at", "until")


class Commitment(NamedTuple):
    """One promise: the hash of an offer's terms, and until when (ms) they hold for a customer."""

    customer: str
    family: str
    offer: str
    terms: str
    grade: int | None
    campaign: str
    decision: str
    made_at: int
    until: int


def _put(dialect: str) -> sa.Executable:
    insert: Any = (postgresql if dialect == "postgresql" else sqlite).insert(_row)
    changed = {name: insert.excluded[name] for name in _COLUMNS[2:]}
    made: sa.Executable = insert.on_conflict_do_update(index_elements=["customer", "family"], set_=changed)
    return made


_KINDS: Final = {"committed": pa.string(), "committed_grade": pa.int64(), "committed_until": pa.int64()}
_PROMISED: Final = ("terms", "grade", "until")
_PUT: Final = Hot(_put, *_COLUMNS)
_STANDING: Final = Hot(
    lambda dialect: sa.select(_row.c.customer, _row.c.family, *(_row.c[name] for name in _PROMISED)).where(
        among(_row.c.customer, "customers")(dialect), _row.c.until > sa.bindparam("at", type_=sa.BigInteger())
    ),
    "customers",
    "at",
)


def promise(work: Work, commitments: Sequence[Commitment]) -> None:
    """Promise, over what was promised of the same family before."""
    work.run_many(_PUT, commitments)


def columns(work: Work, customers: Sequence[CustomerId], families: Sequence[str], at: datetime) -> dict[str, pa.Array]:
    """Return what stands promised to customers at `at`, null for whom nothing does.

    Returns:
        For each family `committed:<family>` (the terms' hash), `committed_grade:<family>` and
        `committed_until:<family>` (ms).
    """
    if not families:
        return {}
    spots = {customer: spot for spot, customer in enumerate(customers)}
    told: dict[str, list[Any]] = {f"{name}:{family}": [None] * len(customers) for family in families for name in _KINDS}
    for customer, family, *promised in work.run(_STANDING, work.listed(customers), to_ms(at)).fetchall():
        if family in families and customer in spots:
            for name, value in zip(_KINDS, promised, strict=True):
                told[f"{name}:{family}"][spots[customer]] = value
    return {name: pa.array(column, type=_KINDS[name.partition(":")[0]]) for name, column in told.items()}


def of_row(row: Any) -> Commitment:  # noqa: ANN401 -- a row of commitment
    """Return a row of `standing` as a promise."""
    values = {name: getattr(row, name) for name in _COLUMNS}
    return Commitment(**{**values, "made_at": to_ms(row.made_at), "until": to_ms(row.until)})


def standing(work: Work, customer: CustomerId, at: datetime) -> list[Any]:
    """Return the rows of what stands promised to one customer, by family."""
    query = sa.select(_row).where(_row.c.customer == customer, _row.c.until > at).order_by(_row.c.family)
    return list(work.connection.execute(query))
