"""Reopen the payloads of many owners, for whoever judges them: one that doesn't open says why, and stops nothing.

`history` reads what customers said and refuses to go on where a payload is wrong; an audit has to name every such
payload, and to walk all of them. So this reads ranges of owners and takes nothing for granted.
"""

from binascii import a2b_base64
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any, Final, NamedTuple

import orjson
import sqlalchemy as sa

from consent.base.database import Hot, among, table_of
from consent.base.errors import KeyLost
from consent.base.store import Work
from consent.ledger import entry
from consent.ledger.log import position_in
from consent.ledger.position import GREATEST, parts, position
from consent.register.payloads import LOG_OWNER, opener
from consent.tables import DataKeyRow, LedgerEntryRow, LedgerPayloadRow
from consent.vault import memory
from consent.vault.keyring import Keys, Wrapped

_payload: Final = table_of(LedgerPayloadRow)
_entry: Final = table_of(LedgerEntryRow)
_AT, _COMMITMENT, _VERSION, _KIND = 1, 2, 3, 7
_STANDARD: Final = bytes.maketrans(b"-_", b"+/")
_form, _loads, _dumps = entry.FORM.fullmatch, orjson.loads, orjson.dumps
SALT_BYTES: Final = 32
_AT_ONCE: Final = 500
_SHUT: Final = "does not open under its owner's key"


def _ours(column: Any) -> sa.ColumnElement[bool]:  # noqa: ANN401 -- a column of a Core table
    """Select what is the deployment's own: its log's, and (`log:…`) what a rotated key of the log is called."""
    signing = sa.and_(column > sa.literal_column(f"'{LOG_OWNER}:'"), column < sa.literal_column(f"'{LOG_OWNER};'"))
    return sa.or_(column == LOG_OWNER, signing)


def _in_range(column: Any) -> sa.ColumnElement[bool]:  # noqa: ANN401 -- a column of a Core table
    return sa.and_(column > sa.bindparam("after"), column <= sa.bindparam("last"), sa.not_(_ours(column)))


def _chosen(where: sa.ColumnElement[bool]) -> sa.Select[Any]:
    same = sa.and_(_entry.c.log == _payload.c.log, _entry.c.seq == _payload.c.seq)
    return (
        sa.select(_payload.c.owner, position_in(_payload), _payload.c.sealed, _entry.c.body, _entry.c.leaf)
        .join_from(_payload, _entry, same, isouter=True)
        .where(where)
        .order_by(_payload.c.owner, _payload.c.log, _payload.c.seq)
    )


_SEALED: Final = Hot(_chosen(_in_range(_payload.c.owner)), "after", "last")
_SEALED_OF: Final = Hot(lambda dialect: _chosen(among(_payload.c.owner, "owners")(dialect)), "owners")
_wrapped: Final = sa.select(DataKeyRow.owner, DataKeyRow.kek, DataKeyRow.wrapped)
_DATA_KEYS: Final = Hot(_wrapped.where(_in_range(DataKeyRow.owner)), "after", "last")
_OWN_KEYS: Final = Hot(_wrapped.where(_ours(DataKeyRow.owner)).order_by(DataKeyRow.owner))
_DATA_KEYS_OF: Final = Hot(lambda dialect: _wrapped.where(among(DataKeyRow.owner, "owners")(dialect)), "owners")


class Sealed(NamedTuple):
    """Payloads as they are stored, by owner and in the order of the ledger, and the wrapped keys of their owners."""

    rows: list[tuple[Any, ...]]
    keys: Mapping[str, Wrapped]


class Unlocked:
    """The data keys of some owners, opened; only here is it known what they are."""

    __slots__ = ("_keys",)

    def __init__(self, keys: Mapping[str, bytes | KeyLost]) -> None:
        """Keep the keys, and in place of one that is lost, why."""
        self._keys = keys

    def opens(self, owner: str) -> bool | None:
        """Say whether an owner's data key opens; None where he has none."""
        found = self._keys.get(owner)
        return None if found is None else not isinstance(found, KeyLost)

    def opener(self, owner: str) -> tuple[Callable[[bytes], bytes] | None, str]:
        """Return what opens an owner's payloads; or None, and why nothing does."""
        found = self._keys.get(owner)
        if found is None:
            return None, "can't be opened: there is no data key of its owner"
        return (None, _SHUT) if isinstance(found, KeyLost) else (opener(found, owner), "")

    def wrong_memory(self, owner: str, kept: Sequence[tuple[str, Any]]) -> list[tuple[str, str]]:
        """Open what is remembered of an owner; return the categories that don't hold it, each with why.

        Where his key is gone or doesn't open, nothing can be said: what is wrong is the key.

        Args:
            owner: the customer.
            kept: (category, sealed record).
        """
        key = self._keys.get(owner)
        if not isinstance(key, bytes):
            return []
        judged = ((category, memory.wrong_with(key, owner, category, sealed)) for category, sealed in kept)
        return [(category, why) for category, why in judged if why]

    def shut(self, owner: str, opened: Callable[[bytes], object]) -> bool:
        """Say whether something fails to open under an owner's data key; where that is gone or lost, it is that.

        Args:
            owner: the customer.
            opened: opens it by a key, or raises.
        """
        key = self._keys.get(owner)
        if not isinstance(key, bytes):
            return False
        try:
            opened(key)
        except (KeyLost, TypeError, ValueError):
            return True
        return False


class Reopened(NamedTuple):
    """A payload, opened; or why it can't be read, and then `payload` is empty. `seq` is the position of its entry."""

    owner: str
    seq: int
    leaf: bytes
    at: str
    """When it was recorded, as its entry writes it: such times sort as texts. Empty where no entry tells."""
    kind: str
    payload: Mapping[str, Any]
    why: str
    version: int = 0
    """The catalogue version in force when it was recorded."""


def sealed_between(work: Work, after: str, last: str) -> Sealed:
    """Return the payloads of the owners in `(after, last]`, the deployment's own left out; nothing is opened yet."""
    keys = work.run(_DATA_KEYS, after, last).fetchall()
    return Sealed(work.run(_SEALED, after, last).fetchall(), _by_owner(keys))


def sealed_of(work: Work, owners: Iterable[str]) -> Sealed:
    """Return the payloads of these owners; nothing is opened yet."""
    listed = work.listed(owners)
    keys = work.run(_DATA_KEYS_OF, listed).fetchall()
    return Sealed(work.run(_SEALED_OF, listed).fetchall(), _by_owner(keys))


def keys_of(work: Work, owners: Iterable[str]) -> Sealed:
    """Return the data keys of these owners, without a payload."""
    return Sealed([], _by_owner(work.run(_DATA_KEYS_OF, work.listed(owners)).fetchall()))


def of_deployment(work: Work) -> Sealed:
    """Return the deployment's own data keys, without a payload: that of its log, and keys that sign it."""
    return Sealed([], _by_owner(work.run(_OWN_KEYS).fetchall()))


def _by_owner(rows: Iterable[tuple[str, int, bytes]]) -> dict[str, Wrapped]:
    return {owner: Wrapped(kek, bytes(wrapped)) for owner, kek, wrapped in rows}


def sealed_at(work: Work, log: int, seq: int) -> Sealed:
    """Return the payload of one entry, whoever owns it."""
    return sealed_among(work, [position(log, seq)])


def sealed_among(work: Work, positions: Iterable[int]) -> Sealed:
    """Return the payloads of the entries at some positions, whoever owns them: of those that there are."""
    by_log: dict[int, list[int]] = {}
    for place in positions:
        if 0 <= place <= GREATEST:
            log, seq = parts(place)
            by_log.setdefault(log, []).append(seq)
    rows: list[tuple[Any, ...]] = []
    for log, seqs in by_log.items():
        for first in range(0, len(seqs), _AT_ONCE):
            some = sa.and_(_payload.c.log == log, _payload.c.seq.in_(seqs[first : first + _AT_ONCE]))
            rows += [tuple(row) for row in work.connection.execute(_chosen(some))]
    if not rows:
        return Sealed([], {})
    rows.sort(key=itemgetter(0, 1))
    keys = work.run(_DATA_KEYS_OF, work.listed({row[0] for row in rows})).fetchall()
    return Sealed(rows, _by_owner(keys))


def only(sealed: Sealed, owners: Container[str]) -> Sealed:
    """Return the payloads of these owners: opening is what takes time."""
    return Sealed([row for row in sealed.rows if row[0] in owners], sealed.keys)


def unlocked(keys: Keys, sealed: Sealed) -> Unlocked:
    """Open the data keys that were read with payloads, in one call; the caller's transaction may be over.

    Raises:
        KmsDown: the key management system does not answer.
    """
    owners = list(sealed.keys)
    opened = keys.unwrap_all([(owner, sealed.keys[owner]) for owner in owners])
    return Unlocked(dict(zip(owners, opened, strict=True)))


def reopened(keys: Keys, sealed: Sealed, opened_keys: Unlocked | None = None) -> Iterator[Reopened]:
    """Open payloads one after the other; the caller's transaction may be over.

    Each is held against its entry's commitment, and is read only if its bytes are the one way to write what they say.

    Args:
        keys: that wrap the data keys.
        sealed: what was read.
        opened_keys: what `unlocked` gave for it; only the keys that are needed are opened, if left out.

    Raises:
        KmsDown: the key management system does not answer.
    """
    owned = {row[0] for row in sealed.rows}
    needed = {owner: key for owner, key in sealed.keys.items() if owner in owned}
    found_keys = opened_keys or unlocked(keys, Sealed([], needed))
    opened: Callable[[bytes], bytes] | None = None
    whose, lost = None, ""
    for owner, seq, blob, body, leaf in sealed.rows:
        found = _form(body) if isinstance(body, bytes) else None
        if found is None:
            yield Reopened(owner, seq, b"", "", "", {}, "stands without an entry that could name it")
            continue
        if owner != whose:
            whose, opened, lost = owner, *found_keys.opener(owner)
        at, commitment, version, kind = found.group(_AT, _COMMITMENT, _VERSION, _KIND)
        payload, why = _payload_of(opened, blob, commitment) if opened else ({}, lost)
        # Made so, it takes a third of the time of a call by fields.
        yield Reopened._make((owner, seq, leaf, at.decode(), kind.decode(), payload, why, int(version)))


def _payload_of(opened: Callable[[bytes], bytes], blob: Any, commitment: bytes) -> tuple[dict[str, Any], str]:  # noqa: ANN401 -- what is stored need not be bytes
    try:
        plain = opened(blob)
    except (KeyLost, TypeError):
        return {}, _SHUT
    if not entry.opens(plain, a2b_base64(commitment.translate(_STANDARD) + b"=")):
        return {}, "is not the one that its entry commits to"
    text = plain[SALT_BYTES:]
    try:
        payload = _loads(text)
    except orjson.JSONDecodeError:
        return {}, "is not JSON"
    if type(payload) is not dict or _dumps(payload, None, orjson.OPT_SORT_KEYS) != text:
        return {}, "is not written canonically"
    return payload, ""
