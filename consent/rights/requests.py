"""USE CASES: take a request in, give it to somebody, take more time for it, answer it. Each step is a ledger entry.

The entry says which request of whom, which step, and by when an answer is owed. It is the deployment's own, not the
customer's: that a right was asked for and answered in time has to be shown even of somebody who was erased. What was
written (a wish, a reason for delay, an answer) is personal: it is sealed under the customer's key and gone with it, and
the entry holds a keyed hash of it.
"""

import hmac
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from consent.base import canonical
from consent.base.clock import EPOCH, rfc3339
from consent.base.database import table_of
from consent.base.errors import (
    CustomerUnknown,
    IdempotencyConflict,
    KeyLost,
    Place,
    RequestInvalid,
    RequestUnfit,
    StateConflict,
)
from consent.base.ids import CustomerId, new_id
from consent.base.store import Work
from consent.ledger.entry import Kind
from consent.register import customers, mergers, publishing
from consent.register.desk import Desk
from consent.rights import asked, deadlines, fulfilled
from consent.rights.asked import PREFIX, Event, How, Outcome, Request, Right, State
from consent.rights.tables import RightsRequestRow, RightsStepRow

LONGEST: Final = 2_000
"""Characters that a wish, a reason or an answer may have."""

_LONGEST_NAME: Final = 100
_EXPLAINED: Final = frozenset({Outcome.PARTLY, Outcome.REFUSED})
"""Outcomes that the customer has to be told the reasons of (GDPR Art. 12(4))."""

_row: Final = table_of(RightsRequestRow)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """A request as it comes in."""

    kind: Right
    how: How = How.PAGE
    received_at: datetime | None = None
    """When it reached the company, whenever it is typed in; now, where left out."""
    wish: str = ""
    """What the customer wrote, if anything."""

    def fingerprint(self, desk: Desk, customer: CustomerId) -> bytes:
        """Return a keyed hash that two equal requests share."""
        received = rfc3339(self.received_at) if self.received_at else ""
        said = {"customer": customer, "kind": str(self.kind), "how": str(self.how), "wish": self.wish}
        return _blinded(desk, canonical.encode({**said, "received_at": received}))


def take_in(
    desk: Desk,
    work: Work,
    customer: CustomerId,
    asking: Asking,
    *,
    actor: str,
    at: datetime,
    idempotency_key: str = "",
) -> Request:
    """Take a request in. The deadline runs from its receipt; the same idempotency key takes it in once.

    Raises:
        RequestInvalid: the wish is too long.
        RequestUnfit: it is said to have come in later than now.
        CustomerUnknown: nobody of that id is enrolled.
        IdempotencyConflict: the key stood for another request.
        StateConflict: words are to be kept of somebody who was erased.
    """
    asking, customer = replace(asking, wish=_text("wish", asking.wish)), mergers.surviving(work, customer)
    received = _received(asking, at)
    number, fingerprint = new_id(PREFIX, at), asking.fingerprint(desk, customer)
    if idempotency_key:
        number = f"{PREFIX}_" + desk.blinded("rights_request", f"{actor}\x00{idempotency_key}")[:16].hex()
        known = _repeated(work, number, fingerprint)
        if known is not None:
            return known
    if not customers.lock(work, [customer]):
        raise CustomerUnknown
    request = Request(
        id=number, customer=customer, kind=asking.kind, how=asking.how, received_at=received,
        due_at=deadlines.due(received), extended_at=None, owner="", state=State.RECEIVED, closed_at=None, outcome=None,
        steps=0,
    )  # fmt: skip
    kept = {"asked": fingerprint if idempotency_key else b"", "words": b"", **_columns(request)}
    work.connection.execute(sa.insert(_row).values(**kept))
    if asking.wish:
        _say(desk, work, request, wish=asking.wish)
    return _stepped(desk, work, request, Event.RECEIVED, str(asking.how), actor=actor, at=at, said=asking.wish)


def _received(asking: Asking, at: datetime) -> datetime:
    received = at if asking.received_at is None else asking.received_at
    if not EPOCH <= received <= at:
        why = "lies in the future" if received > at else "is before 1970"
        raise RequestUnfit(places=[Place("/received_at", why)])
    return received


def assign(desk: Desk, work: Work, request: str, owner: str, *, actor: str, at: datetime) -> Request:
    """Give a request to somebody, or to somebody else: from then on it is his to answer.

    Raises:
        RightsRequestUnknown: there is none of this id.
        RequestInvalid: the owner's name is too long.
        RequestUnfit: it is empty.
        StateConflict: it is closed.
    """
    owner = _text("owner", owner, longest=_LONGEST_NAME, needed=True)
    was = _open(work, request)
    return _stepped(
        desk, work, replace(was, owner=owner, state=State.IN_HAND), Event.ASSIGNED, owner, actor=actor, at=at
    )


def extend(desk: Desk, work: Work, request: str, reason: str, *, actor: str, at: datetime) -> Request:
    """Take two more months, once, for a reason that the customer reads on his page from then on.

    Raises:
        RightsRequestUnknown: there is none of this id.
        RequestInvalid: the reason is too long.
        RequestUnfit: it is empty.
        StateConflict: it is closed, was extended before, or the first month is over: then it is too late to say so.
    """
    reason = _text("reason", reason, needed=True)
    was = _open(work, request)
    if was.extended_at is not None:
        msg = "it was extended before: a deadline can be extended once"
        raise StateConflict(msg)
    if deadlines.is_overdue(was.due_at, at):
        msg = "its deadline has passed: the customer has to be told of more time, and why, within the first month"
        raise StateConflict(msg)
    due_at = deadlines.due(was.received_at, extended=True)
    _say(desk, work, was, extension=reason)
    longer = replace(was, due_at=due_at, extended_at=at)
    return _stepped(desk, work, longer, Event.EXTENDED, rfc3339(due_at), actor=actor, at=at, said=reason)


def close(
    desk: Desk, work: Work, request: str, outcome: Outcome, *, actor: str, at: datetime, answer: str = ""
) -> Request:
    """Close a request: what became of it, and what the customer is told.

    Of who is erased no words are kept any more: that he was told something, and a keyed hash of it, is in the ledger.

    Raises:
        RightsRequestUnknown: there is none of this id.
        RequestInvalid: the reasons are too long.
        RequestUnfit: it is refused in whole or part, and no reasons are given for the customer.
        StateConflict: it is closed already, or said to be fulfilled while what it asks for isn't done.
    """
    answer = _text("answer", answer, needed=outcome in _EXPLAINED)
    was = _open(work, request)
    undone = fulfilled.lacking(work, was) if outcome is Outcome.FULFILLED else ""
    if undone:
        raise StateConflict(undone)
    if answer and not fulfilled.is_erased(work, was):
        _say(desk, work, was, answer=answer)
    done = replace(was, state=State.CLOSED, closed_at=at, outcome=outcome)
    return _stepped(desk, work, done, Event.CLOSED, str(outcome), actor=actor, at=at, said=answer)


def fulfil_at_once(
    desk: Desk, work: Work, customer: CustomerId, kind: Right, *, actor: str, at: datetime, how: How = How.PAGE
) -> Request:
    """Note a request that is fulfilled in this very transaction, as what a customer does on his own page is.

    An open request of his for the same is fulfilled by it; where there is none, one is taken in and closed.

    Raises:
        CustomerUnknown: nobody of that id is enrolled.
    """
    pending = next((one for one in asked.of_customer(work, customer) if one.is_open and one.kind is kind), None)
    request = pending or take_in(desk, work, customer, Asking(kind=kind, how=how), actor=actor, at=at)
    return close(desk, work, request.id, Outcome.FULFILLED, actor=actor, at=at)


def forget_words(work: Work, customer: CustomerId) -> None:
    """Delete what was written about a customer's requests: a step of erasing him. That they were answered stays."""
    nothing = sa.update(_row).where(_row.c.customer == customer).values(words=b"", asked=b"")
    work.connection.execute(nothing)


def _open(work: Work, request: str) -> Request:
    """Lock a request, and return it if it is open."""
    row = work.connection.execute(sa.select(_row).where(_row.c.id == request).with_for_update()).first()
    if row is None:
        raise asked.unknown(request)
    found = asked.of_row(row)
    if not found.is_open:
        msg = f"it was closed on {rfc3339(found.closed_at or EPOCH)}"
        raise StateConflict(msg)
    return found


def _repeated(work: Work, number: str, fingerprint: bytes) -> Request | None:
    row = work.connection.execute(sa.select(_row).where(_row.c.id == number)).first()
    if row is not None and not hmac.compare_digest(bytes(row.asked), fingerprint):
        raise IdempotencyConflict
    return asked.of_row(row) if row is not None else None


def _say(desk: Desk, work: Work, request: Request, **said: str) -> None:
    """Add to the words of a request."""
    try:
        data_key = desk.data_key(work, request.customer)
    except KeyLost as gone:
        msg = "its customer is erased: nothing that is written to him can be kept any more"
        raise StateConflict(msg) from gone
    sealed = work.connection.execute(sa.select(_row.c.words).where(_row.c.id == request.id)).scalar_one()
    words = replace(asked.opened(data_key, bytes(sealed), request.customer, request.id), **said)
    kept = words.sealed(data_key, request.customer, request.id)
    work.connection.execute(sa.update(_row).where(_row.c.id == request.id).values(words=kept))


def _stepped(
    desk: Desk, work: Work, request: Request, event: Event, detail: str, *, actor: str, at: datetime, said: str = ""
) -> Request:
    """Write a step: its ledger entry, its row, and the request as it stands now."""
    now = replace(request, steps=request.steps + 1)
    payload = {
        "actor": actor, "customer": now.customer, "detail": detail, "due_at": rfc3339(now.due_at), "event": str(event),
        "kind": str(now.kind), "received_at": rfc3339(now.received_at), "request": now.id, "step": now.steps,
        **({"said": hashed(desk, said)} if said else {}),
    }  # fmt: skip
    position = publishing.note(desk, work, Kind.REQUEST_NOTED, payload, at=at).position
    step = {"request": now.id, "number": now.steps, "at": at, "event": str(event), "detail": detail}
    work.connection.execute(sa.insert(RightsStepRow).values(**step, actor=actor, position=position))
    moved = sa.update(_row).where(_row.c.id == now.id, _row.c.steps == request.steps).values(**_columns(now))
    if work.connection.execute(moved).rowcount != 1:
        msg = "somebody else changed the request at this moment"
        raise StateConflict(msg)
    return now


def _columns(request: Request) -> Mapping[str, Any]:
    return {
        "id": request.id, "customer": request.customer, "kind": str(request.kind), "how": str(request.how),
        "received_at": request.received_at, "due_at": request.due_at, "extended_at": request.extended_at,
        "owner": request.owner, "state": str(request.state), "closed_at": request.closed_at,
        "outcome": str(request.outcome or ""), "steps": request.steps,
    }  # fmt: skip


def hashed(desk: Desk, said: str) -> str:
    """Return the keyed hash of words, as the entry of the step with which they were written holds it."""
    return canonical.b64u(_blinded(desk, said.encode()))


def _blinded(desk: Desk, said: bytes) -> bytes:
    return hmac.digest(desk.keys.index_key, b"byleave/rights_request/v1\x00" + said, "sha256")


def _text(where: str, text: str, *, longest: int = LONGEST, needed: bool = False) -> str:
    """Return text in Unicode's composed form, without the space around it.

    Raises:
        RequestInvalid: it is too long, or has a character that is none.
        RequestUnfit: it is empty where something has to be said.
    """
    read = unicodedata.normalize("NFC", text).strip()
    if needed and not read:
        raise RequestUnfit(places=[Place(f"/{where}", "must not be empty")])
    if len(read) > longest:
        raise RequestInvalid(places=[Place(f"/{where}", f"has more than {longest:,} characters")])
    if any(sign < " " and sign not in "\n\r\t" for sign in read):
        raise RequestInvalid(places=[Place(f"/{where}", "has a control character")])
    return read
