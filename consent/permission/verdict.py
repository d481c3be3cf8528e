"""Permit or denial, with exactly one reason: the first that holds, in the order of `Reason`."""

from collections.abc import Mapping
from datetime import datetime
from enum import IntEnum
from typing import Final, NamedTuple

from consent.base.clock import from_ms, to_ms
from consent.base.ids import CustomerId, Scope
from consent.catalogue.model import ASKED, SERVICE, LegalBasis, ScopeRule
from consent.permission.standing import (
    ERASED,
    FOREVER,
    GUARDIAN,
    OVER_GPC,
    PENDING,
    RESTRICTED,
    SUPPRESSED,
    ScopeStanding,
    Standing,
    Status,
    birth_limit,
    scope_at,
)


class Reason(IntEnum):
    """Why not, in the order in which reasons are looked for. The numbers are stored in decisions: append only."""

    PERMIT = 0
    CUSTOMER_ERASED = 1
    SUPPRESSED = 2
    RESTRICTED = 3
    PAUSED = 4
    UNKNOWN_SCOPE = 5
    MINOR = 6
    OBJECTED = 7
    WITHDRAWN = 8
    REFUSED = 9
    GPC = 10
    NOTICE_STALE = 11
    EXPIRED = 12
    PENDING_CONFIRMATION = 13
    REQUESTED = 14
    NO_RECORD = 15
    REMEMBER_MISSING = 16


PERMIT: Final = Reason.PERMIT
"""At hand for the checks: finding a member by its name costs more than comparing with it."""

MAY_BE_ASKED: Final = frozenset(
    {Reason.NOTICE_STALE, Reason.EXPIRED, Reason.PENDING_CONFIRMATION, Reason.NO_RECORD, Reason.REMEMBER_MISSING}
)
"""Denials that an answer could change and where asking is decent; after any other the customer is left alone."""


# Verdicts are named tuples: each check makes one, and making a frozen dataclass is a sixth of what a check takes.


class Permit(NamedTuple):
    """Proof that a use was allowed: of whom, what, when, and by which ledger entries. Only the gate gives one."""

    customer: CustomerId
    scope: Scope
    at: datetime
    position: int
    """The ledger's size when this was judged."""
    positions: tuple[int, ...]
    """The entries that decided it; none where the catalogue alone permits."""

    @property
    def reason(self) -> Reason:
        """`Reason.PERMIT`."""
        return Reason.PERMIT


class Missing(NamedTuple):
    """What is missing behind `REMEMBER_MISSING`: the scope of remembering, and the reason against it."""

    scope: Scope
    reason: Reason


class Denial(NamedTuple):
    """A refusal: the first reason that held, and the ledger entries behind it."""

    customer: CustomerId
    scope: Scope
    at: datetime
    position: int
    positions: tuple[int, ...]
    reason: Reason
    missing: Missing | None = None
    """Where the reason is `REMEMBER_MISSING`: what of remembering is."""

    @property
    def may_be_asked(self) -> bool:
        """Whether the customer may be asked; otherwise he is to be left alone."""
        return self.reason in MAY_BE_ASKED and (self.missing is None or self.missing.reason in MAY_BE_ASKED)

    @property
    def to_ask(self) -> Scope:
        """The scope whose answer would change it: of remembering, where only that is missing."""
        return self.missing.scope if self.missing else self.scope


Verdict = Permit | Denial

_BY_STATUS: Final[Mapping[Status, Reason]] = {
    Status.UNKNOWN: Reason.NO_RECORD,
    Status.REQUESTED: Reason.REQUESTED,
    Status.REFUSED: Reason.REFUSED,
    Status.GIVEN: Reason.PERMIT,
    Status.RENEWED: Reason.PERMIT,
    Status.WITHDRAWN: Reason.WITHDRAWN,
    Status.EXPIRED: Reason.EXPIRED,
    Status.OBJECTED: Reason.OBJECTED,
    Status.INVALIDATED: Reason.NO_RECORD,
}
_NO: Final = frozenset({Status.OBJECTED, Status.WITHDRAWN, Status.REFUSED, Status.INVALIDATED})
_SAID_NO: Final = frozenset({Reason.OBJECTED, Reason.WITHDRAWN, Reason.REFUSED})


def status_reason(basis: LegalBasis, status: Status) -> Reason:
    """Return the reason that a status alone gives on a legal basis.

    A service basis isn't the customer's to withdraw; a legitimate interest ends with any "no", and with a yes that was
    found not to be valid: it may have been what lifted an objection.

    >>> status_reason(LegalBasis.LEGITIMATE_INTEREST, Status.UNKNOWN).name
    'PERMIT'
    >>> status_reason(LegalBasis.CONSENT, Status.UNKNOWN).name
    'NO_RECORD'
    """
    if basis in ASKED or (basis is LegalBasis.LEGITIMATE_INTEREST and status in _NO):
        return _BY_STATUS[status]
    return PERMIT


_BY_BASIS: Final[Mapping[LegalBasis, tuple[Reason, ...]]] = {
    basis: tuple(status_reason(basis, status) for status in Status) for basis in LegalBasis
}
"""The same, worked out: each check looks twice."""


def customer_reason(rule: ScopeRule | None, states: int, paused_until: int, *, at_ms: int) -> Reason:
    """Return the reason that the customer's own state gives, whatever the scope; `PERMIT` where it gives none."""
    if states & ERASED:
        return Reason.CUSTOMER_ERASED
    if states & SUPPRESSED and (rule is None or rule.operation in ("contact", "share")):
        return Reason.SUPPRESSED
    if states & RESTRICTED:
        return Reason.RESTRICTED
    pausable = rule is None or rule.legal_basis in ASKED or rule.legal_basis is LegalBasis.LEGITIMATE_INTEREST
    if at_ms < paused_until and pausable:
        return Reason.PAUSED
    return PERMIT


def scope_reason(
    rule: ScopeRule, stands: ScopeStanding, *, at_ms: int, born_by: int = FOREVER, opted_out: bool = False
) -> Reason:
    """Return the reason of one scope: what was said, whether the wording still holds, whether time has run out.

    Args:
        rule: of the scope.
        stands: the newest answer.
        at_ms: the instant, in milliseconds.
        born_by: the latest instant at which the customer can have been born; an unknown age denies what has a minimum
            age, whoever stands behind it.
        opted_out: his browser asks, or asked, not to have his data sold or shared.
    """
    if rule.minimum_age and _too_young(rule.minimum_age, stands, at_ms=at_ms, born_by=born_by):
        return Reason.MINOR
    reason = _BY_BASIS[rule.legal_basis][stands.status]
    if opted_out and rule.gpc and _opted_out(rule, stands, reason):
        return Reason.GPC
    if reason is not PERMIT or rule.legal_basis not in ASKED:
        return reason
    if stands.notice < rule.material_since:
        return Reason.NOTICE_STALE
    if at_ms >= stands.expires * 1000:
        return Reason.EXPIRED
    return Reason.PENDING_CONFIRMATION if stands.flags & PENDING else PERMIT


def _opted_out(rule: ScopeRule, stands: ScopeStanding, reason: Reason) -> bool:
    return rule.legal_basis not in SERVICE and reason not in _SAID_NO and not stands.flags & OVER_GPC


def _too_young(minimum: int, stands: ScopeStanding, *, at_ms: int, born_by: int) -> bool:
    if born_by == FOREVER:
        return True
    return born_by > birth_limit(from_ms(at_ms), minimum) and not stands.flags & GUARDIAN


def stored_reason(
    scopes: bytes,
    rule: ScopeRule,
    remember: ScopeRule | None,
    *,
    at_ms: int,
    born_by: int = FOREVER,
    gpc: int = 0,
    signal: bool = False,
) -> tuple[Reason, tuple[int, ...]]:
    """Judge one scope from a row's bytes: what `judged` says of a customer in no state of his own, without the fold."""
    stands, opted_out = scope_at(scopes, rule.bit), signal or gpc > 0
    reason = scope_reason(rule, stands, at_ms=at_ms, born_by=born_by, opted_out=opted_out)
    if remember is None or reason is not PERMIT:
        return reason, _cited(reason, stands, gpc)
    kept = scope_at(scopes, remember.bit)
    stays = scope_reason(remember, kept, at_ms=at_ms, born_by=born_by, opted_out=opted_out) is PERMIT
    return (reason if stays else Reason.REMEMBER_MISSING), _both(stands, kept)


def judged(
    standing: Standing, rule: ScopeRule | None, remember: ScopeRule | None, at: datetime, *, signal: bool = False
) -> tuple[Reason, tuple[int, ...]]:
    """Judge one scope: the first reason that holds, and the ledger positions behind it.

    Args:
        standing: what stands for the customer.
        rule: the scope's rule, or None where the catalogue doesn't know the scope.
        remember: the rule of `remember:<category>` where remembered data are to be used; None for the data of the
            moment, which need no memory.
        at: the instant to judge at.
        signal: the browser of this moment opts out (Sec-GPC).
    """
    at_ms = to_ms(at)
    reason = customer_reason(rule, standing.states, standing.paused_until, at_ms=at_ms)
    if reason is not PERMIT:
        return reason, ()
    if rule is None:
        return Reason.UNKNOWN_SCOPE, ()
    stands, opted_out = standing.of(rule.bit), signal or standing.gpc > 0
    reason = scope_reason(rule, stands, at_ms=at_ms, born_by=standing.born_by, opted_out=opted_out)
    if remember is None or reason is not PERMIT:
        return reason, _cited(reason, stands, standing.gpc)
    kept = standing.of(remember.bit)
    stays = scope_reason(remember, kept, at_ms=at_ms, born_by=standing.born_by, opted_out=opted_out) is PERMIT
    return (reason if stays else Reason.REMEMBER_MISSING), _both(stands, kept)


def _cited(reason: Reason, stands: ScopeStanding, gpc: int) -> tuple[int, ...]:
    """Return the ledger position behind a reason: of the answer, or of the browser's wish.

    Who is too young is so by what was said of his age, whatever he answered: a row doesn't say where that was.
    """
    if reason is Reason.GPC:
        return (gpc,) if gpc else ()
    if reason is Reason.MINOR:
        return ()
    return (stands.position,) if stands.status else ()


def _both(stands: ScopeStanding, kept: ScopeStanding) -> tuple[int, ...]:
    positions = (stands.position,) if stands.status else ()
    return (*positions, kept.position) if kept.status else positions
