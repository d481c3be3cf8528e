r"""The words of an expression, where each stands, and what to write instead of those the language doesn't have.

sqlglot's own tokenizer is not used: it accepts, without a word, much that would change what an expression says
(`E'\n'`, `$$x$$`, `U&'x'`, `==`, `{# #}`). Here a character that isn't expected is an error with its position.
"""

import math
import re
import unicodedata
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, TypeAlias

from consent.base.errors import Place
from personalise.language.terms import EXACT, KEYWORDS

LONGEST: Final = 4_000
"""Characters of an expression."""

LONGEST_NUMBER: Final = 32
"""Characters of a number: more than any float64 needs, fewer than make parsing slow."""

_LONGEST_WHY: Final = 400

LexemeKind: TypeAlias = Literal["word", "quoted", "number", "text", "sign"]


class Fault(NamedTuple):
    """What is wrong at an offset (in code points) of the text, and what to write instead."""

    offset: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lexeme:
    """One word, literal or sign of the text, as written."""

    kind: LexemeKind
    source: str
    offset: int

    @property
    def keyword(self) -> str:
        """The keyword or sign this is, or nothing: names and literals are none."""
        if self.kind == "word":
            return self.folded if self.folded in KEYWORDS else ""
        return self.source if self.kind == "sign" else ""

    @property
    def folded(self) -> str:
        """The source in upper case, as SQL takes keywords and functions; look-alikes of other alphabets are none."""
        return self.source.upper() if self.source.isascii() else self.source

    @property
    def content(self) -> str:
        """The source without its quotes."""
        if self.kind in {"text", "quoted"}:
            quote = self.source[0]
            return self.source[1:-1].replace(quote * 2, quote)
        return self.source


_LEXEME: Final = re.compile(
    r"""
      (?P<blank>  [ \t\r\n]+ | --[^\n]* | /\*.*?\*/ )
    | (?P<number> (?: [0-9]+ (?: \.[0-9]* )? | \.[0-9]+ ) (?: [eE][+-]?[0-9]+ )? (?! [\w.] ) )
    | (?P<misnumber> \.?[0-9][\w.]* )
    | (?P<text>   ' (?: [^'] | '' )* ' )
    | (?P<quoted> " (?: [^"] | "" )* " )
    | (?P<dotted> [^\W\d]\w* (?: \. (?: \w+ | \* | "[^"]*" ) )+ )
    | (?P<word>   [^\W\d]\w* )
    | (?P<unclosed> (?: ' | " | /\* ) .* )
    | (?P<wrong>  == | <=> | => | ->>? | :: | := | \|\| | && )
    | (?P<sign>   <= | >= | <> | != | [=<>+\-*/(),] )
    | (?P<other>  . )
    """,
    re.VERBOSE | re.DOTALL,
)

_PARAMETER: Final = "parameters are not allowed: write the value itself"
_TEMPLATE: Final = "templates are not allowed in an expression: write the condition itself"
_WRONG: Final = {
    "==": "write `=` instead of `==`",
    "<=>": "write `=` instead of `<=>`: nothing may ask whether a value is unknown",
    "::": "casts are not allowed: an attribute has the type that the catalogue gives it; remove `::` and the type",
    "||": "texts can't be joined: compare each attribute with its own literal",
    "&&": "write `AND` instead of `&&`",
    ";": "one expression only: remove `;` and what follows",
    "!": "write `NOT` instead of `!`",
    "`": "write the name plainly, or in double quotes",
    "\u2018": "write text in straight quotes, 'like this'",
    "\u2019": "write text in straight quotes, 'like this'",
    "%": "there is no remainder, and `%` stands in LIKE patterns only: write the condition without it",
    "^": "there are no powers: write `x * x`",
    "~": "there are no regular expressions: write `LIKE 'abc%'`",
    "?": _PARAMETER,
    ":": _PARAMETER,
    "$": _PARAMETER,
    "@": _PARAMETER,
    "{": _TEMPLATE,
    "}": _TEMPLATE,
    "[": "there are no arrays: write `x IN (1, 2)`",
    "]": "there are no arrays: write `x IN (1, 2)`",
}

_UNCLOSED: Final = {
    "'": "this text is never closed: write `'` at its end, and `''` for a quote inside",
    '"': 'this name is never closed: write `"` at its end',
    "/": "this comment is never closed: write `*/` at its end",
}

_UNKNOWN: Final = "nothing may ask whether a value is unknown; write a condition on the value, such as `mens = 1`"
_DEFAULT: Final = "an unknown value can't be replaced by another; leave it out: what is unknown satisfies nothing"
_SUBQUERY: Final = "subqueries are not allowed: write a condition on this customer's attributes"
_CAST: Final = "casts are not allowed: an attribute has the type that the catalogue gives it; write its name alone"
_GROUP: Final = "an expression reads one customer at a time; LEAST and GREATEST compare several of his attributes"
_WINDOW: Final = "window functions are not allowed: an expression reads one customer at a time; write his attribute"
_MATCH: Final = "write `LOWER(x) LIKE 'abc%'` instead"
_LIST: Final = "compare with a list of literals: write `x IN (1, 2)`"
_TIME: Final = "times are compared with the decision's instant: write `DAYS_SINCE(x) <= 30`"
_CHOICE: Final = "write `CASE WHEN condition THEN number ELSE number END`"
_FORBIDDEN: Final = {
    word: advice
    for words, advice in (
        ("IS NULL UNKNOWN ISNULL NOTNULL NUM_NULLS NUM_NONNULLS ISNAN", _UNKNOWN),
        ("COALESCE IFNULL NVL NVL2 NULLIF ZEROIFNULL NULLIFZERO", _DEFAULT),
        ("EXISTS SELECT WITH FROM WHERE VALUES UNION INTERSECT EXCEPT TABLE LATERAL UNNEST", _SUBQUERY),
        ("CAST TRY_CAST SAFE_CAST CONVERT TO_NUMBER TO_CHAR TO_DATE TO_TIMESTAMP INT INTEGER VARCHAR", _CAST),
        ("COUNT SUM AVG MIN MAX STDDEV VARIANCE MEDIAN STRING_AGG ARRAY_AGG BOOL_AND BOOL_OR EVERY HAVING", _GROUP),
        ("OVER PARTITION FILTER WITHIN ROW_NUMBER RANK DENSE_RANK NTILE LAG LEAD FIRST_VALUE LAST_VALUE", _WINDOW),
        ("ILIKE SIMILAR RLIKE REGEXP REGEXP_LIKE GLOB POSITION STRPOS UPPER TRIM SUBSTRING COLLATE", _MATCH),
        ("ANY ALL SOME ARRAY", _LIST),
        ("INTERVAL DATE TIME TIMESTAMP NOW CURRENT_DATE CURRENT_TIME CURRENT_TIMESTAMP DATEDIFF DATE_DIFF", _TIME),
        ("AGE EXTRACT DATE_PART DATE_TRUNC", _TIME),
        ("IF IIF DECODE", _CHOICE),
        ("SYMMETRIC ASYMMETRIC", "write the lower bound first, `x BETWEEN low AND high`, without this word"),
        ("ESCAPE", "nothing can be escaped in a pattern: leave ESCAPE out; `_` fits any one character"),
        ("XOR", "write `(a AND NOT b) OR (b AND NOT a)`"),
        (
            "MOD DIV POWER POW SQRT EXP LN LOG",
            "only + - * / and ABS, ROUND, LEAST, GREATEST count; write it with these",
        ),
        ("RANDOM RAND", "an expression gives the same answer each time: remove it"),
        ("CEIL CEILING FLOOR TRUNC", "write ROUND(x), which gives the nearest whole number"),
        ("DISTINCT AS", "remove this word"),
    )
    for word in words.split()
}


def advice(word: str) -> str | None:
    """Return what to write instead of a word that SQL has and the language has not, else None.

    >>> advice("coalesce")
    "an unknown value can't be replaced by another; leave it out: what is unknown satisfies nothing"
    """
    return _FORBIDDEN.get(word.upper()) if word.isascii() else None


def place(text: str, fault: Fault) -> Place:
    r"""Return the fault with its line and column, both from 1, in code points.

    >>> place("a = 1\nAND b == 2", Fault(12, "write `=`")).where
    'line 2, column 7'
    """
    before = text[: fault.offset]
    why = fault.why if len(fault.why) <= _LONGEST_WHY else fault.why[: _LONGEST_WHY - 1] + "…"
    return Place(where=f"line {before.count(chr(10)) + 1}, column {len(before) - before.rfind(chr(10))}", why=why)


def unprintable(text: str) -> list[Fault]:
    r"""Return a fault for each character that a reader can't see or that turns the reading order around.

    >>> unprintable("a = 'x\x00'")
    [Fault(offset=6, why='the character U+0000 is not allowed: remove it')]
    """
    return [
        Fault(offset, f"the character U+{ord(character):04X} is not allowed: remove it")
        for offset, character in enumerate(text)
        if not character.isprintable() and character not in "\t\r\n" and _hides(character)
    ]


def _hides(character: str) -> bool:
    """Return whether it is a control character, half of a surrogate pair, or changes the writing direction."""
    return unicodedata.category(character) in {"Cc", "Cs"} or unicodedata.bidirectional(character) in _DIRECTION


_DIRECTION: Final = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})


def lexemes(text: str) -> tuple[list[Lexeme], list[Fault]]:
    r"""Return the words of `text`, comments and blanks left out, and what can't be one.

    >>> [word.source for word in lexemes("mens=1 -- bought\nAND x <> 'it''s'")[0]]
    ['mens', '=', '1', 'AND', 'x', '<>', "'it''s'"]
    >>> lexemes("a == 1")[1]
    [Fault(offset=2, why='write `=` instead of `==`')]
    """
    found: list[Lexeme] = []
    faults: list[Fault] = []
    for match in _LEXEME.finditer(text):
        source = match.group()
        match match.lastgroup:
            case "blank":
                continue
            case "word" | "quoted" | "number" | "text" | "sign" as kind:
                found.append(Lexeme(kind=kind, source=source, offset=match.start()))
                why = _inexact(source) if kind == "number" else None
            case "dotted":
                why = f"attributes stand alone: write `{source.rpartition('.')[2]}` without what is before it"
            case "misnumber":
                why = f"`{source}` is not a number: write it like 12 or 0.5, with a space after it"
            case "unclosed":
                why = _UNCLOSED[source[0]]
            case _:
                why = _WRONG.get(source, f"`{source}` has no meaning here: remove it")
        if why is not None:
            faults.append(Fault(match.start(), why))
    return found, faults


def _inexact(source: str) -> str | None:
    """Return why a number's length or size can't be kept exactly; None if it can."""
    if len(source) > LONGEST_NUMBER:
        return f"a number has at most {LONGEST_NUMBER} characters: round it"
    value = float(source)
    vanishes = value == 0 and any(digit in "123456789" for digit in source.lower().partition("e")[0])
    if math.isinf(value) or vanishes:
        return f"`{source}` is out of range: write a number that a float64 can hold"
    if source.isdigit() and int(source) > EXACT:
        return f"`{source}` is too long to be exact: write a whole number up to {EXACT}"
    return None
