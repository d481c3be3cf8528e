"""Interact: a customer's account of goodwill. Contacts take from it, what he starts and what keeps a word give to it.

Amounts are thousandths of a point, whole numbers; the balance is the sum of the account's entries. Time alone never
raises it.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.dialects import postgresql, sqlite

from consent.base.clock import from_ms, to_ms
from consent.base.database import Hot, among, table_of
from consent.base.ids import CustomerId
from consent.base.store import Work
from personalise.contact_policy.model import THOUSANDTHS, Goodwill
from personalise.tables import GoodwillEntryRow, GoodwillRow

_account = table_of(GoodwillRow)
_entry = table_of(GoodwillEntryRow)


class Entry(StrEnum):
    """What an entry is for."""

    OPENING = "opening"
    CONTACT = "contact"
    CORRECTION = "correction"
    """What a contact had cost that never reached him: given back whole, for it should not have been taken."""
    IGNORED = "ignored"
    OPT_OUT = "opt_out"
    COMPLAINT = "complaint"
    ANSWER = "answer"
    PURCHASE = "purchase"
    PROMISE_KEPT = "promise_kept"
    THANKS = "thanks"


CREDITS: Final = frozenset({Entry.ANSWER, Entry.PURCHASE, Entry.PROMISE_KEPT, Entry.THANKS})
"""What the customer starts, or what keeps a word: nothing else gives goodwill. A correction undoes a charge."""


class Posting(NamedTuple):
    """What is to be booked: `amount` in thousandths, below 0 where it takes; `reference` is a decision, mostly."""

    customer: CustomerId
    kind: Entry
    amount: int
    reference: str


class Line(NamedTuple):
    """A line of an account, as the customer sees it: amount and balance after it in thousandths."""

    at: datetime
    kind: Entry
    amount: int
    balance: int
    reference: str


def _put(dialect: str) -> sa.Executable:
    insert: Any = (postgresql if dialect == "postgresql" else sqlite).insert(_account)
    changed = {name: insert.excluded[name] for name in ("balance", "entries")}
    made: sa.Executable = insert.on_conflict_do_update(index_elements=["customer"], set_=changed)
    return made


_STANDS: Final = Hot(
    lambda dialect: sa.select(_account.c.customer, _account.c.balance, _account.c.entries).where(
        among(_account.c.customer, "customers")(dialect)
    ),
    "customers",
)
_BOOKED: Final = Hot(
    lambda dialect: sa.select(_entry.c.customer, _entry.c.reference).where(
        among(_entry.c.customer, "customers")(dialect), _entry.c.kind == sa.bindparam("kind")
    ),
    "customers",
    "kind",
)
_OPENED: Final = Hot(
    lambda dialect: sa.select(_entry.c.customer, _entry.c.amount).where(
        among(_entry.c.customer, "customers")(dialect), _entry.c.number == sa.literal_column("0")
    ),
    "customers",
)
_PUT: Final = Hot(_put, "customer", "balance", "entries")
_ADD: Final = Hot(sa.insert(_entry), "customer", "number", "at", "kind", "amount", "reference")


def opening(terms: Goodwill) -> int:
    """Return what an account opens with."""
    return round(terms.opening * THOUSANDTHS)


def _stands(work: Work, customers: Iterable[CustomerId]) -> dict[str, tuple[int, int]]:
    rows = work.run(_STANDS, work.listed(customers)).fetchall()
    return {customer: (balance, entries) for customer, balance, entries in rows}


def balances(work: Work, customers: Sequence[CustomerId], terms: Goodwill) -> NDArray[np.int64]:
    """Return each customer's balance, shape (n_customers,); the opening one of whom nothing was booked for."""
    stands = _stands(work, customers)
    plain = (opening(terms), 0)
    return np.array([stands.get(customer, plain)[0] for customer in customers], dtype=np.int64)


def book(work: Work, postings: Sequence[Posting], terms: Goodwill, *, at: datetime) -> None:
    """Book postings, in order, with the customers locked by the caller.

    A credit lifts the balance to what the account opened with at most: what is beyond isn't booked. A complaint takes
    it to zero, whatever its amount. An account opens with its first posting.
    """
    if not postings:
        return
    start, at_ms = opening(terms), to_ms(at)
    stands = _stands(work, {each.customer for each in postings})
    credited = {each.customer for each in postings if each.kind in CREDITS and each.customer in stands}
    most = dict(work.run(_OPENED, work.listed(credited)).fetchall()) if credited else {}
    lines: list[tuple[str, int, int, str, int, str]] = []
    for each in postings:
        if each.customer not in stands:
            lines.append((each.customer, 0, at_ms, Entry.OPENING, start, ""))
            stands[each.customer] = (start, 1)
        balance, number = stands[each.customer]
        amount = _amount(each, balance, most.get(each.customer, start))
        lines.append((each.customer, number, at_ms, each.kind, amount, each.reference))
        stands[each.customer] = (balance + amount, number + 1)
    work.run_many(_ADD, lines)
    work.run_many(_PUT, [(customer, *stands[customer]) for customer in dict.fromkeys(line[0] for line in lines)])


def correct(work: Work, charges: Iterable[tuple[CustomerId, str, int]], *, at: datetime) -> None:
    """Take back what contacts were charged, (customer, decision, thousandths), with the customers locked by the caller.

    The account then is as if nothing had been taken for them: no credit, so the opening balance doesn't bound it.
    """
    back = [Posting(customer, Entry.CORRECTION, charge, decision) for customer, decision, charge in charges if charge]
    book(work, back, Goodwill(), at=at)  # the account is open: something was charged to it


def priced(terms: Goodwill, kind: Entry) -> int:
    """Return what an entry of a kind takes (below 0) or gives, in thousandths; 0 where the contact policy says nothing.

    A complaint takes whatever there is; what a contact costs depends on its channel, and on the contacts before it.
    """
    if kind in CREDITS:
        return round(terms.credits.get(kind, 0) * THOUSANDTHS)
    taken = {Entry.IGNORED: terms.ignored, Entry.OPT_OUT: terms.opt_out}
    return -round(taken.get(kind, 0) * THOUSANDTHS)


def booked(work: Work, customers: Iterable[CustomerId], kind: Entry) -> set[tuple[str, str]]:
    """Return for what entries of a kind were booked: customer, and reference."""
    rows = work.run(_BOOKED, work.listed(list(customers)), kind).fetchall()
    return {(customer, reference) for customer, reference in rows}


def taken(work: Work, customer: CustomerId, reference: str, kind: Entry) -> int:
    """Return what entries of a kind took from a customer with a reference, in thousandths."""
    same = sa.and_(_entry.c.customer == customer, _entry.c.reference == reference, _entry.c.kind == kind)
    found = work.connection.execute(sa.select(sa.func.sum(_entry.c.amount)).where(same)).scalar()
    return -int(found or 0)


def _amount(posting: Posting, balance: int, most: int) -> int:
    if posting.kind is Entry.COMPLAINT:
        return -max(balance, 0)
    if posting.kind in CREDITS:
        return max(0, min(posting.amount, most - balance))
    return posting.amount


def account(work: Work, customer: CustomerId) -> list[Line]:
    """Return a customer's account, the first line first; nothing, where nothing was booked."""
    query = sa.select(_entry).where(_entry.c.customer == customer).order_by(_entry.c.number)
    lines: list[Line] = []
    balance = 0
    for row in work.connection.execute(query):
        balance += row.amount
        at = row.at if isinstance(row.at, datetime) else from_ms(row.at)
        lines.append(Line(at, Entry(row.kind), row.amount, balance, row.reference))
    return lines
