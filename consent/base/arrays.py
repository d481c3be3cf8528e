"""Columns of values on their way to PostgreSQL: one parameter each, written at once.

psycopg asks of every value of a list what it is and how it is written; of a column that is known.

Source:
    PostgreSQL's `array_recv` (src/backend/utils/adt/arrayfuncs.c) for the form of a binary array, and
    https://www.psycopg.org/psycopg3/docs/advanced/adapt.html for how a type of one's own is written.
"""

import struct
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, ClassVar, Final

import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format
from typing_extensions import override

_HEAD: Final = struct.Struct("!iiIii")  # dimensions, whether there are nulls, the values' type; length, first index
_LENGTH: Final = struct.Struct("!i")
_NULL: Final = _LENGTH.pack(-1)
_YES, _NO = _LENGTH.pack(1) + b"\x01", _LENGTH.pack(1) + b"\x00"


class Column(tuple[Any, ...]):
    """The values of a column, None where there is none; of each type there is a class."""

    __slots__ = ()


class Texts(Column):
    """Texts; half of a surrogate pair is refused when they are written."""

    __slots__ = ()


class Blobs(Column):
    """Bytes."""

    __slots__ = ()


class Integers(Column):
    """Integers of 64 bits."""

    __slots__ = ()


class Truths(Column):
    """True or false."""

    __slots__ = ()


BY_TYPE: Final[dict[str, type[Column]]] = {"TEXT": Texts, "BYTEA": Blobs, "BIGINT": Integers, "BOOLEAN": Truths}
"""By the name that PostgreSQL has for the type of a column's values."""


class _ColumnDumper(Dumper):
    """Writes a column as a binary array of one dimension."""

    format = Format.BINARY
    of: ClassVar[int]
    """The number that PostgreSQL has for the type of its values."""

    @override
    def dump(self, obj: Column) -> bytes:
        if not obj:
            return _HEAD.pack(0, 0, self.of, 0, 0)[:12]
        return _HEAD.pack(1, None in obj, self.of, len(obj), 1) + self.values(obj)

    def values(self, column: Column) -> bytes:
        """Return the values, each behind its length."""
        raise NotImplementedError


class _Texts(_ColumnDumper):
    oid, of = 1009, 25

    @override
    def values(self, column: Column) -> bytes:
        return _varying(None if each is None else each.encode() for each in column)


class _Blobs(_ColumnDumper):
    oid, of = 1001, 17

    @override
    def values(self, column: Column) -> bytes:
        return _varying(column)


class _Integers(_ColumnDumper):
    oid, of = 1016, 20

    @override
    def values(self, column: Column) -> bytes:
        one = _integers(1)
        try:
            if None not in column:
                return _integers(len(column)).pack(*chain.from_iterable((8, each) for each in column))
            return b"".join([_NULL if each is None else one.pack(8, each) for each in column])
        except struct.error:
            raise psycopg.DataError("a column holds what is no integer of 64 bits") from None


class _Truths(_ColumnDumper):
    oid, of = 1000, 16

    @override
    def values(self, column: Column) -> bytes:
        return b"".join([_NULL if each is None else _YES if each else _NO for each in column])


@lru_cache(maxsize=64)
def _integers(count: int) -> struct.Struct:
    return struct.Struct("!" + "iq" * count)


def _varying(values: Iterable[Any]) -> bytes:
    """Return values whose lengths differ, each behind its length."""
    parts: list[Any] = []
    for each in values:
        if each is None:
            parts.append(_NULL)
        else:
            parts += (_LENGTH.pack(len(each)), each)
    return b"".join(parts)


for _kind, _dumper in ((Texts, _Texts), (Blobs, _Blobs), (Integers, _Integers), (Truths, _Truths)):
    psycopg.adapters.register_dumper(_kind, _dumper)


def columns(kinds: Sequence[type[Column]], rows: Sequence[tuple[Any, ...]]) -> list[Column]:
    """Return rows as columns, each as its kind is written."""
    return [kind(column) for kind, column in zip(kinds, zip(*rows, strict=True), strict=True)]
