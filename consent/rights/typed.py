"""PURE: a fact as a person types it, read as the value that its attribute takes."""

import math
import re
import unicodedata
from typing import Final, TypeAlias

from consent.base.clock import parse_time, to_ms
from consent.base.errors import Invalid, Place, RequestUnfit
from consent.catalogue.model import Attribute

Value: TypeAlias = str | int | float | bool
"""What can be remembered."""

LONGEST: Final = 2_000
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,16}", re.ASCII)
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]{1,30}(?:\.[0-9]{1,30})?|\.[0-9]{1,30})(?:[eE][+-]?[0-9]{1,3})?", re.ASCII)
_TRUTHS: Final = {"true": True, "yes": True, "false": False, "no": False}


def typed(attribute: Attribute, text: str) -> Value:
    """Return what was typed, as a value of the attribute's type; times are milliseconds since 1970.

    Raises:
        RequestUnfit: it is none; the place is the attribute.

    >>> typed(Attribute(name="visits", category="browsing", type="integer"), " 12 ")
    12
    >>> typed(Attribute(name="visits", category="browsing", type="integer"), "1.9")
    Traceback (most recent call last):
    consent.base.errors.RequestUnfit: That can't be asked: /visits: must be a whole number
    """
    read = unicodedata.normalize("NFC", text).strip()
    found: Value | None
    match attribute.type:
        case "integer":
            found, why = int(read) if _INTEGER.fullmatch(read) else None, "must be a whole number"
        case "number":
            found, why = float(read) if _NUMBER.fullmatch(read) else None, "must be a number like 1234.5"
        case "boolean":
            found, why = _TRUTHS.get(read.lower()), "must be yes or no"
        case "time":
            found, why = _milliseconds(read), "must be a time like 2026-11-21T17:00:00Z"
        case "text":
            found, why = read if 0 < len(read) <= LONGEST else None, f"must have 1 to {LONGEST:,} characters"
    if found is None or (isinstance(found, float) and not math.isfinite(found)) or not attribute.admits([found]):
        raise RequestUnfit(places=[Place(f"/{attribute.name}", why)])
    return found


def _milliseconds(text: str) -> int | None:
    try:
        return to_ms(parse_time(text))
    except Invalid:
        return None
