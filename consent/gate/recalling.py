"""Memory opened: for what a chunk of customers permits and nothing else, with the use written down."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa

from consent import uses
from consent.base.errors import NotAllowed
from consent.base.ids import CustomerId
from consent.base.store import Work
from consent.catalogue.model import Attribute
from consent.gate.judging import Permits
from consent.register.desk import Desk
from consent.uses import Use
from consent.vault import memory

ARROW: Final[Mapping[str, pa.DataType]] = {
    "number": pa.float64(),
    "integer": pa.int64(),
    "boolean": pa.bool_(),
    "text": pa.string(),
    "time": pa.timestamp("ms", tz="UTC"),
}
"""The column type of each attribute type."""


def recall(desk: Desk, work: Work, permitted: Permits, *, attributes: Iterable[str], use: Use) -> pa.Table:
    """Open what is remembered and permitted for `use.purpose`, and write the use down.

    Returns:
        One row a customer, in the order of `permitted.customers`: column `customer`, then one column an attribute
        (float64, int64, bool, string or timestamp[ms, UTC]), null wherever the customer doesn't permit the use of its
        category for this purpose, or nothing is remembered. Nothing tells the two apart.

    Raises:
        KeyLost: a sealed record doesn't open.
        NotAllowed: the transaction can't write, so the use couldn't be recorded; or the permits are another's.
    """
    permitted.require(work)
    if not work.writing:
        msg = "data are read in a transaction that can record the use"
        raise NotAllowed(msg)
    known = permitted.catalogue.attributes
    wanted = [known[name] for name in dict.fromkeys(attributes) if name in known]
    cells: dict[str, list[Any]] = {item.name: [None] * len(permitted.customers) for item in wanted}
    categories = tuple(sorted({item.category for item in wanted}))
    opened = _open_keys(desk, work, permitted, categories, use.purpose)
    for category in categories:
        inside = [item for item in wanted if item.category == category]
        _fill(work, permitted, opened, category=category, inside=inside, purpose=use.purpose, cells=cells)
    uses.record(work, use, categories=categories, customers=len(opened), position=permitted.position, at=permitted.at)
    columns = {"customer": pa.array(permitted.customers, type=pa.string())}
    columns.update({item.name: pa.array(_of_type(item, cells[item.name]), type=ARROW[item.type]) for item in wanted})
    return pa.table(columns)


def _of_type(attribute: Attribute, values: list[Any]) -> list[Any]:
    """Return the values, unknown where one was remembered while the catalogue gave the attribute another type."""
    if attribute.admits(values):
        return values
    return [value if attribute.admits((value,)) else None for value in values]


def _open_keys(desk: Desk, work: Work, permitted: Permits, categories: Sequence[str], purpose: str) -> dict[str, bytes]:
    anyone = np.zeros(len(permitted.customers), dtype=np.bool_)
    for category in categories:
        anyone |= permitted.permitted(f"use:{category}:{purpose}")
    chosen = [permitted.customers[spot] for spot in np.flatnonzero(anyone)]
    if not chosen:
        return {}
    opened = memory.data_keys(desk.keys, work, chosen)
    permitted.keys.update(opened)
    return opened


def _fill(
    work: Work,
    permitted: Permits,
    opened: Mapping[str, bytes],
    *,
    category: str,
    inside: Sequence[Attribute],
    purpose: str,
    cells: Mapping[str, list[Any]],
) -> None:
    allowed = np.flatnonzero(permitted.permitted(f"use:{category}:{purpose}"))
    rows = {permitted.customers[spot]: spot for spot in allowed}
    if not rows:
        return
    names = [(item.name, cells[item.name]) for item in inside]
    for customer, remembered in memory.get(work, opened, category, list(rows)):
        spot = rows[CustomerId(customer)]
        for name, column in names:
            column[spot] = remembered.get(name)
