"""Verdicts in columns: a chunk of customers against a few scopes, with a reason for every cell.

The same rules as `verdict.judged`, on arrays; a property test holds the two against each other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from consent.base.clock import from_ms
from consent.catalogue.model import ASKED, SERVICE, LegalBasis, ScopeRule
from consent.permission.standing import (
    ERASED,
    FOREVER,
    GUARDIAN,
    OVER_GPC,
    PENDING,
    RECORD_BYTES,
    RESTRICTED,
    SUPPRESSED,
    Status,
    StoredStanding,
    birth_limit,
)
from consent.permission.verdict import Reason, status_reason

RECORD: Final = np.dtype(
    [("status", "u1"), ("flags", "u1"), ("notice", "<u2"), ("expires", "<u4"), ("position", "<u8")]
)
_READ: Final = ("scopes", "states", "paused_until")
_KNOWN: Final = ("born_by", "gpc")
_NOTHING: Final = np.array([(0, 0, 0, 2**32 - 1, 0)], dtype=RECORD).tobytes()
_BY_STATUS: Final = {
    basis: np.array([status_reason(basis, status) for status in Status], dtype=np.uint8) for basis in LegalBasis
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Standings:
    """What stands for a chunk of customers.

    `records` has shape (n_customers, n_bits); `states`, `paused_until` (ms), `born_by` (ms) and `gpc` (positions) have
    shape (n_customers,).
    """

    records: NDArray[np.void]
    states: NDArray[np.int64]
    paused_until: NDArray[np.int64]
    born_by: NDArray[np.int64]
    gpc: NDArray[np.int64]


def of_rows(rows: Sequence[StoredStanding]) -> Standings:
    """Stack standing rows as they are stored."""
    columns = dict(zip(StoredStanding._fields, zip(*rows, strict=True), strict=True)) if rows else {}
    return stacked(*(columns.get(name, ()) for name in _READ), **{name: columns.get(name, ()) for name in _KNOWN})


def stacked(
    scopes: Sequence[bytes],
    states: Sequence[int],
    paused_until: Sequence[int],
    *,
    born_by: Sequence[int] | None = None,
    gpc: Sequence[int] | None = None,
) -> Standings:
    """Stack the columns of rows; rows written when there were fewer scopes are filled up with "unknown".

    Where `born_by` is left out nobody's age is known; where `gpc` is, nobody's browser has opted out.
    """
    longest = max(map(len, scopes), default=0)
    short = len(scopes) and min(map(len, scopes)) < longest
    rows = [row + _NOTHING * ((longest - len(row)) // RECORD_BYTES) for row in scopes] if short else scopes
    records = np.frombuffer(b"".join(rows), dtype=RECORD).reshape(len(scopes), longest // RECORD_BYTES)
    return Standings(
        records=records,
        states=np.array(states, dtype=np.int64),
        paused_until=np.array(paused_until, dtype=np.int64),
        born_by=np.full(len(scopes), FOREVER) if born_by is None else np.array(born_by, dtype=np.int64),
        gpc=np.zeros(len(scopes), np.int64) if gpc is None else np.array(gpc, dtype=np.int64),
    )


def reasons(
    standings: Standings,
    rules: Sequence[ScopeRule | None],
    remembers: Sequence[ScopeRule | None],
    at_ms: int,
    *,
    signal: bool = False,
) -> NDArray[np.uint8]:
    """Judge every customer on every scope.

    Args:
        standings: n customers.
        rules: k scopes' rules; None where the catalogue doesn't know the scope.
        remembers: for each, the rule of `remember:<category>` where remembered data are to be used, else None.
        at_ms: the instant, in milliseconds.
        signal: the browser of this moment opts out (Sec-GPC).

    Returns:
        `Reason` numbers, shape (n_customers, n_scopes); 0 is a permit.
    """
    verdicts = np.empty((len(standings.states), len(rules)), dtype=np.uint8)
    for column, (rule, remember) in enumerate(zip(rules, remembers, strict=True)):
        found = (
            _scope(standings, rule, at_ms, signal=signal)
            if rule
            else np.full(len(standings.states), Reason.UNKNOWN_SCOPE, np.uint8)
        )
        if rule and remember:
            kept = _scope(standings, remember, at_ms, signal=signal)
            found[(found == Reason.PERMIT) & (kept != Reason.PERMIT)] = Reason.REMEMBER_MISSING
        _customer(standings, rule, at_ms, found)
        verdicts[:, column] = found
    return verdicts


def _scope(standings: Standings, rule: ScopeRule, at_ms: int, *, signal: bool) -> NDArray[np.uint8]:
    found: NDArray[np.uint8]
    flags: NDArray[np.uint8]
    if rule.bit >= standings.records.shape[1]:
        found = np.full(len(standings.states), status_reason(rule.legal_basis, Status.UNKNOWN), dtype=np.uint8)
        flags = np.zeros(len(standings.states), dtype=np.uint8)
    else:
        records = standings.records[:, rule.bit]
        flags = records["flags"]
        found = _BY_STATUS[rule.legal_basis][records["status"]]
        if rule.legal_basis in ASKED:
            given = found == Reason.PERMIT
            late = at_ms // 1000 >= records["expires"]
            # Later lines win, here and below: the order of reasons, from the last to the first.
            found[given & (flags & PENDING != 0)] = Reason.PENDING_CONFIRMATION
            found[given & late] = Reason.EXPIRED
            found[given & (records["notice"] < rule.material_since)] = Reason.NOTICE_STALE
    if rule.gpc and rule.legal_basis not in SERVICE:
        opted_out = (standings.gpc > 0) | signal
        said_no = (found >= Reason.OBJECTED) & (found <= Reason.REFUSED)
        found[opted_out & ~said_no & (flags & OVER_GPC == 0)] = Reason.GPC
    if rule.minimum_age:
        young = standings.born_by > birth_limit(from_ms(at_ms), rule.minimum_age)
        found[(young & (flags & GUARDIAN == 0)) | (standings.born_by == FOREVER)] = Reason.MINOR
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
