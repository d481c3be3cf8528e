"""JSON as it comes in from outside, read strictly: nothing is silently dropped, rounded or replaced."""

import json
import math
import re
from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

import orjson

from consent.base.errors import Invalid, Place

DEEPEST: Final = 32
LARGEST_INTEGER: Final = 2**53 - 1
_SOUND: Final = frozenset({str, bool, type(None)})
_KEY_ENDS: Final = re.compile(rb'"[ \t\n\r]*:')
_UNSOUND: Final = -1_000_000_000


def parse(raw: bytes) -> Any:  # noqa: ANN401 -- JSON is of any shape until a form has read it
    """Read a JSON text.

    Refused, with the place: bytes that are not UTF-8, duplicate keys, NaN and infinities, integers beyond
    ±(2^53−1), nesting deeper than 32, NUL characters, lone surrogates.

    Raises:
        Invalid: with the place, as a JSON pointer or as line and column.

    >>> parse(b'{"a": [1, true]}')
    {'a': [1, True]}
    """
    plain = at_once(raw)
    return slowly(raw) if plain is None else plain


def at_once(raw: bytes) -> dict[str, Any] | list[Any] | None:
    """Return what is plainly right, several times as fast as `slowly`; None where that has to look.

    What reads fast drops all but the last of a key that stands twice. So its keys are counted, and the quotes before
    colons: without escapes there is one behind each key, and if any more, they open a text that begins with a colon.
    """
    if b"\\" in raw:
        return None
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None
    if type(value) is not dict and type(value) is not list:
        return None
    return value if _keys(value, 0) == len(_KEY_ENDS.findall(raw)) else None


def _keys(value: Any, depth: int) -> int:  # noqa: ANN401 -- walks JSON of any shape
    """Return how many keys there are in a value; fewer than none where something is wrong, or not surely right."""
    kind = type(value)
    if kind is int:
        return 0 if abs(value) <= LARGEST_INTEGER else _UNSOUND
    if (kind is not dict and kind is not list) or depth >= DEEPEST:
        return _UNSOUND
    inner = value.values() if kind is dict else value
    count = len(value) if kind is dict else 0
    for each in inner:
        if type(each) not in _SOUND:
            count += _keys(each, depth + 1)
    return count


def slowly(raw: bytes) -> Any:  # noqa: ANN401 -- the same
    """Read a JSON text as `parse` does, and name the place of what is wrong.

    Raises:
        Invalid: with the place.
    """
    try:
        text = raw.decode("utf-8")
        value = json.loads(text, object_pairs_hook=_pairs, parse_constant=_no_constant)
    except UnicodeDecodeError as wrong:
        raise _refused(f"byte {wrong.start}", "is not UTF-8") from wrong
    except json.JSONDecodeError as wrong:
        raise _refused(f"line {wrong.lineno}, column {wrong.colno}", wrong.msg) from wrong
    except RecursionError as wrong:
        raise _refused("", f"is nested deeper than {DEEPEST}") from wrong
    except ValueError as wrong:  # an integer of more digits than Python converts
        raise _refused("", "has a number with too many digits") from wrong
    if "\\u" in text or not _sound(value, 0):
        _check(value, "", 0)
    return value


def _refused(where: str, why: str) -> Invalid:
    return Invalid("the JSON can't be read", places=[Place(where, why)])


@dataclass(frozen=True, slots=True)
class _Wrong:
    """Stands, in what `json` read, where something is wrong: only the walk that follows knows the place."""

    why: str
    key: str | None = None


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any] | _Wrong:
    table = dict(pairs)
    if len(table) == len(pairs):
        return table
    [(twice, _)] = Counter(name for name, _ in pairs).most_common(1)
    return _Wrong("stands twice in one object", twice)


def _no_constant(word: str) -> _Wrong:
    return _Wrong(f"{word} is not a number in JSON")


def _sound(value: Any, depth: int) -> bool:  # noqa: ANN401 -- walks JSON of any shape
    """Say whether nothing is wrong, sooner than `_check` names the place; what it can't tell it doesn't affirm.

    Text is not looked at: without escapes UTF-8 has neither NUL characters, which JSON refuses, nor halves of pairs.
    """
    kind = type(value)
    if kind is dict or kind is list:
        inner = value.values() if kind is dict else value
        return depth < DEEPEST and all(type(each) in _SOUND or _sound(each, depth + 1) for each in inner)
    if kind is int:
        return bool(abs(value) <= LARGEST_INTEGER)
    return kind in _SOUND or (kind is float and math.isfinite(value))


def _check(value: Any, where: str, depth: int) -> None:  # noqa: ANN401 -- walks JSON of any shape
    if depth > DEEPEST:
        raise _refused(where[:200], f"is nested deeper than {DEEPEST}")
    match value:
        case dict():
            for key, item in value.items():
                _check_text(key, where)
                _check(item, _inside(where, key), depth + 1)
        case list():
            for spot, item in enumerate(value):
                _check(item, f"{where}/{spot}", depth + 1)
        case _:
            _check_single(value, where)


def _check_single(value: Any, where: str) -> None:  # noqa: ANN401 -- what holds no other value
    match value:
        case str():
            _check_text(value, where)
        case float() if not math.isfinite(value):
            raise _refused(where, "is too large a number")
        case int() if abs(value) > LARGEST_INTEGER:
            raise _refused(where, "is beyond ±(2^53 − 1), where JSON readers start to round")
        case _Wrong(why, key):
            _check_text(key or "", where)
            raise _refused(where if key is None else _inside(where, key), why)
        case _:
            pass


def _inside(where: str, key: str) -> str:
    """Return the place of a key's value. A key longer than any of ours is cut."""
    return f"{where}/{key[:80].replace('~', '~0').replace('/', '~1')}"


def _check_text(text: str, where: str) -> None:
    if "\x00" in text:
        raise _refused(where, "has a NUL character")
    if not text.isascii() and any("\ud800" <= sign <= "\udfff" for sign in text):
        raise _refused(where, "has half a surrogate pair")
