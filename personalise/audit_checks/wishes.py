"""The check `wishes`: what customers wish, as decisions read it, is what they said last, as the ledger has it.

What was said is sealed under the customer's own key: of whoever was erased only that he said something is left, and
nothing of what he wished may stand. What changes while this check looks is looked at again before it is found.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import sqlalchemy as sa

from consent.audit import events
from consent.audit.events import Event
from consent.audit.findings import Evidence, Finding, Gap, Judged, Severity, Yielded
from consent.base.database import table_of
from consent.base.errors import KeyLost, LedgerBroken
from consent.base.ids import CustomerId
from consent.base.store import Work
from consent.ledger import log
from consent.ledger.entry import Kind
from consent.register import tombstones
from personalise import wishes
from personalise.tables import WishRow
from personalise.wishes import Line, Wishes

KEY: Final = "wishes"
_PAGE: Final = 1_000
"""Customers looked at in one transaction."""

_row: Final = table_of(WishRow)


def kept(evidence: Evidence) -> Iterator[Yielded]:
    """Hold what stands for each customer against the last entry that tells of a change of his."""
    with evidence.store.read() as work:
        size = log.head(work).position
    said: dict[str, Event] = {}
    yield from _read(evidence, said)
    after = ""
    while True:
        with evidence.store.read() as work:
            whose = _next(work, said, after)
            wrong = _judged(evidence, work, whose, said)
        if not whose:
            return
        if wrong:
            yield from _read(evidence, said, since=size)  # he may have changed it since
            with evidence.store.read() as work:
                wrong = _judged(evidence, work, sorted(wrong), said)
        yield from wrong.values()
        yield Judged(len(whose))
        after = whose[-1]


def _read(evidence: Evidence, said: dict[str, Event], *, since: int = 0) -> Iterator[Finding]:
    """Read on whose wishes changed by which entry, the last one of each."""
    for event in events.events(evidence, Kind.WISHES_CHANGED, since=since):
        if event.why:
            yield _finding(f"entry {event.position}", f"its payload {event.why}")
        else:
            said[str(event.told["customer"])] = event


def _next(work: Work, said: Mapping[str, Event], after: str) -> list[CustomerId]:
    """Return the next customers of whom an entry tells, or something stands."""
    query = sa.select(_row.c.customer).where(_row.c.customer > after).distinct().order_by(_row.c.customer)
    there = work.connection.execute(query.limit(_PAGE)).scalars()
    told = sorted(each for each in said if each > after)[:_PAGE]
    return [CustomerId(each) for each in sorted({*there, *told})[:_PAGE]]


def _judged(
    evidence: Evidence, work: Work, whose: Sequence[CustomerId], said: Mapping[str, Event]
) -> dict[CustomerId, Finding | Gap]:
    stands = wishes.rows(work, whose)
    erased = tombstones.of(work, whose) if whose else {}
    found: dict[CustomerId, Finding | Gap] = {}
    for customer in whose:
        lines, event = stands.get(customer, []), said.get(customer)
        if customer in erased or event is None:
            why = "and he was erased" if customer in erased else "and no entry says so"
            if lines:
                found[customer] = _finding(customer, f"{len(lines)} of his wishes stand, {why}")
            continue
        try:
            now = wishes.told(evidence.desk, work, customer, event.told).now
        except (KeyLost, LedgerBroken):
            found[customer] = Gap(check=KEY, why=f"what entry {event.position} says of {customer} does not open")
            continue
        if lines != wishes.as_rows(now):
            found[customer] = _finding(customer, _differs(lines, now, event.position))
    return found


def _differs(lines: Sequence[Line], now: Wishes, position: int) -> str:
    """Say which wishes stand otherwise than an entry says, by channel; "" is his quiet hours."""
    expected = wishes.as_rows(now)
    wrong = sorted({each[0] for each in {*lines} ^ {*expected}})
    names = ", ".join("his quiet hours" if not each else f"his limit for {each}" for each in wrong)
    return f"what stands is not what he said by entry {position}: {names}"


def _finding(subject: str, why: str) -> Finding:
    return Finding(check=KEY, severity=Severity.CRITICAL, subject=subject, why=why)
