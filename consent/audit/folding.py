"""PURE: what stands because of what was said, straight from payloads to the columns of a standing row.

The register folds statements one by one into `Standing` values; an audit folds millions. So this takes the usual words
(a yes, a no, a renewal: nothing but scopes, times and notices) as the JSON of the payload has them, sorts by the texts
of times (which sort as the times do), reads a time only where it still counts at the end, and packs records at once.
A history with anything else in it is folded by `permission.standing`. A property test holds the two against each other.
"""

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from consent.base.clock import to_ms
from consent.base.ids import CustomerId
from consent.permission.standing import (
    EMPTY,
    FOREVER,
    PENDING,
    RECORD_BYTES,
    VALID,
    Status,
    StoredStanding,
    fold,
    stored,
)
from consent.permission.statement import Act, Method, from_record

Said = Mapping[str, Any]
"""A statement as its payload holds it: what `Statement.record` wrote."""

Record = tuple[int, int, int, str, int]
"""What stands for one scope: status, flags, notice, when it ends (as written; "" for never), position."""

_Change = Callable[[dict[int, Record], int, Said, Mapping[str, int]], bool]
"""Takes a statement into the records, or answers that it is no usual one."""

_NOBODY: Final = CustomerId("")
_USUAL: Final = frozenset(
    {"act", "method", "said_at", "scopes", "notice_version", "language", "evidence", "notices", "valid_until",
     "awaiting", "material", "gains"}
)  # fmt: skip
_TIME_SIGNS: Final = 24
_NEVER_S: Final = 2**32 - 1
_UNKNOWN: Final[Record] = (int(Status.UNKNOWN), 0, 0, "", 0)
_PACKED: Final = struct.Struct("<BBHIQ")
_BLANK: Final = _PACKED.pack(Status.UNKNOWN, 0, 0, _NEVER_S, 0)
_NOTHING_SAID: Final = stored(EMPTY)
_STANDS: Final = frozenset(map(int, VALID))
_METHODS: Final = frozenset(str(each) for each in Method)
_GIVEN, _RENEWED, _INVALIDATED, _OBJECTED, _REQUESTED = map(
    int, (Status.GIVEN, Status.RENEWED, Status.INVALIDATED, Status.OBJECTED, Status.REQUESTED)
)
_ENDS: Final[Mapping[str, int]] = {
    str(Act.OBJECT): _OBJECTED,
    str(Act.REFUSE): int(Status.REFUSED),
    str(Act.WITHDRAW): int(Status.WITHDRAWN),
    str(Act.REQUEST): _REQUESTED,
}


def folded(history: Sequence[tuple[int, Said]], bits: Mapping[str, int]) -> StoredStanding:
    """Fold statements into the row that they make: by time said, ties by position.

    Args:
        history: (ledger position, statement), in the order of the ledger.
        bits: the bit of each scope.

    Raises:
        KeyError: something names a scope that has no bit, or lacks what every statement has.
        TypeError: something is not of its type.
        ValueError: an act, a method or a time is none, or lists are not of one length.

    >>> folded([], {}).counter
    0
    """
    records: dict[int, Record] = {}
    ordered = _by_time(history)
    for position, said in ordered:
        change = _CHANGES.get(said["act"])
        if change is None or not change(records, position, said, bits):
            return stored(fold(((place, from_record(_NOBODY, each)) for place, each in history), bits))
    return _row(records, last_said=_ms(ordered[-1][1]["said_at"]) if ordered else 0, counter=len(history))


def _by_time(history: Sequence[tuple[int, Said]]) -> Sequence[tuple[int, Said]]:
    before = ""
    for _, said in history:
        at = said["said_at"]
        if len(at) != _TIME_SIGNS or at[-1] != "Z" or said["method"] not in _METHODS:
            raise ValueError("a statement is not as statements are recorded")
        if at < before:
            return sorted(history, key=_when)
        before = at
    return history


def _when(one: tuple[int, Said]) -> tuple[str, int]:
    return one[1]["said_at"], one[0]


def _granted(records: dict[int, Record], position: int, said: Said, bits: Mapping[str, int]) -> bool:
    awaiting = said.get("awaiting", ())
    for scope, notice, end in _each(said):
        bit = bits[scope]
        flags = 0
        if scope in awaiting:
            was = records.get(bit, _UNKNOWN)
            if was[0] in _STANDS and not was[1]:
                return False  # confirmed before: whether it stays so depends on more
            flags = PENDING
        records[bit] = (_GIVEN, flags, notice, end, position)
    return said.keys() <= _USUAL


def _renewed(records: dict[int, Record], position: int, said: Said, bits: Mapping[str, int]) -> bool:
    for scope, notice, end in _each(said):
        bit = bits[scope]
        was = records.get(bit, _UNKNOWN)
        if was[0] in _STANDS:
            records[bit] = (_RENEWED, was[1], notice or was[2], end, position)
    return said.keys() <= _USUAL


def _invalidated(records: dict[int, Record], position: int, said: Said, bits: Mapping[str, int]) -> bool:
    for scope in said["scopes"]:
        bit = bits[scope]
        was = records.get(bit, _UNKNOWN)
        if was[0] in _STANDS:
            records[bit] = (_INVALIDATED, 0, was[2], "", position)
    return said.keys() <= _USUAL


def _ended(records: dict[int, Record], position: int, said: Said, bits: Mapping[str, int]) -> bool:
    if "scopes" not in said:
        return False  # a browser's opt-out
    status = _ENDS[said["act"]]
    for scope, notice, _ in _each(said):
        bit = bits[scope]
        was = records.get(bit, _UNKNOWN)[0]
        # An objection outlives a refusal or withdrawal; a request never undoes an answer.
        if (was != _OBJECTED or status == _OBJECTED) and not (was and status == _REQUESTED):
            records[bit] = (status, 0, notice, "", position)
    return said.keys() <= _USUAL


_CHANGES: Final[Mapping[str, _Change]] = {
    str(Act.GRANT): _granted,
    str(Act.RENEW): _renewed,
    str(Act.INVALIDATE): _invalidated,
    **dict.fromkeys(_ENDS, _ended),
}


def _each(said: Said) -> Iterator[tuple[str, int, str]]:
    """Walk the scopes with the notice version shown for each, and when each ends."""
    scopes = said["scopes"]
    notices = said.get("notices") or (0,) * len(scopes)
    ends = said.get("valid_until") or ("",) * len(scopes)
    return zip(scopes, notices, ends, strict=True)


@lru_cache(maxsize=1 << 12)
def _ms(text: str) -> int:
    return to_ms(datetime.fromisoformat(text))


def _row(records: Mapping[int, Record], *, last_said: int, counter: int) -> StoredStanding:
    top = max(records, default=-1) + 1
    mask, ends = 0, FOREVER
    scopes = bytearray(_BLANK * top)
    for bit, (status, flags, notice, end, position) in records.items():
        expires = max(0, min(_ms(end) // 1000, _NEVER_S)) if end else _NEVER_S
        _PACKED.pack_into(scopes, bit * RECORD_BYTES, status, flags, notice, expires, position)
        if status in _STANDS and not flags:
            mask |= 1 << bit
            if expires != _NEVER_S:
                ends = min(ends, expires * 1000)
    return _NOTHING_SAID._replace(
        mask=mask.to_bytes((top + 63) // 64 * 8, "little"),
        next_expiry=ends,
        last_said=last_said,
        counter=counter,
        scopes=bytes(scopes),
    )
