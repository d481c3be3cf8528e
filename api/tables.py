"""The rows of the faces: API keys, sessions, sign-in links; what was asked. Columns only; only `api.actors` reads them.

Nothing in them opens anything: of each secret only the SHA-256 is kept. All secrets are 256 random bits, so a plain
digest is as good as a slow one.
"""

from datetime import datetime

from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from consent.base.database import Row


def _clustered(comment: str) -> dict[str, object]:
    """Return table options: one B-tree on SQLite, keyed by the primary key; and what a row is."""
    return {"sqlite_with_rowid": False, "comment": comment}


class ApiKeyRow(Row):
    """A key of a program: found by its prefix, proved by its digest."""

    __tablename__ = "api_key"
    __table_args__ = _clustered("an API key, as a digest")
    id: Mapped[str] = mapped_column(primary_key=True)
    prefix: Mapped[str] = mapped_column(unique=True)
    digest: Mapped[bytes]
    name: Mapped[str]
    role: Mapped[str]
    scopes: Mapped[str]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]


class WebSessionRow(Row):
    """A session of a customer or of staff, revocable at any time."""

    __tablename__ = "web_session"
    __table_args__ = _clustered("a signed-in browser, as a digest of its cookie")
    digest: Mapped[bytes] = mapped_column(primary_key=True)
    kind: Mapped[str]
    subject: Mapped[str] = mapped_column(index=True)
    role: Mapped[str]
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class LinkRow(Row):
    """A link that signs somebody in, once."""

    __tablename__ = "link"
    __table_args__ = _clustered("a one-use sign-in link, as a digest")
    digest: Mapped[bytes] = mapped_column(primary_key=True)
    kind: Mapped[str]
    subject: Mapped[str] = mapped_column(index=True)
    role: Mapped[str]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class RateRow(Row):
    """When somebody's quota of requests is whole again; unlogged on PostgreSQL, and on SQLite in a file of its own."""

    __tablename__ = "rate"
    __table_args__ = _clustered("when somebody's quota is whole again, by a keyed hash; on SQLite it stays empty")
    subject: Mapped[bytes] = mapped_column(primary_key=True)
    full_at: Mapped[int] = mapped_column(BigInteger)
