"""What a decision was made from, sealed for its replay, each customer's part under his own data key.

Without the key neither the part opens nor its mark tells anything: both go with the customer when he is erased.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from consent import uses
from consent.base.errors import KeyLost, NotAllowed
from consent.base.ids import CustomerId
from consent.base.store import Work
from consent.gate.judging import Permits
from consent.ledger import log
from consent.register.desk import Desk
from consent.uses import Use
from consent.vault import memory, seal

_SEALING: Final = "decision-input/v1"


class SealedRows(NamedTuple):
    """Sealed rows, and the mark of each: a keyed hash over head and row. Both are empty of who has no key."""

    rows: list[bytes]
    marks: list[bytes]


class Opened(NamedTuple):
    """Rows as they were sealed, None in the place of one that doesn't open, and their marks made anew.

    `keyless` are the places of customers who have no data key (any more).
    """

    rows: list[bytes | None]
    marks: list[bytes]
    keyless: frozenset[int]


def keep_rows(
    desk: Desk, work: Work, permitted: Permits, rows: Sequence[bytes], *, place: str, head: bytes
) -> SealedRows:
    """Seal a row of each customer under his data key, and mark it.

    Args:
        desk: keys.
        work: the transaction that `permitted` holds in.
        permitted: whose rows; the data keys that `recall` unwrapped for them serve again.
        rows: one a customer.
        place: what they stand in (a chunk's id): in another, they don't open.
        head: what all of the rows have in common, 32 bytes; it goes into the marks.
    """
    permitted.require(work)
    keys = permitted.keys
    others = [customer for customer in permitted.customers if customer not in keys]
    keys |= memory.data_keys_or_why(desk.keys, work, others)
    found = [keys.get(customer) for customer in permitted.customers]
    keyed = [spot for spot, key in enumerate(found) if isinstance(key, bytes)]
    derived = seal.use_keys([key for key in found if isinstance(key, bytes)], _SEALING)
    kept = SealedRows([b""] * len(found), [b""] * len(found))
    bounds = [_bound(place, permitted.customers[spot]) for spot in keyed]
    sealed = seal.seal_under(derived, [rows[spot] for spot in keyed], bounds)
    for spot, key, blob in zip(keyed, derived, sealed, strict=True):
        kept.rows[spot] = blob
        kept.marks[spot] = seal.mark(key, head + rows[spot])
    return kept


def open_rows(  # noqa: PLR0913 -- what `keep_rows` took, and why it is opened
    desk: Desk, work: Work, customers: Sequence[CustomerId], sealed: Sequence[bytes],
    *, place: str, head: bytes, use: Use, categories: tuple[str, ...], at: datetime,
) -> Opened:  # fmt: skip
    """Open what `keep_rows` sealed, and write the use down.

    Raises:
        NotAllowed: the transaction can't write, so the use couldn't be recorded.
    """
    if not work.writing:
        msg = "data are read in a transaction that can record the use"
        raise NotAllowed(msg)
    keys = memory.data_keys_or_why(desk.keys, work, customers)
    rows: list[bytes | None] = []
    marks: list[bytes] = []
    for customer, blob in zip(customers, sealed, strict=True):
        row, mark = _opened(keys.get(customer), blob, place, customer, head)
        rows.append(row)
        marks.append(mark)
    count = sum(row is not None for row in rows)
    uses.record(work, use, categories=categories, customers=count, position=log.head(work).position, at=at)
    return Opened(rows, marks, frozenset(spot for spot, customer in enumerate(customers) if customer not in keys))


def shut_rows(
    desk: Desk, work: Work, customers: Sequence[CustomerId], sealed: Sequence[bytes], *, place: str
) -> list[int]:
    """Return the places of rows that should open under their customers' data keys, and don't; the others tell nothing.

    Whoever has no key, or one that is lost, is left out: what is wrong then is the key.
    """
    keys = memory.data_keys_or_why(desk.keys, work, customers)
    shut: list[int] = []
    for spot, (customer, blob) in enumerate(zip(customers, sealed, strict=True)):
        key = keys.get(customer)
        if isinstance(key, bytes) and _opened(key, blob, place, customer, b"")[0] is None:
            shut.append(spot)
    return shut


def _opened(
    key: bytes | KeyLost | None, blob: bytes, place: str, customer: CustomerId, head: bytes
) -> tuple[bytes | None, bytes]:
    if not isinstance(key, bytes):
        return None, b""
    try:
        row = seal.unseal(key, _SEALING, blob, bound=_bound(place, customer))
    except KeyLost:
        return None, b""
    return row, seal.mark(seal.use_key(key, _SEALING), head + row)


def _bound(place: str, customer: CustomerId) -> str:
    return f"byleave/decision-input/v1\x00{place}\x00{customer}"
