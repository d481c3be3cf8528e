"""Marketers' SQL, read: conditions (`months_since_purchase <= 6 AND mens = 1`) and numbers (`0.02 + 0.05 * womens`).

An expression is read against an allow-list and the catalogue's types; everything else is an error with its place and
what to write instead. Nothing in the language tells "unknown" from "not permitted": there is no NULL, no default, and
unknown in gives unknown out wherever the rest doesn't already settle the answer. Which categories an expression
touches is read out of it, not claimed by who wrote it.

It differs from PostgreSQL on purpose where that looks at nulls (LEAST and GREATEST skip them; CASE takes unknown for
false) or surprises (1 / 2 is 0.5; x / 0 is unknown; ROUND(2.5) is 3 and ROUND(-2.5) is -3; names keep their case).
"""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Final, Protocol, TypeAlias

from consent.base.errors import ExpressionInvalid
from personalise.language.lexemes import LONGEST, Fault, Lexeme, advice, lexemes, place, unprintable
from personalise.language.reading import FUNCTIONS, read
from personalise.language.shape import is_function, out_of_order
from personalise.language.terms import RESERVED, AttributeType, Condition, Fact, Kind, Node, Number, nodes

__all__ = ["Attribute", "Condition", "Number", "condition", "number"]

MOST_FAULTS: Final = 20
"""Places that one error names."""


class Attribute(Protocol):
    """What an expression needs to know of an attribute of the catalogue."""

    @property
    def name(self) -> str:
        """As written in expressions, case included."""

    @property
    def category(self) -> str:
        """The category of data it belongs to."""

    @property
    def type(self) -> AttributeType:
        """What its values are."""


Attributes: TypeAlias = Mapping[str, Attribute]


def condition(text: str, attributes: Attributes) -> Condition:
    """Read a question about a customer.

    Raises:
        ExpressionInvalid: with every place that is wrong, as far as they can be told apart.

    >>> from consent.catalogue.model import Attribute
    >>> mens = Attribute(name="mens", category="purchases", type="integer")
    >>> condition("(mens=1) and not mens in (2, 3.0)", {"mens": mens}).text
    'mens = 1 AND mens NOT IN (2, 3)'
    """
    tree = _tree(text, attributes, "boolean")
    return Condition(text=str(tree), tree=tree, attributes=_names(tree), categories=_categories(tree, attributes))


def number(text: str, attributes: Attributes) -> Number:
    """Read a number about a customer, such as a rule's score.

    Raises:
        ExpressionInvalid: with every place that is wrong, as far as they can be told apart.

    >>> from consent.catalogue.model import Attribute
    >>> womens = Attribute(name="womens", category="purchases", type="integer")
    >>> sorted(number("0.02 + 0.05*womens", {"womens": womens}).categories)
    ['purchases']
    """
    tree = _tree(text, attributes, "number")
    return Number(text=str(tree), tree=tree, attributes=_names(tree), categories=_categories(tree, attributes))


def _names(tree: Node) -> frozenset[str]:
    return frozenset(node.name for node in nodes(tree) if isinstance(node, Fact))


def _categories(tree: Node, attributes: Attributes) -> frozenset[str]:
    return frozenset(attributes[name].category for name in _names(tree))


def _tree(text: str, attributes: Attributes, kind: Kind) -> Node:
    """Return the typed tree, or raise with the faults in the order of the text."""
    hidden = unprintable(text[:LONGEST])
    if len(text) > LONGEST:
        hidden.append(Fault(LONGEST, f"more than {LONGEST} characters: split the expression"))
    if hidden:
        raise _invalid(text, hidden)
    words, faults = lexemes(text)
    faults += _forbidden(words, attributes)
    unknown = _unknown_names(words, attributes)
    tree = None
    if not faults:
        tree, faults = _ordered(words, text, kind, attributes)
    if tree is None or faults or unknown:
        raise _invalid(text, [*faults, *unknown])
    return tree


def _ordered(words: Sequence[Lexeme], text: str, kind: Kind, attributes: Attributes) -> tuple[Node | None, list[Fault]]:
    """Return the tree of words that are all of the language, and what is wrong with their order or types."""
    if not words:
        example = "months_since_purchase <= 6" if kind == "boolean" else "0.02 + 0.05 * womens"
        return None, [Fault(0, f"nothing is written: write an expression, for example `{example}`")]
    disorder = out_of_order(words, len(text))
    if disorder is not None:
        return None, [disorder]
    return read(words, text, kind=kind, types={name: attributes[name].type for name in attributes})


def _invalid(text: str, faults: Iterable[Fault]) -> ExpressionInvalid:
    ordered = sorted(set(faults))[:MOST_FAULTS]
    return ExpressionInvalid(places=[place(text, fault) for fault in ordered])


def _is_name(words: Sequence[Lexeme], index: int, attributes: Attributes) -> bool:
    """Return whether the word can only be an attribute: quoted, known, or nothing else that SQL has."""
    word = words[index]
    if word.kind != "word" or word.keyword or is_function(words, index):
        return word.kind == "quoted"
    if word.folded in RESERVED:
        return False
    return word.source in attributes or advice(word.source) is None


def _forbidden(words: Sequence[Lexeme], attributes: Attributes) -> list[Fault]:
    """Return a fault for every word of SQL that the language leaves out, and every unknown function."""
    faults = []
    asked = False  # the words after IS belong to it
    for index, word in enumerate(words):
        asked = asked and word.folded in {"NOT", "NULL", "TRUE", "FALSE", "UNKNOWN", "DISTINCT", "FROM"}
        if asked or word.kind != "word" or word.keyword or _is_name(words, index, attributes):
            continue
        if word.folded == "IS":
            asked = True
            faults.append(Fault(word.offset, _about_is(words[index + 1 :])))
        elif not is_function(words, index) or word.folded not in FUNCTIONS:
            why = advice(word.source) or f"write one of {', '.join(FUNCTIONS)}"
            faults.append(Fault(word.offset, f"`{word.source}` is not in the language: {why}"))
    return faults


def _about_is(following: Sequence[Lexeme]) -> str:
    asked = [word.folded for word in following[:2] if word.kind == "word"]
    truths = [word for word in asked if word in {"TRUE", "FALSE"}]
    if truths:
        sign = "<>" if asked[0] == "NOT" else "="
        return f"`IS` is not in the language: write `{sign} {truths[0]}`, which is unknown where the value is"
    if "DISTINCT" in asked:
        sign = "=" if asked[0] == "NOT" else "<>"
        return f"`IS DISTINCT FROM` is not in the language: write `{sign}`, which is unknown where a value is"
    return f"`{' '.join(['IS', *asked])}` is not in the language: {advice('IS')}"


def _unknown_names(words: Sequence[Lexeme], attributes: Attributes) -> list[Fault]:
    return [
        Fault(word.offset, _nearest(word, attributes))
        for index, word in enumerate(words)
        if _is_name(words, index, attributes) and word.content not in attributes
    ]


def _nearest(word: Lexeme, attributes: Attributes) -> str:
    folded = {name.lower(): name for name in attributes}
    near = get_close_matches(word.content.lower(), folded, n=1)
    if near:
        return f"there is no attribute `{word.content}`: write `{folded[near[0]]}`?"
    if word.kind == "quoted":
        return f"there is no attribute {word.source}: text is written in single quotes, '{word.content}'"
    return f"there is no attribute `{word.content}`: write one of the catalogue's, or text in single quotes"
