"""The filters that templates may use: each has kinds, gives the same on every machine, and reads no clock.

A filter takes plain text or numbers and gives plain text or a number. So whatever went through one is escaped when it
is put out. What would grow too long, or too large to be said, is `Unrenderable`: the general wording stands in for it.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Context, Decimal
from typing import Any, Final, Literal, TypeAlias
from urllib.parse import quote

from consent.base.clock import from_ms

Kind = Literal["text", "number", "flag", "time", "block"]
"""What an expression of a template gives; a block is captured, and escaped already."""

Number: TypeAlias = int | float

LONGEST: Final = 20_000
"""Signs of a wording, at most, before and after it is rendered."""

_LARGEST: Final = Decimal(10) ** 15
_SHOWN: Final = Decimal("0.000001")
_EXACTLY: Final = Context(prec=50)
_DATE: Final = re.compile(r"(?:[^%]|%%|%-?[dm]|%[BbAaYyHM])+")
_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class Unrenderable(Exception):
    """For these values a template has no text that could be sent: it would be too long, or a number too large."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """One filter: what it takes, which arguments (`least` of them at least), what it gives, and how."""

    takes: Kind
    arguments: tuple[str, ...] = ()
    """Kinds; or one of `LITERALS`, for what has to be written out in the template."""
    least: int | None = None
    gives: Kind
    does: Callable[..., object]


def plain(value: object) -> str:
    """Return a text or number as it is put out: numbers without a needless fraction, six decimals at most.

    >>> plain(3.0), plain(0.1 + 0.2), plain("a")
    ('3', '0.3', 'a')
    """
    if isinstance(value, str):
        return str(value)
    told = exact(value)
    if told == told.to_integral_value():
        return str(int(told))
    return format(told.quantize(_SHOWN, context=_EXACTLY), "f").rstrip("0").rstrip(".")


def exact(value: object) -> Decimal:
    """Return a number as the decimal that it is written as.

    Raises:
        Unrenderable: it is too large to be said, or none.
    """
    number = Decimal(value) if isinstance(value, int) else Decimal(repr(value))
    if not number.is_finite() or abs(number) > _LARGEST:
        raise Unrenderable
    return number


def _number(number: Decimal) -> Number:
    if abs(number) > _LARGEST:
        raise Unrenderable
    return int(number) if number == number.to_integral_value() else float(number)


def _text(text: str) -> str:
    if len(text) > LONGEST:
        raise Unrenderable
    return text


def _on_text(act: Callable[..., str]) -> Callable[..., str]:
    """Return a filter on texts; numbers are taken as they would be put out."""
    return lambda value, *others: _text(act(plain(value), *map(plain, others)))


def _on_numbers(act: Callable[..., Decimal]) -> Callable[..., Number]:
    return lambda value, *others: _number(act(exact(value), *map(exact, others)))


def _truncated(text: str, most: str, ending: str = "...") -> str:
    return text if len(text) <= int(most) else text[: max(0, int(most) - len(ending))] + ending


def _divided(value: Decimal, by: Decimal) -> Decimal:
    return _EXACTLY.divide(value, by)


def _divided_by(value: object, by: object) -> Number:
    """Divide; a whole divisor gives a whole number, rounded down, as Liquid has it."""
    found = _divided(exact(value), exact(by))
    return _number(found.to_integral_value(ROUND_FLOOR) if isinstance(by, int) else found)


def _modulo(value: Decimal, by: Decimal) -> Decimal:
    return value - by * _divided(value, by).to_integral_value(ROUND_FLOOR)


def _rounded(value: Decimal, places: Decimal = Decimal(0)) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-int(places)), ROUND_HALF_UP, context=_EXACTLY)


def _replaced(text: str, what: str, by: str) -> str:
    if len(text) + text.count(what) * len(by) > 2 * LONGEST:
        raise Unrenderable
    return text.replace(what, by) if what else text


def _date(at: Any, pattern: object) -> str:  # noqa: ANN401 -- milliseconds, as the check of kinds has seen to
    """Return a time in UTC; the names of months and days are English."""
    when = from_ms(at)
    month, day = _MONTHS[when.month - 1], _DAYS[when.weekday()]
    told = {
        "%d": f"{when.day:02}", "%-d": f"{when.day}", "%m": f"{when.month:02}", "%-m": f"{when.month}",
        "%B": month, "%b": month[:3], "%A": day, "%a": day[:3], "%Y": f"{when.year:04}", "%y": f"{when.year % 100:02}",
        "%H": f"{when.hour:02}", "%M": f"{when.minute:02}", "%%": "%",
    }  # fmt: skip
    return re.sub(r"%-?.", lambda found: told[found.group()], str(pattern))


LITERALS: Final[Mapping[str, tuple[str, Callable[[object], bool]]]] = {
    "divisor": ("a number other than 0", lambda it: isinstance(it, int | float) and it != 0 and abs(it) <= _LARGEST),
    "places": ("a whole number from 0 to 6", lambda it: isinstance(it, int) and 0 <= it <= 6),  # noqa: PLR2004 -- in words beside it
    "length": ("a whole number from 1 to 1000", lambda it: isinstance(it, int) and 1 <= it <= 1_000),  # noqa: PLR2004 -- in words beside it
    "pattern": (
        "a pattern of %d %-d %m %-m %B %b %A %a %Y %y %H %M",
        lambda it: isinstance(it, str) and bool(_DATE.fullmatch(it)),
    ),
}
"""Arguments that have to stand in the template itself: what they must be, and whether something is."""

FILTERS: Final[Mapping[str, Filter]] = {
    "append": Filter(takes="text", arguments=("text",), gives="text", does=_on_text(lambda it, more: it + more)),
    "prepend": Filter(takes="text", arguments=("text",), gives="text", does=_on_text(lambda it, more: more + it)),
    "upcase": Filter(takes="text", gives="text", does=_on_text(str.upper)),
    "downcase": Filter(takes="text", gives="text", does=_on_text(str.lower)),
    "capitalize": Filter(takes="text", gives="text", does=_on_text(lambda it: it[:1].upper() + it[1:].lower())),
    "strip": Filter(takes="text", gives="text", does=_on_text(str.strip)),
    "remove": Filter(
        takes="text", arguments=("text",), gives="text", does=_on_text(lambda it, what: _replaced(it, what, ""))
    ),
    "replace": Filter(takes="text", arguments=("text", "text"), gives="text", does=_on_text(_replaced)),
    "truncate": Filter(takes="text", arguments=("length", "text"), least=1, gives="text", does=_on_text(_truncated)),
    "size": Filter(takes="text", gives="number", does=lambda it: len(plain(it))),
    "url_encode": Filter(takes="text", gives="text", does=_on_text(lambda it: quote(it, safe=""))),
    "plus": Filter(takes="number", arguments=("number",), gives="number", does=_on_numbers(lambda a, b: a + b)),
    "minus": Filter(takes="number", arguments=("number",), gives="number", does=_on_numbers(lambda a, b: a - b)),
    "times": Filter(takes="number", arguments=("number",), gives="number", does=_on_numbers(_EXACTLY.multiply)),
    "divided_by": Filter(takes="number", arguments=("divisor",), gives="number", does=_divided_by),
    "modulo": Filter(takes="number", arguments=("divisor",), gives="number", does=_on_numbers(_modulo)),
    "abs": Filter(takes="number", gives="number", does=_on_numbers(abs)),
    "ceil": Filter(takes="number", gives="number", does=_on_numbers(lambda it: it.to_integral_value(ROUND_CEILING))),
    "floor": Filter(takes="number", gives="number", does=_on_numbers(lambda it: it.to_integral_value(ROUND_FLOOR))),
    "round": Filter(takes="number", arguments=("places",), least=0, gives="number", does=_on_numbers(_rounded)),
    "at_least": Filter(takes="number", arguments=("number",), gives="number", does=_on_numbers(max)),
    "at_most": Filter(takes="number", arguments=("number",), gives="number", does=_on_numbers(min)),
    "date": Filter(takes="time", arguments=("pattern",), gives="text", does=_date),
}
"""Every filter there is."""
