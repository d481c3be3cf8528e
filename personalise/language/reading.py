"""The typed reading: sqlglot's tree against the allow-list of operations and the types of the catalogue.

A node of a class that is not named here, or with an argument that is not named here, is refused: a newer sqlglot
that reads a text in another way makes an error, never another meaning.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal, TypeAlias, cast

from sqlglot import exp

from personalise.language.lexemes import Fault, Lexeme
from personalise.language.shape import first_word, leaf, shape
from personalise.language.terms import (
    And,
    AttributeType,
    Between,
    Call,
    Choice,
    Comparison,
    Constant,
    Fact,
    Function,
    Kind,
    Like,
    Negative,
    Node,
    Not,
    OneOf,
    Or,
    Product,
    Sign,
    Sum,
)

MOST_NODES: Final = 200
LONGEST_PATTERN: Final = 100
MOST_WILDCARDS: Final = 8
"""`%` in one pattern. RE2 is linear in the text anyway; this bounds the factor."""

FUNCTIONS: Final[Mapping[str, tuple[Function, Kind, int, int]]] = {
    "ABS": ("ABS", "number", 1, 1),
    "ROUND": ("ROUND", "number", 1, 1),
    "LEAST": ("LEAST", "number", 2, MOST_NODES),
    "GREATEST": ("GREATEST", "number", 2, MOST_NODES),
    "LOWER": ("LOWER", "text", 1, 1),
    "DAYS_SINCE": ("DAYS_SINCE", "time", 1, 1),
    "MONTHS_SINCE": ("MONTHS_SINCE", "time", 1, 1),
}
"""Each function with the kind, the least and the greatest count of its arguments."""

_SIGNS: Final[Mapping[type[exp.Expr], Sign]] = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
}
_CHAINED: Final[Mapping[type[exp.Expr], str]] = {
    exp.And: "AND",
    exp.Or: "OR",
    exp.Add: "+",
    exp.Sub: "-",
    exp.Mul: "*",
    exp.Div: "/",
}
_ARGUMENTS: Final[Mapping[type[exp.Expr], frozenset[str]]] = {
    **dict.fromkeys((*_SIGNS, *_CHAINED), frozenset({"this", "expression"})),
    **dict.fromkeys((exp.Not, exp.Neg, exp.Paren, exp.Column), frozenset({"this"})),
    exp.Div: frozenset(
        {"this", "expression", "typed", "safe"}
    ),  # how PostgreSQL divides; Byleave divides as `Product` says
    exp.Between: frozenset({"this", "low", "high"}),
    exp.In: frozenset({"this", "expressions"}),
    exp.Like: frozenset({"this", "expression", "negate"}),
    exp.Case: frozenset({"ifs", "default"}),
    exp.If: frozenset({"this", "true"}),
    exp.Anonymous: frozenset({"this", "expressions"}),
    exp.Literal: frozenset({"this", "is_string"}),
}
_NAMES: Final[Mapping[Kind, str]] = {
    "boolean": "true or false",
    "number": "a number",
    "text": "text",
    "time": "a time",
}

Read: TypeAlias = Node | None
"""A node, or None where a fault was noted already."""


def read(
    words: Sequence[Lexeme], text: str, *, kind: Kind, types: Mapping[str, AttributeType]
) -> tuple[Read, list[Fault]]:
    """Return the typed tree of words in order, and what is wrong with it.

    >>> from personalise.language.lexemes import lexemes
    >>> text = "mens = 'yes' OR mens + 1"
    >>> tree, faults = read(lexemes(text)[0], text, kind="boolean", types={"mens": "integer"})
    >>> [fault.offset for fault in faults]
    [7, 16]
    """
    tree = shape(words, text)
    if isinstance(tree, Fault):
        return None, [tree]
    reader = _Reader(words, types)
    return reader.read(tree, kind), reader.faults


class _Reader:
    """Reads each node once, and goes on after a fault to find the others."""

    def __init__(self, words: Sequence[Lexeme], types: Mapping[str, AttributeType]) -> None:
        self.words = words
        self.types = types
        self.faults: list[Fault] = []
        self.count = 0

    def read(self, source: exp.Expr, kind: Kind) -> Read:
        """Return the node if it is of this kind."""
        node = self.any(source)
        if node is None or node.kind == kind:
            return node
        self._wrong(source, _mistyped(node, kind))
        return None

    def any(self, source: exp.Expr) -> Read:
        """Return the node, of whatever kind."""
        source = source.unnest()
        self.count += 1
        if self.count > MOST_NODES:
            self._too_many(source)
            return None
        how = _HOW.get(type(source))
        given = {name for name, value in source.args.items() if value}
        if isinstance(source, exp.Tuple):
            self._wrong(source, "a list stands after IN only: write `x IN (1, 2)`")
            return None
        if how is None or not given <= _ARGUMENTS[type(source)]:
            self._wrong(source, "this is not in the language: write conditions on attributes instead")
            return None
        return how(self, source)

    def _too_many(self, source: exp.Expr) -> None:
        if self.count == MOST_NODES + 1:
            self._wrong(source, f"more than {MOST_NODES} operations and values: split the expression")

    def _wrong(self, source: exp.Expr, why: str) -> None:
        index = first_word(source)
        while isinstance(source, exp.Case) and self.words[index].keyword != "CASE":
            index -= 1
        self.faults.append(Fault(self.words[index].offset, why))

    def _spine(self, source: exp.Expr, classes: tuple[type[exp.Expr], ...]) -> list[tuple[str, exp.Expr]]:
        """Return the operands of a chain in order, each with the sign before it; no recursion, chains may be long."""
        found: list[tuple[str, exp.Expr]] = []
        while isinstance(source, classes):
            found.append((_CHAINED[type(source)], source.args["expression"]))
            source = source.this.unnest()
        return [("", source), *reversed(found)]

    def leaf(self, source: exp.Expr) -> Read:
        """Read an attribute or a literal; unknown names were noted when the words were read."""
        number = leaf(source)
        if number is None:
            self._wrong(source, "this can't be read: write the attribute's name alone")
            return None
        word = self.words[number]
        if word.kind == "number":
            return Constant(value=float(word.source), yields="number")
        if word.kind == "text":
            return Constant(value=word.content, yields="text")
        if word.keyword:
            return Constant(value=word.keyword == "TRUE", yields="boolean")
        return Fact(name=word.content, type=self.types[word.content]) if word.content in self.types else None

    def junction(self, source: exp.Expr) -> Read:
        """Read `a AND b AND (c AND d)` as one node of four parts; likewise OR."""
        into: type[And | Or] = And if isinstance(source, exp.And) else Or
        parts: list[Node] = []
        complete = True
        for _, operand in self._spine(source, (type(source),)):
            part = self.read(operand, "boolean")
            complete = complete and part is not None
            if part is not None:
                parts.extend(part.parts if isinstance(part, into) else [part])
        return into(parts=tuple(parts)) if complete else None

    def negation(self, source: exp.Expr) -> Read:
        """Read NOT."""
        of = self.read(source.this, "boolean")
        return None if of is None else Not(of=of)

    def sum(self, source: exp.Expr) -> Read:
        """Read + and -, from left to right."""
        chain = self._numbers(source, (exp.Add, exp.Sub))
        return Sum(first=chain[0][1], rest=cast("_Terms", tuple(chain[1:]))) if chain else None

    def product(self, source: exp.Expr) -> Read:
        """Read * and /, from left to right."""
        chain = self._numbers(source, (exp.Mul, exp.Div))
        return Product(first=chain[0][1], rest=cast("_Factors", tuple(chain[1:]))) if chain else None

    def _numbers(self, source: exp.Expr, classes: tuple[type[exp.Expr], ...]) -> list[tuple[str, Node]] | None:
        chain = [(sign, self.read(operand, "number")) for sign, operand in self._spine(source, classes)]
        complete = [(sign, node) for sign, node in chain if node is not None]
        return complete if len(complete) == len(chain) else None

    def minus(self, source: exp.Expr) -> Read:
        """Read a minus sign; before a literal it is part of it."""
        of = self.read(source.this, "number")
        if isinstance(of, Constant) and not isinstance(of.value, str):
            return Constant(value=0.0 - of.value, yields="number")
        return None if of is None else Negative(of=of)

    def comparison(self, source: exp.Expr) -> Read:
        """Read a comparison of two values of one kind."""
        left, right = self.any(source.this), self.any(source.args["expression"])
        if left is None or right is None:
            return None
        node = Comparison(left=left, sign=_SIGNS[type(source)], right=right)
        why = _incomparable(node)
        if why is None:
            return node
        self._wrong(source.this if isinstance(left, Constant) else source.args["expression"], why)
        return None

    def between(self, source: exp.Expr) -> Read:
        """Read BETWEEN: both ends are of the value's kind."""
        value = self.any(source.this)
        if value is None:
            return None
        if value.kind == "boolean":
            self._wrong(source, "BETWEEN compares numbers, texts or times: write the value before it")
            return None
        low, high = (self.read(source.args[end], value.kind) for end in ("low", "high"))
        return None if low is None or high is None else Between(value=value, low=low, high=high)

    def one_of(self, source: exp.Expr) -> Read:
        """Read IN with a list of literals."""
        value = self.any(source.this)
        if value is None:
            return None
        if value.kind not in {"number", "text"}:
            self._wrong(source, f"IN compares numbers or texts, `{value}` is {_NAMES[value.kind]}: use `=`")
            return None
        options = []
        for listed in source.args["expressions"]:
            option = self.read(listed, value.kind)
            if isinstance(option, Constant):
                options.append(option)
            elif option is not None:
                self._wrong(listed, f"`{option}` is not a literal: write `{value} = {option}` with OR")
        complete = len(options) == len(source.args["expressions"])
        return OneOf(value=value, options=tuple(options)) if complete else None

    def like(self, source: exp.Expr) -> Read:
        """Read LIKE with a literal pattern."""
        value = self.read(source.this, "text")
        pattern = self.any(source.args["expression"])
        if pattern is None:
            return None
        why = _unfit(pattern)
        if why is not None:
            self._wrong(source.args["expression"], why)
            return None
        if value is None or not isinstance(pattern, Constant):
            return None
        node = Like(value=value, pattern=pattern)
        return Not(of=node) if source.args.get("negate") else node

    def call(self, source: exp.Expr) -> Read:
        """Read a function with its arguments."""
        number = leaf(source)
        name = self.words[number].folded if number is not None else ""
        if name not in FUNCTIONS:
            self._wrong(source, f"there is no such function: write one of {', '.join(FUNCTIONS)}")
            return None
        function, kind, least, most = FUNCTIONS[name]
        arguments = [self.read(argument, kind) for argument in source.expressions]
        if not least <= len(arguments) <= most:
            takes = f"{least} or more arguments" if most > least else "one argument"
            self._wrong(source, f"{name} takes {takes}, each {_NAMES[kind]}: write it with {takes}")
            return None
        complete = tuple(node for node in arguments if node is not None)
        return Call(function=function, arguments=complete) if len(complete) == len(arguments) else None

    def choice(self, source: exp.Expr) -> Read:
        """Read CASE WHEN, whose ELSE is required: without it there would be an unknown of the marketer's making."""
        branches = []
        for branch in source.args["ifs"]:
            test, number = self.read(branch.this, "boolean"), self.read(branch.args["true"], "number")
            if test is not None and number is not None:
                branches.append((test, number))
        if source.args.get("default") is None:
            self._wrong(source, "this CASE has no ELSE: write `ELSE 0` before END, or another number")
            return None
        otherwise = self.read(source.args["default"], "number")
        complete = otherwise is not None and len(branches) == len(source.args["ifs"])
        return Choice(branches=tuple(branches), otherwise=otherwise) if otherwise and complete else None


_Terms: TypeAlias = tuple[tuple[Literal["+", "-"], Node], ...]
_Factors: TypeAlias = tuple[tuple[Literal["*", "/"], Node], ...]

_HOW: Final[Mapping[type[exp.Expr], Callable[[_Reader, exp.Expr], Read]]] = {
    **dict.fromkeys((exp.Column, exp.Literal), _Reader.leaf),
    **dict.fromkeys((exp.And, exp.Or), _Reader.junction),
    **dict.fromkeys((exp.Add, exp.Sub), _Reader.sum),
    **dict.fromkeys((exp.Mul, exp.Div), _Reader.product),
    **dict.fromkeys(_SIGNS, _Reader.comparison),
    exp.Not: _Reader.negation,
    exp.Neg: _Reader.minus,
    exp.Between: _Reader.between,
    exp.In: _Reader.one_of,
    exp.Like: _Reader.like,
    exp.Anonymous: _Reader.call,
    exp.Case: _Reader.choice,
}


def _incomparable(asked: Comparison) -> str | None:
    """Return why two values can't be compared so, and what to write; None if they can."""
    left, sign, right = asked.left, asked.sign, asked.right
    for side in (left, right):
        if side.kind == "boolean" and not isinstance(side, Fact | Constant):
            if isinstance(side, Comparison) and side.right.kind == right.kind:
                return f"comparisons can't be chained: write `{side} AND {side.right} {sign} {right}`"
            return f"`{side}` is a condition, not a value: write it alone or with AND, OR, NOT"
    if left.kind != right.kind:
        return _unlike(left, right)
    if left.kind == "boolean" and sign not in {"=", "<>"}:
        return f"true and false have no order: write `{left} = {right}` or `{left} <> {right}`"
    return None


def _unlike(left: Node, right: Node) -> str:
    """Return what to write where two values are of different kinds."""
    if isinstance(left, Constant):
        left, right = right, left
    if "time" in {left.kind, right.kind}:
        time = left if left.kind == "time" else right
        return f"`{time}` is a time: write `DAYS_SINCE({time}) <= 30`, with a number of days"
    if left.kind == "boolean" and isinstance(right, Constant) and right.kind == "number":
        return f"`{left}` is true or false: write `{left} = {'TRUE' if right.value else 'FALSE'}`"
    if left.kind == "number" and isinstance(right, Constant) and right.kind == "boolean":
        return f"`{left}` is a number: write `{left} = {int(bool(right.value))}`"
    if left.kind == "number" and isinstance(right, Constant) and str(right.value).isdecimal():
        return f"{right} is text: write {right.value} without quotes"
    if left.kind == "text" and isinstance(right, Constant) and right.kind == "number":
        return f"`{left}` is text: write '{right}' in single quotes"
    kinds = f"`{left}` is {_NAMES[left.kind]}, `{right}` is {_NAMES[right.kind]}"
    return f"{kinds}: write two values of one kind"


def _mistyped(node: Node, kind: Kind) -> str:
    """Return what to write where a node of another kind is needed."""
    what = f"`{node}` is {_NAMES[node.kind]}"
    if kind == "boolean":
        example = {"text": f"{node} = 'abc'", "time": f"DAYS_SINCE({node}) <= 30"}.get(node.kind, f"{node} >= 1")
        return f"{what}, and a condition is needed: compare it, for example `{example}`"
    if kind == "number" and node.kind == "boolean":
        return f"{what}, and a number is needed: write `CASE WHEN {node} THEN 1 ELSE 0 END`"
    if kind == "number" and node.kind == "time":
        return f"{what}, and a number is needed: write `DAYS_SINCE({node})`"
    if kind == "number" and isinstance(node, Constant) and str(node.value).isdecimal():
        return f"{node} is text, and a number is needed: write {node.value} without quotes"
    return f"{what}, and {_NAMES[kind]} is needed: write one, or an attribute that is {_NAMES[kind]}"


def _unfit(pattern: Node) -> str | None:
    """Return why a node is no pattern, and what to write; None if it is one."""
    if not isinstance(pattern, Constant) or not isinstance(pattern.value, str):
        return f"`{pattern}` is not a literal text: write a pattern in single quotes, 'abc%'"
    if "\\" in pattern.value:
        return "nothing can be escaped in a pattern: remove the backslash; `_` fits any one character"
    if len(pattern.value) > LONGEST_PATTERN or pattern.value.count("%") > MOST_WILDCARDS:
        return f"a pattern has at most {LONGEST_PATTERN} characters, {MOST_WILDCARDS} of them `%`: shorten it"
    return None
