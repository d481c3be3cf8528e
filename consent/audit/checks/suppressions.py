"""The check `suppressions`: an address is left alone because the ledger says so, and wherever it says so."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import sqlalchemy as sa

from consent.audit import events
from consent.audit.events import Event
from consent.audit.findings import Evidence, Finding, Judged, Severity, Yielded
from consent.base.canonical import b64u, b64u_bytes
from consent.base.clock import from_ms, rfc3339
from consent.base.database import Hot, table_of
from consent.ledger.entry import Kind
from consent.permission.standing import SUPPRESSED
from consent.register import suppressing
from consent.register.suppressing import NAMELESS, Blind
from consent.register.tables import ErasureRow, LiftedSuppressionRow, SuppressionRow
from consent.tables import IdentityRow, StandingRow

KEY: Final = "suppressions"
_PAGE: Final = 1_000
_MOST_NAMED: Final = 100

_row: Final = table_of(SuppressionRow)
_past: Final = table_of(LiftedSuppressionRow)
_identity: Final = table_of(IdentityRow)
_standing: Final = table_of(StandingRow)
_AFTER: Final = Hot(
    sa.select(_row.c.kind, _row.c.blind, _row.c.position, _row.c.since)
    .where(sa.tuple_(_row.c.kind, _row.c.blind) > sa.tuple_(sa.bindparam("kind"), sa.bindparam("blind")))
    .order_by(_row.c.kind, _row.c.blind)
    .limit(sa.literal_column(str(_PAGE))),
    "kind",
    "blind",
)
_PAST_AFTER: Final = Hot(
    sa.select(_past.c.position, _past.c.kind, _past.c.blind, _past.c.since, _past.c.until, _past.c.lifted_position)
    .where(_past.c.position > sa.bindparam("after"))
    .order_by(_past.c.position)
    .limit(sa.literal_column(str(_PAGE))),
    "after",
)


def suppressions(evidence: Evidence) -> Iterator[Yielded]:
    """Hold the list of suppressed addresses against the entries that tell of them, and customers against the list.

    An address taken off the list behind the ledger's back would be contacted again; a customer whose row doesn't show
    that an address of his is on it would be as well. What was lifted is held against the entries too: answers as of
    then go by it.
    """
    lifts = [event for event in _changes(evidence) if event.told.get("act") == "lift"]
    lifted = {_told(event): event.position for event in lifts}
    yield from _listed(evidence, lifted)
    yield from _unlisted(evidence, lifted)
    yield from _kept(evidence, {event.position: event for event in lifts})
    yield from _permitted(evidence)


def _changes(evidence: Evidence) -> Iterator[Event]:
    return events.events(evidence, Kind.SUPPRESSION_CHANGED)


def _told(event: Event) -> tuple[Any, Any]:
    """Return which address an entry tells of: its kind, and its keyed hash as it is written there."""
    return event.told.get("address"), event.told.get("blind")


def _listed(evidence: Evidence, lifted: dict[tuple[Any, Any], int]) -> Iterator[Yielded]:
    """Walk the list: each address on it was put there by the entry that it names, and never lifted since."""
    after: tuple[str, bytes] = ("", b"")
    while True:
        with evidence.store.read() as work:
            rows = [(kind, bytes(blind), *rest) for kind, blind, *rest in work.run(_AFTER, *after).fetchall()]
        if not rows:
            return
        told = events.at(evidence, [place for _, _, place, _ in rows])
        for kind, blind, place, since in rows:
            event, address = told.get(place), (kind, b64u(blind))
            if not _says(event, "suppress", since) or not _is_of(event, *address):
                yield _finding((kind, blind), f"it is on the list, and entry {place} does not say so")
            elif lifted.get(address, -1) > place:
                yield _finding((kind, blind), f"it is on the list, and entry {lifted[address]} took it off")
        yield Judged(len(rows))
        after = rows[-1][:2]


def _says(event: Event | None, act: str, at: int) -> bool:
    """Say whether an entry tells of an act at a time (ms)."""
    return event is not None and not event.why and event.told.get("act") == act and event.at == rfc3339(from_ms(at))


def _is_of(event: Event | None, kind: str, blind: str | None) -> bool:
    """Say whether an entry tells of an address; of one of that kind, where `blind` is None."""
    return event is not None and _told(event) == (kind, event.told.get("blind") if blind is None else blind)


def _kept(evidence: Evidence, lifts: dict[int, Event]) -> Iterator[Yielded]:
    """Walk what was lifted: each was put on the list and taken off by the entries that it names; none is missing."""
    with evidence.store.read() as work:
        last_erasure = work.connection.execute(sa.select(sa.func.max(ErasureRow.position))).scalar() or -1
    waiting, after = set(lifts), -1
    while True:
        with evidence.store.read() as work:
            rows = work.run(_PAST_AFTER, after).fetchall()
        if not rows:
            break
        told = events.at(evidence, [row[0] for row in rows])
        for place, kind, blind, since, until, end in rows:
            put, taken = told.get(place), lifts.get(end)
            address = None if bytes(blind) == NAMELESS and end < last_erasure else b64u(bytes(blind))
            says_so = _says(put, "suppress", since) and _says(taken, "lift", until)
            if not says_so or not _is_of(put, kind, address) or not _is_of(taken, kind, address):
                why = f"it counts as left alone from entry {place} to entry {end}, and they do not say so"
                yield Finding(check=KEY, severity=Severity.CRITICAL, subject=f"entry {place}", why=why)
            waiting.discard(end)
        yield Judged(len(rows))
        after = rows[-1][0]
    for end in sorted(waiting):
        why = "it took an address off the list, and that it had been on it is not kept: answers as of then are wrong"
        yield Finding(check=KEY, severity=Severity.CRITICAL, subject=f"entry {end}", why=why)


def _unlisted(evidence: Evidence, lifted: dict[tuple[Any, Any], int]) -> Iterator[Finding]:
    """Walk the ledger: what it put on the list, and took off no more, is on it."""
    waiting: list[tuple[Blind, int]] = []
    for event in _changes(evidence):
        if event.why:
            subject = f"entry {event.position}"
            yield Finding(check=KEY, severity=Severity.CRITICAL, subject=subject, why=f"its payload {event.why}")
        elif event.told.get("act") == "suppress" and lifted.get(_told(event), -1) < event.position:
            waiting.append(((str(event.told["address"]), b64u_bytes(event.told["blind"])), event.position))
        if len(waiting) == _PAGE:
            yield from _missing(evidence, waiting)
            waiting = []
    yield from _missing(evidence, waiting)


def _missing(evidence: Evidence, waiting: Sequence[tuple[Blind, int]]) -> Iterator[Finding]:
    with evidence.store.read() as work:
        there = suppressing.suppressed(work, [address for address, _ in waiting])
    for address, place in waiting:
        if address not in there:
            yield _finding(address, f"entry {place} put it on the list, and it is not on it")


def _permitted(evidence: Evidence) -> Iterator[Finding]:
    """Look for customers with a suppressed address whose row doesn't show it: a check would let them through."""
    same = sa.and_(_row.c.kind == _identity.c.kind, _row.c.blind == _identity.c.blind)
    query = (
        sa.select(_identity.c.customer)
        .distinct()
        .select_from(_row.join(_identity, same).join(_standing, _standing.c.customer == _identity.c.customer))
        .where(_standing.c.states.op("&")(sa.literal(SUPPRESSED)) == 0)
        .order_by(_identity.c.customer)
        .limit(_MOST_NAMED + 1)
    )
    with evidence.store.read() as work:
        found = list(work.connection.execute(query).scalars())
    for customer in found[:_MOST_NAMED]:
        why = "an address of his is suppressed, and his row does not show it: he may be contacted"
        yield Finding(check=KEY, severity=Severity.CRITICAL, subject=customer, why=why)
    if len(found) > _MOST_NAMED:  # one without a subject keeps those that are not named from being taken for resolved
        yield Finding(check=KEY, severity=Severity.CRITICAL, subject="", why="and more such customers")


def _finding(address: Blind, why: str) -> Finding:
    return Finding(check=KEY, severity=Severity.CRITICAL, subject=suppressing.subject_of(address), why=why)
