"""The check `requests`: what customers asked for by right is answered in time, and none of it has vanished."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from consent.audit import events, times
from consent.audit.checks import written
from consent.audit.events import Event
from consent.audit.findings import Evidence, Finding, Judged, Severity, Yielded
from consent.base.clock import parse_time, rfc3339
from consent.base.database import table_of
from consent.ledger.entry import Kind
from consent.rights import asked
from consent.rights.asked import Request
from consent.rights.tables import RightsRequestRow, RightsStepRow

KEY: Final = "requests"
_AT_ONCE: Final = 500
_row: Final = table_of(RightsRequestRow)
_step: Final = table_of(RightsStepRow)


def requests(evidence: Evidence) -> Iterator[Yielded]:
    """Hold every request and its steps against what the ledger says of them, and its deadline against the time.

    The deadline that counts is the one in the ledger: a row whose date was moved is named, and judged by what stood
    there before. What was written about a request is kept under its customer's key, and is what was written then.
    """
    last: dict[str, Event] = {}
    known: dict[str, _Known] = {}
    page: list[Event] = []
    for event in events.events(evidence, Kind.REQUEST_NOTED):
        if event.why:
            yield _finding(Severity.CRITICAL, f"entry {event.position}", f"its payload {event.why}")
            continue
        number = str(event.told.get("request"))
        last[number] = event
        known[number] = known.get(number, _Known()).and_then(event)
        page.append(event)
        if len(page) == _AT_ONCE:
            yield from _steps(evidence, page)
            page = []
    yield from _steps(evidence, page)
    yield from _made_up(evidence)
    with evidence.store.read() as work:
        rows = {row.id: asked.of_row(row) for row in work.connection.execute(sa.select(_row))}
    for number in sorted(rows.keys() | last.keys()):
        if number not in rows:
            why = f"entry {last[number].position} tells of it, and it is not there"
            yield _finding(Severity.CRITICAL, number, why)
        elif number not in last:
            yield _finding(Severity.CRITICAL, number, "no entry tells of it")
        else:
            yield from _judged(evidence, rows[number], last[number], known[number])
    spoken = {number: each.said for number, each in known.items() if each.said}
    for number, why in written.otherwise(evidence, spoken):
        yield _finding(Severity.CRITICAL, number, why)
    yield Judged(len(rows))


class _Known(NamedTuple):
    """What a request's steps made of it, besides what each tells anew."""

    how: str = ""
    owner: str = ""
    outcome: str = ""
    said: tuple[Event, ...] = ()
    """The steps with which something was written."""
    extended: Event | None = None
    closed: Event | None = None

    def and_then(self, event: Event) -> "_Known":
        """Return what one more step makes of it."""
        detail = str(event.told.get("detail", ""))
        known = self._replace(said=(*self.said, event)) if event.told.get("said") else self
        match event.told.get("event"):
            case asked.Event.RECEIVED:
                return known._replace(how=detail)
            case asked.Event.ASSIGNED:
                return known._replace(owner=detail)
            case asked.Event.EXTENDED:
                return known._replace(extended=event)
            case asked.Event.CLOSED:
                return known._replace(outcome=detail, closed=event)
            case _:
                return known


def _judged(evidence: Evidence, request: Request, event: Event, known: _Known) -> Iterator[Finding]:
    different = [*_differences(request, event.told), *_stepped(request, known)]
    if different:
        why = f"its {', '.join(different)} is not what entry {event.position} says"
        yield _finding(Severity.CRITICAL, request.id, why)
    due_at = parse_time(event.told["due_at"])
    if event.told["event"] != asked.Event.CLOSED and due_at < evidence.at:
        whose = f"{request.owner}'s to answer" if request.owner else "nobody's to answer"
        why = f"{request.kind} was asked for, an answer was owed by {rfc3339(due_at)}, and it is {whose}"
        yield _finding(Severity.HIGH, request.id, why)


def _steps(evidence: Evidence, page: Sequence[Event]) -> Iterator[Finding]:
    """Look for the step of each entry; where its whole request is gone, that is said elsewhere."""
    there = sorted({str(event.told.get("request")) for event in page})
    with evidence.store.read() as work:
        known = set(work.connection.execute(sa.select(_row.c.id).where(_row.c.id.in_(there))).scalars())
        query = sa.select(_step).where(_step.c.position.in_([event.position for event in page]))
        steps = {(row.request, row.number, row.position): row for row in work.connection.execute(query)}
    for event in page:
        request, number = str(event.told.get("request")), event.told.get("step")
        row = steps.get((request, number, event.position))
        if request in known and row is None:
            why = f"entry {event.position} tells of its step {number}, and no such row of rights_step is there"
            yield _finding(Severity.CRITICAL, request, why)
        elif row is not None:
            said = {name: event.told.get(name) for name in ("event", "detail", "actor")}
            wrong = [name for name, value in said.items() if value != getattr(row, name)]
            wrong += ["time"] if times.differs(row.at, event) else []
            if wrong:
                why = f"the {', '.join(wrong)} of its step {number} is not what entry {event.position} says"
                yield _finding(Severity.CRITICAL, request, why)


def _made_up(evidence: Evidence) -> Iterator[Finding]:
    """Look for steps that no entry tells of."""
    after = ("", 0)
    while True:
        with evidence.store.read() as work:
            behind = sa.tuple_(_step.c.request, _step.c.number) > sa.tuple_(*map(sa.literal, after))
            query = sa.select(_step).where(behind).order_by(_step.c.request, _step.c.number).limit(_AT_ONCE)
            rows = work.connection.execute(query).all()
        if not rows:
            return
        told = events.at(evidence, [row.position for row in rows])
        for row in rows:
            event = told.get(row.position)
            if event is not None and event.why:
                continue  # named with its entry
            if event is None or (event.told.get("request"), event.told.get("step")) != (row.request, row.number):
                why = f"its step {row.number} names entry {row.position}, which does not tell of it"
                yield _finding(Severity.CRITICAL, row.request, why)
        after = (rows[-1].request, rows[-1].number)


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


def _stepped(request: Request, known: _Known) -> Iterator[str]:
    """Walk what of a request is not what its steps made of it."""
    for name, told in (("how", known.how), ("owner", known.owner), ("outcome", known.outcome)):
        if str(getattr(request, name) or "") != told:
            yield name
    for name, at, event in (
        ("extension", request.extended_at, known.extended), ("closing date", request.closed_at, known.closed)
    ):  # fmt: skip
        if (at is None) != (event is None) or (event is not None and times.differs(at, event)):
            yield name


def _finding(severity: Severity, subject: str, why: str) -> Finding:
    return Finding(check=KEY, severity=severity, subject=subject, why=why)
