"""Whoever has the database in hand can change anything but what is signed; verification names the table and the place.

Each test first shows that the untouched log is verified, so that what is found is what was done to it.
"""

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from consent.base.canonical import b64
from consent.ledger import checkpoint, merkle, note
from consent.ledger.checkpoint import Checkpoint
from consent.ledger.entry import Kind
from consent.ledger.verify import CHUNK, MOST_NAMED, verify
from consent.register import proving, publishing
from tests.attacker import Attacker, other_commitment
from tests.builders import CATALOGUE, catalogue
from tests.world import MIA, NAME

NEWS = "contact:post:offers"
SIZE, FIRST, LAST = 22, 11, 22
"""Entries, and the sizes at which a checkpoint was signed."""


@pytest.fixture
def world(blank):
    """Return a world whose ledger begins with two entries, a small catalogue and the one notice that it has."""
    return small(blank)


@pytest.fixture
def sqlite_world(_open):
    """Return such a world on SQLite only."""
    return small(_open("sqlite", False))  # noqa: FBT003 -- one that nobody founded


def one_notice():
    """Return the small catalogue with one notice for all that it asks."""
    scopes = [{**scope, "notice": "words"} for scope in CATALOGUE["scope"]]
    return catalogue(notice=CATALOGUE["notice"][:1], scope=scopes)


def small(blank):
    desk = blank.deployment.desk
    with blank.store.write() as work:
        publishing.found(desk, work, NAME, at=blank.clock())
        publishing.publish(desk, work, one_notice(), actor=MIA, at=blank.clock())
    ann, bo = blank.enrol("ANN", "BO")
    return replace(blank, ann=ann, bo=bo)


@pytest.fixture
def attacker(world):
    """Return an attacker on a log of 22 entries, with checkpoints at 11 and at 22."""
    return attacked(world)


def attacked(world):
    for times in (9, 11):
        acts = ("grant", "withdraw")
        world.say(*(world.statement((world.bo, world.ann)[n % 2], acts[n // 2 % 2], NEWS) for n in range(times)))
        with world.store.write() as work:
            proving.sign_checkpoint(world.deployment.desk, work, at=world.clock())
    attacker = Attacker(world)
    assert named(attacker) == []
    return attacker


def found_by(attacker):
    """Verify with chunks of 4 and with all in one: what is found doesn't depend on it, but behind a wide hole."""
    desk = attacker.world.deployment.desk
    [(origin,)] = attacker.world.rows("SELECT origin FROM ledger_log")
    key = note.vkey(origin, proving.signer(desk, origin).verifier.public_key)
    found, other = (verify(attacker.world.store, vkey=key, chunk=chunk) for chunk in (4, CHUNK))
    assert found.first_bad == other.first_bad
    assert found == other or found.checked < SIZE - 4
    return found


def named(attacker):
    """Return the place and the table of every wrong spot."""
    found = found_by(attacker)
    assert found.ok == (found.bad == ())
    assert found.first_bad == (found.bad[0] if found.bad else None)
    return [(bad.seq, bad.table) for bad in found.bad]


def why(attacker):
    return [bad.why for bad in found_by(attacker).bad]


# ------------------------------------------------------------------------------------------------------------- entries


@pytest.mark.parametrize("seq", [0, 5, 13, 21])
def test_a_flipped_byte_of_an_entry_is_named(attacker, seq):
    body = bytearray(attacker.body(seq))
    body[50] ^= 1
    attacker.rewrite(seq, bytes(body))

    assert named(attacker) == [(seq, "ledger_entry")]


def test_every_byte_of_an_entry_counts(sqlite_world):
    attacker = attacked(sqlite_world)
    body = attacker.body(5)
    missed = []
    for spot in range(0, len(body), 7):
        attacker.rewrite(5, body[:spot] + bytes([body[spot] ^ 0x41]) + body[spot + 1 :])
        if named(attacker) != [(5, "ledger_entry")]:
            missed.append(spot)
    attacker.rewrite(5, body)

    assert (missed, named(attacker)) == ([], [])


def test_an_entry_whose_leaf_was_recomputed_is_found_in_the_tree(attacker):
    attacker.rewrite(5, other_commitment(attacker.body(5)), leaf=True)

    assert named(attacker) == [(4, "ledger_node"), (11, "ledger_checkpoint"), (22, "ledger_head")]


def test_an_entry_at_the_edge_whose_leaf_was_recomputed_is_found_in_the_head(world):
    world.grant(world.bo, NEWS)
    attacker = attacked(world)  # 23 entries: the last one stands in no node
    attacker.rewrite(22, other_commitment(attacker.body(22)), leaf=True)

    assert named(attacker) == [(23, "ledger_head"), (23, "ledger_checkpoint")]


def test_a_tree_recomputed_from_a_changed_entry_is_caught_by_what_was_signed(attacker):
    attacker.rewrite(5, other_commitment(attacker.body(5)), leaf=True)
    attacker.regrow()

    assert named(attacker) == [(11, "ledger_checkpoint")]
    assert why(attacker) == [
        "the checkpoint at size 11 signs another root: an entry from 0 to 10 was changed after it was signed"
    ]


def test_what_was_signed_says_between_which_entries_the_change_lies(attacker):
    attacker.rewrite(13, other_commitment(attacker.body(13)), leaf=True)
    attacker.regrow()

    assert why(attacker) == [
        "the checkpoint at size 22 signs another root: an entry from 11 to 21 was changed after it was signed"
    ]


def test_a_deleted_entry_is_named(attacker):
    attacker.do("DELETE FROM ledger_entry WHERE seq = 5")

    assert named(attacker) == [(5, "ledger_entry")]
    assert why(attacker) == ["there is no such entry"]


def test_entries_deleted_from_a_place_on_are_named(attacker):
    attacker.do("DELETE FROM ledger_entry WHERE seq >= 12")

    assert named(attacker)[0] == (12, "ledger_entry")


def test_a_head_that_claims_any_number_of_entries_is_not_followed_into_the_void(attacker):
    attacker.do("UPDATE ledger_head SET size = 1000000000000000")
    [(origin,)] = attacker.world.rows("SELECT origin FROM ledger_log")
    key = note.vkey(origin, proving.signer(attacker.world.deployment.desk, origin).verifier.public_key)

    found = verify(attacker.world.store, vkey=key, chunk=4)
    assert [each[:2] for each in found.bad][:2] == [(0, "ledger_head"), (22, "ledger_entry")]
    assert found.checked == 22


def test_swapped_entries_are_both_named(attacker):
    attacker.exchange("ledger_entry", "body", "seq", 5, 14)
    attacker.exchange("ledger_entry", "leaf", "seq", 5, 14)

    assert named(attacker) == [(5, "ledger_entry"), (14, "ledger_entry")]
    assert why(attacker) == ["it says that it is entry 14", "it says that it is entry 5"]


def test_an_entry_put_in_behind_the_end_is_named(attacker):
    insert = "INSERT INTO ledger_entry (log, seq, body, leaf) SELECT 1, 22, body, leaf FROM ledger_entry WHERE seq = 21"
    attacker.do(insert)

    assert named(attacker) == [(22, "ledger_entry")]


def test_an_entry_put_in_between_shifts_all_that_follow_and_each_is_named(attacker):
    for seq in range(21, 9, -1):
        attacker.do("UPDATE ledger_entry SET seq = :later WHERE seq = :seq", seq=seq, later=seq + 1)
    attacker.do(
        "INSERT INTO ledger_entry (log, seq, body, leaf) SELECT 1, 10, body, leaf FROM ledger_entry WHERE seq = 9"
    )
    attacker.regrow()

    places = named(attacker)
    assert places[:13] == [(seq, "ledger_entry") for seq in range(10, 23)]


def test_an_entry_of_another_log_is_named(attacker):
    body = attacker.body(5)
    attacker.rewrite(5, body.replace(b"shop.example", b"shup.example"), leaf=True)

    assert named(attacker) == [(5, "ledger_entry")]
    assert why(attacker) == ["it is an entry of another log"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b'"at":"2026', b'"at":"2025', "its time 2025-11-21T10:00:00.000Z lies before that of the entry before it"),
        (b'"cv":1', b'"cv":0', "it names catalogue version 0, but version 1 was in force"),
        (b'"cv":1', b'"cv":2', "it names catalogue version 2, but version 1 was in force"),
        (b'"cv":1', b'"cv":01', "its bytes are not of the form"),
        (b'"v":1}', b'"v":1} ', "its bytes are not of the form"),
        (b'"v":1}', b'"v":1,"x":1}', "its bytes are not of the form"),
    ],
)
def test_an_entry_that_could_not_stand_there_is_named_also_in_a_tree_that_agrees(attacker, old, new, said):
    attacker.rewrite(5, attacker.body(5).replace(old, new), leaf=True)
    attacker.regrow()

    assert (named(attacker), why(attacker)) == ([(5, "ledger_entry")], [said])


def test_an_entry_that_is_no_bytes_at_all_is_named(sqlite_world):
    attacker = attacked(sqlite_world)
    attacker.do("UPDATE ledger_entry SET body = 'text' WHERE seq = 5")

    assert named(attacker) == [(5, "ledger_entry")]


def test_no_more_than_a_hundred_spots_are_named(sqlite_world):
    bo = sqlite_world.bo
    sqlite_world.say(*(sqlite_world.statement(bo, "grant", NEWS) for _ in range(MOST_NAMED + 50)))
    attacker = Attacker(sqlite_world)
    attacker.do("UPDATE ledger_entry SET leaf = body")

    assert len(named(attacker)) == MOST_NAMED


# ---------------------------------------------------------------------------------------------------------------- tree


def test_a_changed_node_is_named(attacker):
    attacker.do("UPDATE ledger_node SET hash = :hash WHERE level = 1 AND idx = 2", hash=bytes(32))

    assert named(attacker) == [(4, "ledger_node")]
    assert why(attacker) == ["the node (1, 2) over entries 4 to 5 is not the hash of what lies under it"]


@pytest.mark.parametrize(("level", "idx"), [(1, 10), (2, 3), (3, 1), (4, 0)])
def test_a_missing_node_is_named(attacker, level, idx):
    attacker.do("DELETE FROM ledger_node WHERE level = :level AND idx = :idx", level=level, idx=idx)

    assert named(attacker) == [(idx << level, "ledger_node")]


@pytest.mark.parametrize(("level", "idx"), [(1, 11), (4, 1), (5, 0), (0, 3), (-1, 0), (63, 0), (2, -1), (1, 10**12)])
def test_a_node_that_the_tree_does_not_have_is_named(attacker, level, idx):
    attacker.do(
        "INSERT INTO ledger_node (log, level, idx, hash) VALUES (1, :level, :idx, :hash)",
        level=level, idx=idx, hash=bytes(32),
    )  # fmt: skip

    assert [table for _, table in named(attacker)] == ["ledger_node"]
    assert why(attacker) == [f"a tree of 22 has no node ({level}, {idx})"]


# ---------------------------------------------------------------------------------------------------------------- head


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("frontier = :zeros", "its frontier is not the edge of the tree over the entries"),
        ("last_at = last_at + 1", "its time is not that of the last entry"),
        ("last_at = 9223372036854775807", "its time is not that of the last entry"),
        ("catalogue_version = 2", "its catalogue version is not that of the last entry"),
    ],
)
def test_a_changed_head_is_named(attacker, change, said):
    values = {"zeros": bytes(96)} if ":zeros" in change else {}
    attacker.do(f"UPDATE ledger_head SET {change}", **values)  # noqa: S608 -- of the list above

    assert (named(attacker), why(attacker)) == ([(22, "ledger_head")], [said])


def test_a_head_set_back_leaves_entries_nodes_and_checkpoints_that_name_it(attacker):
    attacker.do("UPDATE ledger_head SET size = 20")

    tables = {table for _, table in named(attacker)}
    assert tables == {"ledger_entry", "ledger_node", "ledger_head", "ledger_checkpoint", "ledger_payload"}


def test_a_log_without_a_head_is_named(attacker):
    attacker.do("DELETE FROM ledger_head")

    assert (0, "ledger_head") in named(attacker)


def test_a_head_of_negative_size_is_named(attacker):
    attacker.do("UPDATE ledger_head SET size = -1")

    assert (0, "ledger_head") in named(attacker)


# --------------------------------------------------------------------------------------------------------- checkpoints


def test_a_checkpoint_with_another_root_does_not_hold(attacker):
    [(signed,)] = attacker.world.rows("SELECT note FROM ledger_checkpoint WHERE size = 11")
    origin, size, _, *rest = signed.split("\n")
    forged = "\n".join([origin, size, b64(bytes(32)), *rest])
    attacker.do("UPDATE ledger_checkpoint SET note = :note WHERE size = 11", note=forged)

    assert named(attacker) == [(11, "ledger_checkpoint")]


def test_a_checkpoint_by_another_key_does_not_hold(attacker):
    [(origin,)] = attacker.world.rows("SELECT origin FROM ledger_log")
    key = note.Signer(name=origin, key=Ed25519PrivateKey.generate())
    attacker.rewrite(5, other_commitment(attacker.body(5)), leaf=True)
    attacker.regrow()
    bodies = [attacker.body(seq) for seq in range(SIZE)]
    for size in (FIRST, LAST):
        root = merkle.root([merkle.leaf_hash(body) for body in bodies[:size]])
        forged = checkpoint.sign(Checkpoint(origin=origin, size=size, root=root), key)
        attacker.do("UPDATE ledger_checkpoint SET note = :note WHERE size = :size", note=forged, size=size)

    assert named(attacker) == [(11, "ledger_checkpoint"), (22, "ledger_checkpoint")]


def test_a_checkpoint_moved_to_another_size_is_named(attacker):
    attacker.do("UPDATE ledger_checkpoint SET size = 12 WHERE size = 11")

    assert (named(attacker), why(attacker)) == (
        [(12, "ledger_checkpoint")],
        ["it stands at size 12, and was signed at size 11"],
    )


@pytest.mark.parametrize("size", [23, 10**15, -1])
def test_a_checkpoint_at_a_size_that_the_log_has_not_is_named(attacker, size):
    attacker.do("UPDATE ledger_checkpoint SET size = :size WHERE size = 22", size=size)

    assert named(attacker) == [(size, "ledger_checkpoint")]


def test_a_checkpoint_that_is_no_text_any_more_is_named(sqlite_world):
    attacker = attacked(sqlite_world)
    attacker.do("UPDATE ledger_checkpoint SET note = CAST(:note AS TEXT) WHERE size = 11", note=b"\xff\xfe")

    assert named(attacker) == [(11, "ledger_checkpoint")]


# ---------------------------------------------------------------------------------------------- payloads and catalogues


def test_a_changed_payload_is_named(attacker):
    [(sealed,)] = attacker.world.rows("SELECT sealed FROM ledger_payload WHERE seq = 5")
    attacker.do("UPDATE ledger_payload SET sealed = :sealed WHERE seq = 5", sealed=bytes(sealed)[:-1] + b"\x00\x01")

    assert named(attacker) == [(5, "ledger_payload")]


def test_payloads_exchanged_between_customers_are_named(attacker):
    attacker.exchange("ledger_payload", "sealed", "seq", 5, 6)

    assert named(attacker) == [(5, "ledger_payload"), (6, "ledger_payload")]


def test_a_payload_that_vanished_without_an_erasure_is_named(attacker):
    attacker.do("DELETE FROM ledger_payload WHERE seq = 5")

    assert (named(attacker), why(attacker)) == (
        [(5, "ledger_payload")],
        ["its payload is missing, and no customer was erased since"],
    )


def test_payloads_that_went_with_an_erased_customer_are_counted_and_not_named(world):
    attacker = attacked(world)
    with world.store.write() as work:
        publishing.note(world.deployment.desk, work, Kind.CUSTOMER_ERASED, {}, at=world.clock())
    attacker.do("DELETE FROM ledger_payload WHERE seq IN (5, 7)")

    found = found_by(attacker)
    assert (found.bad, found.erased) == ((), 2)


@pytest.mark.parametrize("seq", [22, 10**15, -1])
def test_a_payload_of_an_entry_that_is_not_there_is_named(attacker, seq):
    attacker.do(
        "INSERT INTO ledger_payload (log, seq, owner, sealed) SELECT 1, :seq, owner, sealed FROM ledger_payload "
        "WHERE seq = 5",
        seq=seq,
    )

    assert named(attacker) == [(seq, "ledger_payload")]


def test_a_changed_catalogue_is_named(attacker):
    attacker.do("UPDATE catalogue_version SET body = body || ' '")

    assert named(attacker) == [(0, "catalogue_version")]


def test_a_catalogue_that_nobody_published_and_one_that_vanished_are_named(attacker):
    attacker.do("UPDATE catalogue_version SET seq = 5")

    assert (named(attacker), why(attacker)) == (
        [(0, "catalogue_version"), (5, "catalogue_version")],
        ["version 1 was published, and is not there", "version 1 names entry 5, which published no such version"],
    )


def test_a_log_under_another_name_has_none_of_its_entries_left(attacker):
    attacker.do("UPDATE ledger_log SET origin = 'shup.example/consent/2026h2'")

    found = found_by(attacker)
    assert [bad[:2] for bad in found.bad if bad.table == "ledger_entry"] == [
        (seq, "ledger_entry") for seq in range(SIZE)
    ]
    assert [bad.seq for bad in found.bad if bad.table == "ledger_checkpoint"] == [FIRST, LAST]
