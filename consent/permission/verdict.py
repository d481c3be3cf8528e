"""Permit or denial, with exactly one reason: the first that holds, in the order of `Reason`."""

from collections.abc import Mapping
from datetime import datetime
from enum import IntEnum
from typing import Final, NamedTuple

from consent.base.clock import to_ms
from consent.base.ids import CustomerId, Scope
from consent.catalogue.model import ASKED, LegalBasis, ScopeRule
from consent.permission.standing import (
    ERASED,
    PENDING,
    RESTRICTED,
    SUPPRESSED,
    ScopeStanding,
    Standing,
    Status,
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


class Denial(NamedTuple):
    """A refusal: the first reason that held, and the ledger entries behind it."""

    customer: CustomerId
    scope: Scope
    at: datetime
    position: int
    positions: tuple[int, ...]
    reason: Reason

    @property
    def may_be_asked(self) -> bool:
        """Whether the customer may be asked; otherwise he is to be left alone."""
        return self.reason in MAY_BE_ASKED


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
_NO: Final = frozenset({Status.OBJECTED, Status.WITHDRAWN, Status.REFUSED})


def status_reason(basis: LegalBasis, status: Status) -> Reason:
    """Return the reason that a status alone gives on a legal basis.

    A service basis isn't the customer's to withdraw; a legitimate interest ends with any "no".

    >>> status_reason(LegalBasis.LEGITIMATE_INTEREST, Status.UNKNOWN).name
    'PERMIT'
    >>> status_reason(LegalBasis.CONSENT, Status.UNKNOWN).name
    'NO_RECORD'
    """
    if basis in ASKED or (basis is LegalBasis.LEGITIMATE_INTEREST and status in _NO):
        return _BY_STATUS[status]
    return PERMIT


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


def scope_reason(rule: ScopeRule, stands: ScopeStanding, *, at_ms: int) -> Reason:
    """Return the reason of one scope: what was said, whether the wording still holds, whether time has run out.

    Nobody's age is known yet, and an unknown age denies what is for adults only.
    """
    if rule.minimum_age:
        return Reason.MINOR
    reason = status_reason(rule.legal_basis, stands.status)
    if reason is not PERMIT or rule.legal_basis not in ASKED:
        return reason
    if stands.notice < rule.material_since:
        return Reason.NOTICE_STALE
    if at_ms >= stands.expires * 1000:
        return Reason.EXPIRED
    return Reason.PENDING_CONFIRMATION if stands.flags & PENDING else PERMIT


def stored_reason(
    scopes: bytes, rule: ScopeRule, remember: ScopeRule | None, *, at_ms: int
) -> tuple[Reason, tuple[int, ...]]:
    """Judge one scope from a row's bytes: what `judged` says of a customer in no state of his own, without the fold."""
    kept = scope_at(scopes, remember.bit) if remember else None
    return _with_memory(rule, scope_at(scopes, rule.bit), remember, kept, at_ms=at_ms)


def judged(
    standing: Standing, rule: ScopeRule | None, remember: ScopeRule | None, at: datetime
) -> tuple[Reason, tuple[int, ...]]:
    """Judge one scope: the first reason that holds, and the ledger positions behind it.

    Args:
        standing: what stands for the customer.
        rule: the scope's rule, or None where the catalogue doesn't know the scope.
        remember: the rule of `remember:<category>` where remembered data are to be used; None for the data of the
            moment, which need no memory.
        at: the instant to judge at.
    """
    at_ms = to_ms(at)
    reason = customer_reason(rule, standing.states, standing.paused_until, at_ms=at_ms)
    if reason is not PERMIT:
        return reason, ()
    if rule is None:
        return Reason.UNKNOWN_SCOPE, ()
    stands = standing.of(rule.bit)
    return _with_memory(rule, stands, remember, standing.of(remember.bit) if remember else None, at_ms=at_ms)


def _with_memory(
    rule: ScopeRule, stands: ScopeStanding, remember: ScopeRule | None, kept: ScopeStanding | None, *, at_ms: int
) -> tuple[Reason, tuple[int, ...]]:
    reason = scope_reason(rule, stands, at_ms=at_ms)
    positions: tuple[int, ...] = (stands.position,) if stands.status else ()
    if remember is None or kept is None or reason is not PERMIT:
        return reason, positions
    if kept.status:
        positions += (kept.position,)
    stays = scope_reason(remember, kept, at_ms=at_ms) is PERMIT
    return (reason if stays else Reason.REMEMBER_MISSING), positions
