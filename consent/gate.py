"""The one door to customer data.

`check` judges one scope, `permits` a chunk of customers on several; `recall` opens memory for what they permit and
nothing else, and writes the use down; `remember` stores what may be remembered and nothing else. A missing record, an
unknown field, a ledger out of reach: no personal field comes out.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
import pyarrow as pa
import sqlalchemy as sa
from numpy.typing import NDArray

from consent import standings, uses
from consent.base.clock import to_ms
from consent.base.database import Hot
from consent.base.errors import CustomerUnknown, NotAllowed
from consent.base.ids import CustomerId, Scope
from consent.base.store import Work
from consent.catalogue.model import ASKED, Attribute, Catalogue, ScopeRule
from consent.ledger import log
from consent.permission import many
from consent.permission.standing import from_stored
from consent.permission.verdict import Denial, Permit, Reason, Verdict, customer_reason, judged, stored_reason
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

_row = StandingRow.__table__
_head = LedgerHeadRow.__table__
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
    position `position`. `remembered` says whether remembered data were asked for (then `remember` had to stand too).
    """

    customers: tuple[CustomerId, ...]
    scopes: tuple[Scope, ...]
    reasons: NDArray[np.uint8]
    enrolled: NDArray[np.bool_]
    masks: tuple[bytes, ...]
    position: int
    catalogue: Catalogue
    at: datetime

    def permitted(self, scope: str) -> NDArray[np.bool_]:
        """Return who permits a scope, shape (n_customers,); nobody, if it wasn't asked for."""
        if scope not in self.scopes:
            return np.zeros(len(self.customers), dtype=np.bool_)
        allowed: NDArray[np.bool_] = self.reasons[:, self.scopes.index(Scope(scope))] == Reason.PERMIT
        return allowed


def check(desk: Desk, work: Work, customer: CustomerId, scope: str, *, at: datetime, remembered: bool = False) -> Verdict:
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
    rules = desk.catalogues.version(work, version).scopes
    rule = rules.get(scope)
    at_ms = to_ms(at)
    reason = customer_reason(rule, states, paused_until, at_ms=at_ms) if states or paused_until else Reason.PERMIT
    positions: tuple[int, ...] = ()
    if reason is Reason.PERMIT:
        if rule is None:
            reason = Reason.UNKNOWN_SCOPE
        else:
            kept = rules.get(f"remember:{rule.target}") if remembered and rule.operation == "use" else None
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
    if reason is Reason.PERMIT:
        return Permit(customer=customer, scope=scope, at=at, position=size, positions=positions)
    return Denial(customer=customer, scope=scope, at=at, position=size, positions=positions, reason=reason)


def permits(
    desk: Desk, work: Work, customers: Sequence[CustomerId], scopes: Iterable[str], *, at: datetime
) -> Permits:
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
    return Permits(
        customers=tuple(customers),
        scopes=asked,
        reasons=reasons,
        enrolled=np.array([customer in rows for customer in customers], dtype=np.bool_),
        masks=tuple(row.mask for row in found),
        position=newest.size,
        catalogue=catalogue,
        at=at,
    )


def _remember(catalogue: Catalogue, rule: ScopeRule | None) -> ScopeRule | None:
    return catalogue.scopes.get(f"remember:{rule.target}") if rule and rule.operation == "use" else None


def recall(desk: Desk, work: Work, permitted: Permits, *, attributes: Iterable[str], use: Use) -> pa.Table:
    """Open what is remembered and permitted for `use.purpose`, and write the use down.

    Returns:
        One row a customer, in the order of `permitted.customers`: column `customer`, then one column an attribute
        (float64, int64, bool, string or timestamp[ms, UTC]), null wherever the customer doesn't permit the use of its
        category for this purpose, or nothing is remembered. Nothing tells the two apart.

    Raises:
        KeyLost: a sealed record doesn't open.
        NotAllowed: the transaction can't write, so the use couldn't be recorded.
    """
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
    uses.record(
        work, use, categories=categories, customers=len(opened), position=permitted.position, at=permitted.at
    )
    columns = {"customer": pa.array(permitted.customers, type=pa.string())}
    columns.update({item.name: pa.array(cells[item.name], type=ARROW[item.type]) for item in wanted})
    return pa.table(columns)


def _open_keys(
    desk: Desk, work: Work, permitted: Permits, categories: Sequence[str], purpose: str
) -> dict[str, bytes]:
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
    customers = list(dict.fromkeys(customer for customer, _ in facts))
    allowed = {
        key: {customers[spot] for spot in np.flatnonzero(who)}
        for key, who in rememberable(desk, work, customers, at=at).items()
    }
    categories = {item.name: item.category for item in desk.catalogues.current(work).attributes.values()}
    sorted_out: dict[tuple[CustomerId, str], dict[str, memory.Value]] = {}
    stored = refused = 0
    for customer, attributes in facts:
        for name, value in attributes.items():
            category = categories.get(name)
            if category is None or customer not in allowed[category]:
                refused += 1
                continue
            sorted_out.setdefault((customer, category), {})[name] = value
            stored += 1
    whose = tuple(dict.fromkeys(customer for customer, _ in sorted_out))
    data_keys = memory.data_keys(desk.keys, work, whose)
    _merge_known(work, data_keys, sorted_out)
    rows = [(customer, category, facts) for (customer, category), facts in sorted_out.items()]
    memory.put(work, data_keys, rows, to_ms(at))
    return Kept(stored=stored, refused=refused, customers=whose)


def _merge_known(
    work: Work,
    data_keys: Mapping[str, bytes],
    sorted_out: dict[tuple[CustomerId, str], dict[str, memory.Value]],
) -> None:
    by_category: dict[str, list[CustomerId]] = {}
    for customer, category in sorted_out:
        by_category.setdefault(category, []).append(customer)
    for category, customers in by_category.items():
        for customer, known in memory.get(work, data_keys, category, customers):
            new = sorted_out[CustomerId(customer), category]
            for name, value in known.items():
                new.setdefault(name, value)
