"""Positions: one whole number for an entry, whichever log of the deployment it stands in.

Logs come in periods, and each numbers its entries from 0. Everybody outside the ledger says where something stands in
one number, `(log − 1) × 2^40 + seq`: positions of the first log are its sequence numbers, a later log's positions lie
behind all of an earlier one's, and up to log 8,192 all of them fit into the integers that JSON can carry.
"""

from typing import Final, NamedTuple

from consent.base.errors import EntryUnknown

LOG_BITS: Final = 40
"""A log has up to 2^40 entries: at ten thousand a second that is three and a half years of a half-year's log."""

GREATEST: Final = 2**53 - 1
"""The greatest position: the last one that every JSON reader keeps apart from its neighbours."""

_SEQ: Final = (1 << LOG_BITS) - 1


class Place(NamedTuple):
    """Where an entry stands: the number of its log, and its sequence number there."""

    log: int
    seq: int


def position(log: int, seq: int) -> int:
    """Return where the entry `seq` of a log stands; `seq` may be the log's size, the place of the next entry.

    >>> position(1, 7), position(2, 0) == 1 << 40
    (7, True)
    """
    return ((log - 1) << LOG_BITS) + seq


def parts(position: int) -> Place:
    """Return the log and the sequence number of a position.

    Raises:
        EntryUnknown: no position is negative, or so great.

    >>> parts(7), parts((1 << 40) + 3)
    (Place(log=1, seq=7), Place(log=2, seq=3))
    """
    if not 0 <= position <= GREATEST:
        raise EntryUnknown(f"the ledger has no entry {position}")
    return Place((position >> LOG_BITS) + 1, position & _SEQ)
