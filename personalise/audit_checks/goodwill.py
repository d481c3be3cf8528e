"""The check `goodwill`: accounts add up, and what contacts cost stands in them, unless they never reached anybody."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from consent.audit.findings import Evidence, Finding, Judged, Severity, Yielded
from consent.base.database import table_of
from consent.base.store import Work
from personalise.goodwill import CREDITS, Entry
from personalise.history import GHOST
from personalise.steps.interact.states import ENDED
from personalise.tables import ContactRow, GoodwillEntryRow, GoodwillRow

KEY: Final = "goodwill"
_PAGE: Final = 2_000
"""Accounts looked at in one transaction."""

_MAY_REPEAT: Final = (Entry.OPENING, Entry.OPT_OUT)
"""One contact can be followed by the end of several channels, or of one twice."""

_KINDS: Final = frozenset(map(str, Entry))

_account, _entry, _contact = table_of(GoodwillRow), table_of(GoodwillEntryRow), table_of(ContactRow)


class _Charge(NamedTuple):
    """What a contact cost, and what of that is owed back because it never reached its customer."""

    cost: int = 0
    back: int = 0


def goodwill(evidence: Evidence) -> Iterator[Yielded]:
    """Add every account up, and hold its entries against the contacts that they are for."""
    after = ""
    while True:
        with evidence.store.read() as work:
            whose = _next(work, after)
            found = [
                Finding(check=KEY, severity=Severity.HIGH, subject=customer, why=why)
                for customer, why in (_judged(work, whose) if whose else ())
            ]
        if not whose:
            return
        yield from found
        yield Judged(len(whose))
        after = whose[-1]


def _next(work: Work, after: str) -> list[str]:
    """Return the next customers who have an account, an entry of one, or a contact that cost something."""
    asked = [sa.select(table.c.customer).where(table.c.customer > after) for table in (_account, _entry)]
    asked.append(sa.select(_contact.c.customer).where(_contact.c.customer > after, _contact.c.charge != 0))
    every = sa.union(*asked).subquery()
    query = sa.select(every.c.customer).order_by(every.c.customer).limit(_PAGE)
    return list(work.connection.execute(query).scalars())


def _inside(table: sa.Table, whose: Sequence[str]) -> sa.ColumnElement[bool]:
    return sa.and_(table.c.customer >= whose[0], table.c.customer <= whose[-1])


def _judged(work: Work, whose: Sequence[str]) -> Iterator[tuple[str, str]]:
    query = sa.select(_account).where(_inside(_account, whose))
    accounts = {row.customer: row for row in work.connection.execute(query)}
    query = sa.select(_entry).where(_inside(_entry, whose)).order_by(_entry.c.customer, _entry.c.number)
    entries = {one: list(rows) for one, rows in groupby(work.connection.execute(query), key=attrgetter("customer"))}
    query = sa.select(_contact.c.customer, _contact.c.decision, _contact.c.charge, _contact.c.status).where(
        _inside(_contact, whose), _contact.c.charge != 0, _contact.c.status != GHOST
    )
    charged: dict[str, dict[str, _Charge]] = {}
    for row in work.connection.execute(query):
        back = row.charge if row.status in ENDED else 0
        charged.setdefault(row.customer, {})[row.decision] = _Charge(row.charge, back)
    waited = _waited(work, whose, entries)
    for customer in whose:
        lines = entries.get(customer, [])
        ignored = [_Ignored(each, waited.get((customer, each.reference)), _undone(each, lines))
                   for each in lines if each.kind == Entry.IGNORED]  # fmt: skip
        yield from ((customer, why) for why in _wrong(accounts.get(customer), lines, _owed(charged, customer, ignored)))
        yield from ((customer, why) for why in (*_unknown(lines), *_twice(lines), *filter(None, map(_unfit, ignored))))


class _Ignored(NamedTuple):
    """An entry that a contact was ignored, the contact if its time was up, and whether it was undone since."""

    entry: Any
    contact: Any
    undone: bool


def _undone(entry: Any, lines: Sequence[Any]) -> bool:  # noqa: ANN401 -- a row of goodwill_entry
    """Say whether it was found out later that the contact had never reached him, and all was given back."""
    back = (each for each in lines if each.kind == Entry.CORRECTION and each.reference == entry.reference)
    return any(each.number > entry.number for each in back)


def _waited(work: Work, whose: Sequence[str], entries: Mapping[str, Sequence[Any]]) -> dict[tuple[str, str], Any]:
    """Return the contacts of which nothing more is waited for, of whoever ignored one, by customer and decision."""
    booked = {customer for customer, lines in entries.items() if any(each.kind == Entry.IGNORED for each in lines)}
    names = ("customer", "decision", "status", "expires_at", "claimed_at")
    query = sa.select(*(_contact.c[name] for name in names)).where(
        _inside(_contact, whose), _contact.c.waited_until.is_not(None), _contact.c.status != GHOST
    )
    rows = work.connection.execute(query) if booked else ()
    return {(row.customer, row.decision): row for row in rows if row.customer in booked}


def _unfit(ignored: _Ignored) -> str:
    """Say why a contact can't count as ignored; "" where it can."""
    told, contact = f"{ignored.entry.reference} counts as ignored", ignored.contact
    if contact is None:
        return f"{told}, and is no contact whose time was up"
    if contact.expires_at is not None and contact.claimed_at is None:
        return f"{told}, and nobody was ever handed it to send"
    if contact.status in ENDED and not ignored.undone:
        return f"{told}, and never reached him: it is {contact.status}"
    return ""


def _owed(
    charged: Mapping[str, Mapping[str, _Charge]], customer: str, ignored: Sequence[_Ignored]
) -> Mapping[str, _Charge]:
    """Return what contacts cost, and what is owed back: with what it took that one was ignored, if that was undone."""
    owed = dict(charged.get(customer, {}))
    for each in ignored:
        if each.undone:
            cost, back = owed.get(each.entry.reference, _Charge())
            owed[each.entry.reference] = _Charge(cost, back - each.entry.amount)
    return owed


def _unknown(entries: Sequence[Any]) -> Iterator[str]:
    """Walk what was booked as something that nothing is booked as."""
    for each in entries:
        if each.kind not in _KINDS:
            yield f"entry {each.number} is of no kind that there is: {each.kind[:40]!r}"


def _twice(entries: Sequence[Any]) -> Iterator[str]:
    """Walk what was booked more than once for one reason."""
    once = Counter((e.kind, e.reference) for e in entries if e.reference and e.kind not in _MAY_REPEAT)
    for (kind, reference), count in sorted(once.items()):
        if count > 1:
            yield f"{kind} was booked {count} times for {reference}"


def _wrong(account: Any, entries: Sequence[Any], charged: Mapping[str, _Charge]) -> Iterator[str]:  # noqa: ANN401 -- a row or none
    total = sum(entry.amount for entry in entries)
    stands = (account.balance, account.entries) if account else (0, 0)
    if stands != (total, len(entries)):
        yield f"the account says {stands[0]} in {stands[1]} entries, and its entries are {len(entries)}, {total} in all"
    if [entry.number for entry in entries] != list(range(len(entries))):
        yield "entries are missing, or stand twice"
    balance = opening = entries[0].amount if entries else 0
    for entry in entries[1:]:
        balance += entry.amount
        if entry.kind in CREDITS and entry.amount > 0 and balance > opening:
            yield f"entry {entry.number} lifted it to {balance}, above the {opening} it opened with"
    taken = {entry.reference: -entry.amount for entry in entries if entry.kind == Entry.CONTACT}
    given = {entry.reference: entry.amount for entry in entries if entry.kind == Entry.CORRECTION}
    for decision in sorted(charged.keys() | taken.keys() | given.keys()):
        cost, back = charged.get(decision, _Charge())
        if cost != taken.get(decision, 0):
            yield f"{decision} cost {cost}, and {taken.get(decision, 0)} was taken for it"
        if back != given.get(decision, 0):
            yield f"{back} is owed back for {decision}, and {given.get(decision, 0)} was given back for it"
