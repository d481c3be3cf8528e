"""What is known of one customer, section by section, as rows of plain values: what an export and a file are made of.

Rows have their keys in a fixed order, and every claim has the ledger position that it stands on. Long sections are read
a part at a time, each in a short transaction: they take the same memory however long they are, and who reads slowly
keeps no writer waiting. All of them tell what was recorded by one instant, `by`, and nothing that came later.
"""

import hashlib
import heapq
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final, TypeAlias

import sqlalchemy as sa

from consent.base.canonical import b64
from consent.base.clock import rfc3339, to_ms
from consent.base.database import table_of
from consent.base.ids import CustomerId
from consent.base.store import Store
from consent.catalogue import terms
from consent.catalogue.model import Catalogue
from consent.permission.verdict import Permit, Verdict
from consent.register import history, households, mergers
from consent.register.desk import Desk
from consent.register.history import Said
from consent.rights import asked
from consent.rights.asked import Event, Request, Step
from consent.rights.looking import Remembered
from consent.tables import DataUseRow, IdentityRow

PAGE: Final = 500
"""Rows read in one transaction."""

Row: TypeAlias = Mapping[str, Any]
Rows: TypeAlias = Callable[[CustomerId, datetime], Iterator[Row]]
"""From a customer and an instant to what was known of him by then."""

_use: Final = table_of(DataUseRow)
_identity: Final = table_of(IdentityRow)


def _nothing(_customer: CustomerId, _by: datetime) -> Iterator[Row]:
    return iter(())


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """What other floors hold of customers. Consent knows of none of them: whoever puts floors together gives it."""

    decisions: Rows = _nothing
    contacts: Rows = _nothing
    outcomes: Rows = _nothing
    goodwill: Rows = _nothing
    commitments: Rows = _nothing
    wishes: Rows = _nothing

    def sections(self, ids: Sequence[CustomerId], by: datetime) -> Iterator[tuple[str, Iterator[Row]]]:
        """Walk what they hold of all ids of a customer: the name of each section, and its rows."""
        for held in fields(self):
            yield held.name, of_all(ids, getattr(self, held.name), by)


def all_ids(store: Store, customer: CustomerId) -> tuple[CustomerId, ...]:
    """Return all ids of a customer: what was done under one that he gave up is his all the same."""
    with store.read() as work:
        return mergers.all_of(work, customer)


def of_all(ids: Sequence[CustomerId], rows: Rows, by: datetime, *, order: str = "at") -> Iterator[Row]:
    """Walk the rows of all ids of a customer as one list; a row under an id that was given up says so."""
    now, *given_up = ids
    walks = [rows(now, by), *(_under(one, rows(one, by)) for one in given_up)]
    return heapq.merge(*walks, key=lambda row: row[order])


def _under(customer: CustomerId, rows: Iterable[Row]) -> Iterator[Row]:
    return ({**row, "under": customer} for row in rows)


def identities(store: Store, customer: CustomerId) -> list[Row]:
    """Return how a customer is recognised: the kinds of his names and addresses. Only keyed hashes of them are kept."""
    query = sa.select(_identity.c.kind, sa.func.count()).where(_identity.c.customer == customer)
    with store.read() as work:
        found = work.connection.execute(query.group_by(_identity.c.kind).order_by(_identity.c.kind)).all()
    return [{"kind": kind, "count": count} for kind, count in found]


def stays(store: Store, ids: Sequence[CustomerId], by: datetime) -> Iterator[Row]:
    """Walk from when until when a customer was in some household, as was known by an instant.

    What it is called, nobody knows; and who else was in it is theirs.
    """
    return of_all(ids, lambda one, until: _stays(store, one, until), by)


def _stays(store: Store, customer: CustomerId, by: datetime) -> Iterator[Row]:
    with store.read() as work:
        found = households.dated(work, customer)
    for stay in (each for each in found if each.since <= by):
        yield {"at": rfc3339(stay.since), "until": rfc3339(stay.until) if stay.until and stay.until <= by else ""}


def remembered(found: Iterable[Remembered]) -> list[Row]:
    """Return what was opened under a look."""
    return [
        {
            "category": one.kept.category,
            "title": one.kept.title,
            "origin": one.kept.origin,
            "special": one.kept.special,
            "remembered_at": rfc3339(one.kept.remembered_at),
            "facts": [{"name": name, "value": value} for name, value in sorted(one.attributes.items())],
        }
        for one in found
    ]


def permissions(verdicts: Iterable[Verdict], catalogue: Catalogue) -> list[Row]:
    """Return what stands, scope by scope in the order of presentation, with all that the catalogue says of it."""
    rows: list[Row] = []
    for verdict in verdicts:
        rule = catalogue.scopes[verdict.scope]
        purpose = catalogue.purposes.get(rule.purpose)
        rows.append(
            {
                "scope": verdict.scope,
                "permit": isinstance(verdict, Permit),
                "reason": verdict.reason.name,
                "operation": rule.operation,
                "target": rule.target,
                "target_title": _title(catalogue, rule.operation, rule.target),
                "purpose": rule.purpose,
                "purpose_title": purpose.title if purpose else "",
                "legal_basis": str(rule.legal_basis),
                "benefit": rule.benefit,
                "kept_for": rule.retention.written() if rule.retention else "",
                "positions": list(verdict.positions),
            }
        )
    return rows


class Told:
    """What a customer said, walked once: his statements, and after them the wordings shown and where receipts are.

    Opening a statement is what takes time, so what the later sections tell is noted on the way: each wording once, and
    of each statement eight bytes.
    """

    def __init__(self, store: Store, desk: Desk, customer: CustomerId, by: datetime, *, named: bool) -> None:
        """Nothing is read yet. Who of the staff wrote statements down is told where they are to be `named`."""
        self._store, self._desk, self._customer, self._by, self._named = store, desk, customer, by, named
        self._notices: dict[tuple[str, int, str], Row] = {}
        self._positions = array("q")

    def statements(self) -> Iterator[Row]:
        """Walk the statements, in the order of the ledger; each has its receipt, by its position.

        Raises:
            LedgerBroken: a payload doesn't open, or is not the one its entry commits to.
        """
        for said, catalogue in said_by(self._store, self._desk, self._customer, self._by):
            shown = said.statement
            told = terms.told(catalogue, shown.scopes, shown.notices, shown.language)["scopes"]
            self._note(said, [each["notice"] for each in told if "notice" in each])
            yield {
                "position": said.seq,
                "recorded_at": rfc3339(said.at),
                "by": said.actor if self._named else _kind(said.actor),
                **{name: value for name, value in _ordered(shown.record()).items() if name != "notices"},
                "notices": [{"scope": each["scope"], **_named(each["notice"])} for each in told if "notice" in each],
                "catalogue": said.catalogue_version,
                "leaf_hash": b64(said.leaf),
                **({"under": shown.customer} if shown.customer != self._customer else {}),
            }

    def _note(self, said: Said, notices: Iterable[Mapping[str, Any]]) -> None:
        self._positions.append(said.seq)
        for notice in notices:
            key = (notice["key"], notice["version"], notice["language"])
            if key not in self._notices:
                self._notices[key] = {**_named(notice), "text": notice["text"], "position": said.seq}

    def notices(self) -> Iterator[Row]:
        """Walk the wordings that the statements walked so far were said to, word for word, each once.

        `position` is the entry of the statement that he first said to it.
        """
        yield from self._notices.values()

    def receipts(self) -> Iterator[Row]:
        """Walk the positions of which there is a receipt: those of the statements walked so far."""
        return ({"position": position} for position in self._positions)


def said_by(store: Store, desk: Desk, customer: CustomerId, by: datetime) -> Iterator[tuple[Said, Catalogue]]:
    """Walk a customer's statements, those under ids that he gave up too, with the catalogue each was recorded under."""
    walks = [_said_by(store, desk, one, by) for one in all_ids(store, customer)]
    return heapq.merge(*walks, key=lambda found: found[0].seq)


def _said_by(store: Store, desk: Desk, customer: CustomerId, by: datetime) -> Iterator[tuple[Said, Catalogue]]:
    after: int | None = None
    while True:
        with store.read() as work:
            page = history.after(desk, work, customer, after, PAGE)
            found = [(said, desk.catalogues.version(work, said.catalogue_version)) for said in page]
        yield from ((said, catalogue) for said, catalogue in found if said.at <= by)
        if len(page) < PAGE or page[-1].at > by:
            return
        after = page[-1].seq


def uses(store: Store, customer: CustomerId, by: datetime, *, named: bool) -> Iterator[Row]:
    """Walk who used a customer's data and why, the first first; what a run used is told with its decisions.

    `judged_at` is where the ledger stood, `position` the entry that tells of what was done, if there is one. Unless
    members of staff are to be `named`, they are told as staff: who of them it was, the company knows.

    Source:
        Court of Justice of the EU, C-579/21 (22 June 2023): who in the company looked is no part of access, unless it
        is needed to judge whether it was lawful.
    """
    for each in _uses(store, all_ids(store, customer), by):
        yield {
            "at": rfc3339(each.at),
            "by": each.actor if named else _kind(each.actor),
            "purpose": each.purpose,
            "categories": [name for name in each.categories.split(",") if name],
            "reason": each.reason,
            "decision": each.decision,
            "recipient": each.recipient,
            "judged_at": each.position,
            "position": each.noted if each.noted >= 0 else None,
        }


def _uses(store: Store, ids: Sequence[CustomerId], by: datetime) -> Iterator[Any]:
    after = (-1, "")
    while True:
        place = sa.tuple_(_use.c.at, _use.c.id)
        query = sa.select(_use).where(
            _use.c.customer.in_(ids), _use.c.at <= by, place > sa.tuple_(*map(sa.literal, after))
        )
        with store.read() as work:
            found = work.connection.execute(query.order_by(_use.c.at, _use.c.id).limit(PAGE)).all()
        yield from found
        if len(found) < PAGE:
            return
        after = (to_ms(found[-1].at), found[-1].id)


def requests(store: Store, desk: Desk, customer: CustomerId, by: datetime, *, named: bool) -> Iterator[Row]:
    """Walk a customer's requests as they stood at an instant, with what was written, each step and its entry.

    Who of the staff had them in hand is told where members of staff are to be `named`.
    """
    with store.read() as work:
        found = [
            (one, asked.words(desk, work, one), [step for step in asked.steps(work, one.id) if step.at <= by])
            for one in asked.of_customer(work, customer)
        ]
    for one, words, steps in found:
        if steps:
            stood = as_of(one, steps)
            yield {
                **(stood if named else {name: value for name, value in stood.items() if name != "owner"}),
                "wish": words.wish,
                "extension": words.extension if _has(steps, Event.EXTENDED) else "",
                "answer": words.answer if _has(steps, Event.CLOSED) else "",
                "steps": [_step(each, named=named) for each in steps],
            }


def _step(step: Step, *, named: bool) -> dict[str, Any]:
    detail = step.detail if named or step.event is not Event.ASSIGNED else ""
    return {"at": rfc3339(step.at), "event": str(step.event), "detail": detail, "position": step.position}


def as_of(request: Request, steps: Iterable[Step]) -> dict[str, Any]:
    """Return a request as some of its first steps left it.

    Args:
        request: as it stands now.
        steps: its first ones, in order; at least one.
    """
    owner = outcome = closed_at = ""
    due_at = asked.due_at_first(request)
    for step in steps:
        match step.event:
            case Event.ASSIGNED:
                owner = step.detail
            case Event.EXTENDED:
                due_at = step.detail
            case Event.CLOSED:
                outcome, closed_at = step.detail, rfc3339(step.at)
            case Event.RECEIVED:
                pass
    return {
        "request": request.id,
        "kind": str(request.kind),
        "how": str(request.how),
        "received_at": rfc3339(request.received_at),
        "due_at": due_at,
        "state": "closed" if outcome else "in_hand" if owner else "received",
        "owner": owner,
        "outcome": outcome,
        "closed_at": closed_at,
    }


def _kind(actor: str) -> str:
    """Return what an actor is, without his name.

    >>> _kind("staff:anna"), _kind("customer")
    ('staff', 'customer')
    """
    return actor.partition(":")[0]


def _has(steps: Iterable[Step], event: Event) -> bool:
    return any(step.event is event for step in steps)


_FIRST: Final = ("act", "said_at", "method", "scopes")


def _ordered(said: Mapping[str, Any]) -> dict[str, Any]:
    """Return a statement's record, what everybody asks first coming first."""
    return {name: said[name] for name in (*_FIRST, *sorted(said.keys() - set(_FIRST))) if name in said}


def _named(notice: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "notice": notice["key"],
        "version": notice["version"],
        "language": notice["language"],
        "sha256": hashlib.sha256(notice["text"].encode()).hexdigest(),
    }


def _title(catalogue: Catalogue, operation: str, target: str) -> str:
    match operation:
        case "contact":
            return catalogue.channels[target].title
        case "share":
            return catalogue.recipients[target].title
        case _:
            return catalogue.categories[target].title
