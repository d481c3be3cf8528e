"""The ledger has its checkpoints cosigned, says what isn't, and settles what stood in the way."""

from contextlib import contextmanager
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from consent.ledger import cosignature, note, proof
from consent.ledger.cosignature import CosignerKey
from consent.ledger.verify import verify
from consent.register import alarms, cosigning, proving, rotating, sealing
from consent.register.alarms import AlarmKind
from consent.register.cosigning import Witnessing
from tests.attacker import Attacker
from tests.flows.test_periods import FIRST, NEW_YEAR, NEWS, SECOND, key_of, signed
from tests.witnesses import NAME, running


@contextmanager
def watched(world, folder, *vkeys):
    """Run a witness that knows the world's ledger, and the ledger's side of it."""
    with running(folder, *(vkeys or (key_of(world),)), clock=world.clock) as witness:
        yield witness, witnessing_of(world, witness)


def witnessing_of(world, witness, **how):
    place = replace(witness.place, **how)
    return Witnessing(store=world.store, desk=world.deployment.desk, place=place, clock=world.clock)


def standing(world):
    with world.store.read() as work:
        return cosigning.standing(work)


def standing_alarms(world):
    return [(each.kind, each.log) for each in standing(world).alarms]


def test_a_checkpoint_is_cosigned_and_kept_with_both_signatures(world, tmp_path):
    with watched(world, tmp_path / "witness") as (witness, witnessing):
        mine = signed(world)
        found = witnessing.cosign()

        size = world.size()
        assert (found.cosigned, found.signed, found.trouble, found.held) == (size, size, "", False)
        [(kept,)] = world.rows("SELECT note FROM cosignature WHERE log = 1 AND size = :size", size=size)
        assert kept.startswith(mine)
        assert cosignature.cosigned_at(kept, witness.place.key) == int(world.clock().timestamp())
        assert kept == witness.seen()[0].note
        with world.store.read() as work:
            assert proving.newest_checkpoint(work) == kept
            assert proving.inclusion(work, 0).checkpoint == kept
    world.check_ledger()


def test_what_grows_is_cosigned_again_and_what_does_not_is_left(world, tmp_path):
    with watched(world, tmp_path / "witness") as (witness, witnessing):
        sizes = []
        for _ in range(3):
            signed(world)
            sizes.append(witnessing.cosign().cosigned)
            sizes.append(witnessing.cosign().cosigned)
            world.say(*(world.statement(world.bo, "grant", NEWS) for _ in range(5)))
        rows = world.rows("SELECT size FROM cosignature ORDER BY size")

    assert sizes == [size for (size,) in rows for _ in range(2)]
    assert len(rows) == 3
    assert [one.size for one in witness.seen()] == [rows[-1][0]]


def test_a_proof_carries_the_witness_s_line(world, tmp_path):
    with watched(world, tmp_path / "witness") as (witness, witnessing):
        signed(world)
        witnessing.cosign()
        with world.store.read() as work:
            shown = proving.inclusion(work, 3)
    text = proof.write(shown.seq, shown.path, checkpoint_note=shown.checkpoint)
    log_key = note.verifier_of(key_of(world))

    read = proof.verify(text, leaf=shown.leaf_hash, verifiers=[log_key], witnesses=[witness.place.key])

    assert (read.size, note.open_note(shown.checkpoint, [log_key, witness.place.key]).signed_by) == (
        shown.size, (FIRST, NAME),
    )  # fmt: skip


def test_a_witness_that_is_down_stops_nothing_and_an_alarm_stands_until_it_is_back(world, tmp_path):
    with watched(world, tmp_path / "witness") as (witness, witnessing):
        signed(world)
        witnessing.cosign()
        witness.stop()
        world.clock.advance(minutes=5)
        since = world.clock()
        world.grant(world.bo, NEWS)
        signed(world)
        down = [witnessing.cosign() for _ in range(2)]
        world.clock.advance(minutes=5)
        world.grant(world.bo, NEWS)
        signed(world)
        while_down = standing(world)
        witness.start()
        back = witnessing.cosign()

    assert [(one.held, one.cosigned < one.signed) for one in down] == [(False, True)] * 2
    assert [(each.kind, each.log, each.settled_at) for each in while_down.alarms] == [(AlarmKind.UNCOSIGNED, 1, None)]
    assert (while_down.uncosigned_since, while_down.cosigned < while_down.signed) == (since, True)
    assert (back.trouble, standing(world).alarms, standing(world).uncosigned_since) == ("", (), None)
    with world.store.read() as work:
        [settled] = alarms.newest(work)
    assert (settled.settled_by, settled.settlement, settled.settled_at) == ("worker", "cosigned", world.clock())
    world.check_ledger()


def test_without_a_witness_nothing_was_ever_cosigned(world):
    signed(world)
    found = standing(world)
    assert (found.ever, found.cosigned, found.signed, found.alarms) == (False, 0, world.size(), ())


def test_a_witness_that_does_not_know_the_log_is_an_alarm_that_says_what_to_do(world, tmp_path):
    other = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    with watched(world, tmp_path / "witness", note.vkey("elsewhere.example/consent/2026h2", other)) as (_, witnessing):
        signed(world)
        found = witnessing.cosign()

    assert found.trouble.startswith("the witness answers 404")
    assert found.trouble.endswith("byleave witness trust VKEY, where it runs")
    assert standing_alarms(world) == [(AlarmKind.UNCOSIGNED, 1)]


def test_a_cosignature_by_another_key_is_not_kept(world, tmp_path):
    impostor = CosignerKey(name=NAME, public_key=Ed25519PrivateKey.generate().public_key().public_bytes_raw())
    with watched(world, tmp_path / "witness") as (witness, _):
        signed(world)
        found = witnessing_of(world, witness, key=impostor).cosign()

    assert (found.held, "its own signature" in found.trouble) == (False, True)
    assert world.rows("SELECT count(*) FROM cosignature") == [(0,)]


def test_a_cosignature_whose_storing_failed_is_asked_for_again(world, tmp_path):
    with watched(world, tmp_path / "witness") as (_, witnessing):
        signed(world)
        witnessing.cosign()
        world.grant(world.bo, NEWS)
        signed(world)
        witnessing.cosign()
        Attacker(world).do("DELETE FROM cosignature")  # as if the process had died between answer and commit
        found = witnessing.cosign()

    assert (found.cosigned, found.trouble) == (world.size(), "")
    world.check_ledger()


def test_every_log_is_cosigned_to_its_end(world, tmp_path):
    with watched(world, tmp_path / "witness") as (witness, witnessing):
        world.clock.set(NEW_YEAR)
        with world.store.write() as work:
            turned = sealing.seal(world.deployment.desk, work, at=NEW_YEAR)
        found = witnessing.cosign()

    assert (found.trouble, found.cosigned) == ("", 1)
    assert [(one.origin, one.size) for one in witness.seen()] == [(FIRST, turned.size), (SECOND, 1)]
    world.check_ledger()


def test_after_a_rotation_the_witness_needs_the_new_key(world, tmp_path):
    with watched(world, tmp_path / "witness") as (witness, witnessing):
        with world.store.write() as work:
            rotating.rotate(world.deployment.desk, work, actor="shell", at=world.clock())
        over = witnessing.cosign()
        world.grant(world.bo, NEWS)
        signed(world)
        before = witnessing.cosign()
        witness.trust(key_of(world))
        after = witnessing.cosign()

    assert (over.trouble, after.trouble) == ("", "")
    assert before.trouble.startswith("the witness answers 403")
    assert standing(world).alarms == ()


def test_a_cosigned_note_that_was_exchanged_is_named(world, tmp_path):
    with watched(world, tmp_path / "witness") as (_, witnessing):
        signed(world)
        witnessing.cosign()
    size = world.size()
    attacker = Attacker(world)
    [(kept,)] = world.rows("SELECT note FROM cosignature")
    attacker.do("UPDATE cosignature SET note = :note", note=kept.replace(f"\n{size}\n", f"\n{size + 1}\n"))

    found = verify(world.store, vkey=key_of(world))
    assert [(bad.seq, bad.table) for bad in found.bad] == [(size, "cosignature")]


@pytest.mark.parametrize("answer", ["look", "cosign"])
def test_a_witness_that_is_not_there_leaves_the_ledger_as_it_is(sqlite_world, tmp_path, answer):
    with watched(sqlite_world, tmp_path / "witness") as (witness, witnessing):
        witness.stop()
        signed(sqlite_world)
        found = getattr(witnessing, answer)()

    assert (found.held, found.cosigned, found.signed) == (False, 0, sqlite_world.size())
    assert "ConnectionRefusedError" in found.trouble
    sqlite_world.grant(sqlite_world.bo, NEWS)
