"""The ledger over HTTP: what it shows verifies with the public key alone."""

import base64

import pytest

from consent.ledger import checkpoint, merkle
from consent.ledger.note import verifier_of
from consent.register import proving

NEWSLETTER = "contact:email:newsletter"
LEDGER = "/api/v1/ledger"


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
    assert opened(sqlite_world, answer.text).size == 2


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
    assert (proof["seq"], proof["size"], base64.b64decode(proof["leaf_hash"])) == (2, 3, leaf)
    merkle.verify_inclusion(leaf, index=2, size=3, proof=hashes(proof["path"]), root=root)


def test_the_ledger_is_proved_to_have_only_grown(shop, sqlite_world):
    old = opened(sqlite_world, sign(sqlite_world))
    for _ in range(5):
        sqlite_world.grant(sqlite_world.bo, NEWSLETTER)
    new = opened(sqlite_world, sign(sqlite_world))

    answer = shop.get(f"{LEDGER}/proofs/consistency?old={old.size}&new={new.size}").get_json()

    assert (answer["old"], answer["new"]) == (2, 7)
    merkle.verify_consistency(2, 7, old_root=old.root, new_root=new.root, proof=hashes(answer["path"]))


def test_an_entry_is_shown_as_it_is_stored(shop, sqlite_world):
    recorded = sqlite_world.grant(sqlite_world.bo, NEWSLETTER)
    [(body, leaf)] = sqlite_world.rows("SELECT body, leaf FROM ledger_entry WHERE seq = 2")

    shown = shop.get(f"{LEDGER}/entries/{recorded.seq}").get_json()

    assert (shown["entry"].encode(), base64.b64decode(shown["leaf_hash"])) == (body, leaf)
    assert {key: shown[key] for key in ("seq", "at", "kind", "catalogue_version", "log")} == {
        "seq": 2, "at": "2026-11-21T10:00:00.000Z", "kind": "statement", "catalogue_version": 1,
        "log": "shop.example/consent/2026h2",
    }  # fmt: skip
    assert sqlite_world.bo not in str(shown)


@pytest.mark.parametrize("path", [
    "entries/2", "entries/-1", "entries/1.9", "entries/x", "entries/01", "entries/" + "9" * 30,
    "proofs/inclusion?seq=2", "proofs/inclusion?seq=999999999999999", "proofs/inclusion?seq=1",
    "proofs/consistency?old=1&new=3", "proofs/consistency?old=2&new=1",
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
