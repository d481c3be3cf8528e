"""PURE: what is remembered of a customer, as he reads it: category by category, each fact in words."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from api.pages.words import Words
from consent.base.clock import from_ms, rfc3339
from consent.catalogue.duration import Duration
from consent.catalogue.model import AttributeType, Catalogue
from consent.rights.access_log import Access
from consent.rights.looking import RIGHTS, Kept, Remembered
from consent.rights.typed import Value

_BY: Final = frozenset({"customer", "staff", "key", "worker", "shell"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One fact. `typed` is what stands in the field that corrects it; what can't be corrected has none."""

    name: str
    label: str
    value: str
    kind: Literal["boolean", "other", ""]
    typed: str
    correct: str
    remove: str
    open: bool
    """Its form is open, because something in it was wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One category: what is kept in it, where from, what for, how long. Closed, it has no facts."""

    key: str
    title: str
    changed: str
    origin: str
    purposes: str
    kept: str
    special: bool
    facts: tuple[Fact, ...]
    remove_all: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """That somebody opened it: who and what for, and when."""

    what: str
    when: str


def closed(kept: Sequence[Kept], catalogue: Catalogue, permitted: Collection[str], words: Words) -> list[Group]:
    """Return the categories in which something is kept, sealed.

    Args:
        kept: in the order of their keys.
        catalogue: in force.
        permitted: the scopes that stand.
        words: the language of the page.
    """
    return [_group(each, catalogue, permitted, (), words) for each in _in_order(kept, catalogue)]


def opened(
    remembered: Sequence[Remembered],
    catalogue: Catalogue,
    permitted: Collection[str],
    words: Words,
    *,
    typed: Mapping[str, str] | None = None,
) -> list[Group]:
    """Return the categories with their facts.

    Args:
        remembered: what was opened.
        catalogue: in force.
        permitted: the scopes that stand.
        words: the language of the page.
        typed: attribute → what was typed and refused: it is shown again.
    """
    by_category = {each.kept.category: each for each in remembered}
    return [
        _group(kept, catalogue, permitted, _facts(by_category[kept.category], catalogue, words, typed or {}), words)
        for kept in _in_order([each.kept for each in remembered], catalogue)
    ]


def openings(log: Sequence[Access], catalogue: Catalogue, words: Words) -> list[Opening]:
    """Return who opened it, by kind: names of the company's people are not told."""
    return [
        Opening(
            what=words.say("remembered", "opening", who=_who(each, words), why=_why(each, catalogue, words)),
            when=words.moment(each.at),
        )
        for each in log
    ]


def label(name: str, words: Words) -> str:
    """Return what an attribute is called.

    >>> from api.pages.words import words
    >>> label("country", words("de")), label("shoe_size", words("de"))
    ('Land', 'Shoe size')
    """
    return str(words.texts["facts"].get(name) or name.replace("_", " ").capitalize())


def shown(value: Value, kind: AttributeType | None, words: Words) -> str:
    """Return a value in words.

    >>> from api.pages.words import words
    >>> shown(True, "boolean", words("de")), shown(1234.5, "number", words("en")), shown(0, "time", words("en"))
    ('Ja', '1,234.5', '1 January 1970, 00:00 UTC')
    """
    match value:
        case bool():
            return str(words.texts["remembered"]["yes" if value else "no"])
        case int() if kind == "time":
            return words.moment(from_ms(value))
        case int():
            return words.number(value)
        case float():
            whole, _, rest = f"{value:.6f}".rstrip("0").rstrip(".").partition(".")
            number = words.number(int(whole)) if whole != "-0" else whole
            return f"{number}{words.texts['decimal']}{rest}" if rest else number
        case _:
            return str(value)


def _in_order(kept: Sequence[Kept], catalogue: Catalogue) -> list[Kept]:
    """Return categories in the catalogue's order, those that it no longer has last."""
    places = {key: spot for spot, key in enumerate(catalogue.categories)}
    return sorted(kept, key=lambda each: (places.get(each.category, len(places)), each.category))


def _group(
    kept: Kept, catalogue: Catalogue, permitted: Collection[str], facts: tuple[Fact, ...], words: Words
) -> Group:
    known = catalogue.categories.get(kept.category)
    title = known.title_in(words.code) if known else words.say("remembered", "unknown_category", category=kept.category)
    purposes = [
        catalogue.purposes[rule.purpose].title_in(words.code)
        for rule in catalogue.in_order
        if rule.operation == "use" and rule.target == kept.category and rule.scope in permitted
    ]
    return Group(
        key=kept.category,
        title=title,
        changed=words.say("remembered", "changed" if facts else "closed", moment=words.moment(kept.remembered_at)),
        origin=words.say("origins", kept.origin or "unknown"),
        purposes=" · ".join(dict.fromkeys(purposes)) or words.say("remembered", "no_purpose"),
        kept=_kept_for(kept, catalogue, words),
        special=kept.special,
        facts=facts,
        remove_all=words.say("remembered", "remove_all", name=title),
    )


def _facts(remembered: Remembered, catalogue: Catalogue, words: Words, typed: Mapping[str, str]) -> tuple[Fact, ...]:
    return tuple(_fact(name, value, catalogue, words, typed) for name, value in sorted(remembered.attributes.items()))


def _fact(name: str, value: Value, catalogue: Catalogue, words: Words, typed: Mapping[str, str]) -> Fact:
    attribute = catalogue.attributes.get(name)
    called = label(name, words)
    return Fact(
        name=name,
        label=called,
        value=shown(value, attribute.type if attribute else None, words),
        kind="" if attribute is None else "boolean" if attribute.type == "boolean" else "other",
        typed=typed.get(name) or _typed(value, attribute.type if attribute else None),
        correct=words.say("remembered", "correct_title", name=called),
        remove=words.say("remembered", "remove_go", name=called),
        open=name in typed,
    )


def _typed(value: Value, kind: AttributeType | None) -> str:
    """Return a value as it is typed: what `consent.rights.typed` reads back."""
    match value:
        case bool():
            return "yes" if value else "no"
        case int() if kind == "time":
            return rfc3339(from_ms(value))
        case float():
            return f"{value:.15g}"
        case _:
            return str(value)


def _kept_for(kept: Kept, catalogue: Catalogue, words: Words) -> str:
    rule = catalogue.scopes.get(f"remember:{kept.category}")
    length = rule.retention if rule else None
    return _length(length, words) if length else words.say("remembered", "kept_open")


def _length(length: Duration, words: Words) -> str:
    parts = [("months", length.months), ("days", length.days)]
    return words.listed(words.count("choices", unit, count) for unit, count in parts if count)


def _who(each: Access, words: Words) -> str:
    by = each.actor.partition(":")[0]
    return words.say("remembered", f"use_{by if by in _BY else 'staff'}")


def _why(each: Access, catalogue: Catalogue, words: Words) -> str:
    if each.purpose.startswith(RIGHTS):
        return words.say("remembered", f"use_{each.purpose.removeprefix(RIGHTS)}")
    purpose = catalogue.purposes.get(each.purpose)
    return words.say("remembered", "use_for", purpose=purpose.title_in(words.code) if purpose else each.purpose)
