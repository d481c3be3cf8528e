"""Errors as answers: the only place where an error becomes an HTTP status.

Programs get `application/problem+json`, people a page; which of the two follows from the path alone, so that nobody
is answered in a form he didn't come for. Answers carry a request id, and never what came in. What went wrong inside is
written to the log by where it happened, without the values that were there, and answered in general words.

Source:
    RFC 9457 (problem details); RFC 6901 (JSON pointers); RFC 9110 sections 10.2.1, 10.2.3, 11.6.1.
"""

import inspect
import logging
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, NamedTuple, Protocol

import orjson
from flask import Blueprint, Flask, Response, g, render_template, request
from werkzeug.exceptions import HTTPException
from werkzeug.exceptions import NotFound as NoSuchPage

from api.rates.limiter import TooMany
from api.roles import action
from consent.base import errors
from consent.base.errors import ByleaveError, Place

JSON: Final = "application/problem+json"
_LOG: Final = logging.getLogger("byleave")
_MOST_PLACES: Final = 100
_LONGEST_PLACE: Final = 1_000
_RETRY_SECONDS: Final = "5"
_OURS: Final = 500
"""From here on it is our fault."""

STATUSES: Final[Mapping[type[ByleaveError], int]] = {
    errors.Invalid: 400,
    errors.CampaignInvalid: 422,
    errors.ContactPolicyInvalid: 422,
    errors.HouseholdInvalid: 422,
    errors.WishInvalid: 422,
    errors.CatalogueInvalid: 422,
    errors.ExpressionInvalid: 422,
    errors.ImportInvalid: 422,
    errors.RequestUnfit: 422,
    errors.SignalInvalid: 422,
    errors.StatementInvalid: 422,
    errors.VersionMissing: 428,
    errors.SettingsInvalid: 500,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.VersionMoved: 412,
    errors.NotSignedIn: 401,
    errors.NotAllowed: 403,
    TooMany: 429,
    errors.Unavailable: 503,
    ByleaveError: 500,
}
"""Status of each branch of the tree of errors; the nearest ancestor counts. 400 is a wrong form, 422 a form that is
right and says what can't be."""


class _Plain(NamedTuple):
    code: str
    title: str
    meaning: str


_PLAIN: Final[Mapping[int, _Plain]] = {
    400: _Plain("bad_request", "That can't be read", "The request is not of a form that this server reads."),
    404: _Plain("not_found", "There is nothing here", "No page or resource has this address."),
    405: _Plain("method_not_allowed", "Not with this method", "The address is right, but not for this HTTP method."),
    406: _Plain("not_acceptable", "Not in this form", "There is no answer in the form asked for."),
    408: _Plain("request_timeout", "That took too long", "The request did not arrive in time."),
    411: _Plain("length_required", "How long is it?", "The request has a body but doesn't say how long it is."),
    413: _Plain("too_large", "That is too much at once", "The body is larger than this server takes."),
    414: _Plain("uri_too_long", "The address is too long", "The address is longer than this server reads."),
    415: _Plain("unsupported_media_type", "Not this kind of body", "Send application/json in UTF-8, not compressed."),
    431: _Plain("headers_too_large", "Too many headers", "The headers are larger than this server reads."),
    500: _Plain("internal", "Something went wrong here", "It is our fault. Nothing of the request was kept."),
}  # fmt: skip
"""What HTTP itself can find wrong, before any of our errors could arise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """An error on its way out."""

    status: int
    code: str
    title: str
    detail: str
    places: tuple[Place, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()


def for_programs(path: str) -> bool:
    """Say whether a path is called by programs; all others are for people.

    >>> for_programs("/api/v1/statements"), for_programs("/p/choices")
    (True, False)
    """
    return path.startswith("/api/") or path in ("/openapi.json", "/healthz", "/readyz")


def status_of(error: type[ByleaveError]) -> int:
    """Return the status of an error of ours.

    >>> status_of(errors.StatementInvalid), status_of(errors.CustomerUnknown)
    (422, 404)
    """
    return next(STATUSES[kind] for kind in error.__mro__ if kind in STATUSES)


def problem_of(error: Exception) -> Problem:
    """Return what is told about an error; of one that is our own fault, nothing but that there was one."""
    if isinstance(error, ByleaveError) and (status := status_of(type(error))) != _OURS:
        return Problem(
            status=status,
            code=error.code,
            title=error.title,
            detail=error.detail or _meaning(type(error)),
            places=error.places,
            headers=tuple(_headers(status, error)),
        )
    if isinstance(error, HTTPException) and (status := error.code or _OURS) in range(400, _OURS):
        plain = _PLAIN.get(status, _PLAIN[400])
        kept = [(name, _sorted(value)) for name, value in error.get_headers() if name in ("Allow", "Retry-After")]
        return Problem(status=status, code=plain.code, title=plain.title, detail=plain.meaning, headers=tuple(kept))
    plain = _PLAIN[500]
    return Problem(status=500, code=plain.code, title=plain.title, detail=plain.meaning)


def _sorted(listed: str) -> str:
    return ", ".join(sorted(listed.split(", ")))


def _headers(status: int, error: ByleaveError) -> Iterator[tuple[str, str]]:
    if isinstance(error, TooMany):
        yield "Retry-After", str(error.wait)
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        yield "Retry-After", _RETRY_SECONDS
    if status == HTTPStatus.UNAUTHORIZED and for_programs(request.path):
        yield "WWW-Authenticate", 'Bearer realm="byleave"'


def _meaning(error: type[ByleaveError]) -> str:
    return (inspect.getdoc(error) or error.title).partition("\n")[0]


def _body(problem: Problem, base_url: str) -> dict[str, object]:
    body: dict[str, object] = {
        "type": f"{base_url}/problems/{problem.code}",
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
        "code": problem.code,
        "request_id": g.get("request_id", ""),
    }
    if problem.places:
        body["errors"] = [_spot(place) for place in problem.places[:_MOST_PLACES]]
    return body


def _spot(place: Place) -> dict[str, str]:
    """Return one entry of `errors`: a pointer into the body, or the name of what else is wrong."""
    where = place.where[:_LONGEST_PLACE]
    if where.startswith("?"):
        return {"parameter": where[1:], "detail": place.why}
    if where.endswith(" header"):
        return {"header": where.removesuffix(" header"), "detail": place.why}
    if where and not where.startswith("/"):
        return {"place": where, "detail": place.why}
    return {"pointer": where, "detail": place.why}


class Shown(Protocol):
    """What makes the page about a problem; `wrote` where something was to be saved, and was not."""

    def __call__(self, problem: Problem, *, wrote: bool) -> str:
        """Return it."""
        ...


def install(app: Flask, base_url: str, *, shown: Shown) -> None:
    """Have `app` answer every error from here, people with what is `shown`; and serve what problem types point to."""

    def answer(error: Exception) -> Response:
        problem = problem_of(error)
        if problem.status >= _OURS:
            _write_down(error, problem)
        if for_programs(request.path):
            response = Response(orjson.dumps(_body(problem, base_url)), problem.status, mimetype=JSON)
        else:
            wrote = request.method not in ("GET", "HEAD") and problem.code != errors.CommitUnknown.code
            response = Response(shown(problem, wrote=wrote), problem.status, mimetype="text/html")
        response.headers.extend(problem.headers)
        return response

    app.register_error_handler(Exception, answer)
    app.register_blueprint(_pages())


def _write_down(error: Exception, problem: Problem) -> None:
    """Log where it happened, frame by frame. The message is left out: it can quote what a customer sent."""
    frames = traceback.extract_tb(error.__traceback__)
    where = " < ".join(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in reversed(frames[-8:]))
    kinds = " from ".join(type(each).__name__ for each in _chain(error))
    _LOG.error("%s %s %s: %s at %s", g.get("request_id", ""), problem.status, request.endpoint, kinds, where)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def meanings() -> dict[str, tuple[str, str]]:
    """Return title and meaning of every code that an answer can carry."""
    found = {plain.code: (plain.title, plain.meaning) for plain in _PLAIN.values()}
    kinds: list[type[ByleaveError]] = [ByleaveError]
    while kinds:
        kind = kinds.pop()
        kinds += kind.__subclasses__()
        if status_of(kind) != _OURS:
            found.setdefault(kind.code, (kind.title, _meaning(kind)))
    return found


def _pages() -> Blueprint:
    pages = Blueprint("problems", __name__)

    @pages.get("/problems/<code>")
    @action("problem.show")
    def show(code: str) -> str:
        title, meaning = meanings().get(code, ("", ""))
        if not title:
            raise NoSuchPage
        return render_template("problem_type.html", code=code, title=title, meaning=meaning)

    return pages
