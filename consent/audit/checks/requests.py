"""The check `requests`: what customers asked for by right is answered in time, and none of it has vanished."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import sqlalchemy as sa

from consent.audit import events
from consent.audit.events import Event
from consent.audit.findings import Evidence, Finding, Judged, Severity, Yielded
from consent.base.clock import parse_time, rfc3339
from consent.base.database import table_of
from consent.ledger.entry import Kind
from consent.rights import asked
from consent.rights.asked import Request
from consent.rights.tables import RightsRequestRow

KEY: Final = "requests"
_row: Final = table_of(RightsRequestRow)


def requests(evidence: Evidence) -> Iterator[Yielded]:
    """Hold every request against the last that the ledger says of it, and its deadline against the time.

    The deadline that counts is the one in the ledger: a row whose date was moved is named, and judged by what stood
    there before.
    """
    last: dict[str, Event] = {}
    for event in events.events(evidence, Kind.REQUEST_NOTED):
        if event.why:
            yield _finding(Severity.CRITICAL, f"entry {event.position}", f"its payload {event.why}")
        else:
            last[str(event.told.get("request"))] = event
    with evidence.store.read() as work:
        rows = {row.id: asked.of_row(row) for row in work.connection.execute(sa.select(_row))}
    for number in sorted(rows.keys() | last.keys()):
        if number not in rows:
            why = f"entry {last[number].position} tells of it, and it is not there"
            yield _finding(Severity.CRITICAL, number, why)
        elif number not in last:
            yield _finding(Severity.CRITICAL, number, "no entry tells of it")
        else:
            yield from _judged(evidence, rows[number], last[number])
    yield Judged(len(rows))


def _judged(evidence: Evidence, request: Request, event: Event) -> Iterator[Finding]:
    different = _differences(request, event.told)
    if different:
        why = f"its {', '.join(different)} is not what entry {event.position} says"
        yield _finding(Severity.CRITICAL, request.id, why)
    due_at = parse_time(event.told["due_at"])
    if event.told["event"] != asked.Event.CLOSED and due_at < evidence.at:
        whose = f"{request.owner}'s to answer" if request.owner else "nobody's to answer"
        why = f"{request.kind} was asked for, an answer was owed by {rfc3339(due_at)}, and it is {whose}"
        yield _finding(Severity.HIGH, request.id, why)


def _differences(request: Request, told: Mapping[str, Any]) -> list[str]:
    """Say in what a request differs from the last step that the ledger has of it."""
    there = {
        "customer": request.customer,
        "due_at": rfc3339(request.due_at),
        "kind": str(request.kind),
        "received_at": rfc3339(request.received_at),
        "step": request.steps,
    }
    different = [name.replace("_at", " date") for name, value in there.items() if told.get(name) != value]
    closed = told.get("event") == asked.Event.CLOSED
    return [*different, "state"] if request.is_open == closed else different


def _finding(severity: Severity, subject: str, why: str) -> Finding:
    return Finding(check=KEY, severity=severity, subject=subject, why=why)
