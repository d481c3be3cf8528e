"""Entries in their order, from log to log, a page at a time."""

from typing import Final, NamedTuple

from consent.base.errors import EntryUnknown
from consent.base.store import Work
from consent.ledger import stored
from consent.ledger.entry import Kind
from consent.ledger.position import GREATEST, parts, position

MOST_READ: Final = 10_000
"""Entries that are looked through for one page: a rare kind is found by going on from where that ended."""

_STEP: Final = 1_000


class Listed(NamedTuple):
    """Entries with their positions, and where to go on; `following` is None at the end."""

    entries: list[tuple[int, bytes]]
    following: int | None


def entries(work: Work, cursor: int, limit: int, *, kind: Kind | None = None) -> Listed:
    """Return up to `limit` entries from a position on.

    Args:
        work: a transaction.
        cursor: the position to begin at.
        limit: at most so many.
        kind: only entries of this kind.
    """
    found: list[tuple[int, bytes]] = []
    wanted = f'"t":"{kind}","v":1}}'.encode() if kind else b""
    logs = {each.log: each for each in stored.logs(work)}
    if cursor > GREATEST:
        raise EntryUnknown(f"the ledger has no entry {cursor}")
    number, seq = parts(cursor)
    read = 0
    while number in logs:
        size = logs[number].size
        while seq < size and read < MOST_READ:
            last = min(seq + _STEP, size)
            page = stored.entries(work, number, seq, last)
            for each, body in zip(page.seqs, page.bodies, strict=True):
                if not body.endswith(wanted):
                    continue
                if len(found) == limit:
                    return Listed(found, position(number, each))
                found.append((position(number, each), body))
            read, seq = read + last - seq, last
        if seq < size:
            return Listed(found, position(number, seq))
        number, seq = number + 1, 0
    return Listed(found, None)
