"""The check `standing`: what each customer's row says stands is what he said, and all that he said is there."""

from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import Final

import numpy as np

from consent.audit import pages
from consent.audit.findings import Evidence, Finding, Judged, Severity, Yielded
from consent.audit.pages import Page, Row, Told
from consent.base.canonical import b64u
from consent.ledger.entry import Kind
from consent.permission.many import RECORD
from consent.permission.standing import EMPTY, FOREVER, NOTHING, Standing, Status, stored
from consent.register.reopening import Reopened

KEY: Final = "standing"
_MOST_SCOPES: Final = 5
_NOTHING_SAID: Final = Told([], EMPTY)


def standing(evidence: Evidence) -> Iterator[Yielded]:
    """Fold what every customer said, from the sealed payloads, and hold his standing row against it.

    A forged row, a payload deleted, exchanged or moved to somebody else, a statement left out of the fold: each is a
    finding that names the customer's pseudonym and what differs.
    """
    bits = pages.bits(evidence)
    names = {bit: scope for scope, bit in bits.items()}
    for page in pages.pages(evidence):
        yield from _page(page, pages.told(evidence, page, bits), names)
        yield Judged(len(page.customers))


def _page(page: Page, told: Mapping[str, Told], names: Mapping[int, str]) -> Iterator[Finding]:
    for customer in page.customers:
        said = told.get(customer, _NOTHING_SAID)
        yield from _chain(customer, said.said)
        row = page.rows.get(customer)
        if row is None:
            yield _finding(customer, "there is no standing row of this customer")
        elif said.standing is not None:
            different = _differences(row, said.standing, _last_leaf(said.said), names)
            if different:
                yield _finding(customer, "the row is not what was said: " + "; ".join(different))
    enrolled = set(page.customers)
    for owner in sorted(told.keys() - enrolled):
        yield _finding(owner, f"{len(told[owner].said)} payloads belong to somebody who is not enrolled")
    for owner in sorted(page.rows.keys() - enrolled):
        yield _finding(owner, "a standing row belongs to somebody who is not enrolled")


def _chain(customer: str, said: list[Reopened]) -> Iterator[Finding]:
    """Follow a customer's statements: numbered from 1 without a gap, each naming the leaf of the one before."""
    number, previous = 0, b""
    for one in said:
        if one.why:
            yield _finding(customer, f"the payload of entry {one.seq} {one.why}")
        if one.kind != Kind.STATEMENT:
            continue
        number, before = number + 1, previous
        previous = one.leaf
        if one.why:
            continue
        if one.payload.get("customer") != customer:
            yield _finding(customer, f"entry {one.seq} is the word of another customer")
        elif one.payload.get("n") != number:
            yield _finding(customer, f"entry {one.seq} should be his statement {number}, and is {one.payload.get('n')}")
            return  # every later number is off by as much
        elif one.payload.get("prev") != b64u(before):
            yield _finding(customer, f"entry {one.seq} does not follow the statement that was his last")


def _last_leaf(said: list[Reopened]) -> bytes:
    return next((one.leaf for one in reversed(said) if one.kind == Kind.STATEMENT), b"")


def _differences(row: Row, folded: Standing, last_leaf: bytes, names: Mapping[int, str]) -> list[str]:
    """Say in what a standing row differs from the fold; nothing if it doesn't."""
    there, expected = row.standing, stored(folded)
    if there == expected and row.last_leaf == last_leaf:
        return []
    try:
        different = [*_scopes(there.scopes, expected.scopes, names), *_mask(there.mask, expected.mask, names)]
    except (TypeError, ValueError):
        return ["its columns are not of their types"]
    different += [
        f"{name.replace('_', ' ')} is {_moment(getattr(there, name))}, should be {_moment(getattr(expected, name))}"
        for name in ("next_expiry", "states", "paused_until", "last_said", "counter")
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
    """Write a record as its status, and what else it holds: flags, notice, expiry in seconds, position."""
    status, flags, notice, expires, position = record
    word = Status(status).name.lower() if status in set(Status) else f"status {status}"
    return f"{word} (flags {flags}, notice {notice}, until {expires}, by entry {position})" if status else word


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
