"""What an Arrow column holds, as NumPy arrays: the values, and which of them are known.

Fixed-width values are looked at in Arrow's own buffer, nulls or not. What lies under a null is read along with the
rest and stays marked as not known. A column of another type than the catalogue's is the caller's fault and raises,
whatever its cells hold; a column of Arrow's `null` type fits every attribute and knows nothing.
"""

from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from personalise.language.terms import EXACT, Fact

Mask: TypeAlias = npt.NDArray[np.bool_]
Floats: TypeAlias = npt.NDArray[np.float64]
Integers: TypeAlias = npt.NDArray[np.int64]

SURE: Final[Mask] = np.ones(1, dtype=np.bool_)
"""Known for every customer, in one cell."""

NEVER: Final[Mask] = np.zeros(1, dtype=np.bool_)
"""Known for no customer, in one cell."""

_NAN: Final = np.array([np.nan]).view(np.int64)

_UNIT_MS: Final = {"s": (1_000, 1), "ms": (1, 1), "us": (1, 1_000), "ns": (1, 1_000_000)}
"""A timestamp's unit: a factor and a divisor to milliseconds."""


class Values(NamedTuple):
    """A number for each customer, both arrays (n_customers,); outside this package NaN where not `known`."""

    values: Floats
    known: Mask


class Whole(NamedTuple):
    """An integer for each customer, of whatever width, and where it is known; both (n_customers,)."""

    values: npt.NDArray[np.integer[Any]]
    known: Mask


class Times(NamedTuple):
    """Milliseconds since the epoch for each customer, and where they are known; both (n_customers,)."""

    values: Integers
    known: Mask


class Bits(NamedTuple):
    """True or false for each customer, and where that is known; both (n_customers,)."""

    values: Mask
    known: Mask


def both(left: Mask, right: Mask) -> Mask:
    """Return `left & right`, without the work where one of them is `SURE`.

    >>> both(SURE, np.array([True, False])).tolist()
    [True, False]
    """
    if right is SURE:
        return left
    return right if left is SURE else left & right


def nan_unless(known: Mask, values: Floats) -> Floats:
    """Return the values where they are known, and NaN elsewhere, without a branch a cell.

    On a mask without order, as permissions are, `np.where` guesses every other branch wrong: ten times as long.

    >>> nan_unless(np.array([True, False]), np.array([0.5, 1.0])).tolist()
    [0.5, nan]
    """
    kept = known.astype(np.int64)
    np.negative(kept, out=kept)  # all bits where known, none elsewhere
    shown: Integers = values.view(np.int64) & kept
    np.invert(kept, out=kept)
    kept &= _NAN
    shown |= kept
    return shown.view(np.float64)


def bits(column: pa.Array, fact: Fact | None = None) -> Bits:
    """Return a boolean column.

    Raises:
        TypeError: it is none.

    >>> values, known = bits(pa.array([True, None, False]))
    >>> (values & known).tolist(), known.tolist()
    ([True, False, False], [True, False, True])
    """
    if pa.types.is_null(column.type):
        return Bits(NEVER, NEVER)
    if not pa.types.is_boolean(column.type):
        raise _unlike(column, fact)
    return Bits(_unpacked(column.buffers()[1], column.offset, len(column)), _valid(column))


def numbers(column: pa.Array, fact: Fact | None = None) -> Values:
    """Return a column of integers or floats as float64; what is not finite or not exact is not known.

    Raises:
        TypeError: it is neither.

    >>> numbers(pa.array([1, None, 2**53 + 1])).known.tolist()
    [True, False, False]
    """
    if pa.types.is_null(column.type):
        return Values(np.zeros(1), NEVER)
    if pa.types.is_floating(column.type):
        floats = _fixed(column).astype(np.float64, copy=False)
        return Values(floats, both(np.isfinite(floats), _valid(column)))
    if not pa.types.is_integer(column.type):
        raise _unlike(column, fact)
    integers = whole(column)
    return Values(integers.values.astype(np.float64), integers.known)


def whole(column: pa.Array) -> Whole:
    """Return a column of integers where they are, not converted; what float64 can't tell apart is not known.

    >>> whole(pa.array([7, None], type=pa.int8())).known.tolist()
    [True, False]
    """
    integers = _fixed(column)
    return Whole(integers, both(_exact(integers), _valid(column)))


def times(column: pa.Array, fact: Fact | None = None) -> Times:
    """Return a column of timestamps, of any unit and zone, in whole milliseconds UTC, rounded down.

    Raises:
        TypeError: it is none.

    >>> times(pa.array([-1], type=pa.timestamp("us"))).values.tolist()
    [-1]
    """
    if pa.types.is_null(column.type):
        return Times(np.zeros(1, dtype=np.int64), NEVER)
    if not pa.types.is_timestamp(column.type):
        raise _unlike(column, fact)
    factor, divisor = _UNIT_MS[column.type.unit]
    ticks = _fixed(column)
    milliseconds = ticks * factor if factor > 1 else ticks // divisor if divisor > 1 else ticks
    return Times(milliseconds, both(_exact(ticks, EXACT * divisor // factor), _valid(column)))


def texts(column: pa.Array, fact: Fact | None = None) -> Any:  # noqa: ANN401 -- an Arrow array; pyarrow has no types
    """Return a column of text as Arrow keeps it, a dictionary or a view of it spelled out.

    Raises:
        TypeError: it is no text.

    >>> texts(pa.array(["a", None]).dictionary_encode()).to_pylist()
    ['a', None]
    """
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return column
    if pa.types.is_null(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind) or _is_view(kind):
        return column.cast(pa.string())
    raise _unlike(column, fact)


def _is_view(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string_view(kind))


def _unlike(column: pa.Array, fact: Fact | None) -> TypeError:
    what = f"{fact.name} is {fact.type} in the catalogue" if fact is not None else "the column"
    return TypeError(f"{what}, and {column.type} in the table")


def _fixed(column: pa.Array) -> npt.NDArray[Any]:
    """Return the values of a fixed-width column where they are, those under nulls included."""
    dtype = np.dtype(np.int64 if pa.types.is_timestamp(column.type) else column.type.to_pandas_dtype())
    buffer = column.buffers()[1]
    if buffer is None or not len(column):
        return np.zeros(len(column), dtype=dtype)
    return np.frombuffer(buffer, dtype=dtype, count=len(column), offset=column.offset * dtype.itemsize)


def _exact(integers: npt.NDArray[Any], limit: int = EXACT) -> Mask:
    """Return where integers are within ± `limit`; one look at the extremes settles it for nearly every column."""
    if not integers.size or (integers.min() >= -limit and integers.max() <= limit):
        return SURE
    return (integers >= -limit) & (integers <= limit)


def _valid(column: pa.Array) -> Mask:
    """Return where a column is not null."""
    if not column.null_count:
        return SURE
    return _unpacked(column.buffers()[0], column.offset, len(column))


def _unpacked(buffer: pa.Buffer | None, offset: int, length: int) -> Mask:
    """Return bits, least significant first, as one byte each."""
    if buffer is None or not length:
        return np.zeros(length, dtype=np.bool_)
    first, skip = divmod(offset, 8)
    packed = np.frombuffer(buffer, dtype=np.uint8, count=(skip + length + 7) // 8, offset=first)
    return np.unpackbits(packed, bitorder="little")[skip : skip + length].view(np.bool_)
