"""PURE: can a condition come out true at all, and can it come out false? One that can't tells no customers apart.

Only the borders matter: between two numbers that an attribute is compared with, each answer stays the same. So a few
values for each stand for all there are, and every way to combine them is tried. What asks otherwise (two attributes
compared, a pattern) may be true or false whatever the rest is: more is held to be possible than is, never less.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise, product
from math import ceil, floor, prod
from operator import eq, ge, gt, le, lt, ne
from typing import Any, Final, NamedTuple, TypeAlias

import pyarrow as pa

from personalise.language.columns import Frame
from personalise.language.terms import (
    And,
    Between,
    Comparison,
    Condition,
    Constant,
    Fact,
    Node,
    Not,
    OneOf,
    Or,
    Sign,
    nodes,
)

MOST: Final = 20_000
"""Combinations of values that are tried."""

_TESTS: Final[dict[Sign, Callable[[Any, Any], bool]]] = {"=": eq, "<>": ne, "<": lt, "<=": le, ">": gt, ">=": ge}
_FLIPPED: Final[dict[Sign, Sign]] = {"=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_ONE_ROW: Final = pa.table({"": [0]})

Value: TypeAlias = float | str | bool


class Possible(NamedTuple):
    """Which answers there can be, of customers of whom all is known."""

    true: bool
    false: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Leaf:
    """One question: about what, by which test, and the values at which its answer may change."""

    about: Node
    test: Callable[[Any], bool]
    borders: tuple[Value, ...] = ()


def possible(condition: Condition, *, at: datetime) -> Possible | None:
    """Return which answers a condition can have; None where there are too many combinations to try.

    >>> from personalise.language.expressions import condition
    >>> from consent.catalogue.model import Attribute
    >>> age = {"age": Attribute(name="age", category="identity", type="integer")}
    >>> [possible(condition(text, age), at=datetime(2026, 11, 21)) for text in ("age > 3 AND age < 4", "age > 3")]
    [Possible(true=False, false=True), Possible(true=True, false=True)]
    """
    return _possible(condition.tree, at)


def _possible(tree: Node, at: datetime) -> Possible | None:
    if isinstance(tree, And | Or):
        found = [_tried(type(tree)(parts=tuple(parts)), at) for parts in _apart(tree.parts, at)]
        known = [each for each in found if each is not None]
        if len(known) < len(found):
            return None
        true, false = [each.true for each in known], [each.false for each in known]
        return Possible(all(true), any(false)) if isinstance(tree, And) else Possible(any(true), all(false))
    return _tried(tree, at)


def _apart(parts: Sequence[Node], at: datetime) -> list[list[Node]]:
    """Return parts in groups that ask about nothing in common: what one of them answers doesn't bear on the others."""
    groups: list[tuple[set[Node], list[Node]]] = []
    for part in parts:
        about, mine = {leaf.about for leaf in _leaves(part, at).values()}, [part]
        for group in [each for each in groups if each[0] & about]:
            groups.remove(group)
            about, mine = about | group[0], [*group[1], *mine]
        groups.append((about, mine))
    return [mine for _, mine in groups]


def _tried(tree: Node, at: datetime) -> Possible | None:
    leaves = _leaves(tree, at)
    values = {about: _values(about, leaves.values()) for about in {leaf.about for leaf in leaves.values()}}
    if prod(len(each) for each in values.values()) > MOST:
        return None
    found = set()
    for chosen in product(*values.values()):
        by = dict(zip(values, chosen, strict=True))
        found.add(_answer(tree, leaves, by))
        if len(found) > 1:
            break
    return Possible(true=True in found, false=False in found)


def _answer(node: Node, leaves: dict[Node, _Leaf], by: dict[Node, Value]) -> bool:
    match node:
        case And():
            return all(_answer(part, leaves, by) for part in node.parts)
        case Or():
            return any(_answer(part, leaves, by) for part in node.parts)
        case Not():
            return not _answer(node.of, leaves, by)
        case _:
            leaf = leaves[node]
            return leaf.test(by[leaf.about])


def _leaves(tree: Node, at: datetime) -> dict[Node, _Leaf]:
    """Return every question below the ANDs, ORs and NOTs."""
    return {node: _leaf(node, at) for node in _questions(tree)}


def _questions(tree: Node) -> Iterator[Node]:
    if isinstance(tree, And | Or | Not):
        for part in tree.operands:
            yield from _questions(part)
    else:
        yield tree


def _leaf(node: Node, at: datetime) -> _Leaf:
    if not any(isinstance(each, Fact) for each in nodes(node)):
        truth = Frame(_ONE_ROW, at=at).holds(Condition(text="", tree=node, attributes=_NO, categories=_NO))
        settled = bool(truth.true[0])
        return _Leaf(about=_NOBODY, test=lambda _: settled)
    match node:
        case Comparison(left=left, sign=sign, right=Constant() as right) if _ordered(left, sign):
            return _compared(left, sign, right.value)
        case Comparison(left=Constant() as left, sign=sign, right=right) if _ordered(right, sign):
            return _compared(right, _FLIPPED[sign], left.value)
        case Between(value=value, low=Constant() as low, high=Constant() as high) if value.kind == "number":
            ends: tuple[Any, Any] = (low.value, high.value)
            return _Leaf(about=value, test=lambda it: ends[0] <= it <= ends[1], borders=ends)
        case OneOf(value=value, options=options) if value.kind in ("number", "text"):
            among = tuple(each.value for each in options)
            return _Leaf(about=value, test=lambda it: it in among, borders=among)
    return _Leaf(about=node, test=bool)


def _ordered(about: Node, sign: Sign) -> bool:
    """Say whether a few values stand for all, for a comparison with a constant: of texts, only where they are equal."""
    return about.kind in ("number", "boolean") or (about.kind == "text" and sign in ("=", "<>"))


def _compared(about: Node, sign: Sign, border: Value) -> _Leaf:
    return _Leaf(about=about, test=lambda it: _TESTS[sign](it, border), borders=(border,))


def _values(about: Node, leaves: Iterable[_Leaf]) -> list[Value]:
    """Return values of what is asked about that stand for all there are."""
    if about.kind == "boolean":
        return [True, False] if about != _NOBODY else [True]
    borders = {border for leaf in leaves if leaf.about == about for border in leaf.borders}
    if about.kind == "text":
        texts = sorted(str(each) for each in borders)
        return [*texts, "".join(texts) + "…"]
    numbers = sorted(float(each) for each in borders)
    if isinstance(about, Fact) and about.type == "integer":
        near = {value + step for each in numbers for value in (floor(each), ceil(each)) for step in (-1, 0, 1)}
        return sorted(float(each) for each in near)
    between = [low + (high - low) / 2 for low, high in pairwise(numbers)]
    return [numbers[0] - 1, *numbers, *between, numbers[-1] + 1]


_NO: Final = frozenset[str]()
_NOBODY: Final = Constant(value=True, yields="boolean")
"""What a question is about that reads nothing of a customer."""
