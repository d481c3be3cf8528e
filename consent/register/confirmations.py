"""Links that confirm (double opt-in), as they are stored: a digest, and the token itself only until it is mailed.

A grant that awaits its confirmation makes a link: 128 random bits, and as many of a keyed hash of whom it is for and
what it confirms. The token lies sealed under the customer's own key until the outgoing mail has it; after that it is
nowhere but in that mail. No face returns it, and no log holds it. Whoever writes to the database, and has not the
keyring, can put there a digest of a token of his own: it confirms nothing.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from consent.base.canonical import b64u, b64u_bytes
from consent.base.clock import to_ms
from consent.base.database import Hot, table_of
from consent.base.errors import NotFound
from consent.base.ids import CustomerId, Scope
from consent.base.store import Work
from consent.register.desk import Desk
from consent.tables import ConfirmationRow, DataKeyRow
from consent.vault import seal
from consent.vault.keyring import Wrapped

GOOD_FOR: Final = timedelta(days=7)
KEPT_FOR: Final = timedelta(days=30)
"""So long after its end a link is still known for what it was."""

_USE: Final = "confirmation/v1"
_LINK: Final = "byleave/confirmation-link/v1"
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{42}[048AEIMQUYcgkosw]")  # 32 bytes, in their one form
_RANDOM_BYTES: Final = 16
_row: Final = table_of(ConfirmationRow)

MADE: Final = Hot(
    sa.insert(_row),
    "digest", "customer", "scopes", "language", "position", "made_at", "expires_at", "outgoing",
)  # fmt: skip
_SPEND: Final = Hot(
    sa.update(_row)
    .where(_row.c.digest == sa.bindparam("b_digest"), _row.c.spent_at.is_(None))
    .values(spent_at=sa.bindparam("b_at"), outgoing=sa.null()),
    "b_digest", "b_at",
)  # fmt: skip


class ConfirmationUnknown(NotFound):
    """The link was never made here, or is too old to confirm anything. Ask again, and you get a new one."""

    code = "confirmation_unknown"
    title = "This link is no longer good"


class Awaited(NamedTuple):
    """A link to be made: what a customer granted, and where it stands in the ledger."""

    customer: CustomerId
    scopes: Sequence[Scope]
    language: str
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """What a link confirms."""

    digest: bytes
    customer: CustomerId
    scopes: tuple[Scope, ...]
    language: str
    position: int
    """Of the grant that it was made for."""
    made_at: datetime
    expires_at: datetime
    spent: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A link on its way into the mail."""

    confirmation: Confirmation
    token: str


def rows(
    desk: Desk, awaited: Iterable[Awaited], data_keys: Mapping[str, bytes], *, at: datetime
) -> Iterator[tuple[Any, ...]]:
    """Make links: their rows, for `MADE`."""
    for each in awaited:
        says = (each.customer, " ".join(each.scopes), each.language, each.position, to_ms(at), to_ms(at + GOOD_FOR))
        drawn = secrets.token_bytes(_RANDOM_BYTES)
        token = b64u(drawn + _mark(desk, drawn, says))
        digest = _digest(token)
        outgoing = seal.seal(data_keys[each.customer], _USE, token.encode(), bound=_bound(each.customer, digest))
        yield (digest, *says, outgoing)


def find(desk: Desk, work: Work, token: str, *, at: datetime) -> Confirmation:
    """Return what a link confirms; looking spends nothing.

    Raises:
        ConfirmationUnknown: there is no such link, or its time is over; or what it says was changed.
    """
    if not _TOKEN.fullmatch(token):
        raise ConfirmationUnknown
    row = work.connection.execute(sa.select(_row).where(_row.c.digest == _digest(token))).first()
    if row is None or row.expires_at <= at or not _is_ours(desk, token, row):
        raise ConfirmationUnknown
    return _confirmation(row)


def _is_ours(desk: Desk, token: str, row: Any) -> bool:  # noqa: ANN401 -- a row of the table
    """Say whether a token was made here, for what the row says."""
    said = b64u_bytes(token)
    says = (row.customer, row.scopes, row.language, row.position, to_ms(row.made_at), to_ms(row.expires_at))
    drawn = said[:_RANDOM_BYTES]
    return hmac.compare_digest(_mark(desk, drawn, says), said[_RANDOM_BYTES:])


def _mark(desk: Desk, drawn: bytes, says: Sequence[str | int]) -> bytes:
    """Return the keyed hash that makes a token ours; 16 bytes."""
    told = "\x00".join(map(str, says)).encode()
    return seal.mark(seal.use_key(desk.keys.link_key, _LINK), drawn + told)[:_RANDOM_BYTES]


def spend(work: Work, confirmation: Confirmation, *, at: datetime) -> bool:
    """Take a link: of two who try at once, one gets it."""
    return bool(work.run(_SPEND, confirmation.digest, to_ms(at)).rowcount)


def outgoing(desk: Desk, work: Work, most: int) -> list[Outgoing]:
    """Return links that the mail doesn't have yet, the oldest first.

    Raises:
        KeyLost: one doesn't open: it was changed, or stands where it wasn't sealed for.
    """
    query = (
        sa.select(_row, DataKeyRow.kek, DataKeyRow.wrapped)
        .join(DataKeyRow, DataKeyRow.owner == _row.c.customer)
        .where(_row.c.outgoing.is_not(None))
        .order_by(_row.c.made_at, _row.c.digest)
        .limit(most)
    )
    found = []
    for row in work.connection.execute(query):
        data_key = desk.keys.unwrap(row.customer, Wrapped(row.kek, bytes(row.wrapped)))
        token = opened(data_key, bytes(row.outgoing), row.customer, bytes(row.digest))
        found.append(Outgoing(confirmation=_confirmation(row), token=token))
    return found


def opened(data_key: bytes, sealed: bytes, customer: str, digest: bytes) -> str:
    """Return the token of a link that the mail doesn't have yet.

    Raises:
        KeyLost: it doesn't open: it was changed, or stands where it wasn't sealed for.
    """
    return seal.unseal(data_key, _USE, sealed, bound=_bound(customer, digest)).decode()


def handed_over(work: Work, confirmations: Iterable[Confirmation]) -> None:
    """Forget the tokens that the mail has now."""
    for each in confirmations:
        work.connection.execute(sa.update(ConfirmationRow).where(_row.c.digest == each.digest).values(outgoing=None))


def sweep(work: Work, *, at: datetime) -> int:
    """Delete the links whose time has long been over; return how many."""
    return work.connection.execute(sa.delete(ConfirmationRow).where(_row.c.expires_at < at - KEPT_FOR)).rowcount


def _confirmation(row: Any) -> Confirmation:  # noqa: ANN401 -- a row of the table
    return Confirmation(
        digest=bytes(row.digest),
        customer=CustomerId(row.customer),
        scopes=tuple(Scope(scope) for scope in row.scopes.split(" ")),
        language=row.language,
        position=row.position,
        made_at=row.made_at,
        expires_at=row.expires_at,
        spent=row.spent_at is not None,
    )


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _bound(customer: str, digest: bytes) -> str:
    return f"byleave/confirmation/v1\x00{customer}\x00{digest.hex()}"
