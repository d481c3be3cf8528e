"""PURE: which column of a file is what: `mapping.toml`, read and held against a catalogue.

    format = "csv"                           # or listmonk, mailchimp, json, onetrust
    reference = "customer_id"                # the customer's name in the company's own system
    household = "address_id"                 # whoever has the same lives together; empty says nothing
    ignore = ["history_segment"]             # every other column must be mapped
    [identities]
    email = "mail_address"                   # how else he is found; one of these, where there is no reference
    [attributes]                             # what is known of him: attribute = column
    area = { column = "zip_code", values = { "Urban" = "town", "Rural" = "country" } }
    [outcomes]                               # what came of a treatment; `treatment` is remembered as `got`
    treatment = "segment"
    came_at = "visited_at"                   # when it happened, if that is known
    [statement]                              # what he said
    act = "act"
    scopes = { column = "scopes", separator = " " }
    said_at = "said_at"                      # method, language, evidence, notice_version, until, age: if there are

Where a row says several things, or not all rows say the same, there are several `[[statement]]`, each with the rows
that it is about (`when`), and `silent` names the rows that say nothing. `[signal]` names the columns of privacy
signals, to which `[tcf]` and `[us]` give a meaning (`consent.signals.mapping`). `consent.imports.columns` shows what
may stand in the place of a column.

A table of values turns a file's words into ours; a cell that isn't in it is wrong.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from consent.base.errors import ImportInvalid, Place, counted
from consent.base.form import KEY, Form, read_table, read_text
from consent.catalogue.model import Attribute, Catalogue
from consent.imports.columns import (
    FACT_KINDS,
    Column,
    Condition,
    Constant,
    Reading,
    Source,
    Value,
    read_column,
    read_conditions,
    read_source,
)
from consent.imports.formats import FORMATS, Format
from consent.permission.statement import Act, Method
from consent.signals.mapping import TABLES, SignalMapping, read_signals

__all__ = ["Column", "FileMapping", "Value", "parse_mapping", "read_mapping", "wrong_header"]

REFERENCE: Final = "reference"
TREATMENT: Final = "treatment"
CAME_AT: Final = "came_at"
GOT: Final = "got"
"""The attribute as which an outcome's treatment is remembered."""

WORDS: Final[Mapping[str, tuple[str, ...]]] = {"act": tuple(Act), "method": tuple(Method)}
"""The parts of a statement whose cells are one of a few words."""

_WORD: Final = Reading(kinds=(str,), fixed=True)
_PARTS: Final[Mapping[str, Reading]] = {
    "act": _WORD,
    "scopes": Reading(kinds=(str, list), separated=True, fixed=True),
    "said_at": Reading(timed=True),
    "method": _WORD,
    "language": Reading(fixed=True),
    "evidence": Reading(phrased=True),
    "notice_version": Reading(kinds=(int,), fixed=True),
    "until": Reading(timed=True),
    "age": Reading(),
    "guardian": Reading(kinds=(bool,)),
}
_REQUIRED: Final = ("act", "scopes", "said_at")
_SIGNAL_PARTS: Final[Mapping[str, Reading]] = {
    "tcf": Reading(),
    "gpp": Reading(),
    "usp": Reading(),
    "gpc": Reading(),
    "received_at": Reading(timed=True),
    "evidence": Reading(phrased=True),
    "notice_version": Reading(kinds=(int,), fixed=True),
}
SIGNALS: Final = ("tcf", "gpp", "usp", "gpc")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """An attribute, and the column it is read from. `quiet`: no error may quote a cell of it."""

    attribute: Attribute
    column: Column
    quiet: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """What some rows say: which rows, and where each part of the statement comes from."""

    parts: Mapping[str, Source]
    when: tuple[Condition, ...] = ()

    @property
    def columns(self) -> frozenset[str]:
        """Every column that it reads."""
        read = (column for source in self.parts.values() for column in source.columns)
        return frozenset((*read, *(condition.column for condition in self.when)))


@dataclass(frozen=True, slots=True, kw_only=True)
class FileMapping:
    """What the columns of one kind of file are."""

    format: Format
    records: str
    each: str
    reference: str
    """The column of the customer's reference; "" where he is found by his identities alone."""
    household: str
    """The column of what his household is called; "" where the file doesn't say."""
    identities: Mapping[str, str]
    attributes: tuple[Fact, ...]
    outcomes: tuple[Fact, ...]
    came_at: Column | None
    """The column of when an outcome happened; None where the file doesn't say."""
    statements: tuple[Template, ...]
    silent: tuple[Condition, ...]
    signal: Template | None
    meaning: SignalMapping | None
    ignore: frozenset[str]
    digest: bytes
    """SHA-256 of the mapping file."""

    @property
    def columns(self) -> frozenset[str]:
        """Every column that the mapping reads."""
        facts = (fact.column.columns for fact in (*self.attributes, *self.outcomes))
        said = (template.columns for template in (*self.statements, *((self.signal,) if self.signal else ())))
        times = (self.came_at.columns,) if self.came_at else ()
        read = (column for columns in (*facts, *times, *said) for column in columns)
        household = (self.household,) if self.household else ()
        return frozenset((*self.naming, *household, *read, *(condition.column for condition in self.silent)))

    @property
    def named(self) -> dict[str, str]:
        """Kind of identity → its column; the reference comes first, if there is one."""
        return {**({REFERENCE: self.reference} if self.reference else {}), **self.identities}

    @property
    def naming(self) -> frozenset[str]:
        """The columns that name a customer: their cells are never quoted."""
        return frozenset(self.named.values())


def read_mapping(path: Path, catalogue: Catalogue, *, written: str = "") -> FileMapping:
    """Read a mapping file (TOML, or JSON by its ending) for a file of the format `written`; "" takes the mapping's.

    Raises:
        ImportInvalid: with every place that is wrong.
    """
    table, text = read_table(path, ImportInvalid)
    return _mapping(table, text, path.name, catalogue, written)


def parse_mapping(text: str, catalogue: Catalogue, *, written: str = "") -> FileMapping:
    """Read a mapping from TOML text.

    Raises:
        ImportInvalid: with every place that is wrong.
    """
    table, _ = read_text(text.encode(), "the mapping", ImportInvalid)
    return _mapping(table, text, "the mapping", catalogue, written)


def wrong_header(mapping: FileMapping, header: Sequence[str]) -> list[Place]:
    """Return what is wrong with a file's header: columns missing, and columns neither mapped nor ignored.

    Columns are named only where the one that names the customer is there: else the first line may well be a customer.
    """
    missing = sorted(mapping.columns - set(header))
    known = mapping.columns | mapping.ignore | mapping.format.columns
    surplus = [name for name in header if name not in known]
    first = next(iter(mapping.named.values()))
    if first not in header:
        near = get_close_matches(first, header, 1)
        why = f"is missing: it names the customer{_suggested(near)}. Is the first line a header?"
        return [Place(f"column {first}", why)]
    return [
        *(Place(f"column {name}", f"is missing{_suggested(get_close_matches(name, surplus, 1))}") for name in missing),
        *(Place(f"column {name[:80]}", "is neither mapped nor ignored") for name in surplus),
    ]


def _suggested(near: Sequence[str]) -> str:
    return f"; did you mean {near[0][:80]}?" if near else ""


def _mapping(table: dict[str, Any], text: str, name: str, catalogue: Catalogue, written: str) -> FileMapping:
    places: list[Place] = []
    top = Form(table, "", places)
    kind = _format(top, written)
    identities = dict(_identities(top.table("identities"), places))
    signal = _signal(top) if "signal" in table else None
    read = FileMapping(
        format=kind,
        records=kind.records or (top.text("records", "", longest=200) if kind.json else ""),
        each=kind.each or (top.text("each", "", longest=200) if kind.json else ""),
        reference=top.text("reference", *([""] if identities else []), longest=200),
        household=top.text("household", "", longest=200),
        identities=identities,
        attributes=tuple(_facts(top.table("attributes"), "attributes", catalogue, places)),
        outcomes=tuple(_outcomes(top.table("outcomes"), catalogue, places)),
        came_at=_came_at(top.table("outcomes"), places),
        statements=tuple(_statements(top, table.get("statement"), catalogue)),
        silent=read_conditions(top, "silent"),
        signal=signal,
        meaning=read_signals(table, catalogue, places) if signal else None,
        ignore=frozenset(top.texts("ignore", ())),
        digest=hashlib.sha256(text.encode()).digest(),
    )
    for part in TABLES if signal else ():
        top.table(part)
    top.unknown()
    both = sorted(read.ignore & read.columns)
    places.extend(Place("ignore", f"{column[:80]} is mapped as well") for column in both)
    if places:
        raise ImportInvalid(f"{counted(places)} in {name}", places=places)
    return read


def _format(top: Form, written: str) -> Format:
    said = top.choice("format", tuple(FORMATS), *([""] if written else []))
    if written and said and said != written:
        top.wrong("format", f"is {said}, but the file is of the format {written}")
    return FORMATS.get(written or said, FORMATS["csv"])


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
    yield from _facts({key: each for key, each in table.items() if key != CAME_AT}, "outcomes", catalogue, places)


def _came_at(table: Mapping[str, Any], places: list[Place]) -> Column | None:
    form = Form(dict(table), "outcomes", places)
    return read_column(form, CAME_AT, table[CAME_AT], Reading(timed=True)) if CAME_AT in table else None


def _facts(table: Mapping[str, Any], where: str, catalogue: Catalogue, places: list[Place]) -> Iterator[Fact]:
    form = Form(table, where, places)
    for key in table:
        name = GOT if where == "outcomes" and key == TREATMENT else key
        attribute = catalogue.attributes.get(name)
        if attribute is None:
            near = get_close_matches(name, catalogue.attributes, 1)
            form.wrong(key[:80], f"{name[:80]} is not an attribute of the catalogue{_suggested(near)}")
            continue
        column = read_column(form, key, table[key], FACT_KINDS[attribute.type])
        yield Fact(attribute=attribute, column=column, quiet=catalogue.categories[attribute.category].special)


def _statements(top: Form, given: object, catalogue: Catalogue) -> Iterator[Template]:
    """Read `[statement]`, or several `[[statement]]`."""
    if not isinstance(given, list):
        form = top.form("statement", required=False)
        if given:
            yield _template(form, given, catalogue)
        return
    for form, table in zip(top.forms("statement"), (each for each in given if isinstance(each, dict)), strict=True):
        yield _template(form, table, catalogue, conditional=True)


def _template(form: Form, given: object, catalogue: Catalogue, *, conditional: bool = False) -> Template:
    table = given if isinstance(given, dict) else {}
    for part in _REQUIRED:
        if part not in table:
            form.wrong(part, "is missing: name its column")
    parts = {part: _part(form, part, table[part], catalogue) for part in _PARTS if part in table}
    when = read_conditions(form, "when") if conditional else ()
    form.unknown()
    return Template(parts=parts, when=when)


def _part(form: Form, part: str, given: object, catalogue: Catalogue) -> Source:
    source = read_source(form, part, given, _PARTS[part])
    allowed = catalogue.scopes if part == "scopes" else WORDS.get(part)
    for where, words in _given_words(source) if allowed else ():
        for word in words:
            if word not in (allowed or ()):
                form.wrong(f"{part}.{where}", _no_word(str(word), part, catalogue))
    return source


def _no_word(word: str, part: str, catalogue: Catalogue) -> str:
    if part in WORDS:
        return f"{word[:40]!r} is none of {', '.join(WORDS[part])}"
    return f"{word[:80]} is not in the catalogue{_suggested(get_close_matches(word, catalogue.scopes, 1))}"


def _given_words(source: Source) -> Iterator[tuple[str, Sequence[object]]]:
    """Walk the words that the mapping itself gives: of a table of values, or the same for every row."""
    if isinstance(source, Constant):
        yield "value", [cell for cell in source.cells if cell]
    elif isinstance(source, Column):
        for value in (source.values or {}).values():
            yield "values", value if isinstance(value, list) else [value]


def _signal(top: Form) -> Template:
    form = top.form("signal")
    table = top.table("signal")
    parts = {
        part: read_source(form, part, table[part], reading) for part, reading in _SIGNAL_PARTS.items() if part in table
    }
    if "received_at" not in table:
        form.wrong("received_at", "is missing: name its column")
    if not set(SIGNALS) & table.keys():
        form.wrong("tcf", f"is missing: name the column of at least one of {', '.join(SIGNALS)}")
    form.unknown()
    return Template(parts=parts)
