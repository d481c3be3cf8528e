"""The ledger over HTTP: what it shows verifies with the public key alone."""

import base64
import gzip
from datetime import UTC, datetime
from typing import Any

import pytest

from consent.ledger import checkpoint, merkle, tiles
from consent.ledger.note import verifier_of
from consent.register import proving, sealing

NEWSLETTER = "contact:email:newsletter"
LEDGER = "/api/v1/ledger"
BEHIND = 1 << 40
"""The position of the second log's first entry."""


def sign(world):
    with world.store.write() as work:
        return proving.sign_checkpoint(world.deployment.desk, work, at=world.clock())


def opened(world, note):
    with world.store.read() as work:
        verifier = verifier_of(proving.verifier_key(world.deployment.desk, work))
    return checkpoint.open_checkpoint(note, verifier)


def hashes(path):
    return [base64.b64decode(each) for each in path]


def test_the_newest_checkpoint_is_everybodys_to_read(stranger, sqlite_world):
    signed = sign(sqlite_world)
    answer = stranger.get(f"{LEDGER}/checkpoint")

    assert (answer.status_code, answer.mimetype, answer.text) == (200, "text/plain", signed)
    assert opened(sqlite_world, answer.text).size == sqlite_world.size()


def test_asking_for_a_checkpoint_signs_none(stranger, stored):
    before = stored()
    answer = stranger.get(f"{LEDGER}/checkpoint")

    assert (answer.status_code, answer.get_json()["detail"]) == (404, "no checkpoint was signed yet")
    assert stored() == before


def test_a_statement_is_proved_to_be_in_the_ledger(shop, sqlite_world):
    recorded = sqlite_world.grant(sqlite_world.bo, NEWSLETTER)
    sign(sqlite_world)

    proof = shop.get(f"{LEDGER}/proofs/inclusion?seq={recorded.seq}").get_json()

    root = opened(sqlite_world, proof["checkpoint"]).root
    leaf = merkle.leaf_hash(proof["entry"].encode())
    size = sqlite_world.size()
    assert (proof["seq"], proof["size"], base64.b64decode(proof["leaf_hash"])) == (size - 1, size, leaf)
    merkle.verify_inclusion(leaf, index=size - 1, size=size, proof=hashes(proof["path"]), root=root)


def test_the_ledger_is_proved_to_have_only_grown(shop, sqlite_world):
    old = opened(sqlite_world, sign(sqlite_world))
    for _ in range(5):
        sqlite_world.grant(sqlite_world.bo, NEWSLETTER)
    new = opened(sqlite_world, sign(sqlite_world))

    answer = shop.get(f"{LEDGER}/proofs/consistency?old={old.size}&new={new.size}").get_json()

    assert (answer["old"], answer["new"]) == (old.size, old.size + 5)
    merkle.verify_consistency(old.size, new.size, old_root=old.root, new_root=new.root, proof=hashes(answer["path"]))


def test_an_entry_is_shown_as_it_is_stored(shop, sqlite_world):
    recorded = sqlite_world.grant(sqlite_world.bo, NEWSLETTER)
    [(body, leaf)] = sqlite_world.rows("SELECT body, leaf FROM ledger_entry WHERE seq = :seq", seq=recorded.seq)

    shown = shop.get(f"{LEDGER}/entries/{recorded.seq}").get_json()

    assert (shown["entry"].encode(), base64.b64decode(shown["leaf_hash"])) == (body, leaf)
    assert {key: shown[key] for key in ("position", "seq", "at", "kind", "catalogue_version", "log")} == {
        "position": recorded.seq, "seq": recorded.seq, "at": "2026-11-21T10:00:00.000Z", "kind": "statement",
        "catalogue_version": 1, "log": "shop.example/consent/2026h2",
    }  # fmt: skip
    assert sqlite_world.bo not in str(shown)


@pytest.mark.parametrize("path", [
    "entries/100", "entries/-1", "entries/1.9", "entries/x", "entries/01", "entries/" + "9" * 30,
    "entries/1099511627776", "proofs/inclusion?seq=100", "proofs/inclusion?seq=999999999999999",
    "proofs/inclusion?seq=1", "proofs/consistency?old=1&new=100", "proofs/consistency?old=2&new=1",
    "proofs/consistency?old=1&new=2&log=2",
])  # fmt: skip
def test_an_entry_that_is_not_there_is_not_found(shop, path):
    answer = shop.get(f"{LEDGER}/{path}")
    assert (answer.status_code, answer.get_json()["code"]) == (404, "entry_unknown")


@pytest.mark.parametrize(("query", "parameters"), [
    ("inclusion", ["seq"]),
    ("inclusion?seq=1.9", ["seq"]),
    ("inclusion?seq=-1", ["seq"]),
    ("inclusion?seq=%EF%BC%91", ["seq"]),
    ("inclusion?seq=%FF", ["seq"]),
    ("inclusion?seq=%00", ["seq"]),
    ("inclusion?seq=+1", ["seq"]),
    ("inclusion?seq=1_0", ["seq"]),
    ("inclusion?seq=9007199254740993", ["seq"]),
    ("inclusion?seq=1&seq=2", ["seq"]),
    ("inclusion?seq=1&log=2", ["log"]),
    ("consistency?old=0&new=x", ["new", "old"]),
    ("consistency", ["new", "old"]),
])  # fmt: skip
def test_a_number_that_is_none_is_refused_by_its_name(shop, query, parameters):
    answer = shop.get(f"{LEDGER}/proofs/{query}")

    assert (answer.status_code, answer.get_json()["code"]) == (400, "request_invalid")
    assert sorted(each["parameter"] for each in answer.get_json()["errors"]) == parameters


@pytest.mark.parametrize("path", ["checkpoint", "entries/1"])
def test_parameters_where_there_are_none_are_refused(shop, path):
    answer = shop.get(f"{LEDGER}/{path}?size=2")
    assert (answer.status_code, answer.get_json()["errors"]) == (
        400,
        [{"parameter": "size", "detail": "is not known here"}],
    )


def in_two_logs(world):
    """Say something, seal the log at the turn of the year, and go on in the next one."""
    world.grant(world.bo, NEWSLETTER)
    world.clock.set(datetime(2027, 1, 1, tzinfo=UTC))
    with world.store.write() as work:
        turned = sealing.seal(world.deployment.desk, work, at=world.clock())
    world.withdraw(world.bo, NEWSLETTER)
    sign(world)
    return turned.size


def test_entries_are_listed_from_log_to_log(shop, sqlite_world):
    size = in_two_logs(sqlite_world)
    page: dict[str, Any] = {"data": [], "next_cursor": "0"}
    seen: list[dict[str, Any]] = []
    while page["next_cursor"] is not None:
        page = shop.get(f"{LEDGER}/entries?limit=7&cursor={page['next_cursor']}").get_json()
        seen += page["data"]

    assert [one["position"] for one in seen] == [*range(size), BEHIND, BEHIND + 1]
    assert [one["seq"] for one in seen] == [*range(size), 0, 1]
    assert [base64.b64decode(one["leaf_hash"]) for one in seen] == [
        leaf for (leaf,) in sqlite_world.rows("SELECT leaf FROM ledger_entry ORDER BY log, seq")
    ]


def test_entries_of_one_kind_are_listed(shop, sqlite_world):
    in_two_logs(sqlite_world)

    page = shop.get(f"{LEDGER}/entries?kind=statement").get_json()

    assert [one["kind"] for one in page["data"]] == ["statement"] * 3
    assert (page["data"][-1]["position"], page["next_cursor"]) == (BEHIND + 1, None)


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "cursor=x", "cursor=01", "kind=nonsense", "log=1"])
def test_a_list_that_is_asked_for_wrongly_is_refused(shop, query):
    assert shop.get(f"{LEDGER}/entries?{query}").status_code == 400


def test_logs_are_listed_with_where_their_tiles_are(shop, sqlite_world):
    size = in_two_logs(sqlite_world)

    listed = shop.get(f"{LEDGER}/logs").get_json()["data"]

    assert [(one["number"], one["origin"], one["first"], one["size"], one["ended"]) for one in listed] == [
        (1, "shop.example/consent/2026h2", 0, size, "period"), (2, "shop.example/consent/2027h1", BEHIND, 2, None),
    ]  # fmt: skip
    assert [one["tiles"].rpartition("/ledger/")[2] for one in listed] == ["2026h2", "2027h1"]


def test_the_consistency_of_an_older_log_is_proved_too(shop, sqlite_world):
    size = in_two_logs(sqlite_world)
    path = shop.get(f"{LEDGER}/proofs/consistency?old=1&new={size}&log=1").get_json()["path"]
    [(leaf,)] = sqlite_world.rows("SELECT leaf FROM ledger_entry WHERE log = 1 AND seq = 0")
    [(note,)] = sqlite_world.rows("SELECT note FROM ledger_checkpoint WHERE log = 1 AND size = :size", size=size)
    root = base64.b64decode(note.split("\n")[2])

    merkle.verify_consistency(1, size, old_root=leaf, new_root=root, proof=hashes(path))


# ------------------------------------------------------------------------------------------------------------ tiles


def tiled(world, size):
    acts = ("grant", "withdraw")
    world.say(*(world.statement(world.bo, acts[n % 2], NEWSLETTER) for n in range(size - world.size())))
    return sign(world)


def test_everybody_can_fetch_the_ledger_as_tiles(stranger, sqlite_world):
    signed = tiled(sqlite_world, 300)

    answer = stranger.get("/ledger/checkpoint")
    hashed, partial, above = (stranger.get(f"/ledger/tile/{path}") for path in ("0/000", "0/001.p/44", "1/000.p/1"))
    bundles = [stranger.get(f"/ledger/tile/entries/{path}") for path in ("000", "001.p/44")]

    assert (answer.text, answer.content_type) == (signed, "text/plain; charset=utf-8")
    entries = [entry for each in bundles for entry in tiles.unbundled(each.data)]
    leaves = [merkle.leaf_hash(entry) for entry in entries]
    assert (len(entries), hashed.data + partial.data) == (300, b"".join(leaves))
    assert above.data == merkle.root(leaves[:256])
    assert merkle.root(leaves) == opened(sqlite_world, signed).root
    assert {each.content_type for each in (hashed, *bundles)} == {"application/octet-stream"}


def test_tiles_of_one_log_are_kept_for_ever_and_those_of_the_newest_are_asked_for_again(stranger, sqlite_world):
    size = in_two_logs(sqlite_world)

    old, new = stranger.get(f"/ledger/2026h2/tile/0/000.p/{size}"), stranger.get("/ledger/tile/0/000.p/2")

    assert (len(old.data), old.headers["Cache-Control"]) == (size * 32, "public, max-age=31536000, immutable")
    assert (len(new.data), new.headers["Cache-Control"]) == (64, "no-cache")
    assert stranger.get("/ledger/2027h1/tile/0/000.p/2").data == new.data
    assert stranger.get("/ledger/2026h2/checkpoint").text.startswith(f"shop.example/consent/2026h2\n{size}\n")
    assert stranger.get("/ledger/checkpoint").text.startswith("shop.example/consent/2027h1\n2\n")


def test_nothing_is_shown_that_no_checkpoint_covers(stranger, sqlite_world):
    tiled(sqlite_world, 300)
    sqlite_world.grant(sqlite_world.ann, NEWSLETTER)
    shown = [stranger.get(f"/ledger/tile/{kind}/001.p/{width}").status_code for kind in ("0", "entries")
             for width in (43, 44, 45)]  # fmt: skip

    assert shown == [200, 200, 404] * 2


def test_before_anything_was_signed_there_are_no_tiles(stranger):
    assert stranger.get("/ledger/checkpoint").status_code == 404
    assert stranger.get("/ledger/tile/0/000.p/1").status_code == 404


def test_a_bundle_is_compressed_for_whoever_takes_that(stranger, sqlite_world):
    tiled(sqlite_world, 300)
    plain = stranger.get("/ledger/tile/entries/000")
    small = stranger.get("/ledger/tile/entries/000", headers={"Accept-Encoding": "gzip"})

    assert (plain.headers.get("Content-Encoding"), small.headers["Content-Encoding"]) == (None, "gzip")
    assert (gzip.decompress(small.data), len(small.data) < len(plain.data)) == (plain.data, True)
    assert plain.headers["Vary"] == small.headers["Vary"] == "Accept-Encoding"


@pytest.mark.parametrize("path", [
    "tile/0/001", "tile/0/0", "tile/0/x000/000", "tile/9/000", "tile/64/000", "tile/0/000.p/0", "tile/0/000.p/256",
    "tile/nonsense", "2026h1/checkpoint", "2026h2-2/tile/0/000", "2026h2/tile/0/001", "2026h2/nonsense",
])  # fmt: skip
def test_a_tile_that_is_not_there_is_not_found(stranger, sqlite_world, path):
    tiled(sqlite_world, 30)
    assert stranger.get(f"/ledger/{path}").status_code == 404


def test_fetching_tiles_signs_and_writes_nothing(stranger, sqlite_world, stored):
    tiled(sqlite_world, 30)
    before = stored()
    for path in ("checkpoint", "tile/0/000.p/30", "tile/entries/000.p/30", "tile/0/000"):
        stranger.get(f"/ledger/{path}")

    assert stored() == before
