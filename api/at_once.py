"""`permissions:check`, answered before Flask: the question that other programs put to us all day.

What Flask does around a view (contexts, a request object, routing, headers one by one) takes several times what the
answer does. Who asks plainly is answered here, by the same parts as there: the key, the right, the form, the gate, the
words. Whatever isn't plain, and whatever goes wrong, is handed on whole, and answered by Flask as if it had come there
first: there is nothing here to refuse with, so there is one place that says what is wrong.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import lru_cache
from io import BytesIO
from typing import TYPE_CHECKING, Final

import orjson
from flask import Flask
from werkzeug.exceptions import SecurityError
from werkzeug.sansio.utils import get_host

from api import counting, security
from api.actors import actor, keys
from api.rates.limiter import KEY
from api.rest import permissions
from api.roles import action_of
from api.settings import Settings
from api.wiring import EXTENSION, House
from consent.base import strict_json
from consent.base.ids import new_id
from consent.signals import gpc

if TYPE_CHECKING:
    from _typeshed.wsgi import InputStream, StartResponse, WSGIApplication, WSGIEnvironment

PATH: Final = "/api/v1/permissions:check"
_JSON: Final = frozenset({"application/json", "application/json; charset=utf-8"})
_ACTION: Final = action_of(permissions.check) or ""
_UNPLAIN: Final = ("QUERY_STRING", "HTTP_CONTENT_ENCODING", "HTTP_TRANSFER_ENCODING")
_DIGITS: Final = 12
"""Digits that the length of a body may have before anything else is asked of it."""


class AtOnce:
    """What stands before the application."""

    def __init__(self, app: Flask) -> None:
        """Stand before what the application answers with otherwise."""
        house: House = app.extensions[EXTENSION]
        self._behind: WSGIApplication = app.wsgi_app
        self._extensions = app.extensions
        self._most = house.settings.max_body_bytes
        self._is_ours = lru_cache(maxsize=64)(_ours(house.settings))
        self._headers = [("Content-Type", "application/json"), *security.headers(https=house.settings.https).items()]

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer, or hand on."""
        plain = environ["PATH_INFO"] == PATH and self._is_plain(environ)
        answer = self._answer(environ) if plain and self._may(environ) else None
        if answer is None:
            return self._behind(environ, start_response)
        body, request_id = answer
        own = [("Content-Length", str(len(body))), ("X-Request-Id", request_id)]
        spent = environ.get(counting.SPENT)
        start_response("200 OK", [*self._headers, *own, *(counting.headers(spent) if spent else ())])
        return [body]

    def _is_plain(self, environ: "WSGIEnvironment") -> bool:
        length = environ.get("CONTENT_LENGTH") or ""
        return (
            environ["REQUEST_METHOD"] == "POST"
            and environ.get("CONTENT_TYPE", "").lower() in _JSON
            and len(length) <= _DIGITS and length.isascii() and length.isdigit() and int(length) <= self._most
            and not any(map(environ.get, _UNPLAIN))
            and self._is_ours(environ["wsgi.url_scheme"], environ.get("HTTP_HOST"))
        )  # fmt: skip

    def _may(self, environ: "WSGIEnvironment") -> bool:
        """Say whether who asks may, and count it: before anything of what he sends is read."""
        deployment = self._house.deployment
        try:
            at = deployment.clock()
            who = keys.bearer(deployment.store, environ.get("HTTP_AUTHORIZATION"), at=at)
            actor.require(who, _ACTION)
            environ[counting.SPENT] = self._house.limiter.spend(KEY, who.subject, at=at)
        except Exception:  # noqa: BLE001 -- Flask comes upon it too, and answers and logs it
            return False
        return True

    def _answer(self, environ: "WSGIEnvironment") -> tuple[bytes, str] | None:
        """Return the answer and the request's id; None, and the body unread, where Flask has to say what is wrong."""
        length = int(environ["CONTENT_LENGTH"])
        raw = b"".join(_read(environ["wsgi.input"], length))
        judged: object = None
        if len(raw) == length:
            with suppress(Exception):  # the same
                asked = permissions.CHECKS.read(strict_json.parse(raw))
                judged = permissions.judge(self._house, asked, signal=gpc.asked(environ.get("HTTP_SEC_GPC")))
        if judged is None:
            environ["wsgi.input"] = BytesIO(raw)
            return None
        return orjson.dumps(judged), new_id("req", self._house.deployment.clock())

    @property
    def _house(self) -> House:
        house: House = self._extensions[EXTENSION]
        return house


def _read(stream: "InputStream", length: int) -> Iterator[bytes]:
    """Read a body to its end, or to where it breaks off."""
    while length and (part := stream.read(length)):
        yield part
        length -= len(part)


def _ours(settings: Settings) -> Callable[[str, str | None], bool]:
    def is_ours(scheme: str, host: str | None) -> bool:
        """Say whether Flask would take a request to this host."""
        try:
            return bool(get_host(scheme, host, None, settings.trusted_hosts))
        except SecurityError:
            return False

    return is_ours
