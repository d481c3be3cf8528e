"""The check `standing`: what each customer's row says stands is what he said, and all that he said is there."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Final

import numpy as np
from typing_extensions import override

from consent import catalogues
from consent.audit.findings import Evidence, Finding, Judged, Reader, Severity, Yielded
from consent.audit.pages import Customer, Row
from consent.base.canonical import b64u
from consent.base.clock import from_ms, rfc3339
from consent.base.counting import counted
from consent.ledger.entry import Kind
from consent.permission.many import RECORD
from consent.permission.standing import FOREVER, NOTHING, SUPPRESSED, Status, StoredStanding, stored
from consent.register.reopening import Reopened
from consent.rights.erasing import TOMBSTONE

KEY: Final = "standing"
_MOST_SCOPES: Final = 3
_NEVER_S: Final = 2**32 - 1
_ONE: Final = Judged(1)
_ALONE: Final = (_ONE,)
_TOMBSTONE: Final = stored(TOMBSTONE)
_PLAIN: Final = tuple(name for name in StoredStanding._fields if name not in {"mask", "scopes"})


class Standings(Reader):
    """Fold what every customer said, from the sealed payloads, and hold his standing row against it.

    A forged row, a payload deleted, exchanged or moved to somebody else, a statement left out of the fold: each is a
    finding that names the customer's pseudonym and what differs.
    """

    def __init__(self, evidence: Evidence) -> None:
        """Take the names of the scopes."""
        with evidence.store.read() as work:
            self._names = {bit: scope for scope, bit in catalogues.bits(work).items()}

    @override
    def customer(self, one: Customer) -> Iterable[Yielded]:
        if not one.enrolled:
            return self._nobody(one)
        found = _chain(one.id, one.said)
        if one.row is None:
            found.append(_finding(one.id, "there is no standing row of this customer"))
        elif one.standing is not None:
            different = _differences(one.row, _expected(one, one.standing), _last_leaf(one.said), self._names)
            if different:
                found.append(_finding(one.id, "the row is not what was said: " + "; ".join(different)))
        return (*found, _ONE) if found else _ALONE

    def _nobody(self, one: Customer) -> Iterator[Finding]:
        if one.said:
            yield _finding(
                one.id,
                f"{counted(len(one.said), 'payload belongs', 'payloads belong')} to somebody who is not enrolled",
            )
        if one.row is not None:
            yield _finding(one.id, "a standing row belongs to somebody who is not enrolled")


def _chain(customer: str, said: Sequence[Reopened]) -> list[Finding]:
    """Follow a customer's statements: numbered from 1 without a gap, each naming the leaf of the one before."""
    found: list[Finding] = []
    number, previous = 0, b""
    for one in said:
        if one.why:
            found.append(_finding(customer, f"the payload of entry {one.seq} {one.why}"))
        if one.kind != Kind.STATEMENT:
            continue
        number, before, previous = number + 1, previous, one.leaf
        if one.why:
            continue
        payload = one.payload
        if payload.get("customer") != customer:
            found.append(_finding(customer, f"entry {one.seq} is the word of another customer"))
        elif payload.get("n") != number:
            why = f"entry {one.seq} should be his statement {number}, and is {payload.get('n')}"
            return [*found, _finding(customer, why)]  # every later number is off by as much
        elif payload.get("prev") != b64u(before):
            found.append(_finding(customer, f"entry {one.seq} does not follow the statement that was his last"))
    return found


def _expected(one: Customer, folded: StoredStanding) -> StoredStanding:
    """Return the row that a customer should have: what he said, and what was done about him as a whole."""
    if one.erased:
        return _TOMBSTONE
    return folded._replace(states=folded.states | SUPPRESSED) if one.suppressed else folded


def _last_leaf(said: Sequence[Reopened]) -> bytes:
    return next((one.leaf for one in reversed(said) if one.kind == Kind.STATEMENT), b"")


def _differences(row: Row, expected: StoredStanding, last_leaf: bytes, names: Mapping[int, str]) -> list[str]:
    """Say in what a standing row differs from the fold; nothing if it doesn't."""
    there = row.standing
    if there == expected and row.last_leaf == last_leaf:
        return []
    try:
        different = [*_scopes(there.scopes, expected.scopes, names), *_mask(there.mask, expected.mask, names)]
    except (TypeError, ValueError):
        return ["its columns are not of their types"]
    different += [
        f"{name.replace('_', ' ')} is {_moment(getattr(there, name))}, should be {_moment(getattr(expected, name))}"
        for name in _PLAIN
        if getattr(there, name) != getattr(expected, name)
    ]
    if row.last_leaf != last_leaf:
        different.append("last leaf is not that of his last statement")
    return different


def _scopes(there: bytes, expected: bytes, names: Mapping[int, str]) -> list[str]:
    """Compare records; scopes at the end about which nothing was said may be there or not."""
    pairs = zip_longest(_records(there), _records(expected), fillvalue=tuple(NOTHING))
    wrong = [
        f"{names.get(bit, f'bit {bit}')} {_record(says)}, said {_record(should)}"
        for bit, (says, should) in enumerate(pairs)
        if says != should
    ]
    return [_shortened(wrong)] if wrong else []


def _records(scopes: bytes) -> list[tuple[int, ...]]:
    return [tuple(record) for record in np.frombuffer(scopes, dtype=RECORD).tolist()]


def _record(record: tuple[int, ...]) -> str:
    """Write a record as its status, and what else it holds: notice, end, position, flags where there are any."""
    status, flags, notice, expires, position = record
    word = Status(status).name.lower() if status in set(Status) else f"status {status}"
    if not status:
        return word
    until = "for ever" if expires == _NEVER_S else f"until {rfc3339(from_ms(expires * 1000))}"
    return f"{word} (notice {notice}, {until}, by entry {position}{f', flags {flags}' if flags else ''})"


def _mask(there: bytes, expected: bytes, names: Mapping[int, str]) -> list[str]:
    wrong = int.from_bytes(there, "little") ^ int.from_bytes(expected, "little")
    bits = [names.get(bit, f"bit {bit}") for bit in range(wrong.bit_length()) if wrong >> bit & 1]
    return [f"the mask is wrong in {_shortened(bits)}"] if bits else []


def _moment(value: int) -> str:
    return "never" if value == FOREVER else str(value)


def _shortened(items: list[str]) -> str:
    more = len(items) - _MOST_SCOPES
    return ", ".join(items[:_MOST_SCOPES]) + (f" and {more} more" if more > 0 else "")


def _finding(customer: str, why: str) -> Finding:
    return Finding(check=KEY, severity=Severity.CRITICAL, subject=customer, why=why)
