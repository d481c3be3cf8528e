"""API keys: `bl_<8 hex digits>_<43 signs>`, shown once when made, kept as a digest, found by the hex digits."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from api.actors.actor import NOBODY, Actor
from api.roles import KeyScope, Role
from api.tables import ApiKeyRow
from consent.base.clock import to_ms
from consent.base.database import Hot
from consent.base.errors import NotFound, NotSignedIn
from consent.base.ids import new_id
from consent.base.store import Store, Work

TOKEN: Final = re.compile(r"bl_([0-9a-f]{8})_[A-Za-z0-9_-]{43}")
_NOTED_EVERY_MS: Final = 60_000
_key = ApiKeyRow.__table__
_SHOWN: Final = ("id", "digest", "role", "scopes", "expires_at", "revoked_at", "last_used_at")
_FIND: Final = Hot(
    sa.select(*(_key.c[name] for name in _SHOWN)).where(_key.c.prefix == sa.bindparam("prefix")), "prefix"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeKey:
    """A key as it is made: the only time that its token is at hand."""

    id: str
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownKey:
    """A key as it is listed."""

    id: str
    prefix: str
    name: str
    role: Role
    scopes: tuple[KeyScope, ...]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


def make(
    work: Work,
    name: str,
    *,
    scopes: Iterable[KeyScope],
    at: datetime,
    role: Role = Role.INTEGRATOR,
    expires_at: datetime | None = None,
) -> MadeKey:
    """Make a key, and return its token, which nothing can show again."""
    prefix = secrets.token_hex(4)
    token = f"bl_{prefix}_{secrets.token_urlsafe(32)}"
    row = {
        "id": new_id("key", at), "prefix": prefix, "digest": _digest(token), "name": name, "role": role.value,
        "scopes": ",".join(sorted(set(scopes))), "created_at": at, "expires_at": expires_at,
        "revoked_at": None, "last_used_at": None,
    }  # fmt: skip
    work.connection.execute(sa.insert(ApiKeyRow).values(**row))
    return MadeKey(id=str(row["id"]), token=token)


def revoke(work: Work, number: str, *, at: datetime) -> None:
    """Take a key out of use, for ever.

    Raises:
        NotFound: there is no such key, or it was revoked before.
    """
    still = sa.update(ApiKeyRow).where(ApiKeyRow.id == number, ApiKeyRow.revoked_at.is_(None))
    if work.connection.execute(still.values(revoked_at=at)).rowcount != 1:
        raise NotFound(f"no key in use is called {number[:80]!r}: `byleave key list` names those there are")


def listed(work: Work) -> list[KnownKey]:
    """Return all keys, oldest first."""
    return [_known(row) for row in work.connection.execute(sa.select(_key).order_by(_key.c.id))]


def bearer(store: Store, header: str | None, *, at: datetime) -> Actor:
    """Return whose key an `Authorization` header shows; nobody, where there is no header.

    Raises:
        NotSignedIn: it is not a key, or one that is not in use. Which of the two is not said.
    """
    if header is None:
        return NOBODY
    scheme, _, token = header.partition(" ")
    found = TOKEN.fullmatch(token.strip(" ")) if scheme.lower() == "bearer" else None
    if not found:
        raise NotSignedIn
    with store.live() as work:
        row = work.first(_FIND, found[1])
    if row is None or not hmac.compare_digest(bytes(row[1]), _digest(found[0])):
        raise NotSignedIn
    number, _, role, scopes, expires, revoked, used = row
    at_ms = to_ms(at)
    if revoked is not None or (expires is not None and expires <= at_ms):
        raise NotSignedIn
    if used is None or at_ms - used >= _NOTED_EVERY_MS:
        with store.write() as work:
            work.connection.execute(sa.update(ApiKeyRow).where(ApiKeyRow.id == number).values(last_used_at=at))
    return Actor(kind="key", subject=number, role=Role(role), scopes=frozenset(_scopes(scopes)))


def _known(row: Any) -> KnownKey:  # noqa: ANN401 -- a row of the table
    return KnownKey(
        id=row.id,
        prefix=row.prefix,
        name=row.name,
        role=Role(row.role),
        scopes=_scopes(row.scopes),
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
    )


def _scopes(written: str) -> tuple[KeyScope, ...]:
    return tuple(KeyScope(scope) for scope in written.split(",") if scope)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
