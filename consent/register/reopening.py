"""Reopen the payloads of many owners, for whoever judges them: one that doesn't open says why, and stops nothing.

`history` reads what customers said and refuses to go on where a payload is wrong; an audit has to name every such
payload, and to walk all of them. So this reads ranges of owners and takes nothing for granted.
"""

from base64 import urlsafe_b64decode
from collections.abc import Container, Iterator, Mapping
from typing import Any, Final, NamedTuple

import orjson
import sqlalchemy as sa

from consent.base.database import Hot, table_of
from consent.base.errors import KeyLost
from consent.base.store import Work
from consent.ledger import entry
from consent.register.payloads import LOG_OWNER, unsealed
from consent.tables import DataKeyRow, LedgerEntryRow, LedgerPayloadRow
from consent.vault.keyring import Keys, Wrapped

_payload: Final = table_of(LedgerPayloadRow)
_entry: Final = table_of(LedgerEntryRow)
_AT, _COMMITMENT, _KIND = 1, 2, 7
SALT_BYTES: Final = 32


def _in_range(column: Any) -> sa.ColumnElement[bool]:  # noqa: ANN401 -- a column of a Core table
    return sa.and_(column > sa.bindparam("after"), column <= sa.bindparam("last"), column != LOG_OWNER)


def _chosen(where: sa.ColumnElement[bool]) -> sa.Select[Any]:
    same = sa.and_(_entry.c.log == _payload.c.log, _entry.c.seq == _payload.c.seq)
    return (
        sa.select(_payload.c.owner, _payload.c.seq, _payload.c.sealed, _entry.c.body, _entry.c.leaf)
        .join_from(_payload, _entry, same, isouter=True)
        .where(where)
        .order_by(_payload.c.owner, _payload.c.log, _payload.c.seq)
    )


_SEALED: Final = Hot(_chosen(_in_range(_payload.c.owner)), "after", "last")
_DATA_KEYS: Final = Hot(
    sa.select(DataKeyRow.owner, DataKeyRow.kek, DataKeyRow.wrapped).where(_in_range(DataKeyRow.owner)), "after", "last"
)


class Sealed(NamedTuple):
    """Payloads as they are stored, by owner and in the order of the ledger, and the wrapped keys of their owners."""

    rows: list[tuple[Any, ...]]
    keys: Mapping[str, Wrapped]


class Reopened(NamedTuple):
    """A payload, opened; or why it can't be read, and then `payload` is empty."""

    owner: str
    seq: int
    leaf: bytes
    at: str
    """When it was recorded, as its entry writes it: such times sort as texts. Empty where no entry tells."""
    kind: str
    payload: Mapping[str, Any]
    why: str


def sealed_between(work: Work, after: str, last: str) -> Sealed:
    """Return the payloads of the owners in `(after, last]`, the deployment's own left out; nothing is opened yet."""
    keys = {row[0]: Wrapped(row[1], bytes(row[2])) for row in work.run(_DATA_KEYS, after, last).fetchall()}
    return Sealed(work.run(_SEALED, after, last).fetchall(), keys)


def sealed_at(work: Work, log: int, seq: int) -> Sealed:
    """Return the payload of one entry, whoever owns it."""
    rows = work.connection.execute(_chosen(sa.and_(_payload.c.log == log, _payload.c.seq == seq))).all()
    keys = sa.select(DataKeyRow.owner, DataKeyRow.kek, DataKeyRow.wrapped).where(
        DataKeyRow.owner.in_([row.owner for row in rows])
    )
    found = {owner: Wrapped(kek, bytes(wrapped)) for owner, kek, wrapped in work.connection.execute(keys)}
    return Sealed([tuple(row) for row in rows], found)


def only(sealed: Sealed, owners: Container[str]) -> Sealed:
    """Return the payloads of these owners: opening is what takes time."""
    return Sealed([row for row in sealed.rows if row[0] in owners], sealed.keys)


def reopened(keys: Keys, sealed: Sealed) -> Iterator[Reopened]:
    """Open payloads one after the other; the caller's transaction may be over.

    Each is held against its entry's commitment, and is read only if its bytes are the one way to write what they say.
    """
    data_keys: dict[str, bytes] = {}
    for owner, seq, blob, body, leaf in sealed.rows:
        found = entry.FORM.fullmatch(body) if isinstance(body, bytes) else None
        if found is None:
            yield Reopened(owner, seq, b"", "", "", {}, "stands without an entry that could name it")
            continue
        kind = found[_KIND].decode()
        at = found[_AT].decode()
        try:
            if owner not in data_keys:
                data_keys = {owner: keys.unwrap(owner, sealed.keys[owner])}
            plain = unsealed(data_keys[owner], owner, blob)
        except KeyError:
            yield Reopened(owner, seq, leaf, at, kind, {}, "can't be opened: there is no data key of its owner")
            continue
        except (KeyLost, TypeError):
            yield Reopened(owner, seq, leaf, at, kind, {}, "does not open under its owner's key")
            continue
        if not entry.opens(plain, urlsafe_b64decode(found[_COMMITMENT] + b"=")):
            yield Reopened(owner, seq, leaf, at, kind, {}, "is not the one that its entry commits to")
            continue
        payload, why = _read(plain)
        yield Reopened(owner, seq, leaf, at, kind, payload, why)


def _read(plain: bytes) -> tuple[Mapping[str, Any], str]:
    text = plain[SALT_BYTES:]
    try:
        payload = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}, "is not JSON"
    if not isinstance(payload, dict) or orjson.dumps(payload, option=orjson.OPT_SORT_KEYS) != text:
        return {}, "is not written canonically"
    return payload, ""
