"""Links that sign somebody in: 256 random bits, kept as a digest, good once and for ten minutes.

Mail scanners open every link they see, so looking at one (`shown`) spends nothing: the page shows a button, and only
its POST takes the link (`taken`). Customers get theirs where they ask for it, staff theirs from the command line.
"""

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal, cast

import sqlalchemy as sa

from api.roles import STAFF, Role
from api.tables import LinkRow
from consent.base.errors import Invalid, NotSignedIn
from consent.base.store import Work

GOOD_FOR: Final = timedelta(minutes=10)
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_link = LinkRow.__table__

LinkKind = Literal["customer", "staff"]


class LinkSpent(NotSignedIn):
    """The link was used before, is too old, or was never made: which of them is not said."""

    code = "link_spent"
    title = "This link is no longer good"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInLink:
    """Whom a link signs in."""

    kind: LinkKind
    subject: str
    role: Role


def for_customer(work: Work, customer: str, *, at: datetime, good_for: timedelta = GOOD_FOR) -> str:
    """Return the token of a link that signs a customer in."""
    return _made(work, "customer", customer, Role.CUSTOMER, at=at, good_for=good_for)


def for_staff(work: Work, name: str, role: Role, *, at: datetime, good_for: timedelta = GOOD_FOR) -> str:
    """Return the token of a link that signs a member of staff in.

    Raises:
        Invalid: the role is not one of staff.
    """
    if role not in STAFF:
        raise Invalid(f"staff can be {', '.join(sorted(STAFF))}, not {role}")
    return _made(work, "staff", name, role, at=at, good_for=good_for)


def shown(work: Work, token: str, *, at: datetime) -> SignInLink:
    """Return whom a link would sign in. Spends nothing.

    Raises:
        LinkSpent: it is not good (any more).
    """
    row = work.connection.execute(sa.select(_link).where(*_good(token, at))).first()
    if row is None:
        raise LinkSpent
    return _read(row)


def taken(work: Work, token: str, *, at: datetime) -> SignInLink:
    """Take a link: of two who try at once, one gets it.

    Raises:
        LinkSpent: it is not good (any more).
    """
    take = sa.update(LinkRow).where(*_good(token, at)).values(used_at=at).returning(_link)
    row = work.connection.execute(take).first()
    if row is None:
        raise LinkSpent
    return _read(row)


def _good(token: str, at: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    if not _TOKEN.fullmatch(token):
        raise LinkSpent
    return _link.c.digest == _digest(token), _link.c.used_at.is_(None), _link.c.expires_at > at


def _made(work: Work, kind: LinkKind, subject: str, role: Role, *, at: datetime, good_for: timedelta) -> str:
    token = secrets.token_urlsafe(32)
    row = {
        "digest": _digest(token), "kind": kind, "subject": subject, "role": role.value,
        "created_at": at, "expires_at": at + good_for, "used_at": None,
    }  # fmt: skip
    work.connection.execute(sa.insert(LinkRow).values(**row))
    return token


def _read(row: Any) -> SignInLink:  # noqa: ANN401 -- a row of the table
    return SignInLink(kind=cast("LinkKind", row.kind), subject=row.subject, role=Role(row.role))


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
