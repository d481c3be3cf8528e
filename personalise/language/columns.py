"""Expressions over columns: a whole chunk of customers at once, in three-valued logic.

A null, a column that isn't there, a NaN and an infinity are all the same UNKNOWN: neither true nor false. UNKNOWN
in gives UNKNOWN out wherever the rest doesn't settle the answer (`FALSE AND x` is false, `TRUE OR x` is true).

Every operation is elementwise on float64, int64 or text, with nothing summed across rows and no BLAS, so that a
customer alone gets the same bits as in a batch. Bytes under a null are read and never matter. Numeric columns are
looked at where Arrow keeps them; integers are converted when they are calculated with, once a chunk. A `Frame` works
out each distinct sub-expression once, however many candidates ask it.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from consent.base.clock import to_ms
from personalise.language.cells import (
    NEVER,
    SURE,
    Bits,
    Floats,
    Integers,
    Times,
    Values,
    Whole,
    bits,
    both,
    nan_unless,
    numbers,
    texts,
    times,
    whole,
)
from personalise.language.kleene import Truth, conjunction, negated, same, settled
from personalise.language.terms import (
    And,
    Between,
    Call,
    Choice,
    Comparison,
    Condition,
    Constant,
    Fact,
    Like,
    Negative,
    Node,
    Not,
    Number,
    OneOf,
    Or,
    Product,
    Sign,
    Sum,
)

__all__ = ["Column", "Frame", "Table", "Truth", "Values", "holds", "value"]

Column: TypeAlias = pa.Array | pa.ChunkedArray
Table: TypeAlias = pa.Table | pa.RecordBatch | Mapping[str, Column]

DAY_MS: Final = 86_400_000


_NOWHERE: Final = pa.nulls(1)
"""Stands for a column that isn't there."""


def holds(condition: Condition, table: Table, *, at: datetime) -> Truth:
    """Return for whom the condition is true and for whom it is false.

    Raises:
        TypeError: a column's Arrow type is not what the catalogue says of the attribute.
        Invalid: `at` has no time zone.

    >>> from datetime import UTC
    >>> from personalise.language.expressions import condition
    >>> from consent.catalogue.model import Attribute
    >>> recent = condition("months <= 6", {"months": Attribute(name="months", category="purchases", type="integer")})
    >>> truth = holds(recent, {"months": pa.array([1, 9, None])}, at=datetime(2026, 11, 21, tzinfo=UTC))
    >>> truth.true.tolist(), truth.false.tolist()
    ([True, False, False], [False, True, False])
    """
    return Frame(table, at=at).holds(condition)


def value(number: Number, table: Table, *, at: datetime) -> Values:
    """Return the number for each customer, and for whom it is known.

    Raises:
        TypeError: a column's Arrow type is not what the catalogue says of the attribute.
        Invalid: `at` has no time zone.

    >>> from datetime import UTC
    >>> from personalise.language.expressions import number
    >>> from consent.catalogue.model import Attribute
    >>> score = number("0.5 + 1 / visits", {"visits": Attribute(name="visits", category="web", type="integer")})
    >>> scores = value(score, {"visits": pa.array([2, 0, None])}, at=datetime(2026, 11, 21, tzinfo=UTC))
    >>> scores.values.tolist(), scores.known.tolist()
    ([1.0, nan, nan], [True, False, False])
    """
    return Frame(table, at=at).value(number)


class Frame:
    """The columns of one chunk at one instant, with all that was worked out on them so far.

    The arrays it returns are shared between those who ask the same, and read-only.
    """

    __slots__ = ("_at_ms", "_columns", "_integers", "_numbers", "_table", "_texts", "_times", "_truths", "rows")

    def __init__(self, table: Table, *, at: datetime) -> None:
        self._table = table
        self._at_ms = to_ms(at)
        self.rows: int = _rows(table)
        self._columns: dict[str, pa.Array] = {}
        self._integers: dict[Node, Whole] = {}
        self._truths: dict[Node, Truth] = {}
        self._numbers: dict[Node, Values] = {}
        self._times: dict[Node, Times] = {}
        self._texts: dict[Node, Any] = {}

    def holds(self, condition: Condition) -> Truth:
        """Return for whom the condition is true and for whom it is false."""
        with np.errstate(all="ignore"):
            truth = self._truth(condition.tree)
        return Truth(true=self._spread(truth.true), false=self._spread(truth.false))

    def value(self, number: Number) -> Values:
        """Return the number for each customer, and for whom it is known."""
        with np.errstate(all="ignore"):
            values, known = self._number(number.tree)
        unsigned = values + 0.0  # zero has no sign: -0.0 would be equal to 0.0 with other bits
        shown = unsigned if known is SURE else nan_unless(known, unsigned)
        return Values(self._spread(shown), self._spread(known))

    def _spread(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return the array with one value a customer, read-only: a constant has only one so far."""
        if len(array) != self.rows:
            return np.broadcast_to(array, (self.rows,))
        array.flags.writeable = False
        return array

    def _column(self, node: Fact) -> pa.Array:
        """Return the column in one piece; a null where it isn't there."""
        found = self._columns.get(node.name)
        if found is None:
            names = self._table if isinstance(self._table, Mapping) else self._table.schema.names
            found = self._table[node.name] if node.name in names else _NOWHERE
            if isinstance(found, pa.ChunkedArray):
                found = found.chunk(0) if found.num_chunks == 1 else found.combine_chunks()
            if found is not _NOWHERE and len(found) != self.rows:
                raise ValueError(f"{node.name} has {len(found)} cells, the first column {self.rows}")
            self._columns[node.name] = found
        return found

    # ------------------------------------------------------------------------------------------------- true or false

    def _truth(self, node: Node) -> Truth:
        truth = self._truths.get(node)
        if truth is None:
            truth = self._truths[node] = self._connective(node)
        return truth

    def _connective(self, node: Node) -> Truth:
        match node:
            case And():
                return conjunction([self._truth(part) for part in node.parts])
            case Or():
                return negated(conjunction([negated(self._truth(part)) for part in node.parts]))
            case Not():
                return negated(self._truth(node.of))
            case Constant():
                return Truth(true=SURE, false=NEVER) if node.value else Truth(true=NEVER, false=SURE)
            case Fact():
                return settled(bits(self._column(node), node))
            case _:
                return self._predicate(node)

    def _predicate(self, node: Node) -> Truth:
        match node:
            case Comparison():
                return self._comparison(node.left, node.sign, node.right)
            case Between():
                return conjunction(
                    [self._comparison(node.value, ">=", node.low), self._comparison(node.value, "<=", node.high)]
                )
            case OneOf() if node.value.kind == "text":
                text = self._text(node.value)
                options = pa.array([option.value for option in node.options], type=text.type)
                known = _answer(pc.is_valid(text)).true
                return settled(Bits(_answer(pc.is_in(text, value_set=options)).true, known))
            case OneOf():
                values, known = self._number(node.value)
                return settled(Bits(np.isin(values, [option.value for option in node.options]), known))
            case Like():
                return _answer(pc.match_like(self._text(node.value), node.pattern.value))
            case _:
                raise TypeError(f"{type(node).__name__} is no condition")

    def _comparison(self, left: Node, sign: Sign, right: Node) -> Truth:
        match left.kind:
            case "boolean":
                alike = same(self._truth(left), self._truth(right))
                return alike if sign == "=" else negated(alike)
            case "text":
                return _answer(_TEXT_COMPARED[sign](self._text(left), self._text(right)))
            case "time":
                before, after = self._time(left), self._time(right)
                return settled(Bits(_COMPARED[sign](before.values, after.values), both(before.known, after.known)))
            case "number":
                direct = self._whole(left, sign, right)
                if direct is not None:
                    return direct
                less, more = self._number(left), self._number(right)
                return settled(Bits(_COMPARED[sign](less.values, more.values), both(less.known, more.known)))

    def _whole(self, left: Node, sign: Sign, right: Node) -> Truth | None:
        """Compare stored integers with an integer literal as they are: the same answer as in float64, sooner."""
        if not isinstance(left, Fact) or not isinstance(right, Constant):
            return None
        column, literal = self._column(left), float(right.value)
        if not pa.types.is_integer(column.type) or not literal.is_integer():
            return None
        if left not in self._integers:
            self._integers[left] = whole(column)
        integers, known = self._integers[left]
        return settled(Bits(_COMPARED[sign](integers, int(literal)), known))

    # ------------------------------------------------------------------------------------------------------- numbers

    def _number(self, node: Node) -> Values:
        found = self._numbers.get(node)
        if found is None:
            found = self._numbers[node] = self._calculated(node)
        return found

    def _calculated(self, node: Node) -> Values:
        match node:
            case Constant():
                return Values(np.full(1, node.value, dtype=np.float64), SURE)
            case Fact():
                return numbers(self._column(node), node)
            case Sum() | Product():
                return self._chain(node)
            case Negative():
                values, known = self._number(node.of)
                return Values(-values, known)
            case Choice():
                return self._choice(node)
            case Call():
                return self._call(node)
            case _:
                raise TypeError(f"{type(node).__name__} is no number")

    def _chain(self, node: Sum | Product) -> Values:
        """Once infinite or NaN, a chain stays so: one look at its end finds every overflow and every x / 0."""
        values, known = self._number(node.first)
        for sign, operand in node.rest:
            other = self._number(operand)
            values = _CALCULATED[sign](values, other.values)
            known = both(known, other.known)
        return Values(values, both(np.isfinite(values), known))

    def _choice(self, node: Choice) -> Values:
        values, known, still = np.zeros(1), NEVER, SURE
        for test, number in node.branches:
            truth, then = self._truth(test), self._number(number)
            taken = both(truth.true, still)
            values = np.where(taken, then.values, values)
            known = known | both(taken, then.known)
            still = both(truth.false, still)
        otherwise = self._number(node.otherwise)
        return Values(np.where(still, otherwise.values, values), known | both(still, otherwise.known))

    def _call(self, node: Call) -> Values:
        if node.function in {"DAYS_SINCE", "MONTHS_SINCE"}:
            moments = self._time(node.arguments[0])
            since = _days_since if node.function == "DAYS_SINCE" else _months_since
            return Values(since(moments.values, self._at_ms).astype(np.float64), moments.known)
        values, known = self._number(node.arguments[0])
        if node.function in {"ABS", "ROUND"}:
            return Values(np.abs(values) if node.function == "ABS" else _rounded(values), known)
        for operand in node.arguments[1:]:
            other = self._number(operand)
            first = values <= other.values if node.function == "LEAST" else values >= other.values
            values = np.where(first, values, other.values)
            known = both(known, other.known)
        return Values(values, known)

    # ------------------------------------------------------------------------------------------------ times and texts

    def _time(self, node: Node) -> Times:
        found = self._times.get(node)
        if found is None:
            if not isinstance(node, Fact):
                raise TypeError(f"{type(node).__name__} is no time")
            found = self._times[node] = times(self._column(node), node)
        return found

    def _text(self, node: Node) -> Any:  # noqa: ANN401 -- an Arrow string array or scalar; pyarrow has no types
        found = self._texts.get(node)
        if found is None:
            found = self._texts[node] = self._written(node)
        return found

    def _written(self, node: Node) -> Any:  # noqa: ANN401 -- as above
        match node:
            case Call():
                return pc.utf8_lower(self._text(node.arguments[0]))
            case Fact():
                column = self._column(node)
                return pa.scalar(None, pa.string()) if column is _NOWHERE else texts(column, node)
            case Constant():
                return pa.scalar(node.value, pa.string())
            case _:
                raise TypeError(f"{type(node).__name__} is no text")


# ------------------------------------------------------------------------------------------------ what is done to them

_COMPARED: Final[Mapping[Sign, Callable[[Any, Any], Any]]] = {
    "=": np.equal,
    "<>": np.not_equal,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
}
_TEXT_COMPARED: Final[Mapping[Sign, Callable[[Any, Any], Any]]] = {
    "=": pc.equal,
    "<>": pc.not_equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}
_CALCULATED: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
}


def _rows(table: Table) -> int:
    if isinstance(table, Mapping):
        return len(next(iter(table.values()), ()))
    return int(table.num_rows)


def _answer(result: Any) -> Truth:  # noqa: ANN401 -- an Arrow boolean array or scalar; pyarrow has no types
    return settled(bits(pa.array([result.as_py()], pa.bool_()) if isinstance(result, pa.Scalar) else result))


def _rounded(values: Floats) -> Floats:
    """Return the nearest whole number, halves away from zero; `x - trunc(x)` is exact, `trunc(x + 0.5)` is not."""
    whole = np.trunc(values)
    return np.where(np.abs(values - whole) >= 0.5, whole + np.copysign(1.0, values), whole)  # noqa: PLR2004 -- a half


def _days_since(moments: Integers, at_ms: int) -> Integers:
    """Return whole days of 24 hours gone by, rounded down; negative for a time to come."""
    return (at_ms - moments) // DAY_MS


def _months_since(moments: Integers, at_ms: int) -> Integers:
    """Return whole calendar months (UTC) gone by: one is complete when day and time of day are reached again.

    From January 31 to February 28 none is, to March 1 one is; negative, rounded down, for a time to come.
    """
    then, now = (each.astype("datetime64[ms]").astype("datetime64[M]") for each in (moments, np.array([at_ms])))
    into_then = moments - then.astype("datetime64[ms]").astype(np.int64)
    into_now = at_ms - now.astype("datetime64[ms]").astype(np.int64)
    months: Integers = now.astype(np.int64) - then.astype(np.int64) - (into_then > into_now)
    return months
