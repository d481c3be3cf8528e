"""One value, one sequence of bytes: JCS of a closed profile, and base64 without slack.

The profile leaves out everything on which two writers could differ: objects with keys `[a-z_]+`, arrays,
strings in NFC, booleans, and integers within ±(2^53−1); no floats, no null. Within it RFC 8785 needs
neither its number format nor its UTF-16 key order, so that a plain JSON writer with sorted keys gives its bytes.
What can't be written here can't be signed, and what can't be read here was not written here.

No message quotes a value, and a key only if the profile allows it: values can be personal data.

Source:
    RFC 8785 (JCS); RFC 8259 (JSON); RFC 6901 (JSON pointer); RFC 4648 (base64).
"""

import base64
import json
import math
import re
import unicodedata
from binascii import b2a_base64
from typing import Final, TypeAlias

import orjson

from consent.base.errors import Invalid, Place

Canonical: TypeAlias = "dict[str, Canonical] | list[Canonical] | str | int"

GREATEST: Final = 2**53 - 1
DEEPEST: Final = 32
LONGEST: Final = 1 << 20

_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_KEY = re.compile(r"[a-z_]+")
_SURROGATE = re.compile("[\ud800-\udfff]")
_DIGITS_OF_GREATEST = 17  # with the sign; a longer number is refused before int() is paid for

# Keys that were found to be of the form: there are few, and they come again and again.
_MET: set[object] = set()
_MOST_MET = 1_000

# Where a value stands: its parent's place and its own key or position; None is the whole document.
_Where: TypeAlias = "tuple[_Where, str | int] | None"


class NotCanonical(Invalid):
    """The value or the bytes lie outside the closed profile; the place is a JSON pointer."""

    code = "not_canonical"
    title = "Outside the canonical form"


class _Twice:
    """Stands, in what `json` read, where an object named one key twice."""


def encode(value: object, *, limit: int = LONGEST) -> bytes:
    """Return the RFC 8785 bytes of a value of the closed profile.

    Args:
        value: dicts, lists, strings, integers and booleans of exactly these types (no enums, no tuples).
        limit: the most bytes to give.

    Raises:
        NotCanonical: `value` lies outside the profile, or is too long.

    >>> encode({"seq": 7, "log": "example.com/consent", "signed": True})
    b'{"log":"example.com/consent","seq":7,"signed":true}'
    """
    check(value)
    data = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    if len(data) > limit:
        raise NotCanonical(places=[Place("", f"longer than {limit} bytes")])
    return data


def parse(data: bytes, *, limit: int = LONGEST) -> Canonical:
    """Read JSON of the closed profile; spaces and key order may differ from the canonical ones.

    Args:
        data: UTF-8 without a byte order mark.
        limit: the most bytes to read.

    Raises:
        NotCanonical: not UTF-8, not JSON, a key twice, outside the profile, too deep, or too long.

    >>> parse(b'{"seq": 7}')
    {'seq': 7}
    >>> parse(b'{"list": [1, 2.5]}')
    Traceback (most recent call last):
    consent.base.canonical.NotCanonical: Outside the canonical form: /list/1: not an integer within ±(2^53−1)
    """
    if len(data) > limit:
        raise NotCanonical(places=[Place("", f"longer than {limit} bytes")])
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as refused:
        raise NotCanonical(places=[Place("", f"not UTF-8 at byte {refused.start}")]) from None
    try:
        value: Canonical = json.loads(text, object_pairs_hook=_once_each, parse_int=_integer)
    except json.JSONDecodeError as refused:
        raise NotCanonical(places=[Place("", f"not JSON at character {refused.pos}")]) from None
    except RecursionError:
        raise NotCanonical(places=[Place("", f"deeper than {DEEPEST} levels")]) from None
    check(value)
    return value


def is_canonical(data: bytes) -> bool:
    """Say whether `data` are exactly the bytes that `encode` gives for what they say.

    >>> is_canonical(b'{"a":1,"b":2}'), is_canonical(b'{"b":2,"a":1}'), is_canonical(b'{"a": 1}')
    (True, False, False)
    """
    try:
        return encode(parse(data)) == data
    except NotCanonical:
        return False


def check(value: object) -> None:
    """Prove that `value` belongs to the closed profile, at most 32 levels of objects and arrays deep.

    Raises:
        NotCanonical: it doesn't; the first place is named.

    >>> check({"act": "grant", "scopes": ["remember:purchases"]})
    >>> check({"act": 2.5})
    Traceback (most recent call last):
    consent.base.canonical.NotCanonical: Outside the canonical form: /act: not an integer within ±(2^53−1)
    """
    _check(value, None, depth=0)


def b64u(data: bytes) -> str:
    """Return base64url without padding.

    >>> b64u(bytes([251, 255]))
    '-_8'
    """
    return b2a_base64(data, newline=False).translate(_URL_SAFE, b"=").decode("ascii")


def b64u_bytes(text: str) -> bytes:
    """Read base64url without padding, in the one way that `b64u` writes it.

    Raises:
        NotCanonical: padding, spaces, the other alphabet, or bits left over.

    >>> b64u_bytes("-_8") == bytes([251, 255])
    True
    """
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        raise NotCanonical("not base64url") from None
    if b64u(data) != text:
        raise NotCanonical("not base64url in its one form")
    return data


def b64(data: bytes) -> str:
    """Return standard base64 with padding, as signed notes write it.

    >>> b64(bytes([251, 255]))
    '+/8='
    """
    return base64.b64encode(data).decode("ascii")


def b64_bytes(text: str) -> bytes:
    """Read standard base64 with padding, in the one way that `b64` writes it.

    Raises:
        NotCanonical: missing padding, spaces, the other alphabet, or bits left over.

    >>> b64_bytes("+/8=") == bytes([251, 255])
    True
    """
    try:
        data = base64.b64decode(text)
    except ValueError:
        raise NotCanonical("not base64") from None
    if b64(data) != text:
        raise NotCanonical("not base64 in its one form")
    return data


def _check(value: object, where: _Where, *, depth: int) -> None:
    if type(value) is str:
        _check_text(value, where)
    elif type(value) is int:
        if not -GREATEST <= value <= GREATEST:
            raise _refusal(where, "not an integer within ±(2^53−1)")
    elif type(value) is dict or type(value) is list:
        if depth == DEEPEST:
            raise _refusal(where, f"deeper than {DEEPEST} levels")
        _check_items(value, where, depth=depth + 1)
    elif type(value) is not bool:
        raise _refusal(where, _why_not(value))


def _check_items(value: dict[object, object] | list[object], where: _Where, *, depth: int) -> None:
    if isinstance(value, list):
        for position, item in enumerate(value):
            if type(item) is not str or not item.isascii():  # what most items are needs no call
                _check(item, (where, position), depth=depth)
        return
    for key, item in value.items():
        if type(key) is not str or key not in _MET:
            _check_key(key, where)
        if type(item) is not str or not item.isascii():
            _check(item, (where, str(key)), depth=depth)


def _check_key(key: object, where: _Where) -> None:
    if type(key) is not str or not _KEY.fullmatch(key):
        raise _refusal(where, "a key is not of the form [a-z_]+")
    if len(_MET) < _MOST_MET:
        _MET.add(key)


def _check_text(text: str, where: _Where) -> None:
    if text.isascii():
        return
    if _SURROGATE.search(text):
        raise _refusal(where, "half of a surrogate pair")
    if not unicodedata.is_normalized("NFC", text):
        raise _refusal(where, "not in Unicode's composed form (NFC)")


def _why_not(value: object) -> str:
    if value is None:
        return "null; what is not known is left out"
    if isinstance(value, float):
        return "not an integer within ±(2^53−1)"
    if isinstance(value, _Twice):
        return "a key appears twice"
    return "neither object, array, string, integer nor boolean"


def _refusal(where: _Where, why: str) -> NotCanonical:
    steps: list[str] = []
    while where is not None:
        where, step = where
        steps.append(f"/{step}")  # keys are [a-z_]+: nothing to escape
    return NotCanonical(places=[Place("".join(reversed(steps)), why)])


def _once_each(pairs: list[tuple[str, object]]) -> object:
    read = dict(pairs)
    return read if len(read) == len(pairs) else _Twice()


def _integer(digits: str) -> float:
    return int(digits) if len(digits) <= _DIGITS_OF_GREATEST else math.inf
