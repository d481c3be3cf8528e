"""What a route promises: declared beside its view, written into the OpenAPI description, and used to answer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final, TypeVar

import orjson
from flask import Response
from marshmallow import fields

from api.rest.shapes import Form, Items, Part, Text, Whole

TEXT: Final = "text/plain"
JSON: Final = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """What a route takes and gives."""

    summary: str
    answer: type[Form] | None = None
    """The form of its JSON; None where it answers plain text."""
    media: str = JSON
    """What its JSON is called."""
    others: Mapping[str, type[Form]] = field(default_factory=dict)
    """Other media types that the caller can ask for, and the form of each."""
    status: int = 200
    body: type[Form] | None = None
    body_left_out: bool = False
    """It answers without a body, too."""
    query: type[Form] | None = None
    idempotent: bool = False
    """An idempotency key must come with it."""
    signal: bool = False
    """It heeds the browser's `Sec-GPC: 1`, handed on."""
    if_match: bool = False
    """It changes what has a version: the entity tag that was looked at must come with it."""
    files: tuple[str, ...] = ()
    """Media types of a file that it answers with, instead of JSON."""
    errors: tuple[int, ...] = ()
    """Statuses of problems, beside those that follow from the rest."""
    wrong: Mapping[int, str] = field(default_factory=dict)
    """What a problem of some status says here, where that is more than it says of every route."""


_View = TypeVar("_View", bound=Callable[..., Any])


def contract(promised: Contract) -> Callable[[_View], _View]:
    """Declare what a route promises."""

    def declare(view: _View) -> _View:
        view.contract = promised  # type: ignore[attr-defined]  # functions take attributes, and Flask keeps them
        return view

    return declare


def contract_of(view: object) -> Contract | None:
    """Return what a view promises; None where it promises nothing."""
    promised = getattr(view, "contract", None)
    return promised if isinstance(promised, Contract) else None


@cache
def _opened(form: type[Form]) -> Form:
    """Return the one instance of a form: making one costs more than what it writes. Writing leaves it as it was."""
    return form()


def answer(form: type[Form], value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return `value` in its form, as JSON."""
    return answer_ready(_opened(form).dump(value), status, headers)


def answer_ready(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a value as JSON that is in its form already: for answers so large or so frequent that it shows."""
    return Response(orjson.dumps(value), status, headers, mimetype="application/json")


class Spot(Form):
    """One thing that is wrong: where (one of four ways to say so), and why. Both can repeat keys of what was sent."""

    pointer = fields.String(metadata={"description": "JSON pointer into the body (RFC 6901)"})
    parameter = fields.String(metadata={"description": "name of a query parameter"})
    header = fields.String(metadata={"description": "name of a header"})
    place = fields.String(metadata={"description": "line and column, or byte, of what can't be read at all"})
    detail = fields.String(required=True)


class ProblemForm(Form):
    """RFC 9457 problem details."""

    type = Text(1, 2_000, required=True, metadata={"format": "uri"})
    title = Text(1, 200, required=True)
    status = Whole(400, 599, required=True)
    detail = fields.String(required=True)
    code = Text(1, 64, required=True)
    request_id = Text(0, 64, required=True)
    errors = Items(Part(Spot), 1, 100)
