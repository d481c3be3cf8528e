"""Enrol customers, and find them again by a reference or an address."""

import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from consent import standings
from consent.base.clock import to_ms
from consent.base.database import Hot, among
from consent.base.errors import CustomerUnknown
from consent.base.ids import CustomerId, is_id, new_id
from consent.base.store import Work
from consent.register.desk import Desk
from consent.tables import CustomerRow, DataKeyRow, IdentityRow
from consent.vault import seal

REFERENCE: Final = "reference"
"""The kind of identity that is the customer's name in the company's own system."""

_CUSTOMER: Final = Hot(sa.insert(CustomerRow.__table__), "id", "enrolled_at")
_IDENTITY: Final = Hot(sa.insert(IdentityRow.__table__), "kind", "blind", "customer")
_DATA_KEY: Final = Hot(sa.insert(DataKeyRow.__table__), "owner", "kek", "wrapped")
_FIND: Final = Hot(
    sa.select(IdentityRow.customer).where(
        IdentityRow.kind == sa.bindparam("kind"), IdentityRow.blind == sa.bindparam("blind")
    ),
    "kind",
    "blind",
)
_AFTER: Final = Hot(
    sa.select(CustomerRow.id)
    .where(CustomerRow.id > sa.bindparam("after"))
    .order_by(CustomerRow.id)
    .limit(sa.bindparam("most")),
    "after",
    "most",
)
_LOCK: Final = Hot(
    lambda dialect: (
        sa.select(CustomerRow.id)
        .where(among(CustomerRow.id, "customers")(dialect))
        .order_by(CustomerRow.id)
        .with_for_update()
    ),
    "customers",
)


def enrol(desk: Desk, work: Work, identities: Sequence[Mapping[str, str]], *, at: datetime) -> list[CustomerId]:
    """Enrol customers, each by one or more identities (kind → value); who is known already keeps his id.

    Returns:
        One id for each item, in order.
    """
    wanted = [
        [(kind, seal.blind(desk.keys.index_key, kind, value)) for kind, value in kinds.items() if value]
        for kinds in identities
    ]
    known = _known(work, wanted)
    found: list[CustomerId] = []
    customers: list[tuple[Any, ...]] = []
    keys: list[tuple[Any, ...]] = []
    names: list[tuple[Any, ...]] = []
    for blinds in wanted:
        customer = next((known[blind] for blind in blinds if blind in known), None)
        if customer is None:
            customer = CustomerId(new_id("cus", at))
            customers.append((customer, to_ms(at)))
            keys.append((customer, *desk.keys.wrap(customer, os.urandom(seal.DATA_KEY_BYTES))))
        for blind in blinds:
            if blind not in known:
                known[blind] = customer
                names.append((*blind, customer))
        found.append(customer)
    work.run_many(_CUSTOMER, customers)
    work.run_many(_DATA_KEY, keys)
    work.run_many(_IDENTITY, names)
    standings.save_empty(work, (row[0] for row in customers))
    return found


def _known(work: Work, wanted: Sequence[Sequence[tuple[str, bytes]]]) -> dict[tuple[str, bytes], CustomerId]:
    found = {}
    for key in {blind for blinds in wanted for blind in blinds}:
        row = work.run(_FIND, *key).fetchone()
        if row:
            found[key] = CustomerId(row[0])
    return found


def find(desk: Desk, work: Work, value: str, *, kind: str = REFERENCE) -> CustomerId:
    """Return the customer of a reference or an address; his own id is found too.

    Raises:
        CustomerUnknown: nobody enrolled is called that. The message doesn't repeat the value.
    """
    row = work.run(_FIND, kind, seal.blind(desk.keys.index_key, kind, value)).fetchone()
    if row is None and is_id(value, "cus"):
        row = work.connection.execute(sa.select(CustomerRow.id).where(CustomerRow.id == value)).first()
    if row is None:
        msg = f"nobody enrolled has this {kind}"
        raise CustomerUnknown(msg)
    return CustomerId(row[0])


def after(work: Work, customer: str, most: int) -> list[CustomerId]:
    """Return up to `most` customers whose ids come after `customer` ("" for the first), in order."""
    return [CustomerId(row[0]) for row in work.run(_AFTER, customer, most).fetchall()]


def count(work: Work) -> int:
    """Return how many customers are enrolled."""
    return work.connection.execute(sa.select(sa.func.count()).select_from(CustomerRow)).scalar_one()


def lock(work: Work, customers: Sequence[CustomerId]) -> None:
    """Lock customers in the order of their ids: whoever reserves contacts with them now does so alone."""
    work.run(_LOCK, work.listed(customers)).fetchall()
