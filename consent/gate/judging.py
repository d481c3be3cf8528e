"""What is permitted: one scope of one customer at once, all of his, or a chunk of customers on several."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from consent import standings
from consent.base.clock import to_ms
from consent.base.database import Hot, among, table_of
from consent.base.errors import CustomerUnknown, KeyLost, NotAllowed
from consent.base.ids import CustomerId, Scope
from consent.base.store import Work
from consent.catalogue.model import Catalogue, LegalBasis, ScopeRule
from consent.gate import citing
from consent.ledger import log
from consent.ledger.log import position_in
from consent.permission import many
from consent.permission.standing import RESTRICTED, from_stored, scope_at
from consent.permission.verdict import (
    PERMIT,
    Denial,
    Missing,
    Permit,
    Reason,
    Verdict,
    customer_reason,
    judged,
    scope_reason,
    stored_reason,
)
from consent.register import history, mergers
from consent.register.desk import Desk
from consent.tables import LedgerHeadRow, StandingRow

_BIT_OF_NOTHING: Final = 1 << 40
"""A bit beyond all that is ever given: nothing was said of it."""

_row = table_of(StandingRow)
_head = table_of(LedgerHeadRow)
# `ledger_head` has one row, the open log's: joining it costs a lookup, and makes position and catalogue current.
_STANDS: Final = sa.select(
    _row.c.customer,
    _row.c.states,
    _row.c.paused_until,
    _row.c.scopes,
    _row.c.born_by,
    _row.c.gpc,
    position_in(_head, "size"),
    _head.c.catalogue_version,
).select_from(_row.join(_head, sa.true()))
_CHECK: Final = Hot(_STANDS.where(_row.c.customer == sa.bindparam("customer")), "customer")
_CHECK_EACH: Final = Hot(lambda dialect: _STANDS.where(among(_row.c.customer, "customers")(dialect)), "customers")


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
    keys: dict[str, bytes | KeyLost] = field(default_factory=dict, repr=False, compare=False)
    """The data keys that `recall` has unwrapped so far, for whoever needs them again in the transaction."""

    def require(self, work: Work) -> None:
        """Require to be asked in the transaction that they hold in.

        Raises:
            NotAllowed: it is another.
        """
        if self.work is not work:
            msg = "permits hold in the transaction that asked for them: ask again"
            raise NotAllowed(msg)

    def permitted(self, scope: str) -> NDArray[np.bool_]:
        """Return who permits a scope, shape (n_customers,); nobody, if it wasn't asked for."""
        if scope not in self.scopes:
            return np.zeros(len(self.customers), dtype=np.bool_)
        allowed: NDArray[np.bool_] = self.reasons[:, self.scopes.index(Scope(scope))] == Reason.PERMIT
        return allowed


def check(
    desk: Desk,
    work: Work,
    customer: CustomerId,
    scope: str,
    *, at: datetime, remembered: bool = False, gpc: bool = False,
) -> Verdict:  # fmt: skip
    """Judge one scope of one customer, as it stands in the database this very moment.

    Args:
        desk: keys and catalogues.
        work: a live reader, or a transaction.
        customer: who; an id that was given up goes on as the one it was joined with.
        scope: what; anything that the catalogue doesn't know is denied.
        at: the instant to judge at.
        remembered: data from memory are to be used, so `remember` must stand too.
        gpc: the browser of this moment opts out (Sec-GPC: 1), whether or not it ever was recorded.

    Raises:
        CustomerUnknown: nobody of that id is enrolled.
    """
    row = work.first(_CHECK, customer)
    if row is None:
        raise CustomerUnknown
    return _judged(desk, work, row, scope, at=at, at_ms=to_ms(at), remembered=remembered, gpc=gpc)


def check_each(
    desk: Desk, work: Work, asked: Sequence[tuple[CustomerId, str, bool]], *, at: datetime, gpc: bool = False
) -> list[Verdict | None]:
    """Judge one scope of each of many customers, as they all stand at one moment; None for whom nobody knows.

    Args:
        desk: keys and catalogues.
        work: a live reader, or a transaction.
        asked: who, what, and whether data from memory are to be used, as `check` takes them.
        at: the instant to judge at.
        gpc: the browser of this moment opts out.
    """
    rows = work.first_of_each(_CHECK, _CHECK_EACH, {who for who, _, _ in asked})
    at_ms = to_ms(at)
    return [
        _judged(desk, work, rows[who], scope, at=at, at_ms=at_ms, remembered=remembered, gpc=gpc)
        if who in rows
        else None
        for who, scope, remembered in asked
    ]


def _judged(
    desk: Desk, work: Work, row: tuple[Any, ...], scope: str, *, at: datetime, at_ms: int, remembered: bool, gpc: bool
) -> Verdict:
    """Judge one scope by a row as `_STANDS` reads it."""
    customer, states, paused_until, scopes, born_by, opted_out, position, version = row
    if states & RESTRICTED and (now := mergers.surviving(work, customer)) != customer:
        return check(desk, work, now, scope, at=at, remembered=remembered, gpc=gpc)
    catalogue = desk.catalogues.version(work, version)
    rule = catalogue.scopes.get(scope)
    reason = customer_reason(rule, states, paused_until, at_ms=at_ms) if states or paused_until else PERMIT
    if rule is None or reason is not PERMIT:
        cited = citing.behind(desk, work, customer, reason, at=at) if reason in citing.WHOLE else ()
        return _verdict(reason or Reason.UNKNOWN_SCOPE, customer, Scope(scope), at, position, cited)
    kept = _remember(catalogue, rule) if remembered else None
    reason, cited = stored_reason(scopes, rule, kept, at_ms=at_ms, born_by=born_by, gpc=opted_out, signal=gpc)
    cited = citing.behind(desk, work, customer, reason, at=at) if reason is Reason.MINOR else cited
    verdict = _verdict(reason, customer, Scope(scope), at, position, cited)
    if kept is None or reason is not Reason.REMEMBER_MISSING:
        return verdict
    stands, signalled = scope_at(scopes, kept.bit), gpc or opted_out > 0
    return _lacking(verdict, kept, scope_reason(kept, stands, at_ms=at_ms, born_by=born_by, opted_out=signalled))


def check_as_of(
    desk: Desk,
    work: Work,
    customer: CustomerId,
    scope: str,
    *,
    at: datetime,
    remembered: bool = False,
    gpc: bool = False,
) -> Verdict:
    """Judge one scope as it stood at a past time: by the entries recorded by then, and the catalogue of then.

    Raises:
        CustomerUnknown: nobody of that id is enrolled.
    """
    customer = mergers.surviving(work, customer, as_of=at)
    standing = history.standing_at(desk, work, customer, at)
    position, version = history.ledger_at(work, at)
    catalogue = desk.catalogues.version(work, version) if version else None
    rule = catalogue.scopes.get(scope) if catalogue else None
    kept = _remember(catalogue, rule) if remembered and catalogue else None
    reason, positions = judged(standing, rule, kept, at, signal=gpc)
    if reason in citing.WHOLE:
        positions = citing.behind(desk, work, customer, reason, at=at)
    verdict = _verdict(reason, customer, Scope(scope), at, position, positions)
    if kept is None or reason is not Reason.REMEMBER_MISSING:
        return verdict
    return _lacking(verdict, kept, judged(standing, kept, None, at, signal=gpc)[0])


def check_all(
    desk: Desk, work: Work, customer: CustomerId, *, at: datetime, as_of: bool = False, gpc: bool = False
) -> list[Verdict]:
    """Judge every scope of the catalogue in force, in the order of presentation.

    Args:
        desk: keys and catalogues.
        work: a transaction.
        customer: who.
        at: the instant to judge at.
        as_of: `at` is past: judge by the entries recorded by then, and the catalogue of then, if there was one.
        gpc: the browser of this moment opts out.

    Raises:
        CustomerUnknown: nobody of that id is enrolled.
    """
    customer = mergers.surviving(work, customer, as_of=at if as_of else None)
    if as_of:
        standing = history.standing_at(desk, work, customer, at)
        position, version = history.ledger_at(work, at)
    else:
        row = standings.read(work, [customer]).get(customer)
        if row is None:
            raise CustomerUnknown
        standing, newest = from_stored(row), log.head(work)
        position, version = newest.position, newest.catalogue_version
    rules = desk.catalogues.version(work, version).in_order if version else ()
    found = [(rule.scope, *judged(standing, rule, None, at, signal=gpc)) for rule in rules]
    whole = {
        reason: citing.behind(desk, work, customer, reason, at=at)
        for reason in {reason for _, reason, _ in found} & citing.WHOLE
    }
    return [
        _verdict(reason, customer, scope, at, position, whole.get(reason, positions))
        for scope, reason, positions in found
    ]


def _verdict(
    reason: Reason, customer: CustomerId, scope: Scope, at: datetime, position: int, positions: tuple[int, ...]
) -> Verdict:
    if reason is PERMIT:
        return Permit(customer, scope, at, position, positions)
    return Denial(customer, scope, at, position, positions, reason)


def _lacking(verdict: Verdict, kept: ScopeRule, why: Reason) -> Verdict:
    """Return a denial with what is missing of remembering."""
    return verdict._replace(missing=Missing(kept.scope, why)) if isinstance(verdict, Denial) else verdict


def permits(
    desk: Desk,
    work: Work,
    customers: Sequence[CustomerId],
    scopes: Iterable[str],
    *,
    at: datetime,
    gpc: bool = False,
) -> Permits:
    """Judge a chunk of customers on several scopes, with one query.

    A `use` scope is judged for remembered data: it needs `remember` of its category to stand too. Whoever is not
    enrolled permits nothing, nor does an id that was given up when two records were joined. `gpc` says that the
    browser of this moment opts out (Sec-GPC: 1).
    """
    asked = tuple(dict.fromkeys(Scope(scope) for scope in scopes))
    newest = log.head(work)
    catalogue = desk.catalogues.version(work, newest.catalogue_version)
    rows, known = standings.asked(work, customers)
    stands = many.stacked(rows.scopes, rows.states, rows.paused_until, born_by=rows.born_by, gpc=rows.gpc)
    rules = [catalogue.scopes.get(scope) for scope in asked]
    remembers = [_remember(catalogue, rule) for rule in rules]
    reasons = many.reasons(stands, rules, remembers, to_ms(at), signal=gpc)
    enrolled = np.array(known, dtype=np.bool_)
    # What needs no asking is permitted of customers, not of whoever is named.
    reasons[~enrolled[:, None] & (reasons == Reason.PERMIT)] = Reason.NO_RECORD
    return Permits(
        customers=customers if isinstance(customers, tuple) else tuple(customers),
        scopes=asked,
        reasons=reasons,
        enrolled=enrolled,
        masks=tuple(rows.mask),
        position=newest.position,
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
