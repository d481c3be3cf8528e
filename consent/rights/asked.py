"""What customers ask for by right: a request, its steps, and the lists of them."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import orjson
import sqlalchemy as sa

from consent.base.clock import rfc3339, to_ms
from consent.base.database import table_of
from consent.base.errors import Place, RequestInvalid, RightsRequestUnknown
from consent.base.ids import CustomerId, is_id
from consent.base.store import Work
from consent.register import mergers
from consent.register.desk import Desk
from consent.rights import deadlines
from consent.rights.tables import RightsRequestRow, RightsStepRow
from consent.tables import DataKeyRow
from consent.vault import seal

PREFIX: Final = "rgt"
USE: Final = "rights_request/v1"
_STAMP: Final = 14
"""Digits of the time in a cursor: milliseconds until the year 5138."""

ROWS: Final = table_of(RightsRequestRow)
STEPS: Final = table_of(RightsStepRow)


class Right(StrEnum):
    """What is asked for (GDPR Art. 15, 20, 16, 18, 21, 17)."""

    ACCESS = "access"
    PORTABILITY = "portability"
    RECTIFICATION = "rectification"
    RESTRICTION = "restriction"
    OBJECTION = "objection"
    ERASURE = "erasure"


class How(StrEnum):
    """How a request came in."""

    PAGE = "page"
    PROGRAM = "program"
    EMAIL = "email"
    LETTER = "letter"
    PHONE = "phone"
    IN_PERSON = "in_person"


class State(StrEnum):
    """Where a request stands."""

    RECEIVED = "received"
    """Nobody has taken it on."""
    IN_HAND = "in_hand"
    CLOSED = "closed"


class Outcome(StrEnum):
    """How a request ended."""

    FULFILLED = "fulfilled"
    PARTLY = "partly"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    """By the customer."""


class Event(StrEnum):
    """A step of a request."""

    RECEIVED = "received"
    ASSIGNED = "assigned"
    EXTENDED = "extended"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request, as it stands."""

    id: str
    customer: CustomerId
    kind: Right
    how: How
    received_at: datetime
    due_at: datetime
    extended_at: datetime | None
    owner: str
    state: State
    closed_at: datetime | None
    outcome: Outcome | None
    steps: int

    @property
    def is_open(self) -> bool:
        """Whether an answer is still owed."""
        return self.state is not State.CLOSED

    def overdue(self, at: datetime) -> bool:
        """Say whether an answer is owed and the deadline has passed."""
        return self.is_open and deadlines.is_overdue(self.due_at, at)

    def days_left(self, at: datetime) -> int:
        """Return the whole days until the deadline, below zero once it has passed."""
        return deadlines.days_left(self.due_at, at)

    def as_json(self, at: datetime) -> dict[str, Any]:
        """Return the request as the faces show it at an instant, times as times."""
        return {
            "request": self.id,
            "customer": self.customer,
            "kind": str(self.kind),
            "how": str(self.how),
            "received_at": self.received_at,
            "due_at": self.due_at,
            "days_left": self.days_left(at) if self.is_open else None,
            "overdue": self.overdue(at),
            "extended_at": self.extended_at,
            "state": str(self.state),
            "owner": self.owner or None,
            "outcome": str(self.outcome) if self.outcome else None,
            "closed_at": self.closed_at,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a request, and the ledger position of the entry that tells of it.

    `detail` is the owner it was given to, the new deadline, or the outcome; never anybody's own words.
    """

    number: int
    at: datetime
    event: Event
    detail: str
    actor: str
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What was written about a request: by the customer, and to him. Sealed under his key; gone with it."""

    wish: str = ""
    extension: str = ""
    answer: str = ""

    def sealed(self, data_key: bytes, customer: str, request: str) -> bytes:
        """Return the words sealed; nothing, where there are none."""
        said = {name: getattr(self, name) for name in self.__slots__ if getattr(self, name)}
        return seal.seal(data_key, USE, orjson.dumps(said), bound=_bound(customer, request)) if said else b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Which requests are asked for; what is left empty chooses nothing."""

    state: State | None = None
    kind: Right | None = None
    owner: str = ""
    customer: str = ""
    still_open: bool = False
    overdue_at: datetime | None = None
    """Only those that are owed and whose deadline had passed by then."""


def find(work: Work, request: str) -> Request:
    """Return one request.

    Raises:
        RightsRequestUnknown: there is none of this id.
    """
    row = work.connection.execute(sa.select(ROWS).where(ROWS.c.id == request)).first()
    if row is None:
        raise unknown(request)
    return of_row(row)


def unknown(request: str) -> RightsRequestUnknown:
    """Return the error of a request that isn't there."""
    return RightsRequestUnknown(f"{request[:80]!r}: `byleave request list` names those there are")


def listed(work: Work, chosen: Chosen, *, cursor: str = "", most: int = 100) -> tuple[list[Request], str]:
    """Return requests in the order of their deadlines, and the cursor of what follows ("" where nothing does).

    Raises:
        RequestInvalid: the cursor is none that was given out.
    """
    query = sa.select(ROWS).where(*_conditions(chosen))
    if cursor:
        due_ms, number = read_cursor(cursor)
        query = query.where(sa.tuple_(ROWS.c.due_at, ROWS.c.id) > sa.tuple_(sa.literal(due_ms), sa.literal(number)))
    rows = work.connection.execute(query.order_by(ROWS.c.due_at, ROWS.c.id).limit(most + 1)).all()
    found = [of_row(row) for row in rows[:most]]
    return found, cursor_of(found[-1]) if len(rows) > most else ""


def of_customer(work: Work, customer: CustomerId) -> list[Request]:
    """Return a customer's requests, those under ids that he gave up too, in the order in which they came in."""
    query = sa.select(ROWS).where(ROWS.c.customer.in_(mergers.all_of(work, customer)))
    return [of_row(row) for row in work.connection.execute(query.order_by(ROWS.c.received_at, ROWS.c.id))]


def overdue(work: Work, *, at: datetime, cursor: str = "", most: int = 1_000) -> tuple[list[Request], str]:
    """Return the requests to which an answer is owed and whose deadline has passed, the longest ago first.

    The one place where that is judged: pages, lists and the audit ask here.
    """
    return listed(work, Chosen(overdue_at=at), cursor=cursor, most=most)


def counts(work: Work, *, at: datetime) -> tuple[int, int]:
    """Return how many requests are open, and how many of these are overdue."""
    late = sa.func.coalesce(sa.func.sum(sa.case((ROWS.c.due_at < at, 1), else_=0)), 0)
    query = sa.select(sa.func.count(), late).where(ROWS.c.state != State.CLOSED.value)
    open_, overdue_ = work.connection.execute(query).one()
    return int(open_), int(overdue_)


def steps(work: Work, request: str) -> list[Step]:
    """Return the steps of a request, the first one first."""
    query = sa.select(STEPS).where(STEPS.c.request == request).order_by(STEPS.c.number)
    return [step_of(row) for row in work.connection.execute(query)]


def step_of(row: Any) -> Step:  # noqa: ANN401 -- a row of the table
    """Return the step of a row."""
    return Step(
        number=row.number,
        at=row.at,
        event=Event(row.event),
        detail=row.detail,
        actor=row.actor,
        position=row.position,
    )


def words(desk: Desk, work: Work, request: Request) -> Words:
    """Return what was written about a request; nothing, once its customer is erased.

    Raises:
        KeyLost: it doesn't open for this customer and this request.
    """
    query = sa.select(ROWS.c.words, DataKeyRow.owner).outerjoin(DataKeyRow, DataKeyRow.owner == ROWS.c.customer)
    row = work.connection.execute(query.where(ROWS.c.id == request.id)).one()
    if not row.words or row.owner is None:
        return Words()
    return opened(desk.data_key(work, request.customer), bytes(row.words), request.customer, request.id)


def opened(data_key: bytes, sealed: bytes, customer: str, request: str) -> Words:
    """Return words that `Words.sealed` made; none, of nothing.

    Raises:
        KeyLost: they don't open.
    """
    if not sealed:
        return Words()
    return Words(**orjson.loads(seal.unseal(data_key, USE, sealed, bound=_bound(customer, request))))


def due_at_first(request: Request) -> str:
    """Return by when a request had to be answered when it came in."""
    return rfc3339(deadlines.due(request.received_at))


def of_row(row: Any) -> Request:  # noqa: ANN401 -- a row of the table
    """Return the request of a row."""
    return Request(
        id=row.id,
        customer=CustomerId(row.customer),
        kind=Right(row.kind),
        how=How(row.how),
        received_at=row.received_at,
        due_at=row.due_at,
        extended_at=row.extended_at,
        owner=row.owner,
        state=State(row.state),
        closed_at=row.closed_at,
        outcome=Outcome(row.outcome) if row.outcome else None,
        steps=row.steps,
    )


def _conditions(chosen: Chosen) -> list[sa.ColumnElement[bool]]:
    exact = (("state", chosen.state), ("kind", chosen.kind), ("owner", chosen.owner), ("customer", chosen.customer))
    conditions: list[sa.ColumnElement[bool]] = [ROWS.c[name] == str(value) for name, value in exact if value]
    if chosen.still_open or chosen.overdue_at is not None:
        conditions.append(ROWS.c.state != State.CLOSED.value)
    if chosen.overdue_at is not None:
        conditions.append(ROWS.c.due_at < chosen.overdue_at)
    return conditions


def order(one: Request) -> tuple[int, str]:
    """Return where a request stands in lists: by its deadline."""
    return to_ms(one.due_at), one.id


def cursor_of(last: Request) -> str:
    """Return the cursor of what follows a request."""
    stamp, number = order(last)
    return f"{stamp:0{_STAMP}}.{number}"


def read_cursor(cursor: str) -> tuple[int, str]:
    """Return behind which place a list goes on.

    Raises:
        RequestInvalid: the cursor is none that was given out.
    """
    stamp, _, number = cursor.partition(".")
    if len(stamp) != _STAMP or not (stamp.isascii() and stamp.isdigit()) or not is_id(number, PREFIX):
        raise RequestInvalid(places=[Place("?cursor", "is none that was given out")])
    return int(stamp), number


def _bound(customer: str, request: str) -> str:
    return f"byleave/rights_request/v1\x00{customer}\x00{request}"
