"""What stands for a customer: the fold of his statements.

Per scope the statements are folded by the time said, ties by ledger position. The fold is the truth; the stored row
(`mask`, `next_expiry`, and 16 bytes a scope) is its projection, and an audit holds the two against each other.
"""

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Final, NamedTuple

from consent.base.clock import from_ms, to_ms
from consent.base.ids import Scope
from consent.catalogue.duration import Duration
from consent.permission.statement import OWN_WORD, WHOLE_CUSTOMER, Act, Method, Statement

FOREVER: Final = 2**63 - 1
"""An expiry in milliseconds that never comes; a birth of which nothing is known."""

_RECORD: Final = struct.Struct("<BBHIQ")
RECORD_BYTES: Final = _RECORD.size
"""Bytes a scope takes in a stored row: status, flags, notice version, expiry (s), ledger position."""

_NEVER_S: Final = 2**32 - 1
PENDING: Final = 1
"""Flag of a record: given, but not yet confirmed (double opt-in)."""

GUARDIAN: Final = 2
"""Flag of a record: a parent or guardian stands behind it."""

OVER_GPC: Final = 4
"""Flag of a record: the customer himself gave it knowing that his browser opts out (Sec-GPC), and after it did."""

ERASED: Final = 1
SUPPRESSED: Final = 2
RESTRICTED: Final = 4


class Status(IntEnum):
    """The status of one scope. The numbers are stored: they never change."""

    UNKNOWN = 0
    REQUESTED = 1
    REFUSED = 2
    GIVEN = 3
    RENEWED = 4
    WITHDRAWN = 5
    EXPIRED = 6
    OBJECTED = 7
    INVALIDATED = 8


_STATUS: Final = tuple(Status)
VALID: Final = frozenset({Status.GIVEN, Status.RENEWED})


class ScopeStanding(NamedTuple):
    """What stands for one scope, and the ledger position that made it so. `expires` is in whole seconds."""

    status: Status
    flags: int
    notice: int
    expires: int
    position: int


NOTHING: Final = ScopeStanding(Status.UNKNOWN, 0, 0, _NEVER_S, 0)


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands for one customer: by scope bit, and for the customer as a whole.

    `born_by` is the latest instant (ms) at which he can have been born, by what he attested of his age; `FOREVER` where
    he attested nothing. `gpc` is the ledger position of the newest signal by which his browser opted out, 0 for none.
    """

    scopes: Mapping[int, ScopeStanding] = field(default_factory=dict)
    states: int = 0
    paused_until: int = 0
    last_said: int = 0
    counter: int = 0
    born_by: int = FOREVER
    gpc: int = 0

    def of(self, bit: int) -> ScopeStanding:
        """Return what stands for one scope's bit."""
        return self.scopes.get(bit, NOTHING)


EMPTY: Final = Standing()


def follows(standing: Standing, statement: Statement) -> bool:
    """Say whether `statement` can be applied to `standing` as it is, or the history must be folded anew.

    A statement said before one that is folded already (a paper form typed in late) has to take its place in order.
    """
    return to_ms(statement.said_at) >= standing.last_said


def applied(standing: Standing, statement: Statement, position: int, bits: Mapping[str, int]) -> Standing:
    """Return what stands once `statement`, recorded at ledger `position`, is the newest word.

    Args:
        standing: what stood before.
        statement: said no earlier than anything folded so far.
        position: the ledger position (sequence number) of its entry.
        bits: the bit number of each scope.
    """
    return _folded(standing, [(position, statement)], bits)


def fold(history: Iterable[tuple[int, Statement]], bits: Mapping[str, int]) -> Standing:
    """Fold statements with their ledger positions into what stands: by time said, ties by position.

    >>> fold([], {}) == EMPTY
    True
    """
    return _folded(EMPTY, sorted(history, key=lambda said: (said[1].said_at, said[0])), bits)


def _folded(standing: Standing, history: Sequence[tuple[int, Statement]], bits: Mapping[str, int]) -> Standing:
    scopes = dict(standing.scopes)
    states, paused_until, last_said = standing.states, standing.paused_until, standing.last_said
    born_by, gpc = standing.born_by, standing.gpc
    for position, statement in history:
        for scope in statement.scopes:
            bit = bits[scope]
            moved = _moved(scopes.get(bit, NOTHING), statement, scope, position, opted_out=bool(gpc))
            if moved is not NOTHING:  # a row is compared byte by byte: what was never answered leaves no trace in it
                scopes[bit] = moved
        if statement.opts_out:
            gpc = position
            scopes = {bit: was._replace(flags=was.flags & ~OVER_GPC) for bit, was in scopes.items()}
        if statement.age:
            born_by = _born_by(born_by, statement)
        if statement.act in WHOLE_CUSTOMER:
            states = _states(states, statement.act)
            paused_until = _pause(paused_until, statement)
        last_said = max(last_said, to_ms(statement.said_at))
    return Standing(scopes, states, paused_until, last_said, standing.counter + len(history), born_by, gpc)


def birth_limit(at: datetime, age: int) -> int:
    """Return the latest instant (ms) at which somebody can have been born who is `age` years old at `at`.

    >>> from consent.base.clock import from_ms, parse_time
    >>> from_ms(birth_limit(parse_time("2024-02-29T10:00:00Z"), 17)).isoformat()
    '2007-02-28T10:00:00+00:00'
    """
    return to_ms(Duration(months=-12 * age, days=0).after(at))


def _born_by(born_by: int, statement: Statement) -> int:
    attested = birth_limit(statement.said_at, statement.age)
    if statement.act is Act.INVALIDATE or born_by == FOREVER:
        return attested
    earlier, later = sorted((born_by, attested))
    # Each attestation is a bound, and the tightest holds. Two that can't both be true, for they lie a year apart: then
    # he is the younger, until an invalidation sets it right.
    return later if birth_limit(from_ms(later), 1) >= earlier else earlier


def _expiry(statement: Statement, scope: Scope) -> int:
    ends = (statement.valid_until or {}).get(scope)
    # Cut to the second before: a permission may end up to a second early, never late.
    return _NEVER_S if ends is None else max(0, min(to_ms(ends) // 1000, _NEVER_S))


def age_said_at(history: Iterable[tuple[int, Statement]]) -> int | None:
    """Return the position of the statement whose word on the customer's age holds; None where no age is known.

    >>> age_said_at([]) is None
    True
    """
    born_by, position = FOREVER, None
    for place, statement in sorted(history, key=lambda said: (said[1].said_at, said[0])):
        attested = _born_by(born_by, statement) if statement.age else born_by
        if attested != born_by:
            born_by, position = attested, place
    return position


_ENDS: Final = {
    Act.OBJECT: Status.OBJECTED,
    Act.REFUSE: Status.REFUSED,
    Act.WITHDRAW: Status.WITHDRAWN,
    Act.REQUEST: Status.REQUESTED,
}


def _moved(was: ScopeStanding, statement: Statement, scope: Scope, position: int, *, opted_out: bool) -> ScopeStanding:
    notice = (statement.notices or {}).get(scope, 0)
    match statement.act:
        case Act.GRANT:
            flags = _flags(was, statement, opted_out=opted_out)
            if scope in statement.awaiting:
                if _confirmed(was, statement, scope) and not flags & ~was.flags & _gains(statement, scope):
                    return was
                flags |= PENDING
            return ScopeStanding(Status.GIVEN, flags, notice, _expiry(statement, scope), position)
        case Act.RENEW if was.status in VALID:
            # A minor can't prolong what his guardian gave. What is joined was said by whoever said it then.
            kept = was.flags if statement.method is Method.MERGED else was.flags & ~GUARDIAN
            flags = kept | _flags(was, statement, opted_out=opted_out)
            return ScopeStanding(Status.RENEWED, flags, notice or was.notice, _expiry(statement, scope), position)
        case Act.INVALIDATE if was.status in VALID:
            return ScopeStanding(Status.INVALIDATED, 0, was.notice, _NEVER_S, position)
    # An objection outlives a refusal or withdrawal; a request never undoes an answer.
    keeps = was.status is Status.OBJECTED or (statement.act is Act.REQUEST and was.status is not Status.UNKNOWN)
    if statement.act not in _ENDS or (keeps and statement.act is not Act.OBJECT):
        return was
    return ScopeStanding(_ENDS[statement.act], 0, notice, _NEVER_S, position)


def _flags(was: ScopeStanding, statement: Statement, *, opted_out: bool) -> int:
    """Return what is to be known of a yes, beside whether it awaits its confirmation."""
    knowingly = opted_out and (
        statement.method in OWN_WORD or (was.status in VALID and was.flags & OVER_GPC == OVER_GPC)
    )
    return (GUARDIAN if statement.guardian else 0) | (OVER_GPC if knowingly else 0)


def _gains(statement: Statement, scope: Scope) -> int:
    """Return the flags for whose sake what was confirmed is confirmed once more: by older entries, any."""
    return GUARDIAN | OVER_GPC if statement.gains is None else statement.gains.get(scope, 0)


def _confirmed(was: ScopeStanding, statement: Statement, scope: Scope) -> bool:
    """Say whether a yes was confirmed and still counts: then whoever hands the address in again changes nothing."""
    current = was.notice >= (statement.material or {}).get(scope, 0)
    return was.status in VALID and not was.flags & PENDING and current and to_ms(statement.said_at) < was.expires * 1000


def _states(states: int, act: Act) -> int:
    if act is Act.RESTRICT:
        return states | RESTRICTED
    if act is Act.LIFT:
        return states & ~RESTRICTED
    return states


def _pause(paused_until: int, statement: Statement) -> int:
    if statement.act is Act.PAUSE:
        ends = FOREVER if statement.until is None else to_ms(statement.until)
        return max(paused_until, ends) if statement.at_least else ends
    if statement.act is Act.RESUME:
        return 0
    return paused_until


class StoredStanding(NamedTuple):
    """The columns of a standing row that hold what stands, as plain values."""

    mask: bytes
    next_expiry: int
    states: int
    paused_until: int
    last_said: int
    counter: int
    scopes: bytes
    born_by: int
    gpc: int


def stored(standing: Standing) -> StoredStanding:
    """Return the row of a standing.

    `mask` has one bit a scope, least significant first, in whole 8-byte words: set where a consent is valid but for
    its expiry. `next_expiry` is the first instant (ms) at which a set bit ends.
    """
    top = max(standing.scopes, default=-1) + 1
    words = (top + 63) // 64
    mask = 0
    ends = FOREVER
    scopes = bytearray(_RECORD.pack(*NOTHING) * top)
    for bit, stands in standing.scopes.items():
        _RECORD.pack_into(scopes, bit * RECORD_BYTES, *stands)
        if stands.status in VALID and not stands.flags & PENDING:
            mask |= 1 << bit
            if stands.expires != _NEVER_S:
                ends = min(ends, stands.expires * 1000)
    return StoredStanding(
        mask.to_bytes(words * 8, "little"),
        ends,
        standing.states,
        standing.paused_until,
        standing.last_said,
        standing.counter,
        bytes(scopes),
        standing.born_by,
        standing.gpc,
    )


def from_stored(row: StoredStanding) -> Standing:
    """Return the standing that a row holds."""
    scopes = {
        bit: ScopeStanding._make((_STATUS[status], flags, notice, expires, position))
        for bit, (status, flags, notice, expires, position) in enumerate(_RECORD.iter_unpack(row.scopes))
        if status
    }
    return Standing(scopes, row.states, row.paused_until, row.last_said, row.counter, row.born_by, row.gpc)


def scope_at(scopes: bytes, bit: int) -> ScopeStanding:
    """Return what stands for one bit, straight from a row's bytes."""
    spot = bit * RECORD_BYTES
    if spot >= len(scopes):
        return NOTHING
    status, flags, notice, expires, position = _RECORD.unpack_from(scopes, spot)
    return ScopeStanding._make((_STATUS[status], flags, notice, expires, position))  # half the time of a call by fields
