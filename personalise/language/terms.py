"""An expression as values: a small typed tree, its canonical text, what it reads.

The whole language is the classes of this module; what has no class here can't be said. A tree is immutable,
hashable and picklable, holds nothing of the parser, and writes itself as canonical SQL: equal trees have equal
texts, so a policy's hash covers the text. Chains (`a AND b AND c`, `a + b - c`) are one node each, left to right.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Final, Literal, TypeAlias

from typing_extensions import override

Kind: TypeAlias = Literal["boolean", "number", "text", "time"]
"""What a node yields for a customer; "boolean" is true, false or unknown."""

AttributeType: TypeAlias = Literal["boolean", "integer", "number", "text", "time"]
Sign: TypeAlias = Literal["=", "<>", "<", "<=", ">", ">="]
Function: TypeAlias = Literal["ABS", "ROUND", "LEAST", "GREATEST", "LOWER", "DAYS_SINCE", "MONTHS_SINCE"]

KEYWORDS: Final = frozenset(
    {"AND", "BETWEEN", "CASE", "ELSE", "END", "FALSE", "IN", "LIKE", "NOT", "OR", "THEN", "TRUE", "WHEN"}
)
RESERVED: Final = KEYWORDS | {"IS", "NULL"}
"""Words that never name an attribute unless in double quotes."""

EXACT: Final = 2**53
"""Integers up to here, and milliseconds, have an exact float64; beyond, two of them would look equal."""

_PLAIN_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
# How tightly an operation binds; an operand that binds less is written in parentheses.
_OR, _AND, _NOT, _PREDICATE, _SUM, _PRODUCT, _MINUS, _ATOM = range(1, 9)


class Node:
    """One operation of an expression, with its operands."""

    __slots__ = ()
    binds: ClassVar[int] = _ATOM

    @property
    def kind(self) -> Kind:
        """What the node yields."""
        return "boolean"

    @property
    def operands(self) -> tuple["Node", ...]:
        """The nodes below, in the order of the text."""
        return ()

    def _negated(self) -> str:
        return f"NOT {_within(self, _NOT)}"


class _Quantity(Node):
    """A node that yields a number."""

    __slots__ = ()

    @property
    @override
    def kind(self) -> Kind:
        return "number"


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant(Node):
    """A literal: a finite float, a text, or a truth; `yields` keeps 1 and TRUE apart, which Python calls equal."""

    value: float | str | bool
    yields: Kind

    @property
    @override
    def kind(self) -> Kind:
        return self.yields

    @override
    def __str__(self) -> str:
        if isinstance(self.value, str):
            return "'" + self.value.replace("'", "''") + "'"
        if isinstance(self.value, bool):
            return "TRUE" if self.value else "FALSE"
        exact = self.value.is_integer() and abs(self.value) <= EXACT
        return str(int(self.value)) if exact else repr(self.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact(Node):
    """What is known and permitted of one attribute of a customer; else unknown."""

    name: str
    type: AttributeType

    @property
    @override
    def kind(self) -> Kind:
        return "number" if self.type == "integer" else self.type

    @override
    def __str__(self) -> str:
        plain = _PLAIN_NAME.fullmatch(self.name) and self.name.upper() not in RESERVED
        return self.name if plain else '"' + self.name.replace('"', '""') + '"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Or(Node):
    """True where one part is true, false where all are false."""

    binds: ClassVar[int] = _OR
    parts: tuple[Node, ...]

    @property
    @override
    def operands(self) -> tuple[Node, ...]:
        return self.parts

    @override
    def __str__(self) -> str:
        return " OR ".join(_within(part, _AND) for part in self.parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class And(Node):
    """True where all parts are true, false where one is false."""

    binds: ClassVar[int] = _AND
    parts: tuple[Node, ...]

    @property
    @override
    def operands(self) -> tuple[Node, ...]:
        return self.parts

    @override
    def __str__(self) -> str:
        return " AND ".join(_within(part, _NOT) for part in self.parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Not(Node):
    """True and false exchanged; unknown stays unknown."""

    binds: ClassVar[int] = _NOT
    of: Node

    @property
    @override
    def operands(self) -> tuple[Node, ...]:
        return (self.of,)

    @override
    def __str__(self) -> str:
        return self.of._negated()  # noqa: SLF001 -- a node of this module


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison(Node):
    """Two values of one kind compared; text by code point, unknown where either side is."""

    binds: ClassVar[int] = _PREDICATE
    left: Node
    sign: Sign
    right: Node

    @property
    @override
    def operands(self) -> tuple[Node, ...]:
        return (self.left, self.right)

    @override
    def __str__(self) -> str:
        return f"{_within(self.left, _SUM)} {self.sign} {_within(self.right, _SUM)}"


class _Predicate(Node, ABC):
    """A question about one value, which SQL negates inside: `a NOT IN (1)`."""

    __slots__ = ()
    binds: ClassVar[int] = _PREDICATE

    @abstractmethod
    def _asks(self) -> tuple[Node, str]:
        """Return the value asked about, and the question as it is written behind it."""

    @override
    def _negated(self) -> str:
        value, question = self._asks()
        return f"{_within(value, _SUM)} NOT {question}"

    @override
    def __str__(self) -> str:
        value, question = self._asks()
        return f"{_within(value, _SUM)} {question}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Between(_Predicate):
    """`value >= low AND value <= high`, both ends included."""

    value: Node
    low: Node
    high: Node

    @property
    @override
    def operands(self) -> tuple[Node, ...]:
        return (self.value, self.low, self.high)

    @override
    def _asks(self) -> tuple[Node, str]:
        return self.value, f"BETWEEN {_within(self.low, _SUM)} AND {_within(self.high, _SUM)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class OneOf(_Predicate):
    """The value is one of the literals."""

    value: Node
    options: tuple[Constant, ...]

    @property
    @override
    def operands(self) -> tuple[Node, ...]:
        return (self.value, *self.options)

    @override
    def _asks(self) -> tuple[Node, str]:
        return self.value, f"IN ({', '.join(map(str, self.options))})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Like(_Predicate):
    """The whole text fits the pattern: `%` any characters, `_` exactly one; case matters; nothing is escaped."""

    value: Node
    pattern: Constant

    @property
    @override
    def operands(self) -> tuple[Node, ...]:
        return (self.value, self.pattern)

    @override
    def _asks(self) -> tuple[Node, str]:
        return self.value, f"LIKE {self.pattern}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum(_Quantity):
    """Terms added and subtracted, strictly from left to right."""

    binds: ClassVar[int] = _SUM
    first: Node
    rest: tuple[tuple[Literal["+", "-"], Node], ...]

    @property
    @override
    def operands(self) -> tuple[Node, ...]:
        return (self.first, *(term for _, term in self.rest))

    @override
    def __str__(self) -> str:
        return _within(self.first, _PRODUCT) + "".join(f" {sign} {_within(term, _PRODUCT)}" for sign, term in self.rest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Product(_Quantity):
    """Factors multiplied and divided, strictly from left to right; x / 0 is unknown, 1 / 2 is 0.5."""

    binds: ClassVar[int] = _PRODUCT
    first: Node
    rest: tuple[tuple[Literal["*", "/"], Node], ...]

    @property
    @override
    def operands(self) -> tuple[Node, ...]:
        return (self.first, *(factor for _, factor in self.rest))

    @override
    def __str__(self) -> str:
        return _within(self.first, _MINUS) + "".join(f" {sign} {_within(term, _MINUS)}" for sign, term in self.rest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Negative(_Quantity):
    """The number with the other sign."""

    binds: ClassVar[int] = _MINUS
    of: Node

    @property
    @override
    def operands(self) -> tuple[Node, ...]:
        return (self.of,)

    @override
    def __str__(self) -> str:
        return f"-{_within(self.of, _ATOM)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Node):
    """A function of the language; unknown where any argument is, LEAST and GREATEST too (PostgreSQL skips nulls)."""

    function: Function
    arguments: tuple[Node, ...]

    @property
    @override
    def kind(self) -> Kind:
        return "text" if self.function == "LOWER" else "number"

    @property
    @override
    def operands(self) -> tuple[Node, ...]:
        return self.arguments

    @override
    def __str__(self) -> str:
        return f"{self.function}({', '.join(map(str, self.arguments))})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice(_Quantity):
    """CASE: the number of the first branch that is true; unknown as soon as a condition before it is unknown."""

    branches: tuple[tuple[Node, Node], ...]
    otherwise: Node

    @property
    @override
    def operands(self) -> tuple[Node, ...]:
        return (*(node for branch in self.branches for node in branch), self.otherwise)

    @override
    def __str__(self) -> str:
        branches = " ".join(f"WHEN {test} THEN {number}" for test, number in self.branches)
        return f"CASE {branches} ELSE {self.otherwise} END"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A question with the answers true, false and unknown; `text` is canonical and reads back to the same tree."""

    text: str
    tree: Node
    attributes: frozenset[str]
    categories: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A number for each customer, or unknown; `text` is canonical and reads back to the same tree."""

    text: str
    tree: Node
    attributes: frozenset[str]
    categories: frozenset[str]


def nodes(tree: Node) -> Iterator[Node]:
    """Return `tree` and every node below it, each before its operands.

    >>> zero = Constant(value=0.0, yields="number")
    >>> [type(node).__name__ for node in nodes(Not(of=Comparison(left=zero, sign="<", right=zero)))]
    ['Not', 'Comparison', 'Constant', 'Constant']
    """
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(reversed(node.operands))


def _within(node: Node, least: int) -> str:
    """Return the text of an operand, in parentheses where it binds less than its place needs."""
    negative = isinstance(node, Constant) and not isinstance(node.value, str) and node.value < 0
    binds = _MINUS if negative else node.binds
    return f"({node})" if binds < least else str(node)
