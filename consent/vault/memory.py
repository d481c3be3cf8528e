"""Memory: what is remembered of a customer, one sealed blob a category: a permission's border is a ciphertext's."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from consent.base.database import Hot, among, table_of
from consent.base.errors import KeyLost
from consent.base.ids import CustomerId
from consent.base.store import Work
from consent.tables import DataKeyRow, MemoryRow
from consent.vault import seal
from consent.vault.keyring import Keys, Wrapped

_memory = table_of(MemoryRow)

Value = str | int | float | bool


class Remembered(NamedTuple):
    """One category of one customer, opened."""

    customer: CustomerId
    category: str
    attributes: dict[str, Value]


def _put(dialect: str) -> Any:  # noqa: ANN401 -- two dialects' inserts
    insert: Any = (postgresql if dialect == "postgresql" else sqlite).insert(_memory)
    changed = {name: insert.excluded[name] for name in ("sealed", "remembered_at")}
    return insert.on_conflict_do_update(index_elements=["customer", "category"], set_=changed)


_PUT: Final = Hot(_put, "customer", "category", "sealed", "remembered_at")
_DATA_KEYS: Final = Hot(
    lambda dialect: sa.select(DataKeyRow.owner, DataKeyRow.kek, DataKeyRow.wrapped).where(
        among(DataKeyRow.owner, "customers")(dialect)
    ),
    "customers",
)
_GET: Final = Hot(
    lambda dialect: sa.select(_memory.c.customer, _memory.c.sealed).where(
        _memory.c.category == sa.bindparam("category"), among(_memory.c.customer, "customers")(dialect)
    ),
    "category",
    "customers",
)
_FORGET: Final = Hot(
    lambda dialect: sa.delete(_memory).where(
        _memory.c.category == sa.bindparam("category"), among(_memory.c.customer, "customers")(dialect)
    ),
    "category",
    "customers",
)


def data_keys(keys: Keys, work: Work, customers: Sequence[CustomerId]) -> dict[str, bytes]:
    """Return the data keys of these customers; who has none any more is left out.

    Raises:
        KeyLost: one doesn't unwrap for its owner.
    """
    opened: dict[str, bytes] = {}
    for owner, key in data_keys_or_why(keys, work, customers).items():
        if isinstance(key, KeyLost):
            raise key
        opened[owner] = key
    return opened


def data_keys_or_why(keys: Keys, work: Work, customers: Sequence[CustomerId]) -> dict[str, bytes | KeyLost]:
    """Return the data keys of these customers, and in place of one that doesn't unwrap, why."""
    rows = work.run(_DATA_KEYS, work.listed(customers)).fetchall()
    found = keys.unwrap_all([(owner, Wrapped(kek, wrapped)) for owner, kek, wrapped in rows])
    return dict(zip((owner for owner, _, _ in rows), found, strict=True))


def put(
    work: Work, data_keys: Mapping[str, bytes], rows: Iterable[tuple[CustomerId, str, Mapping[str, Value]]], at_ms: int
) -> int:
    """Seal and store categories of customers over what was there; return how many.

    Raises:
        KeyLost: one of them has no data key (any more).
    """
    sealed = [
        (
            customer,
            category,
            seal.seal(
                _key_of(data_keys, customer), _use(category), orjson.dumps(attributes), bound=_bound(customer, category)
            ),
            at_ms,
        )
        for customer, category, attributes in rows
    ]
    work.run_many(_PUT, sealed)
    return len(sealed)


def get(
    work: Work, data_keys: Mapping[str, bytes], category: str, customers: Sequence[CustomerId]
) -> Iterator[tuple[str, dict[str, Value]]]:
    """Open one category of these customers; who has nothing in it is left out.

    Raises:
        KeyLost: a blob doesn't open: it was changed, or stands where it wasn't sealed for.
    """
    rows = work.run(_GET, category, work.listed(customers)).fetchall()
    owners = [customer for customer, _ in rows]
    if any(customer not in data_keys for customer in owners):
        msg = f"memory of {category} stands without a data key"
        raise KeyLost(msg)
    keys = [data_keys[customer] for customer in owners]
    bounds = [_bound(customer, category) for customer in owners]
    opened = seal.unseal_all(keys, _use(category), [sealed for _, sealed in rows], bounds)
    return zip(owners, map(orjson.loads, opened), strict=True)


def wrong_with(data_key: bytes, customer: str, category: str, sealed: Any) -> str:  # noqa: ANN401 -- what is stored need not be bytes
    """Say what is wrong with a stored category of a customer, and nothing of what it holds; "" if nothing is."""
    try:
        found = orjson.loads(seal.unseal(data_key, _use(category), sealed, bound=_bound(customer, category)))
    except (KeyLost, TypeError):
        return "does not open: it was changed, or stands where it was not sealed for"
    except orjson.JSONDecodeError:
        return "opens, and holds no attributes"
    if type(found) is not dict or any(isinstance(value, dict | list) for value in found.values()):
        return "opens, and holds no attributes"
    return ""


def forget(work: Work, category: str, customers: Sequence[CustomerId]) -> int:
    """Delete one category of these customers; return how many blobs went."""
    return int(work.run(_FORGET, category, work.listed(customers)).rowcount)


def kept(work: Work, category: str, customers: Sequence[CustomerId]) -> list[CustomerId]:
    """Return which of these customers something is kept of in a category; nothing is opened."""
    query = sa.select(_memory.c.customer).where(
        _memory.c.category == category, _memory.c.customer.between(min(customers), max(customers))
    )
    asked = set(customers)
    return [CustomerId(row[0]) for row in work.connection.execute(query) if row[0] in asked]


def _key_of(data_keys: Mapping[str, bytes], customer: CustomerId) -> bytes:
    key = data_keys.get(customer)
    if key is None:
        msg = "there is no data key of a customer who was to be remembered"
        raise KeyLost(msg)
    return key


def _use(category: str) -> str:
    return f"memory/v1/{category}"


def _bound(customer: str, category: str) -> str:
    return f"byleave/memory/v1\x00{customer}\x00{category}"
