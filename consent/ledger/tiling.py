"""Tiles and bundles out of the stored log: no more of it than a signed checkpoint covers.

Source:
    c2sp.org/tlog-tiles.
"""

from consent.base.errors import LedgerBroken
from consent.base.store import Work
from consent.ledger import stored, tiles
from consent.ledger.tiles import ENTRIES, HEIGHT, Tile, TileUnknown


def read(work: Work, log: int, tile: Tile, *, size: int) -> bytes:
    """Return the bytes of a tile or bundle.

    Args:
        work: a transaction.
        log: its number.
        tile: which.
        size: entries that a signed checkpoint covers.

    Raises:
        TileUnknown: the checkpoint doesn't cover all that the tile would hold.
        LedgerBroken: something of it is missing.
    """
    if not tiles.is_within(tile, size):
        raise TileUnknown(f"a log of {size} entries has no such tile")
    first, last = tile.first, tile.first + tile.width
    if tile.level == ENTRIES:
        found = stored.entries(work, log, first, last)
        _require_whole(found.seqs, found.bodies, first, last)
        return tiles.bundled(found.bodies)
    if tile.level == 0:
        leaves = stored.entries(work, log, first, last)
        _require_whole(leaves.seqs, leaves.leaves, first, last)
        return b"".join(leaves.leaves)
    nodes = stored.nodes(work, log, tile.level * HEIGHT, first, last)
    _require_whole(nodes.places, nodes.values, first, last)
    return b"".join(nodes.values)


def _require_whole(places: list[int], values: list[object], first: int, last: int) -> None:
    if places != [*range(first, last)] or not all(isinstance(each, bytes) for each in values):
        msg = f"of the places {first} to {last - 1} of a tile not all are there: run `byleave ledger verify`"
        raise LedgerBroken(msg)
