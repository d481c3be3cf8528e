"""Tiles: their paths, which there are, and what a bundle holds, as c2sp.org/tlog-tiles writes them."""

import struct

import pytest

from consent.ledger import tiles
from consent.ledger.tiles import ENTRIES, WIDTH, Tile, TileRefused, TileUnknown

PATHS = {
    "tile/0/000": Tile(0, 0, 256),
    "tile/0/001.p/1": Tile(0, 1, 1),
    "tile/1/x001/x234/067": Tile(1, 1_234_067, 256),
    "tile/entries/x001/x234/067.p/255": Tile(ENTRIES, 1_234_067, 255),
    "tile/63/999": Tile(63, 999, 256),
    "tile/entries/x001/000": Tile(ENTRIES, 1_000, 256),
}


@pytest.mark.parametrize(("path", "tile"), PATHS.items())
def test_a_path_says_which_tile_lies_there(path, tile):
    assert (tiles.of_path(path), tile.path) == (tile, path)


@pytest.mark.parametrize(
    "path",
    [
        "", "tile", "tile/0", "tile/0/", "tile/00/000", "tile/64/000", "tile/-1/000", "tile/0/0", "tile/0/0000",
        "tile/0/x000/000", "tile/0/x000/001", "tile/0/001/x002", "tile/0/x1/000", "tile/0/000.p/0", "tile/0/000.p/256",
        "tile/0/000.p/257", "tile/0/000.p/999", "tile/entries/000.p/999",
        "tile/0/000.p/01", "tile/0/000.p/", "tile/0/000.p", "tile/entry/000", "tile/entries/000/", "/tile/0/000",
        "tile/0/\u0660\u0660\u0660", "tile/0/000\n", "tile/0/000.p/1 ", "tile/data/000",
    ],
)  # fmt: skip
def test_anything_else_is_no_tile(path):
    with pytest.raises(TileUnknown):
        tiles.of_path(path)


def test_a_tree_of_70_000_has_the_tiles_of_the_specification():
    wanted = list(tiles.needed(70_000))

    assert [tile for tile in wanted if tile.level == 0 and tile.width == WIDTH] == [
        Tile(0, n, WIDTH) for n in range(273)
    ]
    assert [tile.path for tile in wanted if tile.level >= 0 and tile.width < WIDTH] == [
        "tile/0/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1",
    ]  # fmt: skip
    assert [tile.path for tile in wanted if tile.level == 1 and tile.width == WIDTH] == ["tile/1/000"]
    assert [tile.number for tile in wanted if tile.level == ENTRIES] == list(range(274))


def test_a_tree_of_256_has_a_full_tile_and_a_partial_one_above():
    assert [tile.path for tile in tiles.needed(256)] == ["tile/entries/000", "tile/0/000", "tile/1/000.p/1"]
    assert [tile.path for tile in tiles.needed(255)] == ["tile/entries/000.p/255", "tile/0/000.p/255"]
    assert list(tiles.needed(0)) == []


@pytest.mark.parametrize("size", [1, 255, 256, 257, 511, 65_535, 65_536, 65_537, 70_000])
@pytest.mark.parametrize("since", [0, 1, 255, 256, 300, 65_536])
def test_what_came_since_completes_what_was_there(size, since):
    since = min(since, size)
    before, after = set(tiles.needed(since)), set(tiles.needed(size))
    new = set(tiles.needed(size, since=since))

    full = {tile for tile in before if tile.width == WIDTH}
    assert new == after - full
    assert all(tiles.is_within(tile, size) for tile in after)
    assert not any(tiles.is_within(Tile(tile.level, tile.number, tile.width + 1), size) for tile in after - full
                   if tile.width < WIDTH)  # fmt: skip


def test_a_bundle_has_each_length_before_its_entry():
    entries = [b"", b"a", b"b" * 65_535]
    bundle = tiles.bundled(entries)

    assert bundle == b"".join(struct.pack(">H", len(each)) + each for each in entries)
    assert tiles.unbundled(bundle) == entries


def test_an_entry_that_is_too_long_is_refused():
    with pytest.raises(TileRefused):
        tiles.bundled([b"x" * 65_536])


@pytest.mark.parametrize("bundle", [b"\x00", b"\x00\x01", b"\x00\x02a", b"\x00\x01a\x00", b"\xff\xff"])
def test_a_bundle_that_is_cut_off_is_refused(bundle):
    with pytest.raises(TileRefused):
        tiles.unbundled(bundle)


@pytest.mark.parametrize("length", [0, 1, 31, 33, 257 * 32])
def test_a_tile_has_whole_hashes(length):
    with pytest.raises(TileRefused):
        tiles.hashes_of(bytes(length))
