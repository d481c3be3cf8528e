"""What is said in the name of somebody who was erased: a "no" is taken, and stands already; nothing can be allowed.

A link in an old mail, an import, another system's retry may still say something of him. Whatever makes permissions
smaller is answered with the entry by which he was erased, for that took everything back. Nothing new is written about
somebody of whom nothing is to be kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from consent.base.database import table_of
from consent.base.errors import CustomerErased, Place
from consent.base.ids import CustomerId
from consent.base.store import Work
from consent.permission.statement import Act, Statement
from consent.register.tables import ErasureRow

LESSENING: Final = frozenset({Act.WITHDRAW, Act.REFUSE, Act.OBJECT, Act.INVALIDATE, Act.PAUSE, Act.RESTRICT})
"""The acts that make permissions smaller, or leave them as they are."""

_erasure: Final = table_of(ErasureRow)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tombstone:
    """That a customer was erased: when, and by which entry."""

    customer: CustomerId
    at: datetime
    position: int


def taken(work: Work, statements: Sequence[Statement], erased: Sequence[int], *, listed: bool) -> list[Tombstone]:
    """Return the tombstones that answer a request's statements, one each.

    Args:
        work: a transaction.
        statements: of one request.
        erased: the spots in it of those whose customers were erased; at least one.
        listed: they stand in a list, and places number them.

    Raises:
        CustomerErased: one of them would allow something, or the request is also about others: it has to leave him out.
    """
    mixed = len(erased) < len(statements)
    wrong = [spot for spot in erased if mixed or statements[spot].act not in LESSENING]
    if wrong:
        why = "was erased: leave it out" if mixed else "was erased: nothing can be allowed in this name"
        raise CustomerErased(places=[Place(f"/statements/{spot}" if listed else "", why) for spot in wrong])
    stones = of(work, [said.customer for said in statements])
    return [stones[said.customer] for said in statements]


def of(work: Work, customers: Sequence[CustomerId]) -> dict[CustomerId, Tombstone]:
    """Return the tombstones of these customers; who wasn't erased is left out."""
    query = sa.select(_erasure.c.customer, _erasure.c.erased_at, _erasure.c.position)
    rows = work.connection.execute(query.where(_erasure.c.customer.in_(sorted(set(customers)))))
    return {
        CustomerId(row.customer): Tombstone(customer=CustomerId(row.customer), at=row.erased_at, position=row.position)
        for row in rows
    }
