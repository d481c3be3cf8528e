"""The order of an expression's words, and its tree as sqlglot reads it.

sqlglot decides what belongs to what, so that an expression means here what it means in SQL. It is given operators
and numbered blanks, never names or literals, because it rewrites those silently: `LEAST` gets another treatment of
nulls, `'a' 'b'` is joined, `date` becomes a type. Before it, one pass over the words checks that each may follow
the one before and that nothing nests too deeply, which gives an error its exact place.
"""

from collections.abc import Sequence
from typing import Final

from sqlglot import Token, TokenType, exp
from sqlglot.dialects.postgres import Postgres
from sqlglot.errors import ParseError

from personalise.language.lexemes import Fault, Lexeme

DEEPEST: Final = 32
"""Levels of parentheses, functions, CASE, NOT and minus signs inside each other."""

_TOO_DEEP: Final = f"more than {DEEPEST} levels inside each other: split the expression"

_TYPES: Final = {
    "AND": TokenType.AND,
    "BETWEEN": TokenType.BETWEEN,
    "CASE": TokenType.CASE,
    "ELSE": TokenType.ELSE,
    "END": TokenType.END,
    "IN": TokenType.IN,
    "LIKE": TokenType.LIKE,
    "NOT": TokenType.NOT,
    "OR": TokenType.OR,
    "THEN": TokenType.THEN,
    "WHEN": TokenType.WHEN,
    "=": TokenType.EQ,
    "<>": TokenType.NEQ,
    "!=": TokenType.NEQ,
    "<": TokenType.LT,
    "<=": TokenType.LTE,
    ">": TokenType.GT,
    ">=": TokenType.GTE,
    "+": TokenType.PLUS,
    "-": TokenType.DASH,
    "*": TokenType.STAR,
    "/": TokenType.SLASH,
    "(": TokenType.L_PAREN,
    ")": TokenType.R_PAREN,
    ",": TokenType.COMMA,
}
_BETWEEN_VALUES: Final = frozenset(
    {"AND", "OR", "BETWEEN", "IN", "LIKE", "=", "<>", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/"}
)
_ENDS: Final = {
    "(": "`)`",
    "BETWEEN": "`AND` and the upper bound, as in `x BETWEEN 1 AND 6`",
    "CASE": "`END`, after `ELSE` and a number",
}
_AFTER_NOT: Final = frozenset({"BETWEEN", "IN", "LIKE"})


def is_function(words: Sequence[Lexeme], index: int) -> bool:
    """Return whether the word is a name with an opening parenthesis after it."""
    word = words[index]
    follows = index + 1 < len(words) and words[index + 1].source == "("
    return follows and word.kind == "word" and not word.keyword


class _Order:
    """Walks the words once, knowing whether a value is due and what is still open."""

    def __init__(self, words: Sequence[Lexeme]) -> None:
        self.words = words
        self.due = True
        self.open: list[tuple[Lexeme, int, int]] = []  # what is open, the levels it opened, the NOTs before it
        self.nots = 0
        self.signs = 0

    def fault(self, end: int) -> Fault | None:
        """Return the first word out of order, or what is missing at the end (offset `end`)."""
        for index, word in enumerate(self.words):
            why = self._value(index, word) if self.due else self._operator(index, word)
            if why is None and sum(levels for _, levels, _ in self.open) + self.nots + self.signs > DEEPEST:
                why = _TOO_DEEP
            if why is not None:
                return Fault(word.offset, why)
        if self.due:
            return Fault(end, "the expression ends too early: write a value here")
        if self.open:
            word = self.open[-1][0]
            return Fault(word.offset, f"`{word.source}` has no end: write {_ENDS[word.keyword]}")
        return None

    def _value(self, index: int, word: Lexeme) -> str | None:
        """Take a word where a value is due."""
        if word.keyword in {"", "TRUE", "FALSE"}:
            if not is_function(self.words, index):
                self.due = False
                self.signs = 0
            return None
        if word.keyword in {"(", "CASE"}:
            self._begin(word, self.nots + self.signs + 1)
            simple = word.keyword == "CASE" and self._next(index) != "WHEN"
            return "write `CASE WHEN condition THEN number ELSE number END`" if simple else None
        if word.keyword == "NOT":
            self.nots += 1
            return None
        if word.keyword == "-":
            self.signs += 1
            return None
        if word.keyword == "WHEN" and self.words[index - 1].keyword == "CASE" and index:
            return None
        return f"`{word.source}` can't stand here: before it write a value, such as an attribute or a number"

    def _operator(self, index: int, word: Lexeme) -> str | None:
        """Take a word after a complete value."""
        inside = self.open[-1][0].keyword if self.open else ""
        if word.keyword in _BETWEEN_VALUES:
            self.due = True
            if word.keyword == "BETWEEN":
                self._begin(word, self.nots)
            elif word.keyword == "AND" and inside == "BETWEEN":
                self._finish()
            elif word.keyword in {"AND", "OR"}:
                self.nots = 0
            listless = word.keyword == "IN" and self._next(index) != "("
            return "write the list in parentheses, `x IN (1, 2)`" if listless else None
        if word.keyword == "NOT" and self._next(index) in _AFTER_NOT:
            return None
        if (word.keyword == "," and inside == "(") or (word.keyword in {"WHEN", "THEN", "ELSE"} and inside == "CASE"):
            self.due = True
            self.nots = 0
            return None
        if (word.keyword, inside) in {(")", "("), ("END", "CASE")}:
            self._finish()
            return None
        missing = _ENDS["BETWEEN"] if inside == "BETWEEN" else "an operator, such as AND"
        return f"`{word.source}` can't follow a complete value: before it write {missing}"

    def _begin(self, word: Lexeme, levels: int) -> None:
        self.open.append((word, levels, self.nots))
        self.nots = 0
        self.signs = 0

    def _finish(self) -> None:
        _, _, self.nots = self.open.pop()

    def _next(self, index: int) -> str:
        return self.words[index + 1].keyword if index + 1 < len(self.words) else ""


def out_of_order(words: Sequence[Lexeme], end: int) -> Fault | None:
    """Return the first word that can't stand where it does; None if all can.

    >>> from personalise.language.lexemes import lexemes
    >>> out_of_order(lexemes("a = 1 AND")[0], 9)
    Fault(offset=9, why='the expression ends too early: write a value here')
    """
    return _Order(words).fault(end)


def shape(words: Sequence[Lexeme], text: str) -> exp.Expr | Fault:
    """Return sqlglot's tree of words in order, its leaves numbered: see `leaf`.

    >>> from personalise.language.lexemes import lexemes
    >>> text = "a = 1 AND NOT b"
    >>> shape(lexemes(text)[0], text).sql()
    '"0" = 2 AND NOT "5"'
    """
    tokens = [_blank(words, index) for index in range(len(words))]
    try:
        (tree,) = Postgres().parser().parse_into(exp.Condition, tokens, text)
    except ParseError as refused:
        column = refused.errors[0].get("col") or 1
        return Fault(column - 1, "the expression can't be read from here on: write it with fewer words or parentheses")
    except RecursionError:
        return Fault(0, _TOO_DEEP)
    return tree if tree is not None else Fault(0, "the expression is empty")


def _blank(words: Sequence[Lexeme], index: int) -> Token:
    """Return the word for sqlglot: an operator as it is, anything else as its number, `col` as its offset + 1."""
    word = words[index]
    numbered = str(index)
    if word.keyword in _TYPES:
        kind, numbered = _TYPES[word.keyword], word.keyword
    elif is_function(words, index):
        kind, numbered = TokenType.VAR, f"F{index}"
    elif word.kind == "number":
        kind = TokenType.NUMBER
    elif word.kind == "text":
        kind = TokenType.STRING
    else:
        kind = TokenType.IDENTIFIER
    return Token(kind, numbered, 1, word.offset + 1, word.offset, word.offset + len(word.source) - 1)


def leaf(node: exp.Expr) -> int | None:
    """Return which word a leaf of the tree stands for; None if the node is no leaf."""
    if isinstance(node, exp.Column):
        return leaf(node.this) if set(filter(node.args.get, node.args)) == {"this"} else None
    if isinstance(node, exp.Identifier | exp.Literal | exp.Anonymous) and isinstance(node.this, str):
        numbered = node.this.removeprefix("F")
        return int(numbered) if numbered.isdecimal() else None
    return None


def first_word(node: exp.Expr) -> int:
    """Return the number of the leftmost leaf below a node of the tree."""
    found = [number for below in node.walk() if (number := leaf(below)) is not None]
    return min(found, default=0)
