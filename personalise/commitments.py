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


_PUT: Final = Hot(_put, *_COLUMNS)
_STANDING: Final = Hot(
    lambda dialect: sa.select(_row.c.customer, _row.c.family, _row.c.terms, _row.c.grade).where(
        among(_row.c.customer, "customers")(dialect), _row.c.until > sa.bindparam("at", type_=sa.BigInteger())
    ),
    "customers",
    "at",
)


def promise(work: Work, commitments: Sequence[Commitment]) -> None:
    """Promise, over what was promised of the same family before."""
    work.run_many(_PUT, commitments)


def columns(work: Work, customers: Sequence[CustomerId], families: Sequence[str], at: datetime) -> dict[str, pa.Array]:
    """Return what stands promised at `at`: for each family `committed:<family>` (the terms' hash) and its grade."""
    if not families:
        return {}
    spots = {customer: spot for spot, customer in enumerate(customers)}
    terms: dict[str, list[str | None]] = {family: [None] * len(customers) for family in families}
    grades: dict[str, list[int | None]] = {family: [None] * len(customers) for family in families}
    for customer, family, promised, grade in work.run(_STANDING, work.listed(customers), to_ms(at)).fetchall():
        if family in terms and customer in spots:
            terms[family][spots[customer]] = promised
            grades[family][spots[customer]] = grade
    found = {f"committed:{family}": pa.array(column, type=pa.string()) for family, column in terms.items()}
    return found | {f"committed_grade:{family}": pa.array(column, type=pa.int64()) for family, column in grades.items()}


def of_row(row: Any) -> Commitment:  # noqa: ANN401 -- a row of commitment
    """Return a row of `standing` as a promise."""
    values = {name: getattr(row, name) for name in _COLUMNS}
    return Commitment(**{**values, "made_at": to_ms(row.made_at), "until": to_ms(row.until)})


def standing(work: Work, customer: CustomerId, at: datetime) -> list[Any]:
    """Return the rows of what stands promised to one customer, by family."""
    query = sa.select(_row).where(_row.c.customer == customer, _row.c.until > at).order_by(_row.c.family)
    return list(work.connection.execute(query))
