"""What keeps other sites and nosy caches out: headers on every answer, and the check of forms that write.

Source:
    OWASP ASVS 5.0, chapter 3 (3.3 cookies, 3.4 headers, 3.5 requests from other origins); Fetch Metadata (W3C).
"""

import base64
import hmac
from collections.abc import Mapping
from typing import Final

from flask import Flask, Response, g

from consent.base.errors import NotAllowed

FIELD: Final = "csrf_token"
"""The name of the hidden field that every form of a signed-in page carries."""

CONTENT_SECURITY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
"""Nothing inline, nothing from elsewhere; for every answer, errors among them."""

SILENT: Final = CONTENT_SECURITY.replace("connect-src 'self'", "connect-src 'none'").replace(
    "form-action 'self'", "form-action 'none'"
)
"""For a page that may read what is somebody's own, and must not be able to send it anywhere, not even to us."""

FRAMING: Final = CONTENT_SECURITY + "; frame-src 'self'"
"""For a page that shows another one of ours in it."""

ENCLOSED: Final = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; frame-ancestors 'self'; "
    "base-uri 'none'"
)
"""For what marketers wrote, shown within such a page: its own styles hold; nothing runs, leads on or is fetched."""

HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": CONTENT_SECURITY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_TWO_YEARS: Final = "max-age=63072000; includeSubDomains"
_FOREIGN: Final = frozenset({"cross-site", "same-site"})


class FormRefused(NotAllowed):
    """The form was not sent from one of our own pages, or the page was too old. Load it again, and send it again."""

    code = "form_refused"
    title = "This form is no longer good"


def headers(*, https: bool) -> Mapping[str, str]:
    """Return the headers of every answer; Cache-Control, Content-Security-Policy are for views to say otherwise."""
    return {**HEADERS, "Strict-Transport-Security": _TWO_YEARS} if https else HEADERS


def install(app: Flask, *, https: bool) -> None:
    """Put the headers on every answer of `app`."""
    always = headers(https=https)

    @app.after_request
    def secure(response: Response) -> Response:
        kept = response.headers.get("Cache-Control")
        response.headers.update(always)
        if kept is not None:
            response.headers["Cache-Control"] = kept
        if "content_security" in g:
            response.headers["Content-Security-Policy"] = g.content_security
        return response


def silence() -> None:
    """Let the answer to this request be a page that can send nothing anywhere."""
    g.content_security = SILENT


def frame() -> None:
    """Let the answer to this request be a page that can show another one of ours in it."""
    g.content_security = FRAMING


def enclose() -> None:
    """Let the answer to this request be what somebody wrote: it can be shown in a page of ours, and do nothing."""
    g.content_security = ENCLOSED


def csrf_token(key: bytes, session: bytes) -> str:
    """Return the token that forms of a session carry.

    Args:
        key: 32 bytes, of the house.
        session: the digest of the session, 32 bytes.

    >>> csrf_token(bytes(32), bytes(32))[:8]
    'HTtvF9Yp'
    """
    mac = hmac.digest(key, b"byleave/csrf/v1\x00" + session, "sha256")
    return base64.urlsafe_b64encode(mac).rstrip(b"=").decode()


def require_own_site(headers: Mapping[str, str], base_url: str) -> None:
    """Refuse a form that the browser says comes from another site.

    `Origin` is "null" on our own forms, for our pages send no referrer; then, and where neither header is sent, the
    token in the form decides.

    Raises:
        FormRefused: it comes from elsewhere.

    >>> require_own_site({"Origin": "https://shop.example"}, "https://shop.example")
    >>> require_own_site({"Sec-Fetch-Site": "cross-site"}, "https://shop.example")
    Traceback (most recent call last):
    api.security.FormRefused: This form is no longer good
    """
    if headers.get("Sec-Fetch-Site", "") in _FOREIGN:
        raise FormRefused
    if headers.get("Origin", "null") not in ("null", base_url):
        raise FormRefused


def require_token(key: bytes, session: bytes, sent: str) -> None:
    """Refuse a form without its session's token.

    Raises:
        FormRefused: the token is missing, or another session's.
    """
    if not hmac.compare_digest(csrf_token(key, session).encode(), sent.encode()):
        raise FormRefused
