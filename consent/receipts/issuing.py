"""USE CASE: give a receipt of one statement, the same each time it is asked for.

Nothing is stored. The entry, its payload and the terms never change, and a receipt is proven by the oldest checkpoint
that covers its entry, as the log itself signed it (a witness adds his line later): so whoever asks again, for instance
under the same idempotency key, gets the same bytes. Where no checkpoint covers the entry yet, one is signed at once.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson
import sqlalchemy as sa

from consent.base.canonical import b64u_bytes
from consent.base.database import Hot, table_of
from consent.base.errors import EntryUnknown, KeyLost, LedgerBroken, StateConflict
from consent.base.ids import CustomerId
from consent.base.store import Store, Work
from consent.catalogue import terms
from consent.ledger import checkpoint, entry, log, note, stored
from consent.ledger.entry import Entry, Kind
from consent.ledger.note import NoteRefused
from consent.ledger.position import parts
from consent.ledger.position import position as position_of
from consent.permission.statement import from_record
from consent.receipts import checking, document
from consent.receipts.checking import Holds, Refused
from consent.receipts.form import SALT_BYTES, Proof
from consent.register import mergers, proving
from consent.register.desk import Desk
from consent.register.payloads import opened_payload
from consent.register.proving import Inclusion
from consent.tables import LedgerPayloadRow

_payload = table_of(LedgerPayloadRow)
_SEALED: Final = Hot(
    sa.select(_payload.c.owner, _payload.c.sealed).where(
        _payload.c.log == sa.bindparam("log"), _payload.c.seq == sa.bindparam("seq")
    ),
    "log", "seq",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """A receipt, ready to be handed out.

    Attributes:
        position: of the entry that it is about; what it is asked for by.
        customer: whose statement it is.
        document: the JSON-LD.
    """

    position: int
    customer: CustomerId
    document: dict[str, Any]

    @property
    def body(self) -> bytes:
        """The file: always the same bytes."""
        return orjson.dumps(self.document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)

    @property
    def name(self) -> str:
        """What the file is called."""
        return f"receipt-{self.position}.jsonld"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    """What a receipt is made of, but for the way to the checkpoint."""

    customer: CustomerId
    body: bytes
    entry: Entry
    payload: dict[str, Any]
    salt: bytes
    terms: dict[str, Any]


def issue(store: Store, desk: Desk, position: int, *, at: datetime, customer: CustomerId | None = None) -> Receipt:
    """Give the receipt of the statement at a ledger position.

    Args:
        store: where the ledger is. It is written to only where no checkpoint covers the entry yet.
        desk: keys and catalogues.
        position: of the statement's entry.
        at: the time of a checkpoint that has to be signed.
        customer: whoever asks for a receipt of his own; everybody else's is unknown to him.

    Raises:
        EntryUnknown: there is no such entry, it is no statement (of his), or what it said was erased.
        StateConflict: it was recorded by a version that didn't commit to the terms.
        LedgerBroken: what is stored contradicts itself.
    """
    with store.read() as work:
        opened = _opened(desk, work, position, customer)
        covered = _covered(work, position)
    if covered is None:
        with store.write() as work:
            proving.sign_checkpoint(desk, work, at=at)
            covered = proving.inclusion(work, position)
    return Receipt(position=position, customer=opened.customer, document=document.receipt(_proof(opened, covered)))


def published_keys(desk: Desk, work: Work) -> list[str]:
    """Return the verifier keys that receipts of this deployment are checked with; the one in force comes last."""
    origin = stored.newest(work).origin
    spans = sorted(proving.trust(desk, work).spans, key=lambda span: span.last)
    return [note.vkey(origin, span.public_key) for span in spans]


def verdict(desk: Desk, work: Work, given: object, *, position: int | None = None) -> Holds | Refused:
    """Say whether JSON is a receipt of this deployment that holds.

    Args:
        desk: keys.
        work: a transaction.
        given: as `consent.base.strict_json` reads it.
        position: of the statement that it must be the receipt of; any, where left out.
    """
    found = checking.verdict_on(given, [note.verifier_of(key) for key in published_keys(desk, work)])
    if isinstance(found, Refused):
        return found
    state = found.checkpoint
    number = next((each.log for each in stored.logs(work) if each.origin == state.origin), None)
    if number is None:
        return Refused(why="the entry is of a log that this deployment doesn't have")
    if position not in (None, position_of(number, found.proof.entry.seq)):
        return Refused(why="it is the receipt of another statement")
    try:
        note.open_note(found.proof.checkpoint, proving.trust(desk, work).verifiers(state.origin, number, state.size))
    except NoteRefused:
        return Refused(why="the checkpoint is signed by a key that was not in force there")
    return found


def _covered(work: Work, position: int) -> Inclusion | None:
    try:
        return proving.inclusion(work, position)
    except EntryUnknown:  # it is there, for its payload was read: no checkpoint covers it
        return None


def _opened(desk: Desk, work: Work, position: int, customer: CustomerId | None) -> _Opened:
    number, seq = parts(position)
    row = work.run(_SEALED, number, seq).fetchone()
    owner, sealed = row or ("", b"")
    if row is None or not _his(work, owner, customer):
        raise EntryUnknown(f"there is no statement at position {position} (any more)")
    body = log.body_of(work, number, seq)
    read = entry.read(body)
    if read is None:
        raise LedgerBroken(f"entry {position} is not of the form")
    if read.kind is not Kind.STATEMENT:
        raise EntryUnknown(f"there is no statement at position {position} (any more)")
    try:
        payload, plain = opened_payload(desk.data_key(work, owner), owner, bytes(sealed))
    except KeyLost as lost:
        raise LedgerBroken(f"the payload of entry {position} does not open") from lost
    if not entry.opens(plain, read.commitment):
        raise LedgerBroken(f"the payload of entry {position} is not the one that the entry commits to")
    return _Opened(
        customer=CustomerId(owner),
        body=body,
        entry=read,
        payload=payload,
        salt=plain[:SALT_BYTES],
        terms=_terms(desk, work, read, payload),
    )


def _his(work: Work, owner: str, customer: CustomerId | None) -> bool:
    """Say whether a statement is a customer's own: said under his id, or under one that was given up for it."""
    return customer is None or owner == customer or owner in mergers.former(work, customer)


def _terms(desk: Desk, work: Work, read: Entry, payload: dict[str, Any]) -> dict[str, Any]:
    """Return the terms of a statement: what the catalogue of its time says, if that is what the payload commits to."""
    if "terms" not in payload:
        raise StateConflict("the statement was recorded before terms were: it has no receipt")
    said = from_record(CustomerId(payload["customer"]), payload["statement"])
    catalogue = desk.catalogues.version(work, read.catalogue_version)
    told = terms.told(catalogue, said.scopes, said.notices, said.language)
    if terms.digest(told) != b64u_bytes(payload["terms"]):
        raise LedgerBroken(f"catalogue {read.catalogue_version} doesn't say what was recorded of it")
    return told


def _proof(opened: _Opened, covered: Inclusion) -> Proof:
    try:
        signed = checkpoint.by_its_log(covered.checkpoint)
    except NoteRefused as refused:
        raise LedgerBroken(f"the checkpoint of size {covered.size} is no note") from refused
    return Proof(
        body=opened.body,
        entry=opened.entry,
        payload=opened.payload,
        salt=opened.salt,
        terms=opened.terms,
        path=covered.path,
        checkpoint=signed,
    )
