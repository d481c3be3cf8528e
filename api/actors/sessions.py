"""Sessions: kept here, so that they can be ended here; the browser holds 256 random bits that name one.

A session ends when it was idle too long, when its absolute time is over, or when it is revoked. Signing in always
makes a new one, so nobody can be given a session to sign in to.
"""

import hashlib
import re
import secrets
from datetime import datetime, timedelta
from typing import Any, Final, cast

import sqlalchemy as sa
from flask import Response

from api.actors.actor import NOBODY, Actor, Kind
from api.actors.links import SignInLink
from api.roles import Role
from api.settings import Settings
from api.tables import WebSessionRow
from consent.base.ids import CustomerId
from consent.base.store import Store, Work
from consent.register import mergers

_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_NOTED_EVERY: Final = timedelta(minutes=1)
_session = WebSessionRow.__table__


def cookie_name(settings: Settings) -> str:
    """Return what the cookie is called: over TLS a browser takes `__Host-` from this host and path only."""
    return "__Host-byleave" if settings.https else "byleave"


def start(work: Work, link: SignInLink, *, at: datetime, settings: Settings) -> str:
    """Start a session for whom a link signs in, and return the cookie's token."""
    token = secrets.token_urlsafe(32)
    row = {
        "digest": _digest(token), "kind": link.kind, "subject": link.subject, "role": link.role.value,
        "created_at": at, "seen_at": at, "expires_at": at + timedelta(minutes=settings.session_absolute_minutes),
        "revoked_at": None,
    }  # fmt: skip
    work.connection.execute(sa.insert(WebSessionRow).values(**row))
    return token


def visitor(store: Store, token: str | None, *, at: datetime, settings: Settings) -> Actor:
    """Return whose session a cookie names; nobody, where it names none that is still good."""
    if token is None or not _TOKEN.fullmatch(token):
        return NOBODY
    with store.live() as work:
        row = work.connection.execute(sa.select(_session).where(_session.c.digest == _digest(token))).first()
        if row is None or not _good(row, at, settings):
            return NOBODY
        # A customer's record may have been joined with another one since he signed in.
        whose = mergers.surviving(work, CustomerId(row.subject)) if row.kind == "customer" else row.subject
    if at - row.seen_at >= _NOTED_EVERY:
        with store.write() as work:
            seen = sa.update(WebSessionRow).where(WebSessionRow.digest == row.digest).values(seen_at=at)
            work.connection.execute(seen)
    return Actor(
        kind=cast("Kind", row.kind),
        subject=whose,
        role=Role(row.role),
        session=bytes(row.digest),
        since=row.created_at,
    )


def end(work: Work, actor: Actor, *, at: datetime) -> None:
    """End the session that the actor is in."""
    _revoke(work, _session.c.digest == actor.session, at)


def end_all(work: Work, subject: str, *, at: datetime) -> None:
    """End every session of one customer or member of staff."""
    _revoke(work, _session.c.subject == subject, at)


def give_cookie(response: Response, token: str, settings: Settings) -> None:
    """Have the browser keep the session's token, out of reach of scripts and of other sites."""
    response.set_cookie(
        cookie_name(settings),
        token,
        max_age=settings.session_absolute_minutes * 60,
        secure=settings.https,
        httponly=True,
        samesite="Lax",
        path="/",
    )


def take_cookie(response: Response, settings: Settings) -> None:
    """Have the browser forget the session's token."""
    response.delete_cookie(cookie_name(settings), secure=settings.https, httponly=True, samesite="Lax", path="/")


def _good(row: Any, at: datetime, settings: Settings) -> bool:  # noqa: ANN401 -- a row of the table
    idle = timedelta(minutes=settings.session_idle_minutes)
    return row.revoked_at is None and at < row.expires_at and at - row.seen_at < idle


def _revoke(work: Work, whose: sa.ColumnElement[bool], at: datetime) -> None:
    still = sa.update(WebSessionRow).where(whose, _session.c.revoked_at.is_(None))
    work.connection.execute(still.values(revoked_at=at))


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
