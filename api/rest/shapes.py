"""Shapes: the form of what comes in and goes out; never whether it is true.

A shape reads JSON into a frozen value, and refuses what isn't exactly of its form: unknown keys, 1.9 or "1" for a whole
number, "on" for a boolean, a time without a zone. Every wrong spot is named by its JSON pointer, all of them at once.

Source:
    RFC 6901 (JSON pointers), RFC 3339 (times).
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from functools import cached_property, partial
from typing import Any, ClassVar, Final, Generic, TypeVar

from marshmallow import RAISE, Schema, ValidationError, fields, validate, validates_schema
from typing_extensions import override

from consent.base.clock import parse_time, rfc3339
from consent.base.errors import Invalid, Place, RequestInvalid

T = TypeVar("T")

NO_CONTROLS: Final = r"^[^\u0000-\u001f\u007f]*$"
CUSTOMER: Final = r"^cus_[0-9a-f]{32}$"
SCOPE: Final = r"^[a-z]{1,16}(:[a-z][a-z0-9_-]{0,62}){1,2}$"
LANGUAGE: Final = r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$"
TIME: Final = r"^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)$"

MISSING: Final[dict[str, str | list[Any] | dict[Any, Any]]] = {
    "required": "is missing",
    "null": "must not be null",
    "validator_failed": "is not valid",
}
"""What every field says of what isn't there."""

_DIGITS: Final = re.compile("0|[1-9][0-9]{0,15}", re.ASCII)
_UNSURE: Final = object()
"""What a field's `quick` returns of a value that doesn't look right: then marshmallow's own way says what is wrong."""


def _fitting(low: int, high: int, pattern: re.Pattern[str]) -> Callable[[str], bool]:
    whole = pattern.fullmatch

    def fits(text: str) -> bool:
        """Say whether a text is of the length and the pattern."""
        return low <= len(text) <= high and whole(text) is not None

    return fits


class _Written(validate.Regexp):
    """A length, and a pattern that all of the text matches: unlike `$`, it lets no newline slip in at the end."""

    equal = None

    def __init__(self, low: int, high: int, pattern: str, why: str) -> None:
        super().__init__(pattern)
        self.min, self.max = low, high
        self.fits = _fitting(low, high, re.compile(pattern.removeprefix("^").removesuffix("$"), re.ASCII))
        self._why = why

    @override
    def __call__(self, value: Any) -> Any:
        if self.fits(value):
            return value
        if not self.min <= len(value) <= self.max:
            raise ValidationError(self._why or f"must have {self.min:,} to {self.max:,} characters")
        raise ValidationError(self._why or "has a control character")


class _Size(validate.Length):
    """How many items."""

    @override
    def __call__(self, value: Any) -> Any:
        if not (self.min or 0) <= len(value) <= (self.max or 0):
            raise ValidationError(f"must have {self.min or 0:,} to {self.max or 0:,} items")
        return value


class Text(fields.String):
    """Text of a length, without control characters, in Unicode's composed form."""

    default_error_messages = {**MISSING, "invalid": "must be text"}  # noqa: RUF012 -- as marshmallow has it

    def __init__(self, low: int, high: int, pattern: str = NO_CONTROLS, why: str = "", **more: Any) -> None:  # noqa: ANN401 -- a field's own options
        written = _Written(low, high, pattern, why)
        self._fits = written.fits
        super().__init__(validate=written, **more)

    def quick(self, value: object) -> object:
        """Return what `deserialize` returns, sooner."""
        if type(value) is str and self._fits(value) and (value.isascii() or unicodedata.is_normalized("NFC", value)):
            return value
        return _UNSURE

    @override
    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **more: Any) -> str:
        if type(value) is not str:
            raise self.make_error("invalid")
        if not unicodedata.is_normalized("NFC", value):
            raise ValidationError("is not in Unicode's composed form (NFC)")
        return value


class Choice(fields.String):
    """One of a few words."""

    default_error_messages = {**MISSING, "invalid": "must be text"}  # noqa: RUF012 -- as marshmallow has it

    def __init__(self, words: Iterable[str], *, read: Callable[[str], Any] = str, **more: Any) -> None:  # noqa: ANN401 -- a field's own options
        """Take the words, and what to make of the one that came (a `StrEnum`)."""
        self._read = read
        listed = [str(word) for word in words]
        super().__init__(validate=validate.OneOf(listed, error=f"must be one of {', '.join(listed)}"), **more)

    @override
    def deserialize(self, value: Any, *given: Any, **more: Any) -> Any:
        read = super().deserialize(value, *given, **more)
        return self._read(read) if type(read) is str else read

    @override
    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **more: Any) -> str:
        if type(value) is not str:
            raise self.make_error("invalid")
        return value


class Whole(fields.Integer):
    """A whole number, written as one; `in_query` for the digits of a query."""

    def __init__(self, low: int, high: int, *, in_query: bool = False, **more: Any) -> None:  # noqa: ANN401 -- a field's own options
        self._in_query = in_query
        why = f"must be a whole number from {low:,} to {high:,}"
        check = validate.Range(low, high, error=why)
        super().__init__(validate=check, error_messages={**MISSING, "invalid": why}, **more)

    @override
    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **more: Any) -> int:
        if self._in_query and type(value) is str and _DIGITS.fullmatch(value):
            return int(value)
        if type(value) is not int:
            raise self.make_error("invalid")
        return value


class Flag(fields.Boolean):
    """True or false, and no other way of saying so."""

    default_error_messages = {**MISSING, "invalid": "must be true or false"}  # noqa: RUF012 -- as marshmallow has it

    @override
    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **more: Any) -> bool:
        if type(value) is not bool:
            raise self.make_error("invalid")
        return value


class Instant(fields.String):
    """A time in RFC 3339, which names its zone."""

    default_error_messages = {**MISSING, "invalid": "must be a time like 2026-11-21T17:00:00Z"}  # noqa: RUF012 -- as marshmallow has it

    def __init__(self, **more: Any) -> None:  # noqa: ANN401 -- a field's own options
        super().__init__(metadata={"format": "date-time", "pattern": TIME, **more.pop("metadata", {})}, **more)

    @override
    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **more: Any) -> Any:
        if type(value) is not str:
            raise self.make_error("invalid")
        try:
            return parse_time(value)
        except Invalid as wrong:
            raise ValidationError(wrong.detail) from wrong

    @override
    def _serialize(self, value: Any, attr: str | None, obj: Any, **more: Any) -> str | None:
        return rfc3339(value) if isinstance(value, datetime) else value


class Items(fields.List[Any]):
    """A list of a length."""

    default_error_messages = {**MISSING, "invalid": "must be a list"}  # noqa: RUF012 -- as marshmallow has it

    def __init__(self, item: fields.Field[Any], low: int, high: int, **more: Any) -> None:  # noqa: ANN401 -- a field's own options
        self._sizes = range(low, high + 1)
        self._quick_item = getattr(item, "quick", None)
        super().__init__(item, validate=_Size(low, high), **more)

    def quick(self, value: object) -> object:
        """Return what `deserialize` returns, sooner."""
        if self._quick_item is None or type(value) is not list or len(value) not in self._sizes:
            return _UNSURE
        read = [self._quick_item(each) for each in value]
        return _UNSURE if _UNSURE in read else read

    @override
    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **more: Any) -> list[Any]:
        if type(value) is not list:
            raise self.make_error("invalid")
        if len(value) >= self._sizes.stop:  # before each item is read
            raise ValidationError(f"must have at most {self._sizes.stop - 1:,} items")
        return super()._deserialize(value, attr, data, **more)


def _surely(field: fields.Field[Any], value: object) -> object:
    """Return what a field reads that has no way of its own to be quick."""
    try:
        return field.deserialize(value)
    except ValidationError:
        return _UNSURE


class Form(Schema):
    """The fields of an object; every other key is refused."""

    error_messages = {"unknown": "is not known here", "type": "must be an object"}  # noqa: RUF012 -- as marshmallow has it
    least: ClassVar[int] = 0
    """How many of its fields must be there, whichever they are."""

    class Meta:
        """Read by marshmallow."""

        unknown = RAISE

    def quick(self, given: object) -> dict[str, Any] | None:
        """Return what `load` returns, sooner; None where something doesn't look right: `load` says what.

        >>> class Named(Form):
        ...     name = Text(1, 10, required=True)
        >>> Named().quick({"name": "Ann"}), Named().quick({"name": ""}), Named().quick({"name": "Ann", "age": 3})
        ({'name': 'Ann'}, None, None)
        """
        if type(given) is not dict:
            return None
        read: dict[str, Any] = {}
        for key, name, quick, required, allows_none in self._plan:
            value = given.get(key, _UNSURE)
            if value is not _UNSURE:
                read[name] = value = None if value is None and allows_none else quick(value)
                if value is _UNSURE:
                    return None
            elif required:
                return None
        return read if self.least <= len(read) == len(given) else None

    @cached_property
    def _plan(self) -> list[tuple[str, str, Callable[[Any], object], bool, bool]]:
        """Return of each field its key, name, what reads it, whether it must be there, and whether null is right."""
        return [
            (
                field.data_key or name, name, getattr(field, "quick", None) or partial(_surely, field),
                field.required, bool(field.allow_none),
            )
            for name, field in self.load_fields.items()
        ]  # fmt: skip

    @validates_schema(skip_on_field_errors=True)
    def _enough(self, data: Mapping[str, Any], **_more: object) -> None:
        if len(data) < self.least:
            raise ValidationError(f"give at least {self.least} of {', '.join(self.fields)}")


class Part(fields.Nested):
    """An object within an object."""

    default_error_messages = {**MISSING, "type": "must be an object"}  # noqa: RUF012 -- as marshmallow has it

    def quick(self, value: object) -> object:
        """Return what `deserialize` returns, sooner."""
        form = self.schema
        read = form.quick(value) if isinstance(form, Form) and not self.many else None
        return _UNSURE if read is None else read

    @override
    def _deserialize(self, value: Any, *given: Any, **more: Any) -> Any:
        quick = self.quick(value)
        return super()._deserialize(value, *given, **more) if quick is _UNSURE else quick


class Shape(Generic[T]):
    """A form, and the value that it is read into."""

    def __init__(self, form: type[Form], make: Callable[..., T]) -> None:
        """Keep both; `make` takes the form's fields by name."""
        self.form = form()
        self._make = make

    def read(self, given: object, *, prefix: str = "") -> T:
        """Return the value of what came in.

        Args:
            given: parsed JSON, or the parameters of a query.
            prefix: what places begin with: "" gives JSON pointers, "?" the names of parameters.

        Raises:
            RequestInvalid: with every place that is wrong.
        """
        if not isinstance(given, dict):
            raise RequestInvalid(places=[Place(prefix, "must be an object")])
        quick = self.form.quick(given)
        try:
            return self._make(**(self.form.load(given) if quick is None else quick))
        except ValidationError as wrong:
            places = list(_places(wrong.messages, ""))
        if prefix == "?":
            places = [Place("?" + place.where.removeprefix("/"), place.why) for place in places]
        raise RequestInvalid(places=places)

    def write(self, value: object) -> dict[str, Any]:
        """Return `value` (of any type with the form's attributes) as it goes out."""
        written: dict[str, Any] = self.form.dump(value)
        return written


def _places(messages: Any, where: str) -> Iterator[Place]:  # noqa: ANN401 -- marshmallow's tree of messages
    if not isinstance(messages, dict):
        for message in messages if isinstance(messages, list) else [messages]:
            yield Place(where, str(message))
        return
    for key, inner in messages.items():
        if key == "_schema":
            yield from _places(inner, where)
        else:
            step = str(key)[:80].replace("~", "~0").replace("/", "~1")
            yield from _places(inner, f"{where}/{step}")
