"""PURE: which column of a file is what: `mapping.toml`, read and held against a catalogue.

    format = "csv"
    reference = "customer_id"                # the customer's name in the company's own system
    ignore = ["history_segment"]             # every other column must be mapped
    [identities]
    email = "mail_address"                   # how else he is found
    [attributes]                             # what is known of him: attribute = column
    area = { column = "zip_code", values = { "Urban" = "town", "Rural" = "country" } }
    [outcomes]                               # what came of a treatment; `treatment` is remembered as `got`
    treatment = "segment"
    [statement]                              # what he said
    act = "act"
    scopes = { column = "scopes", separator = " " }
    said_at = "said_at"                      # method, language, evidence, notice_version, until: if there are

A table of values turns a file's words into ours; a cell that isn't in it is wrong.
"""

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, TypeAlias

from consent.base.canonical import GREATEST
from consent.base.errors import ImportInvalid, Place
from consent.base.form import KEY, Form, read_table, read_text
from consent.catalogue.model import Attribute, AttributeType, Catalogue
from consent.permission.statement import Act, Method

Value: TypeAlias = str | int | float | bool

REFERENCE: Final = "reference"
TREATMENT: Final = "treatment"
GOT: Final = "got"
"""The attribute as which an outcome's treatment is remembered."""

_WORDS: Final[Mapping[str, tuple[str, ...]]] = {"act": tuple(Act), "method": tuple(Method)}
"""The parts of a statement whose cells are one of a few words."""

_REQUIRED: Final = ("act", "scopes", "said_at")
_OPTIONAL: Final = ("method", "language", "evidence", "notice_version", "until")
_SEPARATORS: Final = (" ", ";", "|", ",")
_PYTHON: Final[Mapping[AttributeType, tuple[type, ...]]] = {
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "text": (str,),
    "time": (),
}
"""What a table of values may give for an attribute of a type; a time is always read from its cell."""
_NAMED: Final[Mapping[tuple[type, ...], str]] = {
    (int, float): "a number",
    (int,): "a whole number",
    (bool,): "true or false",
    (str,): "text",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of the file and, where its words are not ours, a table from its cells to values."""

    name: str
    values: Mapping[str, Value] | None = None
    separator: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """An attribute, and the column it is read from. `quiet`: no error may quote a cell of it."""

    attribute: Attribute
    column: Column
    quiet: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FileMapping:
    """What the columns of one kind of file are."""

    reference: str
    identities: Mapping[str, str]
    attributes: tuple[Fact, ...]
    outcomes: tuple[Fact, ...]
    statement: Mapping[str, Column]
    ignore: frozenset[str]
    digest: bytes
    """SHA-256 of the mapping file."""

    @property
    def columns(self) -> frozenset[str]:
        """Every column that the mapping reads."""
        facts = (fact.column.name for fact in (*self.attributes, *self.outcomes))
        said = (column.name for column in self.statement.values())
        return frozenset((self.reference, *self.identities.values(), *facts, *said))

    @property
    def naming(self) -> frozenset[str]:
        """The columns that name a customer: their cells are never quoted."""
        return frozenset((self.reference, *self.identities.values()))


def read_mapping(path: Path, catalogue: Catalogue) -> FileMapping:
    """Read a mapping file (TOML, or JSON by its ending).

    Raises:
        ImportInvalid: with every place that is wrong.
    """
    table, text = read_table(path, ImportInvalid)
    return _mapping(table, text, path.name, catalogue)


def parse_mapping(text: str, catalogue: Catalogue) -> FileMapping:
    """Read a mapping from TOML text.

    Raises:
        ImportInvalid: with every place that is wrong.
    """
    table, _ = read_text(text.encode(), "the mapping", ImportInvalid)
    return _mapping(table, text, "the mapping", catalogue)


def wrong_header(mapping: FileMapping, header: Sequence[str]) -> list[Place]:
    """Return what is wrong with a file's header: columns missing, and columns neither mapped nor ignored.

    Columns are named only where the one with the reference is there: else the first line may well be a customer.
    """
    missing = sorted(mapping.columns - set(header))
    surplus = [name for name in header if name not in mapping.columns and name not in mapping.ignore]
    if mapping.reference not in header:
        near = get_close_matches(mapping.reference, header, 1)
        why = f"is missing: it names the customer{_suggested(near)}. Is the first line a header?"
        return [Place(f"column {mapping.reference}", why)]
    return [
        *(Place(f"column {name}", f"is missing{_suggested(get_close_matches(name, surplus, 1))}") for name in missing),
        *(Place(f"column {name[:80]}", "is neither mapped nor ignored") for name in surplus),
    ]


def _suggested(near: Sequence[str]) -> str:
    return f"; did you mean {near[0][:80]}?" if near else ""


def _mapping(table: dict[str, Any], text: str, name: str, catalogue: Catalogue) -> FileMapping:
    places: list[Place] = []
    top = Form(table, "", places)
    top.choice("format", ("csv",))
    reference = top.text("reference", longest=200)
    ignore = frozenset(top.texts("ignore", ()))
    identities = dict(_identities(top.table("identities"), places))
    attributes = tuple(_facts(top.table("attributes"), "attributes", catalogue, places))
    outcomes = tuple(_outcomes(top.table("outcomes"), catalogue, places))
    statement = dict(_statement(top.table("statement"), places))
    top.unknown()
    read = FileMapping(
        reference=reference,
        identities=identities,
        attributes=attributes,
        outcomes=outcomes,
        statement=statement,
        ignore=ignore,
        digest=hashlib.sha256(text.encode()).digest(),
    )
    places.extend(Place("ignore", f"{column[:80]} is mapped as well") for column in sorted(ignore & read.columns))
    if places:
        raise ImportInvalid(f"{len(places)} places in {name}", places=places)
    return read


def _identities(table: Mapping[str, Any], places: list[Place]) -> Iterator[tuple[str, str]]:
    form = Form(table, "identities", places)
    for kind in table:
        if kind == REFERENCE:
            form.wrong(kind, "stands at the top of the file: reference = …")
        elif not KEY.fullmatch(kind):
            form.wrong(kind[:80], "must be a short name: a-z, then a-z, 0-9, - or _")
        yield kind, form.text(kind, longest=200)


def _outcomes(table: Mapping[str, Any], catalogue: Catalogue, places: list[Place]) -> Iterator[Fact]:
    if table and TREATMENT not in table:
        places.append(Place(f"outcomes.{TREATMENT}", "is missing: which column says what the customer got?"))
    yield from _facts(table, "outcomes", catalogue, places)


def _facts(table: Mapping[str, Any], where: str, catalogue: Catalogue, places: list[Place]) -> Iterator[Fact]:
    form = Form(table, where, places)
    for key in table:
        name = GOT if where == "outcomes" and key == TREATMENT else key
        attribute = catalogue.attributes.get(name)
        if attribute is None:
            near = get_close_matches(name, catalogue.attributes, 1)
            form.wrong(key[:80], f"{name[:80]} is not an attribute of the catalogue{_suggested(near)}")
            continue
        column = _column(form, key, table[key], _PYTHON[attribute.type])
        yield Fact(attribute=attribute, column=column, quiet=catalogue.categories[attribute.category].special)


def _statement(table: Mapping[str, Any], places: list[Place]) -> Iterator[tuple[str, Column]]:
    form = Form(table, "statement", places)
    for part in _REQUIRED if table else ():
        if part not in table:
            form.wrong(part, "is missing: name its column")
    for part in (*_REQUIRED, *_OPTIONAL):
        if part in table:
            column = _column(form, part, table[part], (str,) if part in _WORDS else (), separated=part == "scopes")
            for word in (column.values or {}).values():
                if word not in _WORDS[part]:
                    form.wrong(f"{part}.values", f"{str(word)[:40]!r} is none of {', '.join(_WORDS[part])}")
            yield part, column
    form.unknown()


def _column(form: Form, key: str, given: object, kinds: tuple[type, ...], *, separated: bool = False) -> Column:
    """Read `"column"` or `{ column = "column", values = { "cell" = value } }`; `kinds` are the values' types."""
    if not isinstance(given, dict):
        return Column(name=form.text(key, longest=200))
    inner = form.form(key)
    name = inner.text("column", longest=200)
    separator = inner.choice("separator", _SEPARATORS, "") if separated else ""
    values = inner.table("values") if kinds else {}
    for cell, value in values.items():
        if not _is_one(value, kinds):
            inner.wrong(f"values.{cell[:40]}", f"must be {_NAMED[kinds]}")
    if "values" in given and kinds and not values:
        inner.wrong("values", "is empty")
    inner.unknown()
    return Column(name=name, values=values or None, separator=separator)


def _is_one(value: object, kinds: tuple[type, ...]) -> bool:
    match value:
        case bool():
            return bool in kinds
        case str():
            return str in kinds and bool(value.strip()) and "\x00" not in value
        case int():
            return int in kinds and abs(value) <= GREATEST
        case float():
            return float in kinds and math.isfinite(value)
        case _:
            return False
