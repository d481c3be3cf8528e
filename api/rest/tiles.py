"""`/ledger`: the ledger as C2SP tlog-tiles, public and without a key, for whoever wants to verify all of it.

`/ledger/<period>/…` is one log, for ever: its tiles never change, and may be kept. `/ledger/…` is the newest log,
whichever that is. Nothing is shown that a signed checkpoint doesn't cover.

Source:
    c2sp.org/tlog-tiles.
"""

import gzip
from typing import Final

from flask import Blueprint, Response, request

from api.roles import action
from api.wiring import here
from consent.base.store import Work
from consent.ledger import log, period, stored, tiles, tiling
from consent.ledger.tiles import ENTRIES, TileUnknown
from consent.register import proving

BYTES: Final = "application/octet-stream"
PLAIN: Final = "text/plain; charset=utf-8"
_FOR_EVER: Final = "public, max-age=31536000, immutable"
_FOR_NOW: Final = "no-cache"

blueprint: Final = Blueprint("tiles", __name__, url_prefix="/ledger")


@blueprint.get("/checkpoint")
@action("ledger.tiles")
def newest_checkpoint() -> Response:
    """Return the newest checkpoint of the newest log."""
    with here().deployment.store.read() as work:
        _, signed = proving.covered(work, log.head(work).log)
    return Response(signed, content_type=PLAIN, headers={"Cache-Control": _FOR_NOW})


@blueprint.get("/<period>/checkpoint")
@action("ledger.tiles")
def checkpoint(period: str) -> Response:
    """Return the newest checkpoint of one log."""
    with here().deployment.store.read() as work:
        _, signed = proving.covered(work, _number(work, period))
    return Response(signed, content_type=PLAIN, headers={"Cache-Control": _FOR_NOW})


@blueprint.get("/tile/<path:tile>")
@action("ledger.tiles")
def newest_tile(tile: str) -> Response:
    """Return a tile or bundle of the newest log."""
    with here().deployment.store.read() as work:
        number = log.head(work).log
        content = _content(work, number, tile)
    return _answered(tile, content, kept=_FOR_NOW)


@blueprint.get("/<period>/tile/<path:tile>")
@action("ledger.tiles")
def one_tile(period: str, tile: str) -> Response:
    """Return a tile or bundle of one log."""
    with here().deployment.store.read() as work:
        content = _content(work, _number(work, period), tile)
    return _answered(tile, content, kept=_FOR_EVER)


def _number(work: Work, called: str) -> int:
    for each in stored.logs(work):
        known = period.read(each.origin)
        if known and str(known[1]) == called:
            return each.log
    raise TileUnknown("there is no such log")


def _content(work: Work, number: int, path: str) -> bytes:
    tile = tiles.of_path(f"tile/{path}")
    size, _ = proving.covered(work, number)
    return tiling.read(work, number, tile, size=size)


def _answered(path: str, content: bytes, *, kept: str) -> Response:
    """Answer with a tile; a bundle of entries is compressed for whoever takes that."""
    headers = {"Cache-Control": kept}
    if tiles.of_path(f"tile/{path}").level == ENTRIES:
        headers["Vary"] = "Accept-Encoding"
        if request.accept_encodings.quality("gzip") > 0:
            content = gzip.compress(content, compresslevel=1, mtime=0)
            headers["Content-Encoding"] = "gzip"
    return Response(content, content_type=BYTES, headers=headers)
