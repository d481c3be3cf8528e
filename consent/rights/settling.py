"""USE CASE: hold the database against the list of erasures, before anything opens; and settle what was brought back.

Where nothing was restored, there is little to do: an erasure that was under way when the process ended either was
committed or wasn't, and the list is told which. Where the database is older than what the list knows, a backup was
restored without our doing: nothing opens. Settling it takes an officer, for entries of the ledger are lost, and with
them what customers said: then the log goes on under another name, whoever was erased is erased again, and whatever was
suppressed is suppressed again, before anybody reads a row.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from consent.base.canonical import b64u_bytes
from consent.base.database import table_of
from consent.base.errors import LedgerBroken, NotFound, RolledBack
from consent.base.ids import CustomerId
from consent.base.store import Store, Work
from consent.ledger import log, stored
from consent.ledger.opening import Cause
from consent.ledger.position import parts
from consent.register import customers, publishing, sealing, suppressing
from consent.register.desk import Desk
from consent.register.sealing import Turned
from consent.register.suppressing import Why
from consent.register.tables import ErasureRow, SuppressionRow
from consent.rights import erasing
from consent.rights.erasing import Eraser, Ground
from consent.rights.erasure_list import ErasureList, Event, Line

ACTOR: Final = "restore"
"""In whose name erasures are done again."""

_COMMITTED: Final = (Event.ERASED, Event.LIFTED)
"""The events whose lines are written after their transaction was committed: their entries must be in the ledger."""

_CHUNK: Final = 2_000
_HOW: Final = "a backup was restored: byleave db reopen"
_BURY: Final = (
    "nothing was rolled back, the row was deleted: `byleave db reopen --nothing-lost` erases again whoever lacks his "
    "tombstone; then look for who can write to the database, and run an audit"
)
_erasure: Final = table_of(ErasureRow)
_suppression: Final = table_of(SuppressionRow)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What settling a restored database came to."""

    turned: Turned | None
    """The log that was left and the one that goes on; None where nothing was lost."""

    lost: tuple[int, int] | None
    """The positions between which entries are known to be lost: how far the ledger goes, how far it went at least."""

    erased: tuple[CustomerId, ...]
    """Who was erased again."""

    suppressed: int
    """How many addresses were suppressed again."""


def check(desk: Desk, store: Store, listed: ErasureList, *, at: datetime) -> None:
    """Hold database and list against each other; to be done before anything opens.

    Raises:
        RolledBack: the database is older than the list, or holds another history.
        LedgerBroken: the list was changed; or the ledger tells of an erasure whose tombstone is gone.
        DatabaseDown: one of them can't be read.
    """
    lines = listed.newest()
    with store.read() as work:
        if not log.is_open(work):
            return
        _require_current(desk, work, listed, lines)
        missing = [*_decided(work, listed), *_unlisted(work, listed, lines)]
    if missing:
        listed.note(missing, at=at)


def settle(
    desk: Desk,
    store: Store,
    listed: ErasureList,
    *,
    besides: Sequence[Eraser],
    at: datetime,
    ahead: int = -1,
    doubtful: bool = False,
) -> Settled:
    """Settle a database that was restored from a backup: nothing else may have it open.

    Where entries were lost that somebody may hold a receipt of, nothing more is entered under the log's name: another
    log goes on. That is so where the ledger is known to have reached a later position (`ahead`, or what the list of
    erasures knows), and where nobody can tell (`doubtful`). Run again, it goes on where it was interrupted.

    Raises:
        RolledBack: the witness has raised an alarm as well: settle that first (`byleave ledger settle`).
        LedgerForked: as above.
        LedgerBroken: the list was changed.
        ClockBehind: the clock lies behind the ledger.
    """
    outlasting = listed.outlasting()
    turned, lost = _left(desk, store, listed, ahead=ahead, doubtful=doubtful, at=at)
    erased: list[CustomerId] = []
    for customer in _standing_again(store, listed, outlasting.erased):
        with store.write() as work:
            done = erasing.erase(
                desk, work, customer, listed=listed, besides=besides, ground=Ground.OBLIGED, actor=ACTOR, at=at
            )
        erasing.confirm(listed, done)
        erased.append(customer)
    suppressed = _suppressed_again(desk, store, outlasting.suppressed, at=at)
    store.drop_journal()
    return Settled(turned=turned, lost=lost, erased=tuple(erased), suppressed=suppressed)


def _left(
    desk: Desk, store: Store, listed: ErasureList, *, ahead: int, doubtful: bool, at: datetime
) -> tuple[Turned | None, tuple[int, int] | None]:
    """Leave the log if it lost entries, or may have, and go on with another."""
    reached = max((line.position + 1 for line in listed.lines() if line.event in _COMMITTED), default=-1)
    reached = max(reached, ahead)
    with store.write() as work:
        before = log.head(work).position
        lost = (before, reached) if reached > before else None
        turned = sealing.abandon(desk, work, Cause.ROLLED_BACK, at=at) if lost or doubtful else None
    return turned, lost


def _require_current(desk: Desk, work: Work, listed: ErasureList, lines: Sequence[Line]) -> None:
    newest = stored.newest(work).position  # verification names a head that contradicts itself
    known = [line for line in lines if line.event in _COMMITTED]
    if known and (last := max(line.position for line in known)) >= newest:
        msg = f"rolled back from {last + 1} to {newest}: {_HOW}"
        raise RolledBack(msg)
    erased = next((line for line in reversed(known) if line.event is Event.ERASED), None)
    if erased is not None and _erased_at(work, listed, erased.position) != erased.subject:
        if _tells(desk, work, listed, erased):
            msg = f"entry {erased.position} tells of an erasure, and its tombstone (a row of erasure) is gone: {_BURY}"
            raise LedgerBroken(msg)
        msg = f"entry {erased.position} is not the erasure that the list of erasures tells of: {_HOW}"
        raise RolledBack(msg)


def _tells(desk: Desk, work: Work, listed: ErasureList, line: Line) -> bool:
    """Say whether the ledger's entry is the erasure that a line of the list tells of."""
    try:
        payload = publishing.noted(desk, work, *parts(line.position))
    except (NotFound, LedgerBroken):
        return False
    return "erased" in payload and listed.subject_of(CustomerId(payload["erased"])) == line.subject


def _erased_at(work: Work, listed: ErasureList, position: int) -> str:
    query = sa.select(_erasure.c.customer).where(_erasure.c.position == position)
    customer = work.connection.execute(query).scalar()
    return "" if customer is None else listed.subject_of(customer)


def _decided(work: Work, listed: ErasureList) -> Iterator[tuple[Event, str, int]]:
    """Yield what became of the erasures that were under way when a process ended."""
    for line in listed.under_way():
        done = _erased_at(work, listed, line.position) == line.subject
        yield (Event.ERASED if done else Event.KEPT), line.subject, line.position


def _unlisted(work: Work, listed: ErasureList, lines: Sequence[Line]) -> Iterator[tuple[Event, str, int]]:
    """Yield what the database knows and the list doesn't: it was lost, or this host's list has not heard of it."""
    last = dict.fromkeys((Event.ERASED, Event.SUPPRESSED), -1)
    whole = listed.lines() if lines and not {line.event for line in lines} >= last.keys() else lines
    for line in whole:
        if line.event in last:
            last[line.event] = max(last[line.event], line.position)
    under_way = {line.position for line in listed.under_way()}
    erased = sa.select(_erasure.c.customer, _erasure.c.position).where(_erasure.c.position > last[Event.ERASED])
    for customer, position in work.connection.execute(erased.order_by(_erasure.c.position)):
        if position not in under_way:
            yield Event.ERASED, listed.subject_of(customer), position
    suppressed = sa.select(_suppression).where(_suppression.c.position > last[Event.SUPPRESSED])
    for row in work.connection.execute(suppressed.order_by(_suppression.c.position)):
        yield Event.SUPPRESSED, suppressing.subject_of((row.kind, bytes(row.blind))), row.position


def _standing_again(store: Store, listed: ErasureList, erased: frozenset[str]) -> Iterator[CustomerId]:
    """Walk the customers who were erased once and aren't in this database: each is found by his keyed hash."""
    after = ""
    while erased:
        with store.read() as work:
            ids = customers.after(work, after, _CHUNK)
            found = [one for one in ids if listed.subject_of(one) in erased]
            gone = sa.select(_erasure.c.customer).where(_erasure.c.customer.in_(found))
            already = set(work.connection.execute(gone).scalars())
        yield from (one for one in found if one not in already)
        if not ids:
            return
        after = ids[-1]


def _suppressed_again(desk: Desk, store: Store, subjects: frozenset[str], *, at: datetime) -> int:
    count = 0
    for subject in sorted(subjects):
        kind, _, blind = subject.partition(":")
        with store.write() as work:
            address = (kind, b64u_bytes(blind))
            count += suppressing.suppress_blind(desk, work, address, actor=ACTOR, why=Why.RESTORED, at=at).changed
    return count
