"""Links that withdraw without a sign-in, as they stand in every message.

A link names its customer and what to withdraw, and is signed with the keyring's link key. It can make a permission
smaller and nothing else: `withdraw` is the only thing in the house that takes one. It never ends, for a wish to be
left alone doesn't either; who is erased has nothing left to withdraw.

Source:
    RFC 8058 (one-click unsubscribe), RFC 2369 section 3.2 (List-Unsubscribe).
"""

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from consent import standings
from consent.base.canonical import NotCanonical, b64u, b64u_bytes, encode, parse
from consent.base.clock import from_ms, to_ms
from consent.base.errors import CustomerUnknown, NotFound
from consent.base.ids import CustomerId, Scope, is_id
from consent.base.store import Work
from consent.permission.standing import ERASED, VALID, Status
from consent.permission.statement import Act, Method, Statement
from consent.register import history, mergers, recording
from consent.register.desk import Desk
from consent.register.recording import Recorded

_DOMAIN: Final = b"byleave/link/v1\x00withdraw\x00"
_LONGEST: Final = 4_096
_TWICE: Final = timedelta(minutes=1)
"""Within which time a link that is pressed again was pressed twice."""
_NO: Final = frozenset({Status.WITHDRAWN, Status.REFUSED, Status.OBJECTED})


class LinkUnknown(NotFound):
    """The link was not made here, or was changed on its way."""

    code = "link_unknown"
    title = "This link doesn't hold"


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawLink:
    """What a link says."""

    customer: CustomerId
    scopes: tuple[Scope, ...]
    issued_at: datetime


def derived_key(desk: Desk, use: str) -> bytes:
    """Return the key for one use, such as the tokens in forms, that comes from the keyring's link key; 32 bytes.

    Source:
        RFC 5869 section 2.3, with L = 32 and N = 1.
    """
    return hmac.digest(desk.keys.link_key, f"byleave/{use}".encode() + b"\x01", "sha256")


def sign(desk: Desk, customer: CustomerId, scopes: Iterable[Scope], *, at: datetime) -> str:
    """Return the token of a link that withdraws `scopes`; it fits into a path and into a mail header."""
    said = encode({"customer": customer, "issued": to_ms(at), "scopes": sorted(set(scopes))}, limit=_LONGEST)
    return f"{b64u(said)}.{b64u(_mac(desk, said))}"


def read(desk: Desk, token: str) -> WithdrawLink:
    """Return what a link says, once it is known to be ours.

    Raises:
        LinkUnknown: it isn't, or was changed.
    """
    said, _, signed = token.partition(".")
    try:
        plain, mac = b64u_bytes(said[: 2 * _LONGEST]), b64u_bytes(signed[:64])
    except NotCanonical:
        raise LinkUnknown from None
    if not hmac.compare_digest(_mac(desk, plain), mac):
        raise LinkUnknown
    match parse(plain):
        case {"customer": str(customer), "issued": int(issued), "scopes": [*scopes]} if is_id(customer, "cus"):
            named = tuple(Scope(str(scope)) for scope in scopes)
            return WithdrawLink(customer=CustomerId(customer), scopes=named, issued_at=from_ms(issued))
        case _:
            raise LinkUnknown


def withdraw(desk: Desk, work: Work, token: str, *, at: datetime) -> list[Recorded]:
    """Withdraw what the link names, as the customer's own word.

    Passed over is what he has withdrawn by a link a moment ago, so that pressing twice says it once. An older no is
    said again: a yes that was given in between, on paper, may be typed in yet. One that has left the catalogue permits
    nothing, but may come back: a yes to it is taken back too.

    It is the word of whoever goes on under the link's id, said at the ledger's own time: nothing that is recorded was
    said later.

    Returns:
        What was recorded: one statement, or none.

    Raises:
        LinkUnknown: the link is not ours, or was changed.
        CustomerUnknown: the customer is not enrolled (any more).
    """
    link = read(desk, token)
    customer = mergers.surviving(work, link.customer)
    held = standings.locked(work, [customer]).get(customer)
    if held is None:
        row = standings.read(work, [customer]).get(customer)
        if row is None or not row.states & ERASED:
            raise CustomerUnknown
        return []
    said_at = recording.ledger_time(work, at)
    catalogue = desk.catalogues.current(work)
    bits = desk.catalogues.bits(work, catalogue.version)
    stands = {scope: held.standing.of(bits[scope]).status for scope in link.scopes if scope in bits}
    again = _just_pressed(desk, work, customer, said_at) if _NO & set(stands.values()) else frozenset()
    scopes = tuple(
        scope
        for scope, status in stands.items()
        if (status not in _NO or scope not in again if scope in catalogue.scopes else status in VALID)
    )
    if not scopes:
        return []
    said = Statement(customer=customer, act=Act.WITHDRAW, scopes=scopes, said_at=said_at, method=Method.ONE_CLICK)
    return recording.record(desk, work, [said], actor="link", at=said_at)


def _just_pressed(desk: Desk, work: Work, customer: CustomerId, at: datetime) -> frozenset[str]:
    """Return what a customer has withdrawn by a link within the last moment."""
    return frozenset(
        scope
        for said in history.of_customer(desk, work, customer)
        if said.statement.method is Method.ONE_CLICK and said.statement.said_at > at - _TWICE
        for scope in said.statement.scopes
    )


def headers(address: str) -> dict[str, str]:
    """Return the headers by which a mail program offers to unsubscribe, in one press and without a browser.

    Args:
        address: of the page that takes the link; https, for a mail program takes no other.

    >>> headers("https://shop.example/w/token")["List-Unsubscribe"]
    '<https://shop.example/w/token>'
    """
    return {"List-Unsubscribe": f"<{address}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}


def _mac(desk: Desk, said: bytes) -> bytes:
    return hmac.digest(derived_key(desk, "link/v1"), _DOMAIN + said, "sha256")
