"""Verdicts in columns: a chunk of customers against a few scopes, with a reason for every cell.

The same rules as `verdict.judged`, on arrays; a property test holds the two against each other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from consent.catalogue.model import ASKED, LegalBasis, ScopeRule
from consent.permission.standing import ERASED, PENDING, RECORD_BYTES, RESTRICTED, SUPPRESSED, Status
from consent.permission.verdict import Reason, status_reason

RECORD: Final = np.dtype(
    [("status", "u1"), ("flags", "u1"), ("notice", "<u2"), ("expires", "<u4"), ("position", "<u8")]
)
_NOTHING: Final = np.array([(0, 0, 0, 2**32 - 1, 0)], dtype=RECORD).tobytes()
_BY_STATUS: Final = {
    basis: np.array([status_reason(basis, status) for status in Status], dtype=np.uint8) for basis in LegalBasis
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Standings:
    """What stands for a chunk of customers.

    `records` has shape (n_customers, n_bits); `states` and `paused_until` (ms) have shape (n_customers,).
    """

    records: NDArray[np.void]
    states: NDArray[np.int64]
    paused_until: NDArray[np.int64]


def stacked(scopes: Sequence[bytes], states: Sequence[int], paused_until: Sequence[int]) -> Standings:
    """Stack rows as they are stored; rows written when there were fewer scopes are filled up with "unknown"."""
    longest = max(map(len, scopes), default=0)
    short = len(scopes) and min(map(len, scopes)) < longest
    rows = [row + _NOTHING * ((longest - len(row)) // RECORD_BYTES) for row in scopes] if short else scopes
    records = np.frombuffer(b"".join(rows), dtype=RECORD).reshape(len(scopes), longest // RECORD_BYTES)
    return Standings(
        records=records,
        states=np.array(states, dtype=np.int64),
        paused_until=np.array(paused_until, dtype=np.int64),
    )


def reasons(
    standings: Standings, rules: Sequence[ScopeRule | None], remembers: Sequence[ScopeRule | None], at_ms: int
) -> NDArray[np.uint8]:
    """Judge every customer on every scope.

    Args:
        standings: n customers.
        rules: k scopes' rules; None where the catalogue doesn't know the scope.
        remembers: for each, the rule of `remember:<category>` where remembered data are to be used, else None.
        at_ms: the instant, in milliseconds.

    Returns:
        `Reason` numbers, shape (n_customers, n_scopes); 0 is a permit.
    """
    verdicts = np.empty((len(standings.states), len(rules)), dtype=np.uint8)
    for column, (rule, remember) in enumerate(zip(rules, remembers, strict=True)):
        found = (
            _scope(standings, rule, at_ms) if rule else np.full(len(standings.states), Reason.UNKNOWN_SCOPE, np.uint8)
        )
        if rule and remember:
            kept = _scope(standings, remember, at_ms)
            found[(found == Reason.PERMIT) & (kept != Reason.PERMIT)] = Reason.REMEMBER_MISSING
        _customer(standings, rule, at_ms, found)
        verdicts[:, column] = found
    return verdicts


def _scope(standings: Standings, rule: ScopeRule, at_ms: int) -> NDArray[np.uint8]:
    if rule.minimum_age:
        return np.full(len(standings.states), Reason.MINOR, dtype=np.uint8)
    if rule.bit >= standings.records.shape[1]:
        default = status_reason(rule.legal_basis, Status.UNKNOWN)
        return np.full(len(standings.states), default, dtype=np.uint8)
    records = standings.records[:, rule.bit]
    found: NDArray[np.uint8] = _BY_STATUS[rule.legal_basis][records["status"]]
    if rule.legal_basis not in ASKED:
        return found
    given = found == Reason.PERMIT
    late = at_ms // 1000 >= records["expires"]
    # Later lines win: the order of reasons, from the last to the first.
    found[given & (records["flags"] & PENDING != 0)] = Reason.PENDING_CONFIRMATION
    found[given & late] = Reason.EXPIRED
    found[given & (records["notice"] < rule.material_since)] = Reason.NOTICE_STALE
    return found


def _customer(standings: Standings, rule: ScopeRule | None, at_ms: int, found: NDArray[np.uint8]) -> None:
    pausable = rule is None or rule.legal_basis in ASKED or rule.legal_basis is LegalBasis.LEGITIMATE_INTEREST
    if pausable:
        found[at_ms < standings.paused_until] = Reason.PAUSED
    if not standings.states.any():
        return
    found[standings.states & RESTRICTED != 0] = Reason.RESTRICTED
    if rule is None or rule.operation in ("contact", "share"):
        found[standings.states & SUPPRESSED != 0] = Reason.SUPPRESSED
    found[standings.states & ERASED != 0] = Reason.CUSTOMER_ERASED
