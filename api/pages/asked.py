"""PURE: requests by right as people read them: customers in their language, staff in English."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from api.pages import present
from api.pages.words import Words
from consent.rights.asked import Event, Outcome, Request, Right, Step
from consent.rights.asked import Words as Written

Mark = Literal["overdue", "pending", "waiting", "running", "yes", "no", "stopped"]

_MARKS: Final[dict[str, Mark]] = {
    "received": "waiting", "in_hand": "running", "fulfilled": "yes", "partly": "stopped", "refused": "no",
    "withdrawn": "stopped",
}  # fmt: skip
_EVENTS: Final = {
    Event.RECEIVED: "Came in",
    Event.ASSIGNED: "Given to",
    Event.EXTENDED: "Extended to",
    Event.CLOSED: "Closed as",
}
SOON: Final = 7
"""Days before its deadline from which a request is marked as one that presses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mine:
    """A request as its customer reads it."""

    title: str
    mark: Mark
    state: str
    received: str
    due: str
    late: bool
    wish: str
    extension: str
    answer: str
    entries: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A request in a list of the staff's. How it stands is a word and a shape; the colour only repeats them."""

    id: str
    customer: str
    kind: str
    received: str
    due: str
    mark: Mark
    stands: str
    owner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Walked:
    """A step as staff read it."""

    what: str
    when: str
    by: str
    entry: str


def mine(request: Request, steps: Sequence[Step], written: Written, *, at: datetime, said: Words) -> Mine:
    """Return a request for its customer: where it stands, by when he is answered, what was written."""
    late = request.overdue(at)
    key = "overdue" if late else str(request.outcome or request.state)
    return Mine(
        title=said.say("kinds", str(request.kind)),
        mark="overdue" if late else _MARKS[key],
        state=said.say("requests", f"state_{key}"),
        received=said.say("requests", "received", moment=said.moment(request.received_at)),
        due=said.say("requests", "overdue" if late else "due", date=said.date(request.due_at))
        if request.is_open
        else "",
        late=late,
        wish=written.wish,
        extension=written.extension,
        answer=written.answer,
        entries=said.say("requests", "entries", positions=said.listed(said.number(step.position) for step in steps)),
    )


def line(request: Request, *, at: datetime) -> Line:
    """Return a request for a list of the staff's."""
    mark, stands = _stands(request, at)
    return Line(
        id=request.id,
        customer=present.short(request.customer),
        kind=kind(request.kind),
        received=present.day(request.received_at),
        due=present.day(request.due_at),
        mark=mark,
        stands=stands,
        owner=request.owner or "nobody yet",
    )


def kind(right: Right) -> str:
    """Return what is asked for.

    >>> kind(Right.RECTIFICATION)
    'Rectification'
    """
    return str(right).capitalize()


def _stands(request: Request, at: datetime) -> tuple[Mark, str]:
    if not request.is_open:
        outcome = request.outcome or Outcome.WITHDRAWN
        return _MARKS[str(outcome)], _OUTCOMES[outcome]
    left = request.days_left(at)
    if request.overdue(at):
        return "overdue", f"Overdue by {present.counted(-left, 'day')}"
    return ("pending" if left < SOON else "waiting"), f"{present.counted(left, 'day')} left"


_OUTCOMES: Final = {
    Outcome.FULFILLED: "Fulfilled",
    Outcome.PARTLY: "Fulfilled in part",
    Outcome.REFUSED: "Refused",
    Outcome.WITHDRAWN: "Withdrawn",
}


def walked(steps: Iterable[Step]) -> list[Walked]:
    """Return the steps of a request for the staff."""
    return [
        Walked(
            what=f"{_EVENTS[step.event]} {_detail(step)}".strip(),
            when=present.moment(step.at),
            by=step.actor,
            entry=f"entry {step.position:,}",
        )
        for step in steps
    ]


def _detail(step: Step) -> str:
    match step.event:
        case Event.EXTENDED:
            return present.moment(datetime.fromisoformat(step.detail))
        case Event.RECEIVED:
            return f"by {_HOWS.get(step.detail, step.detail)}"
        case Event.CLOSED:
            return _OUTCOMES[Outcome(step.detail)].lower()
        case Event.ASSIGNED:
            return step.detail


_HOWS: Final = {
    "page": "his own page", "program": "a program", "email": "e-mail", "letter": "letter", "phone": "telephone",
    "in_person": "word of mouth",
}  # fmt: skip


def hows() -> list[tuple[str, str]]:
    """Return the ways in which a request can be typed in by staff: key and name."""
    return [(key, name.capitalize()) for key, name in _HOWS.items() if key not in ("page", "program")]


_MEANT: Final = {
    Right.ACCESS: "to see what is kept of him",
    Right.PORTABILITY: "to take it to somebody else",
    Right.RECTIFICATION: "to have it corrected",
    Right.RESTRICTION: "to have it kept and not used",
    Right.OBJECTION: "to object to its use",
    Right.ERASURE: "to be erased",
}


def kinds() -> list[tuple[str, str]]:
    """Return what can be asked for: key and name."""
    return [(str(each), f"{kind(each)}: {meant}") for each, meant in _MEANT.items()]
