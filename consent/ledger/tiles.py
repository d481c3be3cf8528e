"""Tiles: how a log leaves the house whole, so that any transparency-log verifier can read it.

The tree leaves as tiles of 256 hashes, the entries as bundles of 256, each under a path that says what it holds and
that never changes: `tile/<L>/<N>` and `tile/entries/<N>`, and with `.p/<W>` where only the first W of the 256 are there
yet. A tile at level L holds the roots of perfect subtrees of 256^L leaves: the stored nodes of level 8·L.

Source:
    c2sp.org/tlog-tiles.
"""

import re
import struct
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from consent.base.errors import Invalid, NotFound
from consent.ledger.merkle import HASH_BYTES

HEIGHT: Final = 8
"""Levels of the tree that a tile spans."""

WIDTH: Final = 1 << HEIGHT
LONGEST_ENTRY: Final = (1 << 16) - 1
HIGHEST: Final = 7
"""The level of the highest tile of a tree of fewer than 2^63 leaves."""

ENTRIES: Final = -1
"""Stands for a level, where a path leads to a bundle of entries."""

_LENGTH: Final = struct.Struct(">H")
_PATH: Final = re.compile(
    r"tile/(entries|[0-9]|[1-5][0-9]|6[0-3])/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?", re.ASCII
)


class TileUnknown(NotFound):
    """There is no such tile, or not yet."""

    code = "tile_unknown"
    title = "No such tile"


class TileRefused(Invalid):
    """What is said to be a tile, or a bundle of entries, is not of the form."""

    code = "tile_refused"
    title = "The tile does not hold"


class Tile(NamedTuple):
    """A tile, or a bundle of entries where `level` is `ENTRIES`; `width` is 256 for a full one."""

    level: int
    number: int
    width: int

    @property
    def path(self) -> str:
        """Where it lies below the log.

        >>> Tile(1, 1_234_067, 256).path, Tile(ENTRIES, 0, 17).path
        ('tile/1/x001/x234/067', 'tile/entries/000.p/17')
        """
        kind = "entries" if self.level == ENTRIES else str(self.level)
        partial = "" if self.width == WIDTH else f".p/{self.width}"
        return f"tile/{kind}/{_numbered(self.number)}{partial}"

    @property
    def first(self) -> int:
        """The first node of the tile's level, or the first entry, that it holds."""
        return self.number * WIDTH


def of_path(path: str) -> Tile:
    """Read the path of a tile, in the one way that `Tile.path` writes it.

    Raises:
        TileUnknown: no tile has such a path.

    >>> of_path("tile/entries/x001/000.p/3")
    Tile(level=-1, number=1000, width=3)
    """
    found = _PATH.fullmatch(path)
    if not found:
        raise TileUnknown("no tile has such a path")
    kind, number, width = found.groups()
    tile = Tile(
        ENTRIES if kind == "entries" else int(kind),
        int(number.replace("/", "").replace("x", "")),
        int(width) if width else WIDTH,
    )
    if tile.path != path or tile.width > WIDTH:  # x000 in front, or a width that no partial tile has
        raise TileUnknown("no tile has such a path")
    return tile


def is_within(tile: Tile, size: int) -> bool:
    """Say whether a log of `size` entries has all that a tile holds.

    >>> is_within(Tile(0, 273, 112), 70_000), is_within(Tile(0, 273, 113), 70_000), is_within(Tile(2, 0, 1), 70_000)
    (True, False, True)
    """
    return tile.first + tile.width <= size >> HEIGHT * max(tile.level, 0)


def needed(size: int, *, since: int = 0) -> Iterator[Tile]:
    """Yield the tiles and bundles of a log of `size` entries, those left out that one of `since` entries had in full.

    >>> [tile.path for tile in needed(256)]
    ['tile/entries/000', 'tile/0/000', 'tile/1/000.p/1']
    >>> [tile.path for tile in needed(300, since=256)]
    ['tile/entries/001.p/44', 'tile/0/001.p/44', 'tile/1/000.p/1']
    """
    for level in (ENTRIES, *range(HIGHEST + 1)):
        shift = HEIGHT * max(level, 0)
        hashes = size >> shift
        for index in range((since >> shift) // WIDTH, hashes // WIDTH):
            yield Tile(level, index, WIDTH)
        if hashes % WIDTH:
            yield Tile(level, hashes // WIDTH, hashes % WIDTH)


def bundled(entries: Sequence[bytes]) -> bytes:
    r"""Return the bytes of a bundle: each entry with its length before it, two bytes, the greater first.

    Raises:
        TileRefused: an entry is longer than a bundle can say.

    >>> bundled([b"ab", b""])
    b'\x00\x02ab\x00\x00'
    """
    if any(len(entry) > LONGEST_ENTRY for entry in entries):
        raise TileRefused(f"an entry has more than {LONGEST_ENTRY} bytes")
    return b"".join([part for entry in entries for part in (_LENGTH.pack(len(entry)), entry)])


def unbundled(bundle: bytes) -> list[bytes]:
    r"""Return the entries of a bundle.

    Raises:
        TileRefused: a length is not followed by as many bytes.

    >>> unbundled(b"\x00\x02ab\x00\x00")
    [b'ab', b'']
    """
    entries, spot = [], 0
    while spot < len(bundle):
        start = spot + _LENGTH.size
        spot = start + int.from_bytes(bundle[spot:start], "big")
        if spot > len(bundle) or start > len(bundle):
            raise TileRefused("an entry of the bundle is cut off")
        entries.append(bundle[start:spot])
    return entries


def hashes_of(tile: bytes) -> list[bytes]:
    """Return the hashes of a tile.

    Raises:
        TileRefused: not 1 to 256 whole hashes.

    >>> len(hashes_of(bytes(64)))
    2
    """
    if not tile or len(tile) % HASH_BYTES or len(tile) > WIDTH * HASH_BYTES:
        raise TileRefused("a tile has 1 to 256 hashes of 32 bytes")
    return [tile[spot : spot + HASH_BYTES] for spot in range(0, len(tile), HASH_BYTES)]


def _numbered(index: int) -> str:
    groups = [f"{index % 1000:03}"]
    while index := index // 1000:
        groups.append(f"x{index % 1000:03}")
    return "/".join(reversed(groups))
