"""What a request brings, read strictly: its body, its query, its idempotency key."""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final, TypeVar

from flask import current_app, g, request
from werkzeug.exceptions import UnsupportedMediaType

from api.rest.shapes import Shape
from consent.base import canonical, strict_json
from consent.base.errors import CustomerUnknown, Place, RequestInvalid, RequestUnfit, VersionMissing

T = TypeVar("T")

IDEMPOTENCY_KEY: Final = "Idempotency-Key"
IF_MATCH: Final = "If-Match"
TAG_FORM: Final = r'^"[!#-~]{1,200}"$'
KEY_FORM: Final = r"^[!-~]{1,200}$"
_KEY: Final = re.compile(KEY_FORM.strip("^$"))
_NOTHING: Final = (b"", b"{}")
_TAG: Final = re.compile(TAG_FORM.strip("^$"))


def body(shape: Shape[T]) -> T:
    """Read the JSON body.

    Raises:
        UnsupportedMediaType: it is not said to be JSON in UTF-8.
        RequestEntityTooLarge: it is longer than the settings allow.
        Invalid: it can't be read, or is not of the shape; with every place.
    """
    charset = request.mimetype_params.get("charset", "utf-8").lower()
    encoded = request.headers.get("Content-Encoding", "identity").lower()
    if request.mimetype != "application/json" or charset not in ("utf-8", "utf8") or encoded != "identity":
        raise UnsupportedMediaType
    g.body = strict_json.parse(request.get_data(cache=False))
    return shape.read(g.body)


def body_if_any(shape: Shape[T]) -> T:
    """Read the JSON body where there is one; without any, all that it could say is left out.

    Raises:
        Invalid, RequestEntityTooLarge, UnsupportedMediaType: as `body` does.
    """
    return body(shape) if request.get_data() else shape.read({})


def fingerprint() -> bytes:
    """Return the canonical bytes of the body that `body` has read: equal for two that say the same."""
    return canonical.encode(g.body, limit=current_app.config["MAX_CONTENT_LENGTH"])


def query(shape: Shape[T]) -> T:
    """Read the query's parameters.

    Raises:
        RequestInvalid: one is unknown, stands twice, or is not of its form.
    """
    given = request.args.to_dict(flat=False)
    twice = [Place(f"?{name[:80]}", "stands twice") for name, values in given.items() if len(values) > 1]
    if twice:
        raise RequestInvalid(places=twice)
    return shape.read({name: values[0] for name, values in given.items()}, prefix="?")


def no_query() -> None:
    """Refuse parameters where there are none to give.

    Raises:
        RequestInvalid: naming them.
    """
    if request.args:
        raise RequestInvalid(places=[Place(f"?{name[:80]}", "is not known here") for name in request.args])


def no_body() -> None:
    """Refuse a body where there is none to give; one that says nothing (`{}`, which some clients always send) is none.

    Raises:
        RequestInvalid: it says something, which would be passed over.
        RequestEntityTooLarge: it is longer than the settings allow.
    """
    if request.get_data(cache=False).strip() not in _NOTHING:
        raise RequestInvalid(places=[Place("", "there is nothing to say here: send no body")])


@contextmanager
def customer_in_body() -> Iterator[None]:
    """Name the place of an id that nobody has, where it came as `customer` in the body.

    Raises:
        CustomerUnknown: as it was raised within, with the place.
    """
    try:
        yield
    except CustomerUnknown as unknown:
        places = unknown.places or [Place("/customer", "nobody of this id is enrolled")]
        raise CustomerUnknown(unknown.detail, places=places) from unknown


def pointed(wrong: Iterable[Place]) -> list[Place]:
    """Return places that are named by the keys of the body as pointers into it.

    >>> pointed([Place("cron", "is empty"), Place("cron, minute", "'61' is not of 0-59")])
    [Place(where='/cron', why='is empty'), Place(where='/cron', why="minute: '61' is not of 0-59")]
    """
    found = []
    for where, why in wrong:
        key, _, part = where.partition(", ")
        found.append(Place(f"/{key}", f"{part}: {why}" if part else why))
    return found


def if_match() -> str:
    """Return the entity tag of what the caller has looked at, which has to be there.

    Raises:
        VersionMissing: there is none.
        RequestInvalid: it is not one strong entity tag.
    """
    given = request.headers.get(IF_MATCH)
    if given is None:
        raise VersionMissing("send the ETag that you have looked at in If-Match")
    if not _TAG.fullmatch(given):
        raise RequestInvalid(places=[Place(f"{IF_MATCH} header", "must be one entity tag in quotation marks")])
    return given[1:-1]


def past(asked: datetime | None, now: datetime, where: str) -> datetime:
    """Return the time that was asked for, or now.

    Raises:
        RequestUnfit: it lies in the future.
    """
    if asked is not None and asked > now:
        raise RequestUnfit(places=[Place(where, "lies in the future: what will stand then is not known yet")])
    return now if asked is None else asked


def idempotency_key() -> str:
    """Return the idempotency key, which has to be there.

    Raises:
        RequestInvalid: it is missing, or not 1 to 200 visible ASCII signs.
    """
    key = request.headers.get(IDEMPOTENCY_KEY)
    if key is None or not _KEY.fullmatch(key):
        why = "is missing: send a key of your own, and the same again when you try again"
        if key is not None:
            why = "must be 1 to 200 visible ASCII signs"
        raise RequestInvalid(places=[Place(f"{IDEMPOTENCY_KEY} header", why)])
    return key
