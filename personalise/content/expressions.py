"""What the expressions of a template give, and which names they read: each is of one kind, known before it is rendered.

There is no `nil`, `blank` or `default`: where anything that a template reads is not known, or not permitted, it is not
rendered at all. So no template can see the difference.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Final, NamedTuple

from liquid import Expression, Token
from liquid.builtin.expressions import (
    BooleanExpression,
    FilteredExpression,
    LoopExpression,
    Path,
    PositionalArgument,
)
from liquid.builtin.expressions.filtered import Filter as Filtering
from liquid.builtin.expressions.logical import (
    ContainsExpression,
    EqExpression,
    GeExpression,
    GtExpression,
    LeExpression,
    LogicalAndExpression,
    LogicalOrExpression,
    LtExpression,
    NeExpression,
)
from liquid.builtin.expressions.primitive import (
    FalseLiteral,
    FloatLiteral,
    IntegerLiteral,
    Literal,
    RangeLiteral,
    StringLiteral,
    TrueLiteral,
)

from personalise.content.filters import FILTERS, LITERALS, Kind

_MOST_EXPRESSIONS: Final = 500
_MOST_DEEP: Final = 20
_MOST_FILTERS: Final = 100
_LITERALS: Final[Mapping[type, Kind]] = {
    StringLiteral: "text", IntegerLiteral: "number", FloatLiteral: "number", TrueLiteral: "flag", FalseLiteral: "flag",
}  # fmt: skip
_LOOP: Final[Mapping[str, Kind]] = {
    "first": "flag", "last": "flag", "index": "number", "index0": "number", "rindex": "number", "rindex0": "number",
    "length": "number",
}  # fmt: skip
_ORDERS: Final = (LtExpression, GtExpression, LeExpression, GeExpression)
_ORDERED: Final = ("number", "time")


class Wrong(NamedTuple):
    """What is wrong in a template, and the index of the sign where it is."""

    at: int
    why: str


@dataclass(slots=True)
class Reader:
    """Reads expressions, given the kinds of the attributes that there are.

    Attributes:
        kinds: the attributes' kinds.
        read: the attributes that were read.
        defined: the template's own names that are set at the present place, whichever way was gone to it.
        own: the kinds of the template's own names, wherever they are set.
        found: what is wrong.
    """

    kinds: Mapping[str, Kind]
    read: set[str] = field(default_factory=set)
    defined: frozenset[str] = frozenset()
    own: dict[str, Kind | None] = field(default_factory=dict)
    found: list[Wrong] = field(default_factory=list)
    _loops: int = 0
    _expressions: int = 0
    _filters: int = 0

    def wrong(self, token: Token, why: str) -> Kind | None:
        """Note that something is wrong at a place; return the kind of what is wrong, which is none."""
        self.found.append(Wrong(token.start_index, why))
        return None

    @property
    def looping_now(self) -> bool:
        """Whether the present place is in a loop."""
        return self._loops > 0

    # ---------------------------------------------------------------------------------------------------------- names

    def define(self, name: str, kind: Kind | None, token: Token) -> None:
        """Set one of the template's own names. It has one kind throughout, and is no attribute's."""
        if name in self.kinds or name == "forloop":
            self.wrong(token, f"`{name}` is taken: call it something else")
        elif name in self.own and kind is not None and self.own[name] not in (kind, None):
            self.wrong(token, f"`{name}` is a {self.own[name]} elsewhere, and a {kind} here")
        else:
            self.own.setdefault(name, kind)
            self.defined |= {name}

    @contextmanager
    def looping(self, name: str, token: Token) -> Iterator[None]:
        """Be within a loop over whole numbers."""
        before = self.defined
        self.define(name, "number", token)
        self._loops += 1
        yield
        self._loops -= 1
        self.defined = before

    def _path(self, path: Path) -> Kind | None:
        name, *rest = path.path
        if rest or not isinstance(name, str):
            if name == "forloop" and self._loops and len(rest) == 1 and rest[0] in _LOOP:
                return _LOOP[str(rest[0])]
            return self.wrong(path.token, "is no plain name: there are no lists or tables here, and no names made up")
        if name in self.defined:
            return self.own[name]
        if name in self.kinds:
            self.read.add(name)
            return self.kinds[name]
        if name in self.own:
            return self.wrong(path.token, f"`{name}` is not set here, or not on every way that leads here")
        near = get_close_matches(name, self.kinds, n=1)
        do = f"write `{near[0]}`?" if near else "write one of the catalogue's"
        return self.wrong(path.token, f"there is no attribute `{name[:80]}`: {do}")

    # --------------------------------------------------------------------------------------------------------- values

    def value(self, expression: Expression, deep: int = 0) -> Kind | None:
        """Return the kind of what is put out, set, or compared; None where that is wrong, and noted."""
        if not self._counted(expression, deep):
            return None
        if isinstance(expression, FilteredExpression):
            kind = self.value(expression.left, deep + 1)
            for each in expression.filters or ():
                kind = self._filtered(each, kind, deep)
            return kind
        if isinstance(expression, Path):
            return self._path(expression)
        literal = _LITERALS.get(type(expression))
        if literal is None:
            why = "gives nothing that could be shown: there is no `nil`, `blank` or `empty`, and a range is for loops"
            self.wrong(expression.token, why)
        return literal

    def _counted(self, expression: Expression, deep: int) -> bool:
        self._expressions += 1
        if self._expressions > _MOST_EXPRESSIONS or deep > _MOST_DEEP:
            if self._expressions <= _MOST_EXPRESSIONS + 1:
                self.wrong(expression.token, "is too much for one template: write less, or two of them")
            return False
        return True

    def _filtered(self, each: Filtering, kind: Kind | None, deep: int) -> Kind | None:
        self._filters += 1
        rule = FILTERS.get(each.name)
        if rule is None or self._filters > _MOST_FILTERS:
            why = f"there is no filter `{each.name[:40]}`" if rule is None else f"more than {_MOST_FILTERS} filters"
            near = get_close_matches(each.name, FILTERS, n=1) if rule is None else []
            return self.wrong(each.token, f"{why}: write `{near[0]}`?" if near else f"{why}: {', '.join(FILTERS)}")
        if kind is not None and not _fits(kind, rule.takes):
            self.wrong(each.token, f"`{each.name}` takes a {rule.takes}, and this is a {kind}")
        least = len(rule.arguments) if rule.least is None else rule.least
        if not least <= len(each.args) <= len(rule.arguments):
            many = f"{least}" if least == len(rule.arguments) else f"{least} to {len(rule.arguments)}"
            self.wrong(each.token, f"`{each.name}` has {many} arguments, and here {len(each.args)}")
        for argument, wanted in zip(each.args, rule.arguments, strict=False):
            self._argument(each, argument, wanted, deep)
        return rule.gives

    def _argument(self, each: Filtering, argument: object, wanted: str, deep: int) -> None:
        if not isinstance(argument, PositionalArgument):
            self.wrong(each.token, f"`{each.name}` has no arguments with names")
            return
        kind = self.value(argument.value, deep + 1)
        if wanted in LITERALS:
            told, is_one = LITERALS[wanted]
            if not (isinstance(argument.value, Literal) and is_one(argument.value.value)):
                self.wrong(each.token, f"`{each.name}` wants {told}, written out")
        elif kind is not None and not _fits(kind, wanted):
            self.wrong(each.token, f"`{each.name}` wants a {wanted}, and this is a {kind}")

    def alike(self, left: Kind | None, right: Kind | None, token: Token) -> None:
        """Note it where two values can't be compared."""
        if left is not None and right is not None and (left != right or left == "block"):
            self.wrong(token, f"compares a {left} with a {right}")

    def turns(self, loop: LoopExpression) -> int:
        """Return how often a loop goes round: its ends have to be whole numbers, written out."""
        ends = loop.iterable
        written = all(each is None or isinstance(each, IntegerLiteral) for each in (loop.limit, loop.offset))
        if isinstance(ends, RangeLiteral) and written and loop.cols is None:
            start, stop = ends.start, ends.stop
            if isinstance(start, IntegerLiteral) and isinstance(stop, IntegerLiteral):
                return max(0, stop.value - start.value + 1)
        self.wrong(loop.token, "loops over whole numbers that are written out, such as (1..3), and nothing else")
        return 1

    # ----------------------------------------------------------------------------------------------------- conditions

    def condition(self, expression: Expression, deep: int = 0) -> None:  # noqa: C901 -- one case a kind of condition
        """Go through a condition: flags and comparisons of what is of one kind, with `and` and `or`."""
        if not self._counted(expression, deep):
            return
        match expression:
            case BooleanExpression():
                self.condition(expression.expression, deep + 1)
            case LogicalAndExpression() | LogicalOrExpression():
                self.condition(expression.left, deep + 1)
                self.condition(expression.right, deep + 1)
            case EqExpression() | NeExpression() | LtExpression() | GtExpression() | LeExpression() | GeExpression():
                self._compared(expression, deep)
            case ContainsExpression():
                for each in (expression.left, expression.right):
                    if self.value(each, deep + 1) not in ("text", None):
                        self.wrong(expression.token, "`contains` looks for a text in a text")
            case _:
                if self.value(expression, deep + 1) not in ("flag", None):
                    self.wrong(expression.token, "is always there: compare it with something")

    def _compared(self, expression: Expression, deep: int) -> None:
        left, right = (self.value(each, deep + 1) for each in expression.children())
        self.alike(left, right, expression.token)
        if isinstance(expression, _ORDERS) and left == right and left is not None and left not in _ORDERED:
            self.wrong(expression.token, f"a {left} is neither more nor less than another")


def _fits(kind: Kind, wanted: str) -> bool:
    return kind == wanted or (kind == "number" and wanted == "text")
