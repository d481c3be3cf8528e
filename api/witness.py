"""The witness over HTTP: two paths, and nothing that a web framework would be needed for.

A process of its own, started by `byleave witness serve`: it opens its own book and its own key, and nothing of the
ledger's house.

Source:
    c2sp.org/tlog-witness.
"""

import logging
import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import Final
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from api.settings import read_settings
from consent.base.clock import Clock, system_clock
from consent.base.errors import ByleaveError
from consent.witness import book, own_key, request
from consent.witness.judge import Answer, Witness

_CHECKPOINT: Final = re.compile(r"/([0-9a-f]{64})/checkpoint", re.ASCII)
_LOG: Final = logging.getLogger("byleave.witness")


def app() -> WSGIApplication:
    """Open the witness that the settings name, and return its application.

    Raises:
        SettingsInvalid: there is none, or its key can't be used.
    """
    folder = read_settings().witness_home
    return create_app(Witness(own_key.open_key(folder), book.open_book(folder)))


def create_app(witness: Witness, *, clock: Clock = system_clock) -> WSGIApplication:
    """Return the application of a witness."""

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            said = _answered(witness, environ, clock)
        except ByleaveError as failed:  # its file is full, locked or damaged: nothing was cosigned
            _LOG.error("failed=%s", failed.code)
            said = Answer(status=HTTPStatus.SERVICE_UNAVAILABLE, body="try again later; nothing was cosigned\n")
        body = said.body.encode()
        headers = [("Content-Type", said.type), ("Content-Length", str(len(body))), ("Cache-Control", "no-store")]
        start_response(f"{said.status.value} {said.status.phrase}", headers)
        return [body]

    return answer


def _answered(witness: Witness, environ: WSGIEnvironment, clock: Clock) -> Answer:
    method, path = str(environ["REQUEST_METHOD"]), str(environ.get("PATH_INFO", ""))
    found = _CHECKPOINT.fullmatch(path)
    if path == request.PATH and method == "POST":
        size = environ.get("CONTENT_LENGTH") or "0"
        if not size.isascii() or not size.isdigit() or int(size) > request.LONGEST:
            return Answer(status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE, body="the request is too long\n")
        return witness.add_checkpoint(environ["wsgi.input"].read(int(size)), at=clock())
    if found and method in ("GET", "HEAD"):
        return witness.newest(found[1])
    if found or path == request.PATH:
        return Answer(status=HTTPStatus.METHOD_NOT_ALLOWED, body="not with this method\n")
    return Answer(status=HTTPStatus.NOT_FOUND, body="there is nothing here\n")
