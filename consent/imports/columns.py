"""PURE: where a value comes from: a column of the file, the same words for every row, or a phrase made of several.

act = "status"                                                             # a column
act = { column = "status", values = { "yes" = "grant", "no" = "refuse" } } # a column whose words are not ours
scopes = { column = "scopes", separator = " " }                            # several in one cell
said_at = { column = "CONFIRM_TIME", form = "plain", zone = "UTC" }        # a time that names no zone
said_at = { columns = ["CONFIRM_TIME", "OPTIN_TIME"], form = "plain", zone = "UTC" }  # the first that is known
act = { value = "grant" }                                                  # the same for every row
evidence = { text = "opted in {OPTIN_TIME} from {OPTIN_IP}" }              # known where all its columns are
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias
from zoneinfo import ZoneInfo

from consent.base.canonical import GREATEST
from consent.base.form import Form

Value: TypeAlias = str | int | float | bool
Told: TypeAlias = "Value | list[str]"
"""What a table turns a cell into; a list only where a cell stands for several scopes, or for none."""
TimeForm: TypeAlias = Literal["rfc3339", "plain", "go"]

SEPARATORS: Final = (" ", ";", "|", ",")
FORMS: Final = ("rfc3339", "plain", "go")
"""`plain` is `2026-11-21 17:00:00` (or with a T, and decimals) in a zone that the mapping names; `go` is how Go writes
a time: `2026-11-21 17:00:00.123456 +0000 UTC`."""

_PLACE: Final = re.compile(r"\{([^{}]+)\}")
_NAMED: Final[Mapping[tuple[type, ...], str]] = {
    (int, float): "a number",
    (int,): "a whole number",
    (bool,): "true or false",
    (str,): "text",
    (str, list): "a text, or a list of texts",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of the file and, where its words are not ours, a table from its cells to values.

    Where its cell is empty, those of `others` are looked at in turn. `form` and `zone` say how it writes a time.
    """

    name: str
    values: Mapping[str, Told] | None = None
    separator: str = ""
    others: tuple[str, ...] = ()
    form: TimeForm = "rfc3339"
    zone: ZoneInfo | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that is read for it."""
        return (self.name, *self.others)


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """The same for every row, as a cell would hold it; several of a list."""

    cells: tuple[str, ...]
    columns: tuple[str, ...] = ()
    """None: so that every source has them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrase:
    """Text with columns in it, in braces; known where all of them are."""

    text: str
    columns: tuple[str, ...]

    def of(self, cells: Sequence[str]) -> str | None:
        """Return the phrase for the cells of its columns, in order.

        >>> Phrase(text="{a} from {b}", columns=("a", "b")).of(["1 May", "::1"])
        '1 May from ::1'
        >>> Phrase(text="{a} from {b}", columns=("a", "b")).of(["1 May", " "])
        """
        told = [cell.strip() for cell in cells]
        if not all(told):
            return None
        found = dict(zip(self.columns, told, strict=True))
        return _PLACE.sub(lambda place: found[place[1]], self.text)


Source: TypeAlias = Column | Constant | Phrase


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """Which rows are meant: whose cell is one of some, or whose cell is known, or isn't."""

    column: str
    cells: frozenset[str] = frozenset()
    known: bool | None = None
    among: bool = True
    """Whether the cell must be one of `cells`, or none of them."""

    def holds(self, cell: str) -> bool:
        """Say whether it holds for a cell.

        >>> Condition(column="a", known=True).holds(" "), Condition(column="a", cells=frozenset({"x"})).holds(" x ")
        (False, True)
        """
        told = cell.strip()
        return (told in self.cells) is self.among if self.known is None else bool(told) is self.known


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What may be said of a source: the types of a table's values, and which of the forms there are."""

    kinds: tuple[type, ...] = ()
    separated: bool = False
    timed: bool = False
    fixed: bool = False
    """It may be the same for every row."""
    phrased: bool = False


FACT_KINDS: Final[Mapping[str, Reading]] = {
    "number": Reading(kinds=(int, float)),
    "integer": Reading(kinds=(int,)),
    "boolean": Reading(kinds=(bool,)),
    "text": Reading(kinds=(str,)),
    "time": Reading(timed=True),
}
"""What may be said of an attribute's column, by its type; a time is always read from its cell."""


def read_source(form: Form, key: str, given: object, reading: Reading) -> Source:
    """Read what stands at `key`: `"column"`, or a table as the module's text shows."""
    if not isinstance(given, dict):
        return Column(name=form.text(key, longest=200))
    inner = form.form(key)
    if reading.fixed and "value" in given:
        return _constant(inner, given["value"], several=reading.separated)
    if reading.phrased and "text" in given:
        return _phrase(inner)
    return _column(inner, given, reading)


def read_column(form: Form, key: str, given: object, reading: Reading) -> Column:
    """Read a column, where nothing else may stand."""
    if not isinstance(given, dict):
        return Column(name=form.text(key, longest=200))
    return _column(form.form(key), given, reading)


def _column(inner: Form, given: Mapping[str, Any], reading: Reading) -> Column:
    several = inner.texts("columns") if reading.timed and "columns" in given else ()
    name = several[0] if several else inner.text("column", longest=200)
    separator = inner.choice("separator", SEPARATORS, "") if reading.separated else ""
    values = inner.table("values") if reading.kinds else {}
    for cell, value in values.items():
        if not _is_one(value, reading.kinds):
            inner.wrong(f"values.{cell[:40]}", f"must be {_NAMED[reading.kinds]}")
    if "values" in given and reading.kinds and not values:
        inner.wrong("values", "is empty")
    written, zone = _time(inner) if reading.timed else ("rfc3339", None)
    inner.unknown()
    return Column(name=name, values=values or None, separator=separator, others=several[1:], form=written, zone=zone)


def _time(inner: Form) -> tuple[TimeForm, ZoneInfo | None]:
    written: Any = inner.choice("form", FORMS, "rfc3339")
    if written != "plain":
        return written or "rfc3339", None
    name = inner.text("zone", longest=64)
    try:
        return "plain", ZoneInfo(name) if name else None
    except (KeyError, ValueError, OSError):
        inner.wrong("zone", "is not a time zone like UTC or Europe/Vienna")
        return "plain", None


def _constant(inner: Form, given: object, *, several: bool) -> Constant:
    cells = inner.texts("value") if several and isinstance(given, list) else (_plain(inner, given),)
    inner.unknown()
    return Constant(cells=cells)


def _plain(inner: Form, given: object) -> str:
    if type(given) is int:
        return str(inner.integer("value", low=0, high=GREATEST))
    return inner.text("value", longest=200)


def _phrase(inner: Form) -> Phrase:
    text = inner.text("text", longest=500)
    columns = tuple(dict.fromkeys(_PLACE.findall(text)))
    if text and not columns:
        inner.wrong("text", "names no column in braces: the same words for every row are evidence of none")
    inner.unknown()
    return Phrase(text=text, columns=columns)


def read_conditions(form: Form, key: str) -> tuple[Condition, ...]:
    """Read a table of conditions: `{ status = ["a", "b"], time = "known" }`."""
    table = form.table(key)
    inner = Form(table, form.at(key), form.places)
    return tuple(_condition(inner, column, given) for column, given in table.items())


def _condition(inner: Form, column: str, given: object) -> Condition:
    if isinstance(given, str):
        return Condition(column=column, known=inner.choice(column, ("known", "unknown")) == "known")
    return Condition(column=column, cells=frozenset(cell.strip() for cell in inner.texts(column)))


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
        case list():
            return list in kinds and all(isinstance(item, str) for item in value)
        case _:
            return False
