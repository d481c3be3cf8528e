"""The one door to customer data.

`check` judges one scope, `permits` a chunk of customers on several; `recall` opens memory for what they permit and
nothing else, and writes the use down; `remember` stores what may be remembered and nothing else. A missing record, an
unknown field, a ledger out of reach: no personal field comes out.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import compress
from typing import Any, Final

import numpy as np
import pyarrow as pa
import sqlalchemy as sa
from numpy.typing import NDArray

from consent import standings, uses
from consent.base.clock import to_ms
from consent.base.database import Hot, table_of
from consent.base.errors import CustomerUnknown, Invalid, NotAllowed, Place
from consent.base.ids import CustomerId, Scope
from consent.base.store import Work
from consent.catalogue.model import Attribute, Catalogue, LegalBasis, ScopeRule
from consent.ledger import log
from consent.permission import many
from consent.permission.standing import from_stored
from consent.permission.verdict import PERMIT, Denial, Permit, Reason, Verdict, customer_reason, judged, stored_reason
from consent.register import history
from consent.register.desk import Desk
from consent.tables import LedgerHeadRow, StandingRow
from consent.uses import Use
from consent.vault import memory

ARROW: Final[Mapping[str, pa.DataType]] = {
    "number": pa.float64(),
    "integer": pa.int64(),
    "boolean": pa.bool_(),
    "text": pa.string(),
    "time": pa.timestamp("ms", tz="UTC"),
}
"""The column type of each attribute type."""

_BIT_OF_NOTHING: Final = 1 << 40
"""A bit beyond all that is ever given: nothing was said of it."""

_row = table_of(StandingRow)
_head = table_of(LedgerHeadRow)
# `ledger_head` has one row, the open log's: joining it costs a lookup, and makes position and catalogue current.
_CHECK: Final = Hot(
    sa.select(_row.c.states, _row.c.paused_until, _row.c.scopes, _head.c.size, _head.c.catalogue_version)
    .select_from(_row.join(_head, sa.true()))
    .where(_row.c.customer == sa.bindparam("customer")),
    "customer",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Permits:
    """What a chunk of customers permits: made by `permits` alone, and the only thing that memory opens to.

    `reasons` has shape (n_customers, n_scopes), `Reason` numbers, 0 for a permit. Each row was judged at the ledger
    position `position`, in the transaction `work`, and holds in that one alone: a later one has to ask again.
    """

    customers: tuple[CustomerId, ...]
    scopes: tuple[Scope, ...]
    reasons: NDArray[np.uint8]
    enrolled: NDArray[np.bool_]
    masks: tuple[bytes, ...]
    position: int
    catalogue: Catalogue
    at: datetime
    work: Work = field(repr=False, compare=False)

    def permitted(self, scope: str) -> NDArray[np.bool_]:
        """Return who permits a scope, shape (n_customers,); nobody, if it wasn't asked for."""
        if scope not in self.scopes:
            return np.zeros(len(self.customers), dtype=np.bool_)
        allowed: NDArray[np.bool_] = self.reasons[:, self.scopes.index(Scope(scope))] == Reason.PERMIT
        return allowed


def check(
    desk: Desk, work: Work, customer: CustomerId, scope: str, *, at: datetime, remembered: bool = False
) -> Verdict:
    """Judge one scope of one customer, as it stands in the database this very moment.

    Args:
        desk: keys and catalogues.
        work: a live reader, or a transaction.
        customer: who.
        scope: what; anything that the catalogue doesn't know is denied.
        at: the instant to judge at.
        remembered: data from memory are to be used, so `remember` must stand too.

    Raises:
        CustomerUnknown: nobody of that id is enrolled.
    """
    row = work.run(_CHECK, customer).fetchone()
    if row is None:
        raise CustomerUnknown
    states, paused_until, scopes, size, version = row
    catalogue = desk.catalogues.version(work, version)
    rule = catalogue.scopes.get(scope)
    at_ms = to_ms(at)
    reason = customer_reason(rule, states, paused_until, at_ms=at_ms) if states or paused_until else PERMIT
    positions: tuple[int, ...] = ()
    if reason is PERMIT:
        if rule is None:
            reason = Reason.UNKNOWN_SCOPE
        else:
            kept = _remember(catalogue, rule) if remembered else None
            reason, positions = stored_reason(scopes, rule, kept, at_ms=at_ms)
    return _verdict(reason, customer, Scope(scope), at, size, positions)


def check_as_of(
    desk: Desk, work: Work, customer: CustomerId, scope: str, *, at: datetime, remembered: bool = False
) -> Verdict:
    """Judge one scope as it stood at a past time: by the entries recorded by then, and the catalogue of then.

    Raises:
        CustomerUnknown: nobody of that id is enrolled.
    """
    standing = history.standing_at(desk, work, customer, at)
    size, version = history.ledger_at(work, at)
    catalogue = desk.catalogues.version(work, version) if version else None
    rule = catalogue.scopes.get(scope) if catalogue else None
    kept = _remember(catalogue, rule) if remembered and catalogue else None
    reason, positions = judged(standing, rule, kept, at)
    return _verdict(reason, customer, Scope(scope), at, size, positions)


def check_all(desk: Desk, work: Work, customer: CustomerId, *, at: datetime, as_of: bool = False) -> list[Verdict]:
    """Judge every scope of the catalogue in force, in the order of presentation.

    Args:
        desk: keys and catalogues.
        work: a transaction.
        customer: who.
        at: the instant to judge at.
        as_of: `at` is past: judge by the entries recorded by then, and the catalogue of then, if there was one.

    Raises:
        CustomerUnknown: nobody of that id is enrolled.
    """
    if as_of:
        standing = history.standing_at(desk, work, customer, at)
        size, version = history.ledger_at(work, at)
    else:
        row = standings.read(work, [customer]).get(customer)
        if row is None:
            raise CustomerUnknown
        standing, newest = from_stored(row), log.head(work)
        size, version = newest.size, newest.catalogue_version
    rules = desk.catalogues.version(work, version).in_order if version else ()
    found = ((rule.scope, *judged(standing, rule, None, at)) for rule in rules)
    return [_verdict(reason, customer, scope, at, size, positions) for scope, reason, positions in found]


def _verdict(
    reason: Reason, customer: CustomerId, scope: Scope, at: datetime, size: int, positions: tuple[int, ...]
) -> Verdict:
    if reason is PERMIT:
        return Permit(customer, scope, at, size, positions)
    return Denial(customer, scope, at, size, positions, reason)


def permits(desk: Desk, work: Work, customers: Sequence[CustomerId], scopes: Iterable[str], *, at: datetime) -> Permits:
    """Judge a chunk of customers on several scopes, with one query.

    A `use` scope is judged for remembered data: it needs `remember` of its category to stand too. Whoever is not
    enrolled permits nothing.
    """
    asked = tuple(dict.fromkeys(Scope(scope) for scope in scopes))
    newest = log.head(work)
    catalogue = desk.catalogues.version(work, newest.catalogue_version)
    rows = standings.read(work, customers)
    nothing = standings.NOBODY
    found = [rows.get(customer, nothing) for customer in customers]
    stacked = many.stacked(
        [row.scopes for row in found], [row.states for row in found], [row.paused_until for row in found]
    )
    rules = [catalogue.scopes.get(scope) for scope in asked]
    reasons = many.reasons(stacked, rules, [_remember(catalogue, rule) for rule in rules], to_ms(at))
    enrolled = np.array([customer in rows for customer in customers], dtype=np.bool_)
    # What needs no asking is permitted of customers, not of whoever is named.
    reasons[~enrolled[:, None] & (reasons == Reason.PERMIT)] = Reason.NO_RECORD
    return Permits(
        customers=tuple(customers),
        scopes=asked,
        reasons=reasons,
        enrolled=enrolled,
        masks=tuple(row.mask for row in found),
        position=newest.size,
        catalogue=catalogue,
        at=at,
        work=work,
    )


def _remember(catalogue: Catalogue, rule: ScopeRule | None) -> ScopeRule | None:
    """Return the rule of remembering what a use would read; where there is none, one that nobody can permit."""
    if rule is None or rule.operation != "use":
        return None
    named = catalogue.scopes.get(f"remember:{rule.target}")
    return named or replace(rule, operation="remember", legal_basis=LegalBasis.CONSENT, bit=_BIT_OF_NOTHING)


def recall(desk: Desk, work: Work, permitted: Permits, *, attributes: Iterable[str], use: Use) -> pa.Table:
    """Open what is remembered and permitted for `use.purpose`, and write the use down.

    Returns:
        One row a customer, in the order of `permitted.customers`: column `customer`, then one column an attribute
        (float64, int64, bool, string or timestamp[ms, UTC]), null wherever the customer doesn't permit the use of its
        category for this purpose, or nothing is remembered. Nothing tells the two apart.

    Raises:
        KeyLost: a sealed record doesn't open.
        NotAllowed: the transaction can't write, so the use couldn't be recorded; or the permits are another's.
    """
    if permitted.work is not work:
        msg = "permits hold in the transaction that asked for them: ask again"
        raise NotAllowed(msg)
    if not work.writing:
        msg = "data are read in a transaction that can record the use"
        raise NotAllowed(msg)
    known = permitted.catalogue.attributes
    wanted = [known[name] for name in dict.fromkeys(attributes) if name in known]
    cells: dict[str, list[Any]] = {item.name: [None] * len(permitted.customers) for item in wanted}
    categories = tuple(sorted({item.category for item in wanted}))
    opened = _open_keys(desk, work, permitted, categories, use.purpose)
    for category in categories:
        inside = [item for item in wanted if item.category == category]
        _fill(work, permitted, opened, category=category, inside=inside, purpose=use.purpose, cells=cells)
    uses.record(work, use, categories=categories, customers=len(opened), position=permitted.position, at=permitted.at)
    columns = {"customer": pa.array(permitted.customers, type=pa.string())}
    columns.update({item.name: pa.array(_of_type(item, cells[item.name]), type=ARROW[item.type]) for item in wanted})
    return pa.table(columns)


def _of_type(attribute: Attribute, values: list[Any]) -> list[Any]:
    """Return the values, unknown where one was remembered while the catalogue gave the attribute another type."""
    if attribute.admits(values):
        return values
    return [value if attribute.admits((value,)) else None for value in values]


def _open_keys(desk: Desk, work: Work, permitted: Permits, categories: Sequence[str], purpose: str) -> dict[str, bytes]:
    anyone = np.zeros(len(permitted.customers), dtype=np.bool_)
    for category in categories:
        anyone |= permitted.permitted(f"use:{category}:{purpose}")
    chosen = [permitted.customers[spot] for spot in np.flatnonzero(anyone)]
    return memory.data_keys(desk.keys, work, chosen) if chosen else {}


def _fill(
    work: Work,
    permitted: Permits,
    opened: Mapping[str, bytes],
    *,
    category: str,
    inside: Sequence[Attribute],
    purpose: str,
    cells: Mapping[str, list[Any]],
) -> None:
    allowed = np.flatnonzero(permitted.permitted(f"use:{category}:{purpose}"))
    rows = {permitted.customers[spot]: spot for spot in allowed}
    if not rows:
        return
    names = [(item.name, cells[item.name]) for item in inside]
    for customer, remembered in memory.get(work, opened, category, list(rows)):
        spot = rows[CustomerId(customer)]
        for name, column in names:
            column[spot] = remembered.get(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What `remember` did: facts stored, facts left out as their customer doesn't allow them, and whose it stored."""

    stored: int
    refused: int
    customers: tuple[CustomerId, ...]


def rememberable(
    desk: Desk, work: Work, customers: Sequence[CustomerId], *, at: datetime
) -> dict[str, NDArray[np.bool_]]:
    """Return by category of whom it may be remembered, shape (n_customers,).

    That is where `remember:<category>` stands and at least one use of it does: what nothing may use isn't kept.
    """
    catalogue = desk.catalogues.current(work)
    used = [rule for rule in catalogue.scopes.values() if rule.operation == "use"]
    asked = [*(f"remember:{key}" for key in catalogue.categories), *(rule.scope for rule in used)]
    found = permits(desk, work, customers, asked, at=at)
    allowed = {key: np.zeros(len(customers), dtype=np.bool_) for key in catalogue.categories}
    for rule in used:
        # A use of remembered data is judged together with `remember`, so any use that stands is enough.
        allowed[rule.target] |= found.permitted(rule.scope)
    return allowed


def remember(
    desk: Desk,
    work: Work,
    facts: Sequence[tuple[CustomerId, Mapping[str, memory.Value]]],
    *,
    at: datetime,
) -> Kept:
    """Store facts of customers, category by category, wherever they are `rememberable`; drop the rest.

    A fact of an attribute that no category declares is dropped too. A category is stored whole: facts already
    remembered in it and not among the new ones are kept.
    """
    whole: dict[CustomerId, dict[str, memory.Value]] = {}
    for customer, attributes in facts:
        whole.setdefault(customer, {}).update(attributes)
    names = dict.fromkeys(name for attributes in whole.values() for name in attributes)
    columns = {name: [attributes.get(name) for attributes in whole.values()] for name in names}
    return remember_columns(desk, work, list(whole), columns, at=at)


def remember_columns(
    desk: Desk,
    work: Work,
    customers: Sequence[CustomerId],
    columns: Mapping[str, Sequence[memory.Value | None]],
    *,
    at: datetime,
) -> Kept:
    """Store facts as `remember` does, from columns.

    Args:
        desk: keys and catalogues.
        work: a transaction that writes.
        customers: (n_customers,), each once.
        columns: a column an attribute, each (n_customers,); None where nothing is known.
        at: the instant at which it is judged.

    Raises:
        Invalid: a fact isn't of its attribute's type. It would spoil the column of everybody recalled beside it.
    """
    known = desk.catalogues.current(work).attributes
    wrong = [name for name, column in columns.items() if name in known and not known[name].admits(column)]
    if wrong:
        raise Invalid(places=[Place(name, f"must be of type {known[name].type}") for name in wrong])
    allowed = rememberable(desk, work, customers, at=at)
    data_keys = memory.data_keys(desk.keys, work, _any_of(customers, allowed))
    stored = 0
    whose: dict[CustomerId, None] = {}
    for category, who in allowed.items():
        names = [name for name in columns if name in known and known[name].category == category]
        facts = _facts(customers, who, {name: columns[name] for name in names})
        stored += sum(map(len, facts.values()))
        whose.update(dict.fromkeys(facts))
        for customer, before in memory.get(work, data_keys, category, list(facts)) if facts else ():
            facts[CustomerId(customer)] = {**before, **facts[CustomerId(customer)]}
        memory.put(work, data_keys, ((customer, category, fact) for customer, fact in facts.items()), to_ms(at))
    told = sum(len(customers) - list(column).count(None) for column in columns.values())
    return Kept(stored=stored, refused=told - stored, customers=tuple(whose))


def _any_of(customers: Sequence[CustomerId], allowed: Mapping[str, NDArray[np.bool_]]) -> list[CustomerId]:
    anyone = np.zeros(len(customers), dtype=np.bool_)
    for who in allowed.values():
        anyone |= who
    return list(compress(customers, anyone))


def _facts(
    customers: Sequence[CustomerId], who: NDArray[np.bool_], columns: Mapping[str, Sequence[memory.Value | None]]
) -> dict[CustomerId, dict[str, memory.Value]]:
    """What is known of those who allow it; who has nothing known is left out."""
    names = tuple(columns)
    rows = zip(customers, *columns.values(), strict=True)
    found = {}
    for customer, *values in compress(rows, who) if names else ():
        facts = {name: value for name, value in zip(names, values, strict=True) if value is not None}
        if facts:
            found[customer] = facts
    return found
