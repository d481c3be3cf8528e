"""Reading TOML and JSON files by form: every wrong spot is named, all of them at once.

A `Form` wraps one table of a file. Its methods take a key, check the value's type, and note a `Place` where it is
wrong; `unknown` notes the keys that nobody asked for. The caller raises once, at the end, with all places.
"""

import re
import tomllib
from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

from consent.base import strict_json
from consent.base.errors import Invalid, Place

KEY = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_MISSING = object()


class Form:
    """One table of a file, and the list of places that its whole file shares."""

    __slots__ = ("_asked", "_table", "places", "where")

    def __init__(self, table: Mapping[str, Any], where: str, places: list[Place]) -> None:
        """Wrap `table`, which stands at `where` in its file ("" for the top)."""
        self._table = table
        self._asked: set[str] = set()
        self.where = where
        self.places = places

    def at(self, key: str) -> str:
        """Return the path of `key`."""
        return f"{self.where}.{key}" if self.where else key

    def wrong(self, key: str, why: str) -> None:
        """Note that the value at `key` is wrong."""
        self.places.append(Place(self.at(key), why))

    def _take(self, key: str, kinds: tuple[type, ...], named: str, default: object) -> Any:  # noqa: ANN401 -- checked against `kinds` here
        self._asked.add(key)
        value = self._table.get(key, _MISSING)
        if value is _MISSING:
            if default is _MISSING:
                self.wrong(key, f"is missing: give {named}")
                return None
            return default
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            self.wrong(key, f"must be {named}")
            return None if default is _MISSING else default
        return value

    def has(self, key: str) -> bool:
        """Say whether the table has the key."""
        return key in self._table

    def text(self, key: str, default: Any = _MISSING, *, longest: int = 2_000) -> str:  # noqa: ANN401 -- a sentinel or text
        """Return text of 1 to `longest` characters without control characters."""
        value = self._take(key, (str,), "text", default)
        if not isinstance(value, str):
            return ""
        if value is not default and (not value.strip() or len(value) > longest):
            self.wrong(key, f"must have 1 to {longest:,} characters")
        if any(sign < " " and sign not in "\n\t" for sign in value):
            self.wrong(key, "has a control character")
        return value

    def key(self, key: str, default: Any = _MISSING) -> str:  # noqa: ANN401 -- a sentinel or text
        """Return a short name: a lower-case letter, then letters, digits, hyphens, underscores."""
        value = self._take(key, (str,), "a short name", default)
        if not isinstance(value, str):
            return ""
        if value is not default and not KEY.fullmatch(value):
            self.wrong(key, "must be a short name: a-z, then a-z, 0-9, - or _, at most 63 signs")
        return value

    def number(self, key: str, default: Any = _MISSING, *, low: float, high: float) -> float:  # noqa: ANN401 -- a sentinel or a number
        """Return a number between `low` and `high`, both allowed."""
        value = self._take(key, (int, float), "a number", default)
        if value is None or value is default:
            return 0.0 if value is None else float(value)
        if not low <= value <= high:
            self.wrong(key, f"must be from {low:g} to {high:g}")
            return low
        return float(value)

    def integer(self, key: str, default: Any = _MISSING, *, low: int, high: int) -> int:  # noqa: ANN401 -- a sentinel or an integer
        """Return a whole number between `low` and `high`, both allowed."""
        value = self._take(key, (int,), "a whole number", default)
        if value is None or value is default:
            return 0 if value is None else int(value)
        if not low <= value <= high:
            self.wrong(key, f"must be from {low:,} to {high:,}")
            return low
        return int(value)

    def flag(self, key: str, default: Any = _MISSING) -> bool:  # noqa: ANN401 -- a sentinel or a boolean
        """Return true or false."""
        return bool(self._take(key, (bool,), "true or false", default))

    def choice(self, key: str, allowed: tuple[str, ...], default: Any = _MISSING) -> str:  # noqa: ANN401 -- a sentinel or text
        """Return one of the allowed words."""
        value = self._take(key, (str,), "one of " + ", ".join(allowed), default)
        if isinstance(value, str) and value is not default and value not in allowed:
            self.wrong(key, "must be one of " + ", ".join(allowed))
        return value if isinstance(value, str) else ""

    def day(self, key: str) -> date | None:
        """Return a date; text like 2026-12-31 counts, since JSON has no dates."""
        value = self._take(key, (date, str), "a date like 2026-12-31", _MISSING)
        if isinstance(value, datetime):
            self.wrong(key, "must be a date without a time")
            return None
        if isinstance(value, str):
            try:
                return date.fromisoformat(value)
            except ValueError:
                self.wrong(key, "must be a date like 2026-12-31")
                return None
        return value if isinstance(value, date) else None

    def texts(self, key: str, default: Any = _MISSING) -> tuple[str, ...]:  # noqa: ANN401 -- a sentinel or a tuple
        """Return a list of texts."""
        value = self._take(key, (list, tuple), "a list of texts", default)
        if not all(isinstance(item, str) for item in value or ()):
            self.wrong(key, "must hold texts only")
            return ()
        return tuple(value or ())

    def integers(self, key: str, default: Any = _MISSING, *, low: int, high: int) -> tuple[int, ...]:  # noqa: ANN401 -- a sentinel or a tuple
        """Return a list of whole numbers between `low` and `high`, both allowed."""
        value = self._take(key, (list, tuple), "a list of whole numbers", default)
        if not all(type(item) is int and low <= item <= high for item in value or ()):
            self.wrong(key, f"must hold whole numbers from {low:,} to {high:,} only")
            return ()
        return tuple(value or ())

    def table(self, key: str, *, required: bool = False) -> dict[str, Any]:
        """Return a table as it stands (its keys are the caller's to check)."""
        value = self._take(key, (dict,), "a table", _MISSING if required else {})
        return dict(value or {})

    def form(self, key: str, *, required: bool = True) -> "Form":
        """Return the table at `key` as a form of its own."""
        return Form(self.table(key, required=required), self.at(key), self.places)

    def forms(self, key: str, *, least: int = 0) -> Iterator["Form"]:
        """Walk a list of tables as forms, named by position."""
        value = self._take(key, (list,), "a list of tables", []) or []
        if len(value) < least:
            self.wrong(key, f"needs at least {least}")
        for spot, item in enumerate(value):
            where = f"{self.at(key)}[{spot}]"
            if isinstance(item, dict):
                yield Form(item, where, self.places)
            else:
                self.places.append(Place(where, "must be a table"))

    def unknown(self) -> None:
        """Note every key that nobody asked for."""
        for key in sorted(set(self._table) - self._asked, key=str):
            self.wrong(str(key)[:80], "is not known here")


def read_table(path: Path, kind: type[Invalid]) -> tuple[dict[str, Any], str]:
    """Read a TOML or JSON file (by its ending) of at most 4 MiB: its top table, and its text.

    Raises:
        Invalid: of the given `kind`, naming line and column where the file can't be read.
    """
    try:
        raw = path.read_bytes()
    except OSError as away:
        raise kind(f"{path.name} can't be read: {away.strerror}") from away
    return read_text(raw, path.name, kind, as_json=path.suffix == ".json")


def read_text(raw: bytes, name: str, kind: type[Invalid], *, as_json: bool = False) -> tuple[dict[str, Any], str]:
    """Read the bytes of a TOML or JSON file: its top table, and its text. A byte order mark before it is passed over.

    Raises:
        Invalid: of the given `kind`: not UTF-8, too large, or not the format, with the line and column.
    """
    if len(raw) > 4 * 1024 * 1024:
        msg = f"{name} is larger than 4 MiB"
        raise kind(msg)
    raw = raw.removeprefix(BOM_UTF8)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as wrong:
        line = raw.count(b"\n", 0, wrong.start) + 1
        raise kind(f"{name} is not UTF-8", places=[Place(f"line {line}", "byte that is not UTF-8")]) from wrong
    if not as_json:
        try:
            return tomllib.loads(text), text
        except tomllib.TOMLDecodeError as wrong:
            raise kind(f"{name} is not valid TOML", places=[_of_toml(str(wrong))]) from wrong
        except RecursionError as wrong:
            raise kind(f"{name} is nested too deeply") from wrong
    try:
        table = strict_json.parse(raw)
    except Invalid as wrong:
        raise kind(f"{name} is not valid JSON", places=wrong.places) from wrong
    if not isinstance(table, dict):
        msg = f"{name} must hold one object"
        raise kind(msg)
    return table, text


_TWICE: Final = {
    "Cannot overwrite": "a key stands twice",
    "Duplicate inline": "a key stands twice",
    "Cannot declare": "a table stands twice",
}
"""How `tomllib` begins to say that something stands twice."""


def _of_toml(told: str) -> Place:
    """Return the place that `tomllib` names, and what is wrong there.

    >>> _of_toml("Cannot overwrite a value (at line 2, column 6)")
    Place(where='line 2, column 6', why='a key stands twice')
    >>> _of_toml("Unclosed array (at end of document)")
    Place(where='end of the file', why='Unclosed array')
    """
    why, _, where = told.removesuffix(")").rpartition(" (at ")
    twice = next((plain for begins, plain in _TWICE.items() if why.startswith(begins)), "")
    return Place("end of the file" if where == "end of document" else where, twice or why[:200])
