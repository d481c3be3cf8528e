"""One template: read and judged once, rendered as often as there are customers to say it to."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

from liquid import BoundTemplate
from liquid.exceptions import LiquidError, ResourceLimitError

from consent.base.errors import Place
from consent.catalogue.model import Attribute
from personalise.content.checking import Walk
from personalise.content.dialect import ENVIRONMENTS
from personalise.content.expressions import Reader, Wrong
from personalise.content.filters import LONGEST, Kind, Unrenderable
from personalise.content.parts import Parts

_LIQUID: Final = re.compile(r"\{\{|\{%")
_TAG: Final = re.compile(r"\{\{[^}]*+\}?|\{%[^%]*+%?")
_OF_LINES: Final = re.compile(r"\{%-?\s*liquid\b")
_OPENED_OR_CLOSED: Final = re.compile(r"\{%-?\s*(?P<name>(?:end)?(?:if|unless|case|for|capture|comment))\b")
_BRACKET: Final = re.compile(r"[(\[]")
_MOST_TAGS: Final = 300
_MOST_SIGNS: Final = 1_000
_MOST_BRACKETS: Final = 30
_CACHED: Final = 1_024
_KINDS: Final[Mapping[str, Kind]] = {
    "number": "number", "integer": "number", "boolean": "flag", "text": "text", "time": "time",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A template that holds: its source, the attributes that it reads, and what it says."""

    source: str
    html: bool
    attributes: tuple[str, ...]
    parts: Parts
    longest: int = LONGEST
    """Signs that may come of it."""

    def rendered(self, values: Mapping[str, object]) -> str | None:
        """Return its text for a customer; None where no text that could be sent comes of these values.

        Args:
            values: the attributes' values, none of them None; times in milliseconds. Others than its own are not seen.
        """
        if not _LIQUID.search(self.source):
            return self.source
        seen = {name: values[name] for name in self.attributes}
        try:
            text = _parsed(self.source, self.html).render(seen)
        except (Unrenderable, ResourceLimitError):
            return None
        return text if text.strip() and len(text) <= self.longest else None


@dataclass(frozen=True, slots=True)
class Faults:
    """What is wrong with a template, with line and column."""

    places: tuple[Place, ...]


Kinds: TypeAlias = tuple[tuple[str, Kind], ...]
"""The attributes that there are, each with its kind."""


def kinds(attributes: Mapping[str, Attribute]) -> Kinds:
    """Return the attributes of a catalogue as templates see them."""
    return tuple((name, _KINDS[each.type]) for name, each in attributes.items())


def template(source: str, known: Kinds, *, html: bool) -> Template | Faults:
    """Read a template, typed against the attributes that there are.

    Text without `{{` and `{%` says what it is.

    Args:
        source: Liquid.
        known: all that a template may read.
        html: whether what it puts out is escaped.
    """
    found = read(source, known, html=html)
    return found if isinstance(found, Template) else Faults(tuple(placed(source, each) for each in found))


def read(source: str, known: Kinds, *, html: bool, longest: int = LONGEST) -> Template | tuple[Wrong, ...]:
    """Read a template; return what is wrong by its place in the source. `longest`: signs that may come of it."""
    if not _LIQUID.search(source):
        return Template(source=source, html=html, attributes=(), parts=(source,), longest=longest)
    return _read(source, known, html, longest)


@lru_cache(maxsize=_CACHED)
def _parsed(source: str, html: bool) -> BoundTemplate:  # noqa: FBT001 -- a cache takes its arguments by place
    return ENVIRONMENTS[html].from_string(source)


@lru_cache(maxsize=_CACHED)
def _read(source: str, known: Kinds, html: bool, longest: int) -> Template | tuple[Wrong, ...]:  # noqa: FBT001 -- as above
    crowded = _crowded(source)
    if crowded is not None:
        return (crowded,)
    try:
        parsed = _parsed(source, html)
    except LiquidError as wrong:
        if wrong.token and wrong.token.start_index >= 0:
            return (Wrong(wrong.token.start_index, str(wrong.message)),)
        return (_unclosed(source) or Wrong(0, str(wrong.message)),)  # the parser had come to the end
    reader = Reader(dict(known))
    parts = Walk(reader, html=html).nodes(parsed.nodes)
    if reader.found:
        return tuple(sorted(set(reader.found)))
    attributes = tuple(sorted(reader.read))
    return Template(source=source, html=html, attributes=attributes, parts=parts, longest=longest)


def _crowded(source: str) -> Wrong | None:
    """Return where a template is too much for the parser, which goes down with every bracket and every `and`."""
    if len(_LIQUID.findall(source)) > _MOST_TAGS:
        return Wrong(0, f"has more than {_MOST_TAGS} tags: write less")
    for tag in _TAG.finditer(source):
        lines = tag.group().split("\n") if _OF_LINES.match(tag.group()) else [tag.group()]
        if any(len(line) > _MOST_SIGNS or len(_BRACKET.findall(line)) > _MOST_BRACKETS for line in lines):
            return Wrong(tag.start(), f"a tag has {_MOST_SIGNS} signs and {_MOST_BRACKETS} brackets at most")
    return None


def _unclosed(source: str) -> Wrong | None:
    """Return where the last tag opens that nothing closes; None where each is closed.

    >>> _unclosed("Hello {% if a %}{% for b in (1..2) %}{% endfor %}")
    Wrong(at=9, why='`if` is never closed: write `{% endif %}`')
    """
    opened: list[re.Match[str]] = []
    for tag in _OPENED_OR_CLOSED.finditer(source):
        name = tag["name"]
        if opened and opened[-1]["name"] == "comment" and name != "endcomment":
            continue  # nothing in a comment counts
        if not name.startswith("end"):
            opened.append(tag)
        elif opened:
            opened.pop()
    lines = list(_OF_LINES.finditer(source))
    if opened:
        name, at = opened[-1]["name"], opened[-1].start("name")
        return Wrong(at, f"`{name}` is never closed: write `{{% end{name} %}}`")
    if lines:
        return Wrong(lines[-1].end() - len("liquid"), "a tag within it is never closed")
    return None


def placed(source: str, wrong: Wrong) -> Place:
    """Return what is wrong by line and column."""
    before = source[: wrong.at]
    return Place(f"line {before.count(chr(10)) + 1}, column {wrong.at - before.rfind(chr(10))}", wrong.why)
