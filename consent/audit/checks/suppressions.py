"""The check `suppressions`: an address is left alone because the ledger says so, and wherever it says so."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import sqlalchemy as sa

from consent.audit import events
from consent.audit.events import Event
from consent.audit.findings import Evidence, Finding, Judged, Severity, Yielded
from consent.base.canonical import b64u, b64u_bytes
from consent.base.database import Hot, table_of
from consent.ledger.entry import Kind
from consent.permission.standing import SUPPRESSED
from consent.register import suppressing
from consent.register.suppressing import Blind
from consent.register.tables import SuppressionRow
from consent.tables import IdentityRow, StandingRow

KEY: Final = "suppressions"
_PAGE: Final = 1_000
_MOST_NAMED: Final = 100

_row: Final = table_of(SuppressionRow)
_identity: Final = table_of(IdentityRow)
_standing: Final = table_of(StandingRow)
_AFTER: Final = Hot(
    sa.select(_row.c.kind, _row.c.blind, _row.c.position)
    .where(sa.tuple_(_row.c.kind, _row.c.blind) > sa.tuple_(sa.bindparam("kind"), sa.bindparam("blind")))
    .order_by(_row.c.kind, _row.c.blind)
    .limit(sa.literal_column(str(_PAGE))),
    "kind",
    "blind",
)


def suppressions(evidence: Evidence) -> Iterator[Yielded]:
    """Hold the list of suppressed addresses against the entries that tell of them, and customers against the list.

    An address taken off the list behind the ledger's back would be contacted again; a customer whose row doesn't show
    that an address of his is on it would be as well.
    """
    lifted = {_told(event): event.position for event in _changes(evidence) if event.told.get("act") == "lift"}
    yield from _listed(evidence, lifted)
    yield from _unlisted(evidence, lifted)
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
            rows = [(kind, bytes(blind), place) for kind, blind, place in work.run(_AFTER, *after).fetchall()]
        if not rows:
            return
        told = events.at(evidence, [place for _, _, place in rows])
        for kind, blind, place in rows:
            event, address = told.get(place), (kind, b64u(blind))
            if event is None or event.why or event.told.get("act") != "suppress" or _told(event) != address:
                yield _finding((kind, blind), f"it is on the list, and entry {place} does not say so")
            elif lifted.get(address, -1) > place:
                yield _finding((kind, blind), f"it is on the list, and entry {lifted[address]} took it off")
        yield Judged(len(rows))
        after = rows[-1][:2]


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
