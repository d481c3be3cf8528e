"""Note in the ledger what a customer did that is no statement, so that only his own key tells what it was.

The entry is the deployment's own and says who and when, as that something was done has to be shown even of somebody who
was erased. What he said is sealed under his key within it: with the key it is gone, and the entry stays.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from consent.base import canonical
from consent.base.errors import CustomerErased, EntryUnknown, KeyLost, LedgerBroken
from consent.base.ids import CustomerId
from consent.base.store import Work
from consent.ledger import entry, log
from consent.ledger.entry import Kind
from consent.ledger.log import Appended
from consent.ledger.position import parts
from consent.register import publishing
from consent.register.desk import Desk
from consent.vault import seal

_USE: Final = "private-note/v1"


def note(
    desk: Desk, work: Work, kind: Kind, customer: CustomerId, said: Mapping[str, Any], *, actor: str, at: datetime
) -> Appended:
    """Append an entry that says what a customer did.

    Args:
        desk: keys.
        work: a transaction that writes.
        kind: of the entry.
        customer: who.
        said: what; JSON of the closed profile.
        actor: who wrote it down.
        at: now.

    Raises:
        CustomerErased: he has no key any more.
    """
    try:
        data_key = desk.data_key(work, customer)
    except KeyLost as gone:
        raise CustomerErased from gone
    sealed = seal.seal(data_key, _USE, canonical.encode(dict(said)), bound=_bound(kind, customer))
    payload = {"actor": actor, "customer": customer, "sealed": canonical.b64u(sealed)}
    return publishing.note(desk, work, kind, payload, at=at)


def read(desk: Desk, work: Work, kind: Kind, customer: CustomerId, position: int) -> dict[str, Any]:
    """Return what a customer did by the entry at a position.

    Raises:
        EntryUnknown: there is none of this kind, or it is not about him.
        KeyLost: he has no key any more.
        LedgerBroken: it doesn't open, or is not what the entry commits to.
    """
    payload = publishing.noted(desk, work, *parts(position))
    written = entry.read(log.body_at(work, position))
    if written is None or written.kind is not kind or payload.get("customer") != customer:
        raise EntryUnknown
    return opened(desk, work, kind, customer, payload)


def opened(desk: Desk, work: Work, kind: Kind, customer: CustomerId, payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a customer did, as the payload of an entry tells it.

    Raises:
        KeyLost: he has no key any more.
        LedgerBroken: it doesn't open.
    """
    data_key = desk.data_key(work, customer)
    try:
        plain = seal.unseal(data_key, _USE, canonical.b64u_bytes(payload["sealed"]), bound=_bound(kind, customer))
    except KeyLost as lost:
        msg = f"what an entry of the kind {kind} says does not open"
        raise LedgerBroken(msg) from lost
    said = canonical.parse(plain)
    if not isinstance(said, dict):
        msg = f"what an entry of the kind {kind} says is no object"
        raise LedgerBroken(msg)
    return said


def _bound(kind: Kind, customer: CustomerId) -> str:
    return f"byleave/private-note/v1\x00{kind}\x00{customer}"
